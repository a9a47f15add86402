"""Reading totals back: what a restarting agent needs. Cost grows with devices and workloads, not with history."""

from __future__ import annotations

import sqlite3

from tracker.core.model import Component, GapReason, Method, UnweighedEntry, Workload
from tracker.core.snapshot import Tally
from tracker.core.units import MS_PER_S
from tracker.ledger.interface import DeviceTotal, Opening, WorkloadTotals
from tracker.ledger.numbers import FIND_WORKLOAD
from tracker.ledger.rows import (
    CURSOR_COLUMNS,
    SENSOR_COLUMNS,
    WORKLOAD_COLUMNS,
    column_list,
    cursor_of,
    sensor_of,
    text,
    workload_of,
    workload_row,
)

_CURSORS = f"SELECT {column_list(CURSOR_COLUMNS)} FROM cursor"  # noqa: S608 - built from field names of this program
_DEVICES = f"""SELECT (SELECT coalesce(sum(energy_uj), 0) FROM device_total WHERE device_id = device.device_id),
    {column_list(SENSOR_COLUMNS)} FROM device ORDER BY device_id"""  # noqa: S608 - as above
_GAPS = "SELECT key, reason, duration_ms FROM gap_total JOIN device USING (device_id)"
_TOTALS = """SELECT (SELECT coalesce(sum(energy_uj), 0) FROM device_total),
    (SELECT coalesce(sum(energy_uj), 0) FROM workload_total), booked_until_ms FROM head"""
_TALLIES = """SELECT component, method, energy_uj, idle_uj, held_ms FROM workload_total WHERE workload_id = ?"""
_LABEL_SETS = f"SELECT {column_list(WORKLOAD_COLUMNS)} FROM workload WHERE key = ?"  # noqa: S608 - as above
_EMISSIONS = "SELECT basis, emissions_ug FROM emission_total WHERE workload_id = ?"
#: So far back energy waits for its factor: what services still correct or deliver late is of the month before.
WAITS_S = 31 * 86_400
_WAITING = """SELECT DISTINCT basis, slot_start_s / 3600 * 3600 AS hour_s FROM waiting
    WHERE weighed_uj < energy_uj AND slot_start_s >= ? ORDER BY hour_s DESC"""
_UNWEIGHED = f"""SELECT energy_uj - weighed_uj, {column_list(WORKLOAD_COLUMNS)} FROM waiting
    JOIN workload USING (workload_id)
    WHERE slot_start_s = ? AND basis = ? AND weighed_uj < energy_uj"""  # noqa: S608 - as above
_UNITS = "SELECT unit, amount FROM unit_total WHERE workload_id = ?"


def read_opening(connection: sqlite3.Connection) -> Opening:
    """Everything in ``Opening``. Raises sqlite3.Error."""
    total_energy_uj, charged_energy_uj, booked_until_ms = connection.execute(_TOTALS).fetchone()
    devices = {}
    for energy_uj, *row in connection.execute(_DEVICES):
        sensor = sensor_of(tuple(row))
        devices[sensor.key] = DeviceTotal(sensor, sensor.method, energy_uj)
    return Opening(
        cursors={row[0]: cursor_of(row) for row in connection.execute(_CURSORS)},
        devices=devices,
        gaps={(key, GapReason(reason)): ms for key, reason, ms in connection.execute(_GAPS)},
        booked_until_ms=booked_until_ms,
        meta=dict(connection.execute("SELECT key, value FROM meta")),
        total_energy_uj=total_energy_uj,
        charged_energy_uj=charged_energy_uj,
        waiting=_read_waiting(connection, (booked_until_ms or 0) // MS_PER_S - WAITS_S),
    )


def _read_waiting(connection: sqlite3.Connection, since_s: int) -> dict[str, tuple[int, ...]]:
    hours: dict[str, tuple[int, ...]] = {}
    for basis, hour_s in connection.execute(_WAITING, (since_s,)):
        hours[basis] = (*hours.get(basis, ()), hour_s)
    return hours


def read_unweighed(connection: sqlite3.Connection, slot_start_s: int, basis: str) -> tuple[UnweighedEntry, ...]:
    """What waits in one slot. Raises sqlite3.Error."""
    rows = connection.execute(_UNWEIGHED, (slot_start_s, basis))
    return tuple(UnweighedEntry(slot_start_s, workload_of(tuple(row)), basis, energy_uj) for energy_uj, *row in rows)


def read_label_sets(connection: sqlite3.Connection, key: str) -> tuple[Workload, ...]:
    """Every workload with this key. Raises sqlite3.Error."""
    return tuple(workload_of(row) for row in connection.execute(_LABEL_SETS, (text(key),)))


def read_totals(connection: sqlite3.Connection, workload: Workload) -> WorkloadTotals:
    """Committed totals of one label set, empty if it was never seen. Raises sqlite3.Error."""
    found = connection.execute(FIND_WORKLOAD, workload_row(workload)).fetchone()
    if found is None:
        return WorkloadTotals(workload)
    tallies = tuple(
        Tally(Component(component), Method(method), *sums)
        for component, method, *sums in connection.execute(_TALLIES, found)
    )
    emissions_ug = dict(connection.execute(_EMISSIONS, found))
    return WorkloadTotals(workload, tallies, emissions_ug, dict(connection.execute(_UNITS, found)))


def read_key(connection: sqlite3.Connection, key: str) -> tuple[WorkloadTotals, ...]:
    """Committed totals of every label set of one piece of work. Raises sqlite3.Error."""
    return tuple(read_totals(connection, workload) for workload in read_label_sets(connection, key))
