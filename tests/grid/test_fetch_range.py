"""A range that somebody names: the newest part first, whole chunks of it, and nothing that is not possible."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.grid.scripted import HOUR_S, Scripted
from tracker.core.factors import Basis, Origin, Scheme
from tracker.grid.fetch_range import PAUSE_S, fetch
from tracker.grid.fetching import Fetched
from tracker.grid.interface import BadAnswer, NoData, NotInPlan, ProviderError, Throttled, Unreachable
from tracker.grid.store import FactorStore
from tracker.grid.zones import find_zone

DAY_S = 24 * HOUR_S
FR = find_zone("FR")
START_S = int(datetime(2026, 9, 1, tzinfo=UTC).timestamp())
NOW_S = int(datetime(2026, 11, 25, 12, 10, tzinfo=UTC).timestamp())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FactorStore]:
    with FactorStore(tmp_path / "factors.db") as opened:
        yield opened


def count(store: FactorStore, zone: str = "FR") -> int:
    return len(store.records((zone,), 0, 1 << 40))


def test_a_range_is_read_in_chunks_and_said_as_it_goes(store: FactorStore) -> None:
    provider, told = Scripted(), list[tuple[int, int]]()
    whole = 25 * DAY_S
    outcome = fetch(provider, FR, START_S, START_S + whole, store, NOW_S, tell=lambda *done: told.append(done))
    assert (outcome.fetched, outcome.error) == (Fetched(600, 600, 0, 0, START_S + whole), None)
    assert provider.asked == [
        (START_S + 20 * DAY_S, START_S + 25 * DAY_S),
        (START_S + 10 * DAY_S, START_S + 20 * DAY_S),
        (START_S, START_S + 10 * DAY_S),
    ]
    assert told == [(5 * DAY_S, whole), (15 * DAY_S, whole), (whole, whole)]
    assert count(store) == 600


def test_reading_again_is_no_news_and_a_correction_supersedes(store: FactorStore) -> None:
    provider = Scripted()
    fetch(provider, FR, START_S, START_S + DAY_S, store, NOW_S)
    provider.values = {START_S + 5 * HOUR_S: "51"}
    again = fetch(provider, FR, START_S, START_S + DAY_S, store, NOW_S + 60)
    assert again.fetched == Fetched(24, 0, 1, 23, START_S + DAY_S)
    history = store.history(f"scripted:FR:{START_S + 5 * HOUR_S}")
    assert [(record.row.value_printed, record.recorded_at_s) for record in history] == [
        ("50", NOW_S),
        ("51", NOW_S + 60),
    ]


def test_a_value_that_is_taken_back_is_a_change_and_no_interval_that_the_service_knows(store: FactorStore) -> None:
    provider, last_s = Scripted(), START_S + 23 * HOUR_S
    fetch(provider, FR, START_S, last_s, store, NOW_S)
    provider.values = {START_S + 5 * HOUR_S: "", last_s: ""}  # the last one was never known
    again = fetch(provider, FR, START_S, START_S + DAY_S, store, NOW_S + 60)
    assert again.fetched == Fetched(22, 0, 1, 22, last_s)
    assert [record.row.value_printed for record in store.history(f"scripted:FR:{START_S + 5 * HOUR_S}")] == ["50", ""]
    assert store.history(f"scripted:FR:{last_s}") == ()


def test_an_answer_without_any_value_takes_nothing_back(store: FactorStore) -> None:
    """A service that has lost its data corrects nobody."""
    provider = Scripted()
    fetch(provider, FR, START_S, START_S + DAY_S, store, NOW_S)
    provider.change = lambda row: replace(row, value_printed="")
    assert fetch(provider, FR, START_S, START_S + DAY_S, store, NOW_S + 60).fetched == Fetched(kept=24)
    assert {record.row.value_printed for record in store.records(("FR",), 0, 1 << 40)} == {"50"}


def test_an_error_costs_its_chunk_and_none_before_it(store: FactorStore) -> None:
    """So does a kill: each chunk is in the store before the next one is asked for. What came is counted."""
    provider = Scripted()
    provider.fault = lambda start_s, _: Unreachable("gone") if start_s < START_S + 10 * DAY_S else None
    outcome = fetch(provider, FR, START_S, START_S + 25 * DAY_S, store, NOW_S)
    assert isinstance(outcome.error, Unreachable)
    assert (outcome.fetched.new, count(store)) == (360, 360)


def test_a_bad_part_keeps_no_other_from_being_read(store: FactorStore) -> None:
    provider = Scripted()
    provider.fault = lambda start_s, _: BadAnswer("html") if start_s == START_S + 10 * DAY_S else None
    outcome = fetch(provider, FR, START_S, START_S + 25 * DAY_S, store, NOW_S)
    assert isinstance(outcome.error, BadAnswer)
    assert (outcome.fetched.new, count(store)) == (360, 360)


def test_a_plan_without_the_past_gives_the_last_day_and_says_what_it_refused(store: FactorStore) -> None:
    """The last 24 hours are sold apart; read together with older ones, they would be lost with them."""
    day_ago_s = NOW_S // HOUR_S * HOUR_S - 23 * HOUR_S
    provider = Scripted()
    provider.fault = lambda start_s, _: NotInPlan("no past") if start_s < day_ago_s else None
    outcome = fetch(provider, FR, NOW_S - 48 * HOUR_S, NOW_S, store, NOW_S)
    assert isinstance(outcome.error, NotInPlan)
    assert provider.asked[0] == (day_ago_s, NOW_S)
    assert outcome.fetched.rows == count(store) > 20


def test_who_is_asked_too_often_is_waited_for(store: FactorStore) -> None:
    """Two questions a minute, and five to ask: all of it comes, in one run."""
    provider, naps_s = Scripted(), list[float]()
    budget = [2]

    def throttled(_start_s: int, _end_s: int) -> ProviderError | None:
        budget[0] -= 1
        return Throttled("too often") if budget[0] < 0 else None

    def wait(pause_s: float) -> None:
        naps_s.append(pause_s)
        budget[0] = 2

    provider.fault = throttled
    outcome = fetch(provider, FR, START_S, START_S + 50 * DAY_S, store, NOW_S, wait=wait)
    assert (outcome.error, outcome.fetched.new) == (None, 1200)
    assert naps_s == [PAUSE_S, PAUSE_S]


@pytest.mark.parametrize(("retry_after_s", "naps"), [(0, [PAUSE_S] * 3), (30, [30] * 3), (3600, [])])
def test_nobody_is_waited_for_without_end(store: FactorStore, retry_after_s: int, naps: list[int]) -> None:
    provider, naps_s = Scripted(), list[float]()
    provider.fault = lambda *_: Throttled("too often", "", retry_after_s)
    outcome = fetch(provider, FR, START_S, START_S + DAY_S, store, NOW_S, wait=naps_s.append)
    assert (type(outcome.error), naps_s) == (Throttled, naps)


def test_nothing_for_a_part_is_no_error_and_nothing_for_all_of_it_is_said(store: FactorStore) -> None:
    provider = Scripted()
    provider.fault = lambda start_s, _: NoData("none") if start_s < START_S + 10 * DAY_S else None
    outcome = fetch(provider, FR, START_S, START_S + 20 * DAY_S, store, NOW_S)
    assert (outcome.fetched.rows, outcome.error) == (240, None)
    assert isinstance(fetch(provider, FR, START_S, START_S + DAY_S, store, NOW_S).error, NoData)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"zone": "GB"}, "the zone 'GB' instead of FR"),
        ({"origin": Origin(provider="other")}, "a value of 'other'"),
        ({"valid_from_s": START_S - HOUR_S}, "not asked for"),
        ({"valid_from_s": 10**20}, "not asked for"),
        ({"valid_to_s": START_S + 3 * HOUR_S}, "of no or of absurd length"),
        ({"valid_to_s": START_S + 30 * DAY_S}, "more than two days is no hour's value, so give hours or days"),
        ({"valid_to_s": START_S + 5 * HOUR_S}, "overlap"),
        ({"valid_from_s": START_S + 3 * HOUR_S + 1800, "valid_to_s": START_S + 4 * HOUR_S + 1800}, "off the clock"),
        ({"valid_from_s": START_S + 3 * HOUR_S + 137, "valid_to_s": START_S + 4 * HOUR_S + 137}, "off the clock"),
        ({"quality_tier": 4}, "tier 4"),
        ({"scheme": Scheme.OPERATING_MARGIN}, "marginal"),
        ({"basis": Basis.RESIDUAL}, "residual"),
        ({"value_printed": "-0.1"}, "-0.1 g/kWh"),
        ({"value_printed": "2000.1"}, "2000.1 g/kWh"),
        ({"value_printed": "2.1", "unit_printed": "t/MWh"}, "2.1 t/MWh"),
        ({"value_printed": "NaN"}, "NaN g/kWh"),
        ({"unit_printed": "percentile"}, "50 percentile"),
        ({"factor_id": f"scripted:FR:{START_S}"}, "one name for two intervals"),
    ],
)
def test_what_a_provider_let_pass_is_not_kept(store: FactorStore, change: dict[str, object], said: str) -> None:
    """One impossible row, and none of its answer is used."""
    provider = Scripted()
    bad = {START_S + 3 * HOUR_S}
    provider.change = lambda row: replace(row, **change) if row.valid_from_s in bad else row  # type: ignore[arg-type] # by name
    error = fetch(provider, FR, START_S, START_S + DAY_S, store, NOW_S).error
    assert isinstance(error, BadAnswer)
    assert said in str(error)
    assert count(store) == 0


def test_a_service_that_breaks_our_reading_says_where_and_not_what(store: FactorStore) -> None:
    provider = Scripted()
    provider.fault = lambda *_: KeyError("tok-secret")
    error = fetch(provider, FR, START_S, START_S + DAY_S, store, NOW_S).error
    assert isinstance(error, BadAnswer)
    assert re.search(r"could not be read \(KeyError at scripted\.py:\d+\)", str(error))
    assert "tok-secret" not in str(error)
    assert error.__suppress_context__
