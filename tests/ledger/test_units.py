"""What workloads report (tokens, steps) is booked with the energy of the same transaction, and is read back."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.ledger.books import SERVE, SLOT, TRAIN, booking, entry, failures, full_slots, plant
from tracker.core.model import Booking, UnitEntry
from tracker.ledger.audit import audit
from tracker.ledger.interface import LedgerError, WorkloadTotals
from tracker.ledger.opening import read_key
from tracker.ledger.readonly import ask
from tracker.ledger.schema import MIGRATIONS, migrate
from tracker.ledger.store import SqliteLedger


def tokens(amount: int, *, slot: int = SLOT, unit: str = "tokens") -> UnitEntry:
    return UnitEntry(slot, TRAIN, unit, amount)


def reporting(*units: UnitEntry) -> Booking:
    return replace(booking(entry()), units=units)


def test_reports_add_up_by_slot_and_in_total(ledger: SqliteLedger) -> None:
    """Energy per token needs both sums over the same slots."""
    ledger.book(reporting(tokens(4096), tokens(1, unit="steps")))
    ledger.book(reporting(tokens(4096)))
    assert ledger.totals_of(TRAIN).units == {"tokens": 8192, "steps": 1}
    with closing(sqlite3.connect(ledger.path)) as db:
        rows = db.execute("SELECT slot_start_s, unit, amount FROM unit ORDER BY unit").fetchall()
    assert rows == [(SLOT, "steps", 1), (SLOT, "tokens", 8192)]


def test_reports_survive_a_restart_and_are_found_by_key(ledger: SqliteLedger) -> None:
    """A run is asked for by its key, whatever its labels were."""
    other = replace(TRAIN, phase="evaluation")
    ledger.book(reporting(tokens(10), UnitEntry(SLOT, other, "tokens", 5)))
    ledger.close()
    found = ask(ledger.path, lambda connection: read_key(connection, TRAIN.key))
    assert {totals.workload.phase: totals.units for totals in found} == {
        "training": {"tokens": 10},
        "evaluation": {"tokens": 5},
    }
    assert ask(ledger.path, lambda connection: read_key(connection, "run/unknown")) == ()


def test_a_workload_may_report_before_it_has_energy(ledger: SqliteLedger) -> None:
    ledger.book(replace(booking(), units=(UnitEntry(SLOT, SERVE, "requests", 3),)))
    assert ledger.totals_of(SERVE) == WorkloadTotals(SERVE, units={"requests": 3})
    assert audit(ledger.path).ok


@pytest.mark.parametrize(
    ("unit", "words"),
    [(tokens(-1), "tokens of pod/1234 are negative"), (tokens(1, slot=SLOT - 300), "which is closed")],
)
def test_nonsense_is_refused_with_the_whole_booking(ledger: SqliteLedger, unit: UnitEntry, words: str) -> None:
    ledger.book(reporting(tokens(1)))
    with pytest.raises(LedgerError, match=words):
        ledger.book(reporting(tokens(7), unit))
    assert ledger.totals_of(TRAIN).units == {"tokens": 1}


def test_a_book_of_the_first_release_gets_the_tables(path: Path) -> None:
    """The migration finds energy and leaves it alone."""
    path.parent.mkdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA application_id = 0x57415454")
        migrate(db, MIGRATIONS[:1])
    ledger = SqliteLedger(path)
    ledger.open()
    ledger.book(reporting(tokens(2)))
    assert ledger.totals_of(TRAIN).units == {"tokens": 2}
    ledger.close()
    assert audit(path).ok


@pytest.mark.parametrize(
    ("statement", "place"),
    [
        ("UPDATE unit SET amount = amount + 1", ("conservation", None, "")),
        ("UPDATE unit SET amount = -1", ("range", SLOT, "")),
        ("UPDATE unit SET workload_id = 99", ("reference", SLOT, "")),
        (f"UPDATE unit SET slot_start_s = {SLOT + 300_000}", ("booked_time", SLOT + 300_000, "")),
    ],
)
def test_a_planted_defect_is_found(ledger: SqliteLedger, statement: str, place: tuple[str, int | None, str]) -> None:
    for one in full_slots(2):
        ledger.book(replace(one, units=(tokens(5, slot=one.entries[0].slot_start_s),)))
    ledger.close()
    assert audit(ledger.path).ok
    plant(ledger.path, f"{statement} WHERE slot_start_s = {SLOT}")
    assert place in failures(audit(ledger.path))
