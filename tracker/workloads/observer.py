"""Who used the node in a tick, from cgroups and GPU processes: the generic observer."""

from __future__ import annotations

import resource
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from tracker.core.model import (
    SYSTEM,
    DeviceUse,
    Finding,
    Level,
    Moment,
    Observation,
    Share,
)
from tracker.core.rules import Rule
from tracker.core.units import NS_PER_S, NS_PER_US
from tracker.sysfs import Roots
from tracker.workloads.cgroups import Tree
from tracker.workloads.checks import findings, in_cgroup_namespace, in_pid_namespace, join_rate
from tracker.workloads.counters import Hierarchy, find_hierarchies
from tracker.workloads.cputime import charge, measure
from tracker.workloads.declared.carving import RunTick, apply
from tracker.workloads.declared.runs import Runs
from tracker.workloads.gpus import Gpus
from tracker.workloads.interface import Identity, Observer, Resolver
from tracker.workloads.memory import memory_by_workload
from tracker.workloads.names import Named, Names, Users
from tracker.workloads.node import NodeTotals
from tracker.workloads.own import OwnWork, container_memory

FULL_WALK_NS = 60 * NS_PER_S


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of the generic observer."""

    #: Systemd units that are workloads of their own, as shell patterns ("nginx.service", "ml-*.service", "*"). The
    #: others are the operating system, unless they use a GPU. Each costs one series per component.
    units: tuple[str, ...] = ()
    #: Where user names are looked up; in a container, the host's file.
    passwd_file: str = "/etc/passwd"  # noqa: S105 - a path
    #: Counter files that stay open, two per workload; at most half of what the process may open.
    open_files: int = 512


class CgroupObserver(Observer):
    """Weights by cgroup: CPU time, bytes of memory, and the owners of GPU processes."""

    def __init__(
        self,
        roots: Roots,
        options: Options | None = None,
        resolvers: Sequence[Resolver] = (),
        rules: Sequence[Rule] = (),
        own: OwnWork | None = None,
        runs: Runs | None = None,
    ) -> None:
        """``own``: as a sidecar, the only work that is booked. ``runs``: what their own processes declare."""
        options = options or Options()
        self._own, self._runs = own, runs
        self._roots = roots
        self._resolvers = tuple(resolvers)
        self._open_files = _limited(options.open_files)
        self._names = Names(resolvers, options.units, Users(Path(options.passwd_file)), rules)
        self._node = NodeTotals(roots)
        namespaced, hidden = in_cgroup_namespace(roots.procfs), in_pid_namespace(roots.procfs)
        fenced = own.identity if own is not None and own.fenced else None
        self._gpus = Gpus(roots.procfs, self._names, namespaced=namespaced, hidden=hidden, fenced=fenced)
        self._tree: Tree | None = None
        self._hierarchies: tuple[Hierarchy, ...] = ()
        self._whole_node = False  # the root cgroup counts the CPU time of the node
        self._measured_ns: int | None = None
        self._walked_ns = 0

    def start(self) -> None:
        """Let the resolvers begin to learn; without it they know what they knew when they were made."""
        for resolver in self._resolvers:
            resolver.start()

    def observe(self, moment: Moment, uses: Mapping[str, DeviceUse]) -> Observation:
        """See ``Observer``. The operating system's share is what the workloads leave of the node's busy time; where
        clocks of different accuracy disagree it is 0 at least, and the workloads keep what was measured."""
        self._names.begin_tick()
        tree = self._refreshed_tree(moment)
        cpu, capacity_us = self._cpu(tree, moment)
        dram, capacity_bytes = self._dram(tree)
        runs = self._runs
        tick = RunTick() if runs is None else runs.tick(moment.boot_ns, self._names.workload, self._names.finish)
        gpu = self._gpus.holdings(uses, moment.mono_ns, tree.reclassify, tick.owners)
        own = None if self._own is None else self._own.booked(tick)
        joined, unjoined = self._gpus.joined, self._gpus.unjoined
        return apply(Observation(cpu, capacity_us, dram, capacity_bytes, gpu, joined, unjoined, own), tick)

    def named(self) -> tuple[Named, ...]:
        """The workloads of the last tick and the rules that named them, for ``check``."""
        return self._names.named()

    def check(self) -> tuple[Finding, ...]:
        """See ``Observer``; the resolvers' findings follow."""
        return (*self.findings(), *self.ask_resolvers())

    def findings(self) -> tuple[Finding, ...]:
        """What can be told apart here, and what the last tick met."""
        gpus = self._gpus
        truncated = self._tree is not None and self._tree.truncated
        joins = (gpus.joined, gpus.unjoined, gpus.translated)
        seen = self._own.findings() if self._own is not None else findings(self._roots, truncated=truncated)
        failures = [
            Finding(Level.WARN, name, f"Naming workloads failed: {text}.")
            for name, text in self._names.failures.items()
        ]
        return (*seen, *join_rate(*joins), *gpus.findings(), *failures)

    def ask_resolvers(self) -> tuple[Finding, ...]:
        """What the resolvers find. Those that were not started ask once for it, which may take some seconds."""
        return tuple(finding for resolver in self._resolvers for finding in resolver.check())

    def close(self) -> None:
        """See ``Observer``."""
        for resolver in self._resolvers:
            resolver.close()
        self._node.close()
        if self._tree is not None:
            self._tree.close()
            self._tree, self._measured_ns = None, None

    def _refreshed_tree(self, moment: Moment) -> Tree:
        full = moment.mono_ns - self._walked_ns >= FULL_WALK_NS
        if self._tree is None or (full and not self._tree.root.folders):
            self._hierarchies = find_hierarchies(self._roots.sysfs / "fs" / "cgroup")
            self._tree = Tree(self._hierarchies, self._names.is_workload, self._open_files)
            counting = [hierarchy for hierarchy in self._hierarchies if hierarchy.cpu_file]
            self._whole_node = bool(counting) and counting[0].whole_node
            full = True
        else:
            self._tree.refresh(full=full)
        if full:
            self._walked_ns = moment.mono_ns
            self._node.count_cpus()
        return self._tree

    def _cpu(self, tree: Tree, moment: Moment) -> tuple[tuple[Share, ...], int]:
        before_ns = self._measured_ns
        elapsed_us = 0 if before_ns is None else (moment.mono_ns - before_ns) // NS_PER_US
        if before_ns is not None and elapsed_us <= 0:
            return (), 0  # asked twice in one instant: what was used meanwhile is for the next tick
        self._measured_ns = moment.mono_ns
        measure(tree)
        busy_us = self._busy(tree)
        if before_ns is None:
            return (), 0
        times = self._with_own(charge(tree, elapsed_us), tree.root.delta_us if tree.root.measured else 0)
        shares = self._shares(times)
        rest_us = (busy_us or 0) - sum(share.weight for share in shares)
        if rest_us > 0:
            shares.append(Share(SYSTEM, rest_us))
        return tuple(shares), self._node.cpus * elapsed_us

    def _busy(self, tree: Tree) -> int | None:
        """CPU time of the node since the last tick, in µs."""
        root = tree.root
        if self._whole_node and root.cpu_us is not None:
            return root.delta_us if root.measured and not root.born else None
        return self._node.busy()

    def _dram(self, tree: Tree) -> tuple[tuple[Share, ...], int]:
        sizes = memory_by_workload(tree)
        if self._sees_one_container:
            sizes = self._with_own(sizes, container_memory(self._hierarchies))
        shares = self._shares(sizes)
        memory = self._node.memory()
        if memory is None:
            return tuple(shares), 0
        total_bytes, free_bytes = memory
        rest_bytes = total_bytes - free_bytes - sum(share.weight for share in shares)
        if rest_bytes > 0:
            shares.append(Share(SYSTEM, rest_bytes))
        return tuple(shares), total_bytes

    @property
    def _sees_one_container(self) -> bool:
        """As a sidecar that was not given the node's cgroups: the root is our own container."""
        return self._own is not None and not self._whole_node

    def _with_own(self, weights: dict[str, tuple[Identity, int]], root_weight: int) -> dict[str, tuple[Identity, int]]:
        """With what our own container used, where it is all that can be seen."""
        if self._own is None or not self._sees_one_container:
            return weights
        rest = root_weight - sum(weight for _, weight in weights.values())
        identity = self._own.identity
        _, before = weights.get(identity.key, (identity, 0))
        return {**weights, identity.key: (identity, before + max(0, rest))}

    def _shares(self, weights: Mapping[str, tuple[Identity, int]]) -> list[Share]:
        workload = self._names.workload
        return [Share(workload(identity), weight) for identity, weight in weights.values() if weight > 0]


def _limited(open_files: int) -> int:
    """Leave half of what this process may open to the others in it."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return open_files if limit == resource.RLIM_INFINITY else min(open_files, limit // 2)
