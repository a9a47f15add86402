"""Coverage without the energy that belongs to it is no zero: the hours are missing, in drafts, in closing and in
``verify``, until they are shipped again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.books.small_lake import NODE, day, put
from tests.finance.months import CONFIG, FIRST, LAST, MONTH, NOW_S, SECOND, close, fill, review
from tracker.books.interface import BookStore
from tracker.books.names import parse_name
from tracker.core.closing import NotClosable
from tracker.core.statement import CoverageLine, Statement
from tracker.finance.compose import compose


def lose(store: BookStore, kind: str, hostname: str, *days: int) -> None:
    for name, _ in [*store.names(f"{kind}/")]:
        file = parse_name(name)
        if file is not None and file.hostname == hostname and int(file.date[8:]) in days:
            store.remove(name)


def drafted(store: BookStore) -> Statement:
    return compose(CONFIG, store, MONTH, as_of_s=NOW_S)


def lines(statement: Statement) -> dict[str, CoverageLine]:
    return {line.hostname: line for line in statement.coverage}


def test_hours_without_their_energy_are_missing_and_listed(store: BookStore) -> None:
    whole = drafted(store)
    lose(store, "entries", "gpu-1", 30)
    found = drafted(store)
    assert lines(whole)["gpu-1"].missing == ()
    assert lines(found)["gpu-1"].missing == ("2026-10-30T00:00Z +24 h",)
    assert (lines(found)["gpu-1"].present_h, (lines(found)["gpu-1"].covered_ppm or 0) // 10) == (48, 66_666)
    assert (found.total.ratios.coverage_ppm or 0) // 10 == 66_666
    assert found.total.amounts.energy_it_wh == whole.total.amounts.energy_it_wh * 2 // 3


def test_it_is_the_same_as_if_neither_had_been_shipped(store: BookStore) -> None:
    lose(store, "entries", "gpu-1", 30)
    found = drafted(store)
    lose(store, "coverage", "gpu-1", 30)
    neither = drafted(store)
    assert (found.coverage, found.rows) == (neither.coverage, neither.rows)


def test_a_node_of_which_only_coverage_came_is_still_expected(store: BookStore) -> None:
    """It is new, so that nothing else says that there is such a node."""
    fill(store, node=SECOND, hours=range(4, 24))
    lose(store, "entries", "gpu-2", *range(FIRST, LAST + 1))
    line = lines(drafted(store))["gpu-2"]
    assert (line.site, line.expected_h, line.present_h, line.covered_ppm) == ("par1", 68, 0, 0)
    assert line.missing == ("2026-10-29T04:00Z +68 h",)


def test_pieces_of_a_day_may_lag_behind_its_coverage(store: BookStore) -> None:
    """Shipping was killed between the day's coverage and its entries, of which the morning is there."""
    put(store, "2026-10-28", day("2026-10-28"), node=SECOND)
    lose(store, "entries", "gpu-2", 28)
    put(store, "2026-10-28", day("2026-10-28", hours=range(7)), node=SECOND, span_h=(0, 7))
    assert lines(drafted(store))["gpu-2"].missing[0] == "2026-10-28T07:00Z +89 h", "and nothing came after it"
    again = replace(SECOND, hostname="gpu-3")
    put(store, "2026-10-28", day("2026-10-28"), node=again)
    assert lines(drafted(store))["gpu-3"].missing == ("2026-10-29T00:00Z +72 h",)


@pytest.mark.parametrize("lost_day", [FIRST, 30, LAST])
def test_such_a_month_is_not_closed_by_mistake(store: BookStore, lost_day: int) -> None:
    lose(store, "entries", "gpu-1", lost_day)
    with pytest.raises(NotClosable, match="2026-10 does not meet: coverage, unshipped"):
        review(store)


def test_an_hour_that_is_lost_after_the_review_is_told(store: BookStore) -> None:
    review(store)
    lose(store, "entries", "gpu-1", 30)
    with pytest.raises(NotClosable, match="The inputs of 2026-10 changed since alice reviewed it"):
        close(store)


def test_once_it_is_shipped_again_everything_is_as_it_was(store: BookStore) -> None:
    whole = drafted(store)
    lose(store, "entries", "gpu-1", 30)
    lose(store, "coverage", "gpu-1", 30)
    lose(store, "emissions", "gpu-1", 30)
    put(store, "2026-10-30", day("2026-10-30"), node=NODE)
    assert drafted(store) == whole
