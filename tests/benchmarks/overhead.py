"""What the daemon costs on a node, and others beside it in the same minutes; and what each of them would have booked.

All run at once on the same simulated node: together they use some percent of one CPU, so they do not get into each
other's way, and whatever else the machine does hits all of them alike.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pynvml

from tests.benchmarks.contenders import Contender, Plan, codecarbon, daemon, nvitop_exporter
from tests.benchmarks.node import BURST_W, GPUS, BenchNode
from tests.benchmarks.rows import Row
from tests.e2e.daemon import until
from tracker.ledger.files import LEDGER_FILE
from tracker.ledger.interface import Opening
from tracker.ledger.opening import read_opening
from tracker.ledger.readonly import ask

SECTION = "cost on a node"
ENERGY = "energy"
CPU_BUDGET, RSS_BUDGET_MIB = 0.05, 36.0
ERROR_BUDGET_PERCENT = 0.1
SCRAPE_S = 15.0
STATE = "state"


@dataclass(frozen=True, slots=True)
class Length:
    """Seconds of a run. ``measure_s`` is a multiple of the scrape interval."""

    warm_up_s: float
    measure_s: float
    energy_s: float


FULL = Length(warm_up_s=20, measure_s=120, energy_s=60)
QUICK = Length(warm_up_s=8, measure_s=30, energy_s=20)


def run(folder: Path, *, quick: bool) -> list[Row]:
    length = QUICK if quick else FULL
    with BenchNode(folder) as node, ExitStack() as stack:
        node.nvml.load()  # for the pollers, in this process
        pynvml.nvmlInit()
        plans = [
            daemon(node, folder / STATE, "wattledger", scraped=True),
            daemon(node, folder / "unscraped", "wattledger, not scraped", scraped=False),
            *(codecarbon(node, seconds) for seconds in (1, 15)),
            *(nvitop_exporter(seconds) for seconds in (1, 15)),
        ]
        running = [stack.enter_context(_start(node, plan, folder / f"run-{i}")) for i, plan in enumerate(plans)]
        for each in running:
            each.wait_serving()
        time.sleep(length.warm_up_s)
        energy = _Energy(node, folder / STATE / LEDGER_FILE, length.energy_s)
        energy.start()
        for each in running:
            each.begin()
        _scrape(running, length.measure_s)
        rows = [row for each in running for row in _cost_rows(each, node, length)]
        energy.join()
        return [*rows, *energy.rows]


def _start(node: BenchNode, plan: Plan, folder: Path) -> Contender:
    return Contender(plan, folder, node.env)


def _scrape(running: list[Contender], seconds: float) -> None:
    """Every 15 s, as Prometheus would; ends when the time is over."""
    end_s = time.monotonic() + seconds
    for _ in range(int(seconds / SCRAPE_S)):
        for each in running:
            each.scrape()
        time.sleep(min(SCRAPE_S, max(0.0, end_s - time.monotonic())))


def _cost_rows(each: Contender, node: BenchNode, length: Length) -> Iterator[Row]:
    plan, found = each.plan, each.end()
    ours = plan.name.startswith("wattledger")
    if found is None:
        yield Row(SECTION, f"{plan.name}: CPU and memory", None, "", how=each.why_not)
        return
    cpu_s_per_min, peak_mib = found
    scrapes = f", scraped every {SCRAPE_S:.0f} s" if plan.scraped else ""
    how = f"{length.measure_s:.0f} s after {length.warm_up_s:.0f} s of warm-up{scrapes}; {plan.note or 'defaults'}"
    if plan.name == "wattledger":
        how = f"{node.describe()}; {how}"
    yield Row(SECTION, f"{plan.name}: CPU", cpu_s_per_min, "CPU-s/min", CPU_BUDGET if ours else None, how)
    yield Row(SECTION, f"{plan.name}: peak RSS", peak_mib, "MiB", RSS_BUDGET_MIB if ours else None, "VmHWM since start")


class _Energy(threading.Thread):
    """Compares what the daemon books with the trace's integral, and polls power beside it as others do."""

    def __init__(self, node: BenchNode, ledger: Path, seconds: float) -> None:
        super().__init__(daemon=True)
        self._node, self._ledger, self._seconds = node, ledger, seconds
        self.rows: list[Row] = [Row(ENERGY, "energy error", None, "%", ERROR_BUDGET_PERCENT, "the ledger was not read")]

    def run(self) -> None:
        first = self._opening()
        pollers = [_Poller(self._node, every_s, self._seconds) for every_s in (1.0, 15.0)]
        for poller in pollers:
            poller.start()
        for poller in pollers:
            poller.join()
        last = self._opening()
        self.rows = [*self._booked(first, last), *(poller.row() for poller in pollers)]

    def _opening(self) -> Opening:
        """The ledger right after its next booking."""
        before_ms = ask(self._ledger, read_opening).booked_until_ms
        found: list[Opening] = []

        def booked_again() -> bool:
            found[:] = [ask(self._ledger, read_opening)]
            return found[0].booked_until_ms != before_ms

        until(booked_again, "the daemon booked", 30)
        return found[0]

    def _booked(self, first: Opening, last: Opening) -> list[Row]:
        """Booked against true energy between the two cursors of each GPU."""
        booked, true = [], []
        for index, gpu in enumerate(self._node.nvml.gpus):
            booked.append(last.devices[gpu.uuid].energy_uj - first.devices[gpu.uuid].energy_uj)
            ends = [self._node.gpu_at_s(opening.cursors[gpu.uuid].boot_ns) for opening in (first, last)]
            energies = [self._node.nvml.energy_uj(index, at_s) for at_s in ends]
            true.append(energies[1] - energies[0])
        seconds = (last.cursors[gpu.uuid].boot_ns - first.cursors[gpu.uuid].boot_ns) / 1e9
        errors = [abs(b - t) * 100 / t for b, t in zip(booked, true, strict=True)]
        node_error = abs(sum(booked) - sum(true)) * 100 / sum(true)
        wave = f"{BURST_W:.0f} W bursts of 250 ms at 1 Hz, one phase per GPU, counter in steps of 100 ms"
        return [
            Row(ENERGY, "error over the node", node_error, "%", ERROR_BUDGET_PERCENT, f"{seconds:.1f} s; {wave}"),
            Row(
                ENERGY, "error of the worst GPU", max(errors), "%", ERROR_BUDGET_PERCENT, f"of {GPUS}, in the same time"
            ),
        ]


