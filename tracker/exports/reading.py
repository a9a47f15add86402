"""A statement from its JSON export: everything in it comes back, number for number."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Context, Decimal, Inexact
from typing import Any

from tracker.core.errors import WattledgerError
from tracker.core.statement import (
    Amounts,
    Check,
    Correction,
    CoverageLine,
    Day,
    FactorUse,
    Input,
    Line,
    Period,
    Ratios,
    Reconciled,
    SiteUse,
    Statement,
    Status,
)
from tracker.exports.columns import ADDITIVE, RATIOS
from tracker.exports.head import SCHEMA
from tracker.exports.table import digest

_EXACT = Context(prec=100, traps=[Inexact])  # the default one rounds to 28 digits
_DERIVED = {"energy_overhead_wh", "modelled_wh"}  # differences of others


class NotAStatement(WattledgerError):
    """The content is no JSON export of a layout that is known, or it was altered."""


def read_statement(content: bytes) -> Statement:
    """Raises NotAStatement."""
    try:
        read = json.loads(content, parse_float=Decimal)
        schema = read["schema"]
        statement = _statement(read) if schema == SCHEMA else None
        said = read["statement_sha256"]
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        raise NotAStatement(f"This is no JSON export of a statement ({type(error).__name__}: {error}).") from None
    if statement is None:
        raise NotAStatement(f"The layout {schema!r} is not known; this version reads {SCHEMA}.", "Update wattledger.")
    if digest(statement) != said:
        raise NotAStatement("The statement was altered: its content is not what its SHA-256 names.", "Export it again.")
    return statement


def _statement(read: Mapping[str, Any]) -> Statement:
    names = tuple(read["group_by"])
    start_s, end_s = _seconds(read["period_start"]), _seconds(read["period_end"])
    return Statement(
        period=Period(read["period"], read["timezone"], start_s, end_s),
        status=Status(read["status"]),
        version=read["version"],
        statement_id=read["statement_id"],
        software=read["software"].removeprefix("wattledger "),
        entity=read["entity"],
        currency=read["currency"],
        group_by=names,
        filters=tuple((each["name"], each["value"]) for each in read["filters"]),
        location_method=read["location_method"],
        as_of_s=_seconds(read["as_of"]),
        rows=tuple(_line(each, names) for each in read["rows"]),
        total=_line(read["total"], names),
        days=tuple(Day(each["date"], _amounts(each)) for each in read["days"]),
        corrections=tuple(
            Correction(each["restates_period"], each["reason"], _line(each, names)) for each in read["corrections"]
        ),
        factors=tuple(map(_factor, read["factors"])),
        coverage=tuple(map(_coverage, read["coverage"])),
        reconciliation=tuple(map(_reconciled, read["reconciliation"])),
        checks=tuple(Check(**each) for each in read["checks"]),
        method=tuple((each["title"], each["text"]) for each in read["method"]),
        inputs=tuple(Input(**each) for each in read["inputs"]),
        preparer=read["preparer"],
        approver=read["approver"],
        sites=tuple(map(_site, read["sites"])),
        unknown_wh=tuple((each["basis"], _whole(each["energy_facility_kwh"], 3)) for each in read["unknown"]),
        months=tuple((each["month"], _amounts(each)) for each in read["months"]),
    )


def _seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def _integer(value: Decimal | int | None, places: int) -> int | None:
    return None if value is None else _whole(value, places)


def _whole(value: Decimal | int, places: int) -> int:
    return int(Decimal(value).scaleb(places, _EXACT))


def _amounts(each: Mapping[str, Any]) -> Amounts:
    values = {of: _integer(each[name], places) for name, (of, places) in ADDITIVE.items() if of not in _DERIVED}
    return Amounts(**values)  # type: ignore[arg-type]  # which may be None is the writer's business


def _line(each: Mapping[str, Any], names: tuple[str, ...]) -> Line:
    ratios = Ratios(**{of: _integer(each[name], places) for name, (of, places) in RATIOS.items()})
    key = tuple(each[name] for name in names)
    return Line(each["row_id"], key, _amounts(each), ratios, each["scope"], each["scope3_category"], each["kind"])


def _factor(each: Mapping[str, Any]) -> FactorUse:
    read = dict(each)
    energy_wh = _whole(read.pop("energy_kwh"), 3)
    recorded_at_s = _seconds(read.pop("recorded_at"))
    exact = read.pop("value_g_per_kwh")
    return FactorUse(
        **{**read, "flags": tuple(read["flags"])},
        value_g_per_kwh=None if exact is None else Decimal(exact),
        recorded_at_s=recorded_at_s,
        energy_wh=energy_wh,
    )


def _site(each: Mapping[str, Any]) -> SiteUse:
    read = dict(each)
    pue_permille, energy_it_wh = _whole(read.pop("pue"), 3), _whole(read.pop("energy_it_kwh"), 3)
    return SiteUse(**read, pue_permille=pue_permille, energy_it_wh=energy_it_wh)


def _coverage(each: Mapping[str, Any]) -> CoverageLine:
    return CoverageLine(
        site=each["site"],
        hostname=each["hostname"],
        expected_h=each["expected_hours"],
        present_h=each["present_hours"],
        covered_ppm=_integer(each["covered_ratio"], 6),
        gaps_s=tuple((gap["reason"], gap["seconds"]) for gap in each["gaps"]),
        missing=tuple(each["missing"]),
    )


def _reconciled(each: Mapping[str, Any]) -> Reconciled:
    ours_wh, theirs_wh = _integer(each["ours_kwh"], 3), _integer(each["theirs_kwh"], 3)
    return Reconciled(each["what"], ours_wh, theirs_wh, each["explanation"])
