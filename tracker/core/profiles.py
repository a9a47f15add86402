"""The shape of a year: how a grid's months and hours of the day (UTC) compare with each other.

A profile says how an official annual value may be spread over a year. It says nothing about the value itself: scaled,
its mean over every calendar year is the value that it was given, exactly; what is printed of it is rounded once.

    factor(month, hour) = annual x shape(month, hour) / mean of the shape over all hours of the year
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import product

DAY_S = 86_400
MONTHS, HOURS = range(1, 13), range(24)
#: Of each hour of the day in each month, half of the days: fewer are the weather of a week.
FEWEST_DAYS = 14


@dataclass(frozen=True, slots=True)
class Profile:
    """The mean of each (month, hour of the day in UTC), all 288 of them, in any unit."""

    means: Mapping[tuple[int, int], Fraction]


def profile_of(values: Iterable[tuple[int, Decimal]]) -> Profile:
    """From values by start of their interval (UTC seconds, hours or shorter), of a year or several. Raises ValueError
    where days are missing, or where all values are 0 and there is no shape."""
    found: dict[tuple[int, int], list[Fraction]] = {}
    days: dict[tuple[int, int], set[int]] = {}
    for at_s, value in values:
        at = datetime.fromtimestamp(at_s, UTC)
        found.setdefault((at.month, at.hour), []).append(Fraction(value))
        days.setdefault((at.month, at.hour), set()).add(at_s // DAY_S)
    for month, hour in product(MONTHS, HOURS):
        count = len(days.get((month, hour), ()))
        if count < FEWEST_DAYS:
            raise ValueError(f"month {month} has a value at {hour:02}:00 UTC on {count} days, not on {FEWEST_DAYS}")
    if not any(any(cell) for cell in found.values()):
        raise ValueError("every value is 0")
    return Profile({cell: sum(found[cell], Fraction(0)) / len(found[cell]) for cell in product(MONTHS, HOURS)})


def shares(profile: Profile, year: int) -> Mapping[tuple[int, int], Fraction]:
    """By (month, hour): what the annual value is multiplied with. Their mean over all hours of that calendar year (UTC)
    is 1: a month weighs as many days as it has in it."""
    days = {month: calendar.monthrange(year, month)[1] for month in MONTHS}
    total = sum((mean * days[month] for (month, _), mean in profile.means.items()), Fraction(0))
    mean_of_year = total / (sum(days.values()) * len(HOURS))
    return {cell: mean / mean_of_year for cell, mean in profile.means.items()}
