"""A ledger that is killed, copied in the middle or cut short contains whole bookings: entries, totals and cursors
agree."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.ledger.books import CPU, GPU, SERVE, SLOT, TRAIN, booking, contents, entry, expected, weighed
from tests.ledger.child import Crasher, Request
from tracker.core.model import IDLE, Booking, Cursor, GapEntry, GapReason, Method, UnweighedEntry
from tracker.ledger.interface import LedgerError
from tracker.ledger.store import SqliteLedger

Rows = st.lists(
    st.builds(
        entry,
        st.sampled_from([TRAIN, SERVE, IDLE]),
        st.integers(10, 10**12),
        device=st.sampled_from([GPU, CPU]),
        idle_uj=st.integers(0, 10),
        held_ms=st.integers(0, 10_000),
        method=st.sampled_from(Method),
    ),
    max_size=12,
)
Gaps = st.dictionaries(st.sampled_from(GapReason), st.integers(0, 10_000), max_size=3)
Emissions = st.lists(st.builds(weighed, st.sampled_from([TRAIN, SERVE]), st.integers(0, 10**9)), max_size=3)


def nth(number: int, rows: list, gaps: dict, emissions: list) -> Booking:  # type: ignore[type-arg] # drawn above
    """The number-th booking of a history: 40 s each, so that slots close on the way. Each leaves energy unweighed, and
    weighs what the one before it left."""
    until_ms = (SLOT + 40 * (number + 1)) * 1000
    slot = until_ms // 300_000 * 300
    energy_uj = sum(row.energy_uj for row in rows)
    last_slot = (SLOT + 40 * number) // 300 * 300
    late = [replace(weighed(TRAIN, 7, slot=slot), late_of_s=last_slot, energy_uj=number)] if number else []
    one = booking(
        *(replace(row, slot_start_s=slot) for row in rows),
        gaps=tuple(GapEntry(slot, CPU.key, reason, ms) for reason, ms in gaps.items()),
        emissions=(*(replace(row, slot_start_s=slot) for row in emissions), *late),
        cursors=(Cursor(GPU.key, "boot-1", number, until_ms * 1_000_000, energy_uj, "550.54"),),
        until_ms=until_ms,
        number=str(number),
    )
    return replace(one, unweighed=(UnweighedEntry(slot, TRAIN, "location", number + 1),))


History = st.lists(st.tuples(Rows, Gaps, Emissions), min_size=1, max_size=12).map(
    lambda parts: [nth(number, *part) for number, part in enumerate(parts)]
)


@pytest.fixture(scope="module")
def crasher() -> Iterator[Crasher]:
    process = Crasher()
    yield process
    process.close()


def reopened(path: Path) -> int:
    """Open as the next daemon would, check that devices and workloads agree, and say how many bookings it holds."""
    ledger = SqliteLedger(path)
    opening = ledger.open()
    assert ledger.set_aside is None
    assert opening.total_energy_uj == opening.charged_energy_uj
    held = 0 if opening.booked_until_ms is None else int(opening.meta["number"]) + 1
    ledger.close()
    return held


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(history=History, kept=st.integers(0, 11), instructions=st.integers(1, 400))
def test_killed_inside_a_booking(crasher: Crasher, history: list[Booking], kept: int, instructions: int) -> None:
    """A kill -9 after any number of SQLite's instructions: the booking is there as a whole or not at all."""
    bookings = history[: kept + 1]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "ledger.db")
        killed = crasher.crash(Request(path, tuple(bookings), instructions))
        held = reopened(path)
        assert held == len(bookings) - killed
        assert contents_of(path) == expected(bookings[:held])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(history=History, delay_us=st.integers(0, 8_000))
