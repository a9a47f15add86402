"""What is booked is what is read back, bookings that must not be made leave no trace, and labels survive."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.ledger.books import (
    CPU,
    FRANCE,
    GPU,
    SERVE,
    SLOT,
    TRAIN,
    booking,
    contents,
    entry,
    expected,
    renamed,
    weighed,
)
from tracker.core.model import IDLE, Booking, Component, Cursor, EmissionEntry, GapEntry, GapReason, Method, UnitEntry
from tracker.core.snapshot import Tally
from tracker.ledger.audit import audit
from tracker.ledger.interface import LedgerError, LedgerUnavailable, WorkloadTotals
from tracker.ledger.store import SqliteLedger

UNTIL = (SLOT + 10) * 1000
CURSOR = Cursor(GPU.key, "boot-1", 77, UNTIL * 1_000_000, 123_456_789, "550.54")


def reopen(ledger: SqliteLedger) -> SqliteLedger:
    ledger.close()
    return SqliteLedger(ledger.path)


def test_empty_ledger_opens_with_nothing(path: Path) -> None:
    ledger = SqliteLedger(path)
    opening = ledger.open()
    ledger.close()
    assert (opening.booked_until_ms, opening.total_energy_uj, opening.cursors, opening.devices) == (None, 0, {}, {})
    assert ledger.set_aside is None


def test_restart_reads_everything_back(ledger: SqliteLedger) -> None:
    """Counters continue after a restart: devices, gaps, cursors, idle floors and both sums."""
    gap = GapEntry(SLOT, CPU.key, GapReason.HANG, 4_000)
    ledger.book(booking(entry(), entry(SERVE, 7, device=CPU), gaps=(gap,), cursors=(CURSOR,), floor="90"))
    ledger.book(booking(entry(TRAIN, 5), gaps=(gap,), until_ms=UNTIL + 10_000, floor="91"))
    again = reopen(ledger)
    opening = again.open()
    again.close()
    assert opening.cursors == {GPU.key: CURSOR}
    assert {key: (total.sensor, total.method, total.energy_uj) for key, total in opening.devices.items()} == {
        "GPU-0": (GPU, Method.MEASURED, 1_000_005),
        "cpu-0": (CPU, Method.MEASURED, 7),
    }
    assert opening.gaps == {("cpu-0", GapReason.HANG): 8_000}
    assert opening.booked_until_ms == UNTIL + 10_000
    assert opening.meta == {"floor": "91"}
    assert (opening.total_energy_uj, opening.charged_energy_uj) == (1_000_012, 1_000_012)


def test_open_slot_is_added_to(ledger: SqliteLedger) -> None:
    """Two bookings of one slot are one row with the sum of both, also twice within one booking."""
    bookings = [
        booking(entry(TRAIN, 5, idle_uj=1), entry(TRAIN, 6), emissions=(weighed(), weighed())),
        booking(entry(TRAIN, 7, idle_uj=7), entry(TRAIN, 8, device=CPU), emissions=(weighed(),), until_ms=UNTIL + 1),
    ]
    for one in bookings:
        ledger.book(one)
    found = contents(ledger.path)
    assert found == expected(bookings)
    assert found["entry"][SLOT, "GPU-0", "pod/1234", "measured", "energy"] == 18
    assert found["emission_total"] == {("pod/1234", "location"): 48}


def test_totals_of_a_workload(ledger: SqliteLedger) -> None:
    """A workload that returns continues its series; one that was never seen starts at nothing."""
    ledger.book(booking(entry(TRAIN, 9, idle_uj=2, held_ms=3), entry(TRAIN, 4, device=CPU), emissions=(weighed(),)))
    assert ledger.totals_of(TRAIN) == WorkloadTotals(
        TRAIN,
        (
            Tally(Component.CPU, Method.MEASURED, 4, 0, 10_000),
            Tally(Component.GPU, Method.MEASURED, 9, 2, 3),
        ),
        {"location": 16},
    )
    assert ledger.totals_of(SERVE) == WorkloadTotals(SERVE)


def test_each_label_set_is_a_workload_of_its_own(ledger: SqliteLedger) -> None:
    """A job whose team changes starts a new series and keeps the old one."""
    moved = replace(TRAIN, team="vision")
    ledger.book(booking(entry(TRAIN, 5)))
    ledger.book(booking(entry(moved, 6), until_ms=UNTIL + 1))
    assert [tally.energy_uj for tally in ledger.totals_of(TRAIN).tallies] == [5]
    assert [tally.energy_uj for tally in ledger.totals_of(moved).tallies] == [6]
    assert set(ledger.label_sets(TRAIN.key)) == {TRAIN, moved}
    assert ledger.label_sets("nobody") == ()


@pytest.mark.parametrize(
    ("label", "stored"),
    [
        ('it\'s "quoted" \\ and; DROP TABLE entry; --', 'it\'s "quoted" \\ and; DROP TABLE entry; --'),
        ("two\nlines\r\n\ttabs", "two\nlines\r\n\ttabs"),
        ("nul\x00inside", "nul\x00inside"),
        ("é 漢字 🔥", "é 漢字 🔥"),
        ("x" * 10_000, "x" * 10_000),
        ("bad \udcff\ud800 bytes", "bad \ufffd\ufffd bytes"),
    ],
    ids=["quotes", "newlines", "nul", "unicode", "10kB", "surrogates"],
)
def test_labels_survive(ledger: SqliteLedger, label: str, stored: str) -> None:
    """No label, however odd, keeps energy out of the book; what UTF-8 cannot hold is replaced."""
    odd = replace(TRAIN, name=label, project=label)
    ledger.book(booking(entry(odd, 5), note=label))
    ledger.book(booking(entry(odd, 6), until_ms=UNTIL + 1))
    assert [tally.energy_uj for tally in ledger.totals_of(odd).tallies] == [11]
    again = reopen(ledger)
    assert again.open().meta["note"] == stored
    assert [tally.energy_uj for tally in again.totals_of(replace(odd, name=stored, project=stored)).tallies] == [11]
    again.close()


BAD = {
    "negative energy": (booking(entry(), entry(SERVE, -5)), "negative"),
    "idle above energy": (booking(entry(), entry(SERVE, 5, idle_uj=6)), "idle energy exceeds"),
    "negative held time": (booking(entry(), entry(SERVE, 5, held_ms=-1)), "negative"),
    "unaligned slot": (booking(entry(slot=SLOT), entry(slot=SLOT - 1)), "not aligned to 300 s"),
    "a sentinel": (booking(entry(), entry(SERVE, 2**64 - 1)), "refused"),
    "100 GJ in one slot": (booking(entry(), entry(SERVE, 10**17 + 1)), "beyond"),
    "not an integer": (booking(entry(), entry(SERVE, 0.5)), "refused"),  # type: ignore[arg-type] # the point
    "negative gap": (booking(entry(), gaps=(GapEntry(SLOT, GPU.key, GapReason.HANG, -1),)), "negative"),
    "negative emissions": (booking(entry(), emissions=(weighed(TRAIN, -1),)), "negative"),
    "a slot to come": (booking(entry(), entry(slot=SLOT + 300)), "not begun"),
    "a gap to come": (booking(entry(), gaps=(GapEntry(SLOT + 300, GPU.key, GapReason.HANG, 1),)), "not begun"),
    "unknown device": (replace(booking(entry()), sensors=(CPU,)), "GPU-0"),
    "unknown factor": (replace(booking(entry(), emissions=(weighed(),)), factors=()), "cc/FR/2024"),
}


@pytest.mark.parametrize(("bad", "words"), BAD.values(), ids=BAD.keys())
def test_bad_booking_leaves_nothing(ledger: SqliteLedger, bad: Booking, words: str) -> None:
    """It is refused as a bug, not as a passing failure, and says what is wrong; the next good one is booked."""
    with pytest.raises(LedgerError, match=words) as caught:
        ledger.book(bad)
    assert not isinstance(caught.value, LedgerUnavailable)
    assert contents(ledger.path) == expected([])
    ledger.book(booking(entry(), emissions=(weighed(),)))
    assert contents(ledger.path) == expected([booking(entry(), emissions=(weighed(),))])


def test_row_numbers_of_a_failed_booking_are_forgotten(ledger: SqliteLedger) -> None:
    """A workload first seen in a booking that failed is recorded by the next one, not taken for known."""
    with pytest.raises(LedgerError):
        ledger.book(booking(entry(SERVE, 5), entry(TRAIN, -1)))
    ledger.book(booking(entry(TRAIN, 3), entry(SERVE, 4)))
    assert contents(ledger.path) == expected([booking(entry(TRAIN, 3), entry(SERVE, 4))])


@pytest.mark.parametrize(
    "late",
    [
        booking(entry(), until_ms=UNTIL + 300_000),
        booking(gaps=(GapEntry(SLOT, GPU.key, GapReason.HANG, 1),), until_ms=UNTIL + 300_000),
        booking(emissions=(weighed(),), until_ms=UNTIL + 300_000),
        booking(until_ms=(SLOT + 300) * 1000 - 1),
    ],
    ids=["entry", "gap", "emission", "time falls"],
)
def test_p8_closed_slots_never_change(ledger: SqliteLedger, late: Booking) -> None:
    """P8: a slot that ended at the booked time takes nothing more, and the booked time never falls."""
    first = booking(entry(), until_ms=(SLOT + 300) * 1000)
    ledger.book(first)
    with pytest.raises(LedgerError, match=r"closed|never falls") as caught:
        ledger.book(late)
    assert not isinstance(caught.value, LedgerUnavailable)
    assert contents(ledger.path) == expected([first])


def test_slot_is_open_until_its_last_millisecond(ledger: SqliteLedger) -> None:
    """At the edge itself the next slot may begin: a tick may reach a fraction of a millisecond into it."""
    edge = (SLOT + 300) * 1000
    bookings = [
        booking(entry(TRAIN, 1), until_ms=edge - 1),
        booking(entry(TRAIN, 2), entry(TRAIN, 3, slot=SLOT + 300, held_ms=0), until_ms=edge),
        booking(entry(TRAIN, 4, slot=SLOT + 300), until_ms=edge + 1),
    ]
    for one in bookings:
        ledger.book(one)
    assert contents(ledger.path) == expected(bookings)


def test_sensor_is_described_anew(ledger: SqliteLedger) -> None:
    """A new power limit is taken over; what the device is made of is not: its old totals would move."""
    ledger.book(booking(entry(TRAIN, 5)))
    ledger.book(replace(renamed(GPU, max_power_mw=350_000, averaged=True), booked_until_ms=UNTIL + 1))
    with pytest.raises(LedgerError, match="GPU-0 is booked as gpu and cannot become cpu"):
        ledger.book(replace(renamed(GPU, component=Component.CPU), booked_until_ms=UNTIL + 2))
    again = reopen(ledger)
    opening = again.open()
    again.close()
    assert opening.devices["GPU-0"].sensor == replace(GPU, max_power_mw=350_000, averaged=True)
    assert opening.devices["GPU-0"].energy_uj == 5


def test_p7_corrected_factor_is_a_new_row(ledger: SqliteLedger) -> None:
    """P7: emissions keep the value they were weighed with; a value that is only seen again adds nothing."""
    seen_again = replace(FRANCE, recorded_at_s=SLOT + 5)
    corrected = replace(FRANCE, intensity_mg_per_kwh=60_000, recorded_at_s=SLOT + 9)
    for until, factor in enumerate([FRANCE, seen_again, corrected, FRANCE], start=UNTIL):
        ledger.book(replace(booking(emissions=(weighed(),), until_ms=until), factors=(factor,)))
    with closing(sqlite3.connect(f"file:{ledger.path}?mode=ro", uri=True)) as db:
        rows = db.execute("SELECT factor_row, intensity_mg_per_kwh, recorded_at_s FROM factor").fetchall()
        weighed_with = db.execute("SELECT factor_row, emissions_ug FROM emission ORDER BY factor_row").fetchall()
    assert rows == [(1, 56_000, SLOT), (2, 60_000, SLOT + 9), (3, 56_000, SLOT)]
    assert weighed_with == [(1, 32), (2, 16), (3, 16)]


def test_factor_without_a_value_is_kept_as_such(ledger: SqliteLedger) -> None:
    """P11: "no factor" is null with its reason, never 0 g."""
    nothing = replace(FRANCE, factor_id="none/XX", zone="XX", intensity_mg_per_kwh=None, note="no table knows XX")
    ledger.book(replace(booking(entry()), factors=(nothing,)))
    with closing(sqlite3.connect(f"file:{ledger.path}?mode=ro", uri=True)) as db:
        assert db.execute("SELECT intensity_mg_per_kwh, note, assumed FROM factor").fetchall() == [
            (None, "no table knows XX", 0)
        ]


def test_counter_of_a_sensor_without_one(ledger: SqliteLedger) -> None:
    """Integrated power has no counter: the cursor says so, it does not say 0."""
    bare = replace(CURSOR, counter_uj=None, epoch="")
    ledger.book(booking(cursors=(CURSOR,)))
    ledger.book(booking(cursors=(bare,), until_ms=UNTIL + 1))
    again = reopen(ledger)
    assert again.open().cursors == {GPU.key: bare}
    again.close()


def test_many_workloads_do_not_grow_the_daemon(ledger: SqliteLedger) -> None:
    """Beyond a bound row numbers are looked up again instead of being remembered for ever."""
    for number in range(3):
        rows = [entry(replace(TRAIN, key=f"pod/{number}/{i}"), 1, held_ms=0) for i in range(2_500)]
        ledger.book(booking(*rows, entry(TRAIN, 1), until_ms=UNTIL + number))
    assert len(ledger._numbers.workloads) <= 5_001
    assert ledger.totals_of(TRAIN).tallies[0].energy_uj == 3
    assert contents(ledger.path)["device"] == {("GPU-0", "measured"): 7_503}


def test_two_methods_of_one_device_are_kept_apart(ledger: SqliteLedger) -> None:
    """Modelled joules stay visible beside measured ones; the device's total is both."""
    ledger.book(booking(entry(TRAIN, 5), entry(TRAIN, 7, method=Method.MODELLED)))
    assert contents(ledger.path)["device"] == {("GPU-0", "measured"): 5, ("GPU-0", "modelled"): 7}
    assert {t.method: t.energy_uj for t in ledger.totals_of(TRAIN).tallies} == {Method.MEASURED: 5, Method.MODELLED: 7}
    again = reopen(ledger)
    assert again.open().devices["GPU-0"].energy_uj == 12
    again.close()


