"""Factors for the commands that show them: the tables, and how a factor is said to people and to programs."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from tracker.codecarbon_facts import codecarbon_facts
from tracker.core.errors import UsageError
from tracker.core.factors import DEFAULT_TIERS, ESTIMATED, MEASURED, PROFILE, Choice, FactorRow
from tracker.grid.shipped import COLLECTED_S, read_factors
from tracker.grid.tables import TablesProvider, generic_rows

CONFIDENCE = {
    "V": "read at the publisher",
    "V/2": "read at the publisher, copies agree",
    "2": "read second-hand, not at the publisher",
    "M": "not confirmed",
}
TYPES = {
    "direct": "direct: what power stations emit",
    "lifecycle": "life-cycle: fuel supply and construction included",
    "unspecified": "not stated where it was read",
}
#: Tiers whose values are of hours and not of years.
INTERVALS = (MEASURED, ESTIMATED, PROFILE)
_FIRST_YEAR, _LAST_YEAR = 1990, 2100
TIERS = {
    1: "measured interval",
    2: "estimated interval",
    3: "profile of a year",
    4: "official annual",
    5: "generic annual",
    6: "world, last resort",
}


def open_tables(now_s: int, tiers: Sequence[int] = DEFAULT_TIERS, as_of_s: int | None = None) -> TablesProvider:
    """All tables, codecarbon's too, as they were known at ``as_of_s`` (None: now; none before the first ones were
    collected); asked anew, for a command keeps no state."""
    if as_of_s is not None and as_of_s < COLLECTED_S:
        return TablesProvider({}, "", now_s, rows=(), tiers=tiers)
    with tempfile.TemporaryDirectory(prefix="wattledger-") as folder:
        facts = codecarbon_facts("", Path(folder))
    rows = (*read_factors(as_of_s=as_of_s), *generic_rows(facts.countries, facts.edition))  # read once, for many zones
    return TablesProvider({}, facts.edition, now_s, note=facts.note, rows=rows, tiers=tiers)


def now_s() -> int:
    return int(time.time())


def instant(text: str | None) -> int:
    """UTC seconds of an ISO date or time; None: now. Raises UsageError."""
    if text is None:
        return now_s()
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{text[:40]!r} is no date.", "Write 2026-10-03 or 2026-10-03T14:00Z.") from error
    if not _FIRST_YEAR <= at.year <= _LAST_YEAR:
        raise UsageError(f"No factor is of {text[:40]}.", f"The year lies between {_FIRST_YEAR} and {_LAST_YEAR}.")
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())


def day(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d")


def minute(at_s: int) -> str:
    """2026-10-03 14:00 UTC."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M UTC")


def moments(instants: Sequence[int]) -> list[str]:
    """To the minute, or to the second where two of them would look the same."""
    minutes = [minute(at_s) for at_s in instants]
    if len(set(minutes)) == len(minutes):
        return minutes
    return [datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC") for at_s in instants]


def second(at_s: int) -> str:
    """For programs: 2026-10-03T14:00:00Z."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def period(row: FactorRow) -> str:
    """From the first day to the last one; an interval of a live service to the minute."""
    if row.quality_tier in INTERVALS:
        end = minute(row.valid_to_s) if day(row.valid_to_s) != day(row.valid_from_s) else minute(row.valid_to_s)[11:]
        return f"{minute(row.valid_from_s).removesuffix(' UTC')} to {end}"
    return f"{day(row.valid_from_s)} to {day(row.valid_to_s - 1)}" if row.valid_to_s else "undated"


def _bounds(row: FactorRow) -> tuple[str | None, str | None]:
    """For programs: days of a table, instants of an interval."""
    if not row.valid_to_s:
        return None, None
    said = second if row.quality_tier in INTERVALS else day
    return said(row.valid_from_s), said(row.valid_to_s)


def grams(value: Decimal | None) -> str:
    """For a column: at most three decimals."""
    return "none" if value is None else plain(round(value, 3))


def plain(value: Decimal) -> str:
    """All digits and no more: neither 59.000 nor 5.9E+1."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def licence(row: FactorRow) -> str:
    return f"{row.licence}. {row.attribution}" if row.attribution else row.licence


def as_json(choice: Choice) -> dict[str, Any]:
    """Everything that is known about a factor, under the names of the factor tables."""
    row = choice.row
    valid_from, valid_to = _bounds(row)
    return {
        "factor_id": row.factor_id,
        "zone": choice.zone,
        "factor_zone": row.zone,
        "value_g_per_kwh": number(row),
        "value_printed": row.value_printed,
        "unit_printed": row.unit_printed,
        "factor_type": row.factor_type,
        "basis": row.basis,
        "scheme": row.scheme,
        "gases": row.gases,
        "gwp_set": row.gwp_set,
        "includes_td": row.includes_td,
        "tier": row.quality_tier,
        "edition": row.edition,
        "data_year": row.data_year,
        "valid_from": valid_from,
        "valid_to": valid_to,
        "publisher": row.publisher,
        "source": row.source,
        "publisher_url": row.publisher_url,
        "licence": row.licence,
        "attribution": row.attribution,
        "confidence": row.confidence,
        "flagged": bool(choice.steps),
        "steps": choice.steps,
        "cautions": choice.cautions,
    }


def number(row: FactorRow) -> Decimal | None:
    """For programs: g/kWh without needless zeros."""
    return None if row.value_g_per_kwh is None else Decimal(plain(row.value_g_per_kwh))


def origin_json(row: FactorRow) -> dict[str, Any]:
    """How a service came to a value; that of a table says only that it is one."""
    said = {field.name: getattr(row.origin, field.name) for field in fields(row.origin)}
    times = {name: second(value) for name, value in said.items() if name.endswith("_at_s") and value is not None}
    return {name.removesuffix("_s"): times.get(name, value) for name, value in said.items()}


def encode(document: Any) -> str:
    """JSON with decimals as exact numbers."""
    text = msgspec.json.Encoder(decimal_format="number").encode(document)
    return msgspec.json.format(text, indent=2).decode()
