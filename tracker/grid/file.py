"""An operator's own intensities: a CSV or JSON file, or the same behind an address.

    [grid.file]
    path = "/srv/meters/intensity.csv"     # or url = "https://books.example/intensity.csv"
    zone = "FR"
    publisher = "ACME energy office"
    factor_type = "direct"
    gases = "CO2e"

    datetime,g_per_kwh
    2026-01-01T00:00:00+01:00,23.4

JSON is a list of objects with the same names. Published tables are read by name, ``preset = "em-portal"``
(``layouts.py`` says where each is from). A bundle (``wattledger grid export``) is taken as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar, Literal, assert_never

import msgspec

from tracker.core.errors import UsageError
from tracker.core.factors import ESTIMATED, MEASURED, Basis, FactorRow, FactorType, Origin, Scheme
from tracker.grid.answers import in_order, iso
from tracker.grid.catalogue import Zone
from tracker.grid.clients import shown
from tracker.grid.interface import Ask, BadAnswer, LiveProvider, NoData
from tracker.grid.keyless import factor_id
from tracker.grid.layouts import Facts, Layout, em_portal, neso_history, open_grid_emissions
from tracker.grid.opened import Source, check_url, opened
from tracker.grid.tabular import Interval, csv_table, is_json, json_table, load_json, parse
from tracker.grid.zones import find_zone

DAY_S = 86_400
INTERVALS_S = {"5m": 300, "10m": 600, "15m": 900, "30m": 1800, "1h": 3600, "1d": DAY_S}


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of the file provider. Exactly one of ``path`` and ``url``; a ``zone`` or a ``zone_column``."""

    path: str = ""
    url: str = ""
    #: Sent as a bearer token with ``url``. The token itself wins over the file.
    token: str = ""
    token_file: str = ""
    preset: Literal["", "em-portal", "oge", "neso-history"] = ""
    #: The zone of every row.
    zone: str = ""
    #: Or the column that says it: a code or alias of the catalogue, or the zone's name at Electricity Maps.
    zone_column: str = ""
    start_column: str = "datetime"
    #: Without one, a row lasts an ``interval``.
    end_column: str = ""
    value_column: str = "g_per_kwh"
    #: A column of true and false: rows with true are of tier 2.
    estimated_column: str = ""
    interval: Literal["5m", "10m", "15m", "30m", "1h", "1d"] = "1h"
    #: Which end of its interval the time of a row is. The EIA's is the end.
    timestamps: Literal["start", "end"] = "start"
    #: Times without an offset are UTC. Without this they are refused.
    utc: bool = False
    unit: Literal["g/kWh", "kg/MWh", "kg/kWh", "t/MWh", "lb/MWh", "lb/kWh"] = "g/kWh"
    factor_type: Literal["direct", "unspecified", "lifecycle"] = "unspecified"
    gases: Literal["CO2", "CO2e", "unspecified"] = "unspecified"
    basis: Literal["production", "production_with_imports", "consumption", "unspecified"] = "unspecified"
    #: Who says these numbers: it is printed with every one of them.
    publisher: str = ""
    #: Which table it is, in the ids of its factors. Two tables of one zone (the meters of two sites) need two names;
    #: without one it is the publisher's.
    name: str = ""
    licence: str = "own data"
    #: 1: measured; 2: estimated.
    tier: Literal[1, 2] = 2
    gwp_set: str = "unspecified"
    includes_td: bool | None = None

    def __repr__(self) -> str:
        return shown(self, "token", "url")  # an address may have a key in its query


#: What may be set beside a preset; everything else it says itself.
_WITH_PRESET = {
    "em-portal": frozenset({"factor_type", "interval"}),
    "oge": frozenset({"gases"}),
    "neso-history": frozenset[str](),
}
_KNOWS_ZONE = frozenset({"em-portal", "neso-history"})
_ALWAYS = frozenset({"path", "url", "token", "token_file", "preset", "zone", "name"})


class FileProvider(LiveProvider):
    """Reads the whole table each time: it may have been mended anywhere. Raises UsageError for options that contradict
    each other, UnknownZone for a zone that is in no catalogue."""

    name: ClassVar[str] = "file"
    max_range_s: ClassVar[int] = 366 * DAY_S
    may_take_all_back: ClassVar[bool] = True

    def __init__(self, options: Options, ask: Ask) -> None:
        _check(options)
        self._options = options
        self._ask = ask
        self._layout, self._facts = layout_of(options)
        self._name = _slug(options.name) or _slug(self._facts.publisher) or "own"
        zone = options.zone or ("GB" if options.preset == "neso-history" else "")
        self._zone = find_zone(zone) if zone else None

    def __repr__(self) -> str:
        return f"FileProvider({self._options!r})"

    def covers(self, zone: Zone) -> bool:
        """Its own zone; of a table with a column of zones, only reading tells."""
        return self._zone is None or zone.code == self._zone.code

    def read(self, zone: Zone, start_s: int, end_s: int, now_s: int) -> tuple[FactorRow, ...]:
        """See LiveProvider."""
        options, layout = self._options, self._layout
        with opened(options, layout.max_bytes, self._ask, now_s) as source:
            if not is_json(source.raw):
                table = csv_table(source.name, source.raw, layout)
            else:
                content, document = load_json(source.name, source.raw)
                if isinstance(document, dict):
                    return _exported(source, content, zone, start_s, end_s)
                table = json_table(source.name, document, layout)
            wants = wanted(zone, layout)
            intervals, zones = parse(table, layout, wants, start_s, end_s)
        if zones and not any(map(wants, zones)):
            has = ", ".join(sorted(zones)[:10])
            raise NoData(f"{source.name} has no rows of the zone {zone.code}; it has: {has[:200]}.")
        return tuple(_row(interval, zone, self._name, self._facts, source) for interval in intervals)


