"""What each NVML call that the daemon makes costs on this machine, its tail included."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pynvml

from tests.benchmarks.rows import Row, percentile

SECTION = "NVML calls"
_FI_POWER_AVERAGE, _SCOPE_MODULE = 185, 1  # nvml.h

#: Calls about a GPU: (name, how often the daemon makes it, the call). A test holds this list against the source.
CALLS: tuple[tuple[str, str, Callable[[Any], Any]], ...] = (
    ("nvmlDeviceGetTotalEnergyConsumption", "each second", pynvml.nvmlDeviceGetTotalEnergyConsumption),
    ("nvmlDeviceGetPowerUsage", "each second", pynvml.nvmlDeviceGetPowerUsage),
    (
        "nvmlDeviceGetFieldValues",
        "each second, on a Grace module",
        lambda gpu: pynvml.nvmlDeviceGetFieldValues(gpu, [(_FI_POWER_AVERAGE, _SCOPE_MODULE)]),
    ),
    ("nvmlDeviceGetComputeRunningProcesses", "each 10 s", pynvml.nvmlDeviceGetComputeRunningProcesses),
    ("nvmlDeviceGetGraphicsRunningProcesses", "each 10 s", pynvml.nvmlDeviceGetGraphicsRunningProcesses),
    (
        "nvmlDeviceGetProcessUtilization",
        "each 10 s",
        lambda gpu: pynvml.nvmlDeviceGetProcessUtilization(gpu, time.time_ns() // 1000 - 10_000_000),
    ),
    ("nvmlDeviceGetUUID", "each minute", pynvml.nvmlDeviceGetUUID),
    ("nvmlDeviceGetEnforcedPowerLimit", "each minute", pynvml.nvmlDeviceGetEnforcedPowerLimit),
    (
        "nvmlDeviceGetPowerManagementLimitConstraints",
        "each minute",
        pynvml.nvmlDeviceGetPowerManagementLimitConstraints,
    ),
    ("nvmlDeviceGetMigMode", "each minute", pynvml.nvmlDeviceGetMigMode),
    ("nvmlDeviceGetMaxMigDeviceCount", "each minute, in MIG mode", pynvml.nvmlDeviceGetMaxMigDeviceCount),
    (
        "nvmlDeviceGetMigDeviceHandleByIndex",
        "each minute, in MIG mode",
        lambda gpu: pynvml.nvmlDeviceGetMigDeviceHandleByIndex(gpu, 0),
    ),
    (
        "nvmlDeviceGetAttributes_v2",
        "each minute, in MIG mode",
        lambda gpu: pynvml.nvmlDeviceGetAttributes_v2(pynvml.nvmlDeviceGetMigDeviceHandleByIndex(gpu, 0)),
    ),
    ("nvmlDeviceGetName", "once", pynvml.nvmlDeviceGetName),
    ("nvmlDeviceGetCudaComputeCapability", "once", pynvml.nvmlDeviceGetCudaComputeCapability),
    ("nvmlDeviceGetModuleId", "once", pynvml.nvmlDeviceGetModuleId),
    ("nvmlDeviceGetC2cModeInfoV", "once", pynvml.nvmlDeviceGetC2cModeInfoV),
    ("nvmlDeviceGetNumGpuCores", "once", pynvml.nvmlDeviceGetNumGpuCores),
    ("nvmlDeviceGetPersistenceMode", "by check", pynvml.nvmlDeviceGetPersistenceMode),
    ("nvmlDeviceGetCount", "each minute", lambda _gpu: pynvml.nvmlDeviceGetCount()),
    ("nvmlDeviceGetHandleByIndex", "each minute", lambda _gpu: pynvml.nvmlDeviceGetHandleByIndex(0)),
    ("nvmlSystemGetDriverVersion", "at start", lambda _gpu: pynvml.nvmlSystemGetDriverVersion()),
)


def costs(gpu: Any, seconds_each: float = 1.0) -> Iterator[Row]:
    """One row a call: at least 20 times, at most 2,000, within about ``seconds_each``."""
    for name, often, call in CALLS:
        taken_us, answer = _timed(lambda call=call: call(gpu), seconds_each)  # type: ignore[misc] # mypy cannot infer it
        tail = f"p99 {percentile(taken_us, 99):.1f} µs, max {max(taken_us):.1f} µs, {len(taken_us)} times"
        yield Row(SECTION, name, percentile(taken_us, 50), "µs", None, f"{often}; {tail}{answer}")


def _timed(call: Callable[[], object], seconds: float) -> tuple[list[float], str]:
    taken_us: list[float] = []
    answer = ""
    end_s = time.perf_counter() + seconds
    while len(taken_us) < 20 or (len(taken_us) < 2000 and time.perf_counter() < end_s):
        begin_ns = time.perf_counter_ns()
        try:
            call()
        except pynvml.NVMLError as error:
            answer = f"; answers {error}"
        taken_us.append((time.perf_counter_ns() - begin_ns) / 1000)
    return taken_us, answer
