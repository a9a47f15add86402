"""Where the socket lies, and how a daemon takes that place from one that crashed but never from one that lives."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

SYSTEM_SOCKET = Path("/run/wattledger/declare.sock")
NAME = "declare.sock"
BACKLOG = 1024  # clients that may come at once: a connection is never waited for, it is refused beyond this


def places(state_dir: Path, *, root: bool, wanted: Path | None = None) -> tuple[Path, ...]:
    """Where to listen, the first choice first. Clients look there too. A second daemon on a node finds the first place
    taken; its clients name the other one with WATTLEDGER_SOCKET."""
    if wanted is not None:
        return (wanted,)
    system = root or os.access(SYSTEM_SOCKET.parent, os.W_OK)  # a service without root: systemd's RuntimeDirectory=
    return (SYSTEM_SOCKET, state_dir / NAME) if system else (state_dir / NAME,)


def answers(path: Path) -> bool:
    """Whether a daemon listens there: the socket of one that was killed stays and answers nobody."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as peer:
        peer.setblocking(False)
        try:
            peer.connect(str(path))
        except BlockingIOError:  # it has no room for one more just now
            return True
        except (OSError, ValueError):
            return False
        return True


class Place:
    """A bound socket with its lock. ``path`` is where clients find it."""

    def __init__(self, path: Path) -> None:
        """Raises OSError: the place is taken, the folder cannot be written, the path is too long for a socket."""
        self.path = path
        _make_folder(path.parent)
        self._lock_path = Path(f"{path}.lock")
        self._lock_fd = _lock(self._lock_path)
        try:
            _clear(path)
            self.listener = _listen(path)
        except BaseException:
            os.close(self._lock_fd)
            raise

    def close(self) -> None:
        """Give the place up."""
        self.listener.close()
        for path in (self.path, self._lock_path):  # in a sticky folder the next daemon, of another user, could not
            with suppress(OSError):
                path.unlink()
        os.close(self._lock_fd)


def _lock(path: Path) -> int:
    """The descriptor of a lock that is ours alone. Raises OSError. One that a daemon removed at its end just now is no
    lock any more."""
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(fd), path.stat()):
                    return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _make_folder(folder: Path) -> None:
    """One that clients can enter, whatever the umask says. A folder that is there is left as it is."""
    if not folder.exists():
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)


def _clear(path: Path) -> None:
    """Remove the socket of a daemon that was killed: nobody holds its lock. Anything else there is somebody's file."""
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise OSError(errno.EEXIST, "there is a file that is no socket")
        path.unlink()


def _listen(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        listener.bind(str(path))
        path.chmod(0o666)  # anybody may connect; whom they may declare, the kernel's word on who they are decides
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


def take(candidates: Sequence[Path]) -> tuple[Place | None, str]:
    """The first place that can be had; None and why each could not."""
    reasons: list[str] = []
    for path in candidates:
        try:
            return Place(path), "; ".join(reasons)
        except (OSError, ValueError) as error:  # ValueError: a path with a zero byte
            reasons.append(f"{path}: {getattr(error, 'strerror', None) or error}")
    return None, "; ".join(reasons)