class _Poller(threading.Thread):
    """Books power x interval, as tools without an energy counter do."""

    def __init__(self, node: BenchNode, every_s: float, seconds: float) -> None:
        super().__init__(daemon=True)
        self._node, self._every_s, self._seconds = node, every_s, seconds
        self._booked_j = [0.0] * GPUS
        self._true_j = [0.0] * GPUS

    def run(self) -> None:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(GPUS)]
        begin_s = due_s = time.monotonic()
        starts_uj = [self._node.nvml.energy_uj(index) for index in range(GPUS)]
        while due_s - begin_s < self._seconds:
            due_s += self._every_s
            time.sleep(max(0.0, due_s - time.monotonic()))
            for index, handle in enumerate(handles):
                self._booked_j[index] += pynvml.nvmlDeviceGetPowerUsage(handle) / 1000 * self._every_s
        for index in range(GPUS):
            self._true_j[index] = (self._node.nvml.energy_uj(index) - starts_uj[index]) / 1e6

    def row(self) -> Row:
        errors = [(b - t) * 100 / t for b, t in zip(self._booked_j, self._true_j, strict=True)]
        how = f"the same time and GPUs; {min(errors):+.0f} % to {max(errors):+.0f} % by phase"
        return Row(ENERGY, f"beside it: power polled every {self._every_s:g} s", max(map(abs, errors)), "%", None, how)
