"""From the spans of one device in one tick to charges in slots.

Energy and time that are older than the tick's reach (a restart, a sensor that was silent and came back) had owners that
nobody observed: they are unattributed, not given to whoever is here now.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tracker.core import slots
from tracker.core.accounts import Pending
from tracker.core.idle import idle_energy
from tracker.core.model import Charge, Component, Gap, GapReason, Observation, Own, Sensor, Span
from tracker.core.split import split, unattributed
from tracker.core.units import NS_PER_MS, NS_PER_S, SLOT_NS

DAY_NS = 86_400 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Window:
    """The time of a tick. What is before ``fresh_boot_ns`` is too old to be charged by what this tick observed."""

    end_boot_ns: int
    fresh_boot_ns: int
    offset_ns: int  # wall - boot
    floor_slot_s: int  # no slot before this one may change any more


@dataclass(slots=True)
class _Slot:
    fresh_uj: int = 0
    fresh_ns: int = 0
    fresh_held_ms: int = 0
    late_uj: int = 0
    late_held_ms: int = 0


def charge_device(
    sensor: Sensor,
    spans: Iterable[Span],
    held_boot_ns: int,
    window: Window,
    floor_mw: int | None,
    seen: Observation,
    pending: Pending,
) -> tuple[int, int]:
    """Charge a device's energy, and its held time from ``held_boot_ns`` to the window's end, slot by slot.

    Returns what was metered and what was charged, summed apart from each other: they are equal, or P1 is broken. As a
    sidecar, what is others' is not booked and not metered, and their time is a gap that says so.
    """
    metered_uj = charged_uj = 0
    by_slot: dict[int, _Slot] = {}
    for span in spans:
        metered_uj += span.energy_uj
        for part in _parts(span, window.fresh_boot_ns):
            _add_energy(by_slot, part, window)
    for part in _parts(Span(held_boot_ns, window.end_boot_ns, 0), window.fresh_boot_ns):
        _add_held(by_slot, part, window)
    for slot_start_s, slot in by_slot.items():
        charges: tuple[Charge, ...] = ()
        if slot.fresh_uj or slot.fresh_held_ms:
            idle_uj = idle_energy(slot.fresh_uj, floor_mw, slot.fresh_ns)
            charges = split(sensor.component, sensor.key, slot.fresh_uj, idle_uj, slot.fresh_held_ms, seen)
        if slot.late_uj or slot.late_held_ms:
            charges += unattributed(slot.late_uj, slot.late_held_ms)
        if seen.own is not None:
            kept = keep(sensor.component, charges, seen.own)
            metered_uj -= sum(charge.energy_uj for charge in charges) - sum(charge.energy_uj for charge in kept)
            others_ms = sum(charge.held_ms for charge in charges) - sum(charge.held_ms for charge in kept)
            if others_ms:
                pending.gap(slot_start_s, sensor.key, GapReason.OTHERS, others_ms)
            charges = kept
        charged_uj += sum(charge.energy_uj for charge in charges)
        pending.charge(slot_start_s, sensor.key, sensor.method, charges)
    return metered_uj, charged_uj


def keep(component: Component, charges: Sequence[Charge], own: Own) -> tuple[Charge, ...]:
    """The own charges of a device.

    However many sidecars there are on a node, each with its own workload, they never sum to more than the node: a part
    that ``apportion`` may have rounded up (by at most one) is rounded down, and a GPU that unseen others share is
    divided among all.
    """
    shared = any(charge.workload.key not in own.keys for charge in charges)
    parts = own.gpu_parts if component is Component.GPU else 1

    def down(amount: int) -> int:
        return max(0, amount - shared) // parts

    kept = []
    for charge in charges:
        if charge.workload.key in own.keys:
            idle_uj = down(charge.idle_uj)
            energy_uj = idle_uj + down(charge.energy_uj - charge.idle_uj)
            kept.append(Charge(charge.workload, energy_uj, idle_uj, down(charge.held_ms)))
    return tuple(kept)


def record_gap(device: str, gap: Gap, window: Window, pending: Pending) -> None:
    """Put a gap into its slots. Of a gap of more than a day only the first slot and the last have a row: the last one
    stands for all the empty slots before it, or a node that was stored for a year would fill the ledger with them."""
    if gap.end_boot_ns - gap.start_boot_ns > DAY_NS:
        _record_long_gap(device, gap, window, pending)
        return
    for piece in slots.cut(gap.start_boot_ns, gap.end_boot_ns, window.offset_ns, window.floor_slot_s):
        if piece.held_ms:
            pending.gap(piece.slot_start_s, device, gap.reason, piece.held_ms)


def _record_long_gap(device: str, gap: Gap, window: Window, pending: Pending) -> None:
    offset_ns = window.offset_ns
    first = slots.cut(gap.start_boot_ns, gap.start_boot_ns + SLOT_NS, offset_ns, window.floor_slot_s)[0]
    total_ms = (gap.end_boot_ns + offset_ns) // NS_PER_MS - (gap.start_boot_ns + offset_ns) // NS_PER_MS
    last_slot_s = max(slots.slot_of(gap.end_boot_ns - 1 + offset_ns), window.floor_slot_s)
    if first.held_ms:
        pending.gap(first.slot_start_s, device, gap.reason, first.held_ms)
    pending.gap(last_slot_s, device, gap.reason, total_ms - first.held_ms)


def after(span: Span, boot_ns: int) -> tuple[Span | None, int]:
    """The part of a span after an instant, and the energy of the part before it; energy in proportion to time."""
    if span.start_boot_ns >= boot_ns:
        return span, 0
    if span.end_boot_ns <= boot_ns:
        return None, span.energy_uj
    before, rest = _parts(span, boot_ns)
    return rest, before.energy_uj


def _parts(span: Span, fresh_boot_ns: int) -> Iterator[Span]:
    """The part of a span before the fresh edge and the part after it; energy in proportion to time, nothing lost."""
    start, end = span.start_boot_ns, span.end_boot_ns
    if start >= end:
        return
    if start >= fresh_boot_ns or end <= fresh_boot_ns:
        yield span
        return
    late_uj = span.energy_uj * (fresh_boot_ns - start) // (end - start)
    yield Span(start, fresh_boot_ns, late_uj)
    yield Span(fresh_boot_ns, end, span.energy_uj - late_uj)


def _add_energy(by_slot: dict[int, _Slot], part: Span, window: Window) -> None:
    pieces = slots.cut(part.start_boot_ns, part.end_boot_ns, window.offset_ns, window.floor_slot_s)
    energies = slots.divide(part.energy_uj, part.start_boot_ns, part.end_boot_ns, pieces)
    late = part.end_boot_ns <= window.fresh_boot_ns
    for piece, energy_uj in zip(pieces, energies, strict=True):
        slot = by_slot.setdefault(piece.slot_start_s, _Slot())
        if late:
            slot.late_uj += energy_uj
        else:
            slot.fresh_uj += energy_uj
            slot.fresh_ns += piece.end_boot_ns - piece.start_boot_ns


def _add_held(by_slot: dict[int, _Slot], part: Span, window: Window) -> None:
    late = part.end_boot_ns <= window.fresh_boot_ns
    for piece in slots.cut(part.start_boot_ns, part.end_boot_ns, window.offset_ns, window.floor_slot_s):
        slot = by_slot.setdefault(piece.slot_start_s, _Slot())
        if late:
            slot.late_held_ms += piece.held_ms
        else:
            slot.fresh_held_ms += piece.held_ms
