"""``wattledger grid show``: which factor weighs a place and an instant, from where, since when it is known, what it
took the place of, and what else there is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from tracker.cli import factors, layout
from tracker.cli.grid_advice import span
from tracker.cli.grid_answer import Answer, Known, known_of
from tracker.cli.grid_node import inner_width, node_config, node_options, say, wrapped
from tracker.core.factors import Basis, Choice, FactorRow, NoFactor
from tracker.core.known import FactorRecord
from tracker.grid.zones import find_zone

_YEAR_S = 31_556_952
_METHODS = ("annual", "hourly")


@click.command(short_help="Say everything about the factor of a zone.")
@click.argument("zone_text", metavar="ZONE")
@click.option("--at", metavar="T", help="For this date or time instead of now, such as 2026-10-03T14:00Z.")
@click.option("--as-of", metavar="T", help="As it was known then, without anything recorded later.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@node_options
def show(
    zone_text: str,
    at: str | None,
    as_of: str | None,
    as_json: bool,
    config_path: Path | None,
    node__state_dir: str | None,
) -> None:
    """Show the factor of ZONE: value, type, tier, source, period, age and licence, since when it is known and what it
    superseded; the annual and the hourly way side by side; and what each tier would say."""
    zone, now_s = find_zone(zone_text), factors.now_s()
    at_s = now_s if at is None else factors.instant(at)
    as_of_s = None if as_of is None else factors.instant(as_of)
    known = known_of(node_config(config_path, node__state_dir), zone, at_s, as_of_s, now_s)
    if as_json:
        click.echo(factors.encode(_document(known)))
        return
    layout.echo(f"{zone.code}  {zone.name}", bold=True)
    for line in _heading(known):
        layout.echo(f"  {line}")
    layout.echo()
    for label, text in _lines(known):
        say(label, text)
    _section("Annual and hourly, side by side", _side_by_side(known))
    _section("What each tier says", _ladder_lines(known.tiers, known.used))
    layout.echo()
    layout.echo("Market-based, what no contract covers", bold=True)
    for label, text in _residual_lines(known.residual):
        say(label, text)


def _section(title: str, lines: Iterator[str]) -> None:
    layout.echo()
    layout.echo(title, bold=True)
    for line in lines:
        layout.echo(f"  {line}".rstrip())


def _heading(known: Known) -> Iterator[str]:
    yield f"location-based, for {factors.minute(known.at_s)}"
    if known.as_of_s is not None and known.as_of_s > known.now_s:
        yield f"as it is known now: {factors.minute(known.as_of_s)} is still to come"
    elif known.as_of_s is not None:
        yield f"as it was known at {factors.minute(known.as_of_s)}"
    if known.at_s > known.now_s:
        yield "that is still to come: nothing of it can have been measured"


def _lines(known: Known) -> Iterator[tuple[str, str]]:
    match known.used:
        case NoFactor(reason):
            why = f" ({known.note})" if known.note else ""
            yield "value", f"none: {reason.rstrip('.')}{why}. Emissions are unknown, not zero."
        case Choice(row=row) as used:
            yield "value", f"{_plain(row)} g/kWh, printed as {row.value_printed} {row.unit_printed}"
            yield "type", factors.TYPES[row.factor_type]
            yield "gases", row.gases + (f", GWP of {row.gwp_set}" if row.gwp_set not in {"none", "unspecified"} else "")
            yield "averages", f"{row.basis.replace('_', ' ')} mix" if row.basis != "unspecified" else "mix not stated"
            yield "losses", {True: "included", False: "not included", None: "not stated"}[row.includes_td]
            yield "tier", f"{row.quality_tier} of 6, {factors.TIERS[row.quality_tier]}"
            yield "edition", row.edition
            yield "period", factors.period(row)
            yield "age", _age(row, known.at_s)
            yield "recorded", _recorded(known, row)
            yield from _superseded(known, row)
            yield "source", row.source
            yield "look up", row.publisher_url
            yield "licence", factors.licence(row)
            yield "checked", factors.CONFIDENCE.get(row.confidence, "not known")
            yield "factor id", row.factor_id
            yield from (("flag", text) for text in used.steps)
            yield from (("note", text) for text in used.cautions)
    for value, gone in known.taken_back:
        recorded, taken_back = factors.moments((value.recorded_at_s, gone.recorded_at_s))
        row = value.row
        whose = row.origin.provider if row.quality_tier in factors.INTERVALS else row.publisher
        kind = "residual mix" if row.basis is Basis.RESIDUAL else factors.TIERS[row.quality_tier]
        what = f"{_plain(row)} g/kWh, {row.factor_type}, {kind}, of {whose}"
        yield "taken back", f"{what}: recorded {recorded}, without a value since {taken_back}"


def _age(row: FactorRow, at_s: int) -> str:
    """How far the time asked for lies behind the period of the value."""
    if not row.valid_to_s:
        return "not known"
    if at_s < row.valid_from_s:
        return "the period is still to come"
    if at_s < row.valid_to_s:
        return "the period asked for"
    if row.quality_tier in factors.INTERVALS:
        return f"{span(at_s - row.valid_to_s)} after the end of its period"
    months = (at_s - row.valid_to_s) * 12 // _YEAR_S
    return f"{months // 12} y {months % 12} m after the end of its period"


def _recorded(known: Known, row: FactorRow) -> str:
    recorded_at_s = known.recorded_at_s(row)
    since = span(max(0, known.seen_s - recorded_at_s))
    return f"{_moments(known, row)[0]}, {since} {'ago' if known.seen_s == known.now_s else 'before that'}"


def _moments(known: Known, row: FactorRow) -> list[str]:
    """When it was recorded, and what it superseded."""
    return factors.moments((known.recorded_at_s(row), *(each.recorded_at_s for each in known.superseded(row))))


def _superseded(known: Known, row: FactorRow) -> Iterator[tuple[str, str]]:
    """The values before this one, the newest first."""
    if not known.superseded(row):
        yield "superseded", "nothing"
    for n, (record, recorded) in enumerate(zip(known.superseded(row), _moments(known, row)[1:], strict=True)):
        before = record.row
        how = f", {factors.TIERS[before.quality_tier]}" if before.quality_tier != row.quality_tier else ""
        value = f"{_plain(before)} g/kWh, {before.factor_type}{how}" if before.value_printed else "no value"
        yield "" if n else "superseded", f"{value}, recorded {recorded}"


def _plain(row: FactorRow) -> str:
    value = row.value_g_per_kwh
    return "none" if value is None else factors.plain(value)


def _side_by_side(known: Known) -> Iterator[str]:
    rows = []
    for method, answer in zip(_METHODS, (known.annual, known.hourly), strict=True):
        mark = " (used)" if method == known.method else ""
        match answer:
            case NoFactor():
                rows.append((method + mark, "none", "", "", ""))
            case Choice(row=row):
                value = factors.grams(row.value_g_per_kwh)
                rows.append((method + mark, value, row.factor_type, str(row.quality_tier), factors.period(row)))
    header = ("WAY", "G/KWH", "TYPE", "TIER", "PERIOD")
    yield from layout.table(header, rows, right={1, 3}, within=inner_width())
    for line in _difference(known):
        yield from wrapped(line)


def _difference(known: Known) -> Iterator[str]:
    match known.annual, known.hourly:
        case Choice(row=annual), Choice(row=hourly) if annual == hourly:
            yield "No value of this hour is known: the annual one stands in."
        case Choice(), Choice() if known.difference:
            more, percent = known.difference
            less = "less" if more < 0 else "more"
            yield f"Hourly is {factors.grams(abs(more))} g/kWh ({factors.plain(abs(percent))} %) {less} than annual."
        case _:
            for method, answer in zip(_METHODS, (known.annual, known.hourly), strict=True):
                if isinstance(answer, NoFactor):
                    yield f"{method}: {answer.reason}"


def _ladder_lines(tiers: Mapping[int, Answer], used: Answer) -> Iterator[str]:
    rows = []
    for tier, answer in tiers.items():
        match answer:
            case NoFactor(reason):
                rows.append((str(tier), "none", "", reason, ""))
            case Choice(row=row):
                value = factors.grams(row.value_g_per_kwh)
                mine = isinstance(used, Choice) and used.row == row
                place = row.zone + (" (used)" if mine else "")
                rows.append((str(tier), value, row.factor_type, row.edition, place))
    header = ("TIER", "G/KWH", "TYPE", "EDITION", "OF")
    yield from layout.table(header, rows, right={0, 1}, flexible={3}, within=inner_width())


def _residual_lines(residual: Answer) -> Iterator[tuple[str, str]]:
    match residual:
        case NoFactor(reason):
            yield "residual", f"none: {reason}"
        case Choice(row=row):
            yield "residual", f"{_plain(row)} g/kWh, {row.gases}, type {row.factor_type}"
            yield "source", row.source
            yield "licence", factors.licence(row)
            yield from (("flag", text) for text in residual.steps)
            yield from (("note", text) for text in residual.cautions)


def _document(known: Known) -> dict[str, Any]:
    difference = known.difference
    more, percent = (None, None) if difference is None else difference
    return {
        "zone": known.zone.code,
        "name": known.zone.name,
        "at": factors.second(known.at_s),
        "as_of": None if known.as_of_s is None else factors.second(known.as_of_s),
        "future": known.at_s > known.now_s,
        "method": known.method,
        **_answer_json("location", known.used, known),
        "annual": _answer_json("factor", known.annual, known),
        "hourly": _answer_json("factor", known.hourly, known),
        "difference_g_per_kwh": None if more is None else Decimal(factors.plain(more)),
        "difference_percent": percent,
        "tiers": {str(tier): _answer_json("factor", answer, known) for tier, answer in known.tiers.items()},
        "residual": _answer_json("factor", known.residual, known),
        "taken_back": [
            {
                "factor_id": value.row.factor_id,
                "provider": value.row.origin.provider,
                **_value_json(value),
                "taken_back_at": factors.second(gone.recorded_at_s),
            }
            for value, gone in known.taken_back
        ],
    }


def _value_json(record: FactorRecord) -> dict[str, Any]:
    """A value that is not the best known one any more."""
    return {
        "value_g_per_kwh": factors.number(record.row),
        "factor_type": record.row.factor_type,
        "tier": record.row.quality_tier,
        "recorded_at": factors.second(record.recorded_at_s),
    }


def _answer_json(name: str, answer: Answer, known: Known) -> dict[str, Any]:
    match answer:
        case NoFactor(reason):
            return {name: None, "reason": reason}
        case Choice(row=row):
            told = factors.as_json(answer) | {"origin": factors.origin_json(row)}
            told["age_s"] = max(0, known.at_s - row.valid_to_s) if row.valid_to_s else None
            told["recorded_at"] = factors.second(known.recorded_at_s(row))
            told["superseded"] = [_value_json(record) for record in known.superseded(row)]
            return {name: told}
