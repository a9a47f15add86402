"""Runs a source in its own thread, so that a driver call that hangs hurts nothing else.

The thread reads on absolute deadlines of the monotonic clock (a late read is skipped, never caught up in a burst) and
puts what it read on a bounded queue; the agent drains the queue. A thread stuck in a driver call cannot be ended: it
is a daemon thread, it does not keep the process from exiting, and its feed says ``hang`` meanwhile.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from tracker.core.errors import WattledgerError
from tracker.core.model import Finding, GapReason, Level, Moment, Sensor
from tracker.core.snapshot import SourceState
from tracker.core.units import NS_PER_S
from tracker.sources.interface import Batch, Clock, Feed, Source, SourceAbsent, SourceDenied, SourceFailed

#: Batches kept while nobody drains them: the agent's tick is 5 s; ten minutes of a stuck agent lose nothing.
QUEUE_BATCHES = 600
RETRY_ABSENT_S = 60.0
RETRY_MIN_S, RETRY_MAX_S = 1.0, 60.0
HANG_PERIODS = 5
#: Between two reads of a source of which nothing is booked.
REST_NS = 60 * NS_PER_S
#: How often a source that works is asked what else it has to say (a lost GPU, an unreadable zone).
CHECK_NS = 60 * NS_PER_S

_T = TypeVar("_T")

#: (source, error): told of every error; whoever listens decides what is worth a line (``log.Faults``).
Listener = Callable[[str, Exception | None], None]


def next_deadline(due_ns: int, now_ns: int, period_ns: int) -> int:
    """The first deadline of the grid ``due_ns + k x period_ns`` that is still ahead: late ones are skipped."""
    return due_ns + max(1, (now_ns - due_ns) // period_ns + 1) * period_ns


class Runner(Feed):
    """A source and its thread."""

    def __init__(self, source: Source, clock: Clock, listen: Listener, *, wanted: bool) -> None:
        """``wanted``: the configuration names this source, so its absence is a fault."""
        self.name = source.name
        self.period_ns = round(source.period_s * NS_PER_S)
        self.source = source
        self._clock, self._listen, self._wanted = clock, listen, wanted
        self._batches: deque[Batch] = deque(maxlen=QUEUE_BATCHES)
        self._inventory: tuple[Sensor, ...] | None = None  # the newest that was not drained
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"source-{source.name}", daemon=True)
        self._call_began_ns: int | None = None
        self._reported = False
        self._resting = False
        self._errors: dict[str, int] = {}
        self._error: WattledgerError | None = None
        self._last_success: Moment | None = None
        self._read_ns = 0
        self._notes: tuple[Finding, ...] = ()
        self._noted_ns = -CHECK_NS

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def request_stop(self) -> None:
        """Ask the thread to end after the read it is in."""
        self._stop.set()

    def stop(self, deadline_s: float) -> bool:
        """Ask the thread to end and wait so long; False: it hangs and is left behind."""
        self.request_stop()
        self._thread.join(deadline_s)
        return not self._thread.is_alive()

    def drain(self) -> list[Batch]:
        batches = []
        while self._batches:
            batches.append(self._batches.popleft())
        inventory, self._inventory = self._inventory, None
        if batches and inventory is not None and all(batch.sensors is None for batch in batches):
            batches[0] = replace(batches[0], sensors=inventory)  # the batch that carried it fell off the full queue
        return batches

    def rest(self, *, resting: bool) -> None:
        self._resting = resting

    def reported(self) -> bool:
        return self._reported

    def trouble(self, now: Moment) -> GapReason | None:
        if self._hangs(now):
            return GapReason.HANG
        match self._error:
            case None:
                return None
            case SourceDenied():
                return GapReason.PERMISSION
            case SourceAbsent():
                return GapReason.LOST
            case _:
                return GapReason.ERROR

    def state(self, now: Moment) -> SourceState | None:
        if isinstance(self._error, SourceAbsent) and not self._wanted and self._last_success is None:
            return None
        hangs = self._hangs(now)
        return SourceState(
            name=self.name,
            up=not hangs and self._error is None and self._is_fresh(now),
            errors=dict(self._errors),
            last_success_wall_s=None if self._last_success is None else self._last_success.wall_ns / NS_PER_S,
            read_s=self._read_ns / NS_PER_S,
            findings=self._findings(hangs=hangs),
        )

    def _findings(self, *, hangs: bool) -> tuple[Finding, ...]:
        if hangs:
            remedy = "Look for driver errors with: dmesg | tail"
            return (Finding(Level.FAIL, self.name, "A driver call does not return.", remedy),)
        if self._error is not None:
            return (Finding(Level.FAIL, self.name, self._error.sentence, self._error.remedy),)
        return self._notes

    def _is_fresh(self, now: Moment) -> bool:
        last = self._last_success
        period_ns = max(self.period_ns, REST_NS) if self._resting else self.period_ns
        return last is not None and now.mono_ns - last.mono_ns <= max(HANG_PERIODS * period_ns, 10 * NS_PER_S)

    def _hangs(self, now: Moment) -> bool:
        began = self._call_began_ns
        limit_ns = max(HANG_PERIODS * self.period_ns, 10 * NS_PER_S)
        return began is not None and now.mono_ns - began > limit_ns

    def _run(self) -> None:
        retry_s = RETRY_MIN_S
        while not self._stop.is_set():
            error = self._serve()
            self._error = error
            if error is None:
                return
            self._count(error)
            self._listen(self.name, error)
            self._reported = True
            if isinstance(error, SourceFailed) and self._stop.wait(retry_s):
                return
            if not isinstance(error, SourceFailed) and self._stop.wait(RETRY_ABSENT_S):
                return
            retry_s = RETRY_MIN_S if self._last_success_is_fresh() else min(2 * retry_s, RETRY_MAX_S)

    def _last_success_is_fresh(self) -> bool:
        last = self._last_success
        return last is not None and self._clock().mono_ns - last.mono_ns < RETRY_MAX_S * NS_PER_S

    def _serve(self) -> WattledgerError | None:
        """Open the source and read it until it fails (the error) or the thread is stopped (None)."""
        try:
            self._timed(self.source.open)
            due_ns = self._clock().mono_ns
            while not self._stop.is_set():
                self._read()
                now_ns = self._clock().mono_ns
                due_ns = next_deadline(
                    due_ns, now_ns, max(self.period_ns, REST_NS) if self._resting else self.period_ns
                )
                self._stop.wait((due_ns - now_ns) / NS_PER_S)
        except WattledgerError as error:
            return error
        except Exception as error:  # noqa: BLE001 - a bug in one source must not silence the others
            return SourceFailed(f"{self.name} failed unexpectedly ({type(error).__name__}: {error}).", "Report it.")
        finally:
            self._call_began_ns = None
            self.source.close()
        return None

    def _read(self) -> None:
        batch = self._timed(self.source.read)
        for missing in batch.missing:
            self._errors[missing.reason] = self._errors.get(missing.reason, 0) + 1
        if batch.sensors is not None:
            self._inventory = batch.sensors
        self._batches.append(batch)
        if batch.readings or not batch.missing:
            self._last_success = self._clock()
        if self._error is not None:
            self._error = None
            self._listen(self.name, None)
        self._reported = True
        now_ns = self._clock().mono_ns
        if now_ns - self._noted_ns > CHECK_NS:
            self._noted_ns = now_ns
            self._notes = tuple(note for note in self._timed(self.source.check) if note.level is not Level.OK)

    def _timed(self, call: Callable[[], _T]) -> _T:
        """Make a call that may hang, with its beginning on record."""
        self._call_began_ns = began_ns = self._clock().mono_ns
        try:
            return call()
        finally:
            self._call_began_ns = None
            self._read_ns = self._clock().mono_ns - began_ns

    def _count(self, error: WattledgerError) -> None:
        kind = "absent" if isinstance(error, SourceAbsent) else "failed"
        kind = "denied" if isinstance(error, SourceDenied) else kind
        self._errors[kind] = self._errors.get(kind, 0) + 1
