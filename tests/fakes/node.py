"""A scripted node for the agent: feeds and observers that say what a test tells them, and clocks that move when told.

The feeds speak the real interface; the ledger, the meter and everything in between are the real ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tracker.agent import Agent, Settings
from tracker.bookkeeper import Bookkeeper
from tracker.core.amortising import EmbodiedRates
from tracker.core.model import (
    Component,
    DeviceUse,
    Factor,
    Finding,
    GapReason,
    GpuHolding,
    Holder,
    Kind,
    Method,
    Missing,
    Moment,
    Observation,
    Reading,
    Sensor,
    Share,
    Workload,
)
from tracker.core.snapshot import SourceState
from tracker.grid.interface import GridProvider
from tracker.ledger.store import SqliteLedger
from tracker.sources.interface import Batch, Feed
from tracker.workloads.interface import Observer

GPU = Sensor(
    "GPU-a", "nvml", Component.GPU, ("node/gpu/GPU-a",), 100, Method.MEASURED, "nvml-total-energy", max_power_mw=700_000
)
PACKAGE = Sensor(
    "package-0",
    "rapl",
    Component.CPU,
    ("node/cpu/0",),
    90,
    Method.MEASURED,
    "rapl package-0",
    max_power_mw=400_000,
    counter_range_uj=262_143_328_850,
)
POD = Workload("pod/1", Kind.POD, name="train", team="nlp")
USER = Workload("user/1000", Kind.USER, name="ada")
NS = 1_000_000_000
#: 2026-09-21 14:00:00 UTC, a slot edge.
NOON_NS = 1_790_000_400 // 300 * 300 * NS


class ScriptedFeed(Feed):
    """A source that the test plays: sensors with true power, read once a second."""

    def __init__(self, name: str, *sensors: Sensor) -> None:
        self.name = name
        self.period_ns = NS
        self.sensors = sensors  # what the source shows; the hardware counts on whether it is shown or not
        self._hardware = sensors
        self.power_w = {sensor.key: 100 for sensor in sensors}
        self.counter_uj = {sensor.key: 5_000_000_000 for sensor in sensors}
        self.true_uj = dict.fromkeys(self.counter_uj, 0)
        self.failing: dict[str, GapReason] = {}
        self.hangs = False
        self.epoch = "1"
        self.lag_ns = 300_000_000  # a read is never at the very instant of a tick
        self._batches: list[Batch] = []
        self._announced = False

    def advance(self, moment: Moment, seconds: int = 1) -> None:
        """Let the counters run for so long, then read them at ``moment`` (unless the thread hangs)."""
        for sensor in self._hardware:
            energy_uj = self.power_w[sensor.key] * seconds * 1_000_000
            self.true_uj[sensor.key] += energy_uj
            self.counter_uj[sensor.key] += energy_uj
            if sensor.counter_range_uj is not None:
                self.counter_uj[sensor.key] %= sensor.counter_range_uj
        if not self.hangs:
            self.read(moment)

    def read(self, moment: Moment) -> None:
        moment = Moment(moment.mono_ns - self.lag_ns, moment.boot_ns - self.lag_ns, moment.wall_ns - self.lag_ns)
        readings = tuple(
            Reading(s.key, moment.mono_ns, moment.boot_ns, counter_uj=self.counter_uj[s.key], epoch=self.epoch)
            for s in self.sensors
            if s.key not in self.failing
        )
        missing = tuple(Missing(key, moment.boot_ns, reason) for key, reason in self.failing.items())
        self._batches.append(Batch(readings, missing, sensors=None if self._announced else self.sensors))
        self._announced = True

    def announce(self) -> None:
        """Send the inventory again with the next read."""
        self._announced = False

    def drain(self) -> list[Batch]:
        batches, self._batches = self._batches, []
        return batches

    def trouble(self, now: Moment) -> GapReason | None:
        return GapReason.HANG if self.hangs else None

    def state(self, now: Moment) -> SourceState | None:
        return SourceState(self.name, not self.hangs, {}, now.wall_ns / NS, 0.001)

    def reported(self) -> bool:
        return True


class ScriptedObserver(Observer):
    """Says what the test wrote into ``seen``."""

    def __init__(self) -> None:
        self.uses_counts: list[int] = []  # on how many GPUs somebody was known to be, by tick
        self.seen = Observation(
            cpu=(Share(POD, 3_000_000), Share(USER, 1_000_000)),
            cpu_capacity_us=80_000_000,
            dram=(Share(POD, 64 << 30),),
            dram_capacity_bytes=256 << 30,
            gpu={"GPU-a": GpuHolding((Holder(POD, sm_weight=300, memory_weight=40 << 30),))},
        )

    def observe(self, moment: Moment, uses: Mapping[str, DeviceUse]) -> Observation:
        self.uses_counts.append(len(uses))
        return self.seen

    def check(self) -> tuple[Finding, ...]:
        return ()

    def close(self) -> None:
        pass


class FixedGrid(GridProvider):
    """One factor for everything."""

    name = "fixed"

    def __init__(self, intensity_mg_per_kwh: int | None = 50_000, *, assumed: bool = False) -> None:
        self.intensity_mg_per_kwh = intensity_mg_per_kwh
        self.assumed = assumed

    def factor(self, zone: str, at_s: int) -> Factor:
        where = (f"fixed:{zone}", zone, self.intensity_mg_per_kwh, "lifecycle", "location", 5, "fixed", "test table")
        return Factor(*where, 0, 0, assumed=self.assumed)

    def check(self) -> tuple[Finding, ...]:
        return ()


class Node:
    """An agent on a scripted node, over a real ledger in a folder. ``restart`` is a crash and a new process."""

    def __init__(self, folder: Path, *feeds: ScriptedFeed, boot_id: str = "boot-1", pue_permille: int = 1200) -> None:
        self.pue_permille = pue_permille
        self.folder, self.feeds, self.boot_id = folder, feeds, boot_id
        self.observer = ScriptedObserver()
        self.grid: GridProvider = FixedGrid()
        self.embodied = EmbodiedRates()
        self.moment = Moment(1_000 * NS, 1_000 * NS, NOON_NS)
        self.max_series = 500
        self.start()

    def start(self) -> None:
        self.ledger = SqliteLedger(self.folder / "ledger.db")
        opening = self.ledger.open()
        self.books = Bookkeeper(
            self.ledger,
            self.grid,
            opening,
            zone="FR",
            pue=lambda _: self.pue_permille,
            max_series=self.max_series,
            embodied=self.embodied,
        )
        settings = Settings("node-1", "0", self.boot_id, pue_permille=self.pue_permille)
        for feed in self.feeds:
            feed.announce()
        self.agent = Agent(settings, self.feeds, self.observer, self.books, opening, self.moment)

    def restart(self, *, down_s: int = 0, reboot: bool = False) -> None:
        """``kill -9`` (nothing is booked on the way out), ``down_s`` seconds of darkness, and a new process."""
        self.ledger.close()
        for feed in self.feeds:
            feed.drain()
            feed.advance(self._step(down_s), down_s)
            feed.drain()
        if reboot:
            self.boot_id += "'"
            self.moment = replace(self.moment, mono_ns=10 * NS, boot_ns=10 * NS)
        self.start()

    def _step(self, seconds: int) -> Moment:
        m = self.moment
        self.moment = Moment(m.mono_ns + seconds * NS, m.boot_ns + seconds * NS, m.wall_ns + seconds * NS)
        return self.moment

    def run(self, seconds: int, *, tick_s: int = 5) -> None:
        """Read every second, tick every ``tick_s``, commit every other tick."""
        for second in range(1, seconds + 1):
            moment = self._step(1)
            for feed in self.feeds:
                feed.advance(moment)
            if second % tick_s == 0:
                self.agent.tick(moment, commit=second % (2 * tick_s) == 0)

    def first_tick(self) -> None:
        """The first look at everything, committed, as the daemon does at its start."""
        for feed in self.feeds:
            feed.read(self.moment)
        self.agent.tick(self.moment, commit=True)

    def jump_wall(self, seconds: int) -> None:
        self.moment = replace(self.moment, wall_ns=self.moment.wall_ns + seconds * NS)

    def suspend(self, seconds: int) -> None:
        """Asleep: boot and wall time run, monotonic time and the work do not."""
        m = self.moment
        self.moment = Moment(m.mono_ns, m.boot_ns + seconds * NS, m.wall_ns + seconds * NS)

    def device_uj(self, key: str) -> int:
        return next(d.energy_uj for d in self.agent.snapshot.devices if d.sensor.key == key)

    def counters(self) -> dict[str, int]:
        """Every exported counter, for monotonicity checks."""
        snapshot = self.agent.snapshot
        found = {f"device {d.sensor.key}": d.energy_uj for d in snapshot.devices}
        for state in snapshot.workloads:
            for tally in state.tallies:
                name = f"{state.workload.key} {tally.component} {tally.method}"
                found[f"energy {name}"] = tally.energy_uj
                found[f"idle {name}"] = tally.idle_uj
                found[f"held {name}"] = tally.held_ms
            found.update({f"grams {state.workload.key} {b}": g for b, g in state.emissions_ug.items()})
        return found
