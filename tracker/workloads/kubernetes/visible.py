"""Which GPUs a container may use, from what NVIDIA's container runtime leaves in it.

Source: NVIDIA Container Toolkit, "Environment variables (OCI spec)" and the volume-mounts strategy of the Kubernetes
device plugin.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from tracker.workloads.kubernetes.devices import plugin_device

#: With the volume-mounts strategy the variable is this folder and the devices are the names in it.
MOUNTED = Path("/var/run/nvidia-container-devices")
MAX_DEVICES = 256
_NODE = re.compile(r"nvidia(\d{1,4})", re.ASCII)
_INDEX = re.compile(r"(\d{1,4})(?::\d{1,4})?", re.ASCII)  # "0", and "0:1" for an instance of it
_CDI = "nvidia.com/gpu="


def visible_devices(environ: Mapping[str, str], dev: Path, mounted: Path = MOUNTED) -> tuple[str, ...] | None:
    """As in ``Allocation.device``; None: all that the driver shows. Where the variable says nothing ("void" under CDI),
    the device nodes under ``dev`` do. Never raises."""
    words = environ.get("NVIDIA_VISIBLE_DEVICES", "").split(",")
    if words == [str(MOUNTED)]:
        words = _names(mounted)
    words = [word.strip().removeprefix(_CDI) for word in words]
    if "all" in words:
        return None
    if "none" in words:
        return ()
    found = {device: None for word in words if (device := _device(word)) is not None}
    if not found:
        nodes = (_NODE.fullmatch(name) for name in _names(dev))
        found = {f"index:{index}": None for index in sorted(int(node[1]) for node in nodes if node)}
    return tuple(found)[:MAX_DEVICES]


def _device(word: str) -> str | None:
    index = _INDEX.fullmatch(word)
    return plugin_device(word) if index is None else f"index:{int(index[1])}"


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - names are all that is wanted
    except OSError:
        return []
