"""What services say gets into the store once, whole chunks of it and nothing that is not possible; who fails is left
alone for a while and keeps nobody else from being asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.grid.scripted import HOUR_S, Scripted
from tracker.core.rereads import BEGUN, Job
from tracker.grid.breaker import after_failure, after_success, rests
from tracker.grid.fetching import Fetched, Outcome, refresh, remember
from tracker.grid.interface import BadAnswer, Denied, NoData, NotInPlan, ProviderError, Throttled, Unreachable
from tracker.grid.store import FactorStore, ProviderStatus
from tracker.grid.zones import find_zone

DAY_S = 24 * HOUR_S
FR, GB, DE = find_zone("FR"), find_zone("GB"), find_zone("DE")
START_S = int(datetime(2026, 9, 1, tzinfo=UTC).timestamp())
NOW_S = int(datetime(2026, 11, 25, 12, 10, tzinfo=UTC).timestamp())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FactorStore]:
    with FactorStore(tmp_path / "factors.db") as opened:
        yield opened


def count(store: FactorStore, zone: str = "FR") -> int:
    return len(store.records((zone,), 0, 1 << 40))


def one(outcomes: tuple[Outcome, ...]) -> Outcome:
    (outcome,) = outcomes
    return outcome


# --- what is due


def test_a_refresh_reads_what_is_due_and_remembers_it(store: FactorStore) -> None:
    provider = Scripted()
    first = one(refresh({FR: [provider]}, store, NOW_S))
    assert (first.provider, first.zone, first.error) == ("scripted", "FR", None)
    assert first.jobs == (Job.LATEST, Job.HOURLY, Job.DAILY, Job.MONTH_D20)
    assert first.fetched.new == first.fetched.rows == count(store)
    assert provider.asked[0] == (NOW_S - 600 - 23 * HOUR_S, NOW_S)
    provider.asked.clear()
    second = one(refresh({FR: [provider]}, store, NOW_S + 1800))
    assert second.jobs == (Job.LATEST,)
    assert provider.asked == [(NOW_S - 600 - 3 * HOUR_S, NOW_S + 1800)]
    assert second.fetched == Fetched(4, 0, 0, 4, NOW_S - 600 + HOUR_S)
    assert store.status("scripted") == ProviderStatus("scripted", 0, 0, NOW_S + 1800)


def test_latest_goes_on_where_the_service_knew_an_end(store: FactorStore) -> None:
    """A service whose values come late is asked from its own last hour on, not from the clock's."""
    provider = Scripted()
    provider.known_to_s = NOW_S - 600 - 8 * HOUR_S
    refresh({FR: [provider]}, store, NOW_S)
    provider.asked.clear()
    provider.known_to_s = 1 << 40
    refresh({FR: [provider]}, store, NOW_S + 1800)
    assert provider.asked == [(NOW_S - 600 - 8 * HOUR_S, NOW_S + 1800)]


def test_zones_that_a_service_does_not_know_are_not_asked_for(store: FactorStore) -> None:
    assert refresh({DE: [Scripted()]}, store, NOW_S) == ()


def test_one_service_that_fails_keeps_no_other_from_being_asked(store: FactorStore) -> None:
    broken, odd, well = Scripted("broken"), Scripted("odd"), Scripted("well")
    broken.fault = lambda *_: Denied("wrong key")
    odd.fault = lambda *_: ZeroDivisionError("odd")
    outcomes = refresh({FR: [broken, odd, well], GB: [broken, well]}, store, NOW_S)
    assert [(each.provider, each.zone, type(each.error).__name__) for each in outcomes] == [
        ("broken", "FR", "Denied"),
        ("odd", "FR", "BadAnswer"),
        ("well", "FR", "NoneType"),
        ("broken", "GB", "NoneType"),
        ("well", "GB", "NoneType"),
    ]
    assert outcomes[3].resting_until_s == NOW_S + 6 * HOUR_S
    assert count(store, "GB") > 0


def test_what_failed_is_due_again_and_what_was_read_before_it_stays(store: FactorStore) -> None:
    provider = Scripted()
    provider.fault = lambda start_s, _: Unreachable("gone") if start_s < NOW_S - 30 * HOUR_S else None
    outcome = one(refresh({FR: [provider]}, store, NOW_S))
    assert outcome.jobs == (Job.LATEST,)
    assert isinstance(outcome.error, Unreachable)
    assert outcome.fetched.new == count(store) == 24
    provider.fault = lambda *_: None
    provider.asked.clear()
    later = one(refresh({FR: [provider]}, store, NOW_S + 3 * HOUR_S))
    assert later.jobs == (Job.LATEST, Job.HOURLY, Job.DAILY, Job.MONTH_D20)


