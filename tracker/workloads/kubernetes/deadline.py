"""One deadline for a whole exchange, however many reads it takes. A peer that sends a byte a second is late too."""

from __future__ import annotations

import io
import socket
from typing import Protocol

from tracker.core.units import NS_PER_S
from tracker.workloads.learner import Clock


class Deadline:
    """An instant of the monotonic clock."""

    def __init__(self, clock: Clock, after_s: float) -> None:
        self._clock = clock
        self._end_ns = clock().mono_ns + round(after_s * NS_PER_S)

    def left_s(self) -> float:
        """What is left, above 0. Raises TimeoutError when nothing is."""
        left_ns = self._end_ns - self._clock().mono_ns
        if left_ns <= 0:
            raise TimeoutError("the deadline has passed")
        return left_ns / NS_PER_S


class Peer(Protocol):
    """What is used of a socket, plain or with TLS."""

    def settimeout(self, value: float | None, /) -> None: ...
    def sendall(self, data: bytes, /) -> None: ...
    def recv_into(self, buffer: memoryview, /) -> int: ...
    def close(self) -> None: ...


class TimedSocket:
    """A connected socket whose every call ends by the deadline. ``http.client`` takes it for a socket: it may close it
    while it still reads from the file, as it may with a real one."""

    def __init__(self, peer: Peer, deadline: Deadline) -> None:
        self._peer, self._deadline = peer, deadline
        self._reader: _Reads | None = None

    def sendall(self, data: bytes) -> None:
        """Raises OSError; TimeoutError is one."""
        self._peer.settimeout(self._deadline.left_s())
        self._peer.sendall(data)

    def makefile(self, mode: str = "rb") -> io.BufferedReader:
        """A buffered reader whose reads end by the deadline too; asked for once. Closing it closes the connection."""
        assert mode == "rb"  # all that http.client asks for
        self._reader = _Reads(self._peer, self._deadline)
        return io.BufferedReader(self._reader)

    def close(self) -> None:
        """Close the connection, unless it is still read: then its reader does. May be called twice."""
        if self._reader is None or self._reader.closed:
            self._peer.close()


class _Reads(io.RawIOBase):
    def __init__(self, peer: Peer, deadline: Deadline) -> None:
        super().__init__()
        self._peer, self._deadline = peer, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # BufferedReader always gives one
        self._peer.settimeout(self._deadline.left_s())
        return self._peer.recv_into(buffer)

    def close(self) -> None:
        super().close()
        self._peer.close()


def connect_unix(path: str, deadline: Deadline) -> TimedSocket:
    """Connect to a unix socket. Raises OSError."""
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        peer.settimeout(deadline.left_s())
        peer.connect(path)
    except BaseException:
        peer.close()
        raise
    return TimedSocket(peer, deadline)
