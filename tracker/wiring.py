"""Makes each part from the configuration. ``app.py`` runs them, ``wattledger check`` asks them."""

from __future__ import annotations

import inspect
import os
import sys
from typing import TypeVar

from tracker import __version__, clock, registry
from tracker.agent import Settings
from tracker.codecarbon_facts import CodecarbonFacts, codecarbon_facts
from tracker.config import Config
from tracker.config.pue import statements
from tracker.config.schema import Duration
from tracker.core.accounting import pue_at
from tracker.core.errors import UsageError
from tracker.core.model import Component, Kind
from tracker.core.rules import Rule, parse_rules
from tracker.core.units import NS_PER_S
from tracker.grid_wiring import (
    check_site,
    embodied_for,
    grid_for,
    learn_from_store,
    live_providers,
    node_zone,
    providers_of,
    refresher_for,
    store_path,
)
from tracker.ledger.files import LEDGER_FILE
from tracker.ledger.interface import WorkloadTotals
from tracker.ledger.opening import read_label_sets, read_totals
from tracker.ledger.readonly import ask
from tracker.refresher import phase_of
from tracker.reporter import Reporter
from tracker.shipper import Shipper
from tracker.sources.cpuinfo import read_cpu_model
from tracker.sources.interface import Source, SourceContext
from tracker.sysfs import Roots, read_text
from tracker.workloads.declared.desk import Pace
from tracker.workloads.declaring import DeclaredResolver
from tracker.workloads.declaring import Options as DeclaredOptions
from tracker.workloads.demo import DemoObserver
from tracker.workloads.interface import Identity, Observer, Resolver
from tracker.workloads.kubernetes.downward import OwnPod
from tracker.workloads.observer import CgroupObserver, Options
from tracker.workloads.own import OwnWork
from tracker.workloads.paths import RELATIVE, identify_process

__all__ = [
    "check_site",
    "embodied_for",
    "grid_for",
    "learn_from_store",
    "live_providers",
    "node_zone",
    "providers_of",
    "refresher_for",
    "store_path",
]

_Resolver = TypeVar("_Resolver", bound=Resolver)


def roots_of(config: Config) -> Roots:
    """Where the kernel's files are. Raises UsageError for a folder that is not there."""
    for path, flag in ((config.node.sysfs, "--path.sysfs"), (config.node.procfs, "--path.procfs")):
        if not path.is_dir():
            raise UsageError(f"There is no folder {path}.", f"Mount the host's and name it with {flag}.")
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
    pue = pue_at(statements(config.here), clock.now().wall_ns // NS_PER_S)
    floors_mw = {Component.GPU: config.idle.gpu_mw, Component.CPU: config.idle.cpu_mw}
    return Settings(
        hostname=config.node.hostname,
        version=__version__,
        boot_id=boot_id_of(roots_of(config)),
        tick_ns=config.sampling.tick.ns,
        site=config.node.site,
        pue_permille=pue.permille,
        pue_source=pue.source,
        floors_mw={component: floor_mw for component, floor_mw in floors_mw.items() if floor_mw is not None},
    )


def facts_for(config: Config, *, keep: bool = True) -> CodecarbonFacts:
    """What codecarbon knows about this node's CPU and about countries; never raises. ``keep``: in the state folder,
    which is made if need be."""
    return codecarbon_facts(read_cpu_model(config.node.procfs).name, config.node.state_dir, keep=keep)


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


def observer_for(config: Config, declared: DeclaredResolver | None) -> Observer:
    """Who says who used the node; without ``declared`` the simulated one. Its resolvers begin to learn at once, the
    socket for declared runs is opened, and ``close`` ends them all."""
    if declared is None:
        return DemoObserver()
    observer = cgroup_observer(config, declared)
    observer.start()
    return observer


def declared_for(config: Config) -> DeclaredResolver:
    """What takes declarations of runs, not started."""
    path = config.node.state_dir / LEDGER_FILE

    def booked(key: str) -> tuple[WorkloadTotals, ...]:
        return ask(path, lambda connection: tuple(read_totals(connection, w) for w in read_label_sets(connection, key)))

    section = config.workloads.resolvers.get(DeclaredResolver.name)
    options = section if isinstance(section, DeclaredOptions) else DeclaredOptions()
    roots, pace = roots_of(config), Pace(config.sampling.tick.s, config.sampling.commit.s)
    return DeclaredResolver(options, roots, clock.now, config.node.state_dir, boot_id_of(roots), pace, booked)


def cgroup_observer(config: Config, declared: DeclaredResolver) -> CgroupObserver:
    """The observer of a real node, not started."""
    resolvers: list[Resolver] = [_resolver(each, options, config) for each, options in registry.RESOLVERS]
    resolvers.append(declared)
    own = None
    if config.workloads.own_only:
        resolver, options = registry.SIDECAR
        sidecar = _resolver(resolver, options, config)
        resolvers.insert(0, sidecar)
        pod = sidecar.own
        fenced = pod is not None and pod.devices is not None
        own = OwnWork(_own_identity(pod, config), roots_of(config), config.workloads.gpu_replicas, fenced=fenced)
    settings = Options(units=config.workloads.units)
    return CgroupObserver(roots_of(config), settings, resolvers, rules_of(config), own, declared.runs)


def _own_identity(pod: OwnPod | None, config: Config) -> Identity:
    """What a sidecar books: its pod, else the container or job that this process is in. Raises UsageError."""
    if pod is not None:
        return pod.identity
    try:
        found = identify_process(read_text(config.node.procfs / "self/cgroup"))
    except OSError:
        found = RELATIVE
    if found.kind in {Kind.POD, Kind.CONTAINER, Kind.SLURM}:
        return found
    raise UsageError(
        "workloads.own_only is set, but nothing says which pod, container or job this process is in.",
        "In a pod set POD_UID: env: [{name: POD_UID, valueFrom: {fieldRef: {fieldPath: metadata.uid}}}].",
    )


def _resolver(resolver: type[_Resolver], options: type, config: Config) -> _Resolver:
    """Made of its section, or of its defaults, and of what else its constructor names."""
    section = config.workloads.resolvers.get(resolver.name) or options()
    parts = {"options": section, "roots": roots_of(config), "clock": clock.now, "environ": os.environ}
    wanted = inspect.signature(resolver).parameters
    return resolver(**{name: part for name, part in parts.items() if name in wanted})


def rules_of(config: Config) -> tuple[Rule, ...]:
    """The site's rules, each with the place where it is written."""
    rules, origins = config.workloads.rules, config.origins
    around = origins.get("workloads.rules", "")
    return parse_rules(rules, [origins.get(f"workloads.rules.{i}", around) for i in range(len(rules))])


def shipper_for(config: Config, told: Reporter) -> Shipper | None:
    """What ships closed hours to the books, not started; None: nobody asked this daemon to."""
    if not isinstance(config.books.ship, str):
        return None
    command = [sys.executable, "-P", "-m", "tracker.cli", "ship", "--state-dir", str(config.node.state_dir)]
    if config.path is not None:
        command += ["--config", str(config.path)]
    period_s = Duration.parse(config.books.ship).s
    return Shipper(command, told, clock.now, period_s=period_s, phase=phase_of(config.node.hostname))
