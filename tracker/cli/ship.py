"""``wattledger ship``: closed hours of the node's ledger into the books."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, assert_never

import click
import msgspec

from tracker.books.shipping import Shipped
from tracker.cli import layout
from tracker.cli.options import config_of, config_options
from tracker.cli.ship_history import HistoryFlags, history_options, ship_from_prometheus, take_history
from tracker.cli.ship_node import Wanted, ship_node
from tracker.cli.waiting import Turns
from tracker.config import Config
from tracker.config.schema import Duration
from tracker.core.errors import UsageError, WattledgerError
from tracker.core.units import NS_PER_S
from tracker.core.words import counted

_SHORTEST_NS = 60 * NS_PER_S


@click.command()
@config_options
@click.option("--books", metavar="URL", help="A folder, s3://…, gs://… or az://… [books.url].")
@click.option("--every", metavar="TIME", help="Go on, and ship this often: 1h. A signal ends it after a last time.")
@click.option("--check", is_flag=True, help="Compare all that was ever shipped with the ledger, not the last two days.")
@click.option("--due", is_flag=True, help="What the daemon runs: the last days, and nothing is compared again.")
@click.option("--factors", is_flag=True, help="Only the grid factors that this machine knows: it needs no ledger.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as a JSON line.")
@history_options
def ship(
    config_path: Path | None,
    books: str | None,
    every: str | None,
    check: bool,
    due: bool,
    factors: bool,
    as_json: bool,
    **flags: Any,
) -> None:
    """Put the node's closed hours into the books: a folder or a bucket that holds those of the whole fleet.

    Shipping again changes nothing; a node that was off catches up; a run that was broken off is completed by the next
    one. Works beside a running daemon. Exit code 1 if something could not be shipped, or says something else than what
    is there; both are kept then.

    Statements are weighed by the grid factors in the books. A node ships those that it knows with its hours; what was
    imported or fetched anywhere else gets into the books by --factors, which makes no new books.
    """
    if check and due:
        raise UsageError("--due compares nothing, --check compares all.", "Give one of them.")
    history = take_history(flags)
    if history is not None and (check or due):
        raise UsageError("--check and --due are about the node's own ledger.", "Leave them out.")
    if factors and (history is not None or check or due):
        raise UsageError("--factors ships factors and no hours.", "Leave the other options out.")
    config = config_of(config_path, flags, fleet=factors)
    wanted: Wanted | HistoryFlags = history or Wanted(check=check, due=due, factors=factors)
    if every is None:
        sys.exit(0 if _once(config, books, wanted, as_json=as_json) else 1)
    period_s = _period_s(every)
    with Turns(period_s) as turns:
        ok = True
        for _ in turns:
            ok = _attempt(config, books, wanted, as_json=as_json)
            wanted = history or Wanted(due=not factors, factors=factors)
    sys.exit(0 if ok else 1)


def _attempt(config: Config, books: str | None, wanted: Wanted | HistoryFlags, *, as_json: bool) -> bool:
    """One of many: what fails now may work the next time."""
    try:
        return _once(config, books, wanted, as_json=as_json)
    except UsageError:
        raise
    except WattledgerError as error:
        layout.echo(f"wattledger: {error}", err=True)
        return False


def _once(config: Config, books: str | None, wanted: Wanted | HistoryFlags, *, as_json: bool) -> bool:
    """Whether all is well."""
    with _progress("Shipping", wanted=not as_json) as tell:
        match wanted:
            case HistoryFlags():
                done, url = ship_from_prometheus(config, books, wanted, tell)
            case Wanted():
                done, url = ship_node(config, books, wanted, tell)
            case _:
                assert_never(wanted)
    for sentence in (*done.conflicts, *done.damaged, *done.notes):
        layout.echo(f"wattledger: {sentence}", err=True)
    if as_json:
        click.echo(msgspec.json.encode({"books": url, "ok": done.ok, **asdict(done), "until": _utc(done)}))
    elif sys.stdout.isatty():
        of_factors = isinstance(wanted, Wanted) and wanted.factors
        layout.echo(f"{url}: {_of_factors(done) if of_factors else _of_hours(done)}")
    return done.ok


def _of_hours(done: Shipped) -> str:
    what = counted(len(done.created), "new file") if done.created else "nothing new"
    return f"{what}, closed hours up to {_utc(done) or 'none yet'}"


def _of_factors(done: Shipped) -> str:
    if not done.created:
        return "nothing new, the books have what this machine knows of the grid"
    return f"{counted(done.factors, 'grid factor')} in {counted(len(done.created), 'new file')}"


def _utc(done: Shipped) -> str | None:
    return datetime.fromtimestamp(done.until_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if done.until_s else None


def _period_s(every: str) -> float:
    try:
        period = Duration.parse(every)
    except ValueError as error:
        raise UsageError(f"--every {every} is no length of time.", 'Write "1h" or "30m".') from error
    if period.ns < _SHORTEST_NS:
        raise UsageError(f"--every {every} is too often: hours close once an hour.", 'Write "1h".')
    return period.s


@contextmanager
def _progress(title: str, *, wanted: bool) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, which goes away when all is shipped."""
    if not wanted or not sys.stdout.isatty():
        yield lambda _done, _all: None
        return
    from rich.progress import Progress  # noqa: PLC0415 - only where there is a terminal to draw on

    with Progress(transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, whole: bar.update(task, completed=done, total=max(whole, 1))
