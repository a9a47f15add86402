"""A server on a socket of its own, and a raw client that may say anything."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from tests.e2e.daemon import until
from tests.fakes import snapshots
from tracker import clock
from tracker.core.model import SYSTEM, Workload
from tracker.core.snapshot import Snapshot
from tracker.sysfs import Roots
from tracker.workloads.declared.desk import Pace
from tracker.workloads.declared.parts import DeclaredRuns, Options, build
from tracker.workloads.interface import Identity

HELLO = {"op": "hello", "v": 1}


def named(_: Identity) -> Workload:
    return SYSTEM


class Client:
    """A connection that says lines and hears lines."""

    def __init__(self, path: Path, *, greet: bool = True) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10)
        until(lambda: self._connects(path), "there is room to connect")
        self._lines = self.socket.makefile("rb")
        if greet:
            self.say(HELLO)

    def _connects(self, path: Path) -> bool:
        """A unix socket with a full backlog does not wait, whatever its timeout."""
        try:
            self.socket.connect(str(path))
        except BlockingIOError:
            return False
        return True

    def say(self, *messages: object) -> Self:
        self.raw(b"".join(json.dumps(message).encode() + b"\n" for message in messages))
        return self

    def raw(self, data: bytes) -> None:
        self.socket.sendall(data)

    def hear(self) -> Any:
        """The next line; None: the server has closed."""
        try:
            line = self._lines.readline()
        except ConnectionError:
            return None
        return json.loads(line) if line else None

    def ask(self, message: dict[str, Any]) -> Any:
        return self.say({**message, "id": 7}).hear()

    def close(self) -> None:
        self._lines.close()
        self.socket.close()


class Served:
    """The real server on this machine's processes. Ticks and commits come when the test says so."""

    def __init__(self, folder: Path, options: Options | None = None) -> None:
        self.path = folder / "declare.sock"
        options = options or Options(socket=str(self.path))
        self.declared: DeclaredRuns = build(options, Roots(), folder, "boot-1", Pace(5.0, 10.0), clock.now)
        self._clients: list[Client] = []
        self.declared.start()

    def client(self, *, greet: bool = True) -> Client:
        client = Client(self.path, greet=greet)
        self._clients.append(client)
        return client

    def tick(self) -> None:
        self.declared.runs.tick(clock.now().boot_ns, named)

    def commit(self, snapshot: Snapshot | None = None) -> None:
        self.tick()
        self.declared.runs.drain_units()
        self.declared.server.committed(snapshot or snapshots.eight_gpus())

    def live(self) -> set[str]:
        """The ids of the runs that are on."""
        return {declaration.run for declaration in self.declared.runs.stored()}

    def close(self) -> None:
        for client in self._clients:
            client.close()
        self.declared.server.close()


@contextmanager
def serving(folder: Path, options: Options | None = None) -> Iterator[Served]:
    served = Served(folder, options)
    try:
        yield served
    finally:
        served.close()


def declaration(run: str = "a", token: str = "0" * 32, **labels: Any) -> dict[str, Any]:
    return {"op": "declare", "run": run, "token": token, **labels}
