"""Cutting time at five-minute edges: no millisecond and no microjoule falls between two slots."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.thorough import thorough
from tracker.core.slots import Piece, cut, divide, slot_of
from tracker.core.units import NS_PER_MS, NS_PER_S, SLOT_NS

S = NS_PER_S
DAY_S = 86_400
MIDNIGHT_S = 1_792_800_000  # 2026-10-24T00:00:00Z
NO_FLOOR = -(2**40)


def test_slots_are_five_minutes_of_utc() -> None:
    assert slot_of(MIDNIGHT_S * S) == MIDNIGHT_S
    assert slot_of((MIDNIGHT_S + 300) * S - 1) == MIDNIGHT_S
    assert slot_of((MIDNIGHT_S + 300) * S) == MIDNIGHT_S + 300
    assert slot_of(-1) == -300


def test_within_one_slot() -> None:
    assert cut(10 * S, 15 * S, MIDNIGHT_S * S, NO_FLOOR) == (Piece(MIDNIGHT_S, 10 * S, 15 * S, 5_000),)


def test_cut_exactly_at_the_edge() -> None:
    """Ends on an edge, starts on an edge, crosses one: the edge itself belongs to the later slot."""
    offset_ns = MIDNIGHT_S * S
    assert cut(295 * S, 300 * S, offset_ns, NO_FLOOR) == (Piece(MIDNIGHT_S, 295 * S, 300 * S, 5_000),)
    assert cut(300 * S, 305 * S, offset_ns, NO_FLOOR) == (Piece(MIDNIGHT_S + 300, 300 * S, 305 * S, 5_000),)
    assert cut(298 * S, 303 * S, offset_ns, NO_FLOOR) == (
        Piece(MIDNIGHT_S, 298 * S, 300 * S, 2_000),
        Piece(MIDNIGHT_S + 300, 300 * S, 303 * S, 3_000),
    )


def test_a_nanosecond_on_each_side_of_the_edge() -> None:
    pieces = cut(300 * S - 1, 300 * S + 1, MIDNIGHT_S * S, NO_FLOOR)
    assert [(p.slot_start_s, p.end_boot_ns - p.start_boot_ns, p.held_ms) for p in pieces] == [
        (MIDNIGHT_S, 1, 1),  # it ends the last millisecond of its slot
        (MIDNIGHT_S + 300, 1, 0),
    ]


def test_many_slots() -> None:
    pieces = cut(0, 1_000 * S, MIDNIGHT_S * S, NO_FLOOR)
    assert [(p.slot_start_s - MIDNIGHT_S, p.held_ms) for p in pieces] == [
        (0, 300_000),
        (300, 300_000),
        (600, 300_000),
        (900, 100_000),
    ]


def test_no_time_gives_no_piece() -> None:
    assert cut(5, 5, 0, 0) == ()
    assert cut(6, 5, 0, 0) == ()


def test_a_step_back_of_an_hour_stays_in_the_open_slot() -> None:
    """Closed slots never change: the time that exists twice goes to the slot that was open, and then on."""
    floor_s = MIDNIGHT_S + 3600
    offset_ns = MIDNIGHT_S * S  # the clock says midnight again
    assert cut(10 * S, 15 * S, offset_ns, floor_s) == (Piece(floor_s, 10 * S, 15 * S, 5_000),)
    pieces = cut(3_895 * S, 3_905 * S, offset_ns, floor_s)
    assert [(p.slot_start_s, p.held_ms) for p in pieces] == [(floor_s, 5_000), (floor_s + 300, 5_000)]


def test_a_floor_below_changes_nothing() -> None:
    assert cut(0, 700 * S, MIDNIGHT_S * S, MIDNIGHT_S) == cut(0, 700 * S, MIDNIGHT_S * S, NO_FLOOR)


def test_p1_a_day_of_ticks_is_288_slots_of_300_000_ms() -> None:
    """Ticks of 5 s that are never quite on time, and a boot that began at no round instant."""
    offset_ns = MIDNIGHT_S * S - 123_456_789
    instants = [123_456_789, *(123_456_789 + i * 5 * S + (i * 7_919_317) % (40 * NS_PER_MS) for i in range(1, 17_280))]
    instants.append(123_456_789 + DAY_S * S)
    held_ms: dict[int, int] = {}
    for start, end in pairwise(instants):
        for piece in cut(start, end, offset_ns, NO_FLOOR):
            held_ms[piece.slot_start_s] = held_ms.get(piece.slot_start_s, 0) + piece.held_ms
    assert held_ms == {MIDNIGHT_S + 300 * i: 300_000 for i in range(288)}


def test_daylight_saving_time_does_not_exist_here() -> None:
    """The 25 hours of 25 October 2026 in Paris are 300 slots, none twice, none missing."""
    start_s = int(datetime(2026, 10, 24, 22, tzinfo=UTC).timestamp())  # local midnight, UTC+2
    end_s = int(datetime(2026, 10, 25, 23, tzinfo=UTC).timestamp())  # local midnight, UTC+1
    pieces = cut(0, (end_s - start_s) * S, start_s * S, NO_FLOOR)
    assert [p.slot_start_s for p in pieces] == list(range(start_s, end_s, 300))
    assert len(pieces) == 300
    assert {p.held_ms for p in pieces} == {300_000}


def test_p1_an_offset_that_changes_moves_at_most_a_millisecond() -> None:
    """Time before a clock step keeps the old offset; what is held on both sides is the time that passed."""
    before = cut(0, 7 * S + 400_000, MIDNIGHT_S * S, NO_FLOOR)
    after = cut(7 * S + 400_000, 12 * S, (MIDNIGHT_S + 3600) * S + 700_000, NO_FLOOR)
    assert [p.slot_start_s for p in (*before, *after)] == [MIDNIGHT_S, MIDNIGHT_S + 3600]
    assert abs(sum(p.held_ms for p in (*before, *after)) - 12_000) <= 1


def test_divide_by_time() -> None:
    pieces = cut(298 * S, 303 * S, MIDNIGHT_S * S, NO_FLOOR)
    assert divide(1_000, 298 * S, 303 * S, pieces) == [400, 600]
    assert divide(1_001, 298 * S, 303 * S, pieces) == [400, 601]
    assert divide(0, 298 * S, 303 * S, pieces) == [0, 0]
    assert divide(0, 5, 5, ()) == []


def test_p1_energy_without_time_is_refused_not_lost() -> None:
    with pytest.raises(ValueError, match="energy needs a piece of time"):
        divide(1, 5, 5, ())


instants = st.integers(0, 2 * 10**9 * S)
lengths = st.integers(1, 5 * SLOT_NS) | st.integers(1, 10 * S)
offsets = st.integers(-(10**18), 2 * 10**18)


@st.composite
def cuts(draw: st.DrawFn) -> tuple[int, int, int, int]:
    """Start, end, offset and floor, the floor near the wall time: before, inside or after it."""
    start, length, offset = draw(instants), draw(lengths), draw(offsets)
    floor_s = slot_of(start + offset) + 300 * draw(st.integers(-3, 8))
    return start, start + length, offset, floor_s


@thorough
@given(cuts())
def test_p1_pieces_adjoin_and_lie_in_their_slots(case: tuple[int, int, int, int]) -> None:
    start, end, offset, floor_s = case
    pieces = cut(start, end, offset, floor_s)
    assert pieces[0].start_boot_ns == start
    assert pieces[-1].end_boot_ns == end
    for left, right in pairwise(pieces):
        assert left.end_boot_ns == right.start_boot_ns
        assert left.slot_start_s + 300 == right.slot_start_s
    for piece in pieces:
        assert piece.start_boot_ns < piece.end_boot_ns
        assert piece.slot_start_s % 300 == 0
        assert piece.slot_start_s >= floor_s
        assert piece.end_boot_ns + offset <= (piece.slot_start_s + 300) * S
        assert piece.slot_start_s == floor_s or piece.slot_start_s * S <= piece.start_boot_ns + offset
        assert abs(piece.held_ms * NS_PER_MS - (piece.end_boot_ns - piece.start_boot_ns)) < NS_PER_MS


@thorough
@given(cuts(), st.lists(st.integers(0, 5 * SLOT_NS), max_size=20))
def test_p1_the_same_time_in_many_calls_holds_the_same_milliseconds(
    case: tuple[int, int, int, int], stops: list[int]
) -> None:
    """However the ticks fall: the milliseconds of a slot are those of the time in it."""
    start, end, offset, floor_s = case
    marks = sorted({start, end, *(start + stop % (end - start) for stop in stops)})

    def by_slot(bounds: list[int]) -> dict[int, int]:
        sums: dict[int, int] = {}
        for left, right in pairwise(bounds):
            for piece in cut(left, right, offset, floor_s):
                sums[piece.slot_start_s] = sums.get(piece.slot_start_s, 0) + piece.held_ms
        return sums

    assert by_slot(marks) == by_slot([start, end])


@thorough
@given(cuts(), st.integers(0, 10**18))
def test_p1_energy_is_divided_exactly(case: tuple[int, int, int, int], energy_uj: int) -> None:
    start, end, offset, floor_s = case
    pieces = cut(start, end, offset, floor_s)
    parts = divide(energy_uj, start, end, pieces)
    assert sum(parts) == energy_uj
    assert len(parts) == len(pieces)
    for part, piece in zip(parts, pieces, strict=True):
        assert part >= 0
        length_ns = piece.end_boot_ns - piece.start_boot_ns
        assert abs(part * (end - start) - energy_uj * length_ns) < end - start  # within a unit of its share
