"""How often a source is asked, and what becomes of its errors."""

from __future__ import annotations

import threading

import pytest

from tracker.clock import now
from tracker.core.model import Moment
from tracker.core.units import NS_PER_S
from tracker.workloads.kubernetes.poller import Poller
from tracker.workloads.kubernetes.trouble import Trouble

PATIENCE_S = 10.0


class Source:
    """Fails with what is in ``errors``, one for each time it is asked; after that it works."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.asked = threading.Event()

    def ask(self) -> None:
        self.asked.set()
        if self.errors:
            raise self.errors.pop(0)


def poller(source: Source, jitter: float = 1.0, period_s: float = 30, longest_s: float = 600) -> Poller:
    return Poller("api", source.ask, lambda: Moment(7 * NS_PER_S, 0, 0), lambda: jitter, period_s, longest_s)


def down() -> Trouble:
    return Trouble("failed", "down")


@pytest.mark.parametrize(("jitter", "wait_s"), [(0.0, 30.0), (0.5, 31.5), (1.0, 33.0)])
def test_nodes_that_start_together_do_not_stay_in_step(jitter: float, wait_s: float) -> None:
    assert poller(Source(), jitter).attempt() == pytest.approx(wait_s)


def test_the_pause_doubles_up_to_the_longest_and_is_short_again_after_a_success() -> None:
    subject = poller(Source(*(down() for _ in range(7))))
    assert [subject.attempt() for _ in range(8)] == pytest.approx([30, 60, 120, 240, 480, 600, 600, 33])
    subject = poller(Source(*(down() for _ in range(3))), jitter=0)
    assert [subject.attempt() for _ in range(3)] == pytest.approx([30, 30, 60])  # never sooner than the period


def test_a_peer_that_asks_for_a_pause_gets_it() -> None:
    assert poller(Source(Trouble("failed", "429", wait_s=300))).attempt() == 300


def test_errors_are_counted_by_kind_and_the_last_one_is_told_until_it_is_over() -> None:
    subject = poller(Source(down(), Trouble("denied", "403", "grant it"), down()))
    for _ in range(3):
        subject.attempt()
    before = subject.health
    assert (before.errors, before.succeeded_ns, subject.silent_s()) == ({"failed": 2, "denied": 1}, None, None)
    assert before.trouble is not None
    subject.attempt()
    after = subject.health
    assert (after.errors, after.trouble, subject.silent_s()) == ({"failed": 2, "denied": 1}, None, 0)


def test_a_bug_in_a_source_ends_no_thread_and_is_told() -> None:
    subject = poller(Source(ZeroDivisionError("division by zero")))
    subject.attempt()
    assert subject.health.trouble is not None
    assert subject.health.trouble.sentence == "Unexpected ZeroDivisionError: division by zero."


def test_an_error_keeps_nothing_of_the_answer_alive() -> None:
    """The traceback of an error holds every local variable on its way, an answer of megabytes among them."""
    subject = poller(Source(down()))
    subject.attempt()
    trouble = subject.health.trouble
    assert trouble is not None
    assert (trouble.__traceback__, trouble.__cause__, trouble.__context__) == (None, None, None)


def test_a_text_from_outside_is_one_short_line_in_an_error() -> None:
    trouble = Trouble("failed", "no\n\x1b[31m" + "x" * 10_000)
    assert trouble.sentence.startswith("no\ufffd\ufffd[31m")
    assert len(trouble.sentence) == 300


def test_the_thread_asks_again_and_ends_when_told() -> None:
    source = Source(down())
    subject = Poller("api", source.ask, now, lambda: 0.0, 0.01, 0.01)
    subject.start()
    subject.start()  # once is enough
    while subject.health.succeeded_ns is None:
        assert source.asked.wait(PATIENCE_S)
        source.asked.clear()
    subject.stop(PATIENCE_S)
    source.asked.clear()
    assert not source.asked.wait(0.05)
    subject.stop(PATIENCE_S)  # twice is harmless


def test_a_source_that_does_not_answer_does_not_hold_up_the_end() -> None:
    asked, release = threading.Event(), threading.Event()

    def hang() -> None:
        asked.set()
        release.wait(PATIENCE_S)

    subject = Poller("api", hang, now, lambda: 0.0, 0.01, 0.01)
    subject.start()
    assert asked.wait(PATIENCE_S)
    subject.stop(0.01)
    assert not release.is_set()
    release.set()
    subject.stop(PATIENCE_S)