def test_a_plan_without_a_past_still_gives_the_last_day_every_hour(store: FactorStore) -> None:
    """The free plan of Electricity Maps: its 401 about the past must not cost the present."""
    provider = Scripted()
    provider.fault = lambda start_s, _: NotInPlan("not in your plan") if start_s < NOW_S - DAY_S - HOUR_S else None
    outcome = one(refresh({FR: [provider]}, store, NOW_S))
    assert (type(outcome.error), outcome.fetched.new) == (NotInPlan, 24)
    status = store.status("scripted")
    assert (status.failures, status.retry_at_s, status.last_ok_s) == (0, 0, NOW_S)
    assert (status.last_error_kind, status.last_error) == ("NotInPlan", "not in your plan")
    provider.asked.clear()
    later = one(refresh({FR: [provider]}, store, NOW_S + HOUR_S))
    assert later.error is None
    assert Job.HOURLY in later.jobs
    assert store.status("scripted").last_error == "not in your plan"  # still to be seen in between
    assert len(provider.asked) == 1
    assert all(start_s >= NOW_S - DAY_S for start_s, _ in provider.asked)


def test_one_bad_answer_about_the_past_costs_that_chunk_only(store: FactorStore) -> None:
    """An impossible value of last month stays where it is for ever; the hours around it are read all the same."""
    provider = Scripted()
    bad_s = NOW_S - 600 - 40 * DAY_S
    provider.fault = lambda start_s, end_s: BadAnswer("impossible") if start_s <= bad_s < end_s else None
    outcome = one(refresh({FR: [provider]}, store, NOW_S))
    assert isinstance(outcome.error, BadAnswer)
    assert outcome.jobs == (Job.LATEST, Job.HOURLY, Job.DAILY)
    oldest_s = min(record.row.valid_from_s for record in store.records(("FR",), 0, 1 << 40))
    assert oldest_s == int(datetime(2026, 10, 1, tzinfo=UTC).timestamp())
    assert store.status("scripted").failures == 0
    provider.asked.clear()
    refresh({FR: [provider]}, store, NOW_S + 1800)
    assert len(provider.asked) == 1  # the past rests for hours, not for ever
    refresh({FR: [provider]}, store, NOW_S + 4 * HOUR_S)
    assert len(provider.asked) > 3


def test_nothing_new_is_a_success(store: FactorStore) -> None:
    provider = Scripted()
    provider.fault = lambda *_: NoData("nothing yet")
    outcome = one(refresh({FR: [provider]}, store, NOW_S))
    assert (outcome.error, outcome.fetched) == (None, Fetched())
    assert store.status("scripted").last_ok_s == NOW_S
    assert store.last_read("scripted", "FR", Job.LATEST) is None


def test_a_good_value_survives_whatever_comes_after_it(store: FactorStore) -> None:
    provider = Scripted()
    refresh({FR: [provider]}, store, NOW_S)
    before = store.records(("FR",), 0, 1 << 40)
    provider.change = lambda row: replace(row, value_printed="9999")
    for poll in range(1, 6):
        refresh({FR: [provider]}, store, NOW_S + poll * 1800)
    assert store.records(("FR",), 0, 1 << 40) == before


def test_a_kill_in_the_month_before_costs_no_week_that_was_read(store: FactorStore) -> None:
    """A slow service: a poll that is ended at its deadline every time has to get further every time."""
    provider = Scripted()
    provider.fault = lambda start_s, _: KeyboardInterrupt() if start_s < NOW_S - 20 * DAY_S else None  # type: ignore[assignment,return-value] # no error
    with pytest.raises(KeyboardInterrupt):
        refresh({FR: [provider]}, store, NOW_S)
    asked = [store.last_read("scripted", "FR", job) for job in (Job.HOURLY, Job.DAILY, Job.MONTH_D20)]
    assert asked == [NOW_S, NOW_S, None]
    assert store.last_read("scripted", "FR", Job.LATEST) is not None


# --- forecasts


def test_a_forecast_is_read_once_an_hour(store: FactorStore) -> None:
    provider = Scripted(forecasts=True)
    assert one(refresh({FR: [provider]}, store, NOW_S)).forecast_points == 2
    assert one(refresh({FR: [provider]}, store, NOW_S + 1800)).forecast_points == 0
    assert one(refresh({FR: [provider]}, store, NOW_S + HOUR_S)).forecast_points == 2
    assert provider.forecasts_asked == 2
    assert [len(forecast.points) for forecast in store.forecasts("FR")] == [2]


