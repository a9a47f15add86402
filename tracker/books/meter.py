"""Readings of a platform's own meter: a CSV that somebody exported from a PDU, a building or an invoice.

    site,start,end,kwh,level
    par1,2026-10-01,2026-11-01,91234.5,facility

``level``: ``facility`` (with cooling and losses; the default) or ``it`` (what the racks drew). Dates are midnights of
the statement's time zone, times carry their offset. Energy is kept as it is printed, exactly, in microjoules.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal, InvalidOperation
from pathlib import Path

from tracker.core.errors import UsageError
from tracker.core.units import UJ_PER_KWH

LEVELS = ("facility", "it")
_NEEDED, _KNOWN = {"start", "end", "kwh"}, {"site", "start", "end", "kwh", "level"}
_HEADER = "The first line names the columns: site,start,end,kwh,level (site and level may be left out)."
MAX_BYTES = 16 * 1024 * 1024
#: A reading above this is a slip of the pen: the world used some 30 times as much in 2024.
MAX_KWH = 1_000_000_000_000


@dataclass(frozen=True, slots=True)
class MeterReading:
    """``site`` "": all sites together."""

    site: str
    start_s: int
    end_s: int
    energy_uj: int
    level: str = "facility"


def read_meter(path: Path, zone: tzinfo) -> tuple[MeterReading, ...]:
    """Raises UsageError."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"The meter file {path} cannot be read: {error.strerror}.", "Name a file.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"The meter file {path} is no UTF-8 text.", "Export it as CSV in UTF-8.") from error
    if len(content) > MAX_BYTES:
        raise UsageError(f"The meter file {path} is larger than {MAX_BYTES >> 20} MiB.", "Export the month alone.")
    return parse_meter(text, str(path), zone)


def parse_meter(text: str, name: str, zone: tzinfo) -> tuple[MeterReading, ...]:
    """``name`` is said in errors, with the line. Readings of one site and level must not overlap. Raises UsageError."""
    try:
        lines = csv.DictReader(io.StringIO(text), strict=True)
        columns = [(column or "").strip().lower() for column in lines.fieldnames or ()]
        if not set(columns) >= _NEEDED or not set(columns) <= _KNOWN or len(set(columns)) < len(columns):
            raise UsageError(f"{name} is no meter file: its columns are {', '.join(columns)[:100] or 'none'}.", _HEADER)
        lines.fieldnames = columns
        found = [_reading(line, f"{name}, line {lines.line_num}", zone) for line in lines]
    except csv.Error as error:
        raise UsageError(f"{name} is no CSV: {error}.", _HEADER) from error
    if not found:
        raise UsageError(f"{name} has no readings.", _HEADER)
    _check_overlap(found, name)
    return tuple(found)


def _reading(line: Mapping[str | None, str | None], where: str, zone: tzinfo) -> MeterReading:
    given = {name: (value or "").strip() for name, value in line.items() if name is not None}
    if None in line:
        raise UsageError(f"{where} has more cells than there are columns.", _HEADER)
    start_s, end_s = (_instant(given[name], f"{where}: {name}", zone) for name in ("start", "end"))
    if start_s >= end_s:
        raise UsageError(f"{where} ends before it begins.", "The end is exclusive: a month ends where the next begins.")
    level = given.get("level", "").lower() or LEVELS[0]
    if level not in LEVELS:
        raise UsageError(f"{where}: {level[:40]!r} is no level.", f"Write one of: {', '.join(LEVELS)}.")
    return MeterReading(given.get("site", ""), start_s, end_s, _energy_uj(given["kwh"], where), level)


def _instant(text: str, where: str, zone: tzinfo) -> int:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{where}: {text[:40]!r} is no time.", "Write 2026-10-01 or 2026-10-01T00:00Z.") from error
    if at.tzinfo is None and len(text) > len("2026-10-01"):
        raise UsageError(f"{where}: {text[:40]!r} has no offset.", "Write it as 2026-10-01T00:00Z or …+02:00.")
    return int((at if at.tzinfo is not None else at.replace(tzinfo=zone)).timestamp())


def _energy_uj(text: str, where: str) -> int:
    try:
        energy_kwh = Decimal(text)
    except InvalidOperation as error:
        raise UsageError(f"{where}: {text[:40]!r} is no number of kWh.", "Write it with a point: 91234.5") from error
    if not energy_kwh.is_finite() or energy_kwh < 0:
        raise UsageError(f"{where}: {text[:40]!r} is no energy.", "A meter's kWh are finite and not below 0.")
    if energy_kwh > MAX_KWH:  # before anything is made of it: its digits may be more than memory has
        raise UsageError(f"{where}: {text[:40]!r} kWh is more than any meter counts.", "Check the unit and the number.")
    return int(energy_kwh * UJ_PER_KWH)


def _check_overlap(readings: list[MeterReading], name: str) -> None:
    last: dict[tuple[str, str], MeterReading] = {}
    for each in sorted(readings, key=lambda one: (one.site, one.level, one.start_s, one.end_s)):
        before = last.get((each.site, each.level))
        if before is not None and each.start_s < before.end_s:
            raise UsageError(
                f"{name} has two readings of {each.site or 'all sites'} ({each.level}) for the same time.",
                "Leave one of them out; several meters of one site are added up before.",
            )
        last[each.site, each.level] = each
