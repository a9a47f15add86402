"""Energy and power of healthy GPUs against a trace whose integral is known."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest

from tests.fakes.nvml.parts import A40, A100, GH200, H100, L40S, NOT_SUPPORTED, P100, V100, Board, FakeGpu
from tests.sources.world import ScriptedClock
from tests.sources.world_nvml import Running, World, running
from tracker.core.model import Component, GapReason, Method, Moment
from tracker.sources.interface import SourceContext
from tracker.sources.nvml import NvmlSource, Options
from tracker.sysfs import Roots

pytestmark = pytest.mark.needs("gcc")


def bursty(seed: int, hours: int) -> list[tuple[float, float]]:
    """Power that changes at odd instants, by the sensor's step and much longer."""
    dice = random.Random(seed)
    at_s, trace = 0.0, [(0.0, 70.0)]
    while at_s < hours * 3600:
        at_s = round(at_s + dice.choice([0.03, 0.25, 7.1, 133.7]), 3)
        trace.append((at_s, dice.randrange(60_000, 700_000) / 1000))
    return trace[:1000]


def integral_uj(trace: list[tuple[float, float]], start_s: float, end_s: float) -> float:
    """Energy of a trace, summed here once more so that the fake is not its own witness."""
    edges = [(at_s, watts) for at_s, watts in trace if at_s < end_s] + [(end_s, 0.0)]
    pieces = itertools.pairwise(edges)
    return sum(watts * max(0.0, until_s - max(at_s, start_s)) for (at_s, watts), (until_s, _) in pieces) * 1e6


def test_hours_of_energy_are_the_integral_of_the_trace_to_the_sensors_step(tmp_path: Path) -> None:
    traces = [bursty(1, 6), bursty(2, 6)]
    node = running(tmp_path, FakeGpu(H100, traces[0]), FakeGpu(V100, traces[1]))
    first = {one.sensor: one.counter_uj or 0 for one in node.read().readings}
    last = dict(first)
    for _ in range(600):
        last = {one.sensor: one.counter_uj or 0 for one in node.read(after_s=19.37).readings}
        assert last == {node.key(gpu): node.fake.counter_uj(gpu) for gpu in (0, 1)}
    assert node.fake.now_s > 3 * 3600
    for gpu, step_s in ((0, 0.1), (1, 0.02)):
        counted_uj = last[node.key(gpu)] - first[node.key(gpu)]
        assert abs(counted_uj - integral_uj(traces[gpu], 1.0, node.fake.now_s)) <= 700_000_000 * step_s + 1000


def test_constant_power_is_exact_in_microjoules(tmp_path: Path) -> None:
    node = running(tmp_path, FakeGpu(power=[(0, 400)], offset_j=5_000_000))
    first = node.reading(0).counter_uj
    node.run(10)
    last = node.reading(0, after_s=3589).counter_uj
    assert first == 5_000_400_000_000
    assert last is not None
    assert last - first == 3600 * 400_000_000 - 400_000_000


def test_a_long_lived_counter_keeps_its_low_digits(tmp_path: Path) -> None:
    """A counter near 2^53 mJ would be rounded by a float on the way."""
    node = running(tmp_path, FakeGpu(power=[(0, 0.001)], offset_j=9_000_000_000))
    assert node.reading(0).counter_uj == 9_000_000_000_001_000


