"""Certificates, contracts and suppliers' rates: what the market-based method is made of, as an operator writes it down.

    timezone = "Europe/Paris"        # of the dates below; without it they are UTC

    [[instrument]]
    key = "go-2026-0001"             # your name for it, once in the file
    kind = "certificate"             # certificate (GO, REC, I-REC, GEC), contract (a PPA), supplier (a tariff)
    market = "FR"                    # the zone whose consumption it may cover
    g_per_kwh = 0
    valid_from = 2026-01-01          # the first day that it covers
    valid_to = 2027-01-01            # the first day that it covers no more
    volume_mwh = 120.5               # or volume_kwh; spread flat over what is uncovered in the period
    source = "Certificate statement 2026/17"
    tracking_system = "AIB EECS"     # these four say that nobody else can claim it:
    vintage = "2026"                 # a certificate without them is refused,
    retired_for = "ACME SAS"         # unless it says unverified = true, which is shown
    retirement_id = "R-99811"        # wherever it weighs anything

    [[instrument]]
    key = "ppa-solar"
    kind = "contract"
    market = "FR"
    g_per_kwh = 0
    valid_from = 2026-01-01
    valid_to = 2031-01-01
    hourly_csv = "ppa-solar-2026.csv"   # columns hour,kwh: 2026-06-01T10:00:00Z,412.5; beside this file
    source = "PPA of 2025-11-03 with Soleil SA"

    [[instrument]]
    key = "tariff"
    kind = "supplier"                # no volume: it takes whatever is left
    market = "FR"
    g_per_kwh = 41.7
    valid_from = 2026-01-01
    valid_to = 2027-01-01
    source = "EDF, fuel mix disclosure 2025"

The quality criteria are those of the GHG Protocol's Scope 2 Guidance (2015), chapter 7. What is missing of them for
a contract, or a vintage far from the time of use, is no error: it is a caution that goes where the instrument goes.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, tzinfo
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from typing import Any

from tracker.core.errors import UsageError
from tracker.core.factors import Step
from tracker.core.instruments import Instrument, Kind
from tracker.grid.answers import MAX_G_PER_KWH, iso
from tracker.grid.instrument_sections import Written, quality, read_section, refuse
from tracker.grid.instrument_volumes import parse_hours, whole_uj
from tracker.grid.interface import UnknownZone
from tracker.grid.zones import find_zone, zone_path

MAX_BYTES = 8 << 20  # a year of hours has 300 kB; whatever is larger is no such file
_SMALLEST = -30  # the exponent of a number that anybody would write
_HEADER = re.compile(r"^[ \t]*\[\[[ \t]*instrument[ \t]*\]\]", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Claim:
    """An instrument, the zone whose consumption it may cover, and what to know before relying on it."""

    instrument: Instrument
    market: str
    written: Written
    cautions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MarketTable:
    """What an instruments file says. Markets of the zones of a path (``zones.zone_path``) do not overlap in rates."""

    claims: tuple[Claim, ...] = ()

    def at(self, path: Sequence[Step], at_s: int) -> Instrument | None:
        """The supplier's rate for a zone and an instant (UTC seconds), the nearest of the path; None: no tariff."""
        rates = (one for one in self.covering(path) if _is_rate(one) and one.valid_from_s <= at_s < one.valid_to_s)
        return next(rates, None)

    def covering(self, path: Sequence[Step]) -> tuple[Instrument, ...]:
        """The instruments that may cover consumption in a zone, the nearest first: for ``allocate`` of the core."""
        places = dict.fromkeys(step.zone for step in path)
        return tuple(claim.instrument for place in places for claim in self.claims if claim.market == place)

    def cautions(self, key: str) -> tuple[str, ...]:
        """What to know of an instrument, in sentences."""
        return next((claim.cautions for claim in self.claims if claim.instrument.key == key), ())


NOTHING = MarketTable()


def read_instruments(path: Path) -> MarketTable:
    """The instruments of a file. Raises UsageError, which names file and section."""
    return parse_instruments(_read(path), path.name, lambda name: _read(path.parent / name))


def parse_instruments(text: str, name: str, read_hours: Callable[[str], str]) -> MarketTable:
    """``name``: of the file, for errors. ``read_hours``: the text of an ``hourly_csv``. Raises UsageError."""
    try:
        document = tomllib.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{name} is no valid TOML: {error}.", "Look at that line.") from error
    zone = _timezone(name, document.pop("timezone", "UTC"))
    tables = document.pop("instrument", [])
    if document or not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        wrong = next(iter(document), "instrument")
        raise UsageError(f"{name}: {wrong!r} is not known at the top.", "Write timezone, and [[instrument]] sections.")
    claims = []
    for where, table in zip(_places(text, name, len(tables)), tables, strict=True):
        try:
            claims.append(_claim(table, zone, where, read_hours))
        except UnknownZone as error:
            raise UsageError(f"{where}: {error.sentence}", error.remedy) from error
    _refuse_twins(name, claims)
    return MarketTable(tuple(claims))


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise UsageError(f"{path} is larger than {MAX_BYTES >> 20} MiB.", "Is it the right file?")
        return raw.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UsageError(f"{path} cannot be read: {reason}.", "Mend the path or the file.") from error


