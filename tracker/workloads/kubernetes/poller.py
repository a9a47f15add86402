"""Asks one source again and again, in a thread of its own: slower while it fails, never in step with other nodes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from tracker.core.units import NS_PER_S
from tracker.workloads.kubernetes.trouble import Trouble
from tracker.workloads.learner import Clock

#: A tenth more or less keeps a thousand nodes that start together from asking together.
_SPREAD = 0.1


@dataclass(frozen=True, slots=True)
class Health:
    """How a source does. ``trouble`` None: the last answer was good, or none is there yet (``succeeded_ns`` None).
    ``errors``: failed attempts by kind since the start."""

    trouble: Trouble | None = None
    succeeded_ns: int | None = None  # CLOCK_MONOTONIC
    errors: dict[str, int] = field(default_factory=dict)


class Poller:
    """One source. ``ask`` has a deadline of its own and raises Trouble."""

    def __init__(
        self,
        name: str,
        ask: Callable[[], None],
        clock: Clock,
        jitter: Callable[[], float],
        period_s: float,
        longest_s: float,
    ) -> None:
        """``jitter``: 0 to 1. ``longest_s``: between two attempts while it fails."""
        self.name = name
        self.health = Health()
        self._ask, self._clock, self._jitter = ask, clock, jitter
        self._period_s, self._longest_s = period_s, max(period_s, longest_s)
        self._failures = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, after_s: float = 0.0) -> None:
        """Begin, once. Never raises: where no thread can be made, the source says so."""
        if self._thread is not None:
            return
        thread = threading.Thread(target=self._run, args=(after_s,), name=f"kubernetes-{self.name}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            self._fail(Trouble("failed", f"No thread can be started ({error})."))
            return
        self._thread = thread

    def request_stop(self) -> None:
        """Ask the thread to end after the attempt it is in."""
        self._stop.set()

    def stop(self, within_s: float) -> None:
        """Ask, and wait so long. A thread that still waits for an answer is left behind: its own deadline ends it."""
        self.request_stop()
        if self._thread is not None:
            self._thread.join(within_s)

    @property
    def started(self) -> bool:
        return self._thread is not None

    def attempt(self) -> float:
        """Ask once. Returns how long to wait before the next time, in seconds. Never raises."""
        try:
            self._ask()
        except Trouble as trouble:
            return self._fail(trouble)
        except Exception as error:  # noqa: BLE001 - a bug here must not end the thread: names would stay old for ever
            return self._fail(Trouble("failed", f"Unexpected {type(error).__name__}: {error}.", "Report it."))
        self._failures = 0
        self.health = Health(None, self._clock().mono_ns, self.health.errors)
        return self._period_s * (1 + _SPREAD * self._jitter())

    def silent_s(self) -> float | None:
        """Seconds since the last good answer; None: there was none."""
        succeeded_ns = self.health.succeeded_ns
        return None if succeeded_ns is None else (self._clock().mono_ns - succeeded_ns) / NS_PER_S

    def _fail(self, trouble: Trouble) -> float:
        errors = dict(self.health.errors)
        errors[trouble.kind] = errors.get(trouble.kind, 0) + 1
        bare = Trouble(trouble.kind, trouble.sentence, trouble.remedy)  # a traceback would keep a whole answer alive
        self.health = Health(bare, self.health.succeeded_ns, errors)
        doubled_s = min(self._period_s * 2.0 ** min(self._failures, 16), self._longest_s)
        self._failures += 1
        return max(self._period_s, trouble.wait_s, doubled_s * (0.5 + 0.5 * self._jitter()))

    def _run(self, after_s: float) -> None:
        wait_s = after_s
        while not self._stop.wait(wait_s):
            wait_s = self.attempt()
