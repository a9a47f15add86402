"""Cut-off: every hour belongs to one month and one day, also where clocks change or zones are half an hour off."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from tracker.core.period import days_of, hours_of, month_of, months_before, period_of

PARIS, KOLKATA, KATHMANDU, HAVANA = (
    ZoneInfo(name) for name in ("Europe/Paris", "Asia/Kolkata", "Asia/Kathmandu", "America/Havana")
)


def _utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def test_a_month_begins_and_ends_by_the_declared_clock() -> None:
    period = period_of("2026-10", "Europe/Paris", PARIS)
    assert (period.start_s, period.end_s) == (_utc("2026-09-30T22:00"), _utc("2026-10-31T23:00"))
    assert (period.month, period.timezone) == ("2026-10", "Europe/Paris")


@pytest.mark.parametrize(
    ("month", "zone", "hours"),
    [
        ("2026-10", PARIS, 745),  # clocks go back: 31 days and an hour
        ("2026-03", PARIS, 743),
        ("2026-02", UTC, 672),
        ("2028-02", UTC, 696),
        ("2026-10", KOLKATA, 744),
        ("2026-10", KATHMANDU, 744),
    ],
)
def test_a_month_has_as_many_hours_as_its_clocks_show(month: str, zone: ZoneInfo, hours: int) -> None:
    period = period_of(month, "", zone)
    assert len(hours_of(period)) == len(days_of(period, zone)) == hours


def test_no_hour_is_in_two_months_or_in_none() -> None:
    for zone in (UTC, PARIS, KOLKATA, KATHMANDU, HAVANA):
        months = [hours_of(period_of(f"2026-{number:02}", "", zone)) for number in range(1, 13)]
        assert all(one[-1] + 3600 == other[0] for one, other in pairwise(months))


def test_the_hour_in_which_a_month_begins_belongs_to_the_month_before_in_half_hour_zones() -> None:
    """18:30 UTC is midnight in Kolkata: the hour from 18:00 starts in September."""
    october = hours_of(period_of("2026-10", "", KOLKATA))
    assert october[0] == _utc("2026-09-30T19:00")
    assert _utc("2026-09-30T18:00") in hours_of(period_of("2026-09", "", KOLKATA))
    assert days_of(period_of("2026-10", "", KOLKATA), KOLKATA)[october[0]] == "2026-10-01"


def test_days_are_those_of_the_clock() -> None:
    days = list(days_of(period_of("2026-10", "", PARIS), PARIS).values())
    assert days.count("2026-10-25") == 25
    assert days.count("2026-10-26") == 24
    assert sorted(set(days)) == [f"2026-10-{day:02}" for day in range(1, 32)]


def test_a_midnight_that_clocks_skip_begins_with_the_first_instant_after_it() -> None:
    """Havana's clocks go from 0:00 to 1:00 on 8 March 2026; no day begins twice or is lost."""
    days = days_of(period_of("2026-03", "", HAVANA), HAVANA)
    assert list(days.values()).count("2026-03-08") == 23


@pytest.mark.parametrize("text", ["2026-13", "2026-00", "2026-1", "0000-01", "26-10", "2026-10-01", "", "202\u0666-10"])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no month"):
        period_of(text, "UTC", UTC)


def test_the_months_before_are_the_oldest_first() -> None:
    assert months_before("2026-02", 3) == ("2025-11", "2025-12", "2026-01")


def test_the_month_of_an_instant_is_the_clocks() -> None:
    assert month_of(_utc("2026-10-31T23:30"), PARIS) == "2026-11"
    assert month_of(_utc("2026-10-31T23:30"), UTC) == "2026-10"
