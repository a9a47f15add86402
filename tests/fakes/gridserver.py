"""A grid data service on the loopback: documented answers by path, and every way to misbehave.

    with GridServer({"/co2eq": body}) as server:
        server.play("/co2eq", "503", "")      # the first request gets a 503, those after it the good answer
        server.play("/co2eq", "html")         # from now on
        provider = SomeProvider(Options(base_url=server.url), ask)
        assert server.requests[-1].query == {"country": "fr"}

Error pages repeat what the request carried, headers and query, as careless services do: a secret in a message of ours
is then found by a test.
"""

from __future__ import annotations

import functools
import gzip
import json
import os
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, unquote_plus, urlsplit

HTML = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Please sign in to the network.</body></html>"
#: Where the redirects of "redirect" lead: nobody may ask there (RFC 2606).
ELSEWHERE = "https://elsewhere.invalid/stolen"
MIB = 1 << 20
HUGE_MIB = 80
_PAUSE_S = 0.01


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came. Header names are in lower case."""

    method: str
    path: str  # without its query
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


#: A body, or what makes one of a request.
Reply = bytes | Callable[[Asked], bytes]


class GridServer:
    """``bodies`` (path without its query -> body) may be changed while it runs; a path that
    is not in it is 404. ``tls``: a server context; the
    address is then https."""

    def __init__(self, bodies: Mapping[str, Reply] | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.bodies: dict[str, Reply] = dict(bodies or {})
        self.requests: list[Asked] = []
        self.retry_after = ""  # of the answers 429 and 503
        self.stopping = threading.Event()
        self._faults: dict[str, list[str]] = {}
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.grid = self
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_PAUSE_S,), daemon=True)

    def play(self, path: str, *faults: str) -> None:
        """What the next requests of this path get, one each, and the last one for ever: "" is the good answer, a number
        is that status, everything else is a key of ``FAULTS``. Without any: good from now on. The path "*" is every
        path that has no faults of its own, known or not."""
        assert all(fault in FAULTS or fault.isdecimal() or not fault for fault in faults)
        self._faults[path] = list(faults)

    def asked(self, path: str) -> list[Asked]:
        """The requests of one path, in their order."""
        return [each for each in self.requests if each.path == path]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def next_fault(self, path: str) -> str:
        """What the next request of this path gets."""
        return next(iter(self._faults.get(path) or self._faults.get("*", [])), "")

    def take_fault(self, path: str) -> str:
        fault = self.next_fault(path)
        faults = self._faults.get(path) or self._faults.get("*", [])
        if len(faults) > 1:
            del faults[0]
        return fault


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    grid: GridServer

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that leave are what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 10
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        grid, address = self.server.grid, urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, address.path, dict(parse_qsl(address.query)), headers, body)
        grid.requests.append(asked)
        good, fault = grid.bodies.get(asked.path), grid.take_fault(asked.path)
        if fault.isdecimal() or good is None:
            self.refuse(int(fault or 404), asked)
        else:
            FAULTS[fault](self, good if isinstance(good, bytes) else good(asked))

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the base class gave it
        """Tests look at ``requests``."""

    def send(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, status: int, asked: Asked) -> None:
        """An error page that repeats the request."""
        echo = {"error": f"refused with {status}", "query": asked.query, "headers": asked.headers}
        wait = self.server.grid.retry_after if status in {429, 503} else ""
        headers = {"Content_Type": "application/json"} | ({"Retry_After": wait} if wait else {})
        self.send(json.dumps(echo | {"form": asked.body.decode("utf-8", "replace")}).encode(), status, **headers)

    def hang_up(self) -> None:
        self.close_connection = True


def _good(handler: _Handler, body: bytes) -> None:
    handler.send(body, Content_Type="application/json")


def _gzipped(handler: _Handler, body: bytes) -> None:
    handler.send(gzip.compress(body), Content_Encoding="gzip")


def _chunked(handler: _Handler, body: bytes) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for start in range(0, len(body), 100):
        piece = body[start : start + 100]
        handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
    handler.wfile.write(b"0\r\n\r\n")


def _html(handler: _Handler, body: bytes) -> None:
    handler.send(HTML, Content_Type="text/html")


def _truncated(handler: _Handler, body: bytes) -> None:
    handler.send(body[: len(body) // 2])


def _empty(handler: _Handler, body: bytes) -> None:
    handler.send(b"")


def _redirect(handler: _Handler, body: bytes) -> None:
    handler.send(b"", 302, Location=ELSEWHERE)


def _redirect_port(handler: _Handler, body: bytes) -> None:
    """To another port of the same host: another origin."""
    handler.send(b"", 307, Location="http://127.0.0.1:9/moved")


def _redirect_backslash(handler: _Handler, body: bytes) -> None:
    """For one parser the host is what stands before the backslash, for another what stands after it."""
    handler.send(b"", 302, Location=f"http://127.0.0.1:9\\@{handler.headers['Host']}/moved")


def _redirect_nowhere(handler: _Handler, body: bytes) -> None:
    handler.send(b"", 302, Location="http://[::1")


def _said(handler: _Handler) -> str:
    """Everything that came with the question, as it came and decoded."""
    return f"{handler.path} {unquote_plus(handler.path)} {' '.join(handler.headers.values())}"


def _echo_odd(handler: _Handler, body: bytes) -> None:
    """In other cases, and with entities for some characters."""
    said = _said(handler)
    words = f"{said.lower()} {said.swapcase()} {said.replace('-', '&#45;').replace('e', '&#x65;')}"
    handler.send(
        f"<Acknowledgement_MarketDocument xmlns='urn:a'><Reason><text>{words.replace('& ', '')}</text></Reason>"
        "</Acknowledgement_MarketDocument>".encode()
    )


def _echo_text(handler: _Handler, body: bytes) -> None:
    handler.send(f"unknown key: {_said(handler)}\n1,2\n".encode(), Content_Type="text/csv")


def _echo_json(handler: _Handler, body: bytes) -> None:
    said = _said(handler)
    handler.send(json.dumps({"message": said, "error": {"message": said}, said: [said]}).encode())


def _echo_document(handler: _Handler, body: bytes) -> None:
    text = escape(_said(handler))
    handler.send(
        f"<Acknowledgement_MarketDocument xmlns='urn:a'><Reason><text>{text}</text></Reason>"
        "</Acknowledgement_MarketDocument>".encode()
    )


def _redirect_loop(handler: _Handler, body: bytes) -> None:
    handler.send(b"", 301, Location=handler.path)


def _moved(handler: _Handler, body: bytes) -> None:
    """Within the same origin, to a path of the test's."""
    handler.send(b"", 308, Location="/moved?" + urlsplit(handler.path).query)


