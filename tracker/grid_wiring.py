"""Makes what knows grid factors from the configuration: the services of a zone, and what the agent asks.

The daemon asks no service itself: a child process does (``refresher.py``), so that no HTTP library is loaded here.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Literal

from tracker.codecarbon_facts import CodecarbonFacts
from tracker.config import Config
from tracker.config.decode import in_words
from tracker.config.pue import statements
from tracker.config.schema import TABLES
from tracker.core.accounting import PERMILLE, pue_at
from tracker.core.amortising import EmbodiedRates, embodied_rates
from tracker.core.chain import INTERVAL_TIERS
from tracker.core.errors import UsageError, WattledgerError
from tracker.core.factors import OFFICIAL, Choice, NoFactor
from tracker.core.model import Finding, Level, Moment
from tracker.grid.catalogue import WORLD, Zone
from tracker.grid.chain import ChainProvider, Rates
from tracker.grid.interface import Answer, Ask, LiveProvider, Question, Unreachable
from tracker.grid.shipped import devices
from tracker.grid.store_files import STORE_FILE
from tracker.grid.store_reader import FactorReader
from tracker.grid.tables import TablesProvider
from tracker.grid.zones import find_zone, zone_path
from tracker.refresher import Refresher, phase_of
from tracker.reporter import Reporter

_DAY_S = 86_400
Cloud = Literal["aws", "gcp", "azure"]


@functools.cache
def region_of(cloud: Cloud) -> str:
    """Asked once: a machine does not move while it runs. Raises UsageError."""
    from tracker.grid import cloudregion  # noqa: PLC0415 - only where the operator has switched it on

    return cloudregion.detect(cloud)


def node_zone(config: Config, region_of: Callable[[Cloud], str] = region_of) -> Zone:
    """Where the node stands: its site's zone, else what the metadata service says that is switched on, else WORLD.
    Raises UsageError."""
    if config.here.zone is not None:
        return find_zone(config.here.zone)
    cloud = config.grid.cloud_metadata
    return find_zone(region_of(cloud)) if cloud else WORLD


def store_path(config: Config) -> Path:
    return config.node.state_dir / STORE_FILE


def live_providers(config: Config, ask: Ask) -> dict[str, tuple[LiveProvider, ...]]:
    """The services to ask, by the code of the zone to ask them about, in the order of the chain.

    Usually that is the node's zone alone; a service that knows only the country around it is asked about that. Raises
    UsageError: a service that knows neither, or whose settings cannot be.
    """
    return providers_of(config, node_zone(config), ask)


def providers_of(config: Config, zone: Zone, ask: Ask) -> dict[str, tuple[LiveProvider, ...]]:
    """The same for any zone."""
    found: dict[str, tuple[LiveProvider, ...]] = {}
    for name in config.grid.live_chain(zone.code):
        provider = _made(name, config, ask)
        place = _covers(provider, zone)
        if place is None:
            raise _not_covered(config, zone, name)
        found[place.code] = (*found.get(place.code, ()), provider)
    return found


def nobody(question: Question) -> Answer:
    """An ``Ask`` for those who only want to know what a service covers."""
    raise Unreachable(f"{question.url} is not asked by this process.")


def grid_for(config: Config, facts: CodecarbonFacts, now_s: int) -> tuple[ChainProvider, str]:
    """What the agent asks, and the node's zone. Raises UsageError: a zone, a service or an instruments file."""
    zone = node_zone(config)
    live_providers(config, nobody)
    settings, tiers = config.grid, config.grid.tiers_of(zone.code)
    tables = TablesProvider(
        facts.countries,
        facts.edition,
        now_s,
        assumed=zone is WORLD and config.here.zone is None and not config.grid.cloud_metadata,
        note=facts.note,
        tiers=[tier for tier in tiers if tier not in INTERVAL_TIERS],
    )
    provider = ChainProvider(
        tables,
        tiers=tiers,
        chain=settings.live_chain(zone.code),
        hourly=config.accounting.location_factor == "hourly",
        rates=read_rates(config),
    )
    provider.factor(zone.code, now_s)
    return provider, zone.code


def read_rates(config: Config) -> Rates | None:
    """The suppliers' rates of the instruments file. Raises UsageError, which names file and line."""
    file = config.accounting.instruments_file
    if not file:
        return None
    from tracker.grid.instruments import read_instruments  # noqa: PLC0415 - most nodes have none

    return read_instruments(Path(file)).at


def embodied_for(config: Config) -> EmbodiedRates:
    """The published figures of devices with the operator's own in them."""
    said = config.accounting.embodied
    own = {name: Decimal(str(kgco2e)) for name, kgco2e in said.devices.items()}
    host = None if said.host_kgco2e is None else Decimal(str(said.host_kgco2e))
    return embodied_rates(devices(), own, host, said.lifetime_h, said.source or "the configuration")


