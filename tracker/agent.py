"""The agent: one thread that owns all state and, once per tick, turns readings into booked energy and a snapshot.

    drain readings -> spans and gaps (core.track)      who used the node (observer)
    -> charges in slots (core.charging, core.split) -> pending -> ledger.book -> totals -> snapshot

Rules of this file: no SQL, no HTTP, no driver call, no clock; time comes in as a ``Moment``. Exported counters are the
committed totals, so a reader never sees a joule that a crash could take back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tracker.bookkeeper import Bookkeeper
from tracker.core import slots, track
from tracker.core.charging import Window, after, charge_device, record_gap
from tracker.core.device import Device
from tracker.core.model import (
    Component,
    DeviceUse,
    Gap,
    GapReason,
    Moment,
    Observation,
    Span,
)
from tracker.core.roster import Roster
from tracker.core.snapshot import DeviceState, PowerPoint, Snapshot
from tracker.core.units import NS_PER_MS, NS_PER_S
from tracker.ledger.interface import Opening
from tracker.memory import Memory
from tracker.sources.interface import Batch, Feed
from tracker.workloads.interface import Observer

#: The wall clock has stepped when it moved this much against boot time; smaller corrections do not move slots.
CLOCK_STEP_NS = NS_PER_S // 2
#: What was observed in a tick also holds for the time up to this many ticks before it.
REACH_TICKS = 2
CHART_POINTS = 360
#: Who is on a GPU is believed for so long after it was learned (every 10 s); then it is unknown.
USE_LIFE_NS = 35 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Settings:
    """What the agent is told about the node."""

    hostname: str
    version: str
    boot_id: str
    tick_ns: int = 5 * NS_PER_S
    site: str = ""
    pue_permille: int = 1000
    pue_source: str = ""
    floors_mw: Mapping[Component, int] = field(default_factory=dict)  # configured idle floors


class Agent:
    """Owns every track, the pending increments and the snapshot. Not thread-safe on purpose: one thread calls it."""

    def __init__(
        self,
        settings: Settings,
        feeds: Sequence[Feed],
        observer: Observer,
        books: Bookkeeper,
        opening: Opening,
        start: Moment,
    ) -> None:
        self._settings, self._feeds, self._observer, self._books = settings, feeds, observer, books
        self._opening = opening
        self._memory = Memory.load(opening, settings.boot_id, start)
        known = {key: device.sensor for key, device in opening.devices.items()}
        self._roster = Roster(known, opening.cursors, self._memory.past)
        self._early: dict[str, list[Batch]] = {}  # read after the tick's moment: of the next tick
        self._uses: dict[str, tuple[DeviceUse, int]] = {}  # and when they were learned
        self._offset_ns = self._memory.past.offset_ns
        self._end_boot_ns = start.boot_ns
        self._until_ms = opening.booked_until_ms or 0
        self._history: deque[PowerPoint] = deque(maxlen=CHART_POINTS)
        self._metered_uj = self._charged_uj = 0
        self.ticks_missed = 0
        self.ready = False
        self.clock_step_ns = 0  # of the last tick; for the log
        self.snapshot = self._picture(start, Observation())

    @property
    def booked_until_s(self) -> float:
        """How far the books reach, in wall seconds; never goes back."""
        return self._until_ms / 1000

    def tick(self, now: Moment, *, commit: bool) -> None:
        """One turn. ``commit``: also book what is pending (every other tick, the first one, and the last)."""
        self._drain(now)
        fresh_ns = now.boot_ns - USE_LIFE_NS
        uses = {key: use for key, (use, learned_ns) in self._uses.items() if learned_ns >= fresh_ns}
        seen = self._observer.observe(now, uses)
        reach_ns = REACH_TICKS * self._settings.tick_ns
        floor_slot_s = slots.slot_of(self._until_ms * NS_PER_MS)
        window = Window(now.boot_ns, self._end_boot_ns - reach_ns, self._offset_ns, floor_slot_s)
        roster = self._roster
        for key, device in roster.devices.items():
            charged_uj = None
            if key in roster.booked:
                charged_uj = self._charge(device, seen, window)
            elif seen.own is None:
                device.seen_uj += sum(span.energy_uj for span in device.spans())
            device.held_boot_ns = max(device.held_boot_ns, now.boot_ns)
            device.measure(seen, learn_floor=device.sensor.component not in self._settings.floors_mw)
            if seen.own is not None:
                device.show_own(charged_uj)
            device.events.clear()
        roster.hand_over(now.boot_ns, window, self._books.pending)
        self._end_tick(now, window)
        if commit:
            self._commit(now)
            resting = roster.idle_feeds()
            for feed in self._feeds:
                feed.rest(resting=feed.name in resting)
        powers = {k: d.power_mw for k, d in roster.booked_devices().items() if d.power_mw is not None}
        if powers or self._history:  # the first look has no power yet, and a chart should not begin at nothing
            self._history.append(PowerPoint(now.wall_ns / NS_PER_S, powers))
        self.snapshot = self._picture(now, seen)

    def _drain(self, now: Moment) -> None:
        """Take what the sources brought up to this tick's moment. What was read after it is left for the next tick:
        it may belong to a slot that has not begun."""
        troubles: dict[str, GapReason | None] = {}
        for feed in self._feeds:
            batches = [*self._early.pop(feed.name, ()), *feed.drain()]
            for position, batch in enumerate(batches):
                if any(reading.boot_ns > now.boot_ns for reading in batch.readings):
                    self._early[feed.name] = batches[position:]
                    break
                self._take(feed, batch, now)
            troubles[feed.name] = feed.trouble(now)
        if not self.ready:
            periods_ns = {feed.name: feed.period_ns for feed in self._feeds}
            for device in self._roster.expect(periods_ns, now.boot_ns):
                self._remember(device)
        self._roster.overdue(now.boot_ns, troubles)

    def _take(self, feed: Feed, batch: Batch, now: Moment) -> None:
        if batch.sensors is not None:
            self._roster.announce(feed.name, batch.sensors)
        if batch.uses is not None:
            self._uses.update({use.device: (use, now.boot_ns) for use in batch.uses})
        for missing in batch.missing:
            self._remember(self._roster.take(feed.name, feed.period_ns, missing))
        for reading in batch.readings:
            self._remember(self._roster.take(feed.name, feed.period_ns, reading))

    def _remember(self, device: Device | None) -> None:
        """Give a device that was just met what the daemon before this one knew of it."""
        if device is None:
            return
        sensor, memory = device.sensor, self._memory
        device.floor_mw = self._settings.floors_mw.get(sensor.component, memory.floors_mw.get(sensor.key))
        device.seen_uj = memory.seen_uj.get(sensor.key, 0)
        if sensor.key in memory.by_power:
            device.track = track.prefer_power(device.track)

    def _charge(self, device: Device, seen: Observation, window: Window) -> int:
        """Charge what the device used in this tick. Returns the energy that is to be booked."""
        pending = self._books.pending
        for gap in device.gaps():
            record_gap(device.sensor.key, gap, window, pending)
        spans: list[Span] = []
        for span in device.spans():
            mine, others_uj = after(span, device.booked_from_ns)
            device.seen_uj += others_uj
            if mine is not None:
                spans.append(mine)
        metered_uj, charged_uj = charge_device(
            device.sensor, spans, device.held_boot_ns, window, device.floor_mw, seen, pending
        )
        self._metered_uj += metered_uj
        self._charged_uj += charged_uj
        return charged_uj

    def _end_tick(self, now: Moment, window: Window) -> None:
        """Note how far the books reach, and follow the wall clock if it stepped.

        A step forward leaves time that never was: a gap over it. After a step back the open slot goes on until the wall
        clock has caught up; the gap says by how much it is longer.
        """
        end_ms = (now.boot_ns + self._offset_ns) // NS_PER_MS
        step_ns = now.wall_ns - now.boot_ns - self._offset_ns
        self.clock_step_ns = step_ns if abs(step_ns) > CLOCK_STEP_NS else 0
        if abs(step_ns) > CLOCK_STEP_NS:
            gap = Gap(now.boot_ns, now.boot_ns + step_ns, GapReason.CLOCK_STEP)
            for key in self._roster.booked_devices():
                if step_ns > 0:
                    record_gap(key, gap, window, self._books.pending)
                else:
                    open_slot_s = max(slots.slot_of(end_ms * NS_PER_MS), window.floor_slot_s)
                    self._books.pending.gap(open_slot_s, key, gap.reason, -step_ns // NS_PER_MS)
            self._offset_ns += step_ns
            end_ms = max(end_ms, now.wall_ns // NS_PER_MS)
        self._until_ms = max(self._until_ms, end_ms)
        self._end_boot_ns = now.boot_ns

    def _commit(self, now: Moment) -> None:
        """Book what is pending, with the cursors it reaches and the little state that should survive a restart."""
        roster, boot_id = self._roster, self._settings.boot_id
        cursors, voided = roster.cursors(boot_id, self._offset_ns)
        charged = {key[1] for key in self._books.pending.entries} | {key[1] for key in self._books.pending.gaps}
        sensors = {key: d.sensor for key, d in roster.devices.items() if key in roster.booked or key in charged}
        meta = self._memory.store(roster.devices, boot_id, self._end_boot_ns, self._offset_ns)
        if self._books.book([*cursors, *voided], sensors, meta, self._until_ms, now):
            roster.confirm(voided)
        self.ready = True

    def _picture(self, now: Moment, seen: Observation) -> Snapshot:
        settings, books = self._settings, self._books
        before_uj = self._opening.total_energy_uj - self._opening.charged_energy_uj
        ratios = {key: device.track.check.ratio_permille for key, device in self._roster.devices.items()}
        return Snapshot(
            hostname=settings.hostname,
            version=settings.version,
            ready=self.ready,
            tick_wall_s=now.wall_ns / NS_PER_S,
            ticks_missed=self.ticks_missed,
            devices=tuple(self._device_state(key, device) for key, device in self._roster.devices.items()),
            workloads=books.workloads,
            sources=tuple(state for feed in self._feeds if (state := feed.state(now)) is not None),
            gaps=books.gaps(),
            factor=books.factor,
            market=books.market,
            embodied=books.embodied,
            site=settings.site,
            pue_permille=settings.pue_permille if books.pue_permille is None else books.pue_permille,
            pue_source=settings.pue_source,
            conservation_error_uj=abs(before_uj + self._metered_uj - self._charged_uj),
            ledger=books.health,
            history=tuple(self._history),
            joined_processes=seen.joined_processes,
            unjoined_processes=seen.unjoined_processes,
            crosscheck_permille={key: ratio for key, ratio in ratios.items() if ratio is not None},
        )

    def _device_state(self, key: str, device: Device) -> DeviceState:
        booked_uj = self._books.device_energy_uj(key)
        if key in self._roster.booked or booked_uj is not None:
            return DeviceState(device.sensor, True, booked_uj or 0, device.power_mw, device.gap)
        return DeviceState(device.sensor, False, device.seen_uj, device.power_mw, device.gap)
