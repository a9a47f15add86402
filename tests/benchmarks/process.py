"""What a process costs, by the kernel's own accounts."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_CPUCLOCK_SCHED = 2  # include/linux/posix-timers_types.h


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU time since its start, ended children included, and the highest resident size so far."""

    cpu_s: float
    peak_rss_mib: float


def usage(pid: int) -> Usage:
    """Raises OSError when there is no such process."""
    return Usage(own_cpu_s(pid) + children_cpu_s(pid), peak_rss_mib(pid))


def own_cpu_s(pid: int) -> float:
    """User and system time of all its threads, ended ones included.

    The same sum is in ``/proc/PID/stat``, but in steps of 10 ms, a fifth of what the daemon may use in a minute; the
    process's CPU clock (clock_getcpuclockid(3)) counts ns.
    """
    return time.clock_gettime_ns((~pid << 3) | _CPUCLOCK_SCHED) / 1e9


def children_cpu_s(pid: int) -> float:
    """The same of children that ended and were waited for (proc_pid_stat(5), fields 16 and 17)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / _TICKS_PER_S


def peak_rss_mib(pid: int) -> float:
    """VmHWM (proc_pid_status(5))."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise ProcessLookupError(pid)
