"""A node in a folder: cgroup hierarchies whose counters behave like the kernel's, and processes.

CPU time and memory are hierarchical; time of a removed cgroup stays in its ancestors. Removed folders are moved away
rather than deleted, because the kernel never uses an inode number twice and a disk does.
"""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tracker.core.model import DeviceUse, Moment, Observation, ProcessUse, Share
from tracker.core.rules import Rule
from tracker.sysfs import Roots
from tracker.workloads.interface import Observer, Resolver
from tracker.workloads.observer import CgroupObserver, Options

GIB = 1 << 30
SECOND_NS = 1_000_000_000


class Node:
    """``layout``: v2, v1 or hybrid. 4 CPUs, 64 GiB, 48 GiB of it free."""

    def __init__(self, folder: Path, layout: str = "v2") -> None:
        self.sysfs, self.procfs = folder / "sys", folder / "proc"
        self._grave = folder / "grave"
        self._graves = itertools.count()
        self._stamps = itertools.count(10**18, 1000)
        self._changed: set[str] = set()
        self.cgroups = self.sysfs / "fs" / "cgroup"
        self.cpu_us: dict[str, int] = {}  # by path, "" is the root
        self.memory_bytes: dict[str, int] = {}
        self.v1 = {"cpuacct": self.cgroups / "cpuacct", "memory": self.cgroups / "memory"}
        self.v2 = {"v2": self.cgroups, "hybrid": self.cgroups / "unified"}.get(layout)
        if layout == "v2":
            self.v1 = {}
        self._grave.mkdir(parents=True)
        self.make("")
        for path in self.v1.values():
            (path / "release_agent").write_text("")
        if self.v2 is not None:
            (self.v2 / "cgroup.controllers").write_text("cpu memory\n")
        online = self.sysfs / "devices" / "system" / "cpu" / "online"
        online.parent.mkdir(parents=True)
        online.write_text("0-3\n")
        self.procfs.mkdir()
        self.set_memory(64 * GIB, 48 * GIB)
        (self.procfs / "stat").write_text("cpu  0 0 0 0 0 0 0 0 0 0\n")
        self.mono_ns = 1000 * SECOND_NS

    @property
    def roots(self) -> Roots:
        return Roots(self.sysfs, self.procfs)

    def hierarchies(self) -> list[tuple[str, Path]]:
        """(what it is, its root) of every hierarchy."""
        return [*self.v1.items(), *([("v2", self.v2)] if self.v2 is not None else [])]

    def make(self, path: str, *, only: str = "") -> str:
        """Create a cgroup and what is above it; ``only`` in one hierarchy."""
        for name, root in self.hierarchies():
            if not only or name == only:
                (root / path.lstrip("/")).mkdir(parents=True, exist_ok=True)
                for part in ancestry(path):
                    self._stamp(root / part.lstrip("/"))
        for part in ancestry(path):
            new = part not in self.cpu_us
            self.cpu_us.setdefault(part, 0)
            self.memory_bytes.setdefault(part, 0)
            if new or only or part == path:
                self._write(part)
        return path

    def burn(self, path: str, time_us: int) -> None:
        """Processes of a cgroup use CPU time."""
        for part in ancestry(path):
            self.cpu_us[part] += time_us
            self._changed.add(part)

    def hold(self, path: str, size_bytes: int) -> None:
        """Processes of a cgroup take memory."""
        for part in ancestry(path):
            self.memory_bytes[part] += size_bytes
            self._changed.add(part)

    def remove(self, path: str) -> None:
        """Remove a cgroup with all below it. Its time stays with its ancestors."""
        for _, root in self.hierarchies():
            folder = root / path.lstrip("/")
            if folder.exists():
                folder.rename(self._grave / str(next(self._graves)))
                self._stamp(folder.parent)
        for part in [part for part in self.cpu_us if part == path or part.startswith(path + "/")]:
            del self.cpu_us[part], self.memory_bytes[part]
            self._changed.discard(part)

    def set_memory(self, total_bytes: int, free_bytes: int) -> None:
        text = (
            f"MemTotal:       {total_bytes // 1024} kB\nMemFree:        {free_bytes // 1024} kB\nMemAvailable: 1 kB\n"
        )
        (self.procfs / "meminfo").write_text(text)

    def process(
        self, pid: int, cgroup: str, *, start: int = 1, nspid: tuple[int, ...] = (), fds: tuple[str, ...] = ()
    ) -> None:
        """A process; ``cgroup`` is a path or the whole text of its cgroup file; ``fds`` are targets of open files."""
        folder = self.procfs / str(pid)
        folder.mkdir(exist_ok=True)
        fields = " ".join(["S", *["0"] * 18, str(start), *["0"] * 30])
        (folder / "stat").write_text(f"{pid} (evil) ) name) {fields}\n")
        (folder / "cgroup").write_text(cgroup if ":" in cgroup.partition("/")[0] else f"0::{cgroup}\n")
        pids = "\t".join(str(number) for number in (pid, *nspid))
        (folder / "status").write_text(f"Name:\tx\nNSpid:\t{pids}\nThreads:\t1\n")
        if fds:
            (folder / "fd").mkdir(exist_ok=True)
            for number, target in enumerate(fds):
                link = folder / "fd" / str(number)
                link.unlink(missing_ok=True)
                link.symlink_to(target)

    def exit(self, pid: int) -> None:
        (self.procfs / str(pid)).rename(self._grave / str(next(self._graves)))

    def tick(self, observer: CgroupObserver, *pids: int, seconds: float = 5) -> Observation:
        """Let time pass and observe. ``pids`` are on the GPU "GPU-0"."""
        processes = tuple(ProcessUse(pid, 100, GIB) for pid in pids)
        return self.tick_with(observer, {"GPU-0": DeviceUse("GPU-0", processes)} if pids else {}, seconds=seconds)

    def tick_with(self, observer: Observer, uses: dict[str, DeviceUse], seconds: float = 5) -> Observation:
        self.mono_ns += round(seconds * SECOND_NS)
        for path in self._changed:
            self._write(path)
        self._changed.clear()
        return observer.observe(Moment(self.mono_ns, self.mono_ns, self.mono_ns), uses)

    @contextmanager
    def observer(
        self,
        options: Options | None = None,
        resolvers: tuple[Resolver, ...] = (),
        rules: tuple[Rule, ...] = (),
    ) -> Iterator[CgroupObserver]:
        """An observer that has had its first tick."""
        observer = CgroupObserver(self.roots, options, resolvers, rules)
        try:
            self.tick(observer)
            yield observer
        finally:
            observer.close()

    def _stamp(self, folder: Path) -> None:
        """The clock of a disk's time stamps may be coarser than a test is fast."""
        stamp = next(self._stamps)
        os.utime(folder, ns=(stamp, stamp))

    def _write(self, path: str) -> None:
        part, cpu_us, memory_bytes = path.lstrip("/"), self.cpu_us[path], str(self.memory_bytes[path])
        for name, root in self.hierarchies():
            folder = root / part
            if not folder.exists():
                continue
            if name == "cpuacct":
                (folder / "cpuacct.usage").write_text(f"{cpu_us * 1000}\n")
            elif name == "memory":
                (folder / "memory.usage_in_bytes").write_text(memory_bytes)
            else:
                (folder / "cpu.stat").write_text(f"usage_usec {cpu_us}\nuser_usec {cpu_us}\nsystem_usec 0\n")
                if part:
                    (folder / "cgroup.type").write_text("domain\n")
                    (folder / "memory.current").write_text(memory_bytes)


def memory_folder() -> tempfile.TemporaryDirectory[str]:
    """A temporary folder that is no disk, where there is one: property tests make thousands of files."""
    return tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)


def ancestry(path: str) -> list[str]:
    """The paths from the root down: "/a/b" gives "", "/a" and "/a/b"."""
    parts = [part for part in path.split("/") if part]
    return ["".join(f"/{part}" for part in parts[:count]) for count in range(len(parts) + 1)]


def cpu(seen: Observation) -> dict[str, int]:
    """CPU time in µs by workload key."""
    return weights(seen.cpu)


def dram(seen: Observation) -> dict[str, int]:
    """Bytes by workload key."""
    return weights(seen.dram)


def weights(shares: tuple[Share, ...]) -> dict[str, int]:
    found = {share.workload.key: share.weight for share in shares}
    assert len(found) == len(shares), "one share per workload"
    return found