@pytest.mark.parametrize("error", [Unreachable("gone"), NotInPlan("no forecasts"), ValueError("odd"), None])
def test_a_forecast_that_fails_changes_nothing_else(store: FactorStore, error: Exception | None) -> None:
    """None: it comes and no grid can have it."""
    provider = Scripted(forecasts=True)
    provider.forecast_fault = error
    provider.forecast_values = ("60", "-1")
    outcome = one(refresh({FR: [provider]}, store, NOW_S))
    assert (outcome.error, outcome.forecast_points) == (None, 0)
    assert isinstance(outcome.forecast_error, ProviderError)
    assert store.forecasts("FR") == ()
    assert store.status("scripted").failures == 0


# --- the circuit


def test_three_failures_open_it_and_each_trial_that_fails_for_twice_as_long(store: FactorStore) -> None:
    provider, now_s, waits_s = Scripted(), NOW_S, []
    provider.fault = lambda *_: Unreachable("gone")
    for _ in range(12):
        refresh({FR: [provider]}, store, now_s)
        status = store.status("scripted")
        waits_s.append(status.retry_at_s - now_s if status.retry_at_s else 0)
        asked = len(provider.asked)
        if status.retry_at_s:
            assert one(refresh({FR: [provider]}, store, status.retry_at_s - 1)).resting_until_s == status.retry_at_s
        assert len(provider.asked) == asked
        now_s = status.retry_at_s or now_s + 60
    assert waits_s == [0, 0, 300, 600, 1200, 2400, 4800, 9600, 19_200, 21_600, 21_600, 21_600]
    assert (status.failures, status.last_error_kind, status.last_ok_s) == (12, "Unreachable", None)
    assert len(provider.asked) == 12  # half open is one question


def test_a_trial_that_succeeds_closes_it(store: FactorStore) -> None:
    provider = Scripted()
    store.put_status(ProviderStatus("scripted", 7, NOW_S, NOW_S - DAY_S, "gone", "Unreachable"))
    refresh({FR: [provider]}, store, NOW_S)
    assert store.status("scripted") == ProviderStatus("scripted", 0, 0, NOW_S)


@pytest.mark.parametrize(
    ("error", "rest_s"),
    [
        (Denied("wrong key"), 6 * HOUR_S),
        (NotInPlan("not for this zone"), 6 * HOUR_S),
        (Throttled("too often", "", 1234), 1234),
        (Throttled("too often", "", 10**9), DAY_S),
        (Throttled("too often"), 300),
    ],
)
def test_some_failures_open_it_at_once_and_their_reason_is_kept(
    store: FactorStore, error: ProviderError, rest_s: int
) -> None:
    provider = Scripted()
    provider.fault = lambda *_: error
    assert one(refresh({FR: [provider]}, store, NOW_S)).error is error
    status = store.status("scripted")
    assert (status.retry_at_s, status.last_error_kind) == (NOW_S + rest_s, type(error).__name__)
    assert status.last_error == str(error)
    provider.asked.clear()
    refresh({FR: [provider]}, store, NOW_S + rest_s - 1)
    assert provider.asked == []
    refresh({FR: [provider]}, store, NOW_S + rest_s)
    assert len(provider.asked) == 1


def test_being_asked_too_often_about_the_past_opens_it_too(store: FactorStore) -> None:
    provider = Scripted()
    provider.fault = lambda start_s, _: Throttled("slow down", "", 900) if start_s < NOW_S - 2 * DAY_S else None
    outcome = one(refresh({FR: [provider]}, store, NOW_S))
    assert Job.LATEST in outcome.jobs
    assert store.status("scripted").retry_at_s == NOW_S + 900


# --- the year before


def year_is_due(store: FactorStore) -> Scripted:
    """A node that ran last year, in this year's autumn: everything is due."""
    store.mark_read("scripted", "FR", BEGUN, int(datetime(2025, 3, 1, tzinfo=UTC).timestamp()))
    return Scripted()


def hours_of_2025(store: FactorStore) -> int:
    begin_s, end_s = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (2025, 2026))
    return len(store.records(("FR",), begin_s, end_s))


