"""Who pays for a joule: each split sums to the energy and held time of the device, and every rest has a name (P1)."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.thorough import thorough
from tracker.core.model import (
    IDLE,
    SYSTEM,
    UNALLOCATED,
    UNATTRIBUTED,
    Charge,
    Component,
    GpuHolding,
    Holder,
    Kind,
    Observation,
    Share,
    Workload,
)
from tracker.core.split import split, unattributed
from tracker.core.units import UJ_PER_J

A, B, C = (Workload(f"pod/{name}", Kind.POD, name) for name in "abc")
J = UJ_PER_J
GPU = "GPU-1"


def on_gpu(*holders: Holder, instance_sms: int = 0, sm_total: int = 0) -> Observation:
    return Observation(gpu={GPU: GpuHolding(holders, instance_sms, sm_total)})


def gpu(energy_uj: int, idle_uj: int, seen: Observation, held_ms: int = 5_000) -> set[Charge]:
    return {*split(Component.GPU, GPU, energy_uj, idle_uj, held_ms, seen)}


# --- GPU -------------------------------------------------------------------------------------------------------------


def test_two_pods_on_one_gpu_share_the_floor_equally_and_the_rest_by_sm_time() -> None:
    seen = on_gpu(Holder(A, sm_weight=300), Holder(B, sm_weight=100))
    assert gpu(3_500 * J, 350 * J, seen) == {
        Charge(A, 175 * J + 3_150 * J * 3 // 4, 175 * J, 2_500),
        Charge(B, 175 * J + 3_150 * J * 1 // 4, 175 * J, 2_500),
    }


def test_one_pod_pays_for_all_of_its_gpu() -> None:
    assert gpu(3_500 * J, 350 * J, on_gpu(Holder(A, sm_weight=1))) == {Charge(A, 3_500 * J, 350 * J, 5_000)}


def test_allocated_but_idle_is_charged_to_the_holder_and_flagged() -> None:
    """A notebook that holds a GPU all night sees what that costs."""
    assert gpu(350 * J, 350 * J, on_gpu(Holder(A, memory_weight=2**30))) == {Charge(A, 350 * J, 350 * J, 5_000)}


def test_without_sm_times_memory_decides() -> None:
    seen = on_gpu(Holder(A, memory_weight=30), Holder(B, memory_weight=10))
    assert gpu(400, 0, seen, 0) == {Charge(A, 300, 0, 0), Charge(B, 100, 0, 0)}


def test_without_sm_times_who_holds_no_memory_pays_its_part_of_the_floor_only() -> None:
    seen = on_gpu(Holder(A, memory_weight=30), Holder(B))
    assert gpu(400, 100, seen) == {Charge(A, 350, 50, 2_500), Charge(B, 50, 50, 2_500)}


def test_without_sm_times_and_memory_equal_parts() -> None:
    assert gpu(401, 0, on_gpu(Holder(A), Holder(B)), 0) == {Charge(A, 201, 0, 0), Charge(B, 200, 0, 0)}


def test_sm_times_decide_alone_where_there_are_any() -> None:
    """Who only keeps memory pays its part of the floor, not of the work."""
    seen = on_gpu(Holder(A, sm_weight=5), Holder(B, memory_weight=2**36))
    assert gpu(1_000, 100, seen) == {Charge(A, 950, 50, 2_500), Charge(B, 50, 50, 2_500)}


def test_nobody_holds_it_and_it_idles() -> None:
    assert gpu(360 * J, 350 * J, on_gpu()) == {Charge(IDLE, 360 * J, 360 * J, 5_000)}


def test_a_gpu_that_could_not_be_looked_at_is_nobodys_and_not_idle() -> None:
    """Without process lists a busy GPU must not be taken for an idle one."""
    assert gpu(3_500 * J, 350 * J, Observation()) == {Charge(UNATTRIBUTED, 3_500 * J, 0, 5_000)}


def test_nobody_is_known_to_hold_it_but_it_works() -> None:
    """A process that could not be seen must not turn into idle energy."""
    assert gpu(3_500 * J, 350 * J, on_gpu()) == {
        Charge(IDLE, 350 * J, 350 * J, 5_000),
        Charge(UNATTRIBUTED, 3_150 * J, 0, 0),
    }


def test_clearly_more_than_the_floor_begins_above_one_and_a_half_of_it() -> None:
    assert gpu(150, 100, on_gpu()) == {Charge(IDLE, 150, 150, 5_000)}
    assert gpu(151, 100, on_gpu()) == {Charge(IDLE, 100, 100, 5_000), Charge(UNATTRIBUTED, 51, 0, 0)}
    assert gpu(9, 1, on_gpu()) == {Charge(IDLE, 1, 1, 5_000), Charge(UNATTRIBUTED, 8, 0, 0)}


def test_a_gpu_whose_floor_is_not_known_is_idle_when_nobody_holds_it() -> None:
    assert gpu(3_500 * J, 0, on_gpu()) == {Charge(IDLE, 3_500 * J, 3_500 * J, 5_000)}


def test_another_gpus_holder_pays_nothing_here() -> None:
    seen = Observation(gpu={"GPU-2": GpuHolding((Holder(A, sm_weight=9),)), "GPU-1": GpuHolding()})
    assert gpu(100, 100, seen) == {Charge(IDLE, 100, 100, 5_000)}


# --- MIG: an H100 of 132 SMs in instances of 60, 32, 16 and 16 -------------------------------------------------------


def test_mig_floor_by_sms_and_eight_sms_belong_to_nobody() -> None:
    """The last instance has no holder: idle. 132 - 124 = 8 SMs are in no instance: unallocated."""
    seen = on_gpu(
        Holder(A, sm_weight=50, sm_count=60),
        Holder(B, sm_weight=100, sm_count=32),
        Holder(C, sm_count=16),
        instance_sms=124,
        sm_total=132,
    )
    assert gpu(132_000 + 6_200, 132_000, seen, 132_000) == {
        Charge(A, 60_000 + 3_000, 60_000, 60_000),  # 50 x 60 of (50 x 60 + 100 x 32)
        Charge(B, 32_000 + 3_200, 32_000, 32_000),
        Charge(C, 16_000, 16_000, 16_000),
        Charge(IDLE, 16_000, 16_000, 16_000),
        Charge(UNALLOCATED, 8_000, 8_000, 8_000),
    }


def test_mig_without_activity_shares_the_work_by_sms_of_the_holders() -> None:
    seen = on_gpu(Holder(A, sm_count=60), Holder(B, sm_count=20), instance_sms=124, sm_total=132)
    assert {c.workload: c.energy_uj - c.idle_uj for c in gpu(80, 0, seen, 0)} == {A: 60, B: 20}


def test_mig_work_without_activity_is_paid_by_those_who_are_there() -> None:
    """Who was only given an instance pays its part of the floor."""
    seen = on_gpu(Holder(A, memory_weight=1, sm_count=60), Holder(B, sm_count=60), instance_sms=120, sm_total=120)
    assert gpu(1_120, 120, seen, 120) == {Charge(A, 1_060, 60, 60), Charge(B, 60, 60, 60)}


def test_holders_of_whom_nobody_is_seen_pay_for_the_work_too() -> None:
    """An allocated GPU is not nobody's, however much it uses."""
    assert gpu(3_500, 350, on_gpu(Holder(A)), 10) == {Charge(A, 3_500, 350, 10)}
    assert gpu(3_500, 350, on_gpu(Holder(A), Holder(B)), 10) == {Charge(A, 1_750, 175, 5), Charge(B, 1_750, 175, 5)}


