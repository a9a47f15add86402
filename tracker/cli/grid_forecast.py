"""``wattledger grid forecast``: when a job would weigh least, as the services expect it."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import click

from tracker.cli import factors, grid_advice, layout
from tracker.cli.grid_advice import Wish, span
from tracker.cli.grid_node import asking, node_config, node_options, say, services
from tracker.config import Config
from tracker.config.schema import Duration
from tracker.core.errors import UsageError, WattledgerError
from tracker.core.forecast import Forecast
from tracker.core.units import NS_PER_S
from tracker.grid.catalogue import Zone
from tracker.grid.fetching import forecast_of
from tracker.grid.interface import ProviderError
from tracker.grid.store import FactorReader
from tracker.grid.zones import find_zone, zone_path
from tracker.grid_wiring import store_path

_HOUR_S = 3600
_MOST_HOURS = 24 * 31
_LEAST_S = 60


@click.command("forecast", short_help="Find the greenest hours to come.")
@click.argument("zone_text", metavar="ZONE")
@click.option("--hours", default="4", metavar="N", help="How long the job runs [4].")
@click.option("--within", default="24h", metavar="SPAN", help="By when it has to be done, such as 12h or 2d [24h].")
@click.option("--kw", metavar="P", help="Mean power of the job in kilowatts, to say kilograms.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@node_options
def show_forecast(
    zone_text: str,
    hours: str,
    within: str,
    kw: str | None,
    as_json: bool,
    config_path: Path | None,
    node__state_dir: str | None,
) -> None:
    """Find the greenest window of N hours in ZONE, and what it would save against starting now.

    Asks the services that are configured for the zone; where one does not answer, its newest forecast in the node's
    store is used. Advice, not inventory.
    """
    zone, wish = find_zone(zone_text), _wish(hours, within, kw)
    found = list(_forecasts(node_config(config_path, node__state_dir), zone, wish.now_s))
    advised = [(grid_advice.advise(each, wish), live) for each, live in found]
    advices = [(advice, live) for advice, live in advised if advice is not None]
    if as_json:
        click.echo(factors.encode(_document(zone, wish, advices)))
    if not advices:
        raise _nothing(zone, wish, [each for each, _ in found])
    if as_json:
        return
    layout.echo(f"{zone.code}  {zone.name}: {span(wish.length_s)} within {span(wish.within_s)}", bold=True)
    for advice, live in advices:
        layout.echo()
        for label, text in grid_advice.lines(advice, wish, live=live):
            say(label, text)


def _wish(hours: str, within: str, kw: str | None) -> Wish:
    """Raises UsageError."""
    length_s = round(_positive("--hours", hours, _MOST_HOURS) * _HOUR_S)
    try:
        within_s = Duration.parse(within).ns // NS_PER_S
    except ValueError as error:
        raise UsageError(f"--within {within[:40]!r} is no length of time.", "Write it like 12h or 2d.") from error
    if length_s < _LEAST_S:
        raise UsageError(f"--hours {hours[:40]} is less than a minute.", "Write it like 4 or 0.5.")
    if length_s > within_s:
        raise UsageError(
            f"{hours} hours do not fit within {within[:40]}.", "Give more time with --within, or fewer --hours."
        )
    return Wish(factors.now_s(), length_s, within_s, None if kw is None else _positive("--kw", kw, 10**6))


def _positive(flag: str, text: str, most: int) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal(0)
    if not number.is_finite() or not 0 < number <= most:
        raise UsageError(f"{flag} {text[:40]!r} is not a number above 0 and up to {most}.", "Write it like 4 or 0.5.")
    return number


def _forecasts(config: Config, zone: Zone, now_s: int) -> Iterator[tuple[Forecast, bool]]:
    """Each with whether it was asked for now. A service that fails is told of, and what it last said stands in."""
    answered = set()
    for answer in _ask(config, zone, now_s):
        answered.add(answer.provider)
        yield answer, True
    store = FactorReader(store_path(config))
    for step in zone_path(zone):
        for kept in store.forecasts(step.zone):
            if kept.provider not in answered:
                yield kept, False


def _ask(config: Config, zone: Zone, now_s: int) -> Iterator[Forecast]:
    """What the services say that are configured for it, if any are."""
    if not config.grid.live_chain(zone.code):
        return
    with asking(config) as ask:
        try:
            asked = services(config, zone, ask)
        except UsageError as error:  # of a zone that is not the node's, the store may know something all the same
            layout.echo(f"wattledger: {error}", err=True)
            return
        for place, provider in asked:
            try:
                answer = forecast_of(provider, place, now_s)
                if answer is not None:
                    yield answer
            except ProviderError as error:
                layout.echo(f"wattledger: {provider.name}: {error}", err=True)


def _nothing(zone: Zone, wish: Wish, found: list[Forecast]) -> WattledgerError:
    if not found:
        return WattledgerError(
            f"There is no forecast for {zone.code} ({zone.name}).",
            f"Configure a service that has one under [grid]; which covers it: wattledger grid list {zone.code}",
        )
    ends_s = max((each.points[-1].end_s for each in found if each.points), default=0)
    reach = f"the newest reaches to {factors.minute(ends_s)}" if ends_s > wish.now_s else "all it says is past"
    return WattledgerError(
        f"No forecast for {zone.code} covers {span(wish.length_s)} in a row within {span(wish.within_s)}: {reach}.",
        "Ask for fewer --hours.",
    )


def _document(zone: Zone, wish: Wish, advices: list[tuple[grid_advice.Advice, bool]]) -> dict[str, Any]:
    return {
        "zone": zone.code,
        "name": zone.name,
        "now": factors.second(wish.now_s),
        "hours": Decimal(wish.length_s) / _HOUR_S,
        "within_s": wish.within_s,
        "power_kw": wish.power_kw,
        "forecasts": [grid_advice.as_json(advice, wish, live=live) for advice, live in advices],
    }
