"""Closed hours of a ledger: sums of five-minute slots, for the books.

Nothing is decided anew here: energy, idle part, held time and emissions are the ledger's own rows, added up. Time is
told by state: a device is covered where it is held and had a reading. Held time goes on in most gaps (the device was
somebody's, it only could not be read), so that

    covered = held time - gaps that are not dark,    covered + gaps <= the hour

An hour is closed when its last slot is, and a closed slot never changes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tracker.core.hours import COVERED, HOUR_S, HourEmission, HourEntry, HourState
from tracker.core.model import DARK_GAPS, Component, GapReason, Method, Workload
from tracker.core.units import MS_PER_S, SLOT_MS, SLOT_S
from tracker.ledger.interface import LedgerUnavailable
from tracker.ledger.readonly import ask
from tracker.ledger.rows import WORKLOAD_COLUMNS, column_list, workload_of

DAY_S = 86_400
HOUR_MS = HOUR_S * MS_PER_S

_HEAD = """SELECT identity, booked_until_ms, (SELECT min(slot_start_s) FROM entry), (SELECT min(slot_start_s) FROM gap)
    FROM head"""
_ENTRIES = f"""SELECT slot_start_s / {HOUR_S} * {HOUR_S} AS hour_s, device_id, workload_id, method,
        sum(energy_uj), sum(idle_uj), sum(held_ms)
    FROM entry WHERE slot_start_s >= ? AND slot_start_s < ? GROUP BY 1, 2, 3, 4
    ORDER BY 1, 2, 3, 4"""  # noqa: S608 - constants
_SHORT_GAPS = f"""SELECT slot_start_s / {HOUR_S} * {HOUR_S} AS hour_s, device_id, reason, sum(duration_ms)
    FROM gap WHERE slot_start_s >= ? AND slot_start_s < ? AND duration_ms <= {SLOT_MS}
    GROUP BY 1, 2, 3"""  # noqa: S608 - constants
#: Of a gap of more than a day only the first and the last slot have a row; the last one stands for all between.
_LONG_GAPS = f"""SELECT slot_start_s, device_id, reason, duration_ms FROM gap
    WHERE slot_start_s >= ? AND duration_ms > {SLOT_MS}
        AND (slot_start_s + {SLOT_S}) * 1000 - duration_ms < ? * 1000"""  # noqa: S608 - constants
_EMISSIONS = f"""SELECT slot_start_s / {HOUR_S} * {HOUR_S} AS hour_s, workload_id, emission.basis, factor_id,
        pue_permille, sum(emissions_ug)
    FROM emission JOIN factor USING (factor_row)
    WHERE slot_start_s >= ? AND slot_start_s < ? GROUP BY 1, 2, 3, 4, 5
    ORDER BY 1, 2, 3, 4, 5"""  # noqa: S608 - constants
_DEVICES = "SELECT device_id, key, component, model FROM device"
_WORKLOAD = f"SELECT {column_list(WORKLOAD_COLUMNS)} FROM workload WHERE workload_id = ?"  # noqa: S608 - field names
_NEXT = """SELECT min(at_s) FROM (
    SELECT (SELECT min(slot_start_s) FROM entry WHERE slot_start_s >= ?1) AS at_s
    UNION ALL SELECT (SELECT min(slot_start_s) FROM gap WHERE slot_start_s >= ?1)
    UNION ALL SELECT (SELECT min(slot_start_s) FROM emission WHERE slot_start_s >= ?1))"""


@dataclass(frozen=True, slots=True)
class Head:
    """What a ledger is and how far it reaches. ``first_s`` None: nothing is booked; ``closed_s``: the end of its last
    closed hour. UTC seconds, both at an hour's edge."""

    identity: str
    first_s: int | None
    closed_s: int


@dataclass(frozen=True, slots=True)
class Hours:
    """Everything of some hours, in order."""

    entries: tuple[HourEntry, ...] = ()
    states: tuple[HourState, ...] = ()
    emissions: tuple[HourEmission, ...] = ()


@dataclass(frozen=True, slots=True)
class _Device:
    key: str
    component: Component
    model: str


def head_of(path: Path) -> Head:
    """Raises LedgerUnavailable."""
    return ask(path, read_head)


def hours_of(path: Path, identity: str, start_s: int, end_s: int) -> Hours:
    """The hours [start_s, end_s) of the ledger with this identity, all closed. Raises LedgerUnavailable: also if
    another ledger has taken its place, or the hours are not closed."""

    def question(connection: sqlite3.Connection) -> Hours:
        head = read_head(connection)
        if head.identity != identity:
            raise LedgerUnavailable(f"Another ledger has taken the place of {path} meanwhile.", "Try again.")
        if end_s > head.closed_s:
            raise LedgerUnavailable(f"The ledger {path} has not closed these hours yet.", "Try again later.")
        return Hours(*read_hours(connection, start_s, end_s))

    return ask(path, question)


def days_of(path: Path, start_s: int, end_s: int) -> tuple[int, ...]:
    """See ``read_days``. Raises LedgerUnavailable."""
    return ask(path, lambda connection: read_days(connection, start_s, end_s))