def test_killed_at_any_instant(crasher: Crasher, history: list[Booking], delay_us: int) -> None:
    """A kill -9 at any instant, also while the log is written or a checkpoint runs, leaves a whole number of bookings,
    and booking goes on from it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "ledger.db")
        crasher.crash(Request(path, tuple(history), None, delay_us))
        held = reopened(path)
        assert contents_of(path) == expected(history[:held])
        ledger = SqliteLedger(path)
        ledger.open()
        for one in history[held:]:
            ledger.book(one)
        ledger.close()
        assert contents_of(path) == expected(history)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(history=History, cut=st.integers(0, 200_000), noise=st.binary(max_size=64))
def test_power_loss(history: list[Booking], cut: int, noise: bytes) -> None:
    """The log was never written, or only in part, or its end is garbage: whole bookings are there, and nothing that was
    booked before the last slot closed is lost."""
    with tempfile.TemporaryDirectory() as folder:
        path, after = Path(folder, "ledger.db"), Path(folder, "after", "ledger.db")
        ledger = SqliteLedger(path)
        ledger.open()
        for one in history:
            ledger.book(one)
        after.parent.mkdir()
        shutil.copy(path, after)
        log = Path(f"{path}-wal").read_bytes()
        Path(f"{after}-wal").write_bytes(log[:cut] + (noise if cut < len(log) else b""))
        ledger.close()
        # The ledger closes a slot with the first booking that ends behind its edge.
        edges = [one for one in history[1:] if one.booked_until_ms % 300_000 < 40_000]
        durable = len(history) if cut >= len(log) else history.index(edges[-1]) + 1 if edges else 0
        held = reopened(after)
        assert held >= durable
        assert contents_of(after) == expected(history[:held])


def contents_of(path: Path) -> dict[str, object]:
    found: dict[str, object] = contents(path)
    return found


class LedgerMachine(RuleBasedStateMachine):
    """Bookings, refused bookings, restarts and crashes in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.lives = 0
        self.booked: list[Booking] = []
        self.ledger = SqliteLedger(self.root / "0" / "ledger.db")
        self.ledger.open()

    def teardown(self) -> None:
        self.ledger.close()
        shutil.rmtree(self.root)

    @rule(rows=Rows, gaps=Gaps, emissions=Emissions)
    def book(self, rows: list, gaps: dict, emissions: list) -> None:  # type: ignore[type-arg] # drawn above
        one = nth(len(self.booked), rows, gaps, emissions)
        self.ledger.book(one)
        self.booked.append(one)

    @rule(spoil=st.sampled_from(["negative", "idle", "closed", "future", "unaligned", "huge", "unknown device"]))
    def refuse(self, spoil: str) -> None:
        """A booking that must never be made, behind good rows: none of them may stay."""
        one = nth(len(self.booked), [entry(), entry(SERVE, 5, held_ms=1)], {GapReason.HANG: 5}, [])
        slot = one.entries[0].slot_start_s
        bad = {
            "negative": entry(TRAIN, -1, slot=slot),
            "idle": entry(TRAIN, 1, idle_uj=2, slot=slot),
            "closed": entry(TRAIN, 1, slot=SLOT - 300),
            "future": entry(TRAIN, 1, slot=slot + 300),
            "unaligned": entry(TRAIN, 1, slot=slot + 1 if one.booked_until_ms > (slot + 1) * 1000 else slot - 1),
            "huge": entry(TRAIN, 2**63, slot=slot),
            "unknown device": entry(TRAIN, 1, slot=slot, device=_UNKNOWN),
        }[spoil]
        if spoil == "closed" and not self.booked:
            return  # nothing is closed in an empty ledger
        with pytest.raises(LedgerError):
            self.ledger.book(booking(*one.entries, bad, gaps=one.gaps, until_ms=one.booked_until_ms, number="no"))

    @rule()
    def restart(self) -> None:
        self.ledger.close()
        self.ledger = SqliteLedger(self.ledger.path)
        self.ledger.open()

    @rule()
    def crash(self) -> None:
        """What kill -9 leaves are the files as they are now."""
        self.lives += 1
        path = self.root / str(self.lives) / "ledger.db"
        path.parent.mkdir()
        for ending in ("", "-wal"):
            with suppress(FileNotFoundError):
                shutil.copy(f"{self.ledger.path}{ending}", f"{path}{ending}")
        self.ledger.close()
        self.ledger = SqliteLedger(path)
        opening = self.ledger.open()
        assert self.ledger.set_aside is None
        assert opening.total_energy_uj == sum(row.energy_uj for one in self.booked for row in one.entries)

    @invariant()
    def holds_what_was_booked(self) -> None:
        assert contents_of(self.ledger.path) == expected(self.booked)
        for workload in (TRAIN, SERVE, IDLE):
            rows = [row for one in self.booked for row in one.entries if row.workload == workload]
            totals = self.ledger.totals_of(workload)
            assert sum(tally.energy_uj for tally in totals.tallies) == sum(row.energy_uj for row in rows)


_UNKNOWN = type(GPU)("GPU-9", "nvml", GPU.component, (), 0, Method.MEASURED, "x", 1)

LedgerMachine.TestCase.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestLedgerMachine = LedgerMachine.TestCase
