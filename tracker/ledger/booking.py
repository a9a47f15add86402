"""Writing one booking, inside a transaction that ``store.py`` begins and ends.

The hot path of the ledger: it runs every 10 s with a few hundred rows. Rows are gathered in Python and handed to SQLite
in one ``executemany`` per table; totals are summed before they are written, because adding in a dict is cheaper than
an upsert.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import replace

from tracker.core.model import (
    Booking,
    EmissionEntry,
    Entry,
    GapEntry,
    UnitEntry,
    UnweighedEntry,
    Workload,
)
from tracker.core.units import SLOT_MS, SLOT_S
from tracker.ledger.interface import LedgerError
from tracker.ledger.numbers import BUG, Numbers, device_number, factor_number, put_factor, put_sensor, workload_number
from tracker.ledger.rows import (
    CURSOR_COLUMNS,
    column_list,
    cursor_row,
    marks,
    text,
)

_PUT_CURSOR = f"""INSERT OR REPLACE INTO cursor ({column_list(CURSOR_COLUMNS)})
    VALUES ({marks(CURSOR_COLUMNS)})"""  # noqa: S608 - built from field names of this program
_PUT_META = "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)"
_PUT_HEAD = "UPDATE head SET booked_until_ms = ?, clean = 0"
_READ_HEAD = "SELECT booked_until_ms FROM head"

_ADD_ENTRY = """INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
    energy_uj = energy_uj + excluded.energy_uj, idle_uj = idle_uj + excluded.idle_uj,
    held_ms = held_ms + excluded.held_ms"""
_ADD_DEVICE_TOTAL = """INSERT INTO device_total VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET
    energy_uj = energy_uj + excluded.energy_uj"""
_ADD_WORKLOAD_TOTAL = """INSERT INTO workload_total VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
    energy_uj = energy_uj + excluded.energy_uj, idle_uj = idle_uj + excluded.idle_uj,
    held_ms = held_ms + excluded.held_ms"""
_ADD_EMISSION = """INSERT INTO emission VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
    emissions_ug = emissions_ug + excluded.emissions_ug"""
_ADD_EMISSION_TOTAL = """INSERT INTO emission_total VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET
    emissions_ug = emissions_ug + excluded.emissions_ug"""
_ADD_WAITING = """INSERT INTO waiting VALUES (?, ?, ?, ?, 0) ON CONFLICT DO UPDATE SET
    energy_uj = energy_uj + excluded.energy_uj"""
_SETTLE_WAITING = """UPDATE waiting SET weighed_uj = weighed_uj + ?
    WHERE slot_start_s = ? AND workload_id = ? AND basis = ?"""
_ADD_LATE = """INSERT INTO late VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
    energy_uj = energy_uj + excluded.energy_uj, emissions_ug = emissions_ug + excluded.emissions_ug"""
_ADD_GAP = """INSERT INTO gap VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET
    duration_ms = duration_ms + excluded.duration_ms"""
_ADD_GAP_TOTAL = """INSERT INTO gap_total VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET
    duration_ms = duration_ms + excluded.duration_ms"""

#: Programs say how much they did; no number of theirs may stop energy from being booked. 2^62: what an integer holds.
MAX_UNIT_AMOUNT = 4611686018427387904
_ADD_UNIT = """INSERT INTO unit VALUES (?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET amount = min(4611686018427387904 - excluded.amount, amount) + excluded.amount"""
_ADD_UNIT_TOTAL = """INSERT INTO unit_total VALUES (?, ?, ?)
    ON CONFLICT DO UPDATE SET amount = min(4611686018427387904 - excluded.amount, amount) + excluded.amount"""


def write(connection: sqlite3.Connection, numbers: Numbers, booking: Booking) -> int | None:
    """Write all of a booking. Returns the booked_until_ms before it. Raises sqlite3.Error, or LedgerError for a booking
    that contradicts what is booked."""
    before_ms: int | None = connection.execute(_READ_HEAD).fetchone()[0]
    _check_time(booking, before_ms)
    numbers.bound()
    for sensor in booking.sensors:
        put_sensor(connection, numbers, sensor)
    for factor in booking.factors:
        put_factor(connection, numbers, factor)
    _add_entries(connection, numbers, booking.entries)
    _add_gaps(connection, numbers, booking.gaps)
    _add_unweighed(connection, numbers, booking.unweighed)
    _add_emissions(connection, numbers, booking.emissions)
    _add_units(connection, numbers, booking.units)
    connection.executemany(_PUT_CURSOR, map(cursor_row, booking.cursors))
    connection.executemany(_PUT_META, [(text(key), text(value)) for key, value in booking.meta.items()])
    connection.execute(_PUT_HEAD, (booking.booked_until_ms,))
    return before_ms


def _check_time(booking: Booking, before_ms: int | None) -> None:
    """Closed slots never change (P8): what arrives late belongs into the open slot."""
    until_ms = booking.booked_until_ms
    if before_ms is not None and before_ms > until_ms:
        raise LedgerError(f"A booking until {until_ms} ms came after one until {before_ms} ms; time never falls.", BUG)
    first_s = 0 if before_ms is None else before_ms // SLOT_MS * SLOT_S  # without a booking nothing is closed
    last_s = until_ms // SLOT_MS * SLOT_S  # begins at the latest with the booked time: a piece shorter than 1 ms
    rows: tuple[Entry | EmissionEntry | GapEntry | UnitEntry | UnweighedEntry, ...]
    rows = (*booking.entries, *booking.emissions, *booking.gaps, *booking.units, *booking.unweighed)
    for row in rows:
        if not first_s <= row.slot_start_s <= last_s:
            state = "closed" if row.slot_start_s < first_s else "not begun"
            raise LedgerError(
                f"A booking from {before_ms} until {until_ms} ms adds to slot {row.slot_start_s}, which is {state}.",
                BUG,
            )


def _add_entries(connection: sqlite3.Connection, numbers: Numbers, entries: Iterable[Entry]) -> None:
    rows = []
    devices: dict[tuple[int, str], int] = {}
    workloads: dict[tuple[int, str, str], tuple[int, int, int]] = {}
    for entry in entries:
        device_id, component = device_number(connection, numbers, entry.device)
        workload_id = workload_number(connection, numbers, entry.workload)
        method = str(entry.method)
        energy, idle, held = entry.energy_uj, entry.idle_uj, entry.held_ms
        rows.append((entry.slot_start_s, device_id, workload_id, method, energy, idle, held))
        device = device_id, method
        devices[device] = devices.get(device, 0) + energy
        workload = workload_id, component, method
        old = workloads.get(workload, (0, 0, 0))
        workloads[workload] = old[0] + energy, old[1] + idle, old[2] + held
    connection.executemany(_ADD_ENTRY, rows)
    connection.executemany(_ADD_DEVICE_TOTAL, [(*key, energy) for key, energy in devices.items()])
    connection.executemany(_ADD_WORKLOAD_TOTAL, [(*key, *sums) for key, sums in workloads.items()])


def _add_gaps(connection: sqlite3.Connection, numbers: Numbers, gaps: Iterable[GapEntry]) -> None:
    rows = []
    for gap in gaps:
        device_id, _ = device_number(connection, numbers, gap.device)
        rows.append((gap.slot_start_s, device_id, str(gap.reason), gap.duration_ms))
    connection.executemany(_ADD_GAP, rows)
    connection.executemany(_ADD_GAP_TOTAL, [row[1:] for row in rows])


def _add_emissions(connection: sqlite3.Connection, numbers: Numbers, emissions: Iterable[EmissionEntry]) -> None:
    rows, late, settled = [], [], []
    totals: dict[tuple[int, str], int] = {}
    for emission in emissions:
        workload_id = workload_number(connection, numbers, emission.workload)
        factor = factor_number(connection, numbers, emission.factor_id, emission.basis)
        basis, ug = text(emission.basis), emission.emissions_ug
        key = (emission.slot_start_s, workload_id, basis, factor, emission.pue_permille)
        rows.append((*key, ug))
        totals[workload_id, basis] = totals.get((workload_id, basis), 0) + ug
        if emission.late_of_s is not None:
            late.append((*key, emission.late_of_s, emission.energy_uj, ug))
            settled.append((emission.energy_uj, emission.late_of_s, workload_id, basis))
    connection.executemany(_ADD_EMISSION, rows)
    connection.executemany(_ADD_EMISSION_TOTAL, [(*key, ug) for key, ug in totals.items()])
    if late:
        connection.executemany(_ADD_LATE, late)
        if connection.executemany(_SETTLE_WAITING, settled).rowcount != len(settled):
            raise LedgerError("Emissions weigh energy late that does not wait for a factor.", BUG)


def _add_unweighed(connection: sqlite3.Connection, numbers: Numbers, unweighed: Iterable[UnweighedEntry]) -> None:
    rows = [
        (waits.slot_start_s, workload_number(connection, numbers, waits.workload), text(waits.basis), waits.energy_uj)
        for waits in unweighed
    ]
    connection.executemany(_ADD_WAITING, rows)


def _add_units(connection: sqlite3.Connection, numbers: Numbers, units: Iterable[UnitEntry]) -> None:
    rows = [
        (
            work.slot_start_s,
            workload_number(connection, numbers, work.workload),
            text(work.unit),
            min(work.amount, MAX_UNIT_AMOUNT),
        )
        for work in units
    ]
    connection.executemany(_ADD_UNIT, rows)
    connection.executemany(_ADD_UNIT_TOTAL, [row[1:] for row in rows])


def why_refused(booking: Booking) -> str:
    """Name what the tables' constraints refused; looked for only after they did."""
    refused = (*_refused_energy(booking), *_refused_weights(booking))
    return refused[0] if refused else "a quantity is beyond what its column may hold"


def _refused_energy(booking: Booking) -> Iterator[str]:
    for entry in booking.entries:
        if entry.slot_start_s % SLOT_S:
            yield f"slot {entry.slot_start_s} is not aligned to {SLOT_S} s"
        if not 0 <= entry.idle_uj <= entry.energy_uj or entry.held_ms < 0:
            shown = replace(entry, workload=Workload(entry.workload.key, entry.workload.kind))
            yield f"it is negative, or idle energy exceeds energy, in {shown}"
    for gap in booking.gaps:
        if gap.duration_ms < 0 or gap.slot_start_s % SLOT_S:
            yield f"it is negative or not aligned: {gap}"


def _refused_weights(booking: Booking) -> Iterator[str]:
    for emission in booking.emissions:
        if emission.emissions_ug < 0:
            yield f"emissions of {emission.workload.key} are negative"
        if emission.late_of_s is not None:
            yield f"energy of {emission.workload.key} is weighed twice, or before it was used"
    for work in booking.units:
        if work.amount < 0:
            yield f"{work.unit} of {work.workload.key} are negative"
