"""Row numbers of devices, workloads and factors: looked up once, remembered, written where they are new."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

from tracker.core.model import Factor, Sensor, Workload
from tracker.ledger.interface import LedgerError
from tracker.ledger.rows import (
    FACTOR_COLUMNS,
    SENSOR_COLUMNS,
    WORKLOAD_COLUMNS,
    column_list,
    factor_row,
    marks,
    sensor_row,
    text,
    workload_row,
)

BUG = "This is a bug of wattledger; please report it."
#: Workloads and factors whose row number is remembered. Beyond it all are forgotten and looked up again: a node that
#: starts a million containers must not grow, nor one that runs for years with a factor for every hour.
_REMEMBERED = 4096

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
_FIND_FACTOR = f"""SELECT factor_row, {column_list(FACTOR_COLUMNS)} FROM factor WHERE factor_id = ? AND basis = ?
    ORDER BY factor_row DESC LIMIT 1"""  # noqa: S608 - as above


@dataclass(slots=True)
class Numbers:
    """Row numbers already looked up. Forgotten as a whole when a transaction fails: some may never have been
    committed."""

    devices: dict[str, tuple[int, str]] = field(default_factory=dict)  # key -> (device_id, component)
    workloads: dict[Workload, int] = field(default_factory=dict)
    factors: dict[tuple[str, str], int] = field(default_factory=dict)  # (factor_id, basis) -> its newest factor_row

    def forget(self) -> None:
        self.devices.clear()
        self.workloads.clear()
        self.factors.clear()

    def bound(self) -> None:
        """Forget what has become too much."""
        if len(self.workloads) > _REMEMBERED:
            self.workloads.clear()
        if len(self.factors) > _REMEMBERED:
            self.factors.clear()


def put_sensor(connection: sqlite3.Connection, numbers: Numbers, sensor: Sensor) -> None:
    """Record what a device is now. Raises LedgerError for one that changes its component."""
    row = sensor_row(sensor)
    known = connection.execute(_FIND_DEVICE, (row[0],)).fetchone()
    if known is not None and known[1] != row[2]:
        raise LedgerError(
            f"Device {sensor.key} is booked as {known[1]} and cannot become {row[2]}: its old totals would move.",
            "Give the sensor another key.",
        )
    device_id = connection.execute(_PUT_SENSOR, (*row, sensor.max_power_mw)).fetchone()[0]
    numbers.devices[sensor.key] = (device_id, row[2])


def put_factor(connection: sqlite3.Connection, numbers: Numbers, factor: Factor) -> None:
    """Append it unless the newest row of its id says the same: a restart learns nothing new. One value may weigh by two
    bases (where no residual mix is known, the grid's average stands in), and is then a row for each."""
    row, key = factor_row(factor), (factor.factor_id, factor.basis)
    newest = connection.execute(_FIND_FACTOR, (row[0], text(factor.basis))).fetchone()
    recorded_at_s = FACTOR_COLUMNS.index("recorded_at_s")
    if newest is not None:
        number, *old = newest
        old[recorded_at_s] = row[recorded_at_s]
        if tuple(old) == row:
            numbers.factors[key] = number
            return
    numbers.factors[key] = connection.execute(_PUT_FACTOR, row).fetchone()[0]


def device_number(connection: sqlite3.Connection, numbers: Numbers, key: str) -> tuple[int, str]:
    """The device and its component. Raises LedgerError for one that was never recorded."""
    known = numbers.devices.get(key)
    if known is None:
        known = connection.execute(_FIND_DEVICE, (text(key),)).fetchone()
        if known is None:
            raise LedgerError(f"Device {key} is booked before its sensor was recorded.", BUG)
        numbers.devices[key] = known
    return known


def workload_number(connection: sqlite3.Connection, numbers: Numbers, workload: Workload) -> int:
    """The row of a label set, written if it is new."""
    number = numbers.workloads.get(workload)
    if number is None:
        row = workload_row(workload)
        found = connection.execute(FIND_WORKLOAD, row).fetchone()
        number = int((found or connection.execute(_PUT_WORKLOAD, row).fetchone())[0])
        numbers.workloads[workload] = number
    return number


def factor_number(connection: sqlite3.Connection, numbers: Numbers, factor_id: str, basis: str) -> int:
    """The newest row of a factor. Raises LedgerError for one that was never recorded."""
    number = numbers.factors.get((factor_id, basis))
    if number is None:
        found = connection.execute(_FIND_FACTOR, (text(factor_id), text(basis))).fetchone()
        if found is None:
            raise LedgerError(f"Emissions ({basis}) refer to the factor {factor_id}, which was never recorded.", BUG)
        number = numbers.factors[factor_id, basis] = int(found[0])
    return number
