"""Checks along time: every slot of a device is filled, explained (P1, P3) and plausible (P5)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from tracker.core.model import DARK_GAPS, GapReason, Level
from tracker.core.units import SLOT_MS, SLOT_S
from tracker.ledger.finding import BUG, AuditFinding, places, utc

#: Gaps after which the counter's delta over the gap may still be booked, in the slot where the device came back.
_BRIDGED_GAPS = frozenset(
    {
        GapReason.RECOVERED,
        GapReason.SUSPEND,
        GapReason.LOST,
        GapReason.ERROR,
        GapReason.PERMISSION,
        GapReason.HANG,
        GapReason.RELEASED,
        GapReason.MISSED,
        GapReason.SETTLING,
    }
)


def _reasons(reasons: Iterable[GapReason]) -> str:
    return ", ".join(f"'{reason}'" for reason in sorted(reasons))


#: One row per device and slot, for devices that were ever booked; the checks of time read it instead of the entries.
SPANS = f"""CREATE TEMP TABLE span AS
    SELECT device_id, slot_start_s, sum(energy_uj) AS energy_uj, sum(held_ms) AS held_ms, sum(dark_ms) AS dark_ms,
        sum(bridged_ms) AS bridged_ms, max(stepped) AS stepped
    FROM (
        SELECT slot_start_s, device_id, sum(energy_uj) AS energy_uj, sum(held_ms) AS held_ms, 0 AS dark_ms,
            0 AS bridged_ms, 0 AS stepped
        FROM entry GROUP BY slot_start_s, device_id
        UNION ALL
        SELECT slot_start_s, device_id, 0, 0, duration_ms * (reason IN ({_reasons(DARK_GAPS)})),
            duration_ms * (reason IN ({_reasons(_BRIDGED_GAPS)})), reason = '{GapReason.CLOCK_STEP}'
        FROM gap WHERE device_id IN (SELECT device_id FROM device_total))
    GROUP BY device_id, slot_start_s"""  # noqa: S608 - built from the enumerations above


def held_time(connection: sqlite3.Connection) -> list[AuditFinding]:
    """Held time and dark gaps of a device fill each slot exactly (P1).

    Excepted: a device's first and last slot, which may be part filled (never over filled), and slots with a clock_step
    gap, whose wall time jumped.
    """

    def finding(device: str, slot: int, held_ms: int, dark_ms: int) -> AuditFinding:
        message = f"{device} in slot {utc(slot)}: held {held_ms} ms and dark {dark_ms} ms are not {SLOT_MS} ms."
        return AuditFinding(Level.FAIL, "held_time", message, BUG, slot, device)

    statement = f"""SELECT key, slot_start_s, held_ms, dark_ms FROM (
            SELECT *, min(slot_start_s) OVER (PARTITION BY device_id) AS first_s,
                max(slot_start_s) OVER (PARTITION BY device_id) AS last_s FROM span)
        JOIN device USING (device_id)
        WHERE NOT stepped AND (held_ms + dark_ms > {SLOT_MS}
            OR (held_ms + dark_ms < {SLOT_MS} AND slot_start_s > first_s AND slot_start_s < last_s))"""  # noqa: S608 - constants
    return places(connection, statement, finding)


def unexplained(connection: sqlite3.Connection) -> list[AuditFinding]:
    """Between its first and its last slot a device has an entry or a gap in every slot (P3)."""

    def finding(device: str, after_s: int, before_s: int) -> AuditFinding:
        message = f"{device} has neither energy nor a gap from {utc(after_s)} to {utc(before_s)}."
        return AuditFinding(Level.FAIL, "unexplained_gap", message, BUG, after_s, device)

    statement = f"""SELECT key, previous_s + {SLOT_S}, slot_start_s FROM (
            SELECT device_id, slot_start_s,
                lag(slot_start_s) OVER (PARTITION BY device_id ORDER BY slot_start_s) AS previous_s FROM span)
        JOIN device USING (device_id) WHERE slot_start_s - previous_s > {SLOT_S}"""  # noqa: S608 - a constant
    return places(connection, statement, finding)


def plausible(connection: sqlite3.Connection) -> list[AuditFinding]:
    """Energy in a slot <= highest known max power x time x 1.2 (P5).

    The time is the slot, and where the device was away just before or within it (``_BRIDGED_GAPS`` in this slot and
    the unbroken run of slots before it) also those gaps: a counter that ran on hands over their energy when it is read
    again, and closed slots do not change. Slots with a clock_step gap are excepted: their real length is unknown.
    """

    def finding(device: str, slot: int, energy_uj: int, bound_uj: int) -> AuditFinding:
        message = f"{device} booked {energy_uj} uJ in slot {utc(slot)}; at most {bound_uj} uJ can be real."
        remedy = "Check max_power of the device (its power limit); if it is right, report this as a bug of wattledger."
        return AuditFinding(Level.FAIL, "plausible", message, remedy, slot, device)

    # mW x ms is uJ. `run` numbers the stretches that end with a slot without a bridged gap.
    statement = f"""SELECT key, slot_start_s, energy_uj, bound_uj FROM (
            SELECT key, slot_start_s, energy_uj, stepped, highest_power_mw * ({SLOT_MS} + sum(bridged_ms) OVER (
                PARTITION BY device_id, run ORDER BY slot_start_s)) * 6 / 5 AS bound_uj
            FROM (SELECT *, count(*) FILTER (WHERE bridged_ms = 0) OVER (PARTITION BY device_id ORDER BY slot_start_s
                    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS run FROM span)
            JOIN device USING (device_id) WHERE highest_power_mw > 0)
        WHERE energy_uj > bound_uj AND NOT stepped"""  # noqa: S608 - a constant
    return places(connection, statement, finding)
