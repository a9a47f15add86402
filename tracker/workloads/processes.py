"""Whose a process on a GPU is: pid -> cgroup -> identity.

The driver names processes by pid, and a pid alone is not enough:

- it may have exited since the driver looked: its last known owner stays;
- it may have been reused: a process is a pid and its start time (field 22 of ``/proc/PID/stat``, proc_pid_stat(5));
- it may be the number inside the container's PID namespace (drivers since about 560 do that in some calls). Then
  ``NSpid`` in ``/proc/*/status`` (proc_pid_status(5)) translates it, if exactly one process fits.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tracker.core.model import Kind
from tracker.core.units import NS_PER_S
from tracker.workloads.interface import Identity
from tracker.workloads.paths import RELATIVE, identify_process

RECHECK_NS = 60 * NS_PER_S  # a process may be moved to another cgroup
FORGET_NS = 60 * NS_PER_S
SCAN_EVERY_NS = 10 * NS_PER_S
SCAN_SELDOM_NS = 320 * NS_PER_S  # while the last scans found nothing new
MAX_PROCESSES = 8192
MAX_DESCRIPTORS = 2048
MAX_HOPELESS = 1024
_DEVICES = ("/dev/nvidia", "/dev/kfd", "/dev/dri/", "/dev/dxg")


@dataclass(slots=True)
class _Known:
    host_pid: int
    start: int
    identity: Identity
    read_ns: int
    used_ns: int


class Owners:
    """The owners of GPU processes. Never raises."""

    def __init__(self, procfs: Path, *, namespaced: bool) -> None:
        self._procfs = str(procfs)
        self._namespaced = namespaced  # then "/" is our own container, not the node
        self._known: dict[int, _Known] = {}
        self._hosts: dict[int, list[int]] = {}  # pid in a namespace -> pids here
        self._scanned_ns: int | None = None
        self._pause_ns = SCAN_EVERY_NS
        self._hopeless: set[int] = set()

    @property
    def translated(self) -> int:
        """Known processes that the driver named by their pid in a namespace."""
        return sum(1 for pid, known in self._known.items() if known.host_pid != pid)

    def owners(self, pids: Iterable[int], mono_ns: int) -> dict[int, Identity]:
        """The identity of every process that could be joined."""
        found = {}
        for pid in pids:
            identity = self._owner(pid, mono_ns)
            if identity is not None and identity.kind is not Kind.UNATTRIBUTED:
                found[pid] = identity
        for pid in [pid for pid, known in self._known.items() if mono_ns - known.used_ns > FORGET_NS]:
            del self._known[pid]
        return found

    def host_pid(self, pid: int) -> int:
        """The pid here of a process that ``owners`` has joined: a driver may name it by its pid in a container."""
        known = self._known.get(pid)
        return pid if known is None else known.host_pid

    def _owner(self, pid: int, mono_ns: int) -> Identity | None:
        known = self._known.get(pid)
        if known is not None:
            known.used_ns = mono_ns
            start = self._start(known.host_pid)
            if start is None or (start == known.start and mono_ns - known.read_ns < RECHECK_NS):
                return known.identity
            if start == known.start:
                return self._reread(known, mono_ns)
        host_pid = self._host_pid(pid, mono_ns)
        start = self._start(host_pid)
        identity = self._identity(host_pid) if start is not None else None
        if start is None or identity is None:
            return known.identity if known is not None else None
        self._known[pid] = _Known(host_pid, start, identity, mono_ns, mono_ns)
        return identity

    def _reread(self, known: _Known, mono_ns: int) -> Identity:
        """It may have been moved since. A process that is exiting shows the root: that is no news."""
        known.read_ns = mono_ns
        identity = self._identity(known.host_pid)
        if identity is not None and identity.kind not in {Kind.SYSTEM, Kind.UNATTRIBUTED}:
            known.identity = identity
        return known.identity

    def _host_pid(self, pid: int, mono_ns: int) -> int:
        """The pid here that the driver means. A process here that has a GPU open is believed at once."""
        exists = self._start(pid) is not None
        if exists and self._uses_gpu(pid) is not False:
            return pid
        self._scan(pid, mono_ns)
        candidates = [(host, self._uses_gpu(host)) for host in self._hosts.get(pid, ())]
        sure = [host for host, uses in candidates if uses]
        if len(sure) == 1:
            return sure[0]
        possible = [host for host, uses in candidates if uses is not False]
        return possible[0] if not exists and len(possible) == 1 else pid

    def _scan(self, pid: int, mono_ns: int) -> None:
        """Learn the pids of all namespaces again, unless that was just done. It costs some ms on a full node, so it
        pauses longer and longer while it helps nobody."""
        if pid not in self._hopeless:
            self._pause_ns = SCAN_EVERY_NS
        if self._scanned_ns is not None and mono_ns - self._scanned_ns < self._pause_ns:
            return
        self._scanned_ns = mono_ns
        self._hosts = {}
        for host in self._pids():
            for inner in parse_nspid(_read(f"{self._procfs}/{host}/status") or "")[1:]:
                self._hosts.setdefault(inner, []).append(host)
        if pid in self._hosts:
            self._hopeless.discard(pid)
            return
        if len(self._hopeless) >= MAX_HOPELESS:
            self._hopeless.clear()
        self._hopeless.add(pid)
        self._pause_ns = min(2 * self._pause_ns, SCAN_SELDOM_NS)

    def _pids(self) -> list[int]:
        try:
            return [int(name) for name in os.listdir(self._procfs) if name.isdecimal()][:MAX_PROCESSES]  # noqa: PTH208 - names
        except OSError:
            return []

    def _start(self, pid: int) -> int | None:
        text = _read(f"{self._procfs}/{pid}/stat")
        return None if text is None else parse_start(text)

    def _identity(self, pid: int) -> Identity | None:
        text = _read(f"{self._procfs}/{pid}/cgroup")
        if text is None:
            return None
        identity = identify_process(text)
        return RELATIVE if self._namespaced and identity.kind is Kind.SYSTEM else identity

    def _uses_gpu(self, pid: int) -> bool | None:
        """Whether a process has a GPU open. None: not permitted to know (that takes CAP_SYS_PTRACE)."""
        folder = f"{self._procfs}/{pid}/fd"
        try:
            for name in os.listdir(folder)[:MAX_DESCRIPTORS]:  # noqa: PTH208 - names
                try:
                    if os.readlink(f"{folder}/{name}").startswith(_DEVICES):  # noqa: PTH115 - many
                        return True
                except FileNotFoundError:
                    continue
        except OSError:
            return None
        return False


def parse_start(text: str) -> int | None:
    """Start time in clock ticks after boot from ``/proc/PID/stat``. The name before it may contain ``) (``."""
    fields = text.rpartition(")")[2].split()
    try:
        return int(fields[19])
    except (IndexError, ValueError):
        return None


def parse_nspid(text: str) -> list[int]:
    """The pids of a process from ``/proc/PID/status``: here first, in its own namespace last."""
    for line in text.splitlines():
        if line.startswith("NSpid:"):
            return [int(field) for field in line.split()[1:] if field.isdecimal()]
    return []


def _read(path: str) -> str | None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.fsdecode(os.read(fd, 1 << 16))
    except OSError:  # ESRCH: it exited in between
        return None
    finally:
        os.close(fd)
