"""A small daemon in this process: the real agent, books, ledger and socket, a scripted CPU of 100 W, ticks of 0.1 s.

The CPUs are busy all the time with the operating system, until a run takes its part out of it: a second of CPU time
is worth ``J_PER_CPU_S`` joules.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.fakes.node import PACKAGE, FixedGrid, ScriptedFeed
from tests.workloads.declared.serving import built
from tracker import clock
from tracker.agent import Agent, Settings
from tracker.bookkeeper import Bookkeeper
from tracker.core.model import SYSTEM, Component, DeviceUse, Finding, Moment, Observation, Share, Workload
from tracker.core.snapshot import Snapshot
from tracker.ledger.interface import WorkloadTotals
from tracker.ledger.opening import read_key
from tracker.ledger.readonly import ask
from tracker.ledger.store import SqliteLedger
from tracker.sysfs import Roots
from tracker.workloads.declared.carving import apply
from tracker.workloads.declared.desk import Pace
from tracker.workloads.declared.runs import Runs
from tracker.workloads.interface import Identity, Observer
from tracker.workloads.node import NodeTotals

TICK_S = 0.1
WATTS = 100
CPUS = os.cpu_count() or 1
J_PER_CPU_S = WATTS / CPUS
NS = 1_000_000_000


class AllSystem(Observer):
    """Runs are carved out as the real observer does it."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self._node = NodeTotals(Roots())
        self._before_ns: int | None = None

    def observe(self, moment: Moment, uses: Mapping[str, DeviceUse]) -> Observation:
        tick = self._runs.tick(moment.boot_ns, self.name)
        before_ns, self._before_ns = self._before_ns, moment.mono_ns
        total_bytes, free_bytes = self._node.memory() or (0, 0)
        dram = (Share(SYSTEM, total_bytes - free_bytes),)
        if before_ns is None:
            return Observation(dram=dram, dram_capacity_bytes=total_bytes)
        capacity_us = CPUS * (moment.mono_ns - before_ns) // 1000
        return apply(Observation((Share(SYSTEM, capacity_us),), capacity_us, dram, total_bytes), tick)

    @staticmethod
    def name(_: Identity) -> Workload:
        return SYSTEM

    def check(self) -> tuple[Finding, ...]:
        return ()

    def close(self) -> None:
        self._node.close()


class SmallDaemon:
    """Use as a context manager, or as a process of its own: ``python -m tests.declare.daemon STATE``."""

    def __init__(self, state_dir: Path, max_series: int = 500) -> None:
        self.state_dir, self._max_series = state_dir, max_series
        self.snapshot: Snapshot | None = None

    def start(self) -> Self:
        self._ledger = SqliteLedger(self.state_dir / "ledger.db")
        opening = self._ledger.open()
        pace = Pace(TICK_S, 2 * TICK_S)
        self.runs, self.server = built(self.state_dir, pace, self._ledger_totals)
        self.grid = FixedGrid()
        self._feed = ScriptedFeed("sensors", PACKAGE)
        self._feed.power_w["package-0"] = WATTS
        self._feed.lag_ns = 0
        books = Bookkeeper(
            self._ledger,
            self.grid,
            opening,
            zone="FR",
            pue=lambda _: 1200,
            max_series=self._max_series,
            reported=self.runs.drain_units,
        )
        settings = Settings(
            "node-1",
            "0",
            "boot",
            tick_ns=round(TICK_S * NS),
            site="par1",
            pue_permille=1200,
            floors_mw={Component.CPU: 0},  # a constant power would be taken for idle
        )
        self._moment = clock.now()
        self._observer = AllSystem(self.runs)
        self.agent = Agent(settings, [self._feed], self._observer, books, opening, self._moment)
        self.server.start([self.state_dir / "declare.sock"])
        self._stop = threading.Event()
        self._feed.read(self._moment)
        self._tick(commit=True)
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self._thread.start()
        return self

    def _ledger_totals(self, key: str) -> Iterable[WorkloadTotals]:
        return ask(self.state_dir / "ledger.db", lambda connection: read_key(connection, key))

    def _loop(self) -> None:
        count = 0
        while not self._stop.wait(TICK_S):
            count += 1
            self._advance()
            self._tick(commit=count % 2 == 0)
        self._advance()
        self._tick(commit=True)

    def _advance(self) -> None:
        """The counter runs by the time that passed."""
        before, self._moment = self._moment, clock.now()
        energy_uj = WATTS * (self._moment.boot_ns - before.boot_ns) // 1000
        assert PACKAGE.counter_range_uj is not None
        self._feed.counter_uj["package-0"] = (self._feed.counter_uj["package-0"] + energy_uj) % PACKAGE.counter_range_uj
        self._feed.true_uj["package-0"] += energy_uj
        self._feed.read(self._moment)

    def _tick(self, *, commit: bool) -> None:
        self.agent.tick(self._moment, commit=commit)
        self.snapshot = self.agent.snapshot
        if commit:
            self.server.committed(self.snapshot)

    def stop(self) -> None:
        """In good order."""
        self._stop.set()
        self._thread.join(10)
        self.server.close()
        self._observer.close()
        self._ledger.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._stop.is_set():
            self.stop()

    def run(self, run: str) -> dict[str, int]:
        """Energy in µJ of a run by phase, as booked."""
        assert self.snapshot is not None
        found: dict[str, int] = {}
        for state in self.snapshot.workloads:
            if state.workload.run == run:
                energy_uj = sum(tally.energy_uj for tally in state.tallies)
                found[state.workload.phase] = found.get(state.workload.phase, 0) + energy_uj
        return found

    def units(self, run: str) -> dict[str, int]:
        assert self.snapshot is not None
        found: dict[str, int] = {}
        for state in self.snapshot.workloads:
            if state.workload.run == run:
                for unit, amount in state.units.items():
                    found[unit] = found.get(unit, 0) + amount
        return found


@contextmanager
def daemon_process(state_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """The same in a process of its own, to be killed. Its socket is ``declare.sock`` in the folder."""
    command = [sys.executable, "-m", "tests.declare.daemon", str(state_dir)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


if __name__ == "__main__":
    with SmallDaemon(Path(sys.argv[1])):
        print("ready", flush=True)
        signal.pause()
