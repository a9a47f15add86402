"""The demo must obey the same laws as hardware, or it would teach people numbers that cannot be."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.thorough import thorough
from tracker.core import demo_node
from tracker.core.model import SYSTEM, Component, Kind
from tracker.core.scenario import BOOT_NS, Device, Scenario

S = 1_000_000_000
MINUTE = 60 * S
DAY = 86_400 * S
SCENARIO = Scenario()
GPUS = SCENARIO.devices[:8]
devices = st.sampled_from(SCENARIO.devices)
gpus = st.sampled_from(GPUS)
instants = st.integers(0, 400 * DAY)
lengths = st.integers(0, 3 * 3600 * S)
few = settings(thorough, max_examples=30)  # these build or walk a whole day each time


def power_by_ms(device: Device, boot_ms: int) -> int:
    return SCENARIO.power_mw(device, boot_ms * 1_000_000)


def test_the_node_has_eight_gpus_two_packages_and_their_memory() -> None:
    keys = [device.key for device in SCENARIO.devices]
    assert len(set(keys)) == 12
    assert all(key.startswith("GPU-demo-") for key in keys[:8])
    assert keys[8:] == ["demo-package-0", "demo-package-1", "demo-dram-0", "demo-dram-1"]


@few
@given(devices, instants, st.integers(0, 6000))
def test_the_counter_is_the_integral_of_the_power(device: Device, start_ns: int, length_ms: int) -> None:
    """Counter and power tell one story: what a peer would integrate is what the counter says."""
    start_ms = start_ns // 1_000_000
    gained_uj = SCENARIO.counter_uj(device, (start_ms + length_ms) * 1_000_000) - SCENARIO.counter_uj(
        device, start_ms * 1_000_000
    )
    assert gained_uj == sum(power_by_ms(device, start_ms + step) for step in range(length_ms))


@thorough
@given(devices, instants, lengths, lengths)
def test_p2_the_counter_never_falls_and_pieces_add_up(device: Device, start: int, one: int, two: int) -> None:
    marks = [SCENARIO.counter_uj(device, boot_ns) for boot_ns in (start, start + one, start + one + two)]
    assert 0 <= marks[0] <= marks[1] <= marks[2]
    bound_uj = Fraction(device.max_power_mw * (one + two), 1_000_000)
    assert marks[2] - marks[0] <= bound_uj + 1


@few
@given(devices, st.integers(0, 300))
def test_a_day_has_one_energy(device: Device, day: int) -> None:
    """Nothing is lost or doubled where the sums of the windows meet."""
    of_day = SCENARIO.counter_uj(device, DAY) - SCENARIO.counter_uj(device, 0)
    assert SCENARIO.counter_uj(device, (day + 1) * DAY) - SCENARIO.counter_uj(device, day * DAY) == of_day
    midnight_ns = 15 * 3600 * S
    windows = range(demo_node.DAY_WINDOWS)
    marks = [SCENARIO.counter_uj(device, midnight_ns + window * 600 * S) for window in windows]
    steps = [late - early for early, late in pairwise(marks)]
    assert all(600 * 20_000_000 < step <= 600 * device.max_power_mw * 1000 for step in steps)


@few
@given(devices, instants)
def test_it_is_deterministic(device: Device, boot_ns: int) -> None:
    """A restarted daemon finds its counters where they must be; so does one that asks in another order."""
    assert Scenario().counter_uj(device, boot_ns) == SCENARIO.counter_uj(device, boot_ns)
    assert Scenario().holds(GPUS[5], boot_ns, boot_ns) == SCENARIO.holds(GPUS[5], boot_ns, boot_ns)


def test_another_seed_is_another_node() -> None:
    other = Scenario(seed=2)
    assert not {device.key for device in other.devices[:8]} & {device.key for device in GPUS}
    assert other.counter_uj(other.devices[0], DAY) != SCENARIO.counter_uj(GPUS[0], DAY)


@thorough
@given(gpus, instants, lengths)
def test_weights_are_utilisation_in_time(gpu: Device, start: int, length: int) -> None:
    """No weight is negative and together they are at most 100 % of the time."""
    holds = SCENARIO.holds(gpu, start, start + length)
    assert all(hold.sm_weight >= 0 and hold.memory_bytes > 0 and 0 < hold.pid < 1 << 22 for hold in holds)
    assert sum(hold.sm_weight for hold in holds) <= 100 * (length // 1_000_000 + 1)
    assert sum(hold.memory_bytes for hold in SCENARIO.holds(gpu, start, start)) <= demo_node.GPU_MEMORY_BYTES
    assert len({hold.workload.key for hold in holds}) == len(holds)


@thorough
@given(gpus, instants, lengths, lengths)
def test_weights_of_adjoining_intervals_add_up(gpu: Device, start: int, one: int, two: int) -> None:
    """Whatever the pace of observation, the same workload gets the same weight in the end."""
    start, one, two = (value // 1_000_000 * 1_000_000 for value in (start, one // 7, two // 7))
    parts: dict[str, int] = {}
    for begin, end in ((start, start + one), (start + one, start + one + two)):
        for hold in SCENARIO.holds(gpu, begin, end):
            parts[hold.workload.key] = parts.get(hold.workload.key, 0) + hold.sm_weight
    whole = {hold.workload.key: hold.sm_weight for hold in SCENARIO.holds(gpu, start, start + one + two)}
    assert {key: weight for key, weight in parts.items() if weight} == {
        key: weight for key, weight in whole.items() if weight
    }


@thorough
@given(instants, lengths)
def test_cpu_time_and_memory_stay_within_the_node(start: int, length: int) -> None:
    shares = SCENARIO.cpu_us(start, start + length)
    assert all(share.weight >= 0 for share in shares)
    assert sum(share.weight for share in shares) <= demo_node.CPU_COUNT * (min(length, 3600 * S) // 1000 + 1000)
    memory = SCENARIO.dram_bytes(start)
    assert sum(share.weight for share in memory) <= demo_node.DRAM_BYTES
    assert shares[-1].workload == memory[-1].workload == SYSTEM


def test_a_long_silence_is_not_walked_through() -> None:
    """After a week of suspend an observation looks back an hour, so that it does not hold up the tick."""
    assert SCENARIO.cpu_us(0, 7 * DAY)[-1].weight == 1_500 * 3600 * 1000


def at(minute: int) -> int:
    """Boot time of a minute after nine o'clock, the hour at boot."""
    return minute * MINUTE


