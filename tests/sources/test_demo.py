"""`wattledger run --demo` must look like a node and never like a measurement."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.sources.world_demo import World
from tracker.core.model import Component, Level, Method, Reading
from tracker.core.scenario import Scenario
from tracker.sources.demo import DemoSource, Options
from tracker.sources.interface import Batch


@pytest.fixture
def world(tmp_path: Path, monkeypatch: Any) -> World:
    return World(tmp_path, monkeypatch)


def opened(world: World) -> DemoSource:
    source = world.source()
    source.open()
    return source


def counters(batch: Batch) -> dict[str, int]:
    return {reading.sensor: reading.counter_uj for reading in batch.readings if reading.counter_uj is not None}


def test_every_sensor_is_simulated_and_none_contains_another(world: World) -> None:
    """A simulated joule in a measured total would be a lie; so would a joule counted twice."""
    sensors = opened(world).read().sensors
    assert sensors is not None
    assert {sensor.method for sensor in sensors} == {Method.SIMULATED}
    assert [sensor.component for sensor in sensors] == [Component.GPU] * 8 + [Component.CPU] * 2 + [Component.DRAM] * 2
    scopes = [scope for sensor in sensors for scope in sensor.scopes]
    assert len(set(scopes)) == 12
    assert not any(one != other and other.startswith(one + "/") for one in scopes for other in scopes)
    assert all(sensor.key.startswith("GPU-demo-") for sensor in sensors[:8])
    assert DemoSource.simulated is True


def test_readings_have_counter_power_and_epoch_within_the_bounds(world: World) -> None:
    source = opened(world)
    sensors = {sensor.key: sensor for sensor in source.read().sensors or ()}
    before = counters(source.read())
    for _ in range(50):
        world.advance(7.3)
        batch = source.read()
        assert (batch.missing, batch.sensors) == ((), None)
        after = counters(batch)
        for reading in batch.readings:
            bound_mw = sensors[reading.sensor].max_power_mw
            assert reading.power_mw is not None
            assert 0 < reading.power_mw <= bound_mw
            assert 0 < after[reading.sensor] - before[reading.sensor] <= bound_mw * 7_300 + 1
            assert (reading.mono_ns, reading.boot_ns) == (world.clock.mono_ns, world.clock.boot_ns)
            assert reading.epoch == "demo-1"
        before = after


def test_p2_a_restart_continues_the_counters(world: World) -> None:
    """Within a boot a new process finds what the old one left: nothing is lost over kill -9."""
    source = opened(world)
    before = counters(source.read())
    world.advance(3600)
    expected = counters(source.read())
    source.close()
    source.close()
    again = opened(world)
    batch = again.read()
    assert batch.sensors is not None
    assert counters(batch) == expected
    assert all(expected[key] > before[key] for key in expected)


def test_the_wall_clock_does_not_matter(world: World) -> None:
    source = opened(world)
    before = counters(source.read())
    world.clock.wall_ns -= 3_600_000_000_000
    assert counters(source.read()) == before


def test_processes_come_every_ten_seconds_with_their_weights_since(world: World) -> None:
    source = opened(world)
    first = source.read().uses
    assert first is not None
    assert [len(use.processes) for use in first] == [1, 1, 1, 1, 1, 2, 1, 1]
    assert all(process.sm_weight == 0 for use in first for process in use.processes)
    world.advance(9)
    assert source.read().uses is None
    world.advance(1)
    second = source.read().uses
    assert second is not None
    scenario = Scenario()
    end_ns = world.clock.boot_ns
    for use, device in zip(second, scenario.devices, strict=False):
        held = scenario.holds(device, end_ns - 10_000_000_000, end_ns)
        assert use.device == device.key
        assert [(p.pid, p.sm_weight) for p in use.processes] == [(hold.pid, hold.sm_weight) for hold in held]
        assert all(0 <= process.sm_weight <= 100 * 10_000 for process in use.processes)


def test_an_option_is_an_error() -> None:
    with pytest.raises(msgspec.ValidationError, match="speed"):
        msgspec.convert({"speed": 2}, Options)


def test_check_says_that_nothing_is_measured(world: World) -> None:
    (finding,) = world.source().check()
    assert finding.level is Level.OK
    assert "Nothing here is measured" in finding.message


def test_a_read_without_open_works_and_brings_the_inventory(world: World) -> None:
    batch = world.source().read()
    assert len(batch.sensors or ()) == len(batch.readings) == 12
    assert all(isinstance(reading, Reading) for reading in batch.readings)
