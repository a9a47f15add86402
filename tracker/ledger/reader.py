"""Questions of the node page to the ledger, from any thread, beside a running daemon or after it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tracker.core.model import Component, Workload
from tracker.core.units import SLOT_MS, SLOT_S
from tracker.ledger.interface import DayRow, LedgerReader
from tracker.ledger.readonly import ask
from tracker.ledger.rows import WORKLOAD_COLUMNS, column_list, workload_of

_HEAD = "SELECT identity, booked_until_ms FROM head"
_ENERGY = """SELECT workload_id, component, sum(energy_uj), sum(idle_uj), sum(held_ms)
    FROM entry JOIN device USING (device_id) WHERE slot_start_s >= ? AND slot_start_s < ?
    GROUP BY workload_id, component"""
_EMISSIONS = """SELECT workload_id, sum(emissions_ug) FROM emission
    WHERE slot_start_s >= ? AND slot_start_s < ? AND basis = 'location' GROUP BY workload_id"""
_WORKLOAD = f"""SELECT {column_list(WORKLOAD_COLUMNS)} FROM workload
    WHERE workload_id = ?"""  # noqa: S608 - built from field names of this program

Part = tuple[int, str]  # workload_id, component
Sums = tuple[int, int, int]  # energy_uj, idle_uj, held_ms


@dataclass(frozen=True, slots=True)
class _Closed:
    """Sums over closed slots in [start_s, until_s) of one ledger. They never change, so they are kept: a day is 70,000
    rows on a busy node, and a page that refreshes itself must not read them again every few seconds."""

    identity: str = ""
    start_s: int = 0
    until_s: int = 0
    parts: Mapping[Part, Sums] = field(default_factory=dict)
    emissions_ug: Mapping[int, int] = field(default_factory=dict)


class SqliteReader(LedgerReader):
    """Opens the file for each question and keeps no descriptor between them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._closed = _Closed()  # swapped by reference: threads may race, and then only work twice

    def day(self, start_s: int, end_s: int) -> tuple[DayRow, ...]:
        """Energy and emissions by workload and component, largest energy first.

        Emissions are known per workload, not per component: each row of a workload carries all of the workload's. Take
        them once per workload; do not sum them over rows. None: no factor was known for any of it. Raises
        LedgerUnavailable.
        """
        return ask(self.path, lambda connection: self._day(connection, start_s, end_s))

    def _day(self, connection: sqlite3.Connection, start_s: int, end_s: int) -> tuple[DayRow, ...]:
        identity, booked_until_ms = connection.execute(_HEAD).fetchone()
        closed_s = (booked_until_ms or 0) // SLOT_MS * SLOT_S
        known = self._closed
        until_s = max(start_s, min(end_s, closed_s))
        if (known.identity, known.start_s) != (identity, start_s) or known.until_s > until_s:
            known = _Closed(identity, start_s, start_s)
        self._closed = known = _extended(connection, known, until_s)
        return _rows(connection, _extended(connection, known, end_s))


def _extended(connection: sqlite3.Connection, known: _Closed, until_s: int) -> _Closed:
    """The same sums with the slots up to ``until_s`` added."""
    if until_s <= known.until_s:
        return known
    window = (known.until_s, until_s)
    parts = dict(known.parts)
    for workload_id, component, *sums in connection.execute(_ENERGY, window):
        energy_uj, idle_uj, held_ms = parts.get((workload_id, component), (0, 0, 0))
        parts[workload_id, component] = (energy_uj + sums[0], idle_uj + sums[1], held_ms + sums[2])
    emissions_ug = dict(known.emissions_ug)
    for workload_id, added_ug in connection.execute(_EMISSIONS, window):
        emissions_ug[workload_id] = emissions_ug.get(workload_id, 0) + added_ug
    return _Closed(known.identity, known.start_s, until_s, parts, emissions_ug)


def _rows(connection: sqlite3.Connection, sums: _Closed) -> tuple[DayRow, ...]:
    workloads: dict[int, Workload] = {}
    rows = []
    for (workload_id, component), (energy_uj, idle_uj, held_ms) in sums.parts.items():
        workload = workloads.get(workload_id)
        if workload is None:
            workload = workload_of(connection.execute(_WORKLOAD, (workload_id,)).fetchone())
            workloads[workload_id] = workload
        emissions_ug = sums.emissions_ug.get(workload_id)
        rows.append(DayRow(workload, Component(component), energy_uj, idle_uj, held_ms, emissions_ug))
    rows.sort(key=lambda row: (-row.energy_uj, row.workload.key, row.component))
    return tuple(rows)
