"""What a ledger says of a Slurm job: its energy, and what weighed it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from tracker.core.model import Component, Method, Workload
from tracker.core.units import MS_PER_S, SLOT_S
from tracker.ledger.rows import WORKLOAD_COLUMNS, column_list, workload_of

_WORKLOADS = f"""SELECT workload_id, {column_list(WORKLOAD_COLUMNS)} FROM workload
    WHERE kind = 'slurm' AND (key = ? OR job = ?) ORDER BY workload_id"""  # noqa: S608 - names of this program's fields
_TOTALS = """SELECT component, method, sum(energy_uj), sum(idle_uj), sum(held_ms) FROM workload_total
    WHERE workload_id IN (SELECT value FROM json_each(?1)) AND ?2 IS NULL GROUP BY component, method"""
_SINCE = """SELECT component, entry.method, sum(energy_uj), sum(idle_uj), sum(held_ms) FROM entry
    JOIN device USING (device_id)
    WHERE slot_start_s >= ?2 AND workload_id IN (SELECT value FROM json_each(?1)) GROUP BY component, entry.method"""
#: Late energy is part of the row of the slot in which it was weighed. ``coalesce``: one range of the primary key.
_WEIGHTS = """SELECT zone, factor.basis, factor_type, tier, provider, source, assumed, pue_permille,
    min(intensity_mg_per_kwh), max(intensity_mg_per_kwh), sum(emissions_ug)
    FROM emission JOIN factor USING (factor_row)
    WHERE emission.basis = 'location' AND slot_start_s >= coalesce(?2, 0)
    AND workload_id IN (SELECT value FROM json_each(?1)) GROUP BY 1, 2, 3, 4, 5, 6, 7, 8 ORDER BY 11 DESC, 6, 8"""
BOOKED = "SELECT booked_until_ms FROM head"


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A component's share. ``idle_uj`` is contained in ``energy_uj``: held and not used."""

    component: Component
    energy_uj: int = 0
    measured_uj: int = 0
    simulated_uj: int = 0
    idle_uj: int = 0
    held_ms: int = 0


class Weight(msgspec.Struct, frozen=True, kw_only=True):
    """A source of grid factors and a PUE, and what was weighed by them. The two intensities are the least and the most
    that it said meanwhile. ``zone_assumed``, ``pue_assumed``: nobody stated it."""

    zone: str
    basis: str
    factor_type: str
    tier: int
    provider: str
    source: str
    zone_assumed: bool
    pue_permille: int
    pue_assumed: bool
    least_mg_per_kwh: int
    most_mg_per_kwh: int
    emissions_ug: int


class JobReport(msgspec.Struct, frozen=True, kw_only=True):
    """A job on this node. ``emissions_ug`` None: no grid factor was known, which is not 0 g."""

    job_id: str
    hostname: str
    since_s: int | None  # of the first slot that counts; None: everything that was ever booked
    booked_until_s: float | None
    energy_uj: int
    measured_uj: int
    simulated_uj: int
    emissions_ug: int | None
    weights: tuple[Weight, ...]  # those that weigh most first
    parts: tuple[Part, ...]
    labels: Mapping[str, str]


def read_report(
    connection: sqlite3.Connection,
    job_id: str,
    hostname: str,
    since_s: int | None,
    pue_assumed: Callable[[int], bool],
) -> JobReport | None:
    """Everything booked under any label set of the job; None: nothing. Slots are 300 s: the one that contains
    ``since_s`` counts. ``pue_assumed``: whether nobody stated this PUE (in thousandths)."""
    rows = connection.execute(_WORKLOADS, (f"slurm/{job_id}", job_id)).fetchall()
    first_s = None if since_s is None else since_s // SLOT_S * SLOT_S
    question = (msgspec.json.encode([row[0] for row in rows]).decode(), first_s)
    parts = _parts(connection.execute(_TOTALS if first_s is None else _SINCE, question))
    if not parts:
        return None
    weights = _weights(connection.execute(_WEIGHTS, question), pue_assumed)
    booked_ms = connection.execute(BOOKED).fetchone()[0]
    return JobReport(
        job_id=job_id,
        hostname=hostname,
        since_s=first_s,
        booked_until_s=None if booked_ms is None else booked_ms / MS_PER_S,
        energy_uj=sum(part.energy_uj for part in parts),
        measured_uj=sum(part.measured_uj for part in parts),
        simulated_uj=sum(part.simulated_uj for part in parts),
        emissions_ug=sum(weight.emissions_ug for weight in weights) if weights else None,
        weights=weights,
        parts=parts,
        labels=_best_labels([workload_of(row[1:]) for row in rows]),
    )


def _parts(rows: Iterable[tuple[str, str, int, int, int]]) -> tuple[Part, ...]:
    """One a component, of its rows by method."""
    sums: dict[Component, Part] = {}
    for component, method, energy_uj, idle_uj, held_ms in rows:
        old = sums.get(Component(component), Part(component=Component(component)))
        sums[old.component] = Part(
            component=old.component,
            energy_uj=old.energy_uj + energy_uj,
            measured_uj=old.measured_uj + (energy_uj if method == Method.MEASURED else 0),
            simulated_uj=old.simulated_uj + (energy_uj if method == Method.SIMULATED else 0),
            idle_uj=old.idle_uj + idle_uj,
            held_ms=old.held_ms + held_ms,
        )
    return tuple(sums[component] for component in Component if component in sums)


def _weights(rows: Iterable[tuple[Any, ...]], pue_assumed: Callable[[int], bool]) -> tuple[Weight, ...]:
    return tuple(
        Weight(
            zone=zone,
            basis=basis,
            factor_type=factor_type,
            tier=tier,
            provider=provider,
            source=source,
            zone_assumed=bool(assumed),
            pue_permille=pue_permille,
            pue_assumed=pue_assumed(pue_permille),
            least_mg_per_kwh=least,
            most_mg_per_kwh=most,
            emissions_ug=emissions_ug,
        )
        for zone, basis, factor_type, tier, provider, source, assumed, pue_permille, least, most, emissions_ug in rows
    )


def _best_labels(workloads: Sequence[Workload]) -> dict[str, str]:
    """Of the label set that says most, and of those the last: a job's first energy may be booked under its number."""
    sets = [{name: str(getattr(workload, name)) for name in WORKLOAD_COLUMNS} for workload in workloads]
    told = [{name: value for name, value in labels.items() if value} for labels in sets]
    return max(reversed(told), key=lambda labels: (len(labels), labels.get("name") != labels.get("job")))
