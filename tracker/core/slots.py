"""Cutting time at slot edges. Slots are 300 s, aligned to UTC, and never go back.

Wall time is boot time plus an offset. When the wall clock steps, the offset changes: time before the step keeps the
old offset. A step back would land in slots that are closed; the floor keeps such time in the slot that is open (closed
slots never change, no slot exists twice). A step forward leaves slots that never were; the agent records a clock_step
gap for them.
"""

from __future__ import annotations

from dataclasses import dataclass

from tracker.core.units import NS_PER_MS, SLOT_NS, SLOT_S


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an interval inside one slot. ``held_ms`` of adjoining pieces add up without rounding loss."""

    slot_start_s: int
    start_boot_ns: int
    end_boot_ns: int
    held_ms: int


def slot_of(wall_ns: int) -> int:
    """Start of the slot that contains this instant, in UTC seconds."""
    return wall_ns // SLOT_NS * SLOT_S


def cut(start_boot_ns: int, end_boot_ns: int, offset_ns: int, floor_slot_s: int) -> tuple[Piece, ...]:
    """Cut [start, end) at slot edges. ``offset_ns`` = wall - boot. Pieces before the floor slot are folded into it."""
    pieces: list[Piece] = []
    start = start_boot_ns
    while start < end_boot_ns:
        wall_ns = start + offset_ns
        slot_start_s = max(slot_of(wall_ns), floor_slot_s)
        edge = (slot_start_s + SLOT_S) * (SLOT_NS // SLOT_S) - offset_ns
        end = min(end_boot_ns, edge)
        held_ms = (end + offset_ns) // NS_PER_MS - wall_ns // NS_PER_MS
        pieces.append(Piece(slot_start_s, start, end, held_ms))
        start = end
    return tuple(pieces)


def divide(energy_uj: int, start_boot_ns: int, end_boot_ns: int, pieces: tuple[Piece, ...]) -> list[int]:
    """The energy of [start, end) in each of its pieces, in proportion to time; sums to ``energy_uj`` exactly.

    Raises ValueError when there is energy but no time to put it in: it would be lost without a trace.
    """
    if not pieces:
        if energy_uj:
            raise ValueError("energy needs a piece of time to be booked in")
        return []
    if len(pieces) == 1:
        return [energy_uj]
    length_ns = end_boot_ns - start_boot_ns
    marks = [energy_uj * (piece.end_boot_ns - start_boot_ns) // length_ns for piece in pieces]
    marks[-1] = energy_uj
    return [mark - before for mark, before in zip(marks, [0, *marks[:-1]], strict=True)]
