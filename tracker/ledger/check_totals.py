"""Checks of sums: totals are the sums of their rows, and devices and workloads sum to the same (P1, P2)."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tracker.core.model import Level
from tracker.ledger.finding import TAMPERED, AuditFinding, places


@dataclass(frozen=True, slots=True)
class _Total:
    """A table of totals and the rows it sums: the same keys, the same measures."""

    table: str
    owner: str  # device | workload
    keys: str
    measures: tuple[str, ...]
    rows: str


_TOTALS = (
    _Total("device_total", "device", "device_id, method", ("energy_uj",), "entry"),
    _Total(
        "workload_total",
        "workload",
        "workload_id, component, method",
        ("energy_uj", "idle_uj", "held_ms"),
        "(SELECT entry.*, component FROM entry JOIN device USING (device_id))",
    ),
    _Total("gap_total", "device", "device_id, reason", ("duration_ms",), "gap"),
    _Total("emission_total", "workload", "workload_id, basis", ("emissions_ug",), "emission"),
    _Total("unit_total", "workload", "workload_id, unit", ("amount",), "unit"),
)


def totals(connection: sqlite3.Connection) -> list[AuditFinding]:
    """Every total is the sum of its rows (P1, P2): /metrics continues from totals after a restart."""
    return [finding for total in _TOTALS for finding in places(connection, _sums(total), _total_finding(total))]


def _sums(total: _Total) -> str:
    """Keys whose sums differ: rows count in ``row_*``, totals in ``total_*`` (a full join of both)."""
    from_rows = ", ".join(f"sum({name}) AS row_{name}, 0 AS total_{name}" for name in total.measures)
    from_totals = ", ".join(f"0, {name}" for name in total.measures)
    pairs = ", ".join(f"sum(row_{name}), sum(total_{name})" for name in total.measures)
    differs = " OR ".join(f"sum(row_{name}) <> sum(total_{name})" for name in total.measures)
    return f"""SELECT (SELECT key FROM {total.owner} AS o WHERE o.{total.owner}_id = s.{total.owner}_id), {total.keys},
        {pairs} FROM (
            SELECT {total.keys}, {from_rows} FROM {total.rows} GROUP BY {total.keys}
            UNION ALL SELECT {total.keys}, {from_totals} FROM {total.table}) AS s
        GROUP BY {total.keys} HAVING {differs}"""  # noqa: S608 - built from the constants above


def _total_finding(total: _Total) -> Callable[..., AuditFinding]:
    keys = total.keys.count(",") + 1

    def finding(owner: str | None, *row: Any) -> AuditFinding:
        values = row[keys:]
        pairs = zip(total.measures, values[::2], values[1::2], strict=True)
        differences = "; ".join(f"{name}: rows {rows}, total {kept}" for name, rows, kept in pairs if rows != kept)
        labels = "/".join(str(value) for value in row[1:keys])
        message = f"The total of {total.owner} {owner or row[0]} ({labels}) is not the sum of its rows: {differences}."
        device = owner or "" if total.owner == "device" else ""
        return AuditFinding(Level.FAIL, "conservation", message, TAMPERED, None, device)

    return finding


def conservation(connection: sqlite3.Connection) -> list[AuditFinding]:
    """All energy of devices is charged to workloads, to the microjoule (P1)."""

    def finding(devices_uj: int, workloads_uj: int) -> AuditFinding:
        message = f"Devices sum to {devices_uj} uJ and workloads to {workloads_uj} uJ."
        return AuditFinding(Level.FAIL, "conservation", message, TAMPERED)

    statement = """SELECT devices_uj, workloads_uj FROM (
        SELECT (SELECT coalesce(sum(energy_uj), 0) FROM device_total) AS devices_uj,
            (SELECT coalesce(sum(energy_uj), 0) FROM workload_total) AS workloads_uj)
        WHERE devices_uj <> workloads_uj"""
    return places(connection, statement, finding)
