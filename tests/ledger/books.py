"""Bookings to try, what a ledger must contain after them (plain sums, no SQL), and what a file does contain."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

from tracker.core.model import (
    IDLE,
    Booking,
    Component,
    Cursor,
    EmissionEntry,
    Entry,
    Factor,
    GapEntry,
    Kind,
    Level,
    Method,
    Sensor,
    Workload,
)
from tracker.ledger.audit import Audit

SLOT = 1_790_000_100  # 2026-09-21T14:15:00Z, a slot's start
GPU = Sensor(
    "GPU-0", "nvml", Component.GPU, ("node/gpu/0",), 10, Method.MEASURED, "nvml-total-energy", 700_000, model="H100"
)
CPU = Sensor(
    "cpu-0",
    "rapl",
    Component.CPU,
    ("node/cpu/0", "node/cpu/0/core"),
    5,
    Method.MEASURED,
    "rapl package-0",
    400_000,
    counter_range_uj=262_143_328_850,
)
TRAIN = Workload("pod/1234", Kind.POD, "train", namespace="nlp", team="nlp", project="llm", phase="training")
SERVE = Workload("slurm/211", Kind.SLURM, "serve", user="ada", job="211", queue="gpu")
FRANCE = Factor("cc/FR/2024", "FR", 56_000, "direct", "location", 5, "codecarbon", "EU, 2024", SLOT, SLOT)
DEVICES = {GPU.key: GPU, CPU.key: CPU}

Contents = dict[str, Any]


def entry(
    workload: Workload = TRAIN,
    energy_uj: int = 1_000_000,
    *,
    slot: int = SLOT,
    device: Sensor = GPU,
    idle_uj: int = 0,
    held_ms: int = 10_000,
    method: Method = Method.MEASURED,
) -> Entry:
    return Entry(slot, device.key, workload, method, energy_uj, idle_uj, held_ms)


def weighed(workload: Workload = TRAIN, emissions_ug: int = 16, *, slot: int = SLOT) -> EmissionEntry:
    return EmissionEntry(slot, workload, "location", FRANCE.factor_id, 1_200, emissions_ug)


def booking(
    *entries: Entry,
    gaps: tuple[GapEntry, ...] = (),
    emissions: tuple[EmissionEntry, ...] = (),
    cursors: tuple[Cursor, ...] = (),
    until_ms: int = (SLOT + 10) * 1000,
    **meta: str,
) -> Booking:
    """Carries the two sensors and the factor each time: recording them again must change nothing."""
    return Booking(entries, gaps, emissions, cursors, (GPU, CPU), (FRANCE,), until_ms, meta)


def full_slots(count: int, first: int = SLOT) -> list[Booking]:
    """One booking a slot that fills it exactly: a healthy history."""
    bookings = []
    for slot in range(first, first + count * 300, 300):
        rows = (
            entry(TRAIN, 90_000_000_000, slot=slot, held_ms=300_000),
            entry(SERVE, 20_000_000_000, slot=slot, device=CPU, idle_uj=5_000_000_000, held_ms=200_000),
            entry(IDLE, 7_000_000_001, slot=slot, device=CPU, idle_uj=7_000_000_001, held_ms=100_000),
        )
        emissions = (weighed(TRAIN, 1_680, slot=slot), weighed(SERVE, 373, slot=slot))
        bookings.append(booking(*rows, emissions=emissions, until_ms=(slot + 300) * 1000))
    return bookings


def expected(bookings: Iterable[Booking]) -> Contents:
    """What the ledger must contain after these bookings."""
    sums: dict[str, Counter[Any]] = {name: Counter() for name in ("entry", "device", "workload", "gap", "gap_total")}
    emission: Counter[Any] = Counter()
    waiting: Counter[Any] = Counter()
    late: Counter[Any] = Counter()
    emission_total: Counter[Any] = Counter()
    cursors: dict[str, Cursor] = {}
    meta: dict[str, str] = {}
    until_ms = None
    for item in bookings:
        for row in item.entries:
            component = DEVICES[row.device].component
            for name, amount in (("energy", row.energy_uj), ("idle", row.idle_uj), ("held", row.held_ms)):
                sums["entry"][row.slot_start_s, row.device, row.workload.key, str(row.method), name] += amount
                sums["workload"][row.workload.key, str(component), str(row.method), name] += amount
            sums["device"][row.device, str(row.method)] += row.energy_uj
        for gap in item.gaps:
            sums["gap"][gap.slot_start_s, gap.device, str(gap.reason)] += gap.duration_ms
            sums["gap_total"][gap.device, str(gap.reason)] += gap.duration_ms
        for one in item.emissions:
            emission[one.slot_start_s, one.workload.key, one.factor_id, one.pue_permille] += one.emissions_ug
            emission_total[one.workload.key, one.basis] += one.emissions_ug
            if one.late_of_s is not None:
                waiting[one.late_of_s, one.workload.key, one.basis, "weighed"] += one.energy_uj
                late[one.slot_start_s, one.workload.key, one.late_of_s, "energy"] += one.energy_uj
                late[one.slot_start_s, one.workload.key, one.late_of_s, "ug"] += one.emissions_ug
        for waits in item.unweighed:
            waiting[waits.slot_start_s, waits.workload.key, waits.basis, "energy"] += waits.energy_uj
            waiting[waits.slot_start_s, waits.workload.key, waits.basis, "weighed"] += 0
        cursors.update({cursor.sensor: cursor for cursor in item.cursors})
        meta.update(item.meta)
        until_ms = item.booked_until_ms
    found: Contents = {name: dict(counter) for name, counter in sums.items()}
    return found | {
        "emission": dict(emission),
        "emission_total": dict(emission_total),
        "waiting": dict(waiting),
        "late": dict(late),
        "cursor": {key: astuple(cursor) for key, cursor in cursors.items()},
        "meta": meta,
        "until_ms": until_ms,
    }


_ENTRY = """SELECT slot_start_s, device.key, workload.key, entry.method, energy_uj, idle_uj, held_ms
    FROM entry JOIN device USING (device_id) JOIN workload USING (workload_id)"""
_WORKLOAD = """SELECT key, component, method, energy_uj, idle_uj, held_ms
    FROM workload_total JOIN workload USING (workload_id)"""
_EMISSION = """SELECT slot_start_s, key, factor_id, pue_permille, emissions_ug
    FROM emission JOIN workload USING (workload_id) JOIN factor USING (factor_row)"""

_WAITING = """SELECT slot_start_s, key, basis, energy_uj, weighed_uj FROM waiting JOIN workload USING (workload_id)"""
_LATE = """SELECT slot_start_s, key, of_slot_s, energy_uj, emissions_ug FROM late JOIN workload USING (workload_id)"""


def contents(path: Path) -> Contents:
    """What the file contains, in the same shape. Opens it as a reader of a live ledger would."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return {
            "entry": _three(db, _ENTRY),
            "device": _one(db, "SELECT key, t.method, energy_uj FROM device_total AS t JOIN device USING (device_id)"),
            "workload": _three(db, _WORKLOAD),
            "gap": _one(db, "SELECT slot_start_s, key, reason, duration_ms FROM gap JOIN device USING (device_id)"),
            "gap_total": _one(db, "SELECT key, reason, duration_ms FROM gap_total JOIN device USING (device_id)"),
            "emission": _one(db, _EMISSION),
            "emission_total": _one(
                db, "SELECT key, basis, emissions_ug FROM emission_total JOIN workload USING (workload_id)"
            ),
            "waiting": _named(db, _WAITING, "energy", "weighed"),
            "late": _named(db, _LATE, "energy", "ug"),
            "cursor": {row[0]: row for row in db.execute("SELECT * FROM cursor")},
            "meta": dict(db.execute("SELECT * FROM meta")),
            "until_ms": db.execute("SELECT booked_until_ms FROM head").fetchone()[0],
        }


def _one(db: sqlite3.Connection, statement: str) -> dict[Any, int]:
    return {row[:-1]: row[-1] for row in db.execute(statement)}


def _three(db: sqlite3.Connection, statement: str) -> dict[Any, int]:
    return _named(db, statement, "energy", "idle", "held")


def _named(db: sqlite3.Connection, statement: str, *names: str) -> dict[Any, int]:
    """The last columns by name."""
    found = {}
    for row in db.execute(statement):
        key, amounts = row[: -len(names)], row[-len(names) :]
        found.update({(*key, name): amount for name, amount in zip(names, amounts, strict=True)})
    return found


def renamed(sensor: Sensor, **changes: Any) -> Booking:
    """A booking that only describes a sensor anew."""
    return replace(booking(), sensors=(replace(sensor, **changes),))


def plant(path: Path, statement: str) -> None:
    """Write what the ledger itself would refuse."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA foreign_keys = OFF")
        db.execute("PRAGMA ignore_check_constraints = ON")
        db.executescript(statement)


def failures(found: Audit) -> set[tuple[str, int | None, str]]:
    return {(f.check, f.slot_start_s, f.device) for f in found.findings if f.level is Level.FAIL}
