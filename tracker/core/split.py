"""Who pays for a joule: every split sums to the device's energy and held time exactly, and every remainder has a name
(P1).

The policies, per component:
- GPU, held by someone (a process on it, or an allocation): its idle floor and held time go to the holders in equal
  parts, the rest by SM time; without SM times by memory, without memory equally. So who holds it without being on it
  pays for the floor; where nobody is seen on it, its holders pay for everything.
- GPU in MIG instances: floor and held time by SMs (free instances are idle, SMs in no instance unallocated), the rest
  by SMs x activity of the instances with holders; without activity by SMs of those that are on it.
- GPU that could not be looked at (no process lists): unattributed.
- GPU without a known holder: idle. If it uses clearly more than its floor, somebody was there unseen: unattributed.
- CPU: the floor is idle; the rest goes by CPU time, the operating system's own included. Held time goes by CPU time of
  capacity.
- DRAM: by bytes of capacity; free memory is idle.
- Anything else, and any time whose owner was not observed: unattributed.

Observations are taken as they come: a weight below 0 counts as 0, and whatever they say, the sums hold.
"""

from __future__ import annotations

from collections.abc import Sequence

from tracker.core.model import (
    IDLE,
    UNALLOCATED,
    UNATTRIBUTED,
    Charge,
    Component,
    GpuHolding,
    Holder,
    Observation,
    Share,
    Workload,
)
from tracker.core.rounding import apportion


def split(
    component: Component, device: str, energy_uj: int, idle_uj: int, held_ms: int, seen: Observation
) -> tuple[Charge, ...]:
    """Charge one device's energy in one piece of time. ``idle_uj`` (at most ``energy_uj``) is the part below its
    floor."""
    idle_uj = min(idle_uj, energy_uj)
    match component:
        case Component.GPU:
            holding = seen.gpu.get(device)
            return (
                unattributed(energy_uj, held_ms) if holding is None else split_gpu(energy_uj, idle_uj, held_ms, holding)
            )
        case Component.CPU:
            return split_cpu(energy_uj, idle_uj, held_ms, seen.cpu, seen.cpu_capacity_us)
        case Component.DRAM:
            return split_dram(energy_uj, held_ms, seen.dram, seen.dram_capacity_bytes)
        case Component.OTHER:
            return unattributed(energy_uj, held_ms)


def unattributed(energy_uj: int, held_ms: int) -> tuple[Charge, ...]:
    """The owner was not observed."""
    return (Charge(UNATTRIBUTED, energy_uj, 0, held_ms),)


def split_gpu(energy_uj: int, idle_uj: int, held_ms: int, holding: GpuHolding) -> tuple[Charge, ...]:
    """Charge a GPU to its holders."""
    holders = holding.holders
    names, capacity = _capacity(holding)
    if not holders and 2 * energy_uj > 3 * idle_uj > 0:
        rest = Charge(UNATTRIBUTED, energy_uj - idle_uj, 0, 0)
        return (*_charges(names, [0] * len(names), apportion(idle_uj, capacity), apportion(held_ms, capacity)), rest)
    if not holders:
        return _charges(names, [0] * len(names), apportion(energy_uj, capacity), apportion(held_ms, capacity))
    nobody = [0] * (len(names) - len(holders))
    dynamic = apportion(energy_uj - idle_uj, [*_activity(holders, partitioned=holding.instance_sms > 0), *nobody])
    return _charges(names, dynamic, apportion(idle_uj, capacity), apportion(held_ms, capacity))


def _capacity(holding: GpuHolding) -> tuple[list[Workload], list[int]]:
    """Who holds how much of the GPU: the holders first, in their order, then the nobodies."""
    names = [holder.workload for holder in holding.holders]
    if holding.instance_sms <= 0:
        return (names, [1] * len(names)) if names else ([IDLE], [1])
    held = [max(0, holder.sm_count) for holder in holding.holders]
    free_sms = max(0, holding.instance_sms - sum(held))
    spare_sms = max(0, holding.sm_total - max(holding.instance_sms, sum(held)))
    return [*names, IDLE, UNALLOCATED], [*held, free_sms, spare_sms]


def _activity(holders: Sequence[Holder], *, partitioned: bool) -> list[int]:
    """Weights of the energy above the floor: never all zero."""
    active = [max(0, holder.sm_weight) for holder in holders]
    if partitioned:
        sms = [max(0, holder.sm_count) for holder in holders]
        by_both = [weight * count for weight, count in zip(active, sms, strict=True)]
        present = [count if holder.memory_weight > 0 else 0 for holder, count in zip(holders, sms, strict=True)]
        candidates = [by_both, present, sms, active]
    else:
        candidates = [active, [max(0, holder.memory_weight) for holder in holders]]
    return next((weights for weights in candidates if any(weights)), [1] * len(holders))


def split_cpu(
    energy_uj: int, idle_uj: int, held_ms: int, shares: Sequence[Share], capacity_us: int
) -> tuple[Charge, ...]:
    """Charge a CPU package by CPU time (of the whole node: packages are not told apart)."""
    used = [share for share in shares if share.weight > 0]
    if not used:
        return _charges([IDLE, UNATTRIBUTED], [0, energy_uj - idle_uj], [idle_uj, 0], [0, held_ms])
    weights = [share.weight for share in used]
    free_us = max(0, capacity_us - sum(weights))
    dynamic = [*apportion(energy_uj - idle_uj, weights), 0]
    floor = [*([0] * len(used)), idle_uj]
    return _charges([*(s.workload for s in used), IDLE], dynamic, floor, apportion(held_ms, [*weights, free_us]))


def split_dram(energy_uj: int, held_ms: int, shares: Sequence[Share], capacity_bytes: int) -> tuple[Charge, ...]:
    """Charge memory by the bytes that are held; free memory is idle."""
    used = [share for share in shares if share.weight > 0]
    if not used:
        return unattributed(energy_uj, held_ms)
    weights = [share.weight for share in used]
    weights.append(max(0, capacity_bytes - sum(weights)))
    parts = apportion(energy_uj, weights)
    floor = [*([0] * len(used)), parts[-1]]
    dynamic = [*parts[:-1], 0]
    return _charges([*(s.workload for s in used), IDLE], dynamic, floor, apportion(held_ms, weights))


def _charges(
    names: Sequence[Workload], dynamic: Sequence[int], floor: Sequence[int], held: Sequence[int]
) -> tuple[Charge, ...]:
    """One charge per name that got anything."""
    return tuple(
        Charge(name, above_uj + below_uj, below_uj, held_ms)
        for name, above_uj, below_uj, held_ms in zip(names, dynamic, floor, held, strict=True)
        if above_uj or below_uj or held_ms
    )