def layout_of(options: Options) -> tuple[Layout, Facts]:
    """How the table is laid out, and what its numbers are."""
    match options.preset:
        case "em-portal":
            return em_portal(FactorType(options.factor_type), INTERVALS_S[options.interval])
        case "oge":
            return open_grid_emissions("CO2e" if options.gases == "unspecified" else options.gases)
        case "neso-history":
            return neso_history()
        case "":
            return _own(options)
        case _ as never:
            assert_never(never)


def _own(options: Options) -> tuple[Layout, Facts]:
    layout = Layout(
        start=_column(options.start_column),
        value={options.value_column.strip().casefold(): options.unit},
        interval_s=INTERVALS_S[options.interval],
        end=_column(options.end_column),
        zone=_column(options.zone_column),
        estimated=_column(options.estimated_column),
        at_end=options.timestamps == "end",
        utc=options.utc,
    )
    facts = Facts(
        factor_type=FactorType(options.factor_type),
        gases=options.gases,
        basis=Basis(options.basis),
        publisher=options.publisher,
        edition="own table",
        licence=options.licence,
        tier=options.tier,
        gwp_set=options.gwp_set,
        includes_td=options.includes_td,
    )
    return layout, facts


def wanted(zone: Zone, layout: Layout) -> Callable[[str], bool]:
    """Whether a row with this text in its column of zones is of the zone."""
    if not layout.zone:
        return lambda _: True
    names = {name.casefold() for name in (zone.code, zone.em_zone, *zone.aliases) if name}
    return lambda text: text.casefold() in names


def _column(title: str) -> tuple[str, ...]:
    return (title.strip().casefold(),) if title.strip() else ()


def _check(options: Options) -> None:
    """Raises UsageError for settings that contradict each other."""
    if bool(options.path) == bool(options.url):
        raise UsageError(
            "The file provider needs either a path or a url.", 'Set path = "/srv/intensity.csv" in [grid.file].'
        )
    if options.url:
        check_url(options.url)
    free = _ALWAYS | _WITH_PRESET.get(options.preset, frozenset())
    given, usual = msgspec.structs.asdict(options), msgspec.structs.asdict(Options())
    fixed = [name for name in given if options.preset and name not in free and given[name] != usual[name]]
    if fixed:
        raise UsageError(
            f'In [grid.file], preset = "{options.preset}" says {", ".join(fixed)} itself.', "Leave one of them out."
        )
    if not options.preset and not options.publisher.strip():
        raise UsageError("[grid.file] does not say who publishes the numbers.", 'Set publisher = "…".')
    if not options.zone and not options.zone_column and options.preset not in _KNOWS_ZONE:
        raise UsageError("[grid.file] does not say the zone of its rows.", 'Set zone = "FR", or zone_column.')


def _exported(source: Source, content: bytes, zone: Zone, start_s: int, end_s: int) -> tuple[FactorRow, ...]:
    """The live rows of a bundle, as what they are here: read from a file. Everything else of theirs stays."""
    from tracker.grid.bundle import BundleRefused, parse_bundle  # noqa: PLC0415 - it loads the store, the daemon does not

    try:
        rows = [record.row for record in parse_bundle(content, source.name)]
    except BundleRefused as error:
        raise BadAnswer(error.sentence, error.remedy) from error
    live = [
        replace(row, factor_id=f"file:{row.factor_id}", origin=replace(row.origin, provider="file"))
        for row in rows
        if row.zone == zone.code and row.quality_tier in {MEASURED, ESTIMATED} and start_s <= row.valid_from_s < end_s
    ]
    try:
        return in_order(source.name, live)
    except BadAnswer as error:
        raise BadAnswer(error.sentence, f"It is of several services: wattledger grid import {source.name}") from error


def _slug(name: str) -> str:
    """acme-energy-office of ACME energy office."""
    return "-".join("".join(char if char.isalnum() else " " for char in name.casefold()).split())


def _row(interval: Interval, zone: Zone, name: str, facts: Facts, source: Source) -> FactorRow:
    where = f"{zone.code}:{name}"
    return FactorRow(
        factor_id=factor_id("file", where, facts.factor_type, interval.start_s, interval.end_s),
        zone=zone.code,
        zone_printed=interval.zone or zone.code,
        zone_system="electricitymaps" if facts.publisher == "Electricity Maps" else "own",
        value_printed=interval.printed,
        unit_printed=interval.unit,
        gases=facts.gases,
        factor_type=facts.factor_type,
        basis=facts.basis,
        scheme=Scheme.AVERAGE,
        quality_tier=ESTIMATED if interval.estimated else facts.tier,
        valid_from_s=interval.start_s,
        valid_to_s=interval.end_s,
        edition=facts.edition,
        data_year=iso(interval.start_s)[:4],
        publisher=facts.publisher,
        source_ref=source.name,
        licence=facts.licence,
        gwp_set=facts.gwp_set,
        includes_td=facts.includes_td,
        publisher_url=facts.publisher_url,
        attribution=facts.attribution,
        origin=Origin(
            provider="file",
            endpoint=source.endpoint,
            is_estimated=interval.estimated,
            estimation_method=interval.method,
            fetched_at_s=source.fetched_at_s,
            raw_sha256=source.sha256,
        ),
    )
