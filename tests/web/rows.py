"""Today's rows for a snapshot, as the ledger would give them."""

from __future__ import annotations

from dataclasses import dataclass

from tracker.core.model import Component, Workload
from tracker.core.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Row:
    """Has the shape of ``TodayRow``."""

    workload: Workload
    component: Component
    energy_uj: int
    idle_uj: int
    held_ms: int
    emissions_ug: int | None


def today(snapshot: Snapshot) -> tuple[Row, ...]:
    """As if everything in the snapshot had been used today; largest energy first."""
    rows = [
        Row(state.workload, t.component, t.energy_uj, t.idle_uj, t.held_ms, state.emissions_ug.get("location"))
        for state in snapshot.workloads
        for t in state.tallies
    ]
    return tuple(sorted(rows, key=lambda row: -row.energy_uj))
