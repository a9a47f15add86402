"""GPUs and drivers that fail in every way NVML can say: a named gap for that GPU, the others go on, back by itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.nvml.parts import (
    FUNCTION_NOT_FOUND,
    GPU_IS_LOST,
    INSUFFICIENT_POWER,
    INVALID_ARGUMENT,
    IRQ_ISSUE,
    NO_PERMISSION,
    NOT_SUPPORTED,
    P100,
    RESET_REQUIRED,
    TIMEOUT,
    UNINITIALIZED,
    UNKNOWN,
    FakeGpu,
)
from tests.sources.world_nvml import Running, World, running
from tracker.core.model import GapReason
from tracker.sources.interface import SourceDenied, SourceFailed
from tracker.sources.nvml import SourceNeedsRestart

pytestmark = pytest.mark.needs("gcc")

REPO = Path(__file__).resolve().parents[2]


def three(tmp_path: Path) -> Running:
    return running(tmp_path, FakeGpu(power=[(0, 100)]), FakeGpu(power=[(0, 200)]), FakeGpu(power=[(0, 300)]))


def back_after_s(node: Running, gpu: int, at_most_s: int) -> int:
    """Seconds until the GPU reads again."""
    for second in range(1, at_most_s + 1):
        if node.key(gpu) in {one.sensor for one in node.read().readings}:
            return second
    pytest.fail(f"GPU {gpu} is not back after {at_most_s} s")


@pytest.mark.parametrize(
    ("code", "reason", "back_s"),
    [
        (UNKNOWN, GapReason.ERROR, 1),
        (4242, GapReason.ERROR, 1),
        (INVALID_ARGUMENT, GapReason.ERROR, 5),
        (TIMEOUT, GapReason.ERROR, 10),
        (RESET_REQUIRED, GapReason.RESET, 10),
        (IRQ_ISSUE, GapReason.ERROR, 60),
        (INSUFFICIENT_POWER, GapReason.ERROR, 60),
        (NO_PERMISSION, GapReason.PERMISSION, 60),
        (GPU_IS_LOST, GapReason.LOST, 180),
    ],
)
def test_one_sick_gpu_is_a_named_gap_and_the_others_go_on(
    tmp_path: Path, code: int, reason: GapReason, back_s: int
) -> None:
    node = three(tmp_path)
    before = node.reading(1)
    node.fake.fault(1, code)
    for batch in node.run(5):
        assert [one.sensor for one in batch.readings] == [node.key(0), node.key(2)]
        assert [(one.sensor, one.reason) for one in batch.missing] == [(node.key(1), reason)]
        assert batch.sensors is None, "it stays in the inventory"
    node.fake.heal(1)
    assert back_after_s(node, 1, 180) <= back_s
    after = node.reading(1)
    assert (after.counter_uj or 0) - (before.counter_uj or 0) == 200_000 * (after.boot_ns - before.boot_ns) // 1_000_000


def test_a_lost_gpu_is_left_alone_for_minutes(tmp_path: Path) -> None:
    """Asking a GPU that fell off the bus can hang the driver for all of them."""
    node = three(tmp_path)
    node.read()
    node.fake.fault(1, GPU_IS_LOST)
    node.read()
    calls = node.fake.calls(gpu=1)
    node.run(175)
    assert node.fake.calls(gpu=1) == calls
    node.run(10)
    assert node.fake.calls(gpu=1) == calls + 1, "one try, for its handle"


@pytest.mark.parametrize(("code", "reason"), [(UNKNOWN, GapReason.ERROR), (GPU_IS_LOST, GapReason.LOST)])
def test_a_gpu_without_a_counter_fails_with_its_power(tmp_path: Path, code: int, reason: GapReason) -> None:
    node = running(tmp_path, FakeGpu(P100))
    node.fake.fault(0, code, "power")
    assert node.missing(0).reason is reason


def test_a_handle_that_stays_stale_is_not_renewed_every_second(tmp_path: Path) -> None:
    node = three(tmp_path)
    node.read()
    calls = node.fake.calls("nvmlDeviceGetHandleByIndex_v2", 0)
    node.fake.fault(1, INVALID_ARGUMENT, "energy")
    node.run(50)
    assert node.fake.calls("nvmlDeviceGetHandleByIndex_v2", 0) - calls <= 11


def test_a_lost_gpu_is_tried_at_once_when_the_source_is_opened_anew(tmp_path: Path) -> None:
    node = three(tmp_path)
    node.read()
    node.fake.fault(1, GPU_IS_LOST)
    node.read()
    node.fake.heal()
    node.source.close()
    node.source.open()
    assert node.reading(1).counter_uj


def test_gpus_that_cannot_be_opened_at_the_start_do_not_take_the_others_along(tmp_path: Path) -> None:
    world = World(tmp_path, None, (FakeGpu(), FakeGpu(), FakeGpu(), FakeGpu()))
    world.fake.fault(0, IRQ_ISSUE, "handle")
    world.fake.fault(2, INSUFFICIENT_POWER, "handle")
    node = Running(world)
    assert {one.sensor for one in node.read().readings} == {node.key(1), node.key(3)}
    assert set(node.sensors) == {node.key(1), node.key(3)}
    world.fake.heal()
    assert back_after_s(node, 0, 61)
    assert set(node.sensors) == {node.key(gpu) for gpu in range(4)}


def test_a_gpu_reset_gives_new_handles_and_loses_one_reading(tmp_path: Path) -> None:
    node = three(tmp_path)
    node.run(10)
    node.fake.reset_gpu(1)
    assert node.missing(1).reason is GapReason.ERROR
    assert node.reading(1).counter_uj == 2 * 200_000_000, "the counter began anew with the reset"


def test_indices_that_change_never_mix_up_two_gpus(tmp_path: Path) -> None:
    node = three(tmp_path)
    node.read()
    first, third = node.key(0), node.key(2)
    node.fake.swap_indices(0, 2)
    node.run(2)
    powers = {one.sensor: one.power_mw for one in node.read().readings}
    assert powers[first] == 100_000
    assert powers[third] == 300_000
    assert (node.sensors[first].index, node.sensors[third].index) == ("2", "0")


def test_a_gpu_that_the_driver_no_longer_counts_is_lost_not_forgotten(tmp_path: Path) -> None:
    node = three(tmp_path)
    node.read()
    node.fake.set_count(2)
    node.run(60)
    assert node.missing(2).reason is GapReason.LOST
    assert node.key(2) in node.sensors
    counts = node.fake.calls("nvmlDeviceGetCount_v2")
    node.run(60)
    assert node.fake.calls("nvmlDeviceGetCount_v2") == counts + 1, "it is waited for at the usual pace"
    node.fake.set_count(3)
    assert back_after_s(node, 2, 61)


def test_a_gpu_that_is_gone_leaves_its_index_to_another(tmp_path: Path) -> None:
    node = three(tmp_path)
    node.read()
    gone, moved = node.key(1), node.key(2)
    node.fake.swap_indices(1, 2)
    node.fake.set_count(2)
    node.run(130)
    assert {one.sensor: one.reason for one in node.read().missing} == {gone: GapReason.LOST}
    node.fake.fault(1, GPU_IS_LOST)
    node.read()
    calls = node.fake.calls(gpu=1)
    node.run(150)
    assert node.fake.calls(gpu=1) == calls, "it is the moved one that is left alone now"
    assert {one.sensor: one.detail for one in node.read().missing} == {
        gone: "the driver no longer lists it",
        moved: "it fell off the bus (GPU_IS_LOST)",
    }


def test_a_count_that_fails_now_and_then_changes_nothing(tmp_path: Path) -> None:
    node = three(tmp_path)
    node.fake.fault_driver(UNKNOWN, "nvmlDeviceGetCount_v2")
    assert all(len(batch.readings) == 3 for batch in node.run(130))
    assert node.fake.calls("nvmlDeviceGetCount_v2") == 3


def test_opening_twice_leaves_no_second_session(tmp_path: Path) -> None:
    node = three(tmp_path)
    node.source.open()
    node.source.close()
    assert node.fake.holds() == 0


@pytest.mark.parametrize(("counter", "power"), [(2**64 - 1, 2**32 - 1), (2**64 - 1, 0)])
def test_a_placeholder_is_never_a_number(tmp_path: Path, counter: int, power: int) -> None:
    node = three(tmp_path)
    node.read()
    node.fake.nonsense(1, counter=counter, power=power)
    assert node.missing(1).reason is GapReason.IMPLAUSIBLE
    node.fake.nonsense(1, counter=0, power=0)
    assert node.reading(1).counter_uj == node.fake.counter_uj(1)


def test_nonsense_power_beside_a_good_counter_is_left_out(tmp_path: Path) -> None:
    node = three(tmp_path)
    node.fake.nonsense(1, counter=0)
    assert node.reading(1).counter_uj == node.fake.counter_uj(1)
    assert node.reading(1).power_mw is None


def test_power_that_fails_now_and_then_costs_no_energy(tmp_path: Path) -> None:
    node = three(tmp_path)
    node.fake.fault(1, UNKNOWN, "power")
    assert (node.reading(1).counter_uj, node.reading(1).power_mw) == (1_000_200_000_000, None)
    node.fake.heal()
    assert node.reading(1).power_mw == 200_000


def test_energy_that_fails_is_a_gap_and_never_power_alone(tmp_path: Path) -> None:
    """Power integrated over the gap and the counter's next delta would be the same joules twice."""
    node = three(tmp_path)
    node.fake.fault(1, UNKNOWN, "energy")
    assert node.missing(1).reason is GapReason.ERROR


