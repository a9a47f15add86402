"""Every hour is read again after its day, whatever the node went through, and nothing is read twice in one go."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.core.rereads import BEGUN, DAY_S, HOUR_S, PAST_RESTS_UNTIL, YEAR, Due, Job, due, once_an_hour


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def text(ranges: tuple[Due, ...]) -> list[tuple[str, str, str]]:
    """(jobs, from, to) as people write them."""
    return [(" ".join(each.jobs), _minute(each.start_s), _minute(each.end_s)) for each in ranges]


def _minute(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M")


NOON = at("2026-11-25T12:10")
#: Everything was done five minutes ago.
DONE: Mapping[str, int] = {**dict.fromkeys(Job, NOON - 300), Job.LATEST: at("2026-11-25T12:00"), BEGUN: 0}


def test_a_poll_reads_the_last_three_hours() -> None:
    """What came in the meantime, and what was an estimate until now."""
    assert due(NOON, DONE) == (Due((Job.LATEST,), at("2026-11-25T09:00"), NOON, past=False),)


def test_the_first_poll_reads_a_day_a_week_and_the_month_before() -> None:
    assert text(due(at("2026-11-21T12:10"), {})) == [
        ("latest hourly daily", "2026-11-20T13:00", "2026-11-21T12:10"),
        ("hourly daily", "2026-11-19T12:00", "2026-11-20T13:00"),
        ("daily", "2026-11-14T12:00", "2026-11-19T12:00"),
        ("month_d20", "2026-10-01T00:00", "2026-11-01T00:00"),
    ]


@pytest.mark.parametrize(
    ("known_to", "start"),
    [
        ("2026-11-25T13:00", "2026-11-25T09:00"),
        ("2026-11-25T04:30", "2026-11-25T04:00"),
        ("2026-11-01T00:00", "2026-11-24T13:00"),
    ],
)
def test_latest_begins_where_knowledge_ends_within_a_day(known_to: str, start: str) -> None:
    """13:00: an interval that is still running is known, and read again all the same."""
    ranges = due(NOON, {**DONE, Job.LATEST: at(known_to)})
    assert text(ranges) == [("latest", start, "2026-11-25T12:10")]


def test_hourly_reads_two_days_once_in_each_hour_of_the_clock() -> None:
    assert text(due(NOON, {**DONE, Job.HOURLY: at("2026-11-25T11:59")})) == [
        ("latest hourly", "2026-11-24T13:00", "2026-11-25T12:10"),
        ("hourly", "2026-11-23T12:00", "2026-11-24T13:00"),
    ]


@pytest.mark.parametrize(
    ("last", "start"),
    [("2026-11-24T23:59", "2026-11-18T12:00"), ("2026-11-10T08:30", "2026-11-10T08:00"), (None, "2026-11-18T12:00")],
)
def test_daily_reads_a_week_or_since_it_last_did(last: str | None, start: str) -> None:
    done = {**DONE, Job.DAILY: at(last) if last else None, BEGUN: NOON - 300}
    assert text(due(NOON, done))[-1] == ("daily", start, "2026-11-24T13:00")


@pytest.mark.parametrize(
    "since", [{Job.DAILY: at("2025-03-01T00:00")}, {Job.DAILY: None, BEGUN: at("2026-01-05T00:00")}]
)
def test_a_node_that_was_off_or_cut_off_catches_up_for_31_days(since: dict[str, int | None]) -> None:
    assert due(NOON, {**DONE, **since})[-1].start_s == at("2026-10-25T12:00")


@pytest.mark.parametrize(
    ("now", "last", "job"),
    [
        ("2026-12-03T00:00", "2026-11-20T06:00", "month_d3"),
        ("2026-12-09T23:59", "2026-11-30T00:00", "month_d3"),
        ("2026-12-10T00:00", "2026-12-03T06:00", "month_d10"),
        ("2026-12-20T00:00", "2026-12-10T06:00", "month_d20"),
        ("2026-12-31T00:00", "2026-12-19T06:00", "month_d20"),
    ],
)
def test_the_month_before_is_read_three_times(now: str, last: str, job: str) -> None:
    done: dict[str, int | None] = dict.fromkeys(Job, at(now))
    done |= dict.fromkeys((Job.MONTH_D3, Job.MONTH_D10, Job.MONTH_D20), at(last))
    assert text(due(at(now), done))[1:] == [(job, "2026-11-01T00:00", "2026-12-01T00:00")]
    assert len(due(at(now), {**done, job: at(now)})) == 1


def test_in_january_the_month_before_is_last_years_december() -> None:
    assert text(due(at("2027-01-03T00:00"), {}))[-1] == ("month_d3", "2026-12-01T00:00", "2026-12-27T00:00")


def test_a_month_job_that_was_missed_is_made_up_for_until_the_next_month_has_its_own() -> None:
    off_since: dict[str, int | None] = {
        **DONE,
        **dict.fromkeys((Job.MONTH_D3, Job.MONTH_D10, Job.MONTH_D20), at("2026-11-11T00:00")),
    }
    assert text(due(at("2026-12-02T12:00"), off_since))[-1] == ("month_d20", "2026-10-01T00:00", "2026-11-01T00:00")


def test_the_year_before_is_read_once_from_february_in_parts() -> None:
    january, february = at("2027-01-31T23:59"), at("2027-02-01T00:00")
    done = {**DONE, BEGUN: at("2026-05-05T00:00"), Job.YEARLY: at("2026-02-01T00:10")}
    done[Job.YEAR_PART] = at("2025-12-08T00:00")
    assert not {*YEAR} & {job for each in due(january, done) for job in each.jobs}
    assert text(due(february, done))[-1] == ("year_part", "2026-01-01T00:00", "2026-02-01T00:00")
    done[Job.YEAR_PART] = at("2026-02-01T00:00")
    assert text(due(february, done))[-1] == ("year_part", "2026-02-01T00:00", "2026-03-04T00:00")
    done[Job.YEAR_PART] = at("2026-12-08T00:00")
    assert text(due(february, done))[-1] == ("month_d20 yearly", "2026-12-01T00:00", "2027-01-01T00:00")
    assert not {*YEAR} & {job for each in due(february + 60, {**done, Job.YEARLY: february}) for job in each.jobs}


def test_a_node_that_is_new_this_year_has_no_year_to_read() -> None:
    assert Job.YEAR_PART not in {job for each in due(NOON, {BEGUN: at("2026-01-01T00:00")}) for job in each.jobs}
    assert Job.YEAR_PART in {job for each in due(NOON, {BEGUN: at("2025-12-31T23:00")}) for job in each.jobs}


def test_while_the_past_rests_the_last_day_is_read_and_counts() -> None:
    """A plan that sells the last 24 hours only: its hours are still read again while they can be."""
    resting = {BEGUN: 0, PAST_RESTS_UNTIL: NOON + 1}
    assert text(due(NOON, resting)) == [("latest hourly daily", "2026-11-24T13:00", "2026-11-25T12:10")]
    assert len(due(NOON + 1, resting)) > 1


@pytest.mark.parametrize("name", [Job.HOURLY, Job.DAILY, Job.MONTH_D20, Job.YEARLY, PAST_RESTS_UNTIL])
def test_an_instant_written_under_a_wrong_clock_holds_nothing_up(name: str) -> None:
    """The clock was in 2035 once; that must not keep a job from running until then."""
    wrong = at("2035-01-01T00:00")
    assert due(NOON, {BEGUN: 1, name: wrong}) == due(NOON, {BEGUN: 1})


def test_forecasts_are_read_once_in_each_hour() -> None:
    assert once_an_hour(NOON, None)
    assert not once_an_hour(NOON, NOON - 600)
    assert once_an_hour(NOON, NOON - 601)


instants = st.integers(at("2020-01-01T00:00"), at("2040-01-01T00:00"))


@given(instants, st.dictionaries(st.sampled_from([*Job, BEGUN, PAST_RESTS_UNTIL]), st.none() | instants))
def test_ranges_never_overlap_and_never_hold_both_the_last_day_and_the_past(
    now_s: int, last: dict[str, int | None]
) -> None:
    ranges = due(now_s, last)
    assert ranges[0].end_s == now_s
    assert Job.LATEST in ranges[0].jobs
    for each in ranges:
        assert each.start_s < each.end_s
        assert each.start_s % HOUR_S == 0
        assert each.past == (each.start_s < now_s - DAY_S)
        assert not (each.past and each.end_s > now_s - DAY_S + HOUR_S)
    assert all(newer.start_s >= older.end_s for newer, older in pairwise(ranges))


@st.composite
def lives(draw: st.DrawFn) -> list[tuple[int, bool]]:
    """Instants at which a node polled, days to weeks or minutes apart, and whether the service answered then."""
    now_s, runs = draw(instants), []
    for _ in range(draw(st.integers(1, 25))):
        now_s += draw(st.integers(60, 5400) | st.integers(HOUR_S, 3 * DAY_S) | st.integers(DAY_S, 40 * DAY_S))
        runs.append((now_s, draw(st.booleans())))
    return [*runs[:-1], (now_s, True)]


@given(lives(), st.integers(0, 5))
def test_every_hour_of_the_last_week_was_read_after_its_day(life: list[tuple[int, bool]], late_h: int) -> None:
    """After any sequence of polls, good and bad, of a service whose data come ``late_h`` hours late: once the newest
    poll was good, each hour of the 7 days before it, up to today's, was read when its UTC day was over."""
    last: dict[str, int | None] = {}
    read_at_s: dict[int, int] = {}
    for now_s, answered in life:
        last.setdefault(BEGUN, now_s)
        if not answered:
            continue
        ranges = due(now_s, last)
        for each in ranges:
            if each.end_s > now_s - 40 * DAY_S:
                read_at_s |= dict.fromkeys(range(each.start_s, each.end_s, HOUR_S), now_s)
            last |= dict.fromkeys(each.jobs, now_s)
        last[Job.LATEST] = now_s // HOUR_S * HOUR_S - late_h * HOUR_S
    end_s = life[-1][0]
    for hour_s in range((end_s // HOUR_S - 7 * 24 + 1) * HOUR_S, end_s // DAY_S * DAY_S, HOUR_S):
        assert read_at_s[hour_s] >= (hour_s // DAY_S + 1) * DAY_S
