"""``wattledger grid list|show``: which factor weighs a place, from where, how old, and what else there is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from tracker.cli import factors, layout
from tracker.core.errors import UsageError
from tracker.core.factors import Choice, FactorRow, NoFactor, choose_residual, ladder
from tracker.grid.catalogue import Zone, zones
from tracker.grid.near import near_zones, zones_with
from tracker.grid.tables import TablesProvider
from tracker.grid.zones import find_zone, zone_path

_LABEL = 10
_YEAR_S = 31_556_952


@click.group()
def grid() -> None:
    """Say which grid factors are known, from where and how old."""


@grid.command("list")
@click.argument("text", default="")
@click.option("--at", metavar="T", help="For this date or time instead of now.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_zones(text: str, at: str | None, as_json: bool) -> None:
    """List zones whose code, name or country has TEXT in it, with the best factor of each."""
    at_s = factors.instant(at)
    found = zones_with(text) if text.strip() else zones()
    found = found or near_zones(text)
    if not found:
        raise UsageError(f"No zone is like {text[:40]!r}.", "List all: wattledger grid list")
    tables = factors.open_tables(at_s)
    answers = [(zone, tables.choose(zone, at_s)) for zone in found]
    if as_json:
        click.echo(factors.encode([_list_json(zone, answer) for zone, answer in answers]))
        return
    header = ("ZONE", "NAME", "G/KWH", "TYPE", "TIER", "EDITION")
    rows = [(zone.code, zone.name, *_columns(zone, answer)) for zone, answer in answers]
    lines = layout.table(header, rows, right={2, 4}, flexible={1, 5}, within=layout.width())
    click.secho(next(lines), bold=True)
    for line in lines:
        click.echo(line)
    if any(isinstance(answer, Choice) and answer.steps and not zone.choices for zone, answer in answers):
        click.echo("\n* not this zone's own official factor; why: wattledger grid show ZONE")


def _columns(zone: Zone, answer: Choice | NoFactor) -> tuple[str, str, str, str]:
    if zone.choices:
        return "", "", "", f"tables disagree: set {' or '.join(zone.choices)}"
    match answer:
        case NoFactor(reason):
            return "none", "", "", reason
        case Choice(row=row):
            mark = "*" if answer.steps else ""
            return factors.grams(row.value_g_per_kwh), row.factor_type, str(row.quality_tier), row.edition + mark


def _list_json(zone: Zone, answer: Choice | NoFactor) -> dict[str, Any]:
    known = {"zone": zone.code, "name": zone.name, "kind": zone.kind, "country": zone.country, "aliases": zone.aliases}
    if zone.choices:
        return known | {"choices": zone.choices, "location": None, "reason": "public tables disagree"}
    return known | _answer_json("location", answer)


def _answer_json(name: str, answer: Choice | NoFactor) -> dict[str, Any]:
    match answer:
        case NoFactor(reason):
            return {name: None, "reason": reason}
        case Choice():
            return {name: factors.as_json(answer)}


@grid.command()
@click.argument("zone_text", metavar="ZONE")
@click.option("--at", metavar="T", help="For this date or time instead of now, such as 2026-10-03T14:00Z.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(zone_text: str, at: str | None, as_json: bool) -> None:
    """Show the factor of ZONE: value, type, tier, source, period, age and licence, and what each tier would say."""
    zone, at_s = find_zone(zone_text), factors.instant(at)
    tables = factors.open_tables(at_s)
    rows, path = list(tables.rows()), zone_path(zone)
    used, residual = tables.choose(zone, at_s), choose_residual(rows, path, at_s)
    tiers = ladder(rows, path, at_s)
    if as_json:
        document = {"zone": zone.code, "name": zone.name, "at": factors.day(at_s), **_answer_json("location", used)}
        document["tiers"] = {str(tier): _answer_json("factor", answer) for tier, answer in tiers.items()}
        document["residual"] = _answer_json("factor", residual)
        click.echo(factors.encode(document))
        return
    click.secho(f"{zone.code}  {zone.name}", bold=True)
    click.echo(f"  location-based, for {factors.day(at_s)}\n")
    for label, text in _lines(used, at_s, tables):
        _say(label, text)
    click.echo()
    click.secho("What each tier says", bold=True)
    for line in _ladder_lines(tiers, used):
        click.echo(f"  {line}")
    click.echo()
    click.secho("Market-based, what no contract covers", bold=True)
    for label, text in _residual_lines(residual):
        _say(label, text)


def _say(label: str, text: str) -> None:
    for line in layout.entry(label, text, label_width=_LABEL, within=layout.width()):
        click.echo(line)


def _lines(used: Choice | NoFactor, at_s: int, tables: TablesProvider) -> Iterator[tuple[str, str]]:
    match used:
        case NoFactor(reason):
            why = f" ({tables.note})" if tables.note else ""
            yield "value", f"none: {reason.rstrip('.')}{why}. Emissions are unknown, not zero."
        case Choice(row=row):
            yield "value", f"{_plain(row)} g/kWh, printed as {row.value_printed} {row.unit_printed}"
            yield "type", factors.TYPES[row.factor_type]
            yield "gases", row.gases + (f", GWP of {row.gwp_set}" if row.gwp_set not in {"none", "unspecified"} else "")
            yield "averages", f"{row.basis.replace('_', ' ')} mix" if row.basis != "unspecified" else "mix not stated"
            yield "losses", {True: "included", False: "not included", None: "not stated"}[row.includes_td]
            yield "tier", f"{row.quality_tier} of 6, {factors.TIERS[row.quality_tier]}"
            yield "edition", row.edition
            yield "period", factors.period(row)
            yield "age", _age(row, at_s)
            yield "source", row.source
            yield "look up", row.publisher_url
            yield "licence", factors.licence(row)
            yield "checked", factors.CONFIDENCE.get(row.confidence, "not known")
            yield "factor id", row.factor_id
            yield from (("flag", text) for text in used.steps)
            yield from (("note", text) for text in used.cautions)


def _age(row: FactorRow, at_s: int) -> str:
    if not row.valid_to_s:
        return "not known"
    if at_s < row.valid_from_s:
        return "the period is still to come"
    if at_s < row.valid_to_s:
        return "the period asked for"
    months = (at_s - row.valid_to_s) * 12 // _YEAR_S
    return f"{months // 12} y {months % 12} m after the end of its period"


def _plain(row: FactorRow) -> str:
    value = row.value_g_per_kwh
    return "none" if value is None else factors.plain(value)


def _ladder_lines(tiers: dict[int, Choice | NoFactor], used: Choice | NoFactor) -> Iterator[str]:
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
    yield from layout.table(header, rows, right={0, 1}, flexible={3}, within=_inner())


def _inner() -> int | None:
    within = layout.width()
    return None if within is None else within - 2


def _residual_lines(residual: Choice | NoFactor) -> Iterator[tuple[str, str]]:
    match residual:
        case NoFactor(reason):
            yield "residual", f"none: {reason}"
        case Choice(row=row):
            yield "residual", f"{_plain(row)} g/kWh, {row.gases}, type {row.factor_type}"
            yield "source", row.source
            yield "licence", factors.licence(row)
            yield from (("flag", text) for text in residual.steps)
            yield from (("note", text) for text in residual.cautions)
