"""A node with two H100s and a V100 on a fake NVML library, in every state of the source contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.fakes.nvml.fake_nvml import FakeNvml
from tests.fakes.nvml.parts import GPU_IS_LOST, LIBRARY_NOT_FOUND, NO_PERMISSION, V100, FakeGpu, FakeProcess
from tests.sources.world import SourceWorld
from tracker.core.model import DeviceUse, Missing, Reading, Sensor
from tracker.sources.interface import Batch, SourceContext
from tracker.sources.nvml import NvmlSource, Options
from tracker.sysfs import Roots


class World(SourceWorld):
    """``fake`` and ``clock`` move together; tests of the source itself change ``fake`` directly."""

    def __init__(self, tmp_path: Path, monkeypatch: Any, gpus: tuple[FakeGpu, ...] = ()) -> None:
        super().__init__(tmp_path, monkeypatch)
        self.root = tmp_path
        nodes = gpus or (
            FakeGpu(power=[(0, 70), (60, 650)], processes=[FakeProcess(4711, sm_percent=90)]),
            FakeGpu(power=[(0, 75)]),
            FakeGpu(V100, power=[(0, 40)]),
        )
        self.fake = FakeNvml(tmp_path / "nvml", nodes, wall_us=self.clock.wall_ns // 1000)
        self.fake.load()

    def source(self, **options: Any) -> NvmlSource:
        roots = Roots(self.root / "sys", self.root / "proc")
        return NvmlSource(Options(dev=str(self.root / "dev"), **options), SourceContext(roots, self.clock))

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.fake.advance(seconds)

    def absent(self) -> None:
        self.fake.fault_driver(LIBRARY_NOT_FOUND)

    def denied(self) -> None:
        self.fake.fault_driver(NO_PERMISSION)

    def remove(self) -> None:
        for gpu in range(len(self.fake.gpus)):
            self.fake.fault(gpu, GPU_IS_LOST)

    def garbage(self) -> None:
        for gpu in range(len(self.fake.gpus)):
            self.fake.nonsense(gpu)

    def restore(self) -> None:
        self.fake.heal()
        for gpu in range(len(self.fake.gpus)):
            self.fake.nonsense(gpu, counter=0, power=0)

    def close(self) -> None:
        self.fake.heal()  # whatever hangs returns


class Running:
    """A source of a world that is read once a second, as in the daemon."""

    def __init__(self, world: World, **options: Any) -> None:
        self.world, self.fake = world, world.fake
        self.source = world.source(**options)
        self.source.open()
        self.sensors: dict[str, Sensor] = {}

    def key(self, gpu: int) -> str:
        return self.fake.gpus[gpu].uuid

    def read(self, after_s: float = 1.0) -> Batch:
        self.world.advance(after_s)
        batch = self.source.read()
        if batch.sensors is not None:
            self.sensors = {sensor.key: sensor for sensor in batch.sensors}
        return batch

    def run(self, seconds: int) -> list[Batch]:
        return [self.read() for _ in range(seconds)]

    def reading(self, gpu: int, after_s: float = 1.0) -> Reading:
        return next(one for one in self.read(after_s).readings if one.sensor == self.key(gpu))

    def missing(self, gpu: int, after_s: float = 1.0) -> Missing:
        return next(one for one in self.read(after_s).missing if one.sensor == self.key(gpu))

    def use(self, gpu: int, after_s: float = 10.0) -> DeviceUse:
        """The next look at the processes of a GPU."""
        uses = self.read(after_s).uses or ()
        return next(use for use in uses if use.device == self.key(gpu))


def running(tmp_path: Path, *gpus: FakeGpu, **options: Any) -> Running:
    return Running(World(tmp_path, None, gpus), **options)
