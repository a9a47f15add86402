"""Hours for the books: every sum of theirs is the sum of the slots, and time is told once."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ledger.books import FRANCE, GPU, SERVE, SLOT, TRAIN, booking, entry, full_slots, plant, weighed
from tracker.core.hours import HourEmission, HourEntry, HourState
from tracker.core.model import IDLE, Booking, Component, GapEntry, GapReason, Method
from tracker.ledger.hours import Hours, days_of, head_of, hours_of, read_hours
from tracker.ledger.interface import LedgerUnavailable
from tracker.ledger.store import SqliteLedger

HOUR = 3600
DAY = 86_400
NOON = 1_789_992_000  # 2026-09-21T12:00:00Z
MINUTE_MS = 60_000


@contextmanager
def booked(folder: Path, *bookings: Booking) -> Iterator[Path]:
    path = folder / "ledger.db"
    ledger = SqliteLedger(path)
    ledger.open()
    for each in bookings:
        ledger.book(each)
    ledger.close()
    yield path


def hours(path: Path, start_s: int, end_s: int) -> Hours:
    with closing(sqlite3.connect(path)) as db:
        return Hours(*read_hours(db, start_s, end_s))


def gap(reason: GapReason, minutes: float, slot: int = NOON, device: str = GPU.key) -> GapEntry:
    return GapEntry(slot, device, reason, int(minutes * MINUTE_MS))


def states(path: Path, start_s: int = NOON, end_s: int = NOON + HOUR) -> dict[tuple[int, str, str], int]:
    return {(s.hour_s, s.device, s.state): s.duration_ms for s in hours(path, start_s, end_s).states}


def test_an_hour_is_the_sum_of_its_slots(tmp_path: Path) -> None:
    with booked(tmp_path, *full_slots(12, NOON)) as path:
        found = hours(path, NOON, NOON + HOUR)
    assert found.entries == (
        HourEntry(NOON, "GPU-0", Component.GPU, "H100", TRAIN, Method.MEASURED, 1_080_000_000_000, 0, 3_600_000),
        HourEntry(NOON, "cpu-0", Component.CPU, "", SERVE, Method.MEASURED, 240_000_000_000, 60_000_000_000, 2_400_000),
        HourEntry(NOON, "cpu-0", Component.CPU, "", IDLE, Method.MEASURED, 84_000_000_012, 84_000_000_012, 1_200_000),
    )
    assert found.states == (
        HourState(NOON, "GPU-0", Component.GPU, "covered", 3_600_000),
        HourState(NOON, "cpu-0", Component.CPU, "covered", 3_600_000),
    )
    assert found.emissions == (
        HourEmission(NOON, TRAIN, "location", FRANCE.factor_id, 1_200, 20_160),
        HourEmission(NOON, SERVE, "location", FRANCE.factor_id, 1_200, 4_476),
    )


def test_time_that_could_not_be_read_is_not_covered(tmp_path: Path) -> None:
    """A hang: the device stayed somebody's and held time went on, but ten minutes had no reading."""
    rows = [entry(slot=slot, held_ms=300_000) for slot in range(NOON, NOON + HOUR, 300)]
    with booked(tmp_path, booking(*rows, gaps=(gap(GapReason.HANG, 5), gap(GapReason.HANG, 5, NOON + 300)))) as path:
        assert states(path) == {(NOON, "GPU-0", "covered"): 3_000_000, (NOON, "GPU-0", "hang"): 600_000}


def test_a_dark_gap_stands_beside_held_time(tmp_path: Path) -> None:
    rows = [entry(slot=slot, held_ms=300_000) for slot in range(NOON, NOON + HOUR - 600, 300)]
    dark = (gap(GapReason.DOWNTIME, 5, NOON + 3000), gap(GapReason.DOWNTIME, 5, NOON + 3300))
    with booked(tmp_path, booking(*rows, gaps=dark)) as path:
        assert states(path) == {(NOON, "GPU-0", "covered"): 3_000_000, (NOON, "GPU-0", "downtime"): 600_000}


def test_an_hour_in_which_nothing_was_booked_still_says_why(tmp_path: Path) -> None:
    lost = booking(gaps=tuple(gap(GapReason.LOST, 5, slot) for slot in range(NOON, NOON + HOUR, 300)))
    with booked(tmp_path, lost) as path:
        assert states(path) == {(NOON, "GPU-0", "lost"): 3_600_000}


