"""Composes a month's statement: the lake, the grid, the contracts and the configuration come together here.

The same books, settings and ``as_of_s`` give the same statement on every machine: nothing here reads a clock, a locale
or an environment, and everything is sorted.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tracker.books.allocation import allocate_idle
from tracker.books.coverage import Coverage, last_sites, read_presence
from tracker.books.dimensions import Wanted, sorted_filters
from tracker.books.interface import BookStore
from tracker.books.rows import lines_of, merged
from tracker.books.sites import Sites, read_sites
from tracker.books.statement import Cell, MonthQuery
from tracker.books.sums import Sums
from tracker.config import Config
from tracker.config.pue import zone_of
from tracker.core.errors import UsageError, WattledgerError
from tracker.core.hours import HOUR_S
from tracker.core.period import days_of, period_of
from tracker.core.statement import DEFAULT_GROUP, Line, Statement, Status
from tracker.core.words import counted
from tracker.finance.assembling import USAGE, Asked, Found, assembled, unknown_of
from tracker.finance.inputs import MonthFiles, expected_nodes, find_files, inputs_of, local, site_files
from tracker.finance.listing import Used, embodied_uses, factor_uses, site_uses
from tracker.finance.places import SiteBook, places_of, site_book
from tracker.finance.portal_months import LOOK_BACK, with_energy
from tracker.finance.terms import (
    Hardware,
    claims_of,
    factors_of,
    hardware_of,
    has_host_figure,
    loss_of,
    market_table,
    tariffs_of,
)
from tracker.finance.weights import Terms, Weighing

#: Steps done, of how many, and what comes next.
Tell = Callable[[int, int, str], object]
_STEPS = ("listing files", "reading coverage", "reading entries", "choosing factors", "summing", "checking inputs")


class NoData(WattledgerError):
    """The books have nothing of the month."""


def nothing_of(store: BookStore, month: str, as_of_s: int) -> NoData:
    """With the months that there are. Raises BooksUnavailable."""
    there = with_energy(store, as_of_s)
    some = f"they have energy of {', '.join(there)}" if there else f"nor of any of the {LOOK_BACK} months up to now"
    remedy = "Ask for one of these, or ship the hours of this one" if there else "Ship a node's hours first"
    return NoData(f"The books at {store.url} have nothing of {month}; {some}.", f"{remedy}: wattledger ship")


def compose(
    config: Config,
    store: BookStore,
    month: str,
    *,
    as_of_s: int,
    group_by: Sequence[str] = (),
    filters: Sequence[tuple[str, str]] = (),
    version: int | None = None,
    status: Status = Status.DRAFT,
    hash_inputs: bool = False,
    method: str = "",
    hand_on_idle: bool = False,
    threads: int | None = None,
    tell: Tell | None = None,
) -> Statement:
    """``group_by`` and ``method`` (annual | hourly) are the configuration's where they are empty; ``filters`` are
    (dimension, pattern). ``version``: of the month, 0 for a draft. ``hash_inputs``: with the sha256 of every file's
    bytes. ``hand_on_idle``: add rows that net to zero (``books/allocation.py``). What was posted for other months, and
    the months before, are put beside it by ``closing.with_corrections`` and ``trend.with_trend``. What this machine's
    own store of factors knows weighs nothing: it has to be in the books (``wattledger ship --factors``).

    Raises NoData, UsageError (no month, no dimension, a contract that claims too much), BooksUnavailable, BooksDamaged,
    BooksRefused for books of a newer schema.
    """
    asked = _asked(config, month, group_by, filters, method, as_of_s)
    say = _stepping(tell)
    say()
    files = find_files(store, asked.period)
    if not files.entries:
        raise nothing_of(store, month, as_of_s)
    with tempfile.TemporaryDirectory(prefix="wattledger-") as folder:
        with MonthQuery(Path(folder), config.books.memory_mib, threads) as query:
            found = _read(config, store, asked, files, query, say)
        say()
        read = (*files.entries, *files.coverage, *files.before.values())  # by the last, who was there before
        names: dict[str, int | None] = {file.name: file.size_bytes for file in read}
        names |= dict.fromkeys(found.extra_inputs)
        inputs = inputs_of(store, names, hashed=hash_inputs)
    if hand_on_idle:
        rows = (*found.lines, *allocate_idle(month, asked.wanted.group_by, found.lines))
        found = replace(found, lines=tuple(sorted(rows, key=lambda line: (line.key, line.kind != USAGE))))
    return assembled(config, asked, found, inputs, version or 0, status)


def _asked(
    config: Config, month: str, group_by: Sequence[str], filters: Sequence[tuple[str, str]], method: str, as_of_s: int
) -> Asked:
    """Raises UsageError."""
    timezone = config.books.timezone
    try:
        period = period_of(month, timezone, zone_of(timezone))
    except ValueError as error:
        raise UsageError(f"{month[:40]!r} is no month.", "Write it like 2026-10.") from error
    if period.start_s >= as_of_s:
        raise UsageError(f"{month} has not begun yet.", "Ask for a month that has.")
    wanted = Wanted(tuple(group_by or config.books.group_by or DEFAULT_GROUP), sorted_filters(filters))
    return Asked(period, wanted, method or config.accounting.location_factor, as_of_s)


def _stepping(tell: Tell | None) -> Callable[[], None]:
    steps = iter(enumerate(_STEPS))

    def say() -> None:
        done, what = next(steps)
        if tell is not None:
            tell(done, len(_STEPS), what)

    return say


def _read(
    config: Config,
    store: BookStore,
    asked: Asked,
    files: MonthFiles,
    query: MonthQuery,
    say: Callable[[], None],
) -> Found:
    say()
    coverage, doubles = _covered(config, store, asked, files, query)
    say()
    entries = local(store, files.entries)
    query.read_entries(entries, asked.period, asked.wanted, by_packages=has_host_figure(config))
    cells = query.cells()
    if not cells:
        raise NoData(f"The books at {store.url} have no energy in {asked.period.month}.", "Ship it: wattledger ship")
    say()
    said = read_sites(store, asked.as_of_s)
    books = {site: site_book(site, config, said.facts) for site in sorted({cell.site for cell in cells})}
    weighing, factor_files = _weighing(config, store, asked, cells, books)
    hardware = hardware_of(config, query.made())
    say()
    lines, total, days = _summed(config, asked, query, weighing, hardware, coverage)
    used = [Used(*row) for row in query.energy("site", "zone_written", "zone", "hour_s")]
    return Found(
        lines,
        total,
        tuple(days),
        coverage,
        (*factor_uses(used, weighing), *embodied_uses(hardware.figures, hardware.lifetime_h)),
        site_uses(used, weighing),
        books,
        unknown_of([sums for _, sums in days]),
        (*factor_files, *site_files(store, asked.as_of_s)),
        _notes(said, files, doubles),
    )


def _covered(
    config: Config, store: BookStore, asked: Asked, files: MonthFiles, query: MonthQuery
) -> tuple[Coverage, Mapping[str, int]]:
    """Who was there, and hours that two ledgers of one hostname have."""
    period = asked.period
    paths = local(store, files.coverage)
    packages = has_host_figure(config)
    presence = read_presence(query, files.coverage, paths, period, lost=files.lost, by_packages=packages)
    gone = files.last_of_absent(presence)
    seen = last_sites(query, local(store, gone)) if gone else {}
    clock = zone_of(period.timezone)
    expected = expected_nodes(files, presence, seen, period, asked.as_of_s, config.books.retired, clock)
    return Coverage(presence, expected), presence.doubles


def _summed(
    config: Config, asked: Asked, query: MonthQuery, weighing: Weighing, hardware: Hardware, coverage: Coverage
) -> tuple[tuple[Line, ...], Line, list[tuple[str, Sums]]]:
    """Rows, their total, and exact sums of days."""
    period, wanted = asked.period, asked.wanted
    places = weighing.terms.places.values()
    days = days_of(period, zone_of(period.timezone))
    query.weigh(places, weighing.weights(), hardware.makings, days, wanted, config.books.entity)
    rows = merged(query.rows(wanted))
    lines, total = lines_of(period.month, rows, asked.method, _coverage_of(coverage, wanted))
    return lines, replace(total, key=("",) * len(wanted.group_by)), query.days()


def _weighing(
    config: Config,
    store: BookStore,
    asked: Asked,
    cells: Sequence[Cell],
    books: Mapping[str, SiteBook],
) -> tuple[Weighing, tuple[str, ...]]:
    period = asked.period
    places = places_of(((cell.site, cell.zone_written) for cell in cells), books)
    zones = {place.zone for place in places.values()}
    factors, names = factors_of(config, store, zones, period, asked.as_of_s)
    claims, cautions = claims_of(market_table(config))
    clock = zone_of(period.timezone)
    terms = Terms(
        asked.method,
        places,
        books,
        claims,
        cautions,
        tariffs_of(config, lambda site: books[site].clock if site in books else clock),
        loss_of(config),
    )
    until_s = min(period.end_s, max(asked.as_of_s // HOUR_S * HOUR_S, max(cell.hour_s for cell in cells) + HOUR_S))
    return Weighing(cells, terms, factors, period.start_s, until_s), names


def _coverage_of(coverage: Coverage, wanted: Wanted) -> Callable[[tuple[str, ...]], int | None]:
    """Of a row, by what of its key says where it is; of everything for the empty key."""
    at = {name: n for n, name in enumerate(wanted.group_by) if name in {"site", "component", "hostname"}}

    def of(key: tuple[str, ...]) -> int | None:
        return coverage.of(**({name: key[n] for name, n in at.items()} if key else {}))

    return of


def _notes(said: Sites, files: MonthFiles, doubles: Mapping[str, int]) -> tuple[str, ...]:
    return (
        *said.contradictions,
        *said.damaged,
        *(f"{one.name} and {other.name} are of the same hours: the first was read." for one, other in files.conflicts),
        *(
            f"Two ledgers of {host} have rows of the same {counted(hours, 'hour')}; both were read."
            for host, hours in doubles.items()
        ),
    )
