"""Writing one booking, inside a transaction that ``store.py`` begins and ends.

The hot path of the ledger: it runs every 10 s with a few hundred rows. Rows are gathered in Python and handed to SQLite
in one ``executemany`` per table; totals are summed before they are written, because adding in a dict is cheaper than
an upsert.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from tracker.core.model import Booking, EmissionEntry, Entry, Factor, GapEntry, Sensor, UnitEntry, Workload
from tracker.core.units import SLOT_MS, SLOT_S
from tracker.ledger.interface import LedgerError
from tracker.ledger.rows import (
    CURSOR_COLUMNS,
    FACTOR_COLUMNS,
    SENSOR_COLUMNS,
    WORKLOAD_COLUMNS,
    column_list,
    cursor_row,
    factor_row,
    marks,
    sensor_row,
    text,
    workload_row,
)

#: Workloads whose row number is remembered. Beyond it all are forgotten and looked up again: a node that starts a
#: million containers must not grow.
_REMEMBERED_WORKLOADS = 4096

_BUG = "This is a bug of wattledger; please report it."

_PUT_SENSOR = f"""INSERT INTO device ({column_list(SENSOR_COLUMNS)}, highest_power_mw)
    VALUES ({marks(SENSOR_COLUMNS)}, ?)
    ON CONFLICT (key) DO UPDATE SET {", ".join(f'"{name}" = excluded."{name}"' for name in SENSOR_COLUMNS[1:])},
    highest_power_mw = max(highest_power_mw, excluded.highest_power_mw)
    RETURNING device_id"""  # noqa: S608 - built from field names of this program
_FIND_DEVICE = "SELECT device_id, component FROM device WHERE key = ?"
_PUT_WORKLOAD = f"""INSERT INTO workload ({column_list(WORKLOAD_COLUMNS)}) VALUES ({marks(WORKLOAD_COLUMNS)})
    RETURNING workload_id"""  # noqa: S608 - as above
FIND_WORKLOAD = f"""SELECT workload_id FROM workload
    WHERE {" AND ".join(f"{name} = ?" for name in WORKLOAD_COLUMNS)}"""  # noqa: S608 - as above
_PUT_FACTOR = f"""INSERT INTO factor ({column_list(FACTOR_COLUMNS)}) VALUES ({marks(FACTOR_COLUMNS)})
    RETURNING factor_row"""  # noqa: S608 - as above
_FIND_FACTOR = f"""SELECT factor_row, {column_list(FACTOR_COLUMNS)} FROM factor WHERE factor_id = ?
    ORDER BY factor_row DESC LIMIT 1"""  # noqa: S608 - as above
_PUT_CURSOR = f"""INSERT OR REPLACE INTO cursor ({column_list(CURSOR_COLUMNS)})
    VALUES ({marks(CURSOR_COLUMNS)})"""  # noqa: S608 - as above
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


@dataclass(slots=True)
class Numbers:
    """Row numbers already looked up. Forgotten as a whole when a transaction fails: some may never have been
    committed."""

    devices: dict[str, tuple[int, str]] = field(default_factory=dict)  # key -> (device_id, component)
    workloads: dict[Workload, int] = field(default_factory=dict)
    factors: dict[str, int] = field(default_factory=dict)  # factor_id -> its newest factor_row

    def forget(self) -> None:
        self.devices.clear()
        self.workloads.clear()
        self.factors.clear()


def write(connection: sqlite3.Connection, numbers: Numbers, booking: Booking) -> int | None:
    """Write all of a booking. Returns the booked_until_ms before it. Raises sqlite3.Error, or LedgerError for a booking
    that contradicts what is booked."""
    before_ms: int | None = connection.execute(_READ_HEAD).fetchone()[0]
    _check_time(booking, before_ms)
    if len(numbers.workloads) > _REMEMBERED_WORKLOADS:
        numbers.workloads.clear()
    for sensor in booking.sensors:
        _put_sensor(connection, numbers, sensor)
    for factor in booking.factors:
        _put_factor(connection, numbers, factor)
    _add_entries(connection, numbers, booking.entries)
    _add_gaps(connection, numbers, booking.gaps)
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
        raise LedgerError(f"A booking until {until_ms} ms came after one until {before_ms} ms; time never falls.", _BUG)
    first_s = 0 if before_ms is None else before_ms // SLOT_MS * SLOT_S  # without a booking nothing is closed
    last_s = until_ms // SLOT_MS * SLOT_S  # begins at the latest with the booked time: a piece shorter than 1 ms
    rows: tuple[Entry | EmissionEntry | GapEntry | UnitEntry, ...]
    rows = (*booking.entries, *booking.emissions, *booking.gaps, *booking.units)
    for row in rows:
        if not first_s <= row.slot_start_s <= last_s:
            state = "closed" if row.slot_start_s < first_s else "not begun"
            raise LedgerError(
                f"A booking from {before_ms} until {until_ms} ms adds to slot {row.slot_start_s}, which is {state}.",
                _BUG,
            )


def _put_sensor(connection: sqlite3.Connection, numbers: Numbers, sensor: Sensor) -> None:
    row = sensor_row(sensor)
    known = connection.execute(_FIND_DEVICE, (row[0],)).fetchone()
    if known is not None and known[1] != row[2]:
        raise LedgerError(
            f"Device {sensor.key} is booked as {known[1]} and cannot become {row[2]}: its old totals would move.",
            "Give the sensor another key.",
        )
    device_id = connection.execute(_PUT_SENSOR, (*row, sensor.max_power_mw)).fetchone()[0]
    numbers.devices[sensor.key] = (device_id, row[2])


def _put_factor(connection: sqlite3.Connection, numbers: Numbers, factor: Factor) -> None:
    """Append it unless the newest row of its id says the same: a restart learns nothing new."""
    row = factor_row(factor)
    newest = connection.execute(_FIND_FACTOR, (row[0],)).fetchone()
    recorded_at_s = FACTOR_COLUMNS.index("recorded_at_s")
    if newest is not None:
        number, *old = newest
        old[recorded_at_s] = row[recorded_at_s]
        if tuple(old) == row:
            numbers.factors[factor.factor_id] = number
            return
    numbers.factors[factor.factor_id] = connection.execute(_PUT_FACTOR, row).fetchone()[0]


def _device(connection: sqlite3.Connection, numbers: Numbers, key: str) -> tuple[int, str]:
    known = numbers.devices.get(key)
    if known is None:
        known = connection.execute(_FIND_DEVICE, (text(key),)).fetchone()
        if known is None:
            raise LedgerError(f"Device {key} is booked before its sensor was recorded.", _BUG)
        numbers.devices[key] = known
    return known


def _workload(connection: sqlite3.Connection, numbers: Numbers, workload: Workload) -> int:
    number = numbers.workloads.get(workload)
    if number is None:
        row = workload_row(workload)
        found = connection.execute(FIND_WORKLOAD, row).fetchone()
        number = int((found or connection.execute(_PUT_WORKLOAD, row).fetchone())[0])
        numbers.workloads[workload] = number
    return number


def _factor(connection: sqlite3.Connection, numbers: Numbers, factor_id: str) -> int:
    number = numbers.factors.get(factor_id)
    if number is None:
        found = connection.execute(_FIND_FACTOR, (text(factor_id),)).fetchone()
        if found is None:
            raise LedgerError(f"Emissions refer to the factor {factor_id}, which was never recorded.", _BUG)
        number = numbers.factors[factor_id] = int(found[0])
    return number


def _add_entries(connection: sqlite3.Connection, numbers: Numbers, entries: Iterable[Entry]) -> None:
    rows = []
    devices: dict[tuple[int, str], int] = {}
    workloads: dict[tuple[int, str, str], tuple[int, int, int]] = {}
    for entry in entries:
        device_id, component = _device(connection, numbers, entry.device)
        workload_id = _workload(connection, numbers, entry.workload)
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
        device_id, _ = _device(connection, numbers, gap.device)
        rows.append((gap.slot_start_s, device_id, str(gap.reason), gap.duration_ms))
    connection.executemany(_ADD_GAP, rows)
    connection.executemany(_ADD_GAP_TOTAL, [row[1:] for row in rows])


def _add_emissions(connection: sqlite3.Connection, numbers: Numbers, emissions: Iterable[EmissionEntry]) -> None:
    rows, totals = [], []
    for emission in emissions:
        workload_id = _workload(connection, numbers, emission.workload)
        factor = _factor(connection, numbers, emission.factor_id)
        basis, ug = text(emission.basis), emission.emissions_ug
        rows.append((emission.slot_start_s, workload_id, basis, factor, emission.pue_permille, ug))
        totals.append((workload_id, basis, ug))
    connection.executemany(_ADD_EMISSION, rows)
    connection.executemany(_ADD_EMISSION_TOTAL, totals)


def _add_units(connection: sqlite3.Connection, numbers: Numbers, units: Iterable[UnitEntry]) -> None:
    rows = [
        (
            work.slot_start_s,
            _workload(connection, numbers, work.workload),
            text(work.unit),
            min(work.amount, MAX_UNIT_AMOUNT),
        )
        for work in units
    ]
    connection.executemany(_ADD_UNIT, rows)
    connection.executemany(_ADD_UNIT_TOTAL, [row[1:] for row in rows])


def why_refused(booking: Booking) -> str:
    """Name what the tables' constraints refused; looked for only after they did."""
    for entry in booking.entries:
        if entry.slot_start_s % SLOT_S:
            return f"slot {entry.slot_start_s} is not aligned to {SLOT_S} s"
        if not 0 <= entry.idle_uj <= entry.energy_uj or entry.held_ms < 0:
            shown = replace(entry, workload=Workload(entry.workload.key, entry.workload.kind))
            return f"it is negative, or idle energy exceeds energy, in {shown}"
    for gap in booking.gaps:
        if gap.duration_ms < 0 or gap.slot_start_s % SLOT_S:
            return f"it is negative or not aligned: {gap}"
    for emission in booking.emissions:
        if emission.emissions_ug < 0:
            return f"emissions of {emission.workload.key} are negative"
    for work in booking.units:
        if work.amount < 0:
            return f"{work.unit} of {work.workload.key} are negative"
    return "a quantity is beyond what its column may hold"