def names(gpu: int, boot_ns: int) -> list[str]:
    return [hold.workload.name for hold in SCENARIO.holds(GPUS[gpu], boot_ns, boot_ns)]


@pytest.mark.parametrize(
    ("gpu", "minute", "expected"),
    [
        (0, 6, ["llama-ft-7b"]),
        (4, 6, ["chat-api"]),
        (5, 6, ["embedder", "reranker"]),  # two containers share one GPU
        (5, 36, ["embedder"]),
        (6, 6, ["vit-sweep"]),
        (6, 0, []),  # between two jobs
        (7, 6, ["jupyter-lena"]),  # allocated, and does next to nothing
        (7, 45, []),  # free
        (3, 175, []),  # the pause between two trainings
    ],
)
def test_what_an_operator_sees_on_each_gpu(gpu: int, minute: int, expected: list[str]) -> None:
    assert names(gpu, at(minute)) == expected


def test_short_jobs_follow_each_other() -> None:
    """About one every ten minutes, each with its own id, each leaving its name to the last interval it ran in."""
    jobs = {hold.workload.job for hold in SCENARIO.holds(GPUS[6], 0, 3600 * S)}
    assert len(jobs) == 6
    assert all(job.isdigit() for job in jobs)


def test_the_notebook_holds_its_gpu_at_no_load() -> None:
    (hold,) = SCENARIO.holds(GPUS[7], at(1), at(1) + 5 * S)
    assert (hold.workload.phase, hold.sm_weight) == ("development", 0)
    assert SCENARIO.power_mw(GPUS[7], at(1)) == 74_000
    assert SCENARIO.power_mw(GPUS[7], at(45)) == 68_000


def test_inference_follows_the_hour() -> None:
    """More than twice the power above idle at three in the afternoon than at three at night."""
    midnight_ns = DAY - BOOT_NS
    night, day = (
        SCENARIO.counter_uj(GPUS[4], midnight_ns + hour * 3600 * S + 3600 * S)
        - SCENARIO.counter_uj(GPUS[4], midnight_ns + hour * 3600 * S)
        for hour in (3, 15)
    )
    idle_uj = 68_000 * 3_600_000
    assert day - idle_uj > 2 * (night - idle_uj)


def test_labels_are_filled() -> None:
    """A demo without owners would show nobody what the product is for."""
    found = {hold.workload for gpu in GPUS for hold in SCENARIO.holds(gpu, at(6), at(7))}
    assert {workload.kind for workload in found} == {Kind.POD, Kind.SLURM, Kind.CONTAINER}
    assert {workload.team for workload in found} == {"nlp", "vision", "platform", "search"}
    assert all(workload.project and workload.phase and workload.cost_centre and workload.name for workload in found)
    assert all(workload.pod and workload.namespace for workload in found if workload.kind is Kind.POD)


def test_power_is_believable() -> None:
    """A node of this kind draws some kilowatts, and its training GPUs most of it."""
    watts = {
        device.key: SCENARIO.counter_uj(device, DAY) - SCENARIO.counter_uj(device, 0) for device in SCENARIO.devices
    }
    mean_w = {key: energy_uj / 86_400e6 for key, energy_uj in watts.items()}
    assert 550 < mean_w[GPUS[0].key] < 680
    assert 70 < mean_w[GPUS[7].key] < 90
    assert 3_000 < sum(mean_w.values()) < 5_000
    assert {device.component for device in SCENARIO.devices} == {Component.GPU, Component.CPU, Component.DRAM}
