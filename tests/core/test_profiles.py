"""The shape of a year: spread over any calendar year, the annual value is still the annual value."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.thorough import thorough
from tracker.core.profiles import Profile, profile_of, shares

HOUR_S, DAY_S = 3600, 86_400
START_2025, START_2026 = 1_735_689_600, 1_767_225_600


def hours(start_s: int = START_2025, end_s: int = START_2026) -> Iterator[tuple[int, Decimal]]:
    """Nights are 10, days 30; December is twice as much."""
    for at_s in range(start_s, end_s, HOUR_S):
        at = datetime.fromtimestamp(at_s, UTC)
        yield at_s, Decimal(30 if 6 <= at.hour < 18 else 10) * (2 if at.month == 12 else 1)


def test_a_profile_is_the_mean_of_each_hour_of_each_month() -> None:
    profile = profile_of(hours())
    assert len(profile.means) == 288
    assert [profile.means[cell] for cell in ((1, 5), (1, 6), (12, 17))] == [10, 30, 60]
    halves = [(at_s + half, value + half) for at_s, value in hours() for half in (0, 1800)]
    assert profile_of(halves).means[1, 5] == 910, "half hours are as good"


def test_the_shares_of_a_year_weigh_months_by_their_days() -> None:
    """(334 x 20 + 31 x 40) / 365 is the mean of the shape; a night in January is 10 of it."""
    assert shares(profile_of(hours()), 2025)[1, 0] == Fraction(10 * 365, 334 * 20 + 31 * 40)
    assert shares(profile_of(hours()), 2028)[1, 0] == Fraction(10 * 366, 335 * 20 + 31 * 40), "a leap year"


def test_a_year_with_holes_is_one_and_half_a_year_is_none() -> None:
    gaps = [(at_s, value) for at_s, value in hours() if at_s // DAY_S % 3]
    assert profile_of(gaps).means[1, 5] == 10
    with pytest.raises(ValueError, match=r"month 7 has a value at 00:00 UTC on 0 days, not on 14"):
        profile_of(hours(end_s=START_2025 + 181 * DAY_S))
    with pytest.raises(ValueError, match="month 1 has a value at 00:00 UTC on 0 days"):
        profile_of([])
    halves = [(at_s + half, value) for at_s, value in hours() if at_s // DAY_S % 4 == 0 for half in (0, 1800)]
    with pytest.raises(ValueError, match="on 7 days"):
        profile_of(halves)


def test_nothing_but_zeros_has_no_shape() -> None:
    with pytest.raises(ValueError, match="every value is 0"):
        profile_of((at_s, Decimal(0)) for at_s, _ in hours())


cells = st.lists(st.integers(0, 10**6), min_size=288, max_size=288).filter(any)


@thorough
@given(cells, st.integers(1971, 2099))
def test_the_mean_over_any_year_is_the_annual_value_exactly(values: list[int], year: int) -> None:
    """Hour by hour over the calendar, so that no count of days is taken on trust."""
    names = [(month, hour) for month in range(1, 13) for hour in range(24)]
    share = shares(Profile({name: Fraction(value, 1000) for name, value in zip(names, values, strict=True)}), year)
    start, end = (int(datetime(each, 1, 1, tzinfo=UTC).timestamp()) // DAY_S for each in (year, year + 1))
    months = [datetime.fromtimestamp(day * DAY_S, UTC).month for day in range(start, end)]
    by_month = {month: sum(share[month, hour] for hour in range(24)) for month in range(1, 13)}
    assert sum(by_month[month] for month in months) == len(months) * 24
