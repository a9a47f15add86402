"""Who uses the simulated node of ``wattledger run --demo``. The story is told in ``core/demo_node.py``."""

from __future__ import annotations

from collections.abc import Mapping

from tracker.core import demo_node
from tracker.core.model import (
    Component,
    DeviceUse,
    Finding,
    GpuHolding,
    Holder,
    Level,
    Moment,
    Observation,
)
from tracker.core.scenario import Scenario
from tracker.core.units import NS_PER_US
from tracker.workloads.interface import Observer


class DemoObserver(Observer):
    """Answers from the scenario; the processes that ``DemoSource`` reports tell it nothing new."""

    def __init__(self) -> None:
        self._scenario = Scenario()
        self._last_boot_ns: int | None = None

    def observe(self, moment: Moment, uses: Mapping[str, DeviceUse]) -> Observation:  # noqa: ARG002 - see the class
        now_ns = moment.boot_ns
        since_ns = now_ns if self._last_boot_ns is None else self._last_boot_ns
        self._last_boot_ns = now_ns
        gpu = self._gpu(since_ns, now_ns)
        elapsed_us = (now_ns - since_ns) // NS_PER_US
        return Observation(
            cpu=self._scenario.cpu_us(since_ns, now_ns) if elapsed_us else (),
            cpu_capacity_us=demo_node.CPU_COUNT * elapsed_us,
            dram=self._scenario.dram_bytes(now_ns),
            dram_capacity_bytes=demo_node.DRAM_BYTES,
            gpu=gpu,
            joined_processes=sum(len(holding.holders) for holding in gpu.values()),
        )

    def _gpu(self, since_ns: int, now_ns: int) -> dict[str, GpuHolding]:
        return {
            device.key: GpuHolding(
                tuple(
                    Holder(hold.workload, hold.sm_weight, hold.memory_bytes)
                    for hold in self._scenario.holds(device, since_ns, now_ns)
                )
            )
            for device in self._scenario.devices
            if device.component is Component.GPU
        }

    def check(self) -> tuple[Finding, ...]:
        return (Finding(Level.OK, "workloads", "Simulated pods, jobs and containers."),)

    def close(self) -> None:
        """Holds nothing."""
