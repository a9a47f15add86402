"""A run's part is taken out of the share of what it runs in: a container, a job, a user. Sums never change (P1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tracker.core.model import SYSTEM, Kind, Observation, Share, Workload
from tracker.core.rounding import apportion


@dataclass(frozen=True, slots=True)
class Take:
    """What a run used in a tick. ``home``: the workload that would be charged if nobody had declared anything."""

    workload: Workload
    home: Workload
    weight: int


@dataclass(frozen=True, slots=True)
class RunTick:
    """The runs' part of a tick: CPU time in µs, memory in bytes, and whose each process is, for the GPUs."""

    cpu: tuple[Take, ...] = ()
    dram: tuple[Take, ...] = ()
    owners: Mapping[int, Workload] = field(default_factory=dict)  # by pid


def apply(seen: Observation, tick: RunTick) -> Observation:
    """``seen`` with the runs' parts of CPU and memory. The GPUs' holders are told apart by ``tick.owners``, earlier."""
    if not tick.cpu and not tick.dram:
        return seen
    return replace(seen, cpu=carve(seen.cpu, tick.cpu), dram=carve(seen.dram, tick.dram))


def carve(shares: Sequence[Share], takes: Sequence[Take]) -> tuple[Share, ...]:
    """Move weight from homes to runs: the sum stays the same, no share becomes negative, no run gets more than it used.

    A home without a share of its own was counted with the operating system's. Where runs together used more than their
    home shows (two clocks that disagree by some ms, pages that several processes share), they divide what there is.
    """
    known = {share.workload.key for share in shares}
    wanted: dict[str, list[Take]] = {}
    for take in takes:
        key = take.home.key
        if key not in known or take.home.kind is Kind.UNATTRIBUTED:
            key = SYSTEM.key
        if take.weight > 0:
            wanted.setdefault(key, []).append(take)
    left: list[Share] = []
    taken: dict[Workload, int] = {}
    for share in shares:
        claims = wanted.pop(share.workload.key, [])
        weights = [take.weight for take in claims]
        room = max(0, min(sum(weights), share.weight))
        for take, part in zip(claims, apportion(room, weights), strict=True):
            if part:
                taken[take.workload] = taken.get(take.workload, 0) + part
        if share.weight != room:
            left.append(Share(share.workload, share.weight - room) if room else share)
        elif not claims:
            left.append(share)
    return (*left, *(Share(workload, weight) for workload, weight in taken.items()))
