"""Which ranges of live values are read again, and when: what was published moves for days, sometimes for months.

Electricity Maps was seen to change values 19 hours and 5 months later, NESO's "actual" is missing for hours, RTE
replaces real-time by consolidated by definitive values. So, all in UTC:

==============  ===========================================  =========================
job             range                                        when
==============  ===========================================  =========================
latest          from the newest known interval, 3 to 24 h    at every poll
hourly          the last 48 h                                once an hour
daily           the last 7 days; since the last success,     once a day
                at most 31 days, where that is longer
month_d3 …_d20  the whole month before                       from the 3rd, 10th, 20th
year_part       of the year before, 31 days further          from 1 February
yearly          the rest of it                               after the last part
==============  ===========================================  =========================

A month job that was missed is made up for by the next one. The year is left out where nothing was asked for in it: a
node that is new has nothing to weigh there. It is read in parts, one with each poll: at once, a service of short pages
or of few questions a minute would not get to its end before the poll's, and begin anew with the next one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

HOUR_S = 3600
DAY_S = 24 * HOUR_S
_CATCH_UP_S = 31 * DAY_S
_YEARLY_MONTH = 2
_YEAR_PART_S = 31 * DAY_S


class Job(StrEnum):
    LATEST = "latest"
    HOURLY = "hourly"
    DAILY = "daily"
    MONTH_D3 = "month_d3"
    MONTH_D10 = "month_d10"
    MONTH_D20 = "month_d20"
    YEAR_PART = "year_part"
    YEARLY = "yearly"


#: Jobs of which ``last`` knows up to where they got, and not when.
PLACES = (Job.LATEST, Job.YEAR_PART)
#: Jobs that go on behind what is no use.
YEAR = (Job.YEAR_PART, Job.YEARLY)
#: Beside the jobs, ``last`` knows these instants: when this zone was first asked for, until when what is older than a
#: day is left alone, because the service refused it or answered badly, and when forecasts were last read.
BEGUN, PAST_RESTS_UNTIL, FORECAST = "begun", "past_rests_until", "forecast"
_MONTHLY = {3: Job.MONTH_D3, 10: Job.MONTH_D10, 20: Job.MONTH_D20}


@dataclass(frozen=True, slots=True)
class Due:
    """A range to read, [start_s, end_s), for all of ``jobs``. A job has succeeded when each range that names it has.

    ``past``: older than a day. Services sell the last day and the past apart, so that no range has both.
    """

    jobs: tuple[Job, ...]
    start_s: int
    end_s: int
    past: bool


def begin_of_last_day(now_s: int) -> int:
    """The whole hour from which on services sell what is new, rounded up: within the last day for whoever counts."""
    return -((DAY_S - now_s) // HOUR_S) * HOUR_S


def due(now_s: int, last: Mapping[str, int | None]) -> tuple[Due, ...]:
    """What is to be read now, the newest first; no two ranges overlap. The last day is one range: services count
    questions.

    ``last``: for ``latest`` the end of the newest interval that is known, for ``year_part`` that of its last range, for
    the other jobs the instant of their last success; None or absent: never. An instant that is still to come was
    written under a wrong clock: never.
    """
    day_ago_s = begin_of_last_day(now_s)
    windows = _windows(now_s, day_ago_s, last)
    lately = {job: max(start_s, day_ago_s) for job, (start_s, end_s) in windows.items() if end_s > day_ago_s}
    ranges = [Due(tuple(lately), min(lately.values()), now_s, past=False)]
    read_from_s = day_ago_s
    for from_s, to_s in windows.values():
        end_s = min(to_s, read_from_s)
        if from_s < end_s:
            jobs = tuple(job for job, (start_s, until_s) in windows.items() if start_s < end_s and from_s < until_s)
            ranges.append(Due(jobs, from_s, end_s, past=True))
            read_from_s = from_s
    return tuple(ranges)


def once_an_hour(now_s: int, last_s: int | None) -> bool:
    """Whether a new hour has begun, by the clock: that does not drift with how long the polls take."""
    return last_s is None or last_s // HOUR_S != now_s // HOUR_S


def _windows(now_s: int, day_ago_s: int, last: Mapping[str, int | None]) -> dict[Job, tuple[int, int]]:
    """The whole range of each job that is due, the newest first."""
    done = {name: at_s for name, at_s in last.items() if at_s is not None and at_s <= now_s}
    windows = {Job.LATEST: (_latest_from(now_s, day_ago_s, last.get(Job.LATEST)), now_s)}
    if once_an_hour(now_s, done.get(Job.HOURLY)):
        windows[Job.HOURLY] = (_hour(now_s - 2 * DAY_S), now_s)
    daily_s = done.get(Job.DAILY)
    if daily_s is None or daily_s // DAY_S != now_s // DAY_S:
        since_s = max(daily_s or done.get(BEGUN, now_s), now_s - _CATCH_UP_S)
        windows[Job.DAILY] = (_hour(min(since_s, now_s - 7 * DAY_S)), now_s)
    windows |= _month(now_s, done) | _year(now_s, done)
    if now_s < (last.get(PAST_RESTS_UNTIL) or 0) <= now_s + DAY_S:
        return {job: (max(start, day_ago_s), end) for job, (start, end) in windows.items() if end > day_ago_s}
    return windows


def _latest_from(now_s: int, day_ago_s: int, known_to_s: int | None) -> int:
    if known_to_s is None:
        return day_ago_s
    return max(day_ago_s, _hour(min(known_to_s, now_s - 3 * HOUR_S)))


def _month(now_s: int, done: Mapping[str, int]) -> dict[Job, tuple[int, int]]:
    """The month before the newest of the days that has come, unless one of the jobs was done since then."""
    now = datetime.fromtimestamp(now_s, UTC)
    month = now.replace(day=1, hour=0, minute=0, second=0)
    passed = [day for day in _MONTHLY if day <= now.day]
    if not passed:
        month, passed = _month_before(month), [*_MONTHLY]
    day = passed[-1]
    if max(done.get(job, 0) for job in _MONTHLY.values()) >= month.replace(day=day).timestamp():
        return {}
    return {_MONTHLY[day]: (int(_month_before(month).timestamp()), int(month.timestamp()))}


def _month_before(month: datetime) -> datetime:
    return month.replace(year=month.year - 1, month=12) if month.month == 1 else month.replace(month=month.month - 1)


def _year(now_s: int, done: Mapping[str, int]) -> dict[Job, tuple[int, int]]:
    now = datetime.fromtimestamp(now_s, UTC)
    year = now.year if now.month >= _YEARLY_MONTH else now.year - 1
    start_s, end_s = _january_s(year - 1), _january_s(year)
    from_s = int(datetime(year, _YEARLY_MONTH, 1, tzinfo=UTC).timestamp())
    if done.get(Job.YEARLY, 0) >= from_s or done.get(BEGUN, now_s) >= end_s:
        return {}
    got_to_s = _hour(done.get(Job.YEAR_PART, start_s))
    if start_s < got_to_s < end_s:
        start_s = got_to_s
    if end_s - start_s <= _YEAR_PART_S:
        return {Job.YEARLY: (start_s, end_s)}
    return {Job.YEAR_PART: (start_s, start_s + _YEAR_PART_S)}


def _january_s(year: int) -> int:
    return int(datetime(year, 1, 1, tzinfo=UTC).timestamp())


def _hour(at_s: int) -> int:
    return at_s // HOUR_S * HOUR_S