def refresher_for(
    config: Config, chain: ChainProvider, zone: str, told: Reporter, now: Callable[[], Moment]
) -> Refresher:
    """What keeps the chain's values up to date, not started. A node that goes by years alone reads what somebody
    imported of these."""
    services = config.grid.live_chain(zone)
    command = [sys.executable, "-P", "-m", "tracker.cli", "grid", "fetch", "--due"]
    command += ["--state-dir", str(config.node.state_dir)]
    if config.path is not None:
        command += ["--config", str(config.path)]
    return Refresher(
        chain,
        FactorReader(store_path(config)),
        told,
        now,
        zones=zones_of(zone),
        services=services,
        command=command,
        period_s=config.grid.poll.s,
        hours=_goes_by_hours(config, zone),
        phase=phase_of(config.node.hostname),
    )


def _goes_by_hours(config: Config, zone: str) -> bool:
    return bool(config.grid.live_chain(zone)) or config.accounting.location_factor == "hourly"


def _made(name: str, config: Config, ask: Ask) -> LiveProvider:
    """Made of its section, or of its defaults, and of what else its constructor names."""
    from tracker.services import LIVE  # noqa: PLC0415 - not for a daemon that asks nobody

    kind, options = LIVE[name]
    wanted = inspect.signature(kind).parameters
    parts = {"options": config.grid.providers.get(name) or options(), "ask": ask, "official": _official(config)}
    return kind(**{name: part for name, part in parts.items() if name in wanted})


def _official(config: Config) -> Callable[[Zone, int], Choice | NoFactor]:
    """For who spreads a year over its hours: official yearly factors, those too that somebody imported. Read when the
    first one is asked for."""

    @functools.cache
    def tables(zone: Zone) -> TablesProvider:
        found = TablesProvider({}, "", 0, tiers=(OFFICIAL,))
        found.learn(FactorReader(store_path(config)).yearly(zones_of(zone.code)))
        return found

    return lambda zone, at_s: tables(zone).choose(zone, at_s)


def _covers(provider: LiveProvider, zone: Zone) -> Zone | None:
    """The nearest place it knows: the zone itself, its official zone, its country."""
    places = (find_zone(step.zone) for step in zone_path(zone))
    return next((place for place in places if provider.covers(place)), None)


def _not_covered(config: Config, zone: Zone, name: str) -> UsageError:
    """The service does not know this place; those that do are named."""
    from tracker.services import LIVE  # noqa: PLC0415 - as above

    others = [each for each in LIVE if each != name and _would_cover(each, config, zone)]
    hint = f"Its zone is known to {in_words(others)}" if others else "No provider here knows it"
    keys = (f"grid.zone.{zone.code}.chain", "grid.chain", "grid.provider")
    origin = next((config.origins[key] for key in keys if key in config.origins), "")
    return UsageError(
        (f"{origin}: " if origin else "") + f"The provider {name} does not know the zone {zone.code} ({zone.name}).",
        f'{hint}. Write [grid.zone."{zone.code}"] with chain = ["{others[0] if others else TABLES}"].',
    )


def learn_from_store(config: Config, chain: ChainProvider, zone: str, now_s: int) -> tuple[Finding, ...]:
    """For commands: the values of the last day, and how the services fared, as findings. Never raises."""
    store, services = FactorReader(store_path(config)), config.grid.live_chain(zone)
    places = zones_of(zone)
    try:
        records = store.records(places, now_s - _DAY_S, now_s) if _goes_by_hours(config, zone) else ()
        chain.learn((*store.yearly((*places, WORLD.code)), *records))
        statuses = {status.provider: status for status in store.statuses()}
    except WattledgerError as error:
        return (Finding(Level.FAIL, "grid", error.sentence, error.remedy),)
    found = []
    for name in services:
        status = statuses.get(name)
        if status is not None and status.failures:
            message = f"{name} failed {status.failures} times: {status.last_error}"
            found.append(Finding(Level.WARN, "grid", message, "Ask it now: wattledger grid fetch"))
    return tuple(found)


def zones_of(zone: str) -> tuple[str, ...]:
    """The zones whose values a node there may use, its own first."""
    return tuple(step.zone for step in zone_path(find_zone(zone)))


def check_site(config: Config, now_s: int) -> tuple[Finding, ...]:
    """For ``wattledger check``: whether somebody said what the building adds."""
    pue = pue_at(statements(config.here), now_s)
    if pue.assumed:
        message = f"PUE {pue.permille / PERMILLE:.2f} is {pue.source}."
        site = config.node.site or "<name>"
        remedy = f'Write pue = 1.21 and pue_source = "who says so" into [site.{site}].'
        return (Finding(Level.WARN, "pue", message, remedy),)
    return (Finding(Level.OK, "pue", f"PUE {pue.permille / PERMILLE:.2f}: {pue.source}."),)


def _would_cover(name: str, config: Config, zone: Zone) -> bool:
    try:
        return _covers(_made(name, config, nobody), zone) is not None
    except UsageError:  # it cannot be made without being configured
        return False
