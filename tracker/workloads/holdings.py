"""From the processes on a GPU, and from what schedulers gave away, to the workloads that hold it.

Holders are the owners of processes and those that were given the GPU or a part of it, busy or not. A place is a whole
GPU or a MIG instance; its floor and its held time go to its holders in equal parts, the rest goes by activity
(``core/split.py``). So that the split can tell who is there from who has only been given it, a process weighs one byte
of memory at least, and an allocation none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tracker.core.model import UNATTRIBUTED, DeviceUse, GpuHolding, Holder, ProcessUse, Workload
from tracker.core.rounding import apportion


@dataclass(frozen=True, slots=True)
class Ownership:
    """Whose GPUs and processes are. ``owners`` by pid. ``homes``: for a process of a declared run, the key of the
    workload that the run is in. ``given``: who was given a place, by GPU UUID or MIG UUID, each once. ``blind``: the
    driver shows no processes here, so who was given a GPU counts as being on it (it would look idle for ever)."""

    owners: Mapping[int, Workload]
    homes: Mapping[int, str] = field(default_factory=dict)
    given: Mapping[str, Sequence[Workload]] = field(default_factory=dict)
    blind: bool = False


@dataclass(slots=True)
class _Seat:
    workload: Workload
    sm_weight: int = 0
    memory_bytes: int = 0
    sm_count: int = 0


_Place = dict[str, _Seat]  # by workload key


def holding(use: DeviceUse, ownership: Ownership) -> GpuHolding:
    """Who holds a GPU.

    A process whose owner is not known is that of the one workload that was given its place; if there are several, of
    the only one without a process; else it is unattributed. Where the SMs of an instance are unknown, every instance
    counts as one. A partitioned GPU that was given away as a whole stands for its free instances.
    """
    whole = ownership.given.get(use.device, ())
    if not use.instances:
        return GpuHolding(_holders([_place(use.processes, whole, ownership)]), 0, use.sm_total)
    places: list[_Place] = []
    inside: set[str] = set()
    for instance in use.instances:
        inside.add(instance.key)
        processes = [process for process in use.processes if process.instance == instance.key]
        places.append(_place(processes, ownership.given.get(instance.key, ()), ownership))
    # The instance of a process may have been destroyed between two lists: it holds no SMs.
    nowhere = _place([process for process in use.processes if process.instance not in inside], (), ownership)
    _fill_free(places, whole, ownership)
    known = all(instance.sm_count > 0 for instance in use.instances)
    sizes = [instance.sm_count if known else 1 for instance in use.instances]
    for place, size in zip(places, sizes, strict=True):
        for seat, sm_count in zip(place.values(), apportion(size if place else 0, [1] * len(place)), strict=True):
            seat.sm_count = sm_count
    instance_sms = sum(sizes)
    sm_total = max(use.sm_total, instance_sms) if known else instance_sms
    return GpuHolding(_holders([*places, nowhere]), instance_sms, sm_total)


def _place(processes: Sequence[ProcessUse], tenants: Sequence[Workload], ownership: Ownership) -> _Place:
    """Who is at a place, and who was given it. A run takes the seat of the workload that it is in."""
    known = {p.pid: ownership.owners[p.pid] for p in processes if p.pid in ownership.owners}
    taken = {ownership.homes[pid] for pid in known if pid in ownership.homes}
    present = taken.union(workload.key for workload in known.values())
    place: _Place = {}
    for process in processes:
        workload = known.get(process.pid) or _presumed(tenants, present)
        seat = place.setdefault(workload.key, _Seat(workload))
        seat.sm_weight += max(0, process.sm_weight)
        seat.memory_bytes += max(1, process.memory_bytes)
    for tenant in tenants:
        if tenant.key not in taken:
            place.setdefault(tenant.key, _Seat(tenant, memory_bytes=int(ownership.blind)))
    return place


def _presumed(tenants: Sequence[Workload], present: set[str]) -> Workload:
    """Whose a process without a known owner is."""
    if len(tenants) == 1:
        return tenants[0]
    absent = [tenant for tenant in tenants if tenant.key not in present]
    return absent[0] if len(absent) == 1 else UNATTRIBUTED


def _fill_free(places: Sequence[_Place], whole: Sequence[Workload], ownership: Ownership) -> None:
    """Seat those who were given the whole partitioned GPU and are nowhere in it where nobody is."""
    seated = {key for place in places for key in place}
    waiting = [tenant for tenant in whole if tenant.key not in seated]
    for place in places:
        if not place:
            place.update((t.key, _Seat(t, memory_bytes=int(ownership.blind))) for t in waiting)


def _holders(places: Iterable[_Place]) -> tuple[Holder, ...]:
    """The seats of a workload in all places are one holder."""
    total: _Place = {}
    for place in places:
        for key, seat in place.items():
            whole = total.setdefault(key, _Seat(seat.workload))
            whole.sm_weight += seat.sm_weight
            whole.memory_bytes += seat.memory_bytes
            whole.sm_count += seat.sm_count
    return tuple(Holder(s.workload, s.sm_weight, s.memory_bytes, s.sm_count) for s in total.values())