def test_a_gap_of_days_fills_the_hours_before_its_row(tmp_path: Path) -> None:
    """Of a gap of more than a day the ledger has its first and its last slot only."""
    back_s = NOON + 2 * DAY
    long = booking(
        gaps=(gap(GapReason.DOWNTIME, 5, NOON), gap(GapReason.DOWNTIME, 2 * 24 * 60 + 2 - 5, back_s)),
        until_ms=(back_s + HOUR) * 1000,
    )
    with booked(tmp_path, long) as path:
        found = states(path, NOON, back_s + HOUR)
        assert found[NOON + HOUR, "GPU-0", "downtime"] == 3_600_000
        assert found[back_s - HOUR, "GPU-0", "downtime"] == 3_600_000
        assert len(found) == 49
        day = states(path, NOON + 12 * HOUR, NOON + 36 * HOUR)
        assert day == {key: ms for key, ms in found.items() if key in day}, "the same however it is asked"
        assert len(day) == 24
        assert days_of(path, NOON - DAY, back_s + HOUR) == tuple(range(NOON - 12 * HOUR, back_s, DAY))


def test_a_clock_that_jumped_over_years_leaves_no_hours_behind(tmp_path: Path) -> None:
    """Time that never was is nobody's gap: a node without a battery starts in 1970."""
    first = booking(entry(slot=0, held_ms=300_000), until_ms=300_000)
    step = booking(gaps=(gap(GapReason.CLOCK_STEP, NOON / 60 - 5),), until_ms=(NOON + HOUR) * 1000)
    with booked(tmp_path, first, step) as path:
        assert days_of(path, 0, NOON + HOUR) == (0, NOON - 12 * HOUR)
        assert states(path, 0, NOON + HOUR) == {
            (0, "GPU-0", "covered"): 300_000,
            (NOON, "GPU-0", "clock_step"): 300_000,
        }


def test_what_another_sensor_covers_is_no_gap(tmp_path: Path) -> None:
    with booked(tmp_path, booking(gaps=(gap(GapReason.COVERED, 5),))) as path:
        assert states(path) == {}


def test_an_overfull_hour_is_never_more_than_an_hour(tmp_path: Path) -> None:
    """A clock that was set back makes a slot longer, a full disk folds hours into one."""
    rows = booking(entry(slot=NOON, held_ms=5_000_000), gaps=(gap(GapReason.CLOCK_STEP, 60),))
    with booked(tmp_path, rows) as path:
        assert states(path) == {(NOON, "GPU-0", "covered"): 3_600_000}


def test_the_head_says_how_far_hours_are_closed(tmp_path: Path) -> None:
    with booked(tmp_path, *full_slots(12, NOON), booking(until_ms=(NOON + HOUR) * 1000 + 1)) as path:
        head = head_of(path)
    assert (head.first_s, head.closed_s, len(head.identity)) == (NOON, NOON + HOUR, 32)
    assert int(head.identity, 16) >= 0


def test_an_hour_closes_with_its_last_slot(tmp_path: Path) -> None:
    with booked(tmp_path, booking(entry(slot=NOON), until_ms=(NOON + HOUR) * 1000 - 1)) as path:
        assert head_of(path).closed_s == NOON
        with pytest.raises(LedgerUnavailable, match="has not closed these hours yet"):
            hours_of(path, head_of(path).identity, NOON, NOON + HOUR)


def test_an_empty_ledger_has_no_hours(tmp_path: Path) -> None:
    with booked(tmp_path) as path:
        assert (head_of(path).first_s, head_of(path).closed_s, days_of(path, 0, NOON)) == (None, 0, ())


def test_another_ledger_in_its_place_is_noticed(tmp_path: Path) -> None:
    with (
        booked(tmp_path, *full_slots(12, NOON)) as path,
        pytest.raises(LedgerUnavailable, match="Another ledger has taken the place"),
    ):
        hours_of(path, "0" * 32, NOON, NOON + HOUR)


