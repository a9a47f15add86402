"""One node of the world: a real agent over a real ledger, in simulated time, scraped at every tick.

A ``Play`` says what happens on it; the ledger says afterwards what was true.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tests.dashboards.samples import Samples, Target
from tests.fakes.node import NS, ScriptedFeed
from tracker.agent import Agent, Settings
from tracker.bookkeeper import Bookkeeper
from tracker.core.amortising import EmbodiedRates
from tracker.core.forecast import Forecast
from tracker.core.model import Component, DeviceUse, Finding, GapReason, Moment, Observation, Sensor, Workload
from tracker.core.snapshot import ProviderState, ShipState, Snapshot, SourceState
from tracker.grid.interface import GridProvider
from tracker.ledger.store import SqliteLedger
from tracker.metrics.exposition import Renderer
from tracker.sources.interface import Feed
from tracker.workloads.interface import Observer

#: A tick and a scrape a minute, and every other minute in the first part of the world, which is only looked back to.
TICK_S, COARSE_S = 60, 120
VERSION = "0.4.0"


@dataclass(frozen=True)
class Scene:
    """A moment of a play. ``power_w`` by sensor; ``failing``: sensors that cannot be read; ``reports``: (workload,
    unit, amount in a minute)."""

    power_w: Mapping[str, int] = field(default_factory=dict)
    seen: Observation = field(default_factory=Observation)
    failing: Mapping[str, GapReason] = field(default_factory=dict)
    reports: Sequence[tuple[Workload, str, int]] = ()


class Playing(Feed, ABC):
    """A feed that can be moved to an instant."""

    @abstractmethod
    def advance(self, moment: Moment, seconds: int = 1) -> None:
        """Let so much time pass, up to ``moment``, and read."""


class PlayedFeed(ScriptedFeed):
    """Sensors with the powers of a scene; a read that fails is counted, as the daemon's own thread counts it."""

    def __init__(self, name: str, *sensors: Sensor) -> None:
        super().__init__(name, *sensors)
        self.lag_ns, self.period_ns = (
            0,
            TICK_S * NS,
        )  # read at the instant of a tick: its edges are those of the samples
        self._errors: Counter[str] = Counter()

    def advance(self, moment: Moment, seconds: int = 1) -> None:
        super().advance(moment, seconds)
        self._errors.update(str(reason) for reason in self.failing.values())

    def read(self, moment: Moment) -> None:
        """NVML tells the power beside the counter."""
        super().read(moment)
        if self.name == "nvml":
            batch = self._batches.pop()
            with_power = (replace(r, power_mw=self.power_w[r.sensor] * 1000) for r in batch.readings)
            self._batches.append(replace(batch, readings=tuple(with_power)))

    def state(self, now: Moment) -> SourceState | None:
        return SourceState(self.name, True, dict(self._errors), now.wall_ns / NS, 0.001)


class Grid(GridProvider, ABC):
    """Knows factors, and perhaps what is to come."""

    @abstractmethod
    def outlook(self, zone: str, now_s: int) -> Forecast | None:
        """The forecast that is known at this time."""


@dataclass(frozen=True)
class Cast:
    """A node before the curtain rises. ``play`` gives the scene at a UTC second; None: feeds and observer act by
    themselves."""

    hostname: str
    target: Mapping[str, str]
    feeds: Sequence[PlayedFeed | Playing]
    grid: Grid
    zone: str
    site: str
    pue_permille: int
    pue_source: str
    play: Callable[[int], Scene] | None = None
    observer: Observer | None = None
    embodied: EmbodiedRates = field(default_factory=EmbodiedRates)
    floors_mw: Mapping[Component, int] = field(default_factory=dict)
    version: str = VERSION
    ships: bool = False


