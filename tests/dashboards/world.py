"""Two days of four nodes, and what was true of it.

``demo`` is the simulated node of ``wattledger run --demo``, in no cluster; ``gpu-1`` and ``gpu-2`` are scripted
(``plays.py``), in the cluster lab; so is ``cpu-1``, whose daemon dies. All ends at ``END_S``, which the tests call now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from tests.dashboards import plays
from tests.dashboards.samples import Samples
from tests.dashboards.stage import TICK_S, Cast, Grid, PlayedFeed, Playing, Stage
from tests.dashboards.truth import Truth, read_truth
from tests.fakes.node import NS
from tracker.core.amortising import embodied_rates
from tracker.core.factors import FactorType, Scheme
from tracker.core.forecast import Expected, Forecast
from tracker.core.model import Component, Factor, Finding, GapReason, Moment, Sensor
from tracker.core.snapshot import SourceState
from tracker.grid.shipped import devices
from tracker.sources.demo import DemoSource, Options
from tracker.sources.interface import Batch, SourceContext
from tracker.sysfs import Roots
from tracker.workloads.demo import DemoObserver

H = 3600
#: 2026-10-14 22:20 UTC, a Wednesday.
END_S = 1_792_016_400
START_S, FINE_FROM_S = END_S - 50 * H, END_S - 25 * H
#: On the demo's own clock it is nine o'clock at boot; so it is 20:20 there, too, when the world begins.
BOOT_NS = (11 * H + 1200) * NS
#: The demo's power is compared with its counter: once a minute is too rare for that.
DEMO_READ_S = 20
SILENT_FROM_S = END_S - 90 * 60
#: g/kWh by the hour of the day.
DIRECT_G = (38, 36, 35, 34, 35, 38, 44, 52, 55, 50, 43, 38, 35, 34, 36, 40, 47, 58, 66, 64, 58, 52, 46, 41)
MARKET_G = 41


@dataclass(frozen=True)
class World:
    """``samples``: what a Prometheus has scraped. ``truth``: what the ledgers say."""

    samples: Samples
    truth: Truth


class HourlyGrid(Grid):
    """Each hour of the day has its intensity, the market another one, and the day to come is forecast."""

    name = "electricitymaps"

    def factor(self, zone: str, at_s: int) -> Factor:
        hour_s = at_s // H * H
        return Factor(
            f"em:{zone}:{hour_s}", zone, DIRECT_G[hour_s // H % 24] * 1000, "direct", "location", 2, self.name, "test",
            hour_s, hour_s,
        )  # fmt: skip

    def market(self, zone: str, at_s: int) -> Factor | None:
        year_s = 1_735_689_600  # 2025
        return Factor(
            f"aib:{zone}", zone, MARKET_G * 1000, "direct", "market", 4, "tables", "AIB, test", year_s, year_s
        )

    def outlook(self, zone: str, now_s: int) -> Forecast | None:
        begin_s = now_s // H * H
        hours = range(begin_s, begin_s + 25 * H, H)
        points = tuple(Expected(s, s + H, Decimal(DIRECT_G[s // H % 24])) for s in hours)
        return Forecast(zone, self.name, Scheme.AVERAGE, FactorType.DIRECT, "CO2e", begin_s, points)

    def check(self) -> tuple[Finding, ...]:
        return ()


class YearlyGrid(HourlyGrid):
    """A table's value of two years ago, and nothing else."""

    name = "tables"

    def factor(self, zone: str, at_s: int) -> Factor:
        return Factor(f"t:{zone}", zone, 458_000, "lifecycle", "location", 5, self.name, "test", 1_704_067_200, 0)

    def market(self, zone: str, at_s: int) -> Factor | None:
        return None

    def outlook(self, zone: str, now_s: int) -> Forecast | None:
        return None


class DemoFeed(Playing):
    """The demo's own source, read when told."""

    def __init__(self) -> None:
        self.name, self.period_ns = DemoSource.name, TICK_S * NS
        self._moment = Moment(0, 0, 0)
        self._source = DemoSource(Options(), SourceContext(Roots(Path("/"), Path("/")), lambda: self._moment))
        self._batches: list[Batch] = []
        self._source.open()

    def advance(self, moment: Moment, seconds: int = 1) -> None:
        for late_s in range(seconds - DEMO_READ_S, -1, -DEMO_READ_S) if seconds else (0,):
            self._moment = Moment(*(ns - late_s * NS for ns in (moment.mono_ns, moment.boot_ns, moment.wall_ns)))
            self._batches.append(self._source.read())

    def drain(self) -> list[Batch]:
        batches, self._batches = self._batches, []
        return batches

    def trouble(self, now: Moment) -> GapReason | None:
        return None

    def state(self, now: Moment) -> SourceState | None:
        return SourceState(self.name, True, {}, now.wall_ns / NS, 0.0004)

    def reported(self) -> bool:
        return True


def _feeds(**sensors: Sequence[Sensor]) -> tuple[PlayedFeed, ...]:
    return tuple(PlayedFeed(name, *those) for name, those in sensors.items())


def casts() -> tuple[Cast, ...]:
    lab = {"cluster": "lab", "site": "par1", "job": "wattledger"}
    made = embodied_rates(devices(), {}, Decimal(2500))
    floors = {Component.GPU: 100_000, Component.CPU: 60_000}
    return (
        Cast(
            "demo", {"job": "wattledger", "instance": "10.0.2.1:9837"}, (DemoFeed(),), HourlyGrid(), "FR", "",
            1560, "assumed: the industry's average", observer=DemoObserver(), embodied=made,
        ),
        Cast(
            "gpu-1", {**lab, "instance": "10.0.0.1:9837"}, _feeds(nvml=plays.GPUS_1, rapl=plays.RAPL_1), HourlyGrid(),
            "FR", "par1", 1210, "operator, 2026-Q3", plays.first, embodied=made, floors_mw=floors, ships=True,
        ),
        Cast(
            "gpu-2", {**lab, "instance": "10.0.0.2:9837"},
            _feeds(nvml=plays.GPUS_2, estimate=plays.MODEL_2, ipmi=(plays.BOARD,)), HourlyGrid(), "FR", "par1", 1210,
            "operator, 2026-Q3", plays.second, embodied=made, floors_mw=floors, ships=True,
        ),
        Cast(
            "cpu-1", {**lab, "instance": "10.0.0.3:9837"}, _feeds(estimate=plays.MODEL_3), YearlyGrid(), "FR", "par1",
            1210, "operator, 2026-Q3", plays.third, version="0.3.1",
        ),
    )  # fmt: skip


def make_world(folder: Path) -> World:
    """Play everything. Takes some ten seconds."""
    samples, ledgers = Samples(), {}
    for cast in casts():
        place = folder / cast.hostname
        place.mkdir(parents=True)
        stage = Stage(place, cast, samples, Moment(BOOT_NS, BOOT_NS, START_S * NS), FINE_FROM_S)
        stage.run_to(SILENT_FROM_S if cast.hostname == "cpu-1" else END_S)
        stage.close(silent_until_s=END_S)
        ledgers[cast.hostname] = stage.path
    plays.serve(samples, {"cluster": "lab", "site": "par1"}, START_S, END_S, TICK_S)
    return World(samples, read_truth(ledgers, _clusters()))


def _clusters() -> Mapping[str, str]:
    return {cast.hostname: cast.target.get("cluster", "") for cast in casts()}
