"""The last step: what was found is printed, named and described."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from tracker import __version__
from tracker.books.coverage import Coverage
from tracker.books.dimensions import Wanted
from tracker.books.rows import print_columns
from tracker.books.sums import Sums
from tracker.config import Config
from tracker.core.footing import half_even
from tracker.core.statement import Day, FactorUse, Input, Line, Period, SiteUse, Statement, Status
from tracker.core.weights import FACILITY_WH
from tracker.finance.method import config_sha256, method_of
from tracker.finance.places import SiteBook

USAGE = "usage"


@dataclass(frozen=True, slots=True)
class Asked:
    """A statement that somebody asked for."""

    period: Period
    wanted: Wanted
    method: str
    as_of_s: int


@dataclass(frozen=True, slots=True)
class Found:
    """What the month says, before it is put together."""

    lines: tuple[Line, ...]
    total: Line
    days: tuple[tuple[str, Sums], ...]
    coverage: Coverage
    factors: tuple[FactorUse, ...]
    sites: tuple[SiteUse, ...]
    books: Mapping[str, SiteBook]
    unknown_wh: tuple[tuple[str, int], ...]
    extra_inputs: tuple[str, ...]
    notes: tuple[str, ...]


def assembled(
    config: Config, asked: Asked, found: Found, inputs: tuple[Input, ...], version: int, status: Status
) -> Statement:
    printed = print_columns([sums for _, sums in found.days], asked.method, found.total.amounts)
    statement = Statement(
        period=asked.period,
        status=status,
        version=version,
        statement_id="",
        software=__version__,
        entity=config.books.entity,
        currency=config.books.currency,
        group_by=asked.wanted.group_by,
        filters=asked.wanted.filters,
        location_method=asked.method,
        as_of_s=asked.as_of_s,
        rows=found.lines,
        total=found.total,
        days=tuple(Day(date, amounts) for (date, _), amounts in zip(found.days, printed.rows, strict=True)),
        factors=found.factors,
        coverage=found.coverage.lines(),
        method=method_of(config, asked.method, found.books, found.sites, found.factors, found.notes),
        inputs=inputs,
        sites=found.sites,
        unknown_wh=found.unknown_wh,
    )
    return replace(statement, statement_id=statement_id(statement, config))


def statement_id(statement: Statement, config: Config) -> str:
    """Names what it was made of: inputs, factors (tables are no input), settings, options and the time of knowledge."""
    made_of = (
        statement.period,
        statement.group_by,
        statement.filters,
        statement.location_method,
        statement.as_of_s,
        statement.software,
        [(each.name, each.size_bytes) for each in statement.inputs],
        [(use.basis, use.zone, use.factor_id, use.value) for use in statement.factors],
        any(line.kind != USAGE for line in statement.rows),
        config_sha256(config),
    )
    digest = hashlib.sha256(msgspec.json.encode(made_of, order="deterministic")).hexdigest()[:16]
    label = f"v{statement.version}" if statement.version else "draft"
    return f"{statement.period.month}-{label}-{digest}"


def unknown_of(days: Sequence[Sums]) -> tuple[tuple[str, int], ...]:
    """By basis, in Wh; those of which everything is known are left out."""
    names = ("annual", "hourly", "market", "upstream", "cost")
    sums = {name: sum(getattr(day, f"{name}_unknown_nj") for day in days) for name in names}
    return tuple((name, half_even(nj, FACILITY_WH)) for name, nj in sums.items() if nj)
