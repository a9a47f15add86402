"""Every promise that `wattledger verify` proves: a healthy ledger passes, and each planted defect is found and
placed."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.ledger.books import SLOT, booking, entry, failures, full_slots, plant
from tracker.core.model import Level
from tracker.ledger.audit import Audit, AuditFinding, audit
from tracker.ledger.interface import LedgerUnavailable
from tracker.ledger.store import SqliteLedger

SLOTS = 6
THIRD = SLOT + 600


@pytest.fixture
def healthy(ledger: SqliteLedger) -> Path:
    for one in full_slots(SLOTS):
        ledger.book(one)
    ledger.close()
    return ledger.path


def test_healthy_ledger(healthy: Path) -> None:
    """Nothing to say, and the numbers a person would compare."""
    found = audit(healthy)
    assert found == Audit(
        findings=(),
        emissions_ug={"location": 6 * (1_680 + 373)},
        gaps_ms={},
        entries=18,
        gaps=0,
        emissions=12,
        devices=2,
        workloads=3,
        factors=1,
        first_slot_s=SLOT,
        last_slot_s=SLOT + 1_500,
        booked_until_ms=(SLOT + 1_800) * 1000,
        energy_uj=6 * 117_000_000_001,
        charged_energy_uj=6 * 117_000_000_001,
        pues_permille=(1_200,),
    )
    assert found.ok


def test_empty_ledger(ledger: SqliteLedger) -> None:
    assert audit(ledger.path) == Audit(())


def test_running_ledger(ledger: SqliteLedger) -> None:
    """Beside the daemon, in the middle of a slot, without a file left behind."""
    for one in full_slots(3):
        ledger.book(one)
    ledger.book(booking(entry(slot=SLOT + 900, held_ms=9_999), until_ms=(SLOT + 910) * 1000))
    before = sorted(ledger.path.parent.iterdir())
    assert audit(ledger.path).ok
    assert sorted(ledger.path.parent.iterdir()) == before
    ledger.book(booking(entry(slot=SLOT + 900, held_ms=1), until_ms=(SLOT + 911) * 1000))


# -- one planted defect for each check ---------------------------------------------------------------------------------

GPU_ROW = f"slot_start_s = {THIRD} AND device_id = 1"
DEFECTS: dict[str, tuple[str, tuple[str, int | None, str], str]] = {
    # name: (SQL, (check, slot, device) that must be among the findings, words of its message)
    "row changed": (
        f"UPDATE entry SET energy_uj = energy_uj + 1 WHERE {GPU_ROW}",
        ("conservation", None, "GPU-0"),
        "energy_uj: rows 540000000001, total 540000000000",
    ),
    "row deleted": (f"DELETE FROM entry WHERE {GPU_ROW}", ("conservation", None, "GPU-0"), "device GPU-0 (measured)"),
    "idle part changed": (
        f"UPDATE entry SET idle_uj = idle_uj + 1 WHERE {GPU_ROW}",
        ("conservation", None, ""),
        "idle_uj: rows 1, total 0",
    ),
    "total fell": (
        "UPDATE device_total SET energy_uj = energy_uj - 1 WHERE device_id = 2",
        ("conservation", None, "cpu-0"),
        "device cpu-0 (measured)",
    ),
    "total vanished": ("DELETE FROM device_total WHERE device_id = 2", ("conservation", None, "cpu-0"), "total 0"),
    "total without rows": (
        "INSERT INTO workload_total VALUES (1, 'dram', 'measured', 5, 0, 0)",
        ("conservation", None, ""),
        "workload pod/1234 (dram/measured)",
    ),
    "devices and workloads differ": (
        "UPDATE workload_total SET energy_uj = energy_uj + 7 WHERE workload_id = 1",
        ("conservation", None, ""),
        "Devices sum to 702000000006 uJ and workloads to 702000000013 uJ.",
    ),
    "gap total": (
        "INSERT INTO gap_total VALUES (1, 'hang', 5)",
        ("conservation", None, "GPU-0"),
        "device GPU-0 (hang)",
    ),
    "emission total": (
        "UPDATE emission_total SET emissions_ug = 0 WHERE workload_id = 1",
        ("conservation", None, ""),
        "workload pod/1234 (location) is not the sum of its rows: emissions_ug: rows 10080, total 0",
    ),
    "negative energy": (
        f"UPDATE entry SET energy_uj = -1, idle_uj = -1 WHERE {GPU_ROW}",
        ("range", THIRD, "GPU-0"),
        "energy -1 uJ, idle -1 uJ, held 300000 ms",
    ),
    "idle above energy": (
        f"UPDATE entry SET idle_uj = energy_uj + 1 WHERE {GPU_ROW}",
        ("range", THIRD, "GPU-0"),
        "idle 90000000001 uJ",
    ),
    "slot not aligned": (
        f"UPDATE entry SET slot_start_s = slot_start_s + 1 WHERE {GPU_ROW}",
        ("range", THIRD + 1, "GPU-0"),
        "entry",
    ),
    "negative gap": (f"INSERT INTO gap VALUES ({THIRD}, 1, 'hang', -5)", ("range", THIRD, "GPU-0"), "hang -5 ms"),
    "negative emissions": (
        f"UPDATE emission SET emissions_ug = -5 WHERE slot_start_s = {THIRD} AND workload_id = 1",
        ("range", THIRD, ""),
        "-5 ug",
    ),
    "unknown device": ("DELETE FROM device WHERE device_id = 1", ("reference", SLOT, ""), "an unknown device"),
    "unknown workload": (
        "DELETE FROM workload WHERE workload_id = 2",
        ("reference", SLOT, ""),
        "entry in slot 2026-09-21T14:15:00Z refers to an unknown workload (number 2)",
    ),
    "unknown factor": ("DELETE FROM factor", ("reference", SLOT, ""), "an unknown factor (number 1)"),
    "factor without a value": (
        "UPDATE factor SET intensity_mg_per_kwh = NULL",
        ("reference", SLOT, ""),
        "a factor without a value",
    ),
    "energy after the booked time": (
        f"UPDATE head SET booked_until_ms = {(SLOT + 1_500) * 1000 - 1}",
        ("booked_time", SLOT + 1_500, ""),
        "booked until 2026-09-21T14:39:59Z",
    ),
    "nothing booked": ("UPDATE head SET booked_until_ms = NULL", ("booked_time", SLOT, ""), "nothing is booked"),
    "a time that is none": (
        "INSERT INTO gap VALUES (9223372036854775500, 1, 'hang', 5)",
        ("booked_time", 9223372036854775500, ""),
        "lies in slot 9223372036854775500",
    ),
    "grams without energy": (
        f"""INSERT INTO emission SELECT {THIRD + 300}, workload_id, 'location', 1, 1500, 5 FROM workload
            WHERE kind = 'idle';
        DELETE FROM entry WHERE slot_start_s = {THIRD + 300} AND workload_id = 3""",
        ("weighed", THIRD + 300, ""),
        "Emissions of idle in slot",
    ),
    "time is short": (
        f"UPDATE entry SET held_ms = held_ms - 1 WHERE {GPU_ROW}",
        ("held_time", THIRD, "GPU-0"),
        "GPU-0 in slot 2026-09-21T14:25:00Z: held 299999 ms and dark 0 ms are not 300000 ms",
    ),
    "time is too long": (
        f"UPDATE entry SET held_ms = held_ms + 1 WHERE {GPU_ROW}",
        ("held_time", THIRD, "GPU-0"),
        "held 300001 ms",
    ),
    "dark and held": (
        f"INSERT INTO gap VALUES ({THIRD}, 1, 'downtime', 1)",
        ("held_time", THIRD, "GPU-0"),
        "held 300000 ms and dark 1 ms",
    ),
    "first slot too long": (
        f"UPDATE entry SET held_ms = held_ms + 1 WHERE slot_start_s = {SLOT} AND device_id = 1",
        ("held_time", SLOT, "GPU-0"),
        "held 300001 ms",
    ),
    "last slot too long": (
        f"UPDATE entry SET held_ms = held_ms + 1 WHERE slot_start_s = {SLOT + 1_500} AND device_id = 1",
        ("held_time", SLOT + 1_500, "GPU-0"),
        "held 300001 ms",
    ),
    "slots are missing": (
        f"DELETE FROM entry WHERE device_id = 1 AND slot_start_s IN ({THIRD}, {THIRD + 300})",
        ("unexplained_gap", THIRD, "GPU-0"),
        "neither energy nor a gap from 2026-09-21T14:25:00Z to 2026-09-21T14:35:00Z",
    ),
    "more than the device can draw": (
        f"UPDATE entry SET energy_uj = 252000000001 WHERE {GPU_ROW}",
        ("plausible", THIRD, "GPU-0"),
        "GPU-0 booked 252000000001 uJ in slot 2026-09-21T14:25:00Z; at most 252000000000 uJ can be real",
    ),
    "a table without its key": (
        "DROP TABLE gap; CREATE TABLE gap (slot_start_s, device_id, reason, duration_ms)",
        ("structure", None, ""),
        "The definition of gap is not the one of this schema version",
    ),
    "an index lacks a row": (
        """PRAGMA writable_schema = ON;
        UPDATE sqlite_master SET rootpage = (SELECT rootpage FROM sqlite_master WHERE name = 'factor_history')
            WHERE name = 'workload_labels'""",
        ("structure", None, ""),
        "SQLite finds the file damaged",
    ),
}


@pytest.mark.parametrize(("statement", "place", "words"), DEFECTS.values(), ids=DEFECTS.keys())
def test_planted_defect(healthy: Path, statement: str, place: tuple[str, int | None, str], words: str) -> None:
    plant(healthy, statement)
    found = audit(healthy)
    assert not found.ok
    assert place in failures(found)
    matching = [finding for finding in found.findings if finding.check == place[0] and words in finding.message]
    assert matching, [finding.message for finding in found.findings]
    assert all(finding.remedy for finding in found.findings)


def test_many_defects_are_cut_short(healthy: Path, ledger: SqliteLedger) -> None:
    """A broken year is not a million lines."""
    ledger.open()
    for one in full_slots(40, first=SLOT + 300 * SLOTS):
        ledger.book(one)
    ledger.close()
    plant(healthy, "UPDATE entry SET idle_uj = energy_uj + 1")
    shown = [finding for finding in audit(healthy).findings if finding.check == "range"]
    assert len(shown) == 21
    assert shown[-1].message == "There are more places like these; the first 20 are shown."


def test_unreadable_page(healthy: Path) -> None:
    """A damaged file is an answer, not an error."""
    with closing(sqlite3.connect(f"file:{healthy}?mode=ro&immutable=1", uri=True)) as db:
        page = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'entry'").fetchone()[0]
    with healthy.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(os.urandom(4096))
    found = audit(healthy)
    assert [finding.check for finding in found.findings] == ["structure"]
    assert not found.ok


def test_no_ledger(tmp_path: Path) -> None:
    with pytest.raises(LedgerUnavailable, match="There is no ledger"):
        audit(tmp_path / "ledger.db")


def test_finding_is_plain_data(healthy: Path) -> None:
    """The command prints it as a table or JSON."""
    plant(healthy, f"UPDATE entry SET held_ms = held_ms + 1 WHERE {GPU_ROW}")
    finding = next(f for f in audit(healthy).findings if f.check == "held_time")
    assert finding == AuditFinding(
        Level.FAIL,
        "held_time",
        "GPU-0 in slot 2026-09-21T14:25:00Z: held 300001 ms and dark 0 ms are not 300000 ms.",
        "Keep a copy of the ledger and report this as a bug of wattledger.",
        THIRD,
        "GPU-0",
    )
