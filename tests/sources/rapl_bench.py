"""What the tests of the RAPL source share: a source that looks at a machine, and time that passes for both."""

from __future__ import annotations

from tests.fakes.machine import Machine
from tests.sources.world import ScriptedClock
from tracker.core.cover import choose
from tracker.core.model import GapReason, Reading, Sensor
from tracker.sources.interface import Batch, SourceContext
from tracker.sources.rapl import Options, RaplSource


class Bench:
    """Opens a source on the machine. ``step`` lets a second pass and reads."""

    def __init__(self, machine: Machine, cpu_tdp_mw: int | None = None) -> None:
        self.machine, self.clock = machine, ScriptedClock()
        self.source = RaplSource(Options(), SourceContext(machine.roots, self.clock, cpu_tdp_mw))
        self.sensors: dict[str, Sensor] = {}

    def open(self) -> Bench:
        self.source.open()
        return self

    def step(self, seconds: float = 1) -> Batch:
        self.clock.advance(seconds)
        self.machine.advance(seconds)
        batch = self.source.read()
        if batch.sensors is not None:
            self.sensors = {sensor.key: sensor for sensor in batch.sensors}
        return batch

    def steps(self, number: int) -> list[Batch]:
        return [self.step() for _ in range(number)]

    @property
    def booked(self) -> set[str]:
        """The keys that the cover would choose now."""
        return set(choose(self.sensors.values()))


def counters(batch: Batch) -> dict[str, int | None]:
    return {reading.sensor: reading.counter_uj for reading in batch.readings}


def gaps(batch: Batch) -> dict[str, GapReason]:
    return {missing.sensor: missing.reason for missing in batch.missing}


def reading_of(batch: Batch, key: str) -> Reading:
    return next(reading for reading in batch.readings if reading.sensor == key)
