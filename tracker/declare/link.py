"""The connection of this process to the daemon: one for all its runs, never waited for. Standard library only.

Nothing is queued that could grow. What the daemon should know is kept as state (which runs there are, their phase, how
much was added since it was last told), and ``sync`` brings the daemon up to date as far as the socket takes it at once.
So a daemon that is not there, that is restarted or stands still costs a program nothing, and it is told everything when
it comes back.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from dataclasses import dataclass, field

from tracker.declare.wire import Json, hello, line, socket_path

RETRY_S = 5.0
FLUSH_S = 1.0
FULL_BYTES = 16 * 1024  # not sent yet: until there is room again, only state changes

logger = logging.getLogger("wattledger")


@dataclass
class State:
    """A run as this process knows it. ``ours``: declared here; else another process did, and this one only adds."""

    run: str
    token: str
    labels: dict[str, str]
    phase: str = ""
    ours: bool = True
    told: bool = False  # over the connection that is open now
    told_phase: str = ""  # what the daemon believes; where another process declared, what it did when we came
    refused: bool = False
    ended: bool = False
    units: dict[str, dict[str, int]] = field(default_factory=dict)  # by phase: not told yet


class Link:
    """Thread-safe, and safe to be forked with. Never blocks; may raise, its callers see to that."""

    def __init__(self) -> None:
        self._reset()
        self.states: list[State] = []
        self._warned: set[str] = set()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self.lock = threading.RLock()
        self._socket: socket.socket | None = None
        self._out = bytearray()
        self._in = b""
        self._next_try_s = 0.0
        self._synced_s = 0.0

    def after_fork(self) -> None:
        """In a child: the connection and what was not sent yet are the parent's. Its runs go on here to be added to."""
        if self._pid == os.getpid():
            return
        inherited = self._socket
        self._reset()
        if inherited is not None:
            inherited.close()
        for state in self.states:
            state.ours, state.told, state.told_phase, state.units = False, True, state.phase, {}

    def add(self, state: State, units: dict[str, int]) -> None:
        """Count units; they are told at most a second later, by whatever is called next."""
        self.after_fork()
        with self.lock:
            mine = state.units.setdefault(state.phase, {})
            for unit, amount in units.items():
                mine[unit] = mine.get(unit, 0) + amount
            # A worker that another process declared may end without a word: it tells at once.
            if not state.ours or time.monotonic() - self._synced_s >= FLUSH_S:
                self.sync()

    def begin(self, state: State) -> None:
        self.after_fork()
        with self.lock:
            self.states.append(state)
            self.sync()

    def switch(self, state: State, phase: str) -> None:
        self.after_fork()
        with self.lock:
            state.phase = phase
            self.sync()

    def end(self, state: State) -> None:
        """Tell the last units and the end. Where nobody listens, both are gone."""
        self.after_fork()
        with self.lock:
            state.ended = True
            self._next_try_s = 0.0
            self.sync()
            if state in self.states:
                self.states.remove(state)

    def keep_up(self) -> None:
        self.after_fork()
        with self.lock:
            self.sync()

    def sync(self) -> None:
        """Bring the daemon up to date, as far as that is possible without waiting."""
        self._synced_s = time.monotonic()
        if not self._connected():
            return
        self._hear()
        if self._socket is None:
            return  # it is gone: what is to be told waits
        for state in self.states:
            if len(self._out) > FULL_BYTES:
                break
            if not state.refused:
                self._tell(state)
        self._push()

    def _connected(self) -> bool:
        if self._socket is not None:
            return True
        if self._synced_s < self._next_try_s:
            return False
        self._next_try_s = self._synced_s + RETRY_S
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        peer.setblocking(False)
        try:
            peer.connect(socket_path())
        except OSError as error:
            peer.close()
            logger.debug("no wattledger daemon: %s", error)
            return False
        self._socket, self._in = peer, b""
        self._out = bytearray(hello([state.token for state in self.states if state.ours]))
        for state in self.states:
            if state.ours:
                state.told, state.told_phase = False, ""
        return True

    def _tell(self, state: State) -> None:
        if not state.told:
            message: Json = {"op": "declare", "run": state.run, "token": state.token, "phase": state.phase}
            self._out += line({**message, **state.labels})
            state.told, state.told_phase = True, state.phase
        waiting, state.units = state.units, {}
        for phase, units in waiting.items():
            self._tell_phase(state, phase)
            self._out += line({"op": "add", "token": state.token, "units": units})
        self._tell_phase(state, state.phase)
        if state.ended and state.ours:
            self._out += line({"op": "end", "token": state.token})

    def _tell_phase(self, state: State, phase: str) -> None:
        if phase != state.told_phase:
            self._out += line({"op": "phase", "token": state.token, "phase": phase})
            state.told_phase = phase

    def _push(self) -> None:
        while self._out and self._socket is not None:
            try:
                sent = self._socket.send(self._out, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self._lost()
                return
            del self._out[:sent]

    def _hear(self) -> None:
        """Whatever the daemon says without being asked is a refusal. An end of file: it is gone."""
        while self._socket is not None:
            try:
                data = self._socket.recv(4096, socket.MSG_DONTWAIT)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                data = b""
            if not data:
                self._lost()
                self._connected()
                return
            *lines, self._in = (self._in + data).split(b"\n")
            for text in lines:
                self._heed(text)

    def _heed(self, text: bytes) -> None:
        import json  # noqa: PLC0415 - a refusal is rare

        answer = json.loads(text)
        error = str(answer.get("error", ""))
        for state in self.states:
            state.refused = state.refused or (bool(answer.get("token")) and answer["token"] == state.token)
        if error and error not in self._warned and len(self._warned) < FULL_BYTES // 256:
            self._warned.add(error)
            logger.warning("wattledger: %s", error)

    def _lost(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None
        self._out.clear()
