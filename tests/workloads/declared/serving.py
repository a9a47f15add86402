"""A server on a socket of its own, and a raw client that may say anything."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from tests.e2e.daemon import until
from tests.fakes import snapshots
from tracker import clock
from tracker.core.model import SYSTEM, Workload
from tracker.core.snapshot import Snapshot
from tracker.sysfs import Roots
from tracker.workloads.declared.desk import Desk, Pace
from tracker.workloads.declared.memory import FILE, Memory
from tracker.workloads.declared.peers import Peers
from tracker.workloads.declared.runs import Runs
from tracker.workloads.declared.server import MAX_CONNECTIONS, RunServer
from tracker.workloads.declared.totals import Booked
from tracker.workloads.interface import Identity

HELLO = {"op": "hello", "v": 1}
Ledger = Callable[[str], Iterable[Booked]]


def built(
    state_dir: Path, pace: Pace, ledger: Ledger | None = None, max_connections: int = MAX_CONNECTIONS
) -> tuple[Runs, RunServer]:
    """Put together on this machine's processes, not started."""
    roots = Roots()
    runs, peers = Runs(roots.procfs), Peers(roots.procfs)
    memory = Memory(state_dir / FILE, "boot-1")
    return runs, RunServer(Desk(runs, peers, pace, ledger), peers, memory, clock.now, max_connections)


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

    def __init__(self, folder: Path, *, path: Path | None = None, max_connections: int = MAX_CONNECTIONS) -> None:
        self.path = path or folder / "declare.sock"
        self.runs, self.server = built(folder, Pace(5.0, 10.0), max_connections=max_connections)
        self._clients: list[Client] = []
        self.server.start([self.path])

    def client(self, *, greet: bool = True) -> Client:
        client = Client(self.path, greet=greet)
        self._clients.append(client)
        return client

    def tick(self) -> None:
        self.runs.tick(clock.now().boot_ns, named)

    def commit(self, snapshot: Snapshot | None = None) -> None:
        self.tick()
        self.runs.drain_units()
        self.server.committed(snapshot or snapshots.eight_gpus())

    def live(self) -> set[str]:
        """The ids of the runs that are on."""
        return {declaration.run for declaration in self.runs.stored()}

    def close(self) -> None:
        for client in self._clients:
            client.close()
        self.server.close()


@contextmanager
def serving(folder: Path, max_connections: int = MAX_CONNECTIONS) -> Iterator[Served]:
    served = Served(folder, max_connections=max_connections)
    try:
        yield served
    finally:
        served.close()


def declaration(run: str = "a", token: str = "0" * 32, **labels: Any) -> dict[str, Any]:
    return {"op": "declare", "run": run, "token": token, **labels}
