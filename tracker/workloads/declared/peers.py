"""Who is at the other end of a unix socket. The kernel says it (SO_PEERCRED, unix(7)); what a client says counts for
nothing.

The pid it gives is the one in our PID namespace, 0 if the process is not visible from here. Where the processes that
we read are another namespace's (the host's ``/proc`` in a container), the number there is asked for through a pidfd:
its ``fdinfo`` shows the pid as that ``/proc`` counts (pidfd_open(2), fs/pidfs.c).
"""

from __future__ import annotations

import os
import socket
import struct
from contextlib import suppress
from pathlib import Path

from tracker.sysfs import read_text
from tracker.workloads.declared.declaration import Peer, Refused
from tracker.workloads.declared.stat import read_stat
from tracker.workloads.processes import parse_nspid

_UCRED = struct.Struct("3i")  # pid, uid, gid


class Peers:
    """Looks at processes in one ``/proc``."""

    def __init__(self, procfs: Path) -> None:
        self._procfs = str(procfs)
        self._foreign = is_foreign(self._procfs)

    def of(self, client: socket.socket) -> Peer:
        """The process that connected. Raises Refused."""
        pid, uid, _ = _UCRED.unpack(client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
        if pid > 0 and self._foreign:
            pid = translate(self._procfs, pid)
        if pid <= 0:
            raise Refused("The daemon cannot see this process: it needs the host's PID namespace (hostPID: true).")
        stat = read_stat(self._procfs, pid)  # a short process may be gone before its words are read
        return Peer(pid, uid, 0 if stat is None else stat.start)

    def other(self, peer: Peer, pid: int) -> Peer:
        """Another process, for which ``peer`` wants to declare: one of its own user's, unless it is root. Raises
        Refused."""
        if pid in {0, peer.pid}:
            return peer
        if len(parse_nspid(self._status(peer.pid))) > 1:
            raise Refused("From inside a PID namespace a process can only declare itself.")
        stat = read_stat(self._procfs, pid)
        if stat is None:
            raise Refused(f"The daemon sees no process {pid}.")
        if peer.uid != 0 and set(parse_uids(self._status(pid))) != {peer.uid}:
            raise Refused(f"Process {pid} is another user's.")
        return Peer(pid, peer.uid, stat.start)

    def _status(self, pid: int) -> str:
        try:
            return read_text(f"{self._procfs}/{pid}/status")
        except OSError as error:
            raise Refused(f"The daemon sees no process {pid}.") from error


def parse_uids(text: str) -> list[int]:
    """Real, effective, saved and file system uid from ``/proc/PID/status`` (proc_pid_status(5))."""
    for line in text.splitlines():
        if line.startswith("Uid:"):
            return [int(field) for field in line.split()[1:] if field.isdecimal()]
    return []


def is_foreign(procfs: str) -> bool:
    """Whether this ``/proc`` counts processes otherwise than this process does. A folder that is none does not say."""
    try:
        return os.readlink(f"{procfs}/self") != str(os.getpid())  # noqa: PTH115 - the text of the link
    except OSError:
        return False


def translate(procfs: str, pid: int) -> int:
    """The number of a process in another ``/proc``; 0: it is gone, or not in there."""
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return 0
    try:
        text = read_text(f"{procfs}/self/fdinfo/{fd}")
    except OSError:
        return 0
    finally:
        os.close(fd)
    return parse_fdinfo(text)


def parse_fdinfo(text: str) -> int:
    """The ``Pid:`` of a pidfd's fdinfo; 0 where it has none."""
    for line in text.splitlines():
        if line.startswith("Pid:"):
            with suppress(ValueError):
                return max(0, int(line.split()[1]))
    return 0
