"""Energy that waits for its factor: it is in the book before it is weighed, is weighed once, and says whose it was."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.ledger.books import FRANCE, SERVE, SLOT, TRAIN, booking, entry, failures, plant, weighed
from tracker.core.model import Booking, EmissionEntry, UnweighedEntry, Workload
from tracker.ledger.audit import audit
from tracker.ledger.interface import LedgerError
from tracker.ledger.store import SqliteLedger

NEXT = SLOT + 300
HOUR = SLOT // 3600 * 3600


def unweighed(workload: Workload, energy_uj: int, slot: int = SLOT, basis: str = "location") -> UnweighedEntry:
    return UnweighedEntry(slot, workload, basis, energy_uj)


def late(workload: Workload, energy_uj: int, ug: int, of: int = SLOT, slot: int = NEXT) -> EmissionEntry:
    return EmissionEntry(slot, workload, "location", FRANCE.factor_id, 1_200, ug, of, energy_uj)


def waited() -> Booking:
    """A slot that no factor was known for."""
    rows = (entry(TRAIN, 1_000, held_ms=300_000), entry(SERVE, 500, held_ms=0))
    return replace(
        booking(*rows, until_ms=NEXT * 1000),
        unweighed=(unweighed(TRAIN, 1_000), unweighed(SERVE, 500), unweighed(SERVE, 500, basis="market")),
    )


def arrived() -> Booking:
    """The slot after it, whose factor holds for both."""
    rows = (entry(TRAIN, 2_000, slot=NEXT, held_ms=10_000),)
    weights = (weighed(TRAIN, 32, slot=NEXT), late(TRAIN, 1_000, 16), late(SERVE, 500, 8))
    return booking(*rows, emissions=weights, until_ms=(NEXT + 10) * 1000)


@pytest.fixture
def settled(ledger: SqliteLedger) -> Path:
    ledger.book(waited())
    ledger.book(arrived())
    ledger.close()
    return ledger.path


def test_what_waits_is_handed_over_slot_by_slot(ledger: SqliteLedger) -> None:
    ledger.book(waited())
    assert ledger.unweighed(SLOT, "location") == (unweighed(TRAIN, 1_000), unweighed(SERVE, 500))
    assert ledger.unweighed(SLOT, "market") == (unweighed(SERVE, 500, basis="market"),)
    assert ledger.unweighed(NEXT, "location") == ()


def test_a_new_daemon_hears_of_the_hours_that_wait(ledger: SqliteLedger) -> None:
    ledger.book(waited())
    ledger.close()
    assert ledger.open().waiting == {"location": (HOUR,), "market": (HOUR,)}
    ledger.book(arrived())
    ledger.close()
    assert ledger.open().waiting == {"market": (HOUR,)}


def test_after_a_month_nobody_waits_any_more(ledger: SqliteLedger) -> None:
    """A zone that never has a factor must not make every start slower than the one before."""
    ledger.book(waited())
    slot = SLOT + 32 * 86_400
    ledger.book(booking(entry(slot=slot), until_ms=slot * 1000))
    ledger.close()
    assert ledger.open().waiting == {}


def test_earlier_energy_is_weighed_in_the_open_slot_and_the_closed_one_stays(ledger: SqliteLedger) -> None:
    ledger.book(waited())
    ledger.book(arrived())
    assert ledger.totals_of(TRAIN).emissions_ug == {"location": 48}
    assert ledger.totals_of(SERVE).emissions_ug == {"location": 8}
    assert ledger.unweighed(SLOT, "location") == ()
    with closing(sqlite3.connect(ledger.path)) as db:
        assert db.execute("SELECT slot_start_s, sum(emissions_ug) FROM emission GROUP BY 1").fetchall() == [(NEXT, 56)]
        told = "SELECT slot_start_s, of_slot_s, energy_uj, emissions_ug FROM late ORDER BY emissions_ug"
        assert db.execute(told).fetchall() == [(NEXT, SLOT, 500, 8), (NEXT, SLOT, 1_000, 16)]
    assert audit(ledger.path).findings == ()


@pytest.mark.parametrize(
    "again",
    [late(TRAIN, 1, 1), late(TRAIN, 1, 1, of=NEXT), late(SERVE, 501, 8), late(TRAIN, -1, 1)],
    ids=["weighed already", "never waited", "more than waited", "negative"],
)
def test_energy_cannot_be_weighed_twice(ledger: SqliteLedger, again: EmissionEntry) -> None:
    """The last line of defence is in the file, and nothing of such a booking stays."""
    ledger.book(waited())
    ledger.book(replace(arrived(), emissions=(weighed(TRAIN, 32, slot=NEXT), late(TRAIN, 1_000, 16))))
    with pytest.raises(LedgerError, match="weigh"):
        ledger.book(booking(entry(slot=NEXT), emissions=(again,), until_ms=(NEXT + 20) * 1000))
    assert ledger.totals_of(TRAIN).emissions_ug == {"location": 48}
    assert audit(ledger.path).ok


def test_a_value_that_weighs_by_two_bases_is_recorded_once_for_each(ledger: SqliteLedger) -> None:
    """Booking after booking: the book must not grow by a factor every ten seconds."""
    both = (FRANCE, replace(FRANCE, basis="market", note="No residual mix is known."))
    market = EmissionEntry(SLOT, TRAIN, "market", FRANCE.factor_id, 1_200, 16)
    for step in range(3):
        one = booking(entry(), emissions=(weighed(), market), until_ms=(SLOT + 10 + step) * 1000)
        ledger.book(replace(one, factors=both))
    assert audit(ledger.path).factors == 2
    assert audit(ledger.path).ok


def test_the_making_of_a_device_needs_no_intensity(ledger: SqliteLedger) -> None:
    """P11 holds for grids; a device is weighed by the time that it was held."""
    making = replace(FRANCE, factor_id="embodied:H100", basis="embodied", intensity_mg_per_kwh=None)
    row = EmissionEntry(SLOT, TRAIN, "embodied", "embodied:H100", 1_000, 10_400)
    ledger.book(replace(booking(entry(), emissions=(row,)), factors=(making,)))
    assert ledger.totals_of(TRAIN).emissions_ug == {"embodied": 10_400}
    assert audit(ledger.path).ok


DEFECTS = {
    "weighed and not told by whom": ("UPDATE waiting SET weighed_uj = 499 WHERE basis = 'market'", "late", SLOT),
    "told and not weighed": (f"DELETE FROM emission WHERE workload_id = 2 AND slot_start_s = {NEXT}", "late", NEXT),
    "told to be of another slot": (f"UPDATE late SET of_slot_s = {SLOT - 300} WHERE energy_uj = 500", "late", SLOT),
    "more than the slot had": ("UPDATE waiting SET energy_uj = 1001 WHERE energy_uj = 1000", "late", SLOT),
    "late grams without energy in any slot": ("DELETE FROM late WHERE energy_uj = 500", "weighed", NEXT),
    "more weighed than waited": ("UPDATE waiting SET weighed_uj = 2000 WHERE energy_uj = 1000", "range", SLOT),
    "a factor of another basis": ("UPDATE factor SET basis = 'market'", "reference", NEXT),
    "a slot that is not booked yet": (f"UPDATE waiting SET slot_start_s = {NEXT + 300}", "booked_time", NEXT + 300),
    "nobody's": ("UPDATE waiting SET workload_id = 9 WHERE basis = 'market'", "reference", SLOT),
}


@pytest.mark.parametrize(("statement", "check", "slot"), DEFECTS.values(), ids=DEFECTS.keys())
def test_planted_defect(settled: Path, statement: str, check: str, slot: int) -> None:
    plant(settled, statement)
    assert (check, slot, "") in failures(audit(settled))
