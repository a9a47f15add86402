"""A row of a statement, traced: the month is weighed again from the same files (for a closed one: from what was
sealed), and the row is asked for its hours, entries, factors and rounding. See ``books/trace.py``."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tracker.books.coverage import read_presence
from tracker.books.dimensions import Wanted
from tracker.books.finding import utc
from tracker.books.interface import BookStore
from tracker.books.names import LakeFile, parse_name, prefixes, select
from tracker.books.rows import lines_of, merged
from tracker.books.sealed_inputs import SealedInputs
from tracker.books.sites import read_sites
from tracker.books.statement import MonthQuery
from tracker.books.trace import COLUMNS, EntrySum, HourSum, Making, Product, Rounded, RowQuery, products, rounded
from tracker.books.versions import claim_of, latest_closed, statement_of, versions
from tracker.config import Config
from tracker.config.pue import zone_of
from tracker.core.errors import UsageError
from tracker.core.hours import HOUR_S
from tracker.core.period import days_of, period_of
from tracker.core.statement import DEFAULT_GROUP, Line, Period, Statement, Status
from tracker.finance.compose import nothing_of
from tracker.finance.inputs import find_files, local
from tracker.finance.places import places_of, site_book
from tracker.finance.sealing import with_options
from tracker.finance.terms import claims_of, factors_of, hardware_of, has_host_figure, loss_of, market_table, tariffs_of
from tracker.finance.trace_factors import FactorDetail, factor_details, histories, source_names
from tracker.finance.trace_find import find_row
from tracker.finance.trace_live import LiveCounter, live_counter
from tracker.finance.weights import Terms, Weighing


@dataclass(frozen=True, slots=True)
class Basis:
    """One of the ways in which the row's energy is weighed."""

    name: str  # location_annual | location_hourly | market | upstream | cost
    products: tuple[Product, ...]


@dataclass(frozen=True, slots=True)
class SiteDetail:
    """A place of the row, for the hours in which one PUE holds."""

    site: str
    zone: str
    zone_assumed: bool
    control: str
    pue_permille: int
    pue_source: str
    pue_assumed: bool
    hours: int


