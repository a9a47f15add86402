"""From Slurm's numbers of GPUs to their UUIDs.

Slurm numbers a GPU by the minor number of its device file, ``/dev/nvidia<N>`` (SLURM_JOB_GPUS; gres.conf(5), File), the
driver's order is by PCI address, and on real boards the two differ. The kernel module shows both numbers of each GPU in
``/proc/driver/nvidia/gpus/<PCI address>/information`` (open-gpu-kernel-modules, nv-procfs.c) without waking the GPU.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from tracker.sysfs import read_text

_UUID = re.compile(r"^GPU UUID:\s*(GPU-[0-9a-f-]+)\s*$", re.MULTILINE)  # "GPU-????…" until the GPU was initialised once
_MINOR = re.compile(r"^Device Minor:\s*(\d+)\s*$", re.MULTILINE)


def parse_information(text: str) -> tuple[str, str] | None:
    """(minor number, UUID) of a GPU; None: the driver does not say."""
    uuid, minor = _UUID.search(text), _MINOR.search(text)
    return (minor[1], uuid[1]) if uuid is not None and minor is not None else None


def read_minors(procfs: Path) -> Mapping[str, str]:
    """UUIDs by minor number. Empty: no NVIDIA driver, or it is too old to tell. Never raises."""
    folder = f"{procfs}/driver/nvidia/gpus"
    found: dict[str, str] = {}
    for name in _names(folder):
        try:
            known = parse_information(read_text(f"{folder}/{name}/information", 4096))
        except OSError:
            continue
        if known is not None:
            found[known[0]] = known[1]
    return found


def has_instances(procfs: Path) -> bool:
    """Whether GPUs are partitioned (MIG): then Slurm's numbers count instances, in an order that nothing here shows."""
    root = f"{procfs}/driver/nvidia/capabilities"
    return any(name.startswith("gi") for gpu in _names(root) for name in _names(f"{root}/{gpu}/mig"))


def device_of(gpu: str, minors: Mapping[str, str], *, partitioned: bool) -> str | None:
    """The device of an allocation: a UUID, or ``index:N`` where UUIDs are not known (then both orders are taken to be
    the same). None: it cannot be known."""
    if not gpu.isdecimal():
        return gpu
    if partitioned:
        return None
    return minors.get(gpu) or (f"index:{gpu}" if not minors else None)


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - names
    except OSError:
        return []
