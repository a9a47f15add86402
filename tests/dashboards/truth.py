"""What the ledgers say: rows of five-minute slots, to be summed by whatever a panel claims."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

UJ_PER_J, UG_PER_G, MS_PER_S = 1e6, 1e6, 1e3
_LABELS = "key AS workload, kind, name, namespace, pod, queue, cost_centre, run, team, project, phase"
_ENTRIES = f"""SELECT slot_start_s, device.key AS device, component, entry.method, energy_uj, idle_uj, held_ms,
    {_LABELS.replace("key AS", "workload.key AS")}
    FROM entry JOIN device USING (device_id) JOIN workload USING (workload_id)"""
_EMISSIONS = f"SELECT slot_start_s, basis, emissions_ug, {_LABELS} FROM emission JOIN workload USING (workload_id)"
_UNITS = f"SELECT slot_start_s, unit, amount, {_LABELS} FROM unit JOIN workload USING (workload_id)"
_GAPS = "SELECT slot_start_s, key AS device, component, reason, duration_ms FROM gap JOIN device USING (device_id)"

Row = Mapping[str, Any]
Key = tuple[str, ...]


@dataclass(frozen=True)
class Truth:
    """Sums over the slots in [start_s, end_s), by label values in the order asked for; ``where`` selects rows."""

    entries: tuple[Row, ...]
    emissions: tuple[Row, ...]
    units: tuple[Row, ...]
    gaps: tuple[Row, ...]

    def joules(self, span_s: tuple[int, int], *by: str, **where: str) -> dict[Key, float]:
        return _sum(self.entries, "energy_uj", UJ_PER_J, span_s, by, where)

    def idle_joules(self, span_s: tuple[int, int], *by: str, **where: str) -> dict[Key, float]:
        return _sum(self.entries, "idle_uj", UJ_PER_J, span_s, by, where)

    def held_s(self, span_s: tuple[int, int], *by: str, **where: str) -> dict[Key, float]:
        return _sum(self.entries, "held_ms", MS_PER_S, span_s, by, where)

    def grams(self, span_s: tuple[int, int], *by: str, **where: str) -> dict[Key, float]:
        return _sum(self.emissions, "emissions_ug", UG_PER_G, span_s, by, where)

    def amounts(self, span_s: tuple[int, int], *by: str, **where: str) -> dict[Key, float]:
        return _sum(self.units, "amount", 1, span_s, by, where)

    def gap_s(self, span_s: tuple[int, int], *by: str, **where: str) -> dict[Key, float]:
        return _sum(self.gaps, "duration_ms", MS_PER_S, span_s, by, where)


def _sum(
    rows: tuple[Row, ...],
    column: str,
    per: float,
    span_s: tuple[int, int],
    by: tuple[str, ...],
    where: Mapping[str, str],
) -> dict[Key, float]:
    sums: Counter[Key] = Counter()
    for row in rows:
        if span_s[0] <= row["slot_start_s"] < span_s[1] and all(
            row[name] in text.split("|") for name, text in where.items()
        ):
            sums[tuple(str(row[name]) for name in by)] += row[column]
    return {key: amount / per for key, amount in sums.items()}


def read_truth(ledgers: Mapping[str, Path], clusters: Mapping[str, str]) -> Truth:
    """``ledgers`` and ``clusters`` by hostname."""
    tables: dict[str, list[Row]] = {_ENTRIES: [], _EMISSIONS: [], _UNITS: [], _GAPS: []}
    for hostname, path in ledgers.items():
        with closing(sqlite3.connect(path)) as connection:
            connection.row_factory = sqlite3.Row
            for statement, rows in tables.items():
                place = {"hostname": hostname, "cluster": clusters[hostname]}
                rows.extend({**dict(row), **place} for row in connection.execute(statement))
    return Truth(*(tuple(rows) for rows in tables.values()))