def test_two_records_of_one_factor_are_one_row(tmp_path: Path) -> None:
    with booked(tmp_path, booking(entry(slot=NOON), emissions=(weighed(slot=NOON),))) as path:
        plant(
            path,
            "INSERT INTO factor SELECT 99, factor_id, zone, 57000, factor_type, basis, tier, provider, source,"
            " valid_from_s, recorded_at_s, assumed, note, valid_to_s, flagged FROM factor LIMIT 1;"
            f"INSERT INTO emission SELECT {NOON + 300}, workload_id, basis, 99, pue_permille, 4 FROM emission;",
        )
        assert hours(path, NOON, NOON + HOUR).emissions == (
            HourEmission(NOON, TRAIN, "location", FRANCE.factor_id, 1_200, 20),
        )


START = SLOT - SLOT % HOUR
SLOTS = st.integers(0, 40).map(lambda number: START + 300 * number)
ENTRY = st.tuples(SLOTS, st.integers(1, 2), st.integers(1, 3), st.sampled_from([str(each) for each in Method]))
GAP = st.tuples(SLOTS, st.integers(1, 2), st.sampled_from([str(each) for each in GapReason]))
EMISSION = st.tuples(SLOTS, st.integers(1, 3), st.just("location"), st.integers(1, 2), st.sampled_from([1000, 1200]))
AMOUNTS = st.tuples(st.integers(0, 10**12), st.integers(0, 400_000))


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """A ledger's tables in memory, with two devices, three workloads and two records of one factor."""
    with booked(tmp_path_factory.mktemp("hours"), *full_slots(1)) as path, closing(sqlite3.connect(path)) as file:
        memory = sqlite3.connect(":memory:", isolation_level=None)
        file.backup(memory)
    memory.execute(
        "INSERT INTO factor SELECT 2, factor_id, zone, 57000, factor_type, basis, tier, provider, source, valid_from_s,"
        " recorded_at_s, assumed, note, valid_to_s, flagged FROM factor"
    )
    yield memory
    memory.close()


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(ENTRY, AMOUNTS, max_size=30),
    st.dictionaries(GAP, st.integers(0, 20_000_000), max_size=12),
    st.dictionaries(EMISSION, st.integers(0, 10**9), max_size=12),
)
def test_sums_of_hours_are_sums_of_slots(
    tables: sqlite3.Connection,
    entries: dict[tuple[int, int, int, str], tuple[int, int]],
    gaps: dict[tuple[int, int, str], int],
    emissions: dict[tuple[int, int, str, int, int], int],
) -> None:
    for table in ("entry", "gap", "emission"):
        tables.execute(f"DELETE FROM {table}")
    tables.executemany("INSERT INTO entry VALUES (?, ?, ?, ?, ?, 0, ?)", [(*k, *v) for k, v in entries.items()])
    tables.executemany("INSERT INTO gap VALUES (?, ?, ?, ?)", [(*k, v) for k, v in gaps.items()])
    tables.executemany("INSERT INTO emission VALUES (?, ?, ?, ?, ?, ?)", [(*k, v) for k, v in emissions.items()])

    begin_s, end_s = START - 8 * HOUR, START + 4 * HOUR
    found = Hours(*read_hours(tables, begin_s, end_s))
    parts = [Hours(*read_hours(tables, at, at + HOUR)) for at in range(begin_s, end_s, HOUR)]
    assert found.entries == tuple(each for part in parts for each in part.entries), "the same hour by hour"
    assert found.states == tuple(each for part in parts for each in part.states)
    assert found.emissions == tuple(each for part in parts for each in part.emissions)

    want: Counter[tuple[int, str]] = Counter()
    for (slot_s, device, _, method), (energy_uj, held_ms) in entries.items():
        want[slot_s // HOUR * HOUR, f"{device} {method} uj"] += energy_uj
        want[slot_s // HOUR * HOUR, f"{device} {method} ms"] += held_ms
    got: Counter[tuple[int, str]] = Counter()
    numbers = {"GPU-0": 1, "cpu-0": 2}
    for row in found.entries:
        got[row.hour_s, f"{numbers[row.device]} {row.method} uj"] += row.energy_uj
        got[row.hour_s, f"{numbers[row.device]} {row.method} ms"] += row.held_ms
    assert got == want
    assert sum(row.emissions_ug for row in found.emissions) == sum(emissions.values())

    filled: Counter[tuple[int, str]] = Counter()
    for state in found.states:
        assert state.duration_ms > 0
        filled[state.hour_s, state.device] += state.duration_ms
    assert all(ms <= 3_600_000 for ms in filled.values()), "covered + gaps <= the hour"