def test_mig_activity_without_known_sms_still_decides() -> None:
    seen = on_gpu(Holder(A, sm_weight=3), Holder(B, sm_weight=1), instance_sms=100, sm_total=132)
    assert {c.workload: c.energy_uj for c in gpu(400, 0, seen, 0)} == {A: 300, B: 100}


def test_mig_holder_of_unknown_sms_takes_nobody_elses() -> None:
    """The floor of SMs without a known holder is idle; the work goes to holders whose SMs are known."""
    seen = on_gpu(Holder(A, sm_weight=50, sm_count=60), Holder(B, sm_weight=50), instance_sms=100, sm_total=100)
    assert gpu(1_100, 100, seen, 100) == {Charge(A, 1_060, 60, 60), Charge(IDLE, 40, 40, 40)}


def test_the_smallest_partition_is_a_partition() -> None:
    seen = on_gpu(Holder(A, sm_weight=1, sm_count=1), Holder(B, sm_weight=9), instance_sms=1, sm_total=2)
    assert gpu(30, 20, seen, 20) == {Charge(A, 20, 10, 10), Charge(UNALLOCATED, 10, 10, 10)}


def test_mig_that_nobody_holds_is_idle_and_unallocated() -> None:
    seen = on_gpu(instance_sms=124, sm_total=132)
    assert gpu(1_320, 1_320, seen, 132) == {Charge(IDLE, 1_240, 1_240, 124), Charge(UNALLOCATED, 80, 80, 8)}
    assert gpu(13_200, 1_320, seen, 132) == {
        Charge(IDLE, 1_240, 1_240, 124),
        Charge(UNALLOCATED, 80, 80, 8),
        Charge(UNATTRIBUTED, 11_880, 0, 0),
    }


