"""The socket's one thread: it accepts, reads, hands messages to the desk and answers. No client can hold it up."""

from __future__ import annotations

import os
import resource
import selectors
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from tracker.core.model import Finding, Level, Moment
from tracker.core.snapshot import Snapshot
from tracker.core.units import NS_PER_S
from tracker.workloads.declared.connection import Connection, Hopeless
from tracker.workloads.declared.declaration import Peer, Refused
from tracker.workloads.declared.desk import Desk
from tracker.workloads.declared.dialogue import answer_late, hear
from tracker.workloads.declared.memory import Memory
from tracker.workloads.declared.peers import Peers
from tracker.workloads.declared.place import Place, take
from tracker.workloads.declared.protocol import Answer, Declare, End, Energy, encode

MAX_CONNECTIONS = 2048
SAVE_PAUSE_NS = 2 * NS_PER_S
GOODBYE_S = 1.0
_SOON_S, _LATER_S = 1.0, 10.0  # how often the thread looks around by itself: something waits; there are clients


class RunServer:
    """Listens for declarations. Whatever goes wrong in it costs a client an answer, never the daemon."""

    def __init__(
        self,
        desk: Desk,
        peers: Peers,
        memory: Memory,
        now: Callable[[], Moment],
        max_connections: int = MAX_CONNECTIONS,
    ) -> None:
        self._desk, self._peers, self._memory, self._now = desk, peers, memory, now
        self._max = max_connections
        self._selector = selectors.DefaultSelector()
        self._connections: dict[int, Connection] = {}  # by descriptor
        self._holders: dict[str, Connection] = {}  # by token: the run ends with that connection
        self._waiting: list[tuple[Connection, Energy]] = []
        self._hushed: set[Connection] = set()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._stopping = self._closed = self._deaf = False
        self._saved_ns = 0
        self._place: Place | None = None
        self._trouble = ""
        self._thread = threading.Thread(target=self._run, name="declare", daemon=True)

    def start(self, candidates: Sequence[Path]) -> None:
        """Take up the runs from before a restart, then listen at the first place that can be had. Never raises: without
        a place, ``check`` says why."""
        runs, inner = self._memory.read()
        self._desk.runs.restore(runs, self._now().boot_ns)
        self._desk.nesting.inner.update(inner)
        self._place, self._trouble = take(candidates)
        if self._place is not None:
            _allow_descriptors(self._max)
            self._selector.register(self._place.listener, selectors.EVENT_READ)
            self._selector.register(self._wake, selectors.EVENT_READ)
            self._thread.start()

    @property
    def path(self) -> Path | None:
        """Where clients find it; None: nowhere."""
        return None if self._place is None else self._place.path

    def committed(self, snapshot: Snapshot) -> None:
        """The agent has committed: this is what clients are told from now on. Called from the agent's thread."""
        self._desk.snapshot = snapshot  # first: who waits for a run to be settled is told this one
        self._desk.runs.committed()
        with suppress(OSError):
            os.eventfd_write(self._wake, 1)

    def check(self) -> tuple[Finding, ...]:
        """Whether runs can be declared, and where."""
        if self._place is None:
            remedy = "Give [workloads.declared] socket a path in a folder that this user can write."
            message = f"Runs cannot be declared: {self._trouble or 'the server was not started'}."
            return (Finding(Level.WARN, "declare", message, remedy),)
        message = f"Runs are declared at {self._place.path}."
        if self._trouble:
            remedy = f"Programs find this daemon with WATTLEDGER_SOCKET={self._place.path} in their environment."
            message = f"{message[:-1]}, for the first place cannot be had: {self._trouble}."
            found = Finding(Level.WARN, "declare", message, remedy)
        else:
            found = Finding(Level.OK, "declare", message)
        return (found, *self._desk.runs.check())

    def close(self) -> None:
        """Answer those who wait with what there is, remember the runs, and let go. Never raises; twice is once."""
        if self._closed:
            return
        self._closed = self._stopping = True
        with suppress(OSError):
            os.eventfd_write(self._wake, 1)
        if self._thread.ident is not None:
            self._thread.join(GOODBYE_S)
        if not self._thread.is_alive():
            if self._place is not None:
                self._save()
                self._place.close()
            self._selector.close()
            os.close(self._wake)

    # -- the thread ----------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping:
            for key, mask in self._selector.select(self._pause_s()):
                if key.fileobj == self._wake:
                    with suppress(BlockingIOError):
                        os.eventfd_read(self._wake)
                elif key.data is None:
                    self._accept()
                else:
                    self._serve(key.data, mask)
            self._answer_waiting()
            self._look_around(self._now().mono_ns)
        self._answer_waiting(final=True)
        for connection in list(self._connections.values()):
            connection.flush()
            self._forget(connection)

    def _pause_s(self) -> float | None:
        if self._hushed or self._deaf or self._desk.runs.changed:
            return _SOON_S
        return _LATER_S if self._connections else None

    def _look_around(self, mono_ns: int) -> None:
        """What time brings: the hushed may speak again, the idle leave, the runs are saved."""
        for connection in [c for c in self._hushed if not c.hushed(mono_ns)]:
            self._hushed.discard(connection)
            self._talk(connection)
        for connection in [c for c in self._connections.values() if c.idle(mono_ns)]:
            self._leave(connection)
        if self._deaf and self._place is not None:
            self._deaf = False
            self._selector.register(self._place.listener, selectors.EVENT_READ)
        if self._desk.runs.changed and mono_ns - self._saved_ns >= SAVE_PAUSE_NS:
            self._saved_ns = mono_ns
            self._save()

    def _save(self) -> None:
        self._memory.write(self._desk.runs.stored(), dict(self._desk.nesting.inner))

    def _accept(self) -> None:
        assert self._place is not None
        try:
            client, _ = self._place.listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionError):
            return
        except OSError:  # no descriptor is left: without a pause this would go round and round
            self._deaf = True
            self._selector.unregister(self._place.listener)
            return
        try:
            connection = Connection(client, self._admitted(client), self._now().mono_ns)
        except Refused as error:
            with suppress(OSError):
                client.setblocking(False)
                client.send(encode(Answer(error=str(error))) + b"\n", socket.MSG_NOSIGNAL)
            client.close()
            return
        except OSError:
            client.close()
            return
        self._connections[client.fileno()] = connection
        self._watch(connection)

    def _admitted(self, client: socket.socket) -> Peer:
        """Raises Refused. One user alone does not get every place."""
        peer = self._peers.of(client)
        mine = sum(1 for connection in self._connections.values() if connection.peer.uid == peer.uid)
        if len(self._connections) >= self._max or (peer.uid != 0 and mine >= self._max // 2):
            raise Refused("Too many clients are connected.")
        return peer

    def _serve(self, connection: Connection, mask: int) -> None:
        if mask & selectors.EVENT_WRITE:
            connection.flush()
        there = connection.read() if mask & selectors.EVENT_READ else True
        if self._talk(connection) and not there:
            self._leave(connection)

    def _talk(self, connection: Connection) -> bool:
        """Hear every line there is. False: the connection is over."""
        mono_ns = self._now().mono_ns
        try:
            for line in connection.lines(mono_ns):
                self._hear(connection, line)
        except Hopeless as error:
            with suppress(Hopeless):
                connection.say(encode(Answer(error=str(error))))
            self._leave(connection)
            return False
        except Exception:  # noqa: BLE001 - a defect here ends one conversation, not all of them
            self._leave(connection)
            return False
        if connection.hushed(mono_ns):
            self._hushed.add(connection)
        self._watch(connection)
        return True

    def _hear(self, connection: Connection, line: bytes) -> None:
        message, waits = hear(connection, line, self._desk, self._now().boot_ns)
        if isinstance(message, Declare):
            before = self._holders.get(message.token, connection)
            before.tokens.discard(message.token)
            connection.tokens.add(message.token)
            self._holders[message.token] = connection
        elif isinstance(message, End):
            self._holders.pop(message.token, connection).tokens.discard(message.token)
        elif isinstance(message, Energy) and waits:
            self._waiting.append((connection, message))

    def _answer_waiting(self, *, final: bool = False) -> None:
        waiting, self._waiting = self._waiting, []
        for connection, message in waiting:
            booked = self._desk.runs.settled(message.after)
            if connection.closed:
                continue
            if booked or final:
                with suppress(Hopeless):
                    answer_late(connection, message, self._desk, booked=booked)
                self._watch(connection)
            else:
                self._waiting.append((connection, message))

    def _watch(self, connection: Connection) -> None:
        """Listen to it unless it talks too much; wait for room if something is to be sent."""
        if connection.closed:
            return
        events = 0 if connection in self._hushed else selectors.EVENT_READ
        events |= selectors.EVENT_WRITE if connection.writing else 0
        if events == connection.events:
            return
        if connection.events:
            self._selector.unregister(connection.client)
        connection.events = events
        if events:
            self._selector.register(connection.client, events, connection)

    def _leave(self, connection: Connection) -> None:
        """End a connection, and with it the runs that were declared over it."""
        tokens = list(connection.tokens)
        self._forget(connection)
        for token in tokens:
            self._holders.pop(token, None)
            with suppress(Refused):
                self._desk.runs.end(connection.peer.uid, token, self._now().boot_ns)

    def _forget(self, connection: Connection) -> None:
        if connection.events:
            self._selector.unregister(connection.client)
        self._connections.pop(connection.client.fileno(), None)
        self._hushed.discard(connection)
        connection.close()


def _allow_descriptors(count: int) -> None:
    """Let this process have so many more open files, as far as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY:
        wanted = soft + count if hard == resource.RLIM_INFINITY else min(hard, soft + count)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
