"""Who is on a GPU, as the split needs it: presence, memory, and SM time of samples that are new, each counted once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.nvml.parts import (
    COMPUTE,
    GRAPHICS,
    INSUFFICIENT_SIZE,
    INVALID_ARGUMENT,
    NO_PERMISSION,
    NOT_SUPPORTED,
    UNKNOWN,
    FakeGpu,
    FakeProcess,
    FakeSample,
)
from tests.sources.world_nvml import Running, running
from tracker.core.model import DeviceUse, ProcessUse
from tracker.sources.nvml_driver import UtilSample
from tracker.sources.nvml_processes import weigh

pytestmark = pytest.mark.needs("gcc")


def one(tmp_path: Path, *processes: FakeProcess) -> Running:
    return running(tmp_path, FakeGpu(processes=processes))


def weights(use: DeviceUse) -> dict[int, int]:
    return {process.pid: process.sm_weight for process in use.processes}


def test_processes_are_looked_at_every_ten_seconds_and_at_once_after_the_start(tmp_path: Path) -> None:
    node = one(tmp_path, FakeProcess(11))
    looks = [batch.uses is not None for batch in node.run(31)]
    assert [second for second, looked in enumerate(looks, 1) if looked] == [1, 11, 21, 31]


def test_a_process_in_both_lists_is_one_process(tmp_path: Path) -> None:
    node = one(tmp_path, FakeProcess(11, 5 << 30, kinds=COMPUTE | GRAPHICS), FakeProcess(12, 1 << 20, kinds=GRAPHICS))
    assert node.use(0).processes == (ProcessUse(11, 0, 5 << 30), ProcessUse(12, 0, 1 << 20))


def test_memory_that_the_driver_does_not_tell_is_left_open(tmp_path: Path) -> None:
    assert one(tmp_path, FakeProcess(11, None)).use(0).processes == (ProcessUse(11, 0, 0),)


def test_nobody_on_a_gpu_is_said_so(tmp_path: Path) -> None:
    node = one(tmp_path)
    assert node.use(0) == DeviceUse(node.key(0), index=0)


def test_each_gpu_has_its_index_in_the_drivers_order(tmp_path: Path) -> None:
    """Some device plugins and Slurm name GPUs by number."""
    node = running(tmp_path, FakeGpu(), FakeGpu(), FakeGpu())
    assert [node.use(number).index for number in (0, 1, 2)] == [0, 1, 2]


def test_a_busy_process_weighs_percent_times_time(tmp_path: Path) -> None:
    """One sample of each process per look, as nvml.h describes it."""
    node = one(tmp_path, FakeProcess(11, sm_percent=80), FakeProcess(12, sm_percent=20))
    node.read()
    assert weights(node.use(0)) == {11: 80_000, 12: 20_000}


def test_every_sample_is_counted_exactly_once_over_many_looks(tmp_path: Path) -> None:
    """Where the driver hands out its whole buffer, looks that overlap or leave a hole would bend the shares."""
    node = one(tmp_path, FakeProcess(11, sm_percent=50))
    node.fake.sampler(0, every_s=0.5, ring=True)
    node.read()
    total = sum(weights(use)[11] for batch in node.run(600) for use in batch.uses or ())
    assert total == 50 * 600_000


def test_a_short_job_weighs_by_the_time_it_ran(tmp_path: Path) -> None:
    node = one(tmp_path, FakeProcess(11, sm_percent=50))
    node.fake.sampler(0, ring=True)
    node.read()
    node.run(3)
    node.fake.set_processes(0, [FakeProcess(11, sm_percent=50), FakeProcess(12, sm_percent=100)])
    node.run(2)
    node.fake.end_process(0, 12)
    use = node.use(0, after_s=5)
    assert weights(use) == {11: 500_000, 12: 200_000}
    assert [process.memory_bytes for process in use.processes] == [1 << 30, 0], "it is in no list any more"
    assert weights(node.use(0)) == {11: 500_000}, "and it is not seen a second time"


@pytest.mark.parametrize("ignore_last_seen", [False, True])
def test_stale_samples_are_dropped_even_when_the_driver_sends_them(tmp_path: Path, ignore_last_seen: bool) -> None:
    """Samples from before the daemon or from an earlier look belong to energy that is booked already."""
    node = one(tmp_path)
    node.world.advance(100)
    node.fake.sampler(0, ignore_last_seen=ignore_last_seen)
    node.fake.set_processes(0, [FakeProcess(11)], [FakeSample(at_s, 13, 90) for at_s in range(100)])
    assert weights(node.use(0)) == {11: 0}
    node.fake.set_processes(0, [FakeProcess(11)], [FakeSample(112, 11, 40)])
    assert weights(node.use(0)) == {11: 40_000}
    assert weights(node.use(0)) == {11: 0}


def test_a_sample_that_was_published_late_is_not_lost(tmp_path: Path) -> None:
    node = one(tmp_path, FakeProcess(11))
    node.read()
    node.use(0)
    node.fake.set_processes(0, [FakeProcess(11)], [FakeSample(node.fake.now_s - 0.5, 11, 40)])
    assert weights(node.use(0)) == {11: 20_000}


def test_samples_above_100_percent_or_of_no_process_are_nonsense(tmp_path: Path) -> None:
    node = one(tmp_path, FakeProcess(11))
    node.read()
    node.fake.set_processes(0, [FakeProcess(11)], [FakeSample(3, 11, 101), FakeSample(4, 12, 30), FakeSample(4, 0, 9)])
    assert weights(node.use(0)) == {11: 0, 12: 30_000}


@pytest.mark.parametrize("step_s", [3600, -3600])
def test_a_clock_that_is_set_brings_back_no_old_sample_and_loses_no_new_one(tmp_path: Path, step_s: int) -> None:
    node = one(tmp_path, FakeProcess(11, sm_percent=50))
    node.read()
    node.use(0)
    node.world.clock.wall_ns += step_s * 1_000_000_000
    node.fake.set_clock(step_s)
    assert weights(node.use(0)) == {11: 50_000}
    assert weights(node.use(0)) == {11: 50_000}


def test_pids_are_reported_as_the_driver_gives_them(tmp_path: Path) -> None:
    """In a PID namespace lists and samples may differ; joining them is not guessed here."""
    node = one(tmp_path, FakeProcess(645400, sm_percent=60, namespace_pid=324))
    node.read()
    assert node.use(0).processes == (ProcessUse(324, 0, 1 << 30), ProcessUse(645400, 60_000, 0))


@pytest.mark.parametrize("code", [UNKNOWN, NO_PERMISSION, NOT_SUPPORTED, INSUFFICIENT_SIZE])
def test_lists_that_fail_say_nothing_which_is_not_nobody(tmp_path: Path, code: int) -> None:
    node = running(tmp_path, FakeGpu(processes=[FakeProcess(11)]), FakeGpu(processes=[FakeProcess(12)]))
    node.fake.fault(0, code, "lists")
    batch = node.read()
    assert [use.device for use in batch.uses or ()] == [node.key(1)]
    assert len(batch.readings) == 2, "energy goes on"


def test_a_list_that_keeps_growing_is_asked_for_three_times(tmp_path: Path) -> None:
    node = one(tmp_path, FakeProcess(11))
    node.fake.fault(0, INSUFFICIENT_SIZE, "lists")
    node.read()
    assert node.fake.calls("nvmlDeviceGetComputeRunningProcesses_v3", 0) == 3 * 2, "each time size and list"


def test_lists_that_are_not_offered_are_not_asked_for_again(tmp_path: Path) -> None:
    node = one(tmp_path)
    node.fake.fault(0, NOT_SUPPORTED, "lists")
    node.run(100)
    assert node.fake.calls("nvmlDeviceGetComputeRunningProcesses_v3", 0) == 1


def test_without_utilisation_presence_and_memory_remain(tmp_path: Path) -> None:
    node = one(tmp_path, FakeProcess(11, sm_percent=60))
    node.fake.fault(0, NOT_SUPPORTED, "utilisation")
    for _ in range(5):
        assert node.use(0).processes == (ProcessUse(11, 0, 1 << 30),)
    assert node.fake.calls("nvmlDeviceGetProcessUtilization", 0) == 1


def test_a_failed_look_makes_up_for_its_samples_at_the_next(tmp_path: Path) -> None:
    node = one(tmp_path, FakeProcess(11, sm_percent=50))
    node.fake.sampler(0, ring=True)
    node.read()
    node.fake.fault(0, UNKNOWN, "lists")
    assert not node.read(after_s=10).uses
    node.fake.heal()
    assert weights(node.use(0)) == {11: 20 * 50_000}


def test_many_processes_fit(tmp_path: Path) -> None:
    node = one(tmp_path, *[FakeProcess(1000 + n, sm_percent=1) for n in range(64)])
    node.read()
    assert len(node.use(0).processes) == 64


def test_a_stale_handle_met_while_looking_is_renewed_without_a_gap(tmp_path: Path) -> None:
    node = one(tmp_path, FakeProcess(11))
    node.fake.fault(0, INVALID_ARGUMENT, "lists")
    assert not node.read().uses
    node.fake.heal()
    assert node.read().readings
    assert node.use(0).processes


@pytest.mark.parametrize(
    ("samples", "weight"),
    [
        ([], {}),
        ([UtilSample(900_000, 1, 50)], {1: 45_000}),
        ([UtilSample(9_000_000, 1, 50)], {1: 50_000}),
        ([UtilSample(500_000, 1, 50), UtilSample(1_000_000, 1, 100)], {1: 75_000}),
        ([UtilSample(1_000_000, 1, 100), UtilSample(500_000, 1, 50)], {1: 75_000}),
        ([UtilSample(500_000, 1, 50), UtilSample(500_000, 1, 50)], {1: 25_000}),
        ([UtilSample(500_000, 1, 50), UtilSample(600_000, 2, 10)], {1: 25_000, 2: 6_000}),
    ],
)
def test_a_sample_stands_for_the_time_since_the_one_before_it(
    samples: list[UtilSample], weight: dict[int, int]
) -> None:
    assert weigh(samples, since_us=0) == weight
