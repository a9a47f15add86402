"""The tables of the node ledger and the numbered steps that lead to them.

Rules of this file:

1. A migration that was released is never edited; a change is a new one at the end.
2. Each migration is applied together with its record in one transaction: a crash leaves the old schema or the new one.
3. Quantities are INTEGER and carry their unit; STRICT makes SQLite refuse anything else.
4. What the running agent adds to is a row that exists once: the primary keys say what "the same" means.

SQLite >= 3.37 is needed (STRICT, https://www.sqlite.org/stricttables.html).
"""

from __future__ import annotations

import sqlite3

from tracker.migrations import Migration, apply_missing

#: "WATT" in the header of every ledger (offset 68, https://www.sqlite.org/fileformat2.html): a foreign file is known.
APPLICATION_ID = 0x57415454
SQLITE_NEEDED = (3, 37, 0)

#: Most energy one entry may hold, in µJ: 100 GJ, a rack of 10 kW for four months. More is a sentinel, not energy.
MAX_ENTRY_UJ = 100_000_000_000_000_000


_FIRST = (
    # `one` pins the table to a single row. identity tells a new book from an old one at the same path.
    # clean = 1: the last writer closed the file in good order.
    """CREATE TABLE head (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        identity TEXT NOT NULL,
        booked_until_ms INTEGER,
        clean INTEGER NOT NULL CHECK (clean IN (0, 1))
    ) STRICT""",
    "INSERT INTO head VALUES (1, lower(hex(randomblob(16))), NULL, 1)",
    # highest_power_mw: the highest max_power_mw ever recorded, so that lowering a power limit accuses no old slot.
    """CREATE TABLE device (
        device_id INTEGER PRIMARY KEY,
        key TEXT NOT NULL UNIQUE,
        source TEXT NOT NULL,
        component TEXT NOT NULL,
        scopes TEXT NOT NULL,
        preference INTEGER NOT NULL,
        method TEXT NOT NULL,
        sensor TEXT NOT NULL,
        max_power_mw INTEGER NOT NULL,
        counter_range_uj INTEGER,
        averaged INTEGER NOT NULL CHECK (averaged IN (0, 1)),
        vendor TEXT NOT NULL,
        model TEXT NOT NULL,
        "index" TEXT NOT NULL,
        highest_power_mw INTEGER NOT NULL
    ) STRICT""",
    """CREATE TABLE workload (
        workload_id INTEGER PRIMARY KEY,
        key TEXT NOT NULL,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        namespace TEXT NOT NULL,
        pod TEXT NOT NULL,
        container TEXT NOT NULL,
        user TEXT NOT NULL,
        job TEXT NOT NULL,
        queue TEXT NOT NULL,
        cost_centre TEXT NOT NULL,
        run TEXT NOT NULL,
        team TEXT NOT NULL,
        project TEXT NOT NULL,
        phase TEXT NOT NULL
    ) STRICT""",
    # An index of its own, not a table constraint: a later label can join it in a migration.
    """CREATE UNIQUE INDEX workload_labels ON workload (key, kind, name, namespace, pod, container, user, job, queue,
        cost_centre, run, team, project, phase)""",
    # Bitemporal and append-only: valid_from_s says when a value holds (until the next one of its zone and type),
    # recorded_at_s since when it is known. A corrected value is a new row under the same factor_id; emissions point to
    # the row, so that what was booked with the old value keeps it.
    """CREATE TABLE factor (
        factor_row INTEGER PRIMARY KEY,
        factor_id TEXT NOT NULL,
        zone TEXT NOT NULL,
        intensity_mg_per_kwh INTEGER CHECK (intensity_mg_per_kwh >= 0),
        factor_type TEXT NOT NULL,
        basis TEXT NOT NULL,
        tier INTEGER NOT NULL,
        provider TEXT NOT NULL,
        source TEXT NOT NULL,
        valid_from_s INTEGER NOT NULL,
        recorded_at_s INTEGER NOT NULL,
        assumed INTEGER NOT NULL CHECK (assumed IN (0, 1)),
        note TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX factor_history ON factor (factor_id, factor_row)",
    # Slot first: the open slot's rows are neighbours, and a day or a month is one range.
    f"""CREATE TABLE entry (
        slot_start_s INTEGER NOT NULL CHECK (slot_start_s % 300 = 0),
        device_id INTEGER NOT NULL REFERENCES device,
        workload_id INTEGER NOT NULL REFERENCES workload,
        method TEXT NOT NULL,
        energy_uj INTEGER NOT NULL CHECK (energy_uj BETWEEN 0 AND {MAX_ENTRY_UJ}),
        idle_uj INTEGER NOT NULL CHECK (idle_uj BETWEEN 0 AND energy_uj),
        held_ms INTEGER NOT NULL CHECK (held_ms >= 0),
        PRIMARY KEY (slot_start_s, device_id, workload_id, method)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE gap (
        slot_start_s INTEGER NOT NULL CHECK (slot_start_s % 300 = 0),
        device_id INTEGER NOT NULL REFERENCES device,
        reason TEXT NOT NULL,
        duration_ms INTEGER NOT NULL CHECK (duration_ms >= 0),
        PRIMARY KEY (slot_start_s, device_id, reason)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE emission (
        slot_start_s INTEGER NOT NULL CHECK (slot_start_s % 300 = 0),
        workload_id INTEGER NOT NULL REFERENCES workload,
        basis TEXT NOT NULL,
        factor_row INTEGER NOT NULL REFERENCES factor,
        pue_permille INTEGER NOT NULL CHECK (pue_permille > 0),
        emissions_ug INTEGER NOT NULL CHECK (emissions_ug >= 0),
        PRIMARY KEY (slot_start_s, workload_id, basis, factor_row, pue_permille)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE cursor (
        sensor TEXT PRIMARY KEY,
        boot_id TEXT NOT NULL,
        boot_ns INTEGER NOT NULL,
        wall_ns INTEGER NOT NULL,
        counter_uj INTEGER,
        epoch TEXT NOT NULL
    ) STRICT, WITHOUT ROWID""",
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
    # Totals, kept in the same transaction as the rows they sum, so that a restart does not read history.
    """CREATE TABLE device_total (
        device_id INTEGER NOT NULL REFERENCES device,
        method TEXT NOT NULL,
        energy_uj INTEGER NOT NULL CHECK (energy_uj >= 0),
        PRIMARY KEY (device_id, method)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE workload_total (
        workload_id INTEGER NOT NULL REFERENCES workload,
        component TEXT NOT NULL,
        method TEXT NOT NULL,
        energy_uj INTEGER NOT NULL CHECK (energy_uj >= 0),
        idle_uj INTEGER NOT NULL CHECK (idle_uj BETWEEN 0 AND energy_uj),
        held_ms INTEGER NOT NULL CHECK (held_ms >= 0),
        PRIMARY KEY (workload_id, component, method)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE emission_total (
        workload_id INTEGER NOT NULL REFERENCES workload,
        basis TEXT NOT NULL,
        emissions_ug INTEGER NOT NULL CHECK (emissions_ug >= 0),
        PRIMARY KEY (workload_id, basis)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE gap_total (
        device_id INTEGER NOT NULL REFERENCES device,
        reason TEXT NOT NULL,
        duration_ms INTEGER NOT NULL CHECK (duration_ms >= 0),
        PRIMARY KEY (device_id, reason)
    ) STRICT, WITHOUT ROWID""",
)

#: What workloads say they got done: tokens, steps, requests. In units of their own, so that no sum over units is made.
_UNITS = (
    """CREATE TABLE unit (
        slot_start_s INTEGER NOT NULL CHECK (slot_start_s % 300 = 0),
        workload_id INTEGER NOT NULL REFERENCES workload,
        unit TEXT NOT NULL,
        amount INTEGER NOT NULL CHECK (amount >= 0),
        PRIMARY KEY (slot_start_s, workload_id, unit)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE unit_total (
        workload_id INTEGER NOT NULL REFERENCES workload,
        unit TEXT NOT NULL,
        amount INTEGER NOT NULL CHECK (amount >= 0),
        PRIMARY KEY (workload_id, unit)
    ) STRICT, WITHOUT ROWID""",
)

#: Until when a factor holds, and whether it is less than was asked for. What is known of it besides is in the store
#: of factors (tracker/grid/store.py) under the same factor_id.
_VALIDITY = (
    "ALTER TABLE factor ADD COLUMN valid_to_s INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE factor ADD COLUMN flagged INTEGER NOT NULL DEFAULT 0 CHECK (flagged IN (0, 1))",
)

#: Energy that no factor had a value for when it was booked, and what it weighed once there was one.
_LATE = (
    # waiting: how much energy of a slot was booked unweighed, and how much of that has been weighed since. The CHECK is
    # what keeps energy from being weighed twice. Rows stay: they say which energy the rows of `late` may weigh.
    """CREATE TABLE waiting (
        slot_start_s INTEGER NOT NULL CHECK (slot_start_s % 300 = 0),
        workload_id INTEGER NOT NULL REFERENCES workload,
        basis TEXT NOT NULL,
        energy_uj INTEGER NOT NULL CHECK (energy_uj >= 0),
        weighed_uj INTEGER NOT NULL CHECK (weighed_uj BETWEEN 0 AND energy_uj),
        PRIMARY KEY (slot_start_s, workload_id, basis)
    ) STRICT, WITHOUT ROWID""",
    "CREATE INDEX waiting_open ON waiting (slot_start_s) WHERE weighed_uj < energy_uj",
    # late: a closed slot never changes, so energy of slot of_slot_s is weighed in the slot that is open when its factor
    # arrives, by that factor. Its emissions are part of the row of `emission` with the same key (all but of_slot_s);
    # what that row holds beyond them is of the slot's own energy.
    """CREATE TABLE late (
        slot_start_s INTEGER NOT NULL CHECK (slot_start_s % 300 = 0),
        workload_id INTEGER NOT NULL REFERENCES workload,
        basis TEXT NOT NULL,
        factor_row INTEGER NOT NULL REFERENCES factor,
        pue_permille INTEGER NOT NULL CHECK (pue_permille > 0),
        of_slot_s INTEGER NOT NULL CHECK (of_slot_s <= slot_start_s AND of_slot_s % 300 = 0),
        energy_uj INTEGER NOT NULL CHECK (energy_uj >= 0),
        emissions_ug INTEGER NOT NULL CHECK (emissions_ug >= 0),
        PRIMARY KEY (slot_start_s, workload_id, basis, factor_row, pue_permille, of_slot_s)
    ) STRICT, WITHOUT ROWID""",
)

MIGRATIONS: tuple[Migration, ...] = (
    Migration(1, "the first book", _FIRST),
    Migration(2, "units that workloads report", _UNITS),
    Migration(3, "how long a factor holds", _VALIDITY),
    Migration(4, "energy that waits for its factor", _LATE),
)
VERSION = MIGRATIONS[-1].version


def migrate(connection: sqlite3.Connection, migrations: tuple[Migration, ...] = MIGRATIONS) -> None:
    """Bring an open file (autocommit mode) to the last version, one transaction per step. Raises sqlite3.Error."""
    apply_missing(connection, migrations)