def _timezone(name: str, written: object) -> tzinfo:
    if written == "UTC":
        return UTC
    import zoneinfo  # noqa: PLC0415 - most files are in UTC, and it costs memory

    try:
        return zoneinfo.ZoneInfo(str(written))
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError) as error:
        raise UsageError(
            f"{name}: the time zone {str(written)[:40]!r} is not known here.", 'Write one such as "Europe/Paris".'
        ) from error


def _places(text: str, name: str, count: int) -> list[str]:
    """Where each section stands. A text in quotes may look like a header: then their order has to do."""
    starts = [text.count("\n", 0, found.start()) + 1 for found in _HEADER.finditer(text)]
    if len(starts) == count:
        return [f"{name}, line {line}" for line in starts]
    return [f"{name}, [[instrument]] number {number}" for number in range(1, count + 1)]


def _claim(table: Mapping[str, Any], zone: tzinfo, where: str, read_hours: Callable[[str], str]) -> Claim:
    written = read_section(table, where)
    where = f"{where} ({written.key})"
    market = find_zone(written.market).code
    start_s, end_s = _midnight_s(written.valid_from, zone), _midnight_s(written.valid_to, zone)
    if start_s >= end_s:
        refuse(where, "valid_to is not after valid_from", "valid_to is the first day that is no longer covered.")
    rate = written.g_per_kwh
    if not rate.is_finite() or not 0 <= rate <= MAX_G_PER_KWH or rate.adjusted() < _SMALLEST:
        refuse(where, f"g_per_kwh is {str(rate)[:40]}", f"Write grams per kWh, from 0 to {MAX_G_PER_KWH}.")
    cautions = quality(written, where)
    shown = f" ({' '.join(cautions)})" if cautions else ""
    volume_uj, hourly_uj = _volumes(written, where, read_hours)
    outside = [hour for hour in hourly_uj if not start_s <= hour < end_s]
    if outside:
        refuse(where, f"{written.hourly_csv} has the hour {iso(outside[0])}, outside its own period", "Mend either.")
    source = f"{written.source}{shown}"
    one = Instrument(written.key, written.kind, rate, start_s, end_s, volume_uj, hourly_uj, source)
    return Claim(one, market, written, cautions)


def _midnight_s(day: date, zone: tzinfo) -> int:
    return int(datetime.combine(day, time(), zone).timestamp())


def _volumes(written: Written, where: str, read_hours: Callable[[str], str]) -> tuple[int | None, Mapping[int, int]]:
    given = [name for name in ("volume_kwh", "volume_mwh", "hourly_csv") if getattr(written, name) not in {None, ""}]
    if len(given) > 1 or (not given and written.kind is not Kind.SUPPLIER):
        refuse(
            where,
            f"it has {' and '.join(given) or 'no volume'}",
            "State exactly one of volume_kwh, volume_mwh and hourly_csv; only a supplier's rate may have none.",
        )
    if written.hourly_csv:
        return None, parse_hours(read_hours(written.hourly_csv), f"{where}: {written.hourly_csv}")
    for volume, kwh in ((written.volume_kwh, 1), (written.volume_mwh, 1000)):
        if volume is not None:
            return whole_uj(volume, kwh, where), {}
    return None, {}


def _refuse_twins(name: str, claims: Sequence[Claim]) -> None:
    """The same key twice, and two rates for the same hours of the same place, of which nobody knows which one holds."""
    for one, other in combinations(claims, 2):
        if one.instrument.key == other.instrument.key:
            raise UsageError(f"{name}: the key {one.instrument.key!r} is there twice.", "Give each its own.")
        if _is_rate(one.instrument) and _is_rate(other.instrument) and _meet(one, other):
            raise UsageError(
                f"{name}: {one.instrument.key!r} and {other.instrument.key!r} are both the supplier's rate of the "
                f"same time in {other.market}.",
                "Let one end where the other begins.",
            )


def _is_rate(instrument: Instrument) -> bool:
    """Whether it takes whatever is left: a supplier's rate without a volume."""
    return instrument.kind is Kind.SUPPLIER and instrument.volume_uj is None and not instrument.hourly_uj


def _meet(one: Claim, other: Claim) -> bool:
    first, second = one.instrument, other.instrument
    paths = [{step.zone for step in zone_path(find_zone(claim.market))} for claim in (one, other)]
    same_place = one.market in paths[1] or other.market in paths[0]
    return same_place and first.valid_from_s < second.valid_to_s and second.valid_from_s < first.valid_to_s
