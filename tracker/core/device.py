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
from tracker.core.units import power_of

#: A node whose CPUs are busy for less than this is unused: its power teaches the idle floor.
CPU_UNUSED_PERMILLE = 50


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


def meet(
    sensor: Sensor,
    feed: str,
    period_ns: int,
    item: Reading | Missing,
    cursor: Cursor | None,
    boot_id: str,
    offset_ns: int,
) -> Device:
    """The first read of a sensor: go on from its cursor if the counter is still the same one, else begin here.

    A sensor that an earlier daemon booked, and whose counter did not survive, has a downtime gap from then to now.
    """
    counter_uj = None if cursor is None or cursor.boot_id != boot_id else cursor.counter_uj
    if cursor is not None and counter_uj is not None and isinstance(item, Reading) and item.counter_uj is not None:
        return Device(track.resume(sensor, period_ns, cursor, counter_uj), feed, cursor.boot_ns)
    device = Device(track.begin(sensor, period_ns, item.boot_ns), feed, item.boot_ns)
    if cursor is not None:
        device.events.append(Gap(cursor.wall_ns - offset_ns, item.boot_ns, GapReason.DOWNTIME))
    return device


def used(sensor: Sensor, seen: Observation) -> bool:
    """Whether anybody uses the device; a component whose use is unknown counts as used and teaches nothing. A GPU that
    was only given away is as unused as any: its floor is learned, and what it costs can be flagged idle."""
    match sensor.component:
        case Component.GPU:
            holding = seen.gpu.get(sensor.key)
            return holding is not None and any(h.sm_weight > 0 or h.memory_weight > 0 for h in holding.holders)
        case Component.CPU:
            busy_us = sum(share.weight for share in seen.cpu)
            return busy_us * 1000 >= CPU_UNUSED_PERMILLE * seen.cpu_capacity_us
        case Component.DRAM | Component.OTHER:
            return True
