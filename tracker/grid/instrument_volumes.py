"""Volumes of an instruments file in whole microjoules: one for a period, or a table of hours."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from decimal import Decimal, InvalidOperation
from fractions import Fraction

from tracker.core.errors import UsageError
from tracker.core.units import UJ_PER_KWH

HOUR_S = 3600
#: 10^15 kWh is thirty times what the world uses in a year.
_MAX_EXPONENT, _MIN_EXPONENT = 15, -30


def whole_uj(volume: Decimal, kwh: int, where: str) -> int:
    """A volume in units of ``kwh`` kilowatt-hours, exactly. Raises UsageError for one that is negative, no number, or
    finer than a microjoule."""
    sane = volume.is_finite() and _MIN_EXPONENT <= volume.adjusted() <= _MAX_EXPONENT
    if not sane or volume < 0:
        raise UsageError(f"{where}: the volume {str(volume)[:40]} is none.", "Write a number of kWh, 0 or more.")
    energy = Fraction(volume) * kwh * UJ_PER_KWH
    if energy.denominator != 1:
        raise UsageError(
            f"{where}: the volume {str(volume)[:40]} is no whole number of microjoules.", "Write fewer decimals."
        )
    return energy.numerator


def parse_hours(text: str, where: str) -> Mapping[int, int]:
    """µJ by start of the hour (UTC seconds), from columns ``hour`` and ``kwh``. Raises UsageError, which names the
    line."""
    hours: dict[int, int] = {}
    reader = csv.reader(text.splitlines())
    try:
        header = [name.strip().casefold() for name in next(reader, [])]
        if not {"hour", "kwh"} <= set(header):
            raise UsageError(f"{where} has no columns hour and kwh.", "Write: hour,kwh")
        at, volume = header.index("hour"), header.index("kwh")
        for row in reader:
            if not any(row):
                continue
            line = f"{where}, line {reader.line_num}"
            start_s = _hour_s(row[at] if len(row) > at else "", line)
            if start_s in hours:
                raise UsageError(f"{line}: the hour {row[at]} is there twice.", "Leave one of them.")
            hours[start_s] = whole_uj(_number(row[volume] if len(row) > volume else "", line), 1, line)
    except csv.Error as error:
        raise UsageError(f"{where}, line {reader.line_num} is no CSV: {error}.", "Write: hour,kwh") from error
    if not any(hours.values()):
        raise UsageError(f"{where} has no volume in any hour.", "Write: hour,kwh")
    return hours


def _hour_s(text: str, line: str) -> int:
    at = None
    with suppress(ValueError):
        at = datetime.fromisoformat(text.strip())
    if at is None or at.tzinfo is None or at.timestamp() % HOUR_S:
        raise UsageError(
            f"{line}: {text[:40]!r} is not the start of an hour with its offset.", "Write 2026-06-01T10:00:00Z."
        )
    return int(at.timestamp())


def _number(text: str, line: str) -> Decimal:
    try:
        return Decimal(text.strip())
    except InvalidOperation as error:
        raise UsageError(
            f"{line}: {text[:40]!r} is no number of kWh.", "Write a number with a decimal point."
        ) from error
