"""Makes each part from the configuration. ``app.py`` runs them, ``wattledger check`` asks them."""

from __future__ import annotations

import importlib.metadata

from tracker import clock, registry
from tracker.agent import Settings
from tracker.codecarbon_facts import CodecarbonFacts, codecarbon_facts
from tracker.config import Config
from tracker.core.model import Component
from tracker.grid.interface import GridProvider
from tracker.sources.cpuinfo import read_cpu_model
from tracker.sources.interface import Source, SourceContext
from tracker.sysfs import Roots, read_text
from tracker.workloads.demo import DemoObserver
from tracker.workloads.interface import Observer
from tracker.workloads.observer import CgroupObserver, Options

WORLD = "WORLD"


def version() -> str:
    """Of the installed distribution."""
    return importlib.metadata.version("wattledger")


def roots_of(config: Config) -> Roots:
    """Where the kernel's files are."""
    return Roots(config.node.sysfs, config.node.procfs)


def boot_id_of(roots: Roots) -> str:
    """Names this boot (Documentation/admin-guide/sysctl/kernel.rst: random/boot_id). "": unknown, no cursor is taken
    up."""
    try:
        return read_text(roots.procfs / "sys/kernel/random/boot_id")
    except OSError:
        return ""


def settings_for(config: Config) -> Settings:
    """What the agent is told."""
    floors_mw = {Component.GPU: config.idle.gpu_mw, Component.CPU: config.idle.cpu_mw}
    return Settings(
        hostname=config.node.hostname,
        version=version(),
        boot_id=boot_id_of(roots_of(config)),
        tick_ns=config.sampling.tick.ns,
        site=config.node.site,
        pue_permille=config.here.pue_permille,
        pue_source=config.here.pue_source,
        floors_mw={component: floor_mw for component, floor_mw in floors_mw.items() if floor_mw is not None},
    )


def facts_for(config: Config) -> CodecarbonFacts:
    """What codecarbon knows about this node's CPU and about countries; never raises."""
    return codecarbon_facts(read_cpu_model(config.node.procfs).name, config.node.state_dir)


def grid_for(config: Config, facts: CodecarbonFacts, now_s: int) -> tuple[GridProvider, str]:
    """The provider of factors and the node's zone. Raises UnknownZone."""
    assumed = config.here.zone is None
    zone = config.here.zone or WORLD
    provider = registry.GRID[config.grid.provider](
        facts.countries, facts.edition, now_s, assumed=assumed, note=facts.note
    )
    provider.factor(zone, now_s)
    return provider, zone


def sources_for(config: Config, facts: CodecarbonFacts, *, demo: bool) -> list[Source]:
    """The sources to use: the simulated one alone, those that are configured, or all of them."""
    context = SourceContext(roots_of(config), clock.now, cpu_tdp_mw=facts.cpu_tdp_mw)
    if demo:
        source, options = registry.DEMO
        return [source(options(), context)]
    wanted = config.sources
    return [
        source(options() if wanted is None else wanted[source.name], context)
        for source, options in registry.SOURCES
        if wanted is None or source.name in wanted
    ]


def observer_for(config: Config, *, demo: bool) -> Observer:
    """Who says who used the node."""
    if demo:
        return DemoObserver()
    resolvers = [resolver() for resolver, _options in registry.RESOLVERS]
    return CgroupObserver(roots_of(config), Options(units=config.workloads.units), resolvers)
