"""Calendar months of a declared time zone, in whole UTC hours: the cut-off of a statement.

The lake's hours are hours of UTC. An hour belongs to the month, and to the day, in which it starts. In zones that lie
30 or 45 minutes off, the hour in which a month begins therefore belongs to the month before, where it starts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, tzinfo

from tracker.core.hours import HOUR_S
from tracker.core.statement import Period

_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")


def period_of(month: str, timezone: str, zone: tzinfo) -> Period:
    """``month`` as 2026-10; ``zone`` is what ``timezone`` names. Raises ValueError for what is no month."""
    year, number = _numbers(month)
    return Period(month, timezone, _start_s(year, number, zone), _start_s(*_after(year, number, 1), zone))


def month_of(at_s: int, zone: tzinfo) -> str:
    """The month that an instant (UTC seconds) lies in."""
    return f"{datetime.fromtimestamp(at_s, zone):%Y-%m}"


def months_before(month: str, count: int) -> tuple[str, ...]:
    """The ``count`` months before ``month``, the oldest first. Raises ValueError for what is no month."""
    year, number = _numbers(month)
    return tuple("{:04}-{:02}".format(*_after(year, number, -back)) for back in range(count, 0, -1))


def hours_of(period: Period) -> range:
    """The starts (UTC seconds) of the hours that belong to it."""
    return range(-(-period.start_s // HOUR_S) * HOUR_S, period.end_s, HOUR_S)


def days_of(period: Period, zone: tzinfo) -> Mapping[int, str]:
    """The local day of each of its hours, as 2026-10-03, by start of the hour. The first hour of a month that begins
    inside an hour is the first that starts in it."""
    return {hour_s: f"{datetime.fromtimestamp(hour_s, zone):%Y-%m-%d}" for hour_s in hours_of(period)}


def _numbers(month: str) -> tuple[int, int]:
    found = _MONTH.fullmatch(month)
    if found is None or not found[1].strip("0"):
        raise ValueError(f"{month!r} is no month")
    return int(found[1]), int(found[2])


def _after(year: int, number: int, months: int) -> tuple[int, int]:
    years, zero_based = divmod(year * 12 + number - 1 + months, 12)
    return years, zero_based + 1


def _start_s(year: int, number: int, zone: tzinfo) -> int:
    """Midnight of the first day. Where clocks skip it or show it twice, the first instant of the day."""
    return int(datetime(year, number, 1, tzinfo=zone).timestamp())
