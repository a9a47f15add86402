"""A month of the books beside what others counted: see ``books/reconcile.py``."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tracker.books.counters import counted
from tracker.books.interface import BookStore
from tracker.books.meter import MeterReading
from tracker.books.prometheus_api import PrometheusApi
from tracker.books.reconcile import PueAt, hourly_energy, with_meter, with_prometheus
from tracker.books.sites import read_sites
from tracker.config import Config
from tracker.config.pue import zone_of
from tracker.core.accounting import pue_at
from tracker.core.hours import HOUR_S
from tracker.core.period import hours_of, period_of
from tracker.core.statement import Reconciled
from tracker.finance.places import SiteBook, site_book


def reconciled(
    config: Config,
    store: BookStore,
    month: str,
    *,
    as_of_s: int,
    api: PrometheusApi | None = None,
    matchers: str = "",
    readings: Sequence[MeterReading] = (),
    tell: Callable[[int, int], object] = lambda _done, _all: None,
) -> tuple[Reconciled, ...]:
    """One line for Prometheus, if ``api`` is given, and one for each site and level of the meter's ``readings``. Hours
    that are not over at ``as_of_s`` are left out. Raises BooksUnavailable, BooksDamaged, HistoryUnavailable,
    HistoryRefused, and ValueError for what is no month."""
    zone = zone_of(config.books.timezone)
    period = period_of(month, config.books.timezone, zone)
    hours = hours_of(period)
    end_s = min(hours.stop, as_of_s // HOUR_S * HOUR_S)
    if end_s <= hours.start:
        return ()
    ours = hourly_energy(store, hours.start, end_s)
    lines: list[Reconciled] = []
    if api is not None:
        lines.append(with_prometheus(api.name, ours, counted(api, hours.start, end_s, matchers, tell)))
    if readings:
        lines += with_meter(ours, readings, period, _pue(config, store, as_of_s))
    return tuple(lines)


def _pue(config: Config, store: BookStore, as_of_s: int) -> PueAt:
    said = read_sites(store, as_of_s).facts
    books: dict[str, SiteBook] = {}

    def at(site: str, hour_s: int) -> int:
        if site not in books:
            books[site] = site_book(site, config, said)
        return pue_at(books[site].pues, hour_s).permille

    return at