class Stage:
    """Runs a cast from ``start_s`` (UTC) on."""

    def __init__(self, folder: Path, cast: Cast, samples: Samples, moment: Moment, fine_from_s: int) -> None:
        self.cast, self.now_s, self._fine_from_s = cast, moment.wall_ns // NS, fine_from_s
        self.path = folder / "ledger.db"
        self._reports: list[tuple[Workload, str, int]] = []
        self._moment = moment
        self._ledger = SqliteLedger(self.path)
        opening = self._ledger.open()
        self._observer = cast.observer or Watcher()
        books = Bookkeeper(
            self._ledger,
            cast.grid,
            opening,
            zone=cast.zone,
            pue=lambda _: cast.pue_permille,
            max_series=500,
            reported=self._reported,
            embodied=cast.embodied,
        )
        settings = Settings(
            cast.hostname,
            cast.version,
            "boot-1",
            tick_ns=TICK_S * NS,
            site=cast.site,
            pue_permille=cast.pue_permille,
            pue_source=cast.pue_source,
            floors_mw=cast.floors_mw,
        )
        self._agent = Agent(settings, cast.feeds, self._observer, books, opening, self._moment)
        self._renderer = Renderer(Cost(self))
        self._target = Target(samples, cast.target)
        for feed in cast.feeds:
            feed.advance(self._moment, 0)
        self._agent.tick(self._moment, commit=True)
        self._scrape()

    def run_to(self, end_s: int) -> None:
        """Play, book and be scraped until then."""
        while self.now_s < end_s:
            self._turn()

    def close(self, *, silent_until_s: int) -> None:
        """The daemon ends; if that is before ``silent_until_s``, its target is down from then on."""
        self._ledger.close()
        for at_s in range(self.now_s + TICK_S, silent_until_s + 1, TICK_S):
            self._target.fail(at_s)

    def _turn(self) -> None:
        length_s = TICK_S if self.now_s >= self._fine_from_s else COARSE_S
        if self.cast.play is not None:
            self._set(self.cast.play(self.now_s), length_s)
        self.now_s += length_s
        m, length_ns = self._moment, length_s * NS
        self._moment = Moment(m.mono_ns + length_ns, m.boot_ns + length_ns, m.wall_ns + length_ns)
        for feed in self.cast.feeds:
            feed.advance(self._moment, length_s)
        self._agent.tick(self._moment, commit=True)
        self._scrape()

    def _set(self, scene: Scene, length_s: int) -> None:
        for feed in self.cast.feeds:
            assert isinstance(feed, PlayedFeed)
            feed.power_w.update({key: watts for key, watts in scene.power_w.items() if key in feed.power_w})
            feed.failing = {key: reason for key, reason in scene.failing.items() if key in feed.power_w}
        assert isinstance(self._observer, Watcher)
        self._observer.seen = scene.seen
        self._reports += ((workload, unit, amount * length_s // 60) for workload, unit, amount in scene.reports)

    def _reported(self) -> list[tuple[Workload, str, int]]:
        reports, self._reports = self._reports, []
        return reports

    def _scrape(self) -> None:
        self._target.scrape(self._renderer.render(self._picture())[0].decode(), self.now_s)

    def _picture(self) -> Snapshot:
        """What the daemon adds to the agent's snapshot: what its thread for the grid has learned."""
        cast, now_s = self.cast, self.now_s
        forecast = cast.grid.outlook(cast.zone, now_s)
        asked = () if forecast is None else (ProviderState(forecast.provider, True, float(now_s // 900 * 900)),)
        shipping = ShipState(True, float(now_s // 3600 * 3600)) if cast.ships else None
        return replace(
            self._agent.snapshot,
            providers=asked,
            forecast=() if forecast is None else (forecast,),
            shipping=shipping,
        )


class Watcher(Observer):
    """Sees what the play says."""

    def __init__(self) -> None:
        self.seen = Observation()

    def observe(self, moment: Moment, uses: Mapping[str, DeviceUse]) -> Observation:
        return self.seen

    def check(self) -> tuple[Finding, ...]:
        return ()

    def close(self) -> None:
        pass


class Cost(Collector):
    """What ``process_*`` would say of a daemon that uses 2 % of a CPU for a minute's work: this test's own would not
    do."""

    CPU_S_PER_MIN = 0.04

    def __init__(self, stage: Stage) -> None:
        self._stage, self._start_s = stage, stage.now_s

    def collect(self) -> list[Metric]:
        age_s = self._stage.now_s - self._start_s
        return [
            CounterMetricFamily("process_cpu_seconds", "cpu", 1 + self.CPU_S_PER_MIN * age_s / 60),
            GaugeMetricFamily("process_resident_memory_bytes", "rss", 35_000_000),
            GaugeMetricFamily("process_virtual_memory_bytes", "vsz", 230_000_000),
            GaugeMetricFamily("process_start_time_seconds", "start", self._start_s),
            GaugeMetricFamily("process_open_fds", "open", 27),
            GaugeMetricFamily("process_max_fds", "max", 1024),
        ]
