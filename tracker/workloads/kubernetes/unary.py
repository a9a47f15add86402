"""One gRPC call over a unix socket: a connection, a request, an answer, closed.

gRPC is HTTP/2 with a five-byte head before each message (grpc.io, "gRPC over HTTP2"). The kubelet's socket is plain,
the request is empty and the answer small, so what is needed of HTTP/2 (RFC 9113) is short: announce a window that the
whole answer fits into, send one request, gather one answer. A new connection for every call cannot be stale, whatever
happened to the kubelet since the last one.

Why not the grpcio library: measured in this daemon (grpcio 1.85, x86-64) it takes 17 MB of memory, half of what the
daemon may have altogether, 2.6 MB more for generated messages, seven threads, and six times the CPU time for the same
calls. ``unary_grpcio.py`` makes the same call with it. This one was tried against grpc-go, which the kubelet uses, and
the tests run both against the library's server.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

from tracker.workloads.kubernetes.deadline import Deadline, TimedSocket, connect_unix
from tracker.workloads.kubernetes.hpack import encode, grpc_status
from tracker.workloads.kubernetes.trouble import PRIVILEGE, Trouble

#: (path, method, deadline, max_bytes) -> the answer's message
Call = Callable[[str, str, Deadline, int], bytes]

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
# Flags: ACK and END_STREAM are the same bit in different frames.
_ACK = _END_STREAM = 0x1
_END_HEADERS, _PADDED, _PRIORITY = 0x4, 0x8, 0x20
# Settings
_HEADER_TABLE_SIZE, _ENABLE_PUSH, _INITIAL_WINDOW_SIZE = 1, 2, 4
_MAX_FRAME_BYTES = 16384  # what a peer may send unless told otherwise
_DEFAULT_WINDOW_BYTES = 65535
_MAX_HEADER_BYTES = 65536
_STREAM = 1  # the first one that a client opens

#: Names of the status codes that a kubelet answers with (grpc.io, "Status codes and their use").
_STATUS = {4: "deadline exceeded", 7: "permission denied", 8: "too many calls", 12: "no such method", 13: "internal"}


def call(path: str, method: str, deadline: Deadline, max_bytes: int) -> bytes:
    """Call ``method`` ("/package.Service/Method") with an empty message and return the answer's bytes.

    Raises Trouble: the socket is absent or refuses, the answer is an error, is longer than ``max_bytes``, is late or
    is no gRPC.
    """
    try:
        connection = connect_unix(path, deadline)
    except FileNotFoundError as error:
        raise Trouble("absent", f"There is no socket at {path}.") from error
    except PermissionError as error:
        raise Trouble("denied", f"The socket {path} may not be opened.", PRIVILEGE) from error
    except OSError as error:
        raise Trouble("failed", f"Nobody answers at {path} ({error}).") from error
    try:
        return _exchange(connection, method, max_bytes)
    except ValueError as error:
        raise Trouble("garbage", f"The answer at {path} is no gRPC ({error}).") from error
    except TimeoutError as error:
        raise Trouble("failed", f"The answer at {path} did not come in time.") from error
    except OSError as error:
        raise Trouble("failed", f"The connection to {path} broke ({error}).") from error
    finally:
        connection.close()


def _exchange(connection: TimedSocket, method: str, max_bytes: int) -> bytes:
    connection.sendall(_request(method, max_bytes))
    answer = _Answer(max_bytes)
    with connection.makefile() as stream:
        while not answer.ended:
            frame = _read_frame(stream)
            reply = answer.take(frame)
            if reply:
                connection.sendall(reply)
    return answer.message()


def _request(method: str, max_bytes: int) -> bytes:
    window_bytes = max_bytes + _DEFAULT_WINDOW_BYTES
    settings = {_HEADER_TABLE_SIZE: 0, _ENABLE_PUSH: 0, _INITIAL_WINDOW_SIZE: window_bytes}
    headers = encode(
        [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", method),
            (":authority", "localhost"),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            ("user-agent", "wattledger"),
        ]
    )
    return b"".join(
        (
            _PREFACE,
            _frame(
                _Kind.SETTINGS, 0, 0, b"".join(k.to_bytes(2, "big") + v.to_bytes(4, "big") for k, v in settings.items())
            ),
            _frame(_Kind.WINDOW_UPDATE, 0, 0, max_bytes.to_bytes(4, "big")),
            _frame(_Kind.HEADERS, _END_HEADERS, _STREAM, headers),
            _frame(_Kind.DATA, _END_STREAM, _STREAM, bytes(5)),  # not compressed, length 0
        )
    )


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


class _Kind:
    """Frame types (RFC 9113, 6) that mean something here; a receiver ignores all others."""

    DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9


@dataclass(frozen=True, slots=True)
class _Frame:
    kind: int
    flags: int
    stream: int
    payload: bytes


def _read_frame(stream: io.BufferedReader) -> _Frame:
    """Raises OSError, and ValueError on what is no frame."""
    head = _read(stream, 9)
    length = int.from_bytes(head[:3], "big")
    if length > _MAX_FRAME_BYTES:
        raise ValueError(f"a frame of {length} bytes")
    return _Frame(head[3], head[4], int.from_bytes(head[5:], "big") & 0x7FFFFFFF, _read(stream, length))


def _read(stream: io.BufferedReader, count: int) -> bytes:
    content = stream.read(count)
    if len(content) < count:
        raise ConnectionResetError("closed by the peer")
    return content


class _Answer:
    """What has come so far on the one stream."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._data = bytearray()
        self._block = bytearray()
        self._block_ends_stream = False
        self._status: int | None = None
        self.ended = False

    def take(self, frame: _Frame) -> bytes:
        """Account for a frame. Returns what must be sent in reply. Raises ValueError, ConnectionError, Trouble."""
        match frame.kind:
            case _Kind.SETTINGS if not frame.flags & _ACK:
                return _frame(_Kind.SETTINGS, _ACK, 0, b"")
            case _Kind.PING if not frame.flags & _ACK:
                return _frame(_Kind.PING, _ACK, 0, frame.payload)
            case _Kind.GOAWAY:  # streams up to the named one are still served
                if int.from_bytes(frame.payload[:4], "big") & 0x7FFFFFFF < _STREAM:
                    raise ConnectionResetError("the peer goes away")
            case _ if frame.stream == _STREAM:
                self._take_own(frame)
            case _:
                pass
        return b""

    def _take_own(self, frame: _Frame) -> None:
        match frame.kind:
            case _Kind.DATA:
                self._data += _content(frame)
                if len(self._data) > self._max_bytes:
                    raise Trouble("garbage", f"The answer is longer than {self._max_bytes} bytes.")
                self.ended = bool(frame.flags & _END_STREAM)
            case _Kind.RST_STREAM:
                raise ConnectionResetError(f"the peer gave up, code {int.from_bytes(frame.payload[:4], 'big')}")
            case _Kind.HEADERS:
                self._block_ends_stream = bool(frame.flags & _END_STREAM)
                self._take_headers(_content(frame), ends=bool(frame.flags & _END_HEADERS))
            case _Kind.CONTINUATION:
                self._take_headers(frame.payload, ends=bool(frame.flags & _END_HEADERS))
            case _:
                pass

    def _take_headers(self, fragment: bytes, *, ends: bool) -> None:
        self._block += fragment
        if len(self._block) > _MAX_HEADER_BYTES:
            raise ValueError("endless headers")
        if ends:
            status = grpc_status(bytes(self._block))
            self._status = self._status if status is None else status
            self._block.clear()
            self.ended = self._block_ends_stream

    def message(self) -> bytes:
        """The one message of the answer."""
        if self._status not in {0, None}:
            name = _STATUS.get(self._status or 0, "an error")
            raise Trouble("failed", f"The call was refused: {name} (gRPC status {self._status}).")
        if len(self._data) < 5 or self._data[0] != 0:  # noqa: PLR2004 - the head of a message
            raise ValueError("no message")
        if int.from_bytes(self._data[1:5], "big") != len(self._data) - 5:
            raise ValueError("a message of another length than it says")
        return bytes(self._data[5:])


def _content(frame: _Frame) -> bytes:
    """The payload of DATA or HEADERS without padding and priority (RFC 9113, 6.1 and 6.2)."""
    payload, start, end = frame.payload, 0, len(frame.payload)
    if frame.flags & _PADDED:
        if not payload:
            raise ValueError("padding without a length")
        start, end = 1, end - payload[0]
    if frame.kind == _Kind.HEADERS and frame.flags & _PRIORITY:
        start += 5
    if start > end:
        raise ValueError("more padding than payload")
    return payload[start:end]