def _huge(handler: _Handler, body: bytes) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(HUGE_MIB * MIB))
    handler.end_headers()
    for _ in range(HUGE_MIB):
        handler.wfile.write(b" " * MIB)


def _bomb(handler: _Handler, body: bytes) -> None:
    """80 MiB of spaces in 80 KiB of gzip."""
    handler.send(_packed(), Content_Encoding="gzip")


@functools.cache
def _packed() -> bytes:
    return gzip.compress(b" " * (HUGE_MIB * MIB), 9)


def _bad_gzip(handler: _Handler, body: bytes) -> None:
    handler.send(b"not gzip at all", Content_Encoding="gzip")


def _odd_encoding(handler: _Handler, body: bytes) -> None:
    handler.send(body, Content_Encoding="br")


def _slow(handler: _Handler, body: bytes) -> None:
    """Slow-loris: the header at once, the body byte by byte, never to its end."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    _slow_header(handler, body)


def _slow_header(handler: _Handler, body: bytes) -> None:
    while not handler.server.grid.stopping.wait(_PAUSE_S):
        handler.wfile.write(b"H")
    handler.hang_up()


def _silent(handler: _Handler, body: bytes) -> None:
    handler.server.grid.stopping.wait(30)
    handler.hang_up()


def _reset(handler: _Handler, body: bytes) -> None:
    # Lingering for 0 s makes close() send RST (socket(7)).
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.hang_up()
    os.close(handler.connection.detach())


def _cut_off(handler: _Handler, body: bytes) -> None:
    """Closed in the middle of the body that was announced."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body[: len(body) // 2])
    handler.hang_up()


def _no_http(handler: _Handler, body: bytes) -> None:
    handler.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n")
    handler.hang_up()


FAULTS: Mapping[str, Callable[[_Handler, bytes], None]] = {
    "": _good,
    # odd and right
    "gzipped": _gzipped,
    "chunked": _chunked,
    "moved": _moved,
    # the body is not what it should be
    "html": _html,
    "truncated": _truncated,
    "empty": _empty,
    "huge": _huge,
    "bomb": _bomb,
    "bad gzip": _bad_gzip,
    "odd encoding": _odd_encoding,
    # elsewhere
    "redirect": _redirect,
    "redirect port": _redirect_port,
    "redirect backslash": _redirect_backslash,
    "redirect nowhere": _redirect_nowhere,
    "redirect loop": _redirect_loop,
    # 200, and in it what was sent
    "echo text": _echo_text,
    "echo json": _echo_json,
    "echo odd": _echo_odd,
    "echo document": _echo_document,
    # the connection
    "slow": _slow,
    "slow header": _slow_header,
    "silent": _silent,
    "reset": _reset,
    "cut off": _cut_off,
    "no http": _no_http,
}
