"""What processes used for runs since the last tick, and what that makes of the tick."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tracker.core.model import Workload
from tracker.workloads.declared.carving import RunTick, Take
from tracker.workloads.declared.family import Delta
from tracker.workloads.interface import Identity


@dataclass(slots=True)
class Use:
    """Of one process, for one run in one phase. ``start_ns``: of the process, on the boot clock."""

    identity: Identity
    start_ns: int
    cpu_us: int = 0
    byte_ns: int = 0
    duration_ns: int = 0
    alive: bool = True

    def add(self, delta: Delta) -> None:
        self.cpu_us += delta.cpu_us
        self.byte_ns += delta.byte_ns
        self.duration_ns += delta.duration_ns
        self.alive = delta.alive


#: By process, token of the declaration, and phase.
Uses = dict[tuple[int, str, str], Use]


@dataclass(slots=True)
class Charged:
    """A use with its run's workload, and the workload that is charged where nobody declared anything."""

    pid: int
    workload: Workload
    home: Workload
    use: Use


def tick_of(charged: Iterable[Charged], elapsed_ns: int, boot_ns: int) -> RunTick:
    """The takes of a tick, and the owner of each process: whoever had it longest, since a GPU's holders are told once
    per tick. A process that was in no run for longer than in any has none here."""
    cpu: list[Take] = []
    dram: list[Take] = []
    longest: dict[int, Charged] = {}
    outside_ns: dict[int, int] = {}
    dead: set[int] = set()
    for each in charged:
        use = each.use
        if use.cpu_us:
            cpu.append(Take(each.workload, each.home, use.cpu_us))
        if use.byte_ns:
            dram.append(Take(each.workload, each.home, use.byte_ns // elapsed_ns))
        if each.pid not in longest or use.duration_ns > longest[each.pid].use.duration_ns:
            longest[each.pid] = each
        life_ns = min(elapsed_ns, boot_ns - use.start_ns)
        outside_ns[each.pid] = outside_ns.get(each.pid, life_ns) - use.duration_ns
        if not use.alive:
            dead.add(each.pid)
    owners = {
        pid: each.workload for pid, each in longest.items() if pid in dead or outside_ns[pid] <= each.use.duration_ns
    }
    return RunTick(tuple(cpu), tuple(dram), owners)
