"""What types cannot say: that a site exists, that a time zone is known, that a number makes sense."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from tracker.config.book_checks import check_books
from tracker.config.decode import in_words, nearest
from tracker.config.layers import KeyPath, Layers
from tracker.config.schema import Config, Duration, Site
from tracker.core.accounting import PERMILLE
from tracker.core.errors import UsageError
from tracker.core.units import NS_PER_S, SLOT_S

#: The best is 1.0 by definition; the worst ever published for a data centre lies below this.
MAX_PUE = 4.0
_FLOAT_NOISE = 1e-6  # of thousandths
#: A rack of servers lies below it; more is grams.
MAX_KGCO2E = 1_000_000
MAX_TICK = Duration(60 * NS_PER_S)
MIN_TICK = Duration(NS_PER_S)
SLOT = Duration(SLOT_S * NS_PER_S)


def check(config: Config, layers: Layers, *, fleet: bool = False) -> None:
    """Raises UsageError for the first thing that cannot be. ``fleet``: for a command about all sites, which may run
    where no node stands."""
    _check_node(config, layers, fleet=fleet)
    for name, site in config.site.items():
        if site.pue is not None:
            _check_pue(site.pue, layers, ("site", name, "pue"))
        _check_timezone(site.clock, layers, ("site", name, "timezone"))
        _check_periods(site, layers, ("site", name, "pue_periods"))
    _check_sampling(config, layers)
    if config.sources is not None and not config.sources:
        raise layers.error(
            ("sources",), "[sources] is empty, so nothing would be measured.", "Remove it, or name some: nvml = {}."
        )
    _check_numbers(config, layers)
    _check_web(config, layers)
    check_books(config, layers, _check_timezone)


def _check_node(config: Config, layers: Layers, *, fleet: bool) -> None:
    if not config.node.hostname.strip():
        raise layers.error(("node", "hostname"), "node.hostname is empty.", "Name the node, or leave the key out.")
    wanted, sites = config.node.site, config.site
    if wanted and wanted not in sites:
        near = [f'"{name}"' for name in nearest(wanted, sites)]
        remedy = (
            f"Did you mean {in_words(near)}?" if near else f'Add [site.{wanted}] with its zone, such as zone = "FR".'
        )
        raise layers.error(("node", "site"), f'node.site is "{wanted}", but there is no [site.{wanted}].', remedy)
    if not wanted and len(sites) > 1 and not fleet:
        raise layers.error(
            ("site",),
            f"There are {len(sites)} sites, and node.site does not say which one this node stands in.",
            f"Set node.site to {in_words(sorted(sites))}, or the environment variable WATTLEDGER_NODE__SITE.",
        )


def _check_pue(pue: float, layers: Layers, path: KeyPath) -> None:
    if not 1.0 <= pue <= MAX_PUE:  # also false for nan
        raise layers.error(
            path,
            f"{'.'.join(path)} is {pue:g}, but power usage effectiveness lies between 1 and {MAX_PUE:g}.",
            "It is facility energy over IT energy, such as 1.21.",
        )
    if abs(pue * PERMILLE - round(pue * PERMILLE)) > _FLOAT_NOISE:
        raise layers.error(
            path,
            f"{'.'.join(path)} is {pue:.10g}, but a PUE has at most three decimals here.",
            f"Write {round(pue, 3):g}: no meter knows it better.",
        )


def _check_periods(site: Site, layers: Layers, path: KeyPath) -> None:
    """Each is one, and no two hold on the same day."""
    if site.pue_from is not None and site.pue is None:
        where = ".".join((*path[:-1], "pue_from"))
        raise layers.error((*path[:-1], "pue_from"), f"{where} says since when a pue holds that is not given.")
    for i, period in enumerate(site.pue_periods):
        _check_pue(period.pue, layers, (*path, str(i), "pue"))
        if not period.source.strip():
            raise layers.error(
                (*path, str(i)), f"{'.'.join(path)}.{i} has no source.", 'Say who states it: source = "operator, 2026".'
            )
        if period.to is not None and period.to <= period.begin:
            raise layers.error(
                (*path, str(i)), f"{'.'.join(path)}.{i} ends before it begins.", 'The day "to" is not in it any more.'
            )
    order = sorted(range(len(site.pue_periods)), key=lambda i: site.pue_periods[i].begin)
    for one, other in pairwise(order):
        end, begin = site.pue_periods[one].to, site.pue_periods[other].begin
        if end is None or begin < end:
            raise layers.error(
                (*path, str(other)),
                f"{'.'.join(path)}.{other} begins on {begin}, while the one before it still holds.",
                f"End that one: to = {begin}.",
            )


def _check_timezone(name: str, layers: Layers, path: KeyPath) -> None:
    if name == "UTC":  # needs no database
        return
    import zoneinfo  # noqa: PLC0415 - only for a node that is told its time zone

    try:
        zoneinfo.ZoneInfo(name)
    except (ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError: below
        known = False
    except zoneinfo.ZoneInfoNotFoundError:
        known = False
    else:
        known = True
    if not known:
        zones = zoneinfo.available_timezones()
        if not zones:
            raise layers.error(path, f"{'.'.join(path)}: this machine has no time-zone database.", "Install tzdata.")
        near = [zone for zone in sorted(zones) if zone.casefold().endswith(f"/{name.casefold()}")] or nearest(
            name, zones
        )
        remedy = f"Did you mean {in_words(near)}?" if near else 'Use a name such as "Europe/Paris".'
        raise layers.error(path, f'{".".join(path)} is "{name}", which is no time zone.', remedy)


def _check_sampling(config: Config, layers: Layers) -> None:
    tick, commit = config.sampling.tick, config.sampling.commit
    if not MIN_TICK <= tick <= MAX_TICK:
        raise layers.error(
            ("sampling", "tick"),
            f"sampling.tick is {tick}, but must lie between {MIN_TICK} and {MAX_TICK}.",
            'The default is "5s".',
        )
    if not tick <= commit <= SLOT:
        raise layers.error(
            ("sampling", "commit"),
            f"sampling.commit is {commit}, but must lie between sampling.tick ({tick}) and {SLOT}.",
            'The default is "10s".',
        )


def _check_numbers(config: Config, layers: Layers) -> None:
    for name, count in (("max_series", config.workloads.max_series), ("gpu_replicas", config.workloads.gpu_replicas)):
        if count < 1:
            raise layers.error(("workloads", name), f"workloads.{name} is {count}, but must be at least 1.")
    for name, watts in (("gpu_w", config.idle.gpu_w), ("cpu_w", config.idle.cpu_w)):
        if watts is not None and not 0 <= watts < 10_000:  # noqa: PLR2004 - no device idles at 10 kW; false for nan
            raise layers.error(("idle", name), f"idle.{name} is {watts:g}, but must be watts of one device, 0 or more.")

    embodied = config.accounting.embodied
    above = ("accounting", "embodied")
    if embodied.lifetime_h < 1:
        sentence = f"accounting.embodied.lifetime_h is {embodied.lifetime_h}, but must be at least 1 hour."
        raise layers.error((*above, "lifetime_h"), sentence)
    own = {"host_kgco2e": embodied.host_kgco2e, **{f"devices.{name}": each for name, each in embodied.devices.items()}}
    for name, kgco2e in own.items():
        if kgco2e is not None and not 0 <= kgco2e < MAX_KGCO2E:  # false for nan
            path = ("accounting", "embodied", *name.split(".", 1))
            raise layers.error(
                path, f"{'.'.join(path)} is {kgco2e:g}, but must be kilograms of CO2e of one, 0 or more."
            )


def _check_web(config: Config, layers: Layers) -> None:
    from tracker.web.address import parse_address  # noqa: PLC0415 - spares commands that only read the configuration

    try:
        parse_address(config.web.listen)
    except UsageError as error:
        raise layers.error(("web", "listen"), error.sentence, error.remedy) from error
    file = config.web.web_config_file
    if file and not Path(file).is_file():
        raise layers.error(
            ("web", "web_config_file"), f"web.web_config_file is {file}, but there is no such file.", "Check its path."
        )
