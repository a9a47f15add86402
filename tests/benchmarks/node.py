"""The simulated GPU node of the benchmarks, in real time: 8 GPUs, 2 packages with memory, pods and containers.

The GPUs are a C ``libnvidia-ml.so.1`` that plays a square wave of exactly 1 Hz, each GPU at another phase: bursts
locked to the usual polling rate, the worst case for whoever samples power. RAPL zones and cgroups are folders that
threads of the benchmark advance; their cost is the benchmark's, not the daemon's. Processes on the GPUs are real
ones (``sleep``), for tools that look them up in ``/proc``; the simulated ``/proc`` says which pod they are in.
"""

from __future__ import annotations

import subprocess
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from tests.benchmarks.groups import Groups
from tests.fakes.machine import Machine
from tests.fakes.nvml.fake_nvml import FakeNvml
from tests.fakes.nvml.parts import A100, FakeGpu, FakeProcess

GPUS = 8
#: GA100's power reading is an instant (nvml.h): what a poller gets wrong shows. Newer GPUs answer the mean of a second.
BOARD = A100
BURST_W, BASE_W = 380.0, 80.0
PERIOD_S, BURST_S = 1.0, 0.25
#: The trace holds 1024 pieces of constant power.
TRACE_S = 500


class BenchNode:
    """Use as a context manager; from then on time passes on it."""

    def __init__(self, folder: Path, *, pods: int = 40, containers: int = 24) -> None:
        self.folder = folder
        self.machine = Machine.xeon(folder / "node")
        self.groups = Groups(self.machine.cgroup_root)
        self.groups.build(pods=pods, containers=containers)
        self._pods, self._containers = pods, containers
        self._stop = threading.Event()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.callback(self.machine.close)
            stack.callback(self.groups.close)
            self.pids = [self._process(stack, number) for number in range(GPUS + 2)]
            self.nvml = FakeNvml(self.folder / "nvml", [self._gpu(number) for number in range(GPUS)], virtual=False)
            stack.enter_context(self.machine.run(tick_s=0.1))
            ticker = threading.Thread(target=self._tick, daemon=True)
            ticker.start()
            stack.callback(ticker.join)
            stack.callback(self._stop.set)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def flags(self) -> tuple[str, ...]:
        """For ``wattledger``: look at this node."""
        return ("--path.sysfs", str(self.machine.sysfs), "--path.procfs", str(self.machine.procfs))

    @property
    def env(self) -> dict[str, str]:
        """For any process that shall see the GPUs."""
        return self.nvml.env()

    def describe(self) -> str:
        return (
            f"{GPUS} GPUs ({BOARD.name}), 2 packages + 2 dram, {self._pods} pods of 2 containers "
            f"+ {self._containers} docker containers, {len(self.pids)} GPU processes"
        )

    def gpu_at_s(self, boot_ns: int) -> float:
        """An instant of CLOCK_BOOTTIME on the clock of the GPUs' trace."""
        return self.nvml.now_s - (time.clock_gettime_ns(time.CLOCK_BOOTTIME) - boot_ns) / 1e9

    def _tick(self) -> None:
        last = time.monotonic()
        while not self._stop.wait(1.0):
            now = time.monotonic()
            self.groups.advance(now - last)
            last = now

    def _process(self, stack: ExitStack, number: int) -> int:
        """A process that does nothing, in the cgroup of a pod, as the simulated /proc has it."""
        child = stack.enter_context(subprocess.Popen(["sleep", "3600"]))
        stack.callback(child.kill)
        folder = self.machine.procfs / str(child.pid)
        folder.mkdir()
        path = self.groups.works[number % len(self.groups.works)].path
        (folder / "cgroup").write_text(f"0::{path}\n")
        (folder / "stat").write_text(f"{child.pid} (python3) S {' '.join(['1'] * 18)} 4711 {' '.join(['0'] * 30)}\n")
        (folder / "status").write_text(f"Name:\tpython3\nNSpid:\t{child.pid}\t1\n")
        return child.pid

    def _gpu(self, number: int) -> FakeGpu:
        """The last two GPUs are shared by two processes."""
        pids = self.pids[number : number + 1] + self.pids[number + 2 : number + 3] * (number >= GPUS - 2)
        running = [FakeProcess(pid, 20 << 30, sm_percent=40) for pid in pids]
        return FakeGpu(BOARD, power=square_wave(number / GPUS), processes=running)


def square_wave(phase: float, seconds: int = TRACE_S) -> list[tuple[float, float]]:
    """Bursts of ``BURST_S`` every ``PERIOD_S``; ``phase`` in periods says when the first one begins."""
    trace = [(0.0, BASE_W)]
    for period in range(seconds):
        begin_s = (period + phase) * PERIOD_S
        trace += [(begin_s, BURST_W), (begin_s + BURST_S, BASE_W)]
    return trace
