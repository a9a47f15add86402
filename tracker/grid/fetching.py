"""From services into the store: whatever is due. A range that somebody names is read by ``fetch_range.py``.

An answer is looked at once more before any of it is kept: what a provider let pass by mistake must not be booked. A
range is read in chunks and each is added by itself, so that a kill loses one chunk at most. The past is read from its
newest range to its oldest: what is needed first comes first.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from tracker.core.factors import FactorRow
from tracker.core.forecast import Forecast
from tracker.core.rereads import (
    BEGUN,
    DAY_S,
    FORECAST,
    HOUR_S,
    PAST_RESTS_UNTIL,
    PLACES,
    YEAR,
    Due,
    Job,
    due,
    once_an_hour,
)
from tracker.grid.breaker import after_failure, after_success, rests
from tracker.grid.catalogue import Zone
from tracker.grid.interface import BadAnswer, Denied, LiveProvider, NoData, NotInPlan, ProviderError, Throttled
from tracker.grid.screening import screened_forecast, screened_rows
from tracker.grid.store import FactorStore

#: What is kept beside the jobs.
_INSTANTS = (BEGUN, PAST_RESTS_UNTIL, FORECAST)
#: How long the past is left alone after an answer about it was bad or did not come.
_PAST_RESTS_S = 3 * HOUR_S

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of a range: intervals that the service knew, and what was news of them. ``known_to_s``: the end of the
    newest interval, None where there is none. ``kept``: values that the service no longer gives and that stay, because
    its answer has no value at all."""

    rows: int = 0
    new: int = 0
    changed: int = 0
    same: int = 0
    known_to_s: int | None = None
    kept: int = 0

    def __add__(self, other: Fetched) -> Fetched:
        ends = [end for end in (self.known_to_s, other.known_to_s) if end is not None]
        return Fetched(
            self.rows + other.rows,
            self.new + other.new,
            self.changed + other.changed,
            self.same + other.same,
            max(ends, default=None),
            self.kept + other.kept,
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a service fared for a zone. ``error``: why it was not read to the end, or, with ``jobs`` that were done all
    the same, which part of the past it refuses. ``resting_until_s``: it was not asked because of earlier failures."""

    provider: str
    zone: str
    fetched: Fetched = Fetched()
    jobs: tuple[Job, ...] = ()
    error: ProviderError | None = None
    forecast_points: int = 0
    forecast_error: ProviderError | None = None
    resting_until_s: int = 0


#: (ranges that are read, what came of them, those of them that were not read whole)
_Mark = Callable[[int, Fetched, Mapping[Due, ProviderError]], None]


def chunks(start_s: int, end_s: int, longest_s: int) -> Iterator[tuple[int, int]]:
    """The range cut into pieces of at most ``longest_s``, the oldest first."""
    for from_s in range(start_s, end_s, longest_s):
        yield from_s, min(from_s + longest_s, end_s)


def refresh(
    providers: Mapping[Zone, Sequence[LiveProvider]], store: FactorStore, now_s: int, *, ask_all: bool = False
) -> tuple[Outcome, ...]:
    """Read what is due of every zone from each of its services that knows it. ``ask_all``: those too that are left
    alone because they failed. Never raises ProviderError: one that fails keeps no other from being asked."""
    return tuple(
        _refresh_one(provider, zone, store, now_s, ask_all=ask_all)
        for zone, those in providers.items()
        for provider in those
        if provider.covers(zone)
    )


def forecast_of(provider: LiveProvider, zone: Zone, now_s: int) -> Forecast | None:
    """What a service expects, looked at once more; None: it forecasts nothing. Raises ProviderError."""
    forecast = _guarded(provider, lambda: provider.forecast(zone, now_s))
    return None if forecast is None else screened_forecast(provider.name, zone, forecast)


def remember(store: FactorStore, provider: str, now_s: int, error: ProviderError | None) -> None:
    """How a service fared when it was asked outside of ``refresh``: None closes its circuit. What is about the range
    that was asked for says nothing about the next hour and changes nothing."""
    if isinstance(error, NoData | NotInPlan | BadAnswer):
        return
    status = store.status(provider)
    store.put_status(after_failure(status, error, now_s) if error else after_success(status, now_s))


def _refresh_one(provider: LiveProvider, zone: Zone, store: FactorStore, now_s: int, *, ask_all: bool) -> Outcome:
    name, status = provider.name, store.status(provider.name)
    if rests(status, now_s) and not ask_all:
        return Outcome(name, zone.code, resting_until_s=status.retry_at_s)
    last = {key: store.last_read(name, zone.code, key) for key in (*Job, *_INSTANTS)}
    if last[BEGUN] is None:
        store.mark_read(name, zone.code, BEGUN, now_s)
    ranges = due(now_s, last)

    def mark(number: int, fetched: Fetched, failures: Mapping[Due, ProviderError]) -> None:
        """At once, for the process may be ended at its deadline: the jobs of which nothing is left to read."""
        read, left = ranges[:number], set(_jobs(ranges[number:]))
        jobs = [job for job in _done(read, failures) if job not in left]
        _mark(store, provider, zone, jobs, _places(read, fetched, last[Job.LATEST]), now_s)

    fetched, failures = _read_all(provider, zone, ranges, store, now_s, mark)
    jobs = _done(ranges, failures)
    error = _worst(failures.values())
    if error is not None and ranges[0] in failures:
        store.put_status(after_failure(status, error, now_s))
        return Outcome(name, zone.code, fetched, jobs, error)
    if isinstance(error, Throttled):  # it gave what is new all the same: it rests, but it does not fail
        rested = after_failure(after_success(status, now_s), error, now_s)
        store.put_status(replace(rested, failures=0))
        return Outcome(name, zone.code, fetched, jobs, error)
    if error is not None:
        # That the past is refused or bad is no reason to ask for the present less often.
        rest_s = DAY_S if isinstance(error, NotInPlan | Denied) else _PAST_RESTS_S
        store.mark_read(name, zone.code, PAST_RESTS_UNTIL, now_s + rest_s)
    past_rests = now_s < (last[PAST_RESTS_UNTIL] or 0)
    store.put_status(after_success(status, now_s, error, keep=past_rests))
    outcome = Outcome(name, zone.code, fetched, jobs, error)
    return _with_forecast(outcome, provider, zone, store, now_s) if once_an_hour(now_s, last[FORECAST]) else outcome


def _read_all(
    provider: LiveProvider, zone: Zone, ranges: Sequence[Due], store: FactorStore, now_s: int, mark: _Mark
) -> tuple[Fetched, dict[Due, ProviderError]]:
    """What came, and the ranges that were not read whole. A bad answer about the past is passed over, since it stays as
    it is; any other error ends the reading."""
    fetched, failures = Fetched(), dict[Due, ProviderError]()
    for number, each in enumerate(ranges):
        for from_s, to_s in chunks(each.start_s, each.end_s, provider.max_range_s):
            try:
                fetched += read_chunk(provider, zone, from_s, to_s, store, now_s)
            except NoData:
                continue
            except ProviderError as error:
                failures.setdefault(each, error)
                if not (each.past and isinstance(error, BadAnswer)):
                    return fetched, failures | dict.fromkeys(ranges[number:], error)
        mark(number + 1, fetched, failures)
    return fetched, failures


def _done(ranges: Sequence[Due], failures: Mapping[Due, ProviderError]) -> tuple[Job, ...]:
    """The jobs that succeeded. What of the year is no use stays so: whoever waited for it would never get further."""
    undone = {
        job
        for each, error in failures.items()
        for job in each.jobs
        if not (job in YEAR and isinstance(error, BadAnswer))
    }
    return tuple(job for job in dict.fromkeys(_jobs(ranges)) if job not in undone)


def read_chunk(provider: LiveProvider, zone: Zone, start_s: int, end_s: int, store: FactorStore, now_s: int) -> Fetched:
    """Read, look at it once more, keep it. Raises ProviderError, and then nothing of it is kept. A service's answer
    without any value takes nothing back, and ``kept`` says of how many. With what reaches to now comes what is
    known in advance."""
    end_s += provider.ahead_s if end_s >= now_s else 0
    rows = _guarded(provider, lambda: provider.read(zone, start_s, end_s, now_s))
    checked = screened_rows(provider.name, zone, start_s, end_s, rows)
    valued = [row for row in checked if row.value_printed]
    is_taken = bool(valued) or provider.may_take_all_back
    added = store.append(checked if is_taken else (), now_s)
    kept = 0 if is_taken else _known_of(checked, store)
    known_to_s = max((row.valid_to_s for row in valued), default=None)
    return Fetched(len(valued), added.new, added.changed, added.same, known_to_s, kept)


def _known_of(rows: Sequence[FactorRow], store: FactorStore) -> int:
    """How many of them have a value in the store."""
    if not rows:
        return 0
    start_s, end_s = min(row.valid_from_s for row in rows), max(row.valid_to_s for row in rows)
    ids = {row.factor_id for row in rows}
    records = store.records({row.zone for row in rows}, start_s, end_s)
    return sum(record.row.factor_id in ids and record.row.value_printed != "" for record in records)


def _with_forecast(outcome: Outcome, provider: LiveProvider, zone: Zone, store: FactorStore, now_s: int) -> Outcome:
    """Advice only: that it fails changes nothing but itself, and it is asked for again in the next hour."""
    store.mark_read(provider.name, zone.code, FORECAST, now_s)
    try:
        forecast = forecast_of(provider, zone, now_s)
        if forecast is None:
            return outcome
        store.append_forecast(forecast, now_s)
    except NoData:
        return outcome
    except ProviderError as error:
        return replace(outcome, forecast_error=error)
    return replace(outcome, forecast_points=len(forecast.points))


def _worst(errors: Collection[ProviderError]) -> ProviderError | None:
    """The first of those that are about all that is asked, else the first."""
    about_all = (error for error in errors if isinstance(error, Throttled | Denied))
    return next(about_all, next(iter(errors), None))


def _guarded(provider: LiveProvider, call: Callable[[], _Result]) -> _Result:
    """An answer that breaks our own reading of it is a bad answer: one service's oddity keeps no other from being
    asked. The error's text may hold what was sent; it and its chain are left out."""
    try:
        return call()
    except ProviderError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it is about this answer only
        place = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"
        sentence = f"{provider.name} answered with something that could not be read ({what})."
        raise BadAnswer(sentence, "Please report this.") from None


def _places(ranges: Sequence[Due], fetched: Fetched, known_to_s: int | None) -> dict[Job, int]:
    """Up to where the jobs got that remember it: what is new up to what the service knows."""
    places = {Job.YEAR_PART: max((each.end_s for each in ranges if Job.YEAR_PART in each.jobs), default=0)}
    if fetched.known_to_s is not None:
        places[Job.LATEST] = max(fetched.known_to_s, known_to_s or 0)
    return places


def _mark(
    store: FactorStore, provider: LiveProvider, zone: Zone, jobs: Sequence[Job], places: Mapping[Job, int], now_s: int
) -> None:
    """Remember what succeeded: the jobs when, or up to where."""
    for job in jobs:
        at_s = places.get(job) if job in PLACES else now_s
        if at_s is not None:
            store.mark_read(provider.name, zone.code, job, at_s)


def _jobs(ranges: Iterable[Due]) -> Iterator[Job]:
    for each in ranges:
        yield from each.jobs
