"""A source in its thread: what it reads arrives, what it suffers is told, and nothing it does can block the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.background import Runner, next_deadline
from tracker.clock import now
from tracker.core.model import Finding, GapReason, Missing, Moment, Reading
from tracker.sources.interface import Batch, Source, SourceAbsent, SourceContext, SourceDenied, SourceFailed


class PlayedSource(Source):
    """Does what the test says at each open and read."""

    name = "played"
    period_s = 0.01

    def __init__(self, options: object, context: SourceContext | None = None) -> None:
        self.opens: list[Exception | None] = []
        self.reads: list[Exception | None] = []
        self.gate = threading.Event()
        self.gate.set()
        self.closed = 0

    def open(self) -> None:
        error = self.opens.pop(0) if self.opens else None
        if error is not None:
            raise error

    def read(self) -> Batch:
        self.gate.wait()
        error = self.reads.pop(0) if self.reads else None
        if error is not None:
            raise error
        moment = now()
        reading = Reading("x", moment.mono_ns, moment.boot_ns, counter_uj=1)
        return Batch((reading,), (Missing("y", moment.boot_ns, GapReason.LOST),))

    def close(self) -> None:
        self.closed += 1

    def check(self) -> tuple[Finding, ...]:
        return ()


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition with a bound, not for a time."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)


@pytest.fixture
def source() -> PlayedSource:
    return PlayedSource(None)


def runner_of(source: Source, *, wanted: bool = False) -> tuple[Runner, list[Exception | None]]:
    told: list[Exception | None] = []
    return Runner(source, now, lambda _name, error: told.append(error), wanted=wanted), told


def test_batches_arrive_in_order_and_missing_reads_are_counted(source: PlayedSource) -> None:
    runner, told = runner_of(source)
    runner.start()
    until(lambda: len(runner._batches) > 3)
    assert runner.stop(5)
    batches = runner.drain()
    times = [batch.readings[0].mono_ns for batch in batches]
    assert times == sorted(times)
    state = runner.state(now())
    assert state is not None
    assert state.up
    assert state.errors == {"lost": len(batches)}
    assert told == []
    assert source.closed == 1


def test_a_failure_is_told_once_reopened_and_its_end_is_told(source: PlayedSource) -> None:
    source.reads = [None, SourceFailed("The driver was reloaded.", "Nothing to do."), None]
    runner, told = runner_of(source)
    runner.start()
    until(lambda: len(told) == 2)
    runner.stop(5)
    assert isinstance(told[0], SourceFailed)
    assert told[1] is None
    assert runner.trouble(now()) is None
    assert source.closed == 2


def test_a_bug_in_a_source_is_its_fault_and_not_the_end(source: PlayedSource) -> None:
    source.reads = [ZeroDivisionError("oops"), None]
    runner, told = runner_of(source)
    runner.start()
    until(lambda: len(told) == 2)
    runner.stop(5)
    assert "ZeroDivisionError: oops" in str(told[0])


def test_absent_hardware_is_silent_unless_it_was_asked_for(source: PlayedSource) -> None:
    source.opens = [SourceAbsent("No GPU here.")]
    runner, _ = runner_of(source)
    runner.start()
    until(runner.reported)
    assert runner.state(now()) is None
    runner.stop(5)
    wanted = PlayedSource(None)
    wanted.opens = [SourceAbsent("No GPU here.", "Install the driver.")]
    runner, _ = runner_of(wanted, wanted=True)
    runner.start()
    until(runner.reported)
    state = runner.state(now())
    assert state is not None
    assert not state.up
    assert state.findings[0].remedy == "Install the driver."
    runner.stop(5)


def test_denied_names_the_remedy_and_the_gap_reason(source: PlayedSource) -> None:
    source.opens = [SourceDenied("RAPL may not be read.", "Add CAP_DAC_READ_SEARCH.")]
    runner, _ = runner_of(source)
    runner.start()
    until(runner.reported)
    assert runner.trouble(now()) is GapReason.PERMISSION
    state = runner.state(now())
    assert state is not None
    assert state.findings[0].remedy == "Add CAP_DAC_READ_SEARCH."
    assert state.errors == {"denied": 1}
    runner.stop(5)


def test_a_hanging_call_is_seen_as_such_and_does_not_hold_up_the_end(source: PlayedSource) -> None:
    source.gate.clear()
    runner, _ = runner_of(source)
    runner.start()
    until(lambda: runner._call_began_ns is not None)
    moment = now()
    later = Moment(moment.mono_ns + 11_000_000_000, moment.boot_ns, moment.wall_ns)
    assert runner.trouble(later) is GapReason.HANG
    state = runner.state(later)
    assert state is not None
    assert not state.up
    assert runner.drain() == []
    assert not runner.stop(0.05)  # left behind: a daemon thread
    source.gate.set()
    assert runner.stop(5)


@given(due=st.integers(0, 10**12), late=st.integers(-(10**9), 10**12), period=st.integers(10**6, 10**10))
def test_late_deadlines_are_skipped_and_stay_on_the_grid(due: int, late: int, period: int) -> None:
    """Never two at once to catch up, never off the grid."""
    moment = due + late
    following = next_deadline(due, moment, period)
    assert (following - due) % period == 0
    assert following > moment or following == due + period
    assert following - max(moment, due) <= period
