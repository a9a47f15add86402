"""The thread of a resolver: whatever its work does, it goes on, says so, and never keeps the process from ending."""

from __future__ import annotations

import threading

import pytest

from tests.fakes.slurm import until
from tracker.clock import now
from tracker.core.model import Moment
from tracker.workloads.learner import Learner

NS = 1_000_000_000


class Work:
    """What a test tells it to do."""

    def __init__(self) -> None:
        self.calls = 0
        self.error: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.shift_ns = 0

    def turn(self, moment: Moment) -> float:
        self.calls += 1
        self.gate.wait(20)
        if self.error is not None:
            raise self.error
        return 0.01

    def clock(self) -> Moment:
        moment = now()
        return Moment(moment.mono_ns + self.shift_ns, moment.boot_ns, moment.wall_ns)


@pytest.fixture
def work() -> Work:
    return Work()


def test_it_works_again_and_again_until_it_is_closed(work: Work) -> None:
    learner = Learner("x", work.turn, work.clock)
    assert not learner.alive
    learner.start()
    learner.start()
    until(lambda: work.calls > 3, "it worked")
    learner.close()
    learner.close()
    assert not learner.alive
    assert learner.trouble() == ""
    learner.start()
    assert not learner.alive, "the end is the end"


def test_a_failure_is_told_and_the_thread_lives(work: Work) -> None:
    work.error = KeyError("bug")
    learner = Learner("x", work.turn, work.clock)
    learner.start()
    until(learner.trouble, "it failed")
    assert learner.trouble() == "It failed unexpectedly (KeyError: 'bug')."
    assert learner.alive
    learner.close()


def test_a_hang_is_told_and_does_not_keep_the_end_waiting(work: Work) -> None:
    work.gate.clear()
    learner = Learner("x", work.turn, work.clock)
    learner.start()
    until(lambda: work.calls == 1, "it began")
    assert learner.trouble() == ""
    work.shift_ns = 121 * NS
    assert learner.trouble() == "It hangs; names are as old as its last turn."
    learner.close()
    work.gate.set()


def test_close_without_start(work: Work) -> None:
    Learner("x", work.turn, work.clock).close()
    assert work.calls == 0
