"""As reported and what was posted since is what is known: to the last gram, whatever comes late (P8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.statements import STATEMENT, added, line
from tracker.core.amounts import COLUMNS, NOTHING, minus, plus
from tracker.core.restating import (
    JUDGED,
    Decision,
    Outcome,
    Posting,
    Reason,
    decide,
    key_of,
    reversal,
    total_of,
    with_postings,
)
from tracker.core.statement import Amounts, Correction, Statement

Key = tuple[str, ...]
A: Key = ("CC", "nlp", "a", "training", "par1", "gpu")
B: Key = ("CC", "nlp", "b", "training", "par1", "gpu")
FIVE_PERCENT = 50_000


def statement(rows: dict[Key, Amounts]) -> Statement:
    lines = tuple(line(key, rows[key]) for key in sorted(rows))
    return replace(STATEMENT, rows=lines, total=replace(STATEMENT.total, amounts=added(each.amounts for each in lines)))


def kwh(wh: int, location_g: int | None = None, market_g: int | None = None) -> Amounts:
    grams = wh if location_g is None else location_g
    return Amounts(wh, wh, wh, 0, 0, wh, grams, grams, grams, wh if market_g is None else market_g, 0, 0)


def posting(decision: Decision, number: int = 1, version: int = 1) -> Posting:
    return Posting("2026-10", version, number, "2026-11", "alice", 0, 0, STATEMENT.group_by, decision.corrections)


def test_nothing_new_posts_nothing() -> None:
    rows = {A: kwh(1000), B: kwh(2000)}
    decision = decide(statement(rows), (), statement(rows), materiality_ppm=FIVE_PERCENT)
    assert (decision.outcome, decision.reason, decision.corrections) == (Outcome.NOTHING, None, ())


def test_late_energy_below_the_threshold_is_posted_row_by_row() -> None:
    before, now = statement({A: kwh(10_000), B: kwh(10_000)}), statement({A: kwh(10_999), B: kwh(10_000)})
    decision = decide(before, (), now, materiality_ppm=FIVE_PERCENT)
    assert (decision.outcome, decision.reason) == (Outcome.POST, Reason.ENERGY_LATE)
    (only,) = decision.corrections
    assert (only.restates_period, only.reason, only.line.key) == ("2026-10", "energy_late", A)
    assert (only.line.amounts.energy_it_wh, only.line.amounts.location_g) == (999, 999)
    assert only.line.row_id == before.rows[0].row_id


def test_exactly_the_threshold_is_material() -> None:
    before = statement({A: kwh(10_000), B: kwh(10_000)})
    assert decide(before, (), statement({A: kwh(11_000), B: kwh(10_000)}), materiality_ppm=FIVE_PERCENT).outcome is (
        Outcome.NEW_VERSION
    )


@pytest.mark.parametrize("column", JUDGED)
def test_each_of_the_three_totals_is_judged_by_itself(column: str) -> None:
    before = statement({A: kwh(10_000)})
    now = statement({A: replace(kwh(10_000), **{column: 10_500})})
    decision = decide(before, (), now, materiality_ppm=FIVE_PERCENT)
    assert decision.outcome is Outcome.NEW_VERSION
    assert decision.because == f"Material: it moves {JUDGED[column]} by 5.0 %."


def test_a_shift_between_teams_is_material_although_its_sum_is_nought() -> None:
    before, now = statement({A: kwh(10_000), B: kwh(10_000)}), statement({A: kwh(11_000), B: kwh(9_000)})
    assert decide(before, (), now, materiality_ppm=FIVE_PERCENT).outcome is Outcome.NEW_VERSION


def test_many_small_steps_are_one_large_one() -> None:
    """Measured against what was reported, not against the last correction."""
    before = statement({A: kwh(10_000)})
    first = decide(before, (), statement({A: kwh(10_400)}), materiality_ppm=FIVE_PERCENT)
    assert first.outcome is Outcome.POST
    again = decide(before, (posting(first),), statement({A: kwh(10_800)}), materiality_ppm=FIVE_PERCENT)
    assert again.outcome is Outcome.NEW_VERSION


def test_what_was_posted_is_not_posted_twice() -> None:
    before, now = statement({A: kwh(10_000)}), statement({A: kwh(10_100)})
    first = decide(before, (), now, materiality_ppm=FIVE_PERCENT)
    assert decide(before, (posting(first),), now, materiality_ppm=FIVE_PERCENT).outcome is Outcome.NOTHING
    more = decide(before, (posting(first),), statement({A: kwh(10_150)}), materiality_ppm=FIVE_PERCENT)
    assert [each.line.amounts.energy_it_wh for each in more.corrections] == [50]


def test_a_final_factor_may_take_grams_away() -> None:
    before, now = statement({A: kwh(10_000)}), statement({A: kwh(10_000, location_g=9_900)})
    decision = decide(before, (), now, materiality_ppm=FIVE_PERCENT)
    assert [(each.reason, each.line.amounts.location_g) for each in decision.corrections] == [("factor_final", -100)]


def test_a_gram_that_rounding_moved_has_the_reason_of_what_moved_it() -> None:
    before = statement({A: kwh(10_000), B: kwh(10_000)})
    now = statement({A: kwh(10_100), B: kwh(10_000, location_g=10_001)})
    decision = decide(before, (), now, materiality_ppm=FIVE_PERCENT)
    assert [each.reason for each in decision.corrections] == ["energy_late", "energy_late"]


def test_a_row_that_is_no_more_is_taken_back_whole() -> None:
    before, now = statement({A: kwh(10_000), B: kwh(7)}), statement({A: kwh(10_000)})
    decision = decide(before, (), now, materiality_ppm=FIVE_PERCENT)
    (only,) = decision.corrections
    assert only.line.key == B
    assert plus(kwh(7), only.line.amounts) == kwh(0)


def test_a_factor_that_was_missing_is_added_and_not_counted_as_zero_before() -> None:
    unknown = replace(kwh(100), location_g=None, location_annual_g=None, unweighed_wh=100)
    before, now = statement({A: kwh(10_000), B: unknown}), statement({A: kwh(10_000), B: kwh(100)})
    decision = decide(before, (), now, materiality_ppm=FIVE_PERCENT)
    (only,) = decision.corrections
    assert decision.outcome is Outcome.POST
    assert (only.line.amounts.location_g, only.line.amounts.unweighed_wh) == (100, -100)
    zero = decide(statement({B: unknown}), (), statement({B: replace(unknown, location_g=0)}), materiality_ppm=1)
    assert zero.corrections, "that it is known to be 0 is news too"


def test_what_becomes_unknown_needs_a_new_version() -> None:
    before, now = statement({A: kwh(100)}), statement({A: replace(kwh(100), market_g=None)})
    decision = decide(before, (), now, materiality_ppm=FIVE_PERCENT)
    assert (decision.outcome, decision.reason) == (Outcome.NEW_VERSION, Reason.METHOD_CHANGE)
    assert decision.because == "market_g of CC / nlp / a / training / par1 / gpu was known and is not known now."


def test_another_method_needs_a_new_version_however_small() -> None:
    same = statement({A: kwh(100)})
    for now in (
        replace(same, location_method="hourly"),
        replace(same, period=replace(same.period, timezone="UTC")),
        replace(same, currency="USD"),
        replace(same, rows=(replace(same.rows[0], scope="3", category="1"),)),
    ):
        decision = decide(same, (), now, materiality_ppm=FIVE_PERCENT)
        assert (decision.outcome, decision.reason) == (Outcome.NEW_VERSION, Reason.METHOD_CHANGE)
        assert decision.because
    named = decide(same, (), same, materiality_ppm=FIVE_PERCENT, reason=Reason.METHOD_CHANGE)
    assert named.outcome is Outcome.NEW_VERSION


def test_a_reason_that_somebody_gives_is_the_reason_of_every_row() -> None:
    before, now = statement({A: kwh(10_000)}), statement({A: kwh(10_001)})
    decision = decide(before, (), now, materiality_ppm=FIVE_PERCENT, reason=Reason.ERROR)
    assert (decision.reason, decision.corrections[0].reason) == (Reason.ERROR, "error")


def test_anything_is_material_where_nothing_was_reported() -> None:
    decision = decide(statement({}), (), statement({A: kwh(1)}), materiality_ppm=FIVE_PERCENT)
    assert decision.outcome is Outcome.NEW_VERSION
    assert "what was nothing" in decision.because


_GRAMS = st.none() | st.integers(0, 10**6)
_AMOUNTS = st.builds(
    lambda it, more, grams, market: Amounts(it, it + more, it, 0, 0, 0, grams, grams, grams, market, None, it, 0),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    _GRAMS,
    _GRAMS,
)
_KEYS = st.sampled_from([(*A[:2], name, *A[3:]) for name in "abcde"])
_ROWS = st.dictionaries(_KEYS, _AMOUNTS, max_size=5)


@given(_ROWS, st.lists(_ROWS, max_size=6), st.sampled_from([1, FIVE_PERCENT, 10**9]))
def test_p8_reported_and_posted_is_always_what_is_known(
    first: dict[Key, Amounts], later: Sequence[dict[Key, Amounts]], materiality_ppm: int
) -> None:
    """P8: over any series of late arrivals and revisions, with corrections, new versions and what reverses them."""
    reported, version = statement(first), 1
    posted: list[Posting] = []
    for rows in later:
        best = statement(rows)
        mine = [each for each in posted if each.version == version]
        decision = decide(reported, mine, best, materiality_ppm=materiality_ppm)
        if decision.outcome is Outcome.NEW_VERSION:
            back = reversal(mine)
            posted += (
                [replace(posting(decision, len(mine) + 1, version), corrections=back, reverses=True)] if back else []
            )
            reported, version = best, version + 1
        elif decision.outcome is Outcome.POST:
            posted.append(posting(decision, len(mine) + 1, version))
        everything = with_postings(reported.rows, [each for each in posted if each.version == version])
        known = {key_of(each): each.amounts for each in best.rows}
        assert {k: v for k, v in everything.items() if k in known} == known
        for key in everything.keys() - known.keys():
            assert not any(getattr(everything[key], column) for column in COLUMNS)
        total = plus(added(each.amounts for each in reported.rows), total_of(_all(posted)))
        for column in COLUMNS:
            assert (getattr(total, column) or 0) == (getattr(best.total.amounts, column) or 0)


def _all(posted: Sequence[Posting]) -> list[Correction]:
    return [correction for each in posted for correction in each.corrections]


@given(_AMOUNTS, _AMOUNTS)
def test_a_delta_added_to_what_was_gives_what_is(before: Amounts, now: Amounts) -> None:
    found = plus(before, minus(now, before))
    for column in COLUMNS:
        if getattr(now, column) is not None:
            assert getattr(found, column) == getattr(now, column)


def test_what_was_posted_for_a_replaced_version_is_taken_back_once() -> None:
    before, now = statement({A: kwh(10_000)}), statement({A: kwh(10_100)})
    first = posting(decide(before, (), now, materiality_ppm=FIVE_PERCENT))
    back = replace(first, number=2, corrections=reversal([first]), reverses=True)
    assert [each.line.amounts.location_g for each in back.corrections] == [-100]
    assert reversal([first, back]) == ()
    assert total_of([*first.corrections, *back.corrections]).energy_it_wh == 0
    assert reversal([]) == ()
    assert total_of([]) == NOTHING