def test_mig_of_an_unknown_total_has_nothing_unallocated() -> None:
    assert gpu(100, 100, on_gpu(Holder(A, sm_count=60), instance_sms=60)) == {Charge(A, 100, 100, 5_000)}


def test_mig_holders_of_more_than_there_is_share_what_there_is() -> None:
    """Two workloads that both count the one instance of 60 SMs they share."""
    seen = on_gpu(Holder(A, sm_count=60), Holder(B, sm_count=60), instance_sms=60, sm_total=100)
    assert gpu(120, 120, seen, 120) == {Charge(A, 60, 60, 60), Charge(B, 60, 60, 60)}


# --- CPU, DRAM, other ------------------------------------------------------------------------------------------------


def test_cpu_by_cpu_time_and_the_floor_is_idle() -> None:
    seen = Observation(cpu=(Share(A, 30), Share(SYSTEM, 10), Share(B, 0)), cpu_capacity_us=100)
    assert {*split(Component.CPU, "package-0", 1_100, 100, 5_000, seen)} == {
        Charge(A, 750, 0, 1_500),
        Charge(SYSTEM, 250, 0, 500),
        Charge(IDLE, 100, 100, 3_000),
    }


@pytest.mark.parametrize("shares", [(), (Share(A, 0),)])
def test_p3_cpu_that_was_not_observed_is_unattributed_not_idle(shares: tuple[Share, ...]) -> None:
    """The first tick has no CPU times. Something ran: at the least the system."""
    seen = Observation(cpu=shares, cpu_capacity_us=100)
    assert {*split(Component.CPU, "package-0", 1_100, 100, 5_000, seen)} == {
        Charge(IDLE, 100, 100, 0),
        Charge(UNATTRIBUTED, 1_000, 0, 5_000),
    }


def test_the_smallest_share_counts() -> None:
    """One microsecond, one byte."""
    seen = Observation(cpu=(Share(A, 1),), cpu_capacity_us=2, dram=(Share(A, 1),), dram_capacity_bytes=2)
    assert {*split(Component.CPU, "p", 10, 0, 10, seen)} == {Charge(A, 10, 0, 5), Charge(IDLE, 0, 0, 5)}
    assert {*split(Component.DRAM, "d", 10, 0, 10, seen)} == {Charge(A, 5, 0, 5), Charge(IDLE, 5, 5, 5)}


def test_more_cpu_time_than_capacity_leaves_nothing_free() -> None:
    seen = Observation(cpu=(Share(A, 300),), cpu_capacity_us=100)
    assert split(Component.CPU, "package-0", 1_000, 0, 5_000, seen) == (Charge(A, 1_000, 0, 5_000),)


def test_dram_by_bytes_and_free_memory_is_idle() -> None:
    seen = Observation(dram=(Share(A, 30), Share(SYSTEM, 10)), dram_capacity_bytes=100)
    assert {*split(Component.DRAM, "dram-0", 1_000, 0, 5_000, seen)} == {
        Charge(A, 300, 0, 1_500),
        Charge(SYSTEM, 100, 0, 500),
        Charge(IDLE, 600, 600, 3_000),
    }


def test_p3_dram_that_was_not_observed_is_unattributed_not_free() -> None:
    for seen in (Observation(), Observation(dram_capacity_bytes=100), Observation(dram=(Share(A, 0),))):
        assert split(Component.DRAM, "dram-0", 1_000, 0, 5_000, seen) == (Charge(UNATTRIBUTED, 1_000, 0, 5_000),)


def test_more_memory_than_there_is_leaves_nothing_free() -> None:
    seen = Observation(dram=(Share(A, 300), Share(B, 100)), dram_capacity_bytes=100)
    assert {c.workload: c.energy_uj for c in split(Component.DRAM, "d", 100, 0, 0, seen)} == {A: 75, B: 25}


def test_anything_else_is_unattributed() -> None:
    assert split(Component.OTHER, "bmc", 1_000, 100, 5_000, Observation(cpu=(Share(A, 1),))) == (
        Charge(UNATTRIBUTED, 1_000, 0, 5_000),
    )
    assert unattributed(7, 8) == (Charge(UNATTRIBUTED, 7, 0, 8),)