def test_the_year_before_is_read_a_month_with_each_poll_and_no_month_twice(store: FactorStore) -> None:
    """All of it at once would take longer than a poll may, and begin anew with the next one, for ever."""
    provider, asked = year_is_due(store), []
    for poll in range(12):
        refresh({FR: [provider]}, store, NOW_S + poll * 1800)
        past = [each for each in provider.asked if each[1] < START_S]
        assert len(past) <= 4
        asked += past
        provider.asked.clear()
    assert hours_of_2025(store) == 365 * 24
    assert len(asked) == len(set(asked))
    assert store.last_read("scripted", "FR", Job.YEARLY) == NOW_S + 11 * 1800
    refresh({FR: [provider]}, store, NOW_S + 12 * 1800)
    assert all(start_s > NOW_S - 3 * DAY_S for start_s, _ in provider.asked)


def test_a_service_that_answers_twice_a_minute_gives_the_present_always_and_the_year_in_the_end(
    store: FactorStore,
) -> None:
    """Energy-Charts: what it refuses of the past must not make the present come every six hours only."""
    provider, asked = year_is_due(store), [0]
    provider.max_range_s = 31 * DAY_S  # type: ignore[misc] # as the service's own

    def third(_start_s: int, _end_s: int) -> ProviderError | None:
        asked[0] += 1
        return Throttled("too often") if asked[0] > 2 else None

    provider.fault = third
    for poll in range(40):
        asked[0] = 0
        outcome = one(refresh({FR: [provider]}, store, NOW_S + poll * 1800))
        assert Job.LATEST in outcome.jobs, f"poll {poll}"
        assert store.status("scripted").failures == 0, "it gave what is new"
    assert hours_of_2025(store) == 365 * 24
    assert store.last_read("scripted", "FR", Job.YEARLY) is not None


def test_a_month_that_is_impossible_keeps_the_rest_of_the_year_from_nobody(store: FactorStore) -> None:
    provider = year_is_due(store)
    bad_s = int(datetime(2025, 5, 5, tzinfo=UTC).timestamp())
    provider.fault = lambda start_s, end_s: BadAnswer("impossible") if start_s <= bad_s < end_s else None
    for poll in range(24):
        refresh({FR: [provider]}, store, NOW_S + poll * 4 * HOUR_S)
    assert store.last_read("scripted", "FR", Job.YEARLY) is not None
    assert 355 * 24 <= hours_of_2025(store) < 365 * 24


def test_a_key_that_is_good_for_the_present_only_gives_the_present_at_every_poll(store: FactorStore) -> None:
    """A 403 about the past says nothing about the key: it was just accepted."""
    provider = Scripted()
    provider.fault = lambda start_s, _: Denied("not for you") if start_s < NOW_S - DAY_S - HOUR_S else None
    for poll in range(3):
        now_s = NOW_S + poll * 1800
        assert Job.LATEST in one(refresh({FR: [provider]}, store, now_s)).jobs
        assert store.status("scripted").last_ok_s == now_s


def test_somebody_at_the_command_line_asks_anyway(store: FactorStore) -> None:
    provider = Scripted()
    remember(store, "scripted", NOW_S, Denied("wrong key"))
    assert refresh({FR: [provider]}, store, NOW_S)[0].resting_until_s == NOW_S + 6 * HOUR_S
    assert one(refresh({FR: [provider]}, store, NOW_S, ask_all=True)).error is None
    remember(store, "scripted", NOW_S, None)
    assert not rests(store.status("scripted"), NOW_S)


@pytest.mark.parametrize("error", [NoData("none"), NotInPlan("no past"), BadAnswer("impossible")])
def test_a_range_that_somebody_asked_for_in_vain_does_not_cost_the_next_hour(
    store: FactorStore, error: ProviderError
) -> None:
    remember(store, "scripted", NOW_S, error)
    assert store.status("scripted") == ProviderStatus("scripted")


def test_an_instant_written_under_a_wrong_clock_holds_nobody_up() -> None:
    assert not rests(ProviderStatus("scripted", 5, NOW_S + 400 * DAY_S), NOW_S)


def test_a_success_keeps_what_is_refused_all_the_same() -> None:
    failed = after_failure(ProviderStatus("scripted", last_ok_s=5), Unreachable("gone", "Wait."), NOW_S)
    assert failed == ProviderStatus("scripted", 1, 0, 5, "gone Wait.", "Unreachable")
    assert after_success(failed, NOW_S, NotInPlan("no past")) == ProviderStatus(
        "scripted", 0, 0, NOW_S, "no past", "NotInPlan"
    )
