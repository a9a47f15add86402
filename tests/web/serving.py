"""A running server and a raw client for the tests of this folder."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from urllib.parse import urlsplit

from tracker.web.connection import Limits
from tracker.web.interface import Request, Response, Route
from tracker.web.server import Options, WebServer

TEXT = "text/plain; charset=utf-8"


@dataclass
class Log:
    """What the server reported."""

    lines: list[tuple[str, Exception]] = field(default_factory=list)

    def __call__(self, where: str, error: Exception) -> None:
        self.lines.append((where, error))


def hello(_: Request) -> Response:
    return Response(200, TEXT, b"hello\n")


@dataclass(frozen=True)
class Running:
    """A served address and what the server logged."""

    server: WebServer
    log: Log

    @property
    def place(self) -> tuple[str, int]:
        parts = urlsplit(self.server.url)
        assert parts.hostname is not None
        assert parts.port is not None
        return parts.hostname, parts.port

    def connect(self) -> socket.socket:
        return socket.create_connection(self.place, timeout=60)

    def get(
        self, path: str, headers: Mapping[str, str] | None = None, method: str = "GET"
    ) -> tuple[HTTPResponse, bytes]:
        """One request through the standard library's client."""
        connection = HTTPConnection(*self.place, timeout=60)
        try:
            connection.request(method, path, headers=dict(headers or {}))
            answer = connection.getresponse()
            return answer, answer.read()
        finally:
            connection.close()

    def say(self, data: bytes) -> bytes:
        """Send these bytes and return everything that comes back until the server closes."""
        with self.connect() as sock:
            sock.sendall(data)
            return read_all(sock)


def read_all(sock: socket.socket) -> bytes:
    """Everything until the other side closes or resets."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while more := sock.recv(65_536):
            data += more
    return data


@contextlib.contextmanager
def serving(
    routes: Mapping[str, Route] | None = None, limits: Limits | None = None, options: Options | None = None
) -> Iterator[Running]:
    """A server on a free port of the loopback interface."""
    log = Log()
    server = WebServer(options or Options(listen="127.0.0.1:0"), routes or {"/": hello}, log, limits)
    server.start()
    try:
        yield Running(server, log)
    finally:
        server.close()


def wait_for(condition: Callable[[], bool], what: str, within_s: float = 10.0) -> None:
    """Poll until the condition holds; fail with ``what`` when it does not come true in time."""
    deadline_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline_s, f"{what} did not happen within {within_s} s"
        time.sleep(0.01)
