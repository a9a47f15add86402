"""Checks of single rows: the file is whole, ranges hold, references exist, nothing lies in the future."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from tracker.core.model import Level
from tracker.core.units import SLOT_S
from tracker.ledger.finding import BUG, SHOWN, TAMPERED, AuditFinding, places, utc
from tracker.ledger.schema import migrate

_OBJECTS = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"


def structure(connection: sqlite3.Connection) -> list[AuditFinding]:
    """Every page, index and constraint is sound, and the tables are those of this schema version: their primary keys
    and constraints are what keeps rows single and quantities in range."""
    rows = connection.execute(f"PRAGMA integrity_check({SHOWN})").fetchall()
    messages = [f"SQLite finds the file damaged: {row[0]}." for row in rows if row[0] != "ok"]
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        migrate(fresh)
        expected = set(fresh.execute(_OBJECTS))
    found = set(connection.execute(_OBJECTS))
    changed = ", ".join(sorted({name for name, _ in expected ^ found}))
    if changed:
        messages.append(f"The definition of {changed} is not the one of this schema version.")
    return [AuditFinding(Level.FAIL, "structure", message, TAMPERED) for message in messages]


def ranges(connection: sqlite3.Connection) -> list[AuditFinding]:
    """No negative quantity, idle <= energy, slots aligned."""

    def finding(table: str, slot: int, device: str | None, what: str) -> AuditFinding:
        message = f"A row of {table} in slot {utc(slot)} is out of range: {what}."
        return AuditFinding(Level.FAIL, "range", message, TAMPERED, slot, device or "")

    statement = f"""
        SELECT 'entry', slot_start_s, (SELECT key FROM device WHERE device.device_id = entry.device_id),
            printf('energy %d uJ, idle %d uJ, held %d ms', energy_uj, idle_uj, held_ms) FROM entry
        WHERE energy_uj < 0 OR idle_uj < 0 OR idle_uj > energy_uj OR held_ms < 0 OR slot_start_s % {SLOT_S} <> 0
        UNION ALL
        SELECT 'gap', slot_start_s, (SELECT key FROM device WHERE device.device_id = gap.device_id),
            printf('%s %d ms', reason, duration_ms) FROM gap WHERE duration_ms < 0 OR slot_start_s % {SLOT_S} <> 0
        UNION ALL
        SELECT 'emission', slot_start_s, NULL, printf('%d ug at PUE %d/1000', emissions_ug, pue_permille) FROM emission
        WHERE emissions_ug < 0 OR pue_permille <= 0 OR slot_start_s % {SLOT_S} <> 0
        UNION ALL
        SELECT 'unit', slot_start_s, NULL, printf('%d %s', amount, unit) FROM unit
        WHERE amount < 0 OR slot_start_s % {SLOT_S} <> 0
        UNION ALL
        SELECT 'waiting', slot_start_s, NULL, printf('energy %d uJ, weighed %d uJ', energy_uj, weighed_uj) FROM waiting
        WHERE weighed_uj < 0 OR weighed_uj > energy_uj OR slot_start_s % {SLOT_S} <> 0
        UNION ALL
        SELECT 'late', slot_start_s, NULL, printf('%d ug for %d uJ of slot %d', emissions_ug, energy_uj, of_slot_s)
        FROM late WHERE emissions_ug < 0 OR energy_uj < 0 OR of_slot_s > slot_start_s"""  # noqa: S608 - a constant
    return places(connection, statement, finding)


def references(connection: sqlite3.Connection) -> list[AuditFinding]:
    """Every row names a known device, workload and factor of its basis (P7); a factor without a value weighs nothing
    (P11). The making of devices is weighed by time: its factors have no intensity."""

    def finding(table: str, slot: int, what: str, number: int) -> AuditFinding:
        message = f"A row of {table} in slot {utc(slot)} refers to {what} (number {number})."
        return AuditFinding(Level.FAIL, "reference", message, TAMPERED, slot)

    statement = """
        SELECT 'entry', slot_start_s, 'an unknown device', device_id FROM entry
        WHERE device_id NOT IN (SELECT device_id FROM device)
        UNION ALL SELECT 'entry', slot_start_s, 'an unknown workload', workload_id FROM entry
        WHERE workload_id NOT IN (SELECT workload_id FROM workload)
        UNION ALL SELECT 'gap', slot_start_s, 'an unknown device', device_id FROM gap
        WHERE device_id NOT IN (SELECT device_id FROM device)
        UNION ALL SELECT 'emission', slot_start_s, 'an unknown workload', workload_id FROM emission
        WHERE workload_id NOT IN (SELECT workload_id FROM workload)
        UNION ALL SELECT 'unit', slot_start_s, 'an unknown workload', workload_id FROM unit
        WHERE workload_id NOT IN (SELECT workload_id FROM workload)
        UNION ALL SELECT 'emission', slot_start_s, 'an unknown factor', factor_row FROM emission
        WHERE factor_row NOT IN (SELECT factor_row FROM factor)
        UNION ALL SELECT 'emission', slot_start_s, 'a factor of another basis', factor_row FROM emission
        JOIN factor USING (factor_row) WHERE factor.basis <> emission.basis
        UNION ALL SELECT 'emission', slot_start_s, 'a factor without a value', factor_row FROM emission
        JOIN factor USING (factor_row) WHERE intensity_mg_per_kwh IS NULL AND factor.basis <> 'embodied'
        UNION ALL SELECT 'waiting', slot_start_s, 'an unknown workload', workload_id FROM waiting
        WHERE workload_id NOT IN (SELECT workload_id FROM workload)"""
    return places(connection, statement, finding)


def booked_time(connection: sqlite3.Connection) -> list[AuditFinding]:
    """Nothing lies in a slot that begins after the booked time (P8)."""

    def finding(table: str, slot: int, booked_until_ms: int | None) -> AuditFinding:
        until = "nothing is booked" if booked_until_ms is None else f"booked until {utc(booked_until_ms // 1000)}"
        message = f"A row of {table} lies in slot {utc(slot)}, but {until}."
        return AuditFinding(Level.FAIL, "booked_time", message, BUG, slot)

    statement = " UNION ALL ".join(
        f"""SELECT '{table}', slot_start_s, booked_until_ms FROM {table}, head
        WHERE slot_start_s > coalesce((SELECT booked_until_ms / 1000 FROM head), -1)"""  # noqa: S608 - six names
        for table in ("entry", "gap", "emission", "unit", "waiting", "late")
    )
    return places(connection, statement, finding)
