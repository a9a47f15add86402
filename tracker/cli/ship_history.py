"""``wattledger ship --from-prometheus``: the books of a fleet, or its past, from a Prometheus-compatible server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from tracker import __version__, clock
from tracker.books.history import Wanted
from tracker.books.history_ship import Place, last_final_day_s, ship_history
from tracker.books.http import Credentials
from tracker.books.interface import BookStore
from tracker.books.prometheus_api import PrometheusApi, matchers_of
from tracker.books.series_map import exporters
from tracker.books.shelf import DAY_S
from tracker.books.shipping import Shipped
from tracker.books.sites import record_site
from tracker.cli.ship_node import books_to_fill, said_of
from tracker.config import Config
from tracker.core.errors import UsageError
from tracker.core.units import NS_PER_S
from tracker.grid.zones import find_zone

_FILE = click.Path(path_type=Path)
_OPTIONS = (
    click.option("--from-prometheus", metavar="URL", help="Ship what this server knows instead of the node's ledger."),
    click.option("--from", "history_from", metavar="DATE", help="First UTC day to read [the first of this month]."),
    click.option("--to", "history_to", metavar="DATE", help="First UTC day not to read any more [what is final]."),
    click.option("--match", "history_match", metavar="MATCHERS", help="""Only these series: '{cluster="x"}'."""),
    click.option("--exporter", "history_exporter", help="wattledger, dcgm-exporter, kepler, ceems or node-exporter."),
    click.option("--dedupe-label", "history_dedupe", multiple=True, metavar="LABEL", help="Tells replicas apart."),
    click.option("--site", "history_site", metavar="SITE", help="Where these nodes stand [as they say]."),
    click.option("--zone", "history_zone", metavar="ZONE", help="Their grid zone [that of the site, or as they say]."),
    click.option("--prometheus-token", "history_token", type=_FILE, help="File with a bearer token."),
    click.option("--prometheus-auth", "history_auth", type=_FILE, help="File with user:password."),
    click.option("--prometheus-tenant", "history_tenant", metavar="NAME", help="Whose series, of a server of many."),
    click.option("--prometheus-ca", "history_ca", type=_FILE, help="PEM file of certificates to trust."),
)


@dataclass(frozen=True, slots=True)
class HistoryFlags:
    """As given on the command line; None or empty: not given."""

    url: str
    given: dict[str, Any]


def history_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def take_history(flags: dict[str, Any]) -> HistoryFlags | None:
    """Takes the flags of this file out of the others. None: the node's own ledger is to be shipped. Raises
    UsageError for a flag that means nothing then."""
    url = flags.pop("from_prometheus", None)
    given = {name: flags.pop(name) for name in [*flags] if name.startswith("history_")}
    if url is not None:
        return HistoryFlags(url, given)
    stray = next((name for name, value in given.items() if value), None)
    if stray is not None:
        raise UsageError("A flag about history is given without a server.", "Name one with --from-prometheus URL.")
    return None


def ship_from_prometheus(
    config: Config, books: str | None, flags: HistoryFlags, tell: Callable[[int, int], object]
) -> tuple[Shipped, str]:
    """What was done, and where the books are. Raises WattledgerError: days that are shipped stay."""
    given = flags.given
    known = exporters()
    name = given["history_exporter"] or "wattledger"
    if name not in known:
        raise UsageError(f"Nothing is known of an exporter {name}.", f"Known: {', '.join(known)}.")
    match = matchers_of(given["history_match"]) if given["history_match"] else ""
    wanted = Wanted(name, known[name], match, tuple(given["history_dedupe"]))
    start_s, end_s = _days(given["history_from"], given["history_to"], clock.now().wall_ns // NS_PER_S)
    credentials = Credentials(
        given["history_token"], given["history_auth"], given["history_ca"], given["history_tenant"] or ""
    )
    place = _place(config, given["history_site"] or "", given["history_zone"] or "")
    api = PrometheusApi(flags.url, credentials)
    try:
        api.greet(start_s)
        store = books_to_fill(config, books)  # a folder is made only for what is there
        done = ship_history(store, api, wanted, place, start_s, end_s, tell=tell)
    finally:
        api.close()
    for name in [place.site] if place.site else sorted(config.site):
        if name in config.site:
            _record_site(config, store, name)
    return done, store.url


def _record_site(config: Config, store: BookStore, name: str) -> None:
    """What the configuration here says of a site whose nodes do not ship it themselves: its PUE above all."""
    site = config.site[name]
    facts = msgspec.structs.replace(
        said_of(site),
        site=name,
        zone=find_zone(site.zone).code if site.zone else "",
        hostname=config.node.hostname,
        recorded_at_s=clock.now().wall_ns // NS_PER_S,
    )
    record_site(store, facts)


def _days(first: str | None, end: str | None, now_s: int) -> tuple[int, int]:
    """[start, end) in UTC seconds, at edges of days that are final."""
    final_s = last_final_day_s(now_s)
    end_s = min(_day(end, "--to"), final_s) if end else final_s
    month = datetime.fromtimestamp(max(end_s - DAY_S, 0), UTC).strftime("%Y-%m-01")
    start_s = _day(first or month, "--from")
    if start_s >= end_s:
        until = datetime.fromtimestamp(final_s, UTC).strftime("%Y-%m-%d")
        raise UsageError(
            f"There is no final day in this range: final are those before {until}.",
            "A day is final six hours after its end. Name an earlier --from, or a later --to.",
        )
    return start_s, end_s


def _day(text: str, flag: str) -> int:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{flag} {text} is no date.", "Write 2026-10-01.") from None
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def _place(config: Config, site: str, zone: str) -> Place:
    """The zone that is given, or that of the site in the configuration. Raises UsageError for one that is unknown."""
    said = zone or (config.site[site].zone if site in config.site else None) or ""
    return Place(site, find_zone(said).code if said else "", __version__)
