"""One connection: handshake, one request, one answer, each within a total deadline, then closed.

The deadlines are totals, not pauses between bytes: a client that sends one byte a second is cut off all the same.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus

from tracker.web.http1 import Refused, end_of_head, pack, parse_head, render_head
from tracker.web.interface import OnError, Request, Response, Route
from tracker.web.security import Gate, Security

_TLS_HANDSHAKE = b"\x16"  # the first byte of a TLS record that carries a ClientHello (RFC 8446 §5.1)
_CHUNK_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Limits:
    """What a client may cost."""

    connections: int = 16
    head_bytes: int = 16_384
    read_s: float = 5.0  # handshake and request together
    write_s: float = 30.0
    fair_read_s: float = 0.25  # with all slots taken: a silent client gives way after this long,
    fair_write_s: float = 2.0  # and one that does not take its answer after this
    linger_s: float = 1.0  # how long a refused client may go on sending before its socket is closed
    close_s: float = 1.5  # how long answers in progress may hold up the end of the server


class Phase(Enum):
    """What the connection waits for."""

    READING = auto()  # the client's request
    WORKING = auto()  # our route
    WRITING = auto()  # the client's taking of the answer


class Connection:
    """A client. ``serve`` runs in a worker thread; ``drop`` may be called from any other."""

    def __init__(
        self, sock: socket.socket, limits: Limits, gate: Gate, routes: Mapping[str, Route], log: OnError
    ) -> None:
        self._sock = sock
        self._limits = limits
        self._gate = gate
        self._routes = routes
        self._log = log
        self._lock = threading.Lock()  # between the swap or close of the socket and a drop
        self._dropped = False
        self.phase = Phase.READING
        self.since_s = time.monotonic()  # when the phase began

    def serve(self) -> None:
        """Read, answer, close. Never raises: what a client does wrong is its own affair."""
        try:
            security = self._gate()
            method, response = self._respond(security)
            self._write(response, security.headers, with_body=method != "HEAD")
            self._part()
            if response.status >= HTTPStatus.BAD_REQUEST or self._has_unread():
                self._linger()
        except OSError:  # timeouts, resets and TLS errors among them
            pass
        except Exception as error:  # noqa: BLE001 - a worker must survive; the operator is told
            self._log("connection", error)
        finally:
            with self._lock, contextlib.suppress(OSError):
                self._sock.close()

    def drop(self) -> None:
        """Break it off: the worker's pending call returns at once. May be called twice."""
        with self._lock:
            self._dropped = True
            with contextlib.suppress(OSError):
                # Not SSLSocket.shutdown, which takes the TLS state away under the worker's feet.
                socket.socket.shutdown(self._sock, socket.SHUT_RDWR)

    def overdue(self, now_s: float) -> bool:
        """Whether the client has kept us waiting longer than is fair while others queue. What it has sent and we have
        not read yet is our delay, not its own."""
        waited_s = now_s - self.since_s
        if self._dropped or self.phase is Phase.WORKING:
            return False
        if self.phase is Phase.WRITING:
            return waited_s > self._limits.fair_write_s
        return waited_s > self._limits.fair_read_s and not self._has_unread()

    def _has_unread(self) -> bool:
        with self._lock:
            if self._sock.fileno() < 0:
                return True
            poll = select.poll()
            poll.register(self._sock, select.POLLIN)
            return bool(poll.poll(0))

    def _respond(self, security: Security) -> tuple[str, Response]:
        method = "GET"
        try:
            deadline_s = time.monotonic() + self._limits.read_s
            self._secure(security, deadline_s)
            head = self._read_head(deadline_s)
            self._enter(Phase.WORKING)
            method, request = parse_head(head)
            security.check(request, time.monotonic())
            return method, self._route(request)
        except Refused as refused:
            return method, refused.response

    def _route(self, request: Request) -> Response:
        route = self._routes.get(request.path)
        if route is None:
            known = ", ".join(self._routes)
            raise Refused(HTTPStatus.NOT_FOUND, f"There is nothing at {request.path[:200]}. Known here: {known}")
        try:
            return pack(route(request), request.headers)
        except Exception as error:  # a traceback is for the log, a sentence for the client
            self._log(request.path, error)
            sentence = f"{request.path} could not be made; the log of wattledger says why."
            raise Refused(HTTPStatus.INTERNAL_SERVER_ERROR, sentence) from error

    def _secure(self, security: Security, deadline_s: float) -> None:
        """TLS handshake and client certificate, where the rules ask for them."""
        if security.context is None:
            return
        self._sock.settimeout(_left(deadline_s))
        first = self._sock.recv(1, socket.MSG_PEEK)
        if first and first != _TLS_HANDSHAKE:
            raise Refused(HTTPStatus.BAD_REQUEST, "This server speaks HTTPS: write https:// before its address.")
        with self._lock:
            wrapped = security.context.wrap_socket(self._sock, server_side=True, do_handshake_on_connect=False)
            self._sock = wrapped
        wrapped.settimeout(_left(deadline_s))
        wrapped.do_handshake()
        if security.allowed_sans and not security.allowed_sans & names_of(wrapped):
            raise Refused(HTTPStatus.FORBIDDEN, "The client certificate carries none of the allowed names.")

    def _read_head(self, deadline_s: float) -> bytes:
        """The request up to its empty line. Raises Refused when too long, OSError when late or broken off."""
        data = bytearray()
        end = -1
        while end < 0:
            if len(data) > self._limits.head_bytes:
                sentence = f"The request headers are longer than {self._limits.head_bytes} bytes."
                raise Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, sentence)
            self._sock.settimeout(_left(deadline_s))
            more = self._sock.recv(self._limits.head_bytes + 1 - len(data))
            if not more:
                raise ConnectionResetError
            seen = len(data)
            data += more
            end = end_of_head(data, seen)
        return bytes(data[:end])

    def _write(self, response: Response, extra: Mapping[str, str], *, with_body: bool) -> None:
        self._enter(Phase.WRITING)
        date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
        rest = memoryview(render_head(response, date, extra) + (response.body if with_body else b""))
        deadline_s = time.monotonic() + self._limits.write_s
        while rest:
            self._sock.settimeout(_left(deadline_s))
            rest = rest[self._sock.send(rest[:_CHUNK_BYTES]) :]

    def _part(self) -> None:
        """End a TLS session as it should be (RFC 8446 §6.1: close_notify), without waiting for the client's."""
        if isinstance(self._sock, ssl.SSLSocket):
            self._sock.settimeout(0)
            with contextlib.suppress(OSError):
                self._sock.unwrap()

    def _linger(self) -> None:
        """Take what the client is still sending: a refused one, or one that did not stop after its request.

        Closing on unread bytes would reset the connection and could destroy the answer before the client reads it
        (RFC 9112 §9.6). Read below TLS: nobody wants these bytes."""
        self._enter(Phase.READING)
        deadline_s = time.monotonic() + self._limits.linger_s
        socket.socket.shutdown(self._sock, socket.SHUT_WR)
        while True:
            self._sock.settimeout(_left(deadline_s))
            if not socket.socket.recv(self._sock, _CHUNK_BYTES):
                return

    def _enter(self, phase: Phase) -> None:
        self.since_s = time.monotonic()
        self.phase = phase


def names_of(sock: ssl.SSLSocket) -> frozenset[str]:
    """The names a client certificate carries: DNS, IP, e-mail and URI subject alternative names."""
    certificate = sock.getpeercert() or {}
    pairs: tuple[tuple[str, str], ...] = certificate.get("subjectAltName", ())  # type: ignore[assignment] # typeshed is wider
    return frozenset(_plain_ip(value) if kind == "IP Address" else value for kind, value in pairs)


def _plain_ip(text: str) -> str:
    """OpenSSL prints IPv6 with all its zeros; the file is written in the short form."""
    import ipaddress  # noqa: PLC0415 - needed only where client certificates carry addresses

    try:
        return str(ipaddress.ip_address(text.strip()))
    except ValueError:
        return text


def _left(deadline_s: float) -> float:
    left_s = deadline_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s
