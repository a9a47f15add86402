"""``wattledger grid list``: which zones there are, the best yearly factor of each, and what services know of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from msgspec.structs import replace

from tracker.cli import factors, layout
from tracker.cli.grid_node import node_config, node_options, wrapped
from tracker.config import Config
from tracker.core.chain import may_be_used
from tracker.core.errors import UsageError, WattledgerError
from tracker.core.factors import Choice, FactorRow, NoFactor
from tracker.grid.catalogue import Zone, zones
from tracker.grid.near import near_zones, zones_with
from tracker.grid.store import FactorReader
from tracker.grid.tables import TablesProvider
from tracker.grid_wiring import nobody, providers_of, store_path

_MONTH_S = 31 * 86_400
_LIVE_MARK = " +"


@dataclass(frozen=True, slots=True)
class _Live:
    """What the node knows of zones beside the tables: services that cover a zone, and the newest value in the store.
    None: there are values, but none of the last month."""

    services: Mapping[str, Sequence[str]] = field(default_factory=dict)
    newest: Mapping[str, FactorRow | None] = field(default_factory=dict)


@click.command("list", short_help="Find zones, with the best factor of each.")
@click.argument("text", default="")
@click.option("--at", metavar="T", help="For this date or time instead of now.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@node_options
def list_zones(text: str, at: str | None, as_json: bool, config_path: Path | None, node__state_dir: str | None) -> None:
    """List zones whose code, name or country has TEXT in it, with the best yearly factor of each, and say which of them
    have live values in the node's store or are covered by a service that is configured."""
    now_s = factors.now_s()
    at_s = now_s if at is None else factors.instant(at)
    found = zones_with(text) if text.strip() else zones()
    found = found or near_zones(text)
    if not found:
        raise UsageError(f"No zone is like {text[:40]!r}.", "List all: wattledger grid list")
    tables, live = factors.open_tables(at_s), _Live()
    try:
        config = node_config(config_path, node__state_dir)
        store = FactorReader(store_path(config))
        tables.learn(store.yearly(store.zones()))
        live = _live(config, store, found, now_s)
    except (
        WattledgerError
    ) as error:  # what is wrong with the configuration may be the zone that somebody looks for here
        layout.echo(f"wattledger: {error}", err=True)
    if as_json:
        click.echo(factors.encode([_zone_json(zone, tables, at_s, live) for zone in found]))
        return
    _print(found, tables, at_s, live)


def _live(config: Config, store: FactorReader, found: Sequence[Zone], now_s: int) -> _Live:
    """Raises UsageError, StoreError."""
    known = store.zones()
    years = {record.row.zone for record in store.yearly(known)}  # perhaps nothing else is known of these
    newest = {zone.code: _newest(store, zone, now_s) for zone in found if zone.code in known}
    newest = {code: row for code, row in newest.items() if row is not None or code not in years}
    covering = {zone.code: tuple(_services(config, zone)) for zone in found if not zone.choices}
    return _Live({code: names for code, names in covering.items() if names}, newest)


def _newest(store: FactorReader, zone: Zone, now_s: int) -> FactorRow | None:
    records = store.records((zone.code,), now_s - _MONTH_S, now_s)
    usable = (record.row for record in records if may_be_used(record.row))
    return max(usable, key=lambda row: row.valid_to_s, default=None)


def _services(config: Config, zone: Zone) -> Iterator[str]:
    """The configured services that know the zone itself, not only the country around it; those of its chain first."""
    for name in dict.fromkeys((*config.grid.live_chain(zone.code), *config.grid.providers)):
        alone = replace(config, grid=replace(config.grid, chain=(name,), zone={}))
        try:
            if zone.code in providers_of(alone, zone, nobody):
                yield name
        except UsageError:
            continue


def _print(found: Sequence[Zone], tables: TablesProvider, at_s: int, live: _Live) -> None:
    answers = [(zone, tables.choose(zone, at_s)) for zone in found]
    header = ("ZONE", "NAME", "G/KWH", "TYPE", "TIER", "EDITION")
    rows = [(_code(zone, live), zone.name, *_columns(zone, answer)) for zone, answer in answers]
    lines = layout.table(header, rows, right={2, 4}, flexible={1, 5}, within=layout.width())
    layout.echo(next(lines), bold=True)
    for line in lines:
        layout.echo(line)
    notes = list(_notes(answers, live))
    if notes:
        layout.echo()
    for note in notes:
        for n, line in enumerate(wrapped(note)):
            layout.echo(f"  {line}" if n else line)


def _notes(answers: Sequence[tuple[Zone, Choice | NoFactor]], live: _Live) -> Iterator[str]:
    """What the marks mean, and which services cover what."""
    if any(isinstance(answer, Choice) and answer.steps and not zone.choices for zone, answer in answers):
        yield "* not this zone's own official factor; why: wattledger grid show ZONE"
    if live.newest:
        told = ", ".join(f"{code} {_until(row)}" for code, row in live.newest.items())
        yield f"{_LIVE_MARK.strip()} live values in the node's store: {told}"
    by_service: dict[str, list[str]] = {}
    for code, names in live.services.items():
        for name in names:
            by_service.setdefault(name, []).append(code)
    for name, codes in by_service.items():
        yield f"{name} covers {', '.join(codes)}"


def _code(zone: Zone, live: _Live) -> str:
    return zone.code + (_LIVE_MARK if zone.code in live.newest else "")


def _until(row: FactorRow | None) -> str:
    if row is None:
        return "(none of the last 31 days)"
    return f"until {factors.minute(row.valid_to_s)} ({row.origin.provider})"


def _columns(zone: Zone, answer: Choice | NoFactor) -> tuple[str, str, str, str]:
    if zone.choices:
        return "", "", "", f"tables disagree: set {' or '.join(zone.choices)}"
    match answer:
        case NoFactor(reason):
            return "none", "", "", reason
        case Choice(row=row):
            mark = "*" if answer.steps else ""
            return factors.grams(row.value_g_per_kwh), row.factor_type, str(row.quality_tier), row.edition + mark


def _zone_json(zone: Zone, tables: TablesProvider, at_s: int, live: _Live) -> dict[str, Any]:
    known: dict[str, Any] = {
        "zone": zone.code,
        "name": zone.name,
        "kind": zone.kind,
        "country": zone.country,
        "aliases": zone.aliases,
        "services": live.services.get(zone.code, ()),
        "live": _live_json(zone, live),
    }
    if zone.choices:
        return known | {"choices": zone.choices, "location": None, "reason": "public tables disagree"}
    match tables.choose(zone, at_s):
        case NoFactor(reason):
            return known | {"location": None, "reason": reason}
        case Choice() as choice:
            return known | {"location": factors.as_json(choice)}


def _live_json(zone: Zone, live: _Live) -> dict[str, Any] | None:
    if zone.code not in live.newest:
        return None
    row = live.newest[zone.code]
    if row is None:
        return {"provider": None, "until": None, "value_g_per_kwh": None, "tier": None}
    return {
        "provider": row.origin.provider,
        "until": factors.second(row.valid_to_s),
        "value_g_per_kwh": factors.number(row),
        "tier": row.quality_tier,
    }