def test_a_stuck_counter_is_reported_as_it_is_with_power_beside_it(tmp_path: Path) -> None:
    """The core's cross-check needs both to notice."""
    node = three(tmp_path)
    node.read()
    node.fake.stick_counter(1)
    readings = [node.reading(1) for _ in range(3)]
    assert {one.counter_uj for one in readings} == {1_000_200_000_000}
    assert {one.power_mw for one in readings} == {200_000}


def test_a_uuid_that_is_no_text_is_a_gpu_that_cannot_be_opened(tmp_path: Path) -> None:
    world = World(tmp_path, None, (FakeGpu(), FakeGpu()))
    world.fake.garble_uuid(0)
    node = Running(world)
    assert [one.sensor for one in node.read().readings] == [node.key(1)]


def test_a_driver_reload_voids_the_session_and_the_next_open_begins_anew(tmp_path: Path) -> None:
    node = three(tmp_path)
    node.run(100)
    node.fake.reload_driver()
    with pytest.raises(SourceFailed, match="reloaded"):
        node.read()
    node.source.close()
    node.source.open()
    assert node.reading(2).counter_uj == 2 * 300_000_000
    assert node.fake.holds() == 1, "no session is left over"


def test_after_an_upgrade_only_a_new_process_can_go_on_and_the_error_says_so(tmp_path: Path) -> None:
    node = three(tmp_path)
    node.read()
    node.fake.reload_driver("595.10.02")
    with pytest.raises(SourceFailed, match="reloaded"):
        node.read()
    node.source.close()
    with pytest.raises(SourceNeedsRestart) as caught:
        node.source.open()
    assert caught.value.needs_restart
    assert isinstance(caught.value, SourceFailed)
    assert "Restart wattledger" in caught.value.remedy
    code = (
        "from tracker import clock, sysfs\n"
        "from tracker.sources.interface import *; from tracker.sources.nvml import *\n"
        "source = NvmlSource(Options(), SourceContext(sysfs.Roots(), clock.now))\n"
        "source.open(); print(source.read().readings[0].epoch)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=node.fake.env(), cwd=REPO, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "595.10.02"


@pytest.mark.parametrize("code", [UNINITIALIZED, 9, 18])
def test_a_session_that_is_void_for_one_gpu_is_void_for_all(tmp_path: Path, code: int) -> None:
    node = three(tmp_path)
    node.read()
    node.fake.fault(1, code)
    with pytest.raises(SourceFailed):
        node.read()


def test_when_no_gpu_may_be_opened_it_is_a_matter_of_permission(tmp_path: Path) -> None:
    world = World(tmp_path, None, (FakeGpu(), FakeGpu()))
    for gpu in (0, 1):
        world.fake.fault(gpu, NO_PERMISSION, "handle")
    source = world.source()
    with pytest.raises(SourceDenied):
        source.open()
    assert world.fake.holds() == 0


def test_when_no_gpu_answers_at_the_start_it_is_tried_again(tmp_path: Path) -> None:
    world = World(tmp_path, None, (FakeGpu(),))
    world.fake.fault(0, GPU_IS_LOST)
    source = world.source()
    with pytest.raises(SourceFailed, match="fell off the bus"):
        source.open()
    world.fake.heal()
    source.open()
    assert len(source.read().readings) == 1
    assert world.fake.holds() == 1


@pytest.mark.parametrize("code", [NOT_SUPPORTED, FUNCTION_NOT_FOUND, 25, 26])
def test_facts_that_the_driver_does_not_tell_never_cost_the_energy(tmp_path: Path, code: int) -> None:
    world = World(tmp_path, None, (FakeGpu(),))
    for name in ("Name", "CudaComputeCapability", "C2cModeInfoV", "NumGpuCores", "PersistenceMode", "MigMode"):
        world.fake.fault(0, code, f"nvmlDeviceGet{name}")
    node = Running(world)
    assert node.reading(0).counter_uj == node.fake.counter_uj(0)
    assert node.sensors[node.key(0)].model == ""
