"""The node's own totals: CPU time of everything, CPUs, memory."""

from __future__ import annotations

from tracker.sysfs import HeldFile, Roots, read_text
from tracker.workloads.counters import count_cpus, parse_meminfo, parse_proc_stat


class NodeTotals:
    """Totals of the whole machine. Nothing raises; what cannot be read is None."""

    def __init__(self, roots: Roots) -> None:
        self._online = roots.sysfs / "devices" / "system" / "cpu" / "online"
        self._stat = HeldFile(roots.procfs / "stat")
        self._meminfo = HeldFile(roots.procfs / "meminfo")
        self._busy_us: int | None = None
        self.cpus = 0

    def count_cpus(self) -> None:
        """Count the online CPUs again."""
        try:
            self.cpus = count_cpus(read_text(self._online))
        except (OSError, ValueError):
            return  # the last known count stays

    def busy(self) -> int | None:
        """CPU time in µs since the previous call, from ``/proc/stat``. The kernel counts every interrupt of every CPU
        to answer (proc_stat(5)), which takes ms on a large machine: ask only where the root cgroup does not tell."""
        try:
            now_us = parse_proc_stat(self._stat.read())
        except (OSError, ValueError):
            return None
        before_us, self._busy_us = self._busy_us, now_us
        return None if before_us is None or now_us < before_us else now_us - before_us

    def memory(self) -> tuple[int, int] | None:
        """(total, free) bytes."""
        try:
            return parse_meminfo(self._meminfo.read())
        except (OSError, ValueError):
            return None

    def close(self) -> None:
        """Close the files."""
        self._stat.close()
        self._meminfo.close()
