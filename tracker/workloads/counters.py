"""The kernel's numbers about a cgroup or the node: where they are, and parsers from text to integers.

- cgroup v2 (Documentation/admin-guide/cgroup-v2.rst): ``cpu.stat`` has ``usage_usec`` at every level, the root included
  since Linux 5.8, and needs no controller; ``memory.current`` is in bytes, not in the root.
- cgroup v1 (Documentation/admin-guide/cgroup-v1/): ``cpuacct.usage`` in ns, ``memory.usage_in_bytes``.
- All of them are hierarchical: a cgroup's number contains its descendants', dead ones included.

Memory is *usage*, page cache included, not the working set: cache is DRAM that the workload fills, the node's own
number beside it (total - free) contains it too, and ``memory.stat``, which the working set needs, costs a flush of the
statistics of the whole subtree.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tracker.core.units import NS_PER_US, US_PER_S
from tracker.sysfs import HeldFile

_USAGE = b"usage_usec "
_CLOCK_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_KIB = 1024


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """One mounted cgroup hierarchy. ``cpu_file`` and ``memory_file`` are "" where it does not count that."""

    root: str
    cpu_file: str
    memory_file: str
    version: int  # 1 or 2
    whole_node: bool  # its root is the node's, not that of a cgroup namespace


def find_hierarchies(cgroup_root: Path) -> tuple[Hierarchy, ...]:
    """The hierarchies worth walking, in order of trust: one in the unified layout; in the v1 and hybrid layouts
    cpuacct, memory, and the v2 tree beside them. Empty when nothing is mounted. Never raises."""
    if (cgroup_root / "cgroup.controllers").exists():
        return (_v2(cgroup_root),)
    try:
        links_last = sorted(cgroup_root.iterdir(), key=lambda path: (path.is_symlink(), path.name))
    except OSError:
        return ()
    folders = [path for path in links_last if path.is_dir()]
    found = []
    for cpu_file, memory_file in (("cpuacct.usage", ""), ("", "memory.usage_in_bytes")):
        folder = next((path for path in folders if (path / (cpu_file or memory_file)).exists()), None)
        if folder is not None:
            # release_agent is in the root cgroup of a hierarchy only (cgroup-v1/cgroups.rst)
            found.append(Hierarchy(str(folder), cpu_file, memory_file, 1, (folder / "release_agent").exists()))
    unified = next((path for path in folders if (path / "cgroup.controllers").exists()), None)
    return (*found, *([_v2(unified)] if unified is not None else []))


def _v2(folder: Path) -> Hierarchy:
    # cgroup.type is in every cgroup but the root
    return Hierarchy(str(folder), "cpu.stat", "memory.current", 2, not (folder / "cgroup.type").exists())


def parse_cpu_stat(text: bytes) -> int:
    """CPU time in µs from the text of ``cpu.stat``. Raises ValueError."""
    start = 0 if text.startswith(_USAGE) else text.index(b"\n" + _USAGE) + 1
    return int(text[start + len(_USAGE) : text.index(b"\n", start)])


def parse_cpuacct(text: bytes) -> int:
    """CPU time in µs from the text of ``cpuacct.usage`` (ns). Raises ValueError."""
    return int(text) // NS_PER_US


def parse_proc_stat(text: bytes) -> int:
    """Busy time of all CPUs in µs from ``/proc/stat`` (proc_stat(5)): not idle, not waiting for I/O, not stolen by the
    hypervisor; guests are contained in user. Raises ValueError."""
    fields = text.split(b"\n", 1)[0].split()
    if len(fields) < 8 or fields[0] != b"cpu":  # noqa: PLR2004 - up to softirq, since Linux 2.6
        raise ValueError("no cpu line")
    user, nice, system, _idle, _iowait, irq, softirq = (int(field) for field in fields[1:8])
    return (user + nice + system + irq + softirq) * US_PER_S // _CLOCK_TICKS_PER_S


def parse_meminfo(text: bytes) -> tuple[int, int]:
    """(total, free) bytes from ``/proc/meminfo``. Raises ValueError."""
    sizes = {}
    for line in text.split(b"\n", 3)[:3]:
        name, _, rest = line.partition(b":")
        sizes[name] = int(rest.split()[0]) * _KIB if rest.strip() else 0
    if b"MemTotal" not in sizes or b"MemFree" not in sizes:
        raise ValueError("no MemTotal and MemFree")
    return sizes[b"MemTotal"], sizes[b"MemFree"]


def count_cpus(text: str) -> int:
    """How many CPUs a list like ``0-3,8`` names (/sys/devices/system/cpu/online). Raises ValueError."""
    count = 0
    for part in text.split(","):
        first, _, last = part.partition("-")
        count += int(last or first) - int(first) + 1
    return count


class FileLimit:
    """How many counter files may stay open. Beyond it each read opens and closes its file, at six times the cost."""

    __slots__ = ("free",)

    def __init__(self, limit: int) -> None:
        self.free = limit


class CounterFile:
    """A counter that is read at every tick."""

    __slots__ = ("_held", "_limit", "path")

    def __init__(self, path: str, limit: FileLimit) -> None:
        self.path = path
        self._limit = limit
        self._held: HeldFile | None = None
        if limit.free > 0:
            limit.free -= 1
            self._held = HeldFile(path)

    def read(self) -> bytes:
        """Its content. Raises OSError; ENODEV once its cgroup is removed, also when a namesake has taken its place."""
        if self._held is not None:
            return self._held.read()
        fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.read(fd, 4096)
        finally:
            os.close(fd)

    def close(self) -> None:
        """Give its place to another; may be called twice."""
        if self._held is not None:
            self._held.close()
            self._held = None
            self._limit.free += 1
