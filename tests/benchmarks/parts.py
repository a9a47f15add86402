"""What one turn of the agent costs, and each part of it: CPU time of the thread, in this process, without waiting.

Everything is real (sources, observer, ledger, accounts) except the hardware below. Hot loops flatter: a daemon that
sleeps a second between two reads finds cold caches and pays more, which is why the cost on a node is measured apart.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Self

from tests.benchmarks.groups import Groups
from tests.benchmarks.node import GPUS, square_wave
from tests.benchmarks.rows import Row, percentile
from tests.fakes.machine import Machine
from tests.fakes.node import FixedGrid
from tests.fakes.nvml.fake_nvml import FakeNvml
from tests.fakes.nvml.parts import A100, FakeGpu, FakeProcess
from tracker.agent import Agent, Settings
from tracker.bookkeeper import Bookkeeper
from tracker.core.model import Booking, DeviceUse, GapReason, Moment, Observation
from tracker.core.snapshot import SourceState
from tracker.ledger.store import SqliteLedger
from tracker.sources.interface import Batch, Feed, Source, SourceContext
from tracker.sources.nvml import NvmlSource
from tracker.sources.nvml import Options as NvmlOptions
from tracker.sources.rapl import Options as RaplOptions
from tracker.sources.rapl import RaplSource
from tracker.sysfs import Roots
from tracker.workloads.observer import CgroupObserver

SECTION = "parts"
TICK_S, READ_S = 5, 1
NS = 1_000_000_000
NOON_NS = 1_790_000_400 // 300 * 300 * NS


def run(folder: Path, *, quick: bool) -> list[Row]:
    ticks = 40 if quick else 240
    rows: list[Row] = []
    for name, pods, containers in (("64 workloads", 40, 24), ("200 pods", 200, 0)):
        with _Rig(folder / name.replace(" ", "-"), pods, containers) as rig:
            rig.run(ticks)
            rows += rig.rows(f"{GPUS} GPUs, {name}", ticks)
    return rows


@dataclass(slots=True)
class Times:
    """CPU time of calls of this thread, in ms."""

    ms: list[float] = field(default_factory=list)

    def take(self, call: Callable[[], object]) -> None:
        begin = time.thread_time_ns()
        call()
        self.ms.append((time.thread_time_ns() - begin) / 1e6)

    def add(self, begin_ns: int) -> None:
        self.ms.append((time.thread_time_ns() - begin_ns) / 1e6)


class _TimedObserver(CgroupObserver):
    def __init__(self, roots: Roots, times: Times) -> None:
        super().__init__(roots)
        self._times = times

    def observe(self, moment: Moment, uses: Mapping[str, DeviceUse]) -> Observation:
        begin = time.thread_time_ns()
        seen = super().observe(moment, uses)
        self._times.add(begin)
        return seen


class _TimedLedger(SqliteLedger):
    def __init__(self, path: Path, times: Times) -> None:
        super().__init__(path)
        self._times = times

    def book(self, booking: Booking) -> None:
        begin = time.thread_time_ns()
        super().book(booking)
        self._times.add(begin)


class _DirectFeed(Feed):
    """A source without its thread: read when told."""

    def __init__(self, source: Source, times: Times) -> None:
        self.name, self.period_ns = source.name, round(source.period_s * NS)
        self.source, self._times = source, times
        self._batches: list[Batch] = []

    def read(self) -> None:
        self._times.take(lambda: self._batches.append(self.source.read()))

    def drain(self) -> list[Batch]:
        batches, self._batches = self._batches, []
        return batches

    def trouble(self, now: Moment) -> GapReason | None:
        return None

    def state(self, now: Moment) -> SourceState | None:
        return SourceState(self.name, True, {}, now.wall_ns / NS, 0.0)

    def reported(self) -> bool:
        return True


class _Rig:
    """The agent on a node whose time passes when told."""

    def __init__(self, folder: Path, pods: int, containers: int) -> None:
        folder.mkdir()
        self._folder = folder
        self.machine = Machine.xeon(folder / "node")
        self.groups = Groups(self.machine.cgroup_root)
        self.groups.build(pods=pods, containers=containers)
        self.nvml = FakeNvml(folder / "nvml", [self._gpu(number) for number in range(GPUS)])
        self.nvml.load()
        self.now = Moment(1_000 * NS, 1_000 * NS, NOON_NS)
        self.times = {name: Times() for name in ("tick", "tick with booking", "observe", "book", "nvml", "rapl")}

    def __enter__(self) -> Self:
        context = SourceContext(self.machine.roots, lambda: self.now)
        self.sources = (NvmlSource(NvmlOptions(), context), RaplSource(RaplOptions(), context))
        self.feeds = [_DirectFeed(source, self.times[source.name]) for source in self.sources]
        for source in self.sources:
            source.open()
        self.ledger = _TimedLedger(self._folder / "ledger.sqlite3", self.times["book"])
        opening = self.ledger.open()
        books = Bookkeeper(self.ledger, FixedGrid(), opening, zone="FR", pue=lambda _: 1200, max_series=500)
        self.observer = _TimedObserver(self.machine.roots, self.times["observe"])
        self.agent = Agent(Settings("node", "0", "boot"), self.feeds, self.observer, books, opening, self.now)
        return self

    def __exit__(self, *_: object) -> None:
        for source in self.sources:
            source.close()
        self.observer.close()
        self.ledger.close()
        self.groups.close()
        self.machine.close()

    def run(self, ticks: int) -> None:
        for number in range(ticks):
            for _ in range(TICK_S):
                self._second()
            self.groups.advance(TICK_S)
            commit = number % 2 == 0
            name = "tick with booking" if commit else "tick"
            self.times[name].take(partial(self.agent.tick, self.now, commit=commit))

    def rows(self, what: str, ticks: int) -> list[Row]:
        hows = {
            "tick": f"{what}; {ticks} ticks of {TICK_S} s; CPU time",
            "tick with booking": "the same, every other tick",
            "observe": "cgroups, memory, GPU processes; part of every tick",
            "book": "one SQLite transaction; part of a tick with booking",
            "nvml": "energy and power of all GPUs, each second; processes every 10 s",
            "rapl": "6 zones, each second",
        }
        rows = []
        for name, how in hows.items():
            found = self.times[name].ms[len(self.times[name].ms) // 5 :]
            rows.append(Row(SECTION, f"{name}, {what}: p50", percentile(found, 50), "ms", None, how))
            rows.append(Row(SECTION, f"{name}, {what}: p99", percentile(found, 99), "ms"))
        return rows

    def _second(self) -> None:
        m = self.now
        self.now = Moment(m.mono_ns + NS, m.boot_ns + NS, m.wall_ns + NS)
        self.nvml.advance(READ_S)
        self.machine.powercap.advance(NS)
        for feed in self.feeds:
            feed.read()

    def _gpu(self, number: int) -> FakeGpu:
        """Like the GPUs of ``BenchNode``, on a clock of its own; two processes each, of the first pods."""
        processes = []
        for pid in (5000 + number, 6000 + number):
            folder = self.machine.procfs / str(pid)
            folder.mkdir()
            path = self.groups.works[pid % 10].path
            (folder / "cgroup").write_text(f"0::{path}\n")
            (folder / "stat").write_text(f"{pid} (python3) S {' '.join(['1'] * 18)} 4711 {' '.join(['0'] * 30)}\n")
            processes.append(FakeProcess(pid, 20 << 30, sm_percent=40))
        return FakeGpu(A100, power=square_wave(number / GPUS), processes=processes)
