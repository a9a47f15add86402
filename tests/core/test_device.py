"""When a device counts as unused, so that its power teaches the idle floor."""

from __future__ import annotations

import pytest

from tracker.core.device import used
from tracker.core.model import Component, GpuHolding, Holder, Kind, Method, Observation, Sensor, Share, Workload

POD = Workload("pod/1", Kind.POD)
GPU = Sensor("GPU-0", "nvml", Component.GPU, ("node/gpu/0",), 1, Method.MEASURED, "x", 1)
CPU = Sensor("package-0", "rapl", Component.CPU, ("node/cpu/0",), 1, Method.MEASURED, "x", 1)


@pytest.mark.parametrize(
    ("holders", "is_used"),
    [
        ((), False),
        ((Holder(POD),), False),
        ((Holder(POD), Holder(POD)), False),
        ((Holder(POD, memory_weight=1),), True),
        ((Holder(POD), Holder(POD, sm_weight=1)), True),
    ],
)
def test_a_gpu_that_was_only_given_away_is_unused(holders: tuple[Holder, ...], is_used: bool) -> None:
    """Where every GPU is allocated for months, the floor must be learned all the same: it is what flags the waste."""
    assert used(GPU, Observation(gpu={"GPU-0": GpuHolding(holders)})) is is_used


def test_a_cpu_is_unused_below_five_percent() -> None:
    assert not used(CPU, Observation(cpu=(Share(POD, 49),), cpu_capacity_us=1_000))
    assert used(CPU, Observation(cpu=(Share(POD, 50),), cpu_capacity_us=1_000))
