"""Checks along time: every slot of a device is filled, explained (P1, P3) and plausible (P5)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from tracker.core.model import DARK_GAPS, GapReason, Level
from tracker.core.units import SLOT_MS, SLOT_S
from tracker.ledger.finding import BUG, AuditFinding, places, utc


def _reasons(reasons: Iterable[GapReason]) -> str:
    return ", ".join(f"'{reason}'" for reason in sorted(reasons))


#: One row per device and slot, for devices that were ever booked; the checks of time read it instead of the entries.
#: away_ms: gaps over which a counter may run on, to be read later.
SPANS = f"""CREATE TEMP TABLE span AS
    SELECT device_id, slot_start_s, sum(energy_uj) AS energy_uj, sum(held_ms) AS held_ms, sum(dark_ms) AS dark_ms,
        sum(away_ms) AS away_ms, max(stepped) AS stepped
    FROM (
        SELECT slot_start_s, device_id, sum(energy_uj) AS energy_uj, sum(held_ms) AS held_ms, 0 AS dark_ms,
            0 AS away_ms, 0 AS stepped
        FROM entry GROUP BY slot_start_s, device_id
        UNION ALL
        SELECT slot_start_s, device_id, 0, 0, duration_ms * (reason IN ({_reasons(DARK_GAPS)})),
            duration_ms * (reason NOT IN ({_reasons(DARK_GAPS)})), reason = '{GapReason.CLOCK_STEP}'
        FROM gap WHERE device_id IN (SELECT device_id FROM device_total))
    GROUP BY device_id, slot_start_s"""  # noqa: S608 - built from the enumerations above

#: Each slot of a device between its neighbours. behind_ms: the time that had passed at the slot's end and was not
#: filled by then, counted from the device's first slot or last clock step; 0 in good order.
#: explained_ms: empty slots before this one that a dark gap in it stands for (a gap of more than a day has one row).
_TIMELINE = """SELECT device_id, slot_start_s, held_ms, dark_ms, stepped, previous_s, next_s, behind_ms,
        CASE WHEN dark_ms >= (slot_start_s - previous_s) * 1000 - 300000
            THEN (slot_start_s - previous_s) * 1000 - 300000 ELSE 0 END AS explained_ms,
        min(behind_ms) OVER (PARTITION BY device_id, era ORDER BY slot_start_s
            ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS never_less_ms
    FROM (SELECT *, (slot_start_s - first_value(slot_start_s) OVER era) * 1000
            - sum(held_ms + dark_ms) OVER era + first_value(held_ms + dark_ms) OVER era AS behind_ms
        FROM (SELECT *, sum(stepped) OVER line AS era, lag(slot_start_s) OVER line AS previous_s,
                lead(slot_start_s) OVER line AS next_s FROM span
            WINDOW line AS (PARTITION BY device_id ORDER BY slot_start_s))
        WINDOW era AS (PARTITION BY device_id, era ORDER BY slot_start_s))"""

_LATE = "Nothing is lost: the time was booked later than it passed, as after hours with a full disk."


def held_time(connection: sqlite3.Connection) -> list[AuditFinding]:
    """Held time and dark gaps of a device fill each slot exactly (P1).

    Excepted: a device's first and last slot, which may be part filled (never over filled), and slots with a clock_step
    gap, whose wall time jumped. Time that lacks in one slot and is made up exactly in a later one is a warning only:
    after hours with a full disk the daemon folds what waits in memory into fewer slots.
    """

    def finding(device: str, slot: int, held_ms: int, dark_ms: int, late: int) -> AuditFinding:
        message = f"{device} in slot {utc(slot)}: held {held_ms} ms and dark {dark_ms} ms are not {SLOT_MS} ms."
        level, remedy = (Level.WARN, _LATE) if late else (Level.FAIL, BUG)
        return AuditFinding(level, "held_time", message, remedy, slot, device)

    statement = f"""SELECT key, slot_start_s, held_ms, dark_ms - explained_ms,
            CASE WHEN held_ms + dark_ms - explained_ms < {SLOT_MS} THEN never_less_ms <= 0
                ELSE behind_ms >= 0 AND previous_s IS NOT NULL END
        FROM ({_TIMELINE}) JOIN device USING (device_id)
        WHERE NOT stepped AND (held_ms + dark_ms - explained_ms > {SLOT_MS}
            OR (held_ms + dark_ms - explained_ms < {SLOT_MS} AND previous_s IS NOT NULL AND next_s IS NOT NULL))
        """  # noqa: S608 - constants
    return places(connection, statement, finding)


def unexplained(connection: sqlite3.Connection) -> list[AuditFinding]:
    """Between its first and its last slot a device has an entry or a gap in every slot (P3), or the time is made up
    exactly in a later one (a warning, as above)."""

    def finding(device: str, after_s: int, before_s: int, late: int) -> AuditFinding:
        message = f"{device} has neither energy nor a gap from {utc(after_s)} to {utc(before_s)}."
        level, remedy = (Level.WARN, _LATE) if late else (Level.FAIL, BUG)
        return AuditFinding(level, "unexplained_gap", message, remedy, after_s, device)

    statement = f"""SELECT key, previous_s + {SLOT_S}, slot_start_s, never_less_ms <= 0
        FROM ({_TIMELINE}) JOIN device USING (device_id)
        WHERE slot_start_s - previous_s > {SLOT_S} AND explained_ms = 0"""  # noqa: S608 - a constant
    return places(connection, statement, finding)


def plausible(connection: sqlite3.Connection) -> list[AuditFinding]:
    """Energy in a slot <= highest known max power x time x 1.2 (P5).

    The time is the slot, or what was held in it if more. Where the device was away within it or just before (gaps that
    are not dark, in this slot and in the unbroken run of slots before it) those gaps count too: a counter that ran on
    hands over their energy when it is read again, and closed slots do not change. Slots with a clock_step gap are
    excepted: their real length is unknown.
    """

    def finding(device: str, slot: int, energy_uj: int, bound_uj: int) -> AuditFinding:
        message = f"{device} booked {energy_uj} uJ in slot {utc(slot)}; at most {bound_uj} uJ can be real."
        remedy = "Check max_power of the device (its power limit); if it is right, report this as a bug of wattledger."
        return AuditFinding(Level.FAIL, "plausible", message, remedy, slot, device)

    # mW x ms is uJ. `run` numbers the stretches that end with a slot in which the device was not away.
    statement = f"""SELECT key, slot_start_s, energy_uj, bound_uj FROM (
            SELECT key, slot_start_s, energy_uj, stepped, highest_power_mw * (max({SLOT_MS}, held_ms)
                + sum(away_ms) OVER (PARTITION BY device_id, run ORDER BY slot_start_s)) * 6 / 5 AS bound_uj
            FROM (SELECT *, count(*) FILTER (WHERE away_ms = 0) OVER (PARTITION BY device_id ORDER BY slot_start_s
                    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS run FROM span)
            JOIN device USING (device_id) WHERE highest_power_mw > 0)
        WHERE energy_uj > bound_uj AND NOT stepped"""  # noqa: S608 - a constant
    return places(connection, statement, finding)
