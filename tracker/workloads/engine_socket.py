"""One GET over a container engine's unix socket, with a deadline for the whole of it and a bound on the answer."""

from __future__ import annotations

import socket
import threading

PIECE = 1 << 16


class EngineFailed(Exception):
    """There is no answer; one clause says why."""


def get(path: str, target: str, deadline_s: float, max_bytes: int) -> bytes:
    """The body of a 200. Raises EngineFailed.

    A timeout of the socket would begin anew with every byte; so the socket is shut when the time is over.
    """
    from http.client import HTTPConnection, HTTPException  # noqa: PLC0415 - only where a socket is named

    connection = HTTPConnection("localhost")
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    peer.settimeout(deadline_s)
    late = threading.Event()
    timer = threading.Timer(deadline_s, _shut, (peer, late))
    timer.daemon = True
    try:
        peer.connect(path)
        timer.start()
        connection.sock = peer
        connection.request("GET", target, headers={"Accept": "application/json", "Connection": "close"})
        answer = connection.getresponse()
        if answer.status != 200:  # noqa: PLR2004 - OK
            raise EngineFailed(f"it answers {answer.status} {answer.reason}")
        parts: list[bytes] = []
        size = 0
        while part := answer.read(PIECE):
            parts.append(part)
            size += len(part)
            if size > max_bytes:
                raise EngineFailed(f"its answer is longer than {max_bytes} bytes")
    except (OSError, HTTPException, ValueError) as error:
        raise EngineFailed(_reason(error, deadline_s, late=late.is_set())) from error
    else:
        if late.is_set():
            raise EngineFailed(_reason(None, deadline_s, late=True))
        return b"".join(parts)
    finally:
        timer.cancel()
        connection.close()
        peer.close()


def _reason(error: Exception | None, deadline_s: float, *, late: bool) -> str:
    if late or isinstance(error, TimeoutError):
        return f"no answer within {deadline_s:g} s"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"no HTTP answer ({type(error).__name__})"


def _shut(peer: socket.socket, late: threading.Event) -> None:
    late.set()
    try:
        peer.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
