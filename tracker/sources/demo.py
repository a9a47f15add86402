"""A simulated node with eight H100s, two CPU packages and their memory, for ``wattledger run --demo``.

Everything it says is labelled simulated. It is never automatic and never runs beside a source of real hardware: the
registry tells it apart by ``simulated``. The numbers come from ``core/scenario.py``.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from tracker.core.model import Component, DeviceUse, Finding, Level, Method, ProcessUse, Reading, Sensor
from tracker.core.scenario import EDITION, Device, Scenario
from tracker.core.units import NS_PER_S
from tracker.sources.interface import Batch, Source, SourceContext

USES_PERIOD_NS = 10 * NS_PER_S
_MODELS = {
    Component.GPU: ("NVIDIA", "NVIDIA H100 80GB HBM3"),
    Component.CPU: ("GenuineIntel", "Intel(R) Xeon(R) Platinum 8480C"),
    Component.DRAM: ("", "1 TiB DDR5"),
}


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[sources] demo = {}``: it has no settings."""


class DemoSource(Source):
    """Reads the scenario instead of hardware. It cannot be absent, denied or broken."""

    name = "demo"
    period_s = 1.0
    #: Must stand alone: no real source beside it, and no closed month takes its energy.
    simulated: ClassVar[bool] = True

    def __init__(self, options: Options, context: SourceContext) -> None:
        self._options = options
        self._clock = context.clock
        self._scenario: Scenario | None = None
        self._uses_boot_ns: int | None = None  # when the last uses were reported

    def open(self) -> None:
        self._scenario = Scenario()
        self._uses_boot_ns = None

    def read(self) -> Batch:
        first = self._scenario is None or self._uses_boot_ns is None
        scenario = self._scenario = self._scenario or Scenario()
        moment = self._clock()
        readings = tuple(
            Reading(
                device.key,
                moment.mono_ns,
                moment.boot_ns,
                counter_uj=scenario.counter_uj(device, moment.boot_ns),
                power_mw=scenario.power_mw(device, moment.boot_ns),
                epoch=EDITION,
            )
            for device in scenario.devices
        )
        sensors = tuple(sensor_of(device) for device in scenario.devices) if first else None
        return Batch(readings, sensors=sensors, uses=self._uses(scenario, moment.boot_ns))

    def _uses(self, scenario: Scenario, boot_ns: int) -> tuple[DeviceUse, ...] | None:
        """Who is on the GPUs, every ten seconds."""
        since_ns = self._uses_boot_ns
        if since_ns is not None and boot_ns - since_ns < USES_PERIOD_NS:
            return None
        self._uses_boot_ns = boot_ns
        return tuple(
            DeviceUse(
                device.key,
                tuple(
                    ProcessUse(hold.pid, hold.sm_weight, hold.memory_bytes)
                    for hold in scenario.holds(device, boot_ns if since_ns is None else since_ns, boot_ns)
                ),
            )
            for device in scenario.devices
            if device.component is Component.GPU
        )

    def close(self) -> None:
        self._scenario = None

    def check(self) -> tuple[Finding, ...]:
        message = "A simulated node: 8 GPUs, 2 CPU packages, 2 memories. Nothing here is measured."
        return (Finding(Level.OK, "demo", message),)


def sensor_of(device: Device) -> Sensor:
    """A simulated device as the agent sees it."""
    vendor, model = _MODELS[device.component]
    return Sensor(
        key=device.key,
        source=DemoSource.name,
        component=device.component,
        scopes=(f"node/{device.component}/{device.number}",),
        preference=0,
        method=Method.SIMULATED,
        sensor="demo counter",
        max_power_mw=device.max_power_mw,
        vendor=vendor,
        model=model,
        index=str(device.number),
    )
