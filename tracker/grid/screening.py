"""A second look at what a provider made of an answer, before any of it is kept.

Providers refuse bad answers themselves; this holds for all of them, for those that are still to be written too.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

from tracker.core.chain import is_of_hours
from tracker.core.factors import ESTIMATED, MEASURED, PROFILE, UNITS, Basis, FactorRow, Scheme, g_per_kwh
from tracker.core.forecast import Forecast
from tracker.grid.answers import MAX_G_PER_KWH, iso
from tracker.grid.catalogue import Zone
from tracker.grid.interface import BadAnswer

#: What lives in intervals: measured, estimated, or a profile of them. Annual factors come from tables.
_TIERS = (MEASURED, ESTIMATED, PROFILE)
_TOO_LONG = "the mean of more than two days is no hour's value, so give hours or days"
_HOUR_S = 3600
_SHOWN = 40


def screened_rows(
    provider: str, zone: Zone, start_s: int, end_s: int, rows: Sequence[FactorRow]
) -> Sequence[FactorRow]:
    """The rows, if all of them are what was asked for. Raises BadAnswer."""
    for row in rows:
        fault = _fault(provider, zone, start_s, end_s, row)
        if fault:
            raise _bad(provider, f"{fault} (interval from {_when(row.valid_from_s)})")
    for one, next_one in pairwise(rows):
        if next_one.valid_from_s < one.valid_to_s:
            raise _bad(provider, f"intervals that overlap or are out of order at {_when(next_one.valid_from_s)}")
    if len({row.factor_id for row in rows}) != len(rows):
        raise _bad(provider, "one name for two intervals")
    return rows


def _fault(provider: str, zone: Zone, start_s: int, end_s: int, row: FactorRow) -> str:
    """What is wrong with a row; "": nothing."""
    faults = (
        (row.zone != zone.code, f"the zone {row.zone[:_SHOWN]!r} instead of {zone.code}"),
        (row.origin.provider != provider, f"a value of {row.origin.provider[:_SHOWN]!r}"),
        (not start_s <= row.valid_from_s < end_s, "an interval that was not asked for"),
        (not is_of_hours(row), f"an interval of no or of absurd length: {_TOO_LONG}"),
        (_is_off_the_clock(row), "an interval that begins off the clock"),
        (row.quality_tier not in _TIERS, f"a value of tier {row.quality_tier}"),
        (row.scheme is not Scheme.AVERAGE, "a marginal value, which never belongs into an inventory"),
        (row.basis is Basis.RESIDUAL, "a residual mix, which is no mix of the grid"),
        (not _is_possible(row.value_printed, row.unit_printed), f"{row.value_printed[:_SHOWN]} {row.unit_printed}"),
    )
    return next((words for wrong, words in faults if wrong), "")


def _is_off_the_clock(row: FactorRow) -> bool:
    """What a service measures within an hour begins at a whole hour or a whole part of it; what people write into files
    of their own, or make for a local clock, begins at least at a minute."""
    length_s = row.valid_to_s - row.valid_from_s
    measured = row.origin.provider != "file" and row.quality_tier != PROFILE and 0 < length_s <= _HOUR_S
    return row.valid_from_s % (length_s if measured else 60) != 0


def _is_possible(printed: str, unit: str) -> bool:
    """``printed`` "": the service has no value there."""
    if not printed:
        return unit in UNITS
    try:
        return unit in UNITS and 0 <= g_per_kwh(Decimal(printed), unit) <= MAX_G_PER_KWH
    except ArithmeticError:
        return False


def screened_forecast(provider: str, zone: Zone, forecast: Forecast) -> Forecast:
    """The forecast, if it is what was asked for. Raises BadAnswer."""
    if (forecast.provider, forecast.zone) != (provider, zone.code):
        raise _bad(provider, "the forecast of another zone or service")
    if not all(point.start_s < point.end_s and _is_finite_value(point.g_per_kwh) for point in forecast.points):
        raise _bad(provider, "a forecast that no grid can have")
    if any(after.start_s < point.end_s for point, after in pairwise(forecast.points)):
        raise _bad(provider, "a forecast whose intervals overlap or are out of order")
    return forecast


def _is_finite_value(value: Decimal) -> bool:
    return value.is_finite() and 0 <= value <= MAX_G_PER_KWH


def _when(at_s: int) -> str:
    try:
        return iso(at_s)
    except (ValueError, OverflowError, OSError):
        return str(at_s)


def _bad(provider: str, what: str) -> BadAnswer:
    return BadAnswer(f"{provider} answered with {what}.", "Nothing of the answer is used.")