def read_head(connection: sqlite3.Connection) -> Head:
    identity, booked_until_ms, *firsts = connection.execute(_HEAD).fetchone()
    known = [first for first in firsts if first is not None]
    closed_s = (booked_until_ms or 0) // HOUR_MS * HOUR_S
    return Head(identity, min(known) // HOUR_S * HOUR_S if known else None, closed_s)


def read_days(connection: sqlite3.Connection, start_s: int, end_s: int) -> tuple[int, ...]:
    """Starts of the UTC days in [start_s, end_s) of which the ledger knows anything. Days that a clock without battery
    has jumped over are not among them."""
    days = {day for first, last in _long_intervals(connection, start_s, end_s) for day in range(first, last, DAY_S)}
    at_s = start_s
    while at_s < end_s:
        found = connection.execute(_NEXT, (at_s,)).fetchone()[0]
        if found is None or found >= end_s:
            break
        day_s = found // DAY_S * DAY_S
        days.add(day_s)
        at_s = day_s + DAY_S
    return tuple(sorted(days))


def _long_intervals(connection: sqlite3.Connection, start_s: int, end_s: int) -> Iterator[tuple[int, int]]:
    for slot_s, _, reason, duration_ms in connection.execute(_LONG_GAPS, (start_s, end_s)):
        if reason not in (GapReason.CLOCK_STEP, GapReason.COVERED):
            first_s = max(start_s, slot_s + SLOT_S - duration_ms // MS_PER_S)
            yield first_s // DAY_S * DAY_S, min(slot_s + SLOT_S, end_s)


def read_hours(
    connection: sqlite3.Connection, start_s: int, end_s: int
) -> tuple[tuple[HourEntry, ...], tuple[HourState, ...], tuple[HourEmission, ...]]:
    """Entries, states and emissions of the hours [start_s, end_s), whole hours, each in its order. Raises
    sqlite3.Error."""
    devices = {number: _Device(key, Component(kind), model) for number, key, kind, model in _all(connection, _DEVICES)}
    workloads = _Workloads(connection)
    held_ms: dict[tuple[int, int], int] = {}  # (hour_s, device_id)
    entries: list[HourEntry] = []
    for hour_s, device_id, workload_id, method, energy_uj, idle_uj, ms in connection.execute(
        _ENTRIES, (start_s, end_s)
    ):
        device, held_of = devices[device_id], (hour_s, device_id)
        held_ms[held_of] = held_ms.get(held_of, 0) + ms
        entries.append(
            HourEntry(
                hour_s,
                device.key,
                device.component,
                device.model,
                workloads[workload_id],
                Method(method),
                energy_uj,
                idle_uj,
                ms,
            )
        )
    states = tuple(_states(held_ms, _gaps(connection, start_s, end_s), devices))
    emissions = tuple(
        HourEmission(hour_s, workloads[workload_id], *rest)
        for hour_s, workload_id, *rest in connection.execute(_EMISSIONS, (start_s, end_s))
    )
    return tuple(entries), states, emissions


def _gaps(connection: sqlite3.Connection, start_s: int, end_s: int) -> dict[tuple[int, int], dict[GapReason, int]]:
    """Milliseconds of each reason by (hour_s, device_id). Without COVERED: another sensor stands for that device, which
    is nobody's loss."""
    gaps: dict[tuple[int, int], dict[GapReason, int]] = {}
    rows = [*connection.execute(_SHORT_GAPS, (start_s, end_s))]
    for slot_s, device_id, reason, duration_ms in connection.execute(_LONG_GAPS, (start_s, end_s)):
        # Over a step of the clock there was no time at all: only its own slot can say that it is short.
        reach_ms = min(duration_ms, SLOT_MS) if reason == GapReason.CLOCK_STEP else duration_ms
        rows += ((hour_s, device_id, reason, ms) for hour_s, ms in _by_hour(slot_s, reach_ms, start_s, end_s))
    for hour_s, device_id, reason, duration_ms in rows:
        if reason != GapReason.COVERED:
            of_hour = gaps.setdefault((hour_s, device_id), {})
            of_hour[GapReason(reason)] = of_hour.get(GapReason(reason), 0) + duration_ms
    return gaps


def _by_hour(slot_s: int, reach_ms: int, start_s: int, end_s: int) -> Iterator[tuple[int, int]]:
    """The parts of [end of the slot - reach_ms, end of the slot) in the hours of [start_s, end_s)."""
    until_ms = (slot_s + SLOT_S) * MS_PER_S
    from_ms = max(until_ms - reach_ms, start_s * MS_PER_S)
    until_ms = min(until_ms, end_s * MS_PER_S)
    while from_ms < until_ms:
        hour_ms = from_ms // HOUR_MS * HOUR_MS
        part_ms = min(hour_ms + HOUR_MS, until_ms) - from_ms
        yield hour_ms // MS_PER_S, part_ms
        from_ms += part_ms


def _states(
    held_ms: Mapping[tuple[int, int], int],
    gaps: Mapping[tuple[int, int], Mapping[GapReason, int]],
    devices: Mapping[int, _Device],
) -> Iterator[HourState]:
    """Never more than the hour: a slot that a clock set back made longer, or one that took in hours of a full disk,
    holds more time than its hour has."""
    for hour_s, device_id in sorted({*held_ms, *gaps}):
        device, of_hour = devices[device_id], gaps.get((hour_s, device_id), {})
        unread_ms = sum(ms for reason, ms in of_hour.items() if reason not in DARK_GAPS)
        room_ms = HOUR_MS
        wanted = [(COVERED, held_ms.get((hour_s, device_id), 0) - unread_ms), *sorted(of_hour.items())]
        for state, wanted_ms in wanted:
            ms = max(0, min(wanted_ms, room_ms))
            room_ms -= ms
            if ms:
                yield HourState(hour_s, device.key, device.component, str(state), ms)


class _Workloads(dict[int, Workload]):
    """Label sets by their row number, read when they are asked for."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__()
        self._connection = connection

    def __missing__(self, number: int) -> Workload:
        self[number] = workload = workload_of(self._connection.execute(_WORKLOAD, (number,)).fetchone())
        return workload


def _all(connection: sqlite3.Connection, statement: str) -> list[tuple[int, str, str, str]]:
    return connection.execute(statement).fetchall()
