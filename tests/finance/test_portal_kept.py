"""Values that take long: made once for everybody who waits, kept, and failures told and tried again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from tracker.core.errors import WattledgerError
from tracker.finance.portal_kept import ERROR_S, Kept
from tracker.web.portal.interface import Busy


@dataclass
class Maker:
    """Makes 1, 2, 3, … when ``gate`` is open; raises ``error`` if there is one."""

    now_s: float = 0.0
    made: int = 0
    error: Exception | None = None
    gate: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    def __call__(self) -> int:
        assert self.gate.wait(10)
        self.made += 1
        if self.error is not None:
            raise self.error
        return self.made

    def kept(self) -> Kept[int]:
        return Kept(self, keep_s=30, mono_s=lambda: self.now_s, sentence="It takes a while.", retry_after_s=7)


def together(count: int, what: Callable[[], object]) -> None:
    threads = [threading.Thread(target=what) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)


def test_it_is_made_once_and_kept_for_a_while() -> None:
    maker = Maker()
    kept = maker.kept()
    got: list[int] = []
    together(8, lambda: got.append(kept.get(10)))
    assert got == [1] * 8
    maker.now_s = 29
    assert (kept.get(10), kept.fresh()) == (1, 1)
    maker.now_s = 30
    assert kept.fresh() is None
    assert kept.get(10) == 2


def test_who_cannot_wait_hears_that_it_takes_longer_and_gets_it_later() -> None:
    maker = Maker()
    maker.gate.clear()
    kept = maker.kept()
    for stale in (False, True):
        with pytest.raises(Busy, match="It takes a while") as caught:
            kept.get(0, stale=stale)
        assert caught.value.retry_after_s == 7
    maker.gate.set()
    assert kept.get(10) == 1


def test_what_was_known_is_told_while_it_is_made_anew_where_that_will_do() -> None:
    """A page shows it; a download waits for what is true now."""
    maker = Maker()
    kept = maker.kept()
    assert kept.get(10) == 1
    maker.now_s = 30
    maker.gate.clear()
    assert kept.get(0, stale=True) == 1
    with pytest.raises(Busy):
        kept.get(0)
    maker.gate.set()
    assert kept.get(10) == 2


def test_a_failure_is_told_to_everybody_and_tried_again_soon() -> None:
    """Also while something older is known: it may be wrong by now."""
    maker = Maker()
    kept = maker.kept()
    assert kept.get(10) == 1
    maker.now_s, maker.error = 30, WattledgerError("The bucket is gone.")
    for _ in range(3):
        with pytest.raises(WattledgerError, match="The bucket is gone"):
            kept.get(10)
    assert maker.made == 2
    assert kept.fresh() is None
    with pytest.raises(WattledgerError, match="The bucket is gone"):
        kept.get(0, stale=True)
    maker.now_s, maker.error = 30 + ERROR_S, None
    maker.gate.clear()
    with pytest.raises(WattledgerError, match="The bucket is gone"):  # it is until the contrary is known
        kept.get(0, stale=True)
    maker.gate.set()
    assert kept.get(10) == 3
    assert kept.get(0, stale=True) == 3


def test_a_bug_is_a_sentence_too() -> None:
    maker = Maker(error=KeyError("x"))
    with pytest.raises(WattledgerError, match=r"KeyError.*bug"):
        maker.kept().get(10)
