"""``wattledger grid fetch``: read factors from the live services into the node's store."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import msgspec

from tracker.cli import factors, layout
from tracker.cli.grid_node import asking, node_config, node_options, services
from tracker.config import Config
from tracker.core.errors import UsageError
from tracker.grid.catalogue import Zone
from tracker.grid.fetch_range import Tell, fetch
from tracker.grid.fetching import Fetched, Outcome, refresh, remember
from tracker.grid.interface import Denied, LiveProvider, NoData, NotInPlan, ProviderError, Throttled
from tracker.grid.store import FactorStore, StoreError
from tracker.grid.zones import find_zone
from tracker.grid_wiring import live_providers, node_zone, store_path

_LATELY_S = 48 * 3600


@dataclass(frozen=True, slots=True)
class _Range:
    zone: Zone
    start_s: int
    end_s: int
    now_s: int


@click.command("fetch", short_help="Read factors from live services.")
@click.argument("zone_text", metavar="[ZONE]", default="")
@click.option("--from", "begin", metavar="T", help="From this date or time on [48 h before the end].")
@click.option("--to", "end", metavar="T", help="Up to this date or time, not included [now].")
@click.option("--provider", "only", metavar="NAME", help="Ask this service alone [those that are configured].")
@click.option("--due", is_flag=True, help="What the daemon runs: whatever has to be read again by now.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON line for each service.")
@node_options
def fetch_range(
    zone_text: str,
    begin: str | None,
    end: str | None,
    only: str | None,
    due: bool,
    as_json: bool,
    config_path: Path | None,
    node__state_dir: str | None,
) -> None:
    """Read the factors of ZONE [the node's] from the services that are configured for it.

    The newest part is read first. All is added to the node's store and nothing replaced: a value that was revised
    stands beside the one before it, and what is known already is passed over, so that a run that was broken off can be
    run again. A service that is asked too often is waited for. Exit code 1 if a part could not be had; what came in is
    kept.

    Monthly statements are weighed by what is in the books. A node ships its factors with its hours; from any other
    machine they get there by: wattledger ship --factors
    """
    config = node_config(config_path, node__state_dir)
    if due:
        if zone_text or begin or end or only:
            raise UsageError("--due reads what is due for the node's own zone.", "Leave zone, dates and provider out.")
        sys.exit(_due(config))
    asked = _range(config, zone_text, begin, end)
    sys.exit(0 if _read_range(config, asked, only, as_json=as_json) else 1)


def _range(config: Config, zone_text: str, begin: str | None, end: str | None) -> _Range:
    """Raises UsageError. What is still to come is left out: nobody has measured it."""
    zone, now_s = find_zone(zone_text) if zone_text else node_zone(config), factors.now_s()
    end_s = now_s if end is None else min(factors.instant(end), now_s)
    start_s = end_s - _LATELY_S if begin is None else factors.instant(begin)
    if start_s >= now_s:
        raise UsageError(f"--from {begin} is still to come.", "Forecasts are shown by: wattledger grid forecast ZONE")
    if start_s >= end_s:
        raise UsageError(f"--to {end} is not after --from {begin}.", "The end is not included: a day ends at the next.")
    return _Range(zone, start_s, end_s, now_s)


def _read_range(config: Config, asked: _Range, only: str | None, *, as_json: bool) -> bool:
    """Whether every service gave what was asked for."""
    all_well = True
    with asking(config) as ask:
        chosen = services(config, asked.zone, ask, only)
        with FactorStore(store_path(config)) as store:
            for place, provider in chosen:
                outcome = _read(provider, place, asked, store, bar=not as_json)
                all_well = all_well and outcome.error is None
                _say(asked, outcome, as_json=as_json)
    return all_well


def _read(provider: LiveProvider, place: Zone, asked: _Range, store: FactorStore, *, bar: bool) -> Outcome:
    with _progress(f"{provider.name} {place.code}", wanted=bar) as (tell, wait):
        outcome = fetch(provider, place, asked.start_s, asked.end_s, store, asked.now_s, tell=tell, wait=wait)
    # What is wrong with a range says nothing about what is due.
    if outcome.error is None or isinstance(outcome.error, Denied | Throttled):
        remember(store, provider.name, asked.now_s, outcome.error)
    return outcome


def _say(asked: _Range, outcome: Outcome, *, as_json: bool) -> None:
    """In a pipe nothing but what was asked for."""
    fetched, error = outcome.fetched, outcome.error
    if as_json:
        document = {
            "provider": outcome.provider,
            "zone": outcome.zone,
            "from": factors.second(asked.start_s),
            "to": factors.second(asked.end_s),
            **_counts(fetched),
            **_error("error", error),
        }
        click.echo(msgspec.json.encode(document))
    elif sys.stdout.isatty() and (error is None or fetched.rows):
        counts = f"{fetched.new} new, {fetched.changed} revised, {fetched.same} as known"
        layout.echo(f"{outcome.provider}  {outcome.zone}  {fetched.rows} values: {counts}")
    if fetched.kept:
        said = f"{fetched.kept} values that it gave before stay: its answer for their time has no value at all"
        layout.echo(f"wattledger: {outcome.provider}: {said}.", err=True)
    if error is not None:
        kept = f" {fetched.rows} values of the range came before that and are kept." if fetched.rows else ""
        layout.echo(f"wattledger: {outcome.provider}: {error}{kept}", err=True)


@contextmanager
def _progress(title: str, *, wanted: bool) -> Iterator[tuple[Tell, Callable[[float], None]]]:
    """A bar on a terminal, which goes away when all is read; and how to wait, which the bar says."""
    if not wanted or not sys.stdout.isatty():
        yield (lambda _done_s, _whole_s: None), lambda pause_s: _wait_aloud(title, pause_s)
        return
    from rich.progress import Progress  # noqa: PLC0415 - only where there is a terminal to draw on

    with Progress(transient=True) as bar:
        task = bar.add_task(title, total=None)

        def wait(pause_s: float) -> None:
            bar.update(task, description=f"{title} (asked too often: goes on in {pause_s:.0f} s)")
            time.sleep(pause_s)
            bar.update(task, description=title)

        yield (lambda done_s, whole_s: bar.update(task, completed=done_s, total=whole_s)), wait


def _wait_aloud(title: str, pause_s: float) -> None:
    click.echo(f"wattledger: {title}: asked too often; goes on in {pause_s:.0f} s.", err=True)
    time.sleep(pause_s)


def _due(config: Config) -> int:
    """The exit code: 1 says that a service failed, which the store remembers with its reason. What keeps the store
    itself from being written is 2, so that whoever runs this can tell the two apart."""
    try:
        return 0 if _read_due(config) else 1
    except StoreError as error:
        layout.echo(f"wattledger: {error}", err=True)
        return 2


def _read_due(config: Config) -> bool:
    """One JSON line for each service, for the log of whoever runs this. Whether nothing broke."""
    now_s = factors.now_s()
    with asking(config) as ask:
        providers = {find_zone(code): those for code, those in live_providers(config, ask).items()}
        if not providers:
            return True
        with FactorStore(store_path(config)) as store:
            outcomes = refresh(providers, store, now_s)
    for outcome in outcomes:
        click.echo(msgspec.json.encode(_outcome_json(outcome)))
    return all(map(is_well, outcomes))


def is_well(outcome: Outcome) -> bool:
    """Whether nothing has to be mended. A plan that lacks the past or forecasts is no fault of the service; one that is
    left alone after failures is still failing."""
    refused_past = isinstance(outcome.error, NotInPlan) and bool(outcome.jobs)
    forecast = outcome.forecast_error is None or isinstance(outcome.forecast_error, NotInPlan | NoData)
    return (outcome.error is None or refused_past) and forecast and not outcome.resting_until_s


def _outcome_json(outcome: Outcome) -> dict[str, Any]:
    resting_s = outcome.resting_until_s
    return {
        "provider": outcome.provider,
        "zone": outcome.zone,
        "ok": is_well(outcome),
        **_counts(outcome.fetched),
        "jobs": outcome.jobs,
        **_error("error", outcome.error),
        "forecast_points": outcome.forecast_points,
        **_error("forecast_error", outcome.forecast_error),
        "resting_until": factors.second(resting_s) if resting_s else None,
    }


def _counts(fetched: Fetched) -> dict[str, int]:
    counts = {"rows": fetched.rows, "new": fetched.new, "changed": fetched.changed, "same": fetched.same}
    return counts | {"kept": fetched.kept} if fetched.kept else counts


def _error(name: str, error: ProviderError | None) -> dict[str, str | None]:
    return {
        name: None if error is None else str(error),
        f"{name}_kind": None if error is None else type(error).__name__,
    }
