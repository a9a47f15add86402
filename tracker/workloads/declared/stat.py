"""One process, as ``/proc/PID/stat`` shows it (proc_pid_stat(5))."""

from __future__ import annotations

import os
from dataclasses import dataclass

from tracker.core.units import NS_PER_S, US_PER_S

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGESIZE")
#: Length of a clock tick: the kernel gives times and starts no finer.
TICK_NS = NS_PER_S // _TICKS_PER_S


@dataclass(slots=True)  # not frozen: one is made of every process at every tick
class Stat:
    """``start``: clock ticks after boot, with the pid the identity of a process. ``reaped_us``: CPU time of children
    that have ended and were waited for, and of theirs."""

    parent: int
    start: int
    own_us: int
    reaped_us: int
    rss_bytes: int

    @property
    def start_ns(self) -> int:
        """On the boot clock."""
        return self.start * TICK_NS


def parse_stat(text: bytes) -> Stat | None:
    """None: it is no such line. The name in it may contain ``) (``."""
    fields = text.rpartition(b")")[2].split()
    try:
        return Stat(
            parent=int(fields[1]),
            start=int(fields[19]),
            own_us=(int(fields[11]) + int(fields[12])) * US_PER_S // _TICKS_PER_S,
            reaped_us=(int(fields[13]) + int(fields[14])) * US_PER_S // _TICKS_PER_S,
            rss_bytes=int(fields[21]) * _PAGE_BYTES,
        )
    except (IndexError, ValueError):
        return None


def read_stat(procfs: str, pid: int) -> Stat | None:
    """None: there is no such process. A process that has exited and waits for its parent still shows its times."""
    try:
        fd = os.open(f"{procfs}/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return parse_stat(os.read(fd, 4096))
    except OSError:  # ESRCH: it exited in between
        return None
    finally:
        os.close(fd)
