"""A thread that learns names for a resolver: it may wait for a socket or a command, the tick never waits for it.

Each piece of work has deadlines of its own. A thread that hangs all the same is left behind: it is a daemon thread, it
does not keep the process from exiting, and its resolver goes on answering what was learned before.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from tracker.core.model import Moment
from tracker.core.units import NS_PER_S

CLOSE_S = 0.5  # how long the end waits for a turn that is under way
HANG_NS = 120 * NS_PER_S
AFTER_FAILURE_S = 10.0

Clock = Callable[[], Moment]


class Learner:
    """Calls ``turn(now)`` at once, and again after as many seconds as it returns. What it raises is kept as text."""

    def __init__(self, name: str, turn: Callable[[Moment], float], clock: Clock) -> None:
        self._turn, self._clock = turn, clock
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"resolver-{name}", daemon=True)
        self._began_ns: int | None = None
        self._error = ""

    def start(self) -> None:
        """Begin; a second call does nothing."""
        if not self._thread.is_alive() and not self._stop.is_set():
            self._thread.start()

    def close(self) -> None:
        """End the thread, or leave it behind if it hangs; may be called twice, and without ``start``."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_S)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def trouble(self) -> str:
        """What is wrong with the thread itself; "" when nothing is."""
        began_ns = self._began_ns
        if began_ns is not None and self._clock().mono_ns - began_ns > HANG_NS:
            return "It hangs; names are as old as its last turn."
        return self._error

    def _run(self) -> None:
        while not self._stop.is_set():
            now = self._clock()
            self._began_ns = now.mono_ns
            try:
                pause_s = self._turn(now)
                self._error = ""
            except Exception as error:  # noqa: BLE001 - a bug here must not end the naming of everything else
                self._error = f"It failed unexpectedly ({type(error).__name__}: {error})."
                pause_s = AFTER_FAILURE_S
            self._began_ns = None
            self._stop.wait(pause_s)
