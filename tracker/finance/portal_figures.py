"""The few numbers that the portal shows of a statement, read from its JSON export, whether sealed or a draft. Rows are
skipped, not built, so that a statement of any length costs no more memory than its bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import msgspec

from tracker.books.interface import BooksDamaged
from tracker.web.portal.interface import Figures

SCHEMA = "wattledger-statement/1"


class _Amounts(msgspec.Struct, frozen=True):
    energy_facility_kwh: Decimal
    location_kgco2e: Decimal | None
    market_kgco2e: Decimal | None


class _Total(_Amounts, frozen=True):
    coverage_ratio: Decimal | None


class _Month(_Amounts, frozen=True):
    month: str


class _Statement(msgspec.Struct, frozen=True):
    schema: str
    as_of: datetime
    total: _Total
    months: tuple[_Month, ...] = ()


@dataclass(frozen=True, slots=True)
class Read:
    """``trend``: of the months before, as the statement states them."""

    figures: Figures
    as_of_s: int
    trend: Mapping[str, Figures]


def read_figures(content: bytes, name: str) -> Read:
    """Raises BooksDamaged for what is no statement."""
    try:
        statement = msgspec.json.decode(content, type=_Statement)
    except msgspec.MsgspecError as error:
        raise BooksDamaged(f"{name} is no statement: {error}.", "Restore it from a copy of the books.") from error
    if statement.schema != SCHEMA:
        raise BooksDamaged(f"{name} has the layout {statement.schema[:40]!r}.", "Upgrade wattledger.")
    return Read(
        _figures(statement.total, statement.total.coverage_ratio),
        int(statement.as_of.timestamp()),
        {month.month: _figures(month, None) for month in statement.months},
    )


def _figures(amounts: _Amounts, coverage: Decimal | None) -> Figures:
    return Figures(
        energy_facility_wh=int(amounts.energy_facility_kwh.scaleb(3)),
        location_g=_integer(amounts.location_kgco2e, 3),
        market_g=_integer(amounts.market_kgco2e, 3),
        coverage_ppm=_integer(coverage, 6),
    )


def _integer(value: Decimal | None, places: int) -> int | None:
    return None if value is None else int(value.scaleb(places))
