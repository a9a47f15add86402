"""What `wattledger verify` says of time: every way in which a slot may be short, long or absent and still in order."""

from __future__ import annotations

from dataclasses import replace

from tests.ledger.books import CPU, GPU, SLOT, TRAIN, booking, entry, failures, renamed
from tracker.core.model import Entry, GapEntry, GapReason, Level
from tracker.ledger.audit import Audit, audit
from tracker.ledger.store import SqliteLedger


def history(ledger: SqliteLedger, *slots: tuple[tuple[Entry, ...], tuple[GapEntry, ...]]) -> Audit:
    """Book one slot after the other and audit."""
    for number, (entries, gaps) in enumerate(slots):
        ledger.book(booking(*entries, gaps=gaps, until_ms=(SLOT + 300 * (number + 1)) * 1000))
    return audit(ledger.path)


def used(slot: int, held_ms: int = 300_000, energy_uj: int = 1_000) -> tuple[Entry, ...]:
    return (entry(TRAIN, energy_uj, slot=SLOT + slot * 300, held_ms=held_ms),)


def away(slot: int, reason: GapReason, duration_ms: int = 300_000) -> tuple[GapEntry, ...]:
    return (GapEntry(SLOT + slot * 300, GPU.key, reason, duration_ms),)


def test_downtime_fills_the_time(ledger: SqliteLedger) -> None:
    """A reboot: the slots of the night hold a dark gap and nothing else."""
    found = history(
        ledger,
        (used(0, 40_000), ()),
        (used(1, 100_000), away(1, GapReason.DOWNTIME, 200_000)),
        ((), away(2, GapReason.DOWNTIME)),
        (used(3, 299_000), away(3, GapReason.DOWNTIME, 1_000)),
        (used(4, 7), ()),
    )
    assert found.findings == ()
    assert found.gaps_ms == {"downtime": 501_000}


def test_time_goes_on_in_other_gaps(ledger: SqliteLedger) -> None:
    """A hanging driver: the device is still held; the gap explains why there is no energy."""
    slots = [(used(n, energy_uj=0), away(n, GapReason.HANG)) for n in (1, 2)]
    assert history(ledger, (used(0), ()), *slots, (used(3), ())).findings == ()


def test_clock_step_is_excepted(ledger: SqliteLedger) -> None:
    """An hour back: the open slot lasts longer until the wall clock has caught up."""
    longer = (used(1, 3_900_000, 10**12), away(1, GapReason.CLOCK_STEP, 3_600_000))
    assert history(ledger, (used(0), ()), longer, (used(2), ())).findings == ()


def test_slots_that_never_were(ledger: SqliteLedger) -> None:
    """An hour forward: the slots it jumped over hold the step and nothing else."""
    jumped = [((), away(n, GapReason.CLOCK_STEP)) for n in (1, 2)]
    assert history(ledger, (used(0), ()), *jumped, (used(3), ()), (used(4), ())).findings == ()


HOURS_AWAY = [(used(n, energy_uj=0), away(n, GapReason.HANG)) for n in range(1, 4)]


def test_late_energy_after_a_gap(ledger: SqliteLedger) -> None:
    """Three slots without an answer at 700 W, handed over at once: real, and within the bound of four slots."""
    found = history(ledger, (used(0), ()), *HOURS_AWAY, (used(4, energy_uj=4 * 210_000_000_000), ()), (used(5), ()))
    assert found.findings == ()


def test_too_much_after_a_gap(ledger: SqliteLedger) -> None:
    """Even a bridge has a bound, and the slot after it is bound by itself again."""
    found = history(
        ledger,
        (used(0), ()),
        *HOURS_AWAY,
        (used(4, energy_uj=4 * 252_000_000_000 + 1), ()),
        (used(5, energy_uj=252_000_000_001), ()),
    )
    assert failures(found) == {("plausible", SLOT + 1_200, "GPU-0"), ("plausible", SLOT + 1_500, "GPU-0")}


def test_dark_gap_bridges_nothing(ledger: SqliteLedger) -> None:
    """After a reboot a counter starts anew: the energy of the night cannot appear."""
    dark = [((), away(n, GapReason.DOWNTIME)) for n in (1, 2)]
    found = history(ledger, (used(0), ()), *dark, (used(3, energy_uj=252_000_000_001), ()), (used(4), ()))
    assert failures(found) == {("plausible", SLOT + 900, "GPU-0")}


def test_lowered_power_limit_accuses_no_old_slot(ledger: SqliteLedger) -> None:
    """The highest limit ever recorded counts."""
    found = history(ledger, (used(0), ()), (used(1, energy_uj=250_000_000_000), ()))
    assert found.ok
    ledger.book(replace(renamed(GPU, max_power_mw=100_000), booked_until_ms=(SLOT + 601) * 1000))
    assert audit(ledger.path).ok


def test_time_folded_after_hours_with_a_full_disk(ledger: SqliteLedger) -> None:
    """Three slots that waited in memory were folded into the next one, energy and all: a warning, no failure."""
    late = used(4, 4 * 300_000 - 1, 4 * 210_000_000_000)
    ledger.book(booking(*used(0), until_ms=(SLOT + 300) * 1000))
    ledger.book(booking(*used(1, 1), until_ms=(SLOT + 301) * 1000))
    ledger.book(booking(*late, until_ms=(SLOT + 1_500) * 1000))
    ledger.book(booking(*used(5), until_ms=(SLOT + 1_800) * 1000))
    ledger.book(booking(*used(6), until_ms=(SLOT + 2_100) * 1000))
    found = audit(ledger.path)
    assert found.ok
    assert [(f.level, f.check, f.slot_start_s) for f in found.findings] == [
        (Level.WARN, "held_time", SLOT + 300),
        (Level.WARN, "held_time", SLOT + 1_200),
        (Level.WARN, "unexplained_gap", SLOT + 600),
    ]
    assert "Nothing is lost" in found.findings[0].remedy


def test_folded_time_that_does_not_add_up(ledger: SqliteLedger) -> None:
    """One millisecond more than was missing is time from nowhere; one less is time that stays lost."""
    for extra, failing in ((1, {SLOT + 600}), (-1, {SLOT + 300})):
        path = ledger.path.with_name(f"{extra}.db")
        other = SqliteLedger(path)
        other.open()
        other.book(booking(*used(0), until_ms=(SLOT + 300) * 1000))
        other.book(booking(*used(2, 600_000 + extra), until_ms=(SLOT + 900) * 1000))
        other.book(booking(*used(3), until_ms=(SLOT + 1_200) * 1000))
        found = audit(path)
        other.close()
        assert {f.slot_start_s for f in found.findings if f.level is Level.FAIL} == failing


def test_device_that_was_never_booked_may_have_gaps(ledger: SqliteLedger) -> None:
    """A sensor that is watched but covered by another one has no held time to account for."""
    gaps = (GapEntry(SLOT, CPU.key, GapReason.SETTLING, 60_000), *away(0, GapReason.HANG, 5))
    assert history(ledger, (used(0), gaps), (used(1), ()), (used(2), ())).findings == ()