def test_another_writer_in_the_way(ledger: SqliteLedger) -> None:
    """A person with the sqlite3 tool holds up a booking for a moment only, and loses nothing."""
    with closing(sqlite3.connect(ledger.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerUnavailable, match="another program keeps it locked"):
            ledger.book(booking(entry()))
        other.execute("ROLLBACK")
    ledger.book(booking(entry()))
    assert contents(ledger.path) == expected([booking(entry())])


def test_file_removed_while_in_use(ledger: SqliteLedger) -> None:
    """Bookings into a deleted file would vanish with the daemon: say so instead."""
    ledger.book(booking(entry()))
    ledger.path.rename(ledger.path.with_name("elsewhere.db"))
    with pytest.raises(LedgerUnavailable, match="removed or replaced"):
        ledger.book(booking(entry(), until_ms=UNTIL + 1))
    ledger.path.with_name("elsewhere.db").rename(ledger.path)
    ledger.book(booking(entry(), until_ms=UNTIL + 1))
    assert contents(ledger.path) == expected([booking(entry()), booking(entry(), until_ms=UNTIL + 1)])


def test_size_counts_the_log(ledger: SqliteLedger) -> None:
    before = ledger.size_bytes()
    ledger.book(booking(entry()))
    assert ledger.size_bytes() == sum(Path(f"{ledger.path}{end}").stat().st_size for end in ("", "-wal"))
    assert ledger.size_bytes() > before


def test_close_twice_and_use_after(ledger: SqliteLedger) -> None:
    """Closing leaves one plain file; later use is an error in the program and says so."""
    ledger.book(booking(entry()))
    ledger.close()
    ledger.close()
    assert sorted(file.name for file in ledger.path.parent.iterdir()) == ["ledger.db", "ledger.db.lock"]
    for use in (lambda: ledger.book(booking(entry())), lambda: ledger.totals_of(IDLE)):
        with pytest.raises(LedgerError, match="not open"):
            use()


def test_bases_are_kept_apart(ledger: SqliteLedger) -> None:
    """Location and market grams of one workload are two numbers and are never added."""
    market = EmissionEntry(SLOT, TRAIN, "market", FRANCE.factor_id, 1_000, 3)
    both = booking(entry(), emissions=(weighed(), market))
    ledger.book(replace(both, factors=(FRANCE, replace(FRANCE, basis="market"))))
    assert ledger.totals_of(TRAIN).emissions_ug == {"location": 16, "market": 3}
    assert audit(ledger.path).emissions_ug == {"location": 16, "market": 3}


def test_no_count_of_a_program_can_stop_energy_from_being_booked(ledger: SqliteLedger) -> None:
    """Units saturate far beyond any real count; the joules beside them are booked."""
    until = UNTIL
    for step in range(3):
        work = UnitEntry(SLOT, TRAIN, "tokens", 1 << 62)
        ledger.book(replace(booking(entry(TRAIN, 5), until_ms=until + step), units=(work,)))
    assert ledger.totals_of(TRAIN).tallies[0].energy_uj == 15
