"""What ``/proc/cpuinfo`` and ``/sys/devices/system/cpu`` say about the processors. Parsers take text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tracker.sysfs import Roots, read_text

_VENDORS = {"GenuineIntel": "intel", "AuthenticAMD": "amd", "HygonGenuine": "hygon"}
#: Enough for the first processor. The file is not read whole: on x86 each processor in it may be asked for its
#: frequency, which wakes it up (arch/x86/kernel/cpu/proc.c).
_FIRST_PROCESSOR_BYTES = 8192
_CPU_FOLDER = re.compile(r"cpu(\d+)")


@dataclass(frozen=True, slots=True)
class CpuModel:
    """``virtual``: a hypervisor runs this machine. x86 says so by a CPU flag; elsewhere it is not known: False."""

    vendor: str = ""
    name: str = ""
    virtual: bool = False


def parse_cpuinfo(text: str) -> CpuModel:
    """Reads the first processor's block; anything that is missing stays empty."""
    fields: dict[str, str] = {}
    for line in text.partition("\n\n")[0].splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    vendor = fields.get("vendor_id", "")
    return CpuModel(
        _VENDORS.get(vendor, vendor), fields.get("model name", ""), "hypervisor" in fields.get("flags", "").split()
    )


def read_cpu_model(procfs: Path) -> CpuModel:
    """The processor's model, or an empty one: it is shown and bounds are derived from it, nothing depends on it."""
    try:
        return parse_cpuinfo(read_text(procfs / "cpuinfo", _FIRST_PROCESSOR_BYTES))
    except OSError:
        return CpuModel()


def read_packages(roots: Roots) -> dict[int, int]:
    """Package number by CPU number, for the CPUs that are online.

    Empty where the topology cannot be read; a CPU whose package is unknown (-1 on some virtual machines) is in
    package 0.
    """
    folder = roots.sysfs / "devices" / "system" / "cpu"
    try:
        entries = list(folder.iterdir())
    except OSError:
        return {}
    packages: dict[int, int] = {}
    for entry in entries:
        match = _CPU_FOLDER.fullmatch(entry.name)
        if match is None:
            continue
        try:
            packages[int(match[1])] = max(0, int(read_text(entry / "topology" / "physical_package_id", 64)))
        except (OSError, ValueError):
            continue  # offline CPUs have no topology
    return packages
