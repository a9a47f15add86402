"""A sensor as the agent follows it from tick to tick: its track, what is booked of it, its power and its idle floor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tracker.core import idle, track
from tracker.core.model import (
    Component,
    Cursor,
    Gap,
    GapReason,
    Missing,
    Observation,
    Reading,
    Sensor,
    Span,
)
from tracker.core.track import Event, Track
from tracker.core.units import NS_PER_S, power_of

#: A node whose CPUs are busy for less than this is unused: its power teaches the idle floor.
CPU_UNUSED_PERMILLE = 50
#: A daemon that was away for longer than this begins anew: the slots in between would be too many to fill.
MAX_BRIDGE_NS = 31 * 86_400 * NS_PER_S
#: The boot id of a cursor that must not be taken up: another sensor has booked this part of the node since.
VOID = "void"


@dataclass(slots=True)
class Device:
    """Mutable on purpose: the agent's thread alone owns it. Times in boot ns."""

    track: Track
    feed: str
    held_boot_ns: int  # held time is booked up to here
    events: list[Event] = field(default_factory=list)  # of this tick
    floor_mw: int | None = None
    power_mw: int | None = None
    gap: GapReason | None = None
    seen_uj: int = 0  # energy that was seen while it was not booked
    booked_from_ns: int = 0  # energy before this was another sensor's to book
    displaced_ns: int | None = None  # since when another sensor has been booked in its place

    @property
    def sensor(self) -> Sensor:
        return self.track.sensor

    def spans(self) -> Iterator[Span]:
        """Energy of this tick."""
        return (event for event in self.events if isinstance(event, Span))

    def gaps(self) -> Iterator[Gap]:
        """Time without energy that ended, or became known, in this tick."""
        return (event for event in self.events if isinstance(event, Gap))

    def take(self, item: Reading | Missing) -> None:
        """Take one read."""
        if isinstance(item, Missing):
            self.track = track.fail(self.track, item)
            return
        self.track, events = track.take(self.track, item)
        self.events.extend(events)

    def overdue(self, now_boot_ns: int, reason: GapReason | None) -> None:
        """Note that nothing came for too long."""
        self.track, gap = track.overdue(self.track, now_boot_ns, reason)
        if gap is not None:
            self.events.append(gap)

    def measure(self, seen: Observation, *, learn_floor: bool) -> None:
        """Mean power of the tick; it teaches the idle floor while the device is unused."""
        duration_ns = sum(span.end_boot_ns - span.start_boot_ns for span in self.spans())
        if duration_ns:
            self.power_mw = power_of(sum(span.energy_uj for span in self.spans()), duration_ns)
            self.gap = None
            if learn_floor:
                self.floor_mw = idle.learn(self.floor_mw, self.power_mw, used=used(self.sensor, seen))
            return
        for gap in self.gaps():
            self.power_mw, self.gap = None, gap.reason

    def show_own(self, charged_uj: int | None) -> None:
        """As a sidecar: show the own part of the power. None: the device is not booked, all of it is others'."""
        duration_ns = sum(span.end_boot_ns - span.start_boot_ns for span in self.spans())
        if charged_uj is None:
            self.power_mw = None
        elif duration_ns and self.power_mw is not None:
            self.power_mw = power_of(charged_uj, duration_ns)


@dataclass(frozen=True, slots=True)
class Past:
    """What an earlier daemon left: how far it had booked time, and by which boot and clock."""

    boot_id: str  # of this boot; "": unknown, then no cursor is taken up
    booked_boot_ns: int  # held time and gaps are booked up to here; 0: not in this boot
    booked_wall_ns: int
    offset_ns: int  # wall - boot


def valid_counter(cursor: Cursor | None, past: Past, now_boot_ns: int) -> int | None:
    """The counter position to go on from, if the cursor is of this boot and not so old that its slots are too many."""
    if cursor is None or not past.boot_id or cursor.boot_id != past.boot_id:
        return None
    if not 0 <= now_boot_ns - cursor.boot_ns <= MAX_BRIDGE_NS:
        return None
    return cursor.counter_uj


def meet(
    sensor: Sensor, feed: str, period_ns: int, item: Reading | Missing, cursor: Cursor | None, past: Past
) -> Device:
    """The first read of a sensor: go on from its cursor if the counter is still the same one, else begin here.

    A sensor that an earlier daemon booked, and whose counter did not survive, has a downtime gap from then to now; one
    whose place another sensor had taken has a gap that says so.
    """
    counter_uj = valid_counter(cursor, past, item.boot_ns)
    if cursor is not None and counter_uj is not None and (isinstance(item, Missing) or item.counter_uj is not None):
        booked_ns = max(cursor.boot_ns, past.booked_boot_ns)
        return Device(track.resume(sensor, period_ns, cursor, counter_uj, booked_ns), feed, booked_ns)
    device = Device(track.begin(sensor, period_ns, item.boot_ns), feed, item.boot_ns)
    if cursor is not None and cursor.boot_id == VOID:
        device.events.append(Gap(cursor.wall_ns - past.offset_ns, item.boot_ns, GapReason.COVERED))
    elif cursor is not None:
        device.events.append(Gap(past.booked_wall_ns - past.offset_ns, item.boot_ns, GapReason.DOWNTIME))
    return device


def used(sensor: Sensor, seen: Observation) -> bool:
    """Whether anybody uses the device; a component whose use is unknown counts as used and teaches nothing. A GPU that
    was only given away is as unused as any: its floor is learned, and what it costs can be flagged idle."""
    match sensor.component:
        case Component.GPU:
            holding = seen.gpu.get(sensor.key)
            return holding is None or any(h.sm_weight > 0 or h.memory_weight > 0 for h in holding.holders)
        case Component.CPU:
            busy_us = sum(share.weight for share in seen.cpu)
            return busy_us * 1000 >= CPU_UNUSED_PERMILLE * seen.cpu_capacity_us
        case Component.DRAM | Component.OTHER:
            return True