@dataclass(frozen=True, slots=True)
class RowTrace:
    """Everything behind a row. ``notes``: what is odd about this trace."""

    month: str
    version: int
    status: Status
    as_of_s: int
    timezone: str
    location_method: str
    group_by: tuple[str, ...]
    line: Line
    rounding: tuple[Rounded, ...]
    bases: tuple[Basis, ...]
    makings: tuple[Making, ...]
    sites: tuple[SiteDetail, ...]
    factors: tuple[FactorDetail, ...]
    entries: tuple[EntrySum, ...]
    live: LiveCounter
    policy: tuple[tuple[str, str], ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """What is traced: a draft, or a closed version with what was sealed of it."""

    config: Config
    store: BookStore
    period: Period
    wanted: Wanted
    method: str
    as_of_s: int
    version: int = 0
    sealed: Statement | None = None


def trace(
    config: Config,
    store: BookStore,
    month: str,
    row: str,
    *,
    as_of_s: int,
    group_by: Sequence[str] = (),
    method: str = "",
    version: int | None = None,
    each_hour: bool = False,
) -> RowTrace:
    """``row``: the id of a row, or its beginning. ``version``: a closed one; None: the latest closed, else the draft as
    of ``as_of_s``; 0: the draft. ``group_by``, ``method`` (annual | hourly): of a draft. ``each_hour``: list the
    entries of every hour, not their sums. Raises UsageError (no such row, month or version), NoData, BooksUnavailable,
    BooksDamaged."""
    with tempfile.TemporaryDirectory(prefix="wattledger-") as name:
        folder = Path(name)
        case = case_of(config, store, month, as_of_s, group_by, version, method, folder)
        with MonthQuery(folder, case.config.books.memory_mib) as query:
            return _traced(case, store, row, query, each_hour=each_hour)


def case_of(
    config: Config,
    store: BookStore,
    month: str,
    as_of_s: int,
    group_by: Sequence[str],
    version: int | None,
    method: str,
    contracts: Path,
) -> Case:
    """``contracts``: a folder for those that were sealed. Raises UsageError for no month or version, BooksDamaged."""
    found = versions(store, month)
    closed = latest_closed(found) if version is None else next((v for v in found if v.number == version), None)
    if version and (closed is None or closed.manifest is None):
        raise UsageError(f"{month} has no closed version {version}.", "See: wattledger close --status")
    if version == 0 or closed is None or closed.manifest is None:
        period = period_of(month, config.books.timezone, zone_of(config.books.timezone))
        wanted = Wanted(tuple(group_by or config.books.group_by or DEFAULT_GROUP))
        return Case(config, store, period, wanted, method or config.accounting.location_factor, as_of_s)
    if group_by:
        raise UsageError(f"{month} is closed, with the rows that it has.", "Leave --group-by out, or ask for --draft.")
    if method:
        raise UsageError(
            f"{month} is closed, with the factors that it has.", "Leave --hourly and --annual out, or ask for --draft."
        )
    claim, statement = claim_of(store, closed), statement_of(store, closed)
    return Case(
        with_options(config, claim, contracts),
        SealedInputs(store, claim),
        statement.period,
        Wanted(claim.group_by, claim.filters),
        statement.location_method,
        claim.as_of_s,
        closed.number,
        statement,
    )


def _traced(case: Case, whole: BookStore, row: str, query: MonthQuery, *, each_hour: bool) -> RowTrace:
    """``whole``: the books with what was not sealed: nodes' own emissions are no input of a statement."""
    files = find_files(case.store, case.period)
    if not files.entries:
        raise nothing_of(case.store, case.period.month, case.as_of_s)
    paths = local(case.store, files.entries)
    weighing = _weigh(case, query, paths, files.coverage)
    rows = merged(query.rows(case.wanted))
    lines, _ = lines_of(case.period.month, rows, case.method, lambda _key: None)
    at = find_row(lines, row, case.period.month, case.wanted.group_by, case.sealed.corrections if case.sealed else ())
    printed, notes = _printed(lines, case.sealed)
    ask = RowQuery(query, case.wanted, rows[at], case.period)
    hours = ask.hours()
    entries = ask.entries(paths, sorted({(each.site, each.zone_written) for each in hours}), each_hour=each_hour)
    emitted = _emissions(whole, case.period)
    booked, work = ask.booked(paths, whole.local(emitted))
    live = live_counter(booked, work, weighing)
    rounding = tuple(
        one for column in COLUMNS if (one := rounded(column, rows, at, [each.amounts for each in printed])) is not None
    )
    return RowTrace(
        month=case.period.month,
        version=case.version,
        status=Status.CLOSED if case.sealed else Status.DRAFT,
        as_of_s=case.as_of_s,
        timezone=case.period.timezone,
        location_method=case.method,
        group_by=case.wanted.group_by,
        line=printed[at],
        rounding=rounding,
        bases=_bases(hours, weighing),
        makings=tuple(ask.makings()),
        sites=_sites(hours, weighing),
        factors=factor_details(hours, weighing, histories(whole), case.as_of_s),
        entries=tuple(entries),
        live=live,
        policy=(*_policy(case), *_apart(hours, weighing)),
        notes=notes,
    )


def _weigh(case: Case, query: MonthQuery, entries: Sequence[Path], coverage: Sequence[LakeFile]) -> Weighing:
    """As ``compose`` does. A row that came out otherwise is told by ``_printed``."""
    config, period = case.config, case.period
    by_packages = has_host_figure(config)
    if by_packages:
        read_presence(query, coverage, local(case.store, coverage), period)
    query.read_entries(entries, period, case.wanted, by_packages=by_packages)
    cells = query.cells()
    said = read_sites(case.store, case.as_of_s).facts
    books = {site: site_book(site, config, said) for site in sorted({cell.site for cell in cells})}
    places = places_of(((cell.site, cell.zone_written) for cell in cells), books)
    zones = {place.zone for place in places.values()}
    factors, _ = factors_of(config, case.store, zones, period, case.as_of_s)
    claims, cautions = claims_of(market_table(config))
    clock = zone_of(period.timezone)
    tariffs = tariffs_of(config, lambda site: books[site].clock if site in books else clock)
    terms = Terms(case.method, places, books, claims, cautions, tariffs, loss_of(config))
    last_s = max((cell.hour_s for cell in cells), default=period.start_s) + HOUR_S
    until_s = min(period.end_s, max(case.as_of_s // HOUR_S * HOUR_S, last_s))
    weighing = Weighing(cells, terms, factors, period.start_s, until_s)
    makings = hardware_of(config, query.made()).makings
    days = days_of(period, clock)
    query.weigh(places.values(), weighing.weights(), makings, days, case.wanted, config.books.entity)
    return weighing


def _printed(lines: Sequence[Line], sealed: Statement | None) -> tuple[list[Line], tuple[str, ...]]:
    """The rows as they were printed. For a closed month those that were sealed."""
    if sealed is None:
        return list(lines), ()
    by_id = {line.row_id: line for line in sealed.rows}
    if [line.row_id for line in lines] != [line.row_id for line in sealed.rows]:
        return [by_id.get(line.row_id, line) for line in lines], (_OTHERWISE,)
    same = all(line.amounts == by_id[line.row_id].amounts for line in lines)
    return [by_id[line.row_id] for line in lines], () if same else (_OTHERWISE,)


_OTHERWISE = "Weighed again from what was sealed, the month is no longer what was closed: wattledger verify --books"


def _bases(hours: Sequence[HourSum], weighing: Weighing) -> tuple[Basis, ...]:
    rates: dict[str, Callable[[HourSum], int | None]] = {
        "location_annual": lambda each: each.annual_ng,
        "location_hourly": lambda each: each.hourly_ng,
        "market": lambda each: each.market_ng,
        "upstream": lambda each: each.upstream_ng,
        "cost": lambda each: each.price_micro,
    }
    return tuple(
        Basis(name, products(hours, rate, partial(source_names, name, weighing))) for name, rate in rates.items()
    )


def _sites(hours: Sequence[HourSum], weighing: Weighing) -> tuple[SiteDetail, ...]:
    counted: dict[tuple[str, str, bool, str, int, str, bool], set[int]] = {}
    for each in hours:
        place = weighing.terms.places[each.site, each.zone_written]
        pue = weighing.pue(each.site, each.hour_s)
        key = (each.site, place.zone, place.zone_assumed, place.control, pue.permille, pue.source, pue.assumed)
        counted.setdefault(key, set()).add(each.hour_s)
    return tuple(SiteDetail(*key, len(those)) for key, those in counted.items())


def _emissions(store: BookStore, period: Period) -> list[str]:
    listed = [each for top in prefixes("emissions", period.start_s, period.end_s) for each in store.names(top)]
    files = [file for name, size in listed if (file := parse_name(name, size)) is not None]
    return [file.name for file in select(files).files if file.start_s < period.end_s and period.start_s < file.end_s]


def _apart(hours: Sequence[HourSum], weighing: Weighing) -> tuple[tuple[str, str], ...]:
    """Where the row is of a site whose overhead has a row of its own."""
    places = {weighing.terms.places[each.site, each.zone_written] for each in hours}
    sites = sorted({place.site or "(no site)" for place in places if place.overhead_scope})
    text = (
        f"What the building adds is booked apart at {', '.join(sites)}: its row has the energy of the computers as "
        "energy_uj and the PUE less 1000 as pue_permille, theirs has 1000 as pue_permille."
    )
    return (("Overhead", text),) if sites else ()


def _policy(case: Case) -> tuple[tuple[str, str], ...]:
    return (
        ("Period", f"{case.period.month} in {case.period.timezone}: hours that start in it."),
        ("Location-based", f"location_kgco2e is the {case.method} figure."),
        ("Known as of", f"{utc(case.as_of_s)}: nothing that was recorded later weighs anything."),
        (
            "Scope",
            "By who controls the hardware (site.<name>.control); billing inside a group moves no scope.",
        ),
        ("Rounding", "Each column is rounded once; rows by largest remainder, so that they add up to the total."),
    )
