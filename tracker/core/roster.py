"""Which sensors there are, which of them are booked, and how one takes the place of another without a joule twice (P4).

A sensor that vanished keeps its place: its absence is a gap. A sensor that is displaced by a preferred one hands over
at the end
of a tick; its stored cursor is made void, so that no later daemon takes up energy that the other one has booked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from tracker.core import cover, track
from tracker.core.accounts import Pending
from tracker.core.charging import Window, record_gap
from tracker.core.device import VOID, Device, Past, meet, valid_counter
from tracker.core.model import Cursor, Gap, GapReason, Method, Missing, Reading, Sensor


class Roster:
    """Every sensor of the node as a ``Device``. Owned by the agent's thread alone."""

    def __init__(self, known: Mapping[str, Sensor], cursors: Mapping[str, Cursor], past: Past) -> None:
        """``known``: the devices of the ledger."""
        self.devices: dict[str, Device] = {}
        self.booked: frozenset[str] = frozenset()
        self._chosen: frozenset[str] = frozenset()  # what is booked from the next tick on
        self._known, self._past = known, past
        self._cursors = dict(cursors)  # of devices that were not met yet
        self._void: set[str] = set()
        self._inventories: dict[str, Mapping[str, Sensor]] = {}  # by feed

    def booked_devices(self) -> dict[str, Device]:
        """The devices that are booked, by key."""
        return {key: self.devices[key] for key in sorted(self.booked & self.devices.keys())}

    def announce(self, feed: str, sensors: Iterable[Sensor]) -> None:
        """Take a feed's inventory and decide anew which sensors are booked.

        A sensor that takes the place of another waits for ``hand_over``, so that no time is booked by both.
        """
        self._inventories[feed] = {sensor.key: sensor for sensor in sensors}
        present = {key: self.devices[key].sensor for key in self.booked if key in self.devices}
        for inventory in self._inventories.values():
            present.update(inventory)
        self._chosen = cover.choose(present.values())
        leaving = [present[key] for key in self.booked - self._chosen if key in present]
        waiting = {key for key in self._chosen for other in leaving if cover.overlap(present[key], other)}
        self.booked = self.booked | (self._chosen - waiting) if leaving else self._chosen
        for key, device in self.devices.items():
            if key in present and device.sensor != present[key]:
                device.track = track.rename(device.track, present[key])

    def take(self, feed: str, period_ns: int, item: Reading | Missing) -> Device | None:
        """Give a read to its device. Returns the device if this is the first read of it."""
        sensor = self._inventories.get(feed, {}).get(item.sensor)
        if sensor is None:
            return None
        device = self.devices.get(sensor.key)
        new = device is None
        if device is None:
            cursor = self._cursors.pop(sensor.key, None)
            device = self.devices[sensor.key] = meet(sensor, feed, period_ns, item, cursor, self._past)
        device.take(item)
        return device if new else None

    def overdue(self, now_boot_ns: int, troubles: Mapping[str, GapReason | None]) -> None:
        """Note for every booked device that nothing came for too long. ``troubles``: of each feed as a whole."""
        for key, device in self.booked_devices().items():
            listed = key in self._inventories.get(device.feed, {})
            device.overdue(now_boot_ns, troubles[device.feed] if listed else GapReason.LOST)

    def expect(self, periods_ns: Mapping[str, int], now_boot_ns: int) -> Iterator[Device]:
        """After the first reads: what was booked in this boot and is not there is lost, not forgotten."""
        here = [device.sensor for device in self.booked_devices().values()]
        for key, sensor in self._known.items():
            cursor = self._cursors.get(key)
            counter_uj = valid_counter(cursor, self._past, now_boot_ns)
            if counter_uj is None or sensor.source not in periods_ns or any(cover.overlap(sensor, s) for s in here):
                continue
            missing = Missing(key, now_boot_ns, GapReason.LOST)
            device = meet(sensor, sensor.source, periods_ns[sensor.source], missing, cursor, self._past)
            device.take(missing)
            self.devices[key] = device
            del self._cursors[key]
            self.booked |= {key}
            self._chosen |= {key}
            yield device

    def hand_over(self, now_boot_ns: int, window: Window, pending: Pending) -> None:
        """At the end of a tick: book the chosen sensors from here on, each from where the one before it has ended."""
        if self._chosen == self.booked:
            return
        leaving = [self.devices[key] for key in self.booked - self._chosen if key in self.devices]
        for key in self._chosen - self.booked:
            device = self.devices.get(key)
            if device is None:
                continue
            known_ns = [d.track.seen_boot_ns for d in leaving if cover.overlap(d.sensor, device.sensor)]
            device.booked_from_ns = max(known_ns, default=0)
            if device.displaced_ns is not None:
                record_gap(key, Gap(device.displaced_ns, now_boot_ns, GapReason.COVERED), window, pending)
                device.displaced_ns = None
            elif 0 < device.booked_from_ns < device.track.seen_boot_ns:
                gap = Gap(device.booked_from_ns, device.track.seen_boot_ns, GapReason.START)
                record_gap(key, gap, window, pending)
            self._void.discard(key)
        for device in leaving:
            device.displaced_ns = now_boot_ns
        self.booked = self._chosen

    def idle_feeds(self) -> frozenset[str]:
        """The feeds of models of which nothing is booked: a sensor that measures stands in their place."""
        return frozenset(
            feed
            for feed, inventory in self._inventories.items()
            if inventory
            and not self.booked & inventory.keys()
            and all(sensor.method is Method.MODELLED for sensor in inventory.values())
        )

    def cursors(self, boot_id: str, offset_ns: int) -> tuple[list[Cursor], list[Cursor]]:
        """What to store: the cursors of the booked devices, and void ones for those whose place is taken."""
        booked = self.booked_devices().values()
        reached = [track.cursor_of(device.track, boot_id, offset_ns) for device in booked]
        last_ns = dict.fromkeys(self._cursors, self._past.booked_wall_ns)
        for key, device in self.devices.items():
            if key not in self.booked and device.displaced_ns is not None:
                last_ns[key] = device.displaced_ns + offset_ns
        voided = [
            Cursor(key, VOID, 0, wall_ns, None)
            for key, wall_ns in last_ns.items()
            if key not in self._void and self._is_covered(key, [device.sensor for device in booked])
        ]
        return reached, voided

    def confirm(self, voided: Iterable[Cursor]) -> None:
        """These void cursors are in the ledger."""
        self._void.update(cursor.sensor for cursor in voided)

    def _is_covered(self, key: str, booked: Iterable[Sensor]) -> bool:
        sensor = self.devices[key].sensor if key in self.devices else self._known.get(key)
        return sensor is not None and any(cover.overlap(sensor, other) for other in booked)