def test_no_charge_without_anything_in_it() -> None:
    """Rows of zeros would fill the ledger."""
    seen = Observation(
        cpu=(Share(A, 1), Share(B, 10**9)), cpu_capacity_us=10**9 + 1, dram=(Share(A, 5),), dram_capacity_bytes=5
    )
    assert [c.workload for c in split(Component.CPU, "p", 1, 0, 1, seen)] == [B]
    assert [c.workload for c in split(Component.DRAM, "d", 9, 0, 1, seen)] == [A]
    assert [c.workload for c in split(Component.CPU, "p", 5, 5, 5, Observation())] == [IDLE, UNATTRIBUTED]
    assert split(Component.CPU, "p", 5, 5, 0, Observation()) == (Charge(IDLE, 5, 5, 0),)


# --- properties ------------------------------------------------------------------------------------------------------

workloads = st.sampled_from([A, B, C, SYSTEM])
weights = st.sampled_from([0, 0, 1, 132, 2**63, -1, -(2**40)]) | st.integers(-10, 10**12)
shares = st.lists(st.builds(Share, workloads, weights), max_size=6).map(tuple)
holders = st.lists(st.builds(Holder, workloads, weights, weights, weights), max_size=5).map(tuple)
holdings = st.builds(GpuHolding, holders, weights, weights)
observations = st.builds(
    Observation,
    cpu=shares,
    cpu_capacity_us=weights,
    dram=shares,
    dram_capacity_bytes=weights,
    gpu=st.dictionaries(st.sampled_from([GPU, "GPU-2"]), holdings, max_size=2),
)
energies = st.sampled_from([0, 1, 10**18]) | st.integers(0, 10**12)


def total(charges: Iterable[Charge]) -> tuple[int, int]:
    charges = tuple(charges)
    return sum(c.energy_uj for c in charges), sum(c.held_ms for c in charges)


@thorough
@given(st.sampled_from(Component), energies, energies, st.integers(0, 300_000), observations)
def test_p1_whatever_was_observed_every_joule_and_every_millisecond_is_charged_once(
    component: Component, energy_uj: int, idle_uj: int, held_ms: int, seen: Observation
) -> None:
    charges = split(component, GPU, energy_uj, idle_uj, held_ms, seen)
    assert total(charges) == (energy_uj, held_ms)
    for charge in charges:
        assert 0 <= charge.idle_uj <= charge.energy_uj
        assert charge.held_ms >= 0


@thorough
@given(energies, energies, st.integers(0, 300_000), holdings)
def test_p1_the_idle_part_of_a_gpu_is_whole_too(
    energy_uj: int, idle_uj: int, held_ms: int, holding: GpuHolding
) -> None:
    charges = split(Component.GPU, GPU, energy_uj, idle_uj, held_ms, Observation(gpu={GPU: holding}))
    idle_sum = sum(charge.idle_uj for charge in charges)
    if holding.holders:
        assert idle_sum == min(idle_uj, energy_uj)
        assert all(c.workload not in {IDLE, UNALLOCATED} or c.energy_uj == c.idle_uj for c in charges)
    else:
        assert idle_sum == energy_uj - sum(c.energy_uj for c in charges if c.workload == UNATTRIBUTED)


@thorough
@given(st.sampled_from([Component.CPU, Component.GPU]), energies, energies, observations)
def test_the_same_observation_gives_the_same_charges(
    component: Component, energy_uj: int, idle_uj: int, seen: Observation
) -> None:
    first = split(component, GPU, energy_uj, idle_uj, 5_000, seen)
    assert first == split(component, GPU, energy_uj, idle_uj, 5_000, seen)


@thorough
@given(energies, st.lists(st.integers(0, 10**9), min_size=1, max_size=6), st.integers(0, 5))
def test_a_workload_without_cpu_time_changes_nobodys_charge(energy_uj: int, times: list[int], position: int) -> None:
    """A thousand sleeping containers cost the others nothing."""
    names = [Workload(f"unit/{i}", Kind.UNIT) for i in range(len(times))]
    there = [Share(name, time_us) for name, time_us in zip(names, times, strict=True)]
    more = [*there]
    more.insert(position, Share(Workload("unit/new", Kind.UNIT), 0))
    before, after = (
        split(Component.CPU, "p", energy_uj, 0, 5_000, Observation(cpu=tuple(each), cpu_capacity_us=10**10))
        for each in (there, more)
    )
    assert before == after
