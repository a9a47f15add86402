"""Reads one GPU many times a second, and says what the readings tell of its sensors. The analysis is pure functions."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pynvml

FI_POWER_INSTANT = 186  # nvml.h: NVML_FI_DEV_POWER_INSTANT
WINDOWS_S = (0.5, 1.0, 2.0, 5.0)
NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Sample:
    """One look. None: the GPU does not offer it. ``at_ns``: CLOCK_BOOTTIME, as in the daemon's cursors."""

    at_ns: int
    counter_uj: int | None
    average_mw: int | None  # nvmlDeviceGetPowerUsage: the mean of a second on most GPUs since Ampere
    instant_mw: int | None


class Sampler(threading.Thread):
    """Looks at a GPU every ``period_s`` until told to stop."""

    def __init__(self, handle: Any, period_s: float = 0.02) -> None:
        super().__init__(daemon=True)
        self.samples: list[Sample] = []
        self._handle, self._period_s = handle, period_s
        self._ending = threading.Event()

    def run(self) -> None:
        while not self._ending.wait(self._period_s):
            self.samples.append(look(self._handle))

    def end(self) -> list[Sample]:
        self._ending.set()
        self.join()
        return self.samples


def boot_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def look(handle: Any) -> Sample:
    before_ns = boot_ns()
    counter_mj = _ask(pynvml.nvmlDeviceGetTotalEnergyConsumption, handle)
    average_mw = _ask(pynvml.nvmlDeviceGetPowerUsage, handle)
    fields = _ask(pynvml.nvmlDeviceGetFieldValues, handle, [FI_POWER_INSTANT])
    instant_mw = fields[0].value.uiVal if fields is not None and fields[0].nvmlReturn == 0 else None
    counter_uj = None if counter_mj is None else counter_mj * 1000
    return Sample((before_ns + boot_ns()) // 2, counter_uj, average_mw, instant_mw)


def _ask(call: Any, *args: Any) -> Any:
    try:
        return call(*args)
    except pynvml.NVMLError:
        return None


def between(samples: Sequence[Sample], start_ns: int, end_ns: int) -> Sequence[Sample]:
    """The samples of an interval, both ends included."""
    times = [sample.at_ns for sample in samples]
    return samples[bisect_left(times, start_ns) : bisect_left(times, end_ns + 1)]


def counted_uj(samples: Sequence[Sample]) -> int | None:
    """Energy by the counter from the first sample to the last."""
    known = [sample.counter_uj for sample in samples if sample.counter_uj is not None]
    return known[-1] - known[0] if len(known) > 1 else None


def integrated_uj(samples: Sequence[Sample], *, instant: bool) -> int | None:
    """Energy by power: instants by the trapezoid, means as rectangles that end at their reading."""
    points = [(s.at_ns, s.instant_mw if instant else s.average_mw) for s in samples]
    known = [(at_ns, power_mw) for at_ns, power_mw in points if power_mw is not None]
    if len(known) < 2:
        return None
    total = 0
    for (at, power_mw), (later, next_mw) in pairwise(known):
        total += (next_mw * 2 if not instant else power_mw + next_mw) * (later - at) // 2
    return total // 1_000_000


def window_ratios(samples: Sequence[Sample], window_s: float) -> list[float]:
    """Counter over integrated power in sliding windows (a quarter of a window apart): what short windows lose to lag.

    Instantaneous power is what it is held against, the mean of a second where there is none.
    """
    ratios: list[float] = []
    if not samples:
        return ratios
    window_ns = round(window_s * NS_PER_S)
    start_ns = samples[0].at_ns
    while start_ns + window_ns <= samples[-1].at_ns:
        part = between(samples, start_ns, start_ns + window_ns)
        counted = counted_uj(part)
        integrated = integrated_uj(part, instant=True) or integrated_uj(part, instant=False)
        if counted is not None and integrated:
            ratios.append(counted / integrated)
        start_ns += window_ns // 4
    return ratios


def steps(samples: Sequence[Sample]) -> Iterator[tuple[float, int]]:
    """How the counter moves: (ms since it moved last, µJ it moved by)."""
    last: tuple[int, int] | None = None
    for sample in samples:
        if sample.counter_uj is None:
            continue
        if last is None:
            last = (sample.at_ns, sample.counter_uj)
        elif sample.counter_uj != last[1]:
            yield (sample.at_ns - last[0]) / 1e6, sample.counter_uj - last[1]
            last = (sample.at_ns, sample.counter_uj)