@pytest.mark.parametrize(
    ("board", "averaged", "power_mw"),
    [
        (V100, False, 650_000),
        (A100, False, 650_000),
        (A40, True, 360_000),
        (L40S, True, 360_000),
        (H100, True, 360_000),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_power_is_taken_for_what_it_is_on_each_architecture(
    tmp_path: Path, board: Board, averaged: bool, power_mw: int
) -> None:
    """Half a second after a step from 70 to 650 W an instant says 650, a mean over one second 360."""
    node = running(tmp_path, FakeGpu(board, [(0, 70), (60, 650)]))
    assert node.reading(0, after_s=60.5).power_mw == power_mw
    assert node.sensors[node.key(0)].averaged is averaged


def test_the_sensor_says_what_it_is(tmp_path: Path) -> None:
    node = running(tmp_path, FakeGpu(), FakeGpu(P100))
    node.read()
    h100, p100 = (node.sensors[node.key(gpu)] for gpu in (0, 1))
    assert (h100.source, h100.component, h100.method) == ("nvml", Component.GPU, Method.MEASURED)
    assert h100.scopes == (f"node/gpu/{node.key(0)}",)
    assert (h100.sensor, h100.vendor, h100.model, h100.index) == (
        "nvml-total-energy", "NVIDIA", "NVIDIA H100 80GB HBM3", "0",
    )  # fmt: skip
    assert (h100.preference, h100.max_power_mw, h100.counter_range_uj) == (100, 700_000, None)
    assert (p100.sensor, p100.index, p100.max_power_mw) == ("nvml-power", "1", 250_000)


def test_a_gpu_without_a_counter_gives_power_and_is_not_asked_for_energy_again(tmp_path: Path) -> None:
    node = running(tmp_path, FakeGpu(P100, [(0, 120)]))
    for batch in node.run(100):
        assert [(one.counter_uj, one.power_mw) for one in batch.readings] == [(None, 120_000)]
    assert node.fake.calls("nvmlDeviceGetTotalEnergyConsumption", 0) == 1


def test_a_counter_that_stops_being_offered_becomes_power_under_another_name(tmp_path: Path) -> None:
    node = running(tmp_path, FakeGpu(power=[(0, 300)]))
    assert node.reading(0).counter_uj
    node.fake.fault(0, NOT_SUPPORTED, "energy")
    batch = node.read()
    assert [(one.counter_uj, one.power_mw) for one in batch.readings] == [(None, 300_000)]
    assert batch.sensors is not None, "the meter must learn it before it takes the reading"
    assert batch.sensors[0].sensor == "nvml-power"
    calls = node.fake.calls("nvmlDeviceGetTotalEnergyConsumption", 0)
    node.run(50)
    assert node.fake.calls("nvmlDeviceGetTotalEnergyConsumption", 0) == calls


def test_power_that_is_not_offered_costs_nothing_and_hides_no_energy(tmp_path: Path) -> None:
    world = World(tmp_path, None, (FakeGpu(),))
    world.fake.fault(0, NOT_SUPPORTED, "power")
    node = Running(world)
    for batch in node.run(20):
        assert batch.readings[0].counter_uj
        assert batch.readings[0].power_mw is None
    assert world.fake.calls("nvmlDeviceGetPowerUsage", 0) == 1


def test_without_limits_the_plausibility_bound_is_generous(tmp_path: Path) -> None:
    world = World(tmp_path, None, (FakeGpu(),))
    world.fake.fault(0, NOT_SUPPORTED, "limits")
    node = Running(world)
    node.read()
    assert node.sensors[node.key(0)].max_power_mw == 1_500_000


def test_the_bound_is_the_highest_limit_that_can_be_set_not_the_one_in_force(tmp_path: Path) -> None:
    """Somebody may raise the limit while we run; energy must not be quarantined then."""
    world = World(tmp_path, None, (FakeGpu(),))
    world.fake.set_limit(0, 300)
    node = Running(world)
    node.read()
    assert node.sensors[node.key(0)].max_power_mw == 700_000


def test_a_grace_hopper_module_claims_cpu_and_memory_so_that_nothing_is_booked_twice(tmp_path: Path) -> None:
    node = running(
        tmp_path,
        FakeGpu(GH200, [(0, 500)], module_w=150, module_id=3),
        FakeGpu(GH200, [(0, 400)], module_w=100, module_id=2),
    )
    first = node.reading(0)
    assert node.sensors[node.key(0)].scopes == (f"node/gpu/{node.key(0)}", "node/cpu/1", "node/dram/1")
    assert node.sensors[node.key(1)].scopes == (f"node/gpu/{node.key(1)}", "node/cpu/0", "node/dram/0")
    assert node.sensors[node.key(0)].max_power_mw == 1_500_000
    last = node.reading(0, after_s=100)
    assert (last.counter_uj or 0) - (first.counter_uj or 0) == 100 * 650_000_000
    assert last.power_mw == 650_000, "power beside the counter is of the same module, else they seem to disagree"
    assert node.sensors[node.key(0)].averaged is True


def test_a_grace_hopper_without_the_counter_claims_its_gpu_only(tmp_path: Path) -> None:
    world = World(tmp_path, None, (FakeGpu(GH200, [(0, 500)], module_w=150),))
    world.fake.fault(0, NOT_SUPPORTED, "energy")
    node = Running(world)
    assert node.reading(0).power_mw == 500_000
    assert node.sensors[node.key(0)].scopes == (f"node/gpu/{node.key(0)}",)


@pytest.mark.parametrize("lenient", [False, True])
def test_module_power_that_is_not_offered_is_left_out(tmp_path: Path, lenient: bool) -> None:
    """Success of the call says nothing about a value."""
    world = World(tmp_path, None, (FakeGpu(GH200, module_w=150),))
    world.fake.fault(0, NOT_SUPPORTED, "nvmlDeviceGetPowerUsage")
    if lenient:
        world.fake.lenient_fields(0)
    reading = Running(world).reading(0)
    assert reading.counter_uj == world.fake.counter_uj(0)
    assert reading.power_mw is None


def test_the_epoch_is_the_drivers_version(tmp_path: Path) -> None:
    assert running(tmp_path, FakeGpu()).reading(0).epoch == "590.48.01"


class TickingClock(ScriptedClock):
    """Every look at it takes a while."""

    def __init__(self, tick_s: float) -> None:
        super().__init__()
        self.tick_s = tick_s

    def __call__(self) -> Moment:
        now = super().__call__()
        self.advance(self.tick_s)
        return now


def source_with_clock(tmp_path: Path, clock: TickingClock) -> NvmlSource:
    World(tmp_path, None, (FakeGpu(),))
    return NvmlSource(Options(), SourceContext(Roots(tmp_path, tmp_path), clock))


def test_a_reading_is_stamped_with_the_middle_of_the_call(tmp_path: Path) -> None:
    clock = TickingClock(0.2)
    source = source_with_clock(tmp_path, clock)
    source.open()
    began = clock.mono_ns  # the read looks at the clock once by itself, then before and after the call
    reading = source.read().readings[0]
    assert reading.mono_ns == began + 300_000_000
    assert reading.boot_ns == reading.mono_ns


def test_a_call_that_took_more_than_half_the_period_gives_no_reading(tmp_path: Path) -> None:
    """Its number belongs to an unknown instant."""
    clock = TickingClock(0.6)
    source = source_with_clock(tmp_path, clock)
    source.open()
    batch = source.read()
    assert [(one.reason, one.detail) for one in batch.missing] == [
        (GapReason.HANG, "the driver took too long to answer")
    ]
    clock.tick_s = 0.0
    assert len(source.read().readings) == 1


def test_the_driver_is_asked_no_more_than_needed(tmp_path: Path) -> None:
    """Per GPU and ten minutes: energy and power once a second, lists every 10 s, identity every minute, facts once."""
    node = running(tmp_path, *[FakeGpu() for _ in range(8)])
    node.run(600)
    for gpu in range(8):
        counts = {name: node.fake.calls(name, gpu) for name in {name for _, name, _ in node.fake.log()}}
        counts = {name: count for name, count in counts.items() if count}
        assert counts == {
            "nvmlDeviceGetTotalEnergyConsumption": 601,
            "nvmlDeviceGetPowerUsage": 601,
            "nvmlDeviceGetComputeRunningProcesses_v3": 60,
            "nvmlDeviceGetGraphicsRunningProcesses_v3": 60,
            "nvmlDeviceGetProcessUtilization": 60,
            "nvmlDeviceGetHandleByIndex_v2": 11,
            "nvmlDeviceGetUUID": 11,
            "nvmlDeviceGetMigMode": 11,
        }, "and nothing else after the start"
        assert node.fake.calls("nvmlDeviceGetName", gpu) == 1
        assert node.fake.calls("nvmlDeviceGetPowerManagementLimitConstraints", gpu) == 1
