"""A container engine's API on a unix socket: documented answers of Docker and Podman, and every way to misbehave.

The answers have the fields of the Docker Engine API reference (v1.43, ContainerList); Podman's compatible endpoint
gives the same.
"""

from __future__ import annotations

import json
import socketserver
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self


def container(identifier: str, name: str = "/web", image: str = "nginx:1.25", **labels: str) -> dict[str, Any]:
    """One element of the list."""
    return {
        "Id": identifier,
        "Names": [name],
        "Image": image,
        "ImageID": "sha256:3f57d9401f8d42f986df300f0c69192fc41da28ccc8d797829467780db3dd741",
        "Command": "/docker-entrypoint.sh nginx",
        "Created": 1790000000,
        "Ports": [{"PrivatePort": 80, "Type": "tcp"}],
        "Labels": labels,
        "State": "running",
        "Status": "Up 3 minutes",
        "HostConfig": {"NetworkMode": "default"},
        "NetworkSettings": {"Networks": {"bridge": {"IPAddress": "172.17.0.2"}}},
        "Mounts": [],
    }


class Engine:
    """Use as a context manager. ``fault``: what the answer is instead of the list."""

    def __init__(self, path: Path, containers: Sequence[dict[str, Any]] = ()) -> None:
        self.path = path
        self.containers = list(containers)
        self.fault = ""
        self.requests: list[str] = []
        self.stopping = threading.Event()
        engine = self

        class Handler(socketserver.StreamRequestHandler):
            timeout = 10

            def handle(self) -> None:
                engine.requests.append(self.rfile.readline().decode().strip())
                while self.rfile.readline().strip():
                    pass
                engine._answer(self)

        class Server(socketserver.ThreadingUnixStreamServer):
            daemon_threads = True
            block_on_close = False

        self._server = Server(str(path), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

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
        self.path.unlink(missing_ok=True)

    def _answer(self, handler: socketserver.StreamRequestHandler) -> None:
        body = json.dumps(self.containers).encode()
        write = handler.wfile.write
        try:
            if self.fault in _ODD:
                _ODD[self.fault](self, write, body)
            elif self.fault[:3].isdecimal():
                self._send(handler, self.fault.encode(), b'{"message":"no"}')
            else:
                self._send(handler, b"200 OK", self.fault.encode() or body)
        except (BrokenPipeError, ConnectionResetError):
            return

    @staticmethod
    def _send(handler: socketserver.StreamRequestHandler, status: bytes, body: bytes) -> None:
        handler.wfile.write(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))


Write = Callable[[bytes], int]


def _hang(engine: Engine, write: Write, body: bytes) -> None:
    engine.stopping.wait(30)


def _drip(engine: Engine, write: Write, body: bytes) -> None:
    write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    _drip_header(engine, write, body)


def _drip_header(engine: Engine, write: Write, body: bytes) -> None:
    while not engine.stopping.wait(0.05):
        write(b"H")


def _endless(engine: Engine, write: Write, body: bytes) -> None:
    write(b"HTTP/1.1 200 OK\r\n\r\n[")
    end_s = time.monotonic() + 20
    while time.monotonic() < end_s:
        write(b" " * 65536)


def _close(engine: Engine, write: Write, body: bytes) -> None:
    pass


def _short(engine: Engine, write: Write, body: bytes) -> None:
    write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + body[:20])


def _chunked(engine: Engine, write: Write, body: bytes) -> None:
    write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for start in range(0, len(body), 100):
        piece = body[start : start + 100]
        write(b"%x\r\n%s\r\n" % (len(piece), piece))
    write(b"0\r\n\r\n")


#: Faults that are more than another status or body.
_ODD: dict[str, Callable[[Engine, Write, bytes], None]] = {
    "hang": _hang,
    "drip": _drip,
    "drip header": _drip_header,
    "endless": _endless,
    "close": _close,
    "short": _short,
    "chunked": _chunked,
}
