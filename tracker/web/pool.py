"""A fixed number of slots for connections, each with a worker thread that is started when needed and ends when idle.

When all slots are taken, the oldest client that is silent before the end of its request gives way; if none is, the
oldest that does not take its answer; each once it had a fair while. So neither a crowd of silent clients nor one of
slow readers can keep Prometheus out, and a crowd of honest ones waits its turn.
"""

from __future__ import annotations

import threading
import time
from collections import deque

from tracker.web.connection import Connection, Limits, Phase

_RECHECK_S = 0.02  # how soon to look again for a client that gives way
_IDLE_S = 90.0  # longer than a scrape interval, so that a regular scrape finds its thread waiting
_SPARE = 2  # threads that wait for work; each keeps some 100 kB of memory of its own


class Pool:
    """Runs at most ``limits.connections`` at once."""

    def __init__(self, limits: Limits) -> None:
        self._slots = limits.connections
        self._changed = threading.Condition()
        self._live: list[Connection] = []  # oldest first
        self._queue: deque[Connection] = deque()
        self._threads: set[threading.Thread] = set()
        self._idle = 0
        self._closing = False

    def run(self, connection: Connection) -> None:
        """Serve it in a worker. Waits for a slot, making one free if it can."""
        with self._changed:
            while len(self._live) >= self._slots and not self._closing:
                self._ensure_worker()  # if no thread could be had before
                victim = _victim(self._live, time.monotonic())
                if victim is not None:
                    victim.drop()
                self._changed.wait(_RECHECK_S)
            if self._closing:
                connection.drop()
            self._live.append(connection)
            self._queue.append(connection)
            self._ensure_worker()
            self._changed.notify_all()

    def close(self, within_s: float) -> None:
        """Let answers in progress finish for half the time, then break off whatever is left."""
        half_s = time.monotonic() + within_s / 2
        end_s = half_s + within_s / 2
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            for connection in self._live:
                if connection.phase is Phase.READING:
                    connection.drop()
            self._changed.wait_for(lambda: not self._live, half_s - time.monotonic())
            for connection in self._live:
                connection.drop()
            self._changed.wait_for(lambda: not self._live, max(0.0, end_s - time.monotonic()))
            threads = tuple(self._threads)
        for thread in threads:  # one that hangs in a route is a daemon thread and ends with the process
            thread.join(max(0.0, end_s - time.monotonic()))

    def _ensure_worker(self) -> None:
        if self._idle >= len(self._queue) or len(self._threads) >= self._slots:
            return
        thread = threading.Thread(target=self._work, name="wattledger-web", daemon=True)
        try:
            thread.start()
        except (
            RuntimeError
        ):  # no more threads for this process; those there are will come to it, or the client gives up
            return
        self._threads.add(thread)

    def _work(self) -> None:
        connection = self._next(None)
        while connection is not None:
            connection.serve()
            connection = self._next(connection)

    def _next(self, done: Connection | None) -> Connection | None:
        """Give the slot of ``done`` back and wait for another connection. None: this thread may end."""
        with self._changed:
            if done is not None:
                self._live.remove(done)
                self._changed.notify_all()
            if self._idle < _SPARE:
                self._idle += 1
                self._changed.wait_for(lambda: self._queue or self._closing, _IDLE_S)
                self._idle -= 1
            if self._queue:
                return self._queue.popleft()
            self._threads.discard(threading.current_thread())
            return None


def _victim(live: list[Connection], now_s: float) -> Connection | None:
    """Which of the live connections, oldest first, gives way. None: all of them go on at a fair pace."""
    overdue = [connection for connection in live if connection.overdue(now_s)]
    silent = [connection for connection in overdue if connection.phase is Phase.READING]
    return next(iter(silent or overdue), None)
