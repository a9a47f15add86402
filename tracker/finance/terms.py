"""What the configuration and the books say that weights are made of."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from decimal import Decimal
from pathlib import Path

from tracker.books.factorfiles import read_factors as read_factor_files
from tracker.books.interface import BookStore
from tracker.books.market import Claimed
from tracker.books.statement import Making
from tracker.config import Config
from tracker.config.book_checks import minutes
from tracker.config.books import BooksTariff
from tracker.config.pue import midnight_s
from tracker.core.accounting import LossForm
from tracker.core.embodied import Device, find_device
from tracker.core.factors import FactorRow
from tracker.core.known import FactorRecord, same_content
from tracker.core.statement import Period
from tracker.core.tariff import EVERY_DAY, Tariff, Window
from tracker.core.weights import MICRO, Loss, fg_per_ms
from tracker.core.words import counted
from tracker.finance.factors import FactorBook, Policy, factor_book
from tracker.grid.bundle import parse_bundle
from tracker.grid.catalogue import WORLD
from tracker.grid.instruments import NOTHING, MarketTable, read_instruments
from tracker.grid.shipped import read_factors
from tracker.grid.store_reader import FactorReader
from tracker.grid.tables import generic_rows
from tracker.grid.yearly import is_yearly
from tracker.grid.zones import find_zone, zone_path
from tracker.wiring import embodied_for, facts_for, store_path

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
#: Figures of a whole machine or of many GPUs are never one GPU's.
_NO_GPU = frozenset({"baseboard", "server"})


def tariffs_of(config: Config, clock_of: Callable[[str], tzinfo]) -> tuple[Tariff, ...]:
    """``clock_of``: a site's time zone; of a tariff for every site, its days are those of the books."""
    return tuple(_tariff(each, clock_of(each.site)) for each in config.books.tariffs)


def _tariff(said: BooksTariff, clock: tzinfo) -> Tariff:
    windows = (
        Window(
            _micro(each.price),
            minutes(each.begin),
            minutes(each.to),
            frozenset(_WEEKDAYS.index(day) for day in each.days) or EVERY_DAY,
        )
        for each in said.windows
    )
    return Tariff(
        price_micro_per_kwh=_micro(said.price),
        site=said.site,
        valid_from_s=0 if said.begin is None else midnight_s(said.begin, clock),
        valid_to_s=None if said.to is None else midnight_s(said.to, clock),
        windows=tuple(windows),
        source=said.source,
    )


def _micro(price: float) -> int:
    """As it was written, in millionths."""
    return round(Decimal(str(price)) * MICRO)


def loss_of(config: Config) -> Loss | None:
    said = config.accounting.grid_loss
    return None if said.ratio is None else Loss(Decimal(str(said.ratio)), LossForm(said.form), said.source)


def market_table(config: Config) -> MarketTable:
    """Raises UsageError, which names file and line."""
    file = config.accounting.instruments_file
    return read_instruments(Path(file)) if file else NOTHING


def claims_of(table: MarketTable) -> tuple[tuple[Claimed, ...], Mapping[str, tuple[str, ...]]]:
    """Instruments with their markets, and what to know of each."""
    claims = tuple(Claimed(claim.instrument, claim.market) for claim in table.claims)
    return claims, {claim.instrument.key: claim.cautions for claim in table.claims}


@dataclass(frozen=True, slots=True)
class Hardware:
    """What the making of devices weighs: rates for the query, and figures with a note for the factor page."""

    makings: tuple[Making, ...]
    figures: tuple[tuple[Device, str], ...]
    lifetime_h: int


def hardware_of(config: Config, made: Sequence[tuple[str, str]]) -> Hardware:
    """``made``: GPU models, and numbers of CPU packages that share a host's figure."""
    rates = embodied_for(config)
    table = [device for device in rates.table if device.unit not in _NO_GPU]
    makings: list[Making] = []
    figures: dict[tuple[str, str], tuple[Device, str]] = {}
    for component, text in made:
        figure = find_device(table, text) if component == "gpu" else rates.host
        parts = int(text or 0) if component == "cpu" else 1
        if figure is None or figure.kgco2e is None or parts < 1:
            continue
        makings.append(Making(component, text, fg_per_ms(figure.kgco2e, rates.lifetime_h, parts)))
        note = f"Of one host, shared evenly by {counted(parts, 'CPU package')}." if component == "cpu" else ""
        figures.setdefault((figure.name, note), (figure, note))
    return Hardware(tuple(makings), tuple(figures[key] for key in sorted(figures)), rates.lifetime_h)


def has_host_figure(config: Config) -> bool:
    return config.accounting.embodied.host_kgco2e is not None


def factors_of(
    config: Config, store: BookStore, zones: Iterable[str], period: Period, as_of_s: int
) -> tuple[FactorBook, tuple[str, ...]]:
    """What the books know of these zones, and the files that it is from. Raises BooksUnavailable, BooksDamaged."""
    zones = sorted(set(zones))
    policies = {zone: Policy(config.grid.tiers_of(zone), config.grid.live_chain(zone)) for zone in zones}
    places = _places(zones)
    records: list[FactorRecord] = []
    files: list[str] = []
    for name, found in _in_books(store, places, period):
        if any(record.recorded_at_s <= as_of_s for record in found):
            records += found
            files.append(name)
    facts = facts_for(config)
    tables = (*read_factors(as_of_s=as_of_s), *generic_rows(facts.countries, facts.edition))
    return factor_book([row for row in tables if row.zone in places], records, policies, as_of_s), tuple(files)


def only_here(config: Config, store: BookStore, zones: Iterable[str], period: Period, as_of_s: int) -> int:
    """How many values of these zones and this time this machine knows that the books do not have: they weigh nothing.
    Raises BooksUnavailable, BooksDamaged, StoreError."""
    places = _places(zones)
    reader, named = FactorReader(store_path(config)), sorted(places)
    own = (*reader.records(named, period.start_s, period.end_s, as_of_s), *reader.yearly(named, as_of_s))
    missing = {record.row.factor_id: record.row for record in own if _is_of(record.row, places, period)}
    for _, found in _in_books(store, places, period) if missing else ():
        for record in found:
            row = missing.get(record.row.factor_id)
            if row is not None and same_content(row, record.row):
                del missing[row.factor_id]
    return len(missing)


def _in_books(store: BookStore, places: Collection[str], period: Period) -> Iterator[tuple[str, list[FactorRecord]]]:
    """By file, what it has of these places and this time."""
    for name, content in read_factor_files(store):
        yield name, [record for record in parse_bundle(content, name) if _is_of(record.row, places, period)]


def _places(zones: Iterable[str]) -> set[str]:
    """Whose values may weigh these zones."""
    return {step.zone for zone in zones for step in zone_path(find_zone(zone))} | {WORLD.code}


def _is_of(row: FactorRow, places: Collection[str], period: Period) -> bool:
    """Of a yearly factor any year: the last one before the period weighs it where there is none of its own."""
    in_time = row.valid_from_s < period.end_s and period.start_s < row.valid_to_s
    return row.zone in places and (in_time or is_yearly(row))
