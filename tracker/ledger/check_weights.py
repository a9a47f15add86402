"""Checks of what was weighed: every gram belongs to energy or held time of its workload, and to it once (P7)."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from tracker.core.model import Level
from tracker.ledger.finding import BUG, TAMPERED, AuditFinding, places, utc

_KEY = "slot_start_s, workload_id, basis, factor_row, pue_permille"
_LATE_SUMS = f"SELECT {_KEY}, sum(emissions_ug) AS late_ug FROM late GROUP BY {_KEY}"  # noqa: S608 - constants
#: Rows of emissions beside what of each is of earlier energy.
_ROWS = f"(SELECT emission.*, late_ug FROM emission LEFT JOIN ({_LATE_SUMS}) USING ({_KEY}))"  # noqa: S608 - constants
_WORKLOAD = "(SELECT key FROM workload AS w WHERE w.workload_id = r.workload_id)"


def weighed(connection: sqlite3.Connection) -> list[AuditFinding]:
    """Every gram weighs energy of the same workload in the same slot, or is told to be of earlier energy."""

    def finding(workload: str | None, slot: int) -> AuditFinding:
        message = f"Emissions of {workload} in slot {utc(slot)} have no energy there."
        return AuditFinding(Level.FAIL, "weighed", message, BUG, slot)

    # CROSS JOIN keeps this order: a few devices, each one probe of the primary key of entry.
    statement = f"""SELECT {_WORKLOAD}, slot_start_s FROM {_ROWS} AS r
        WHERE emissions_ug <> coalesce(late_ug, 0) AND NOT EXISTS (SELECT 1 FROM device CROSS JOIN entry
            ON entry.slot_start_s = r.slot_start_s AND entry.device_id = device.device_id
            AND entry.workload_id = r.workload_id)"""  # noqa: S608 - constants
    return places(connection, statement, finding)


_LATE = (
    (
        "Emissions of earlier energy of {} in slot {} are {} ug, but all its emissions there are {} ug.",
        f"""SELECT {_WORKLOAD}, slot_start_s, late_ug, coalesce(emissions_ug, 0)
            FROM ({_LATE_SUMS}) AS r LEFT JOIN emission USING ({_KEY})
            WHERE late_ug > coalesce(emissions_ug, -1)""",  # noqa: S608 - constants
    ),
    (
        "Energy of {} in slot {} was weighed late: {} uJ by its emissions, {} uJ by what waited.",
        f"""SELECT {_WORKLOAD}, slot_start_s, sum(late_uj), sum(weighed_uj) FROM (
                SELECT slot_start_s, workload_id, basis, 0 AS late_uj, weighed_uj FROM waiting
                UNION ALL SELECT of_slot_s, workload_id, basis, energy_uj, 0 FROM late) AS r
            GROUP BY slot_start_s, workload_id, basis HAVING sum(late_uj) <> sum(weighed_uj)""",  # noqa: S608 - constants
    ),
    (
        "Of {} in slot {} {} uJ wait or waited for a factor, but {} uJ were booked.",
        f"""SELECT * FROM (SELECT {_WORKLOAD}, slot_start_s, energy_uj, (SELECT coalesce(sum(entry.energy_uj), 0)
                FROM device CROSS JOIN entry ON entry.slot_start_s = r.slot_start_s
                AND entry.device_id = device.device_id AND entry.workload_id = r.workload_id) AS booked_uj
            FROM waiting AS r) WHERE energy_uj > booked_uj""",  # noqa: S608 - constants
    ),
)


def weighed_late(connection: sqlite3.Connection) -> list[AuditFinding]:
    """What was weighed late is in the emissions of its slot, and is energy that was booked, waited, and was weighed
    once."""
    return [finding for sentence, statement in _LATE for finding in places(connection, statement, _late(sentence))]


def _late(sentence: str) -> Callable[..., AuditFinding]:
    def finding(workload: str | None, slot: int, one: int, other: int) -> AuditFinding:
        return AuditFinding(Level.FAIL, "late", sentence.format(workload, utc(slot), one, other), TAMPERED, slot)

    return finding
