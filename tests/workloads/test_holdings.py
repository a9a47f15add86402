"""Who holds a GPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hypothesis import given as examples
from hypothesis import strategies as st

from tracker.core.model import (
    UNATTRIBUTED,
    DeviceUse,
    GpuHolding,
    Holder,
    Instance,
    Kind,
    ProcessUse,
    Workload,
)
from tracker.core.split import split_gpu
from tracker.workloads.holdings import Ownership, holding

A, B, C, D = (Workload(f"pod/{letter}", Kind.POD, letter) for letter in "abcd")
RUN = Workload("run/42", Kind.RUN, "run-42")
OWNERS = {1: A, 2: A, 3: B, 4: C}
#: An H100 in 3g.40gb, 2g.20gb and two 1g.10gb: 124 of 132 SMs are in instances.
H100 = tuple(Instance(f"MIG-{key}", sms) for key, sms in (("a", 60), ("b", 32), ("c", 16), ("d", 16)))


def held(use: DeviceUse, given: Mapping[str, Sequence[Workload]] | None = None, *, blind: bool = False) -> GpuHolding:
    return holding(use, Ownership(OWNERS, given=given or {}, blind=blind))


def test_processes_of_one_workload_are_one_holder() -> None:
    use = DeviceUse("GPU-0", (ProcessUse(1, 100, 10), ProcessUse(2, 50, 5), ProcessUse(3, 7, 1)))
    assert held(use) == GpuHolding((Holder(A, 150, 15), Holder(B, 7, 1)))


def test_a_process_without_owner_is_unattributed_not_dropped() -> None:
    use = DeviceUse("GPU-0", (ProcessUse(1, 100, 10), ProcessUse(98, 60, 5), ProcessUse(99, 40, 5)))
    assert held(use) == GpuHolding((Holder(A, 100, 10), Holder(UNATTRIBUTED, 100, 10)))


def test_nobody() -> None:
    assert held(DeviceUse("GPU-0")) == GpuHolding()


def test_mig_instances_belong_to_those_inside() -> None:
    """60 + 16 SMs to A, 32 to B; the fourth instance is free and 8 SMs are in no instance."""
    processes = (ProcessUse(1, 0, 5, "MIG-a"), ProcessUse(3, 0, 5, "MIG-b"), ProcessUse(2, 0, 5, "MIG-c"))
    seen = held(DeviceUse("GPU-0", processes, H100, 132))
    assert seen == GpuHolding((Holder(A, 0, 10, 76), Holder(B, 0, 5, 32)), 124, 132)


def test_a_shared_instance_is_split_equally_without_sm_times() -> None:
    processes = (ProcessUse(1, 0, 1, "MIG-c"), ProcessUse(3, 0, 1, "MIG-c"), ProcessUse(4, 0, 1, "MIG-c"))
    seen = held(DeviceUse("GPU-0", processes, H100, 132))
    assert [holder.sm_count for holder in seen.holders] == [6, 5, 5]


def test_a_shared_instance_is_held_equally_and_its_work_goes_by_sm_time() -> None:
    processes = (ProcessUse(1, 300, 1, "MIG-a"), ProcessUse(3, 100, 1, "MIG-a"))
    seen = held(DeviceUse("GPU-0", processes, H100, 132))
    assert [holder.sm_count for holder in seen.holders] == [30, 30]
    charges = {c.workload: c.energy_uj for c in split_gpu(4_000, 0, 0, seen)}
    assert charges == {A: 3_000, B: 1_000}


def test_unknown_sizes_count_as_equal_parts() -> None:
    instances = (Instance("MIG-a", 60), Instance("MIG-b", 0), Instance("MIG-c", 0))
    processes = (ProcessUse(1, 0, 1, "MIG-a"), ProcessUse(3, 0, 1, "MIG-b"))
    seen = held(DeviceUse("GPU-0", processes, instances, 132))
    assert seen == GpuHolding((Holder(A, 0, 1, 1), Holder(B, 0, 1, 1)), 3, 3)


def test_an_unknown_whole_is_at_least_its_instances() -> None:
    assert held(DeviceUse("GPU-0", (), H100)) == GpuHolding((), 124, 124)


def test_a_process_in_no_known_instance_holds_no_sms() -> None:
    """The instance was destroyed between two lists."""
    seen = held(DeviceUse("GPU-0", (ProcessUse(1, 9, 1, "MIG-z"), ProcessUse(3, 9, 1)), H100, 132))
    assert seen == GpuHolding((Holder(A, 9, 1, 0), Holder(B, 9, 1, 0)), 124, 132)


# --- what a scheduler gave away --------------------------------------------------------------------------------------


def test_a_gpu_that_was_given_away_is_held_without_any_process() -> None:
    """The most expensive waste there is: allocated, and idle."""
    seen = held(DeviceUse("GPU-0"), {"GPU-0": [A]})
    assert seen == GpuHolding((Holder(A),))
    assert [(c.workload, c.energy_uj, c.idle_uj, c.held_ms) for c in split_gpu(350, 350, 5_000, seen)] == [
        (A, 350, 350, 5_000)
    ]


def test_who_was_given_a_gpu_pays_what_is_used_on_it_though_nobody_is_seen() -> None:
    """Its processes may be hidden; its energy is not nobody's."""
    charges = split_gpu(3_500, 350, 5_000, held(DeviceUse("GPU-0"), {"GPU-0": [A]}))
    assert [(c.workload, c.energy_uj, c.idle_uj) for c in charges] == [(A, 3_500, 350)]


def test_a_process_weighs_one_byte_at_least_and_an_allocation_none() -> None:
    """So that who is there and who is not can be told apart where the driver does not tell memory."""
    seen = held(DeviceUse("GPU-0", (ProcessUse(1, 0, 0),)), {"GPU-0": [A, B]})
    assert seen == GpuHolding((Holder(A, 0, 1), Holder(B, 0, 0)))


def test_two_pods_on_one_gpu_share_its_floor_and_who_works_pays_for_the_work() -> None:
    """Time-slicing: B has a replica of the GPU and does nothing."""
    seen = held(DeviceUse("GPU-0", (ProcessUse(1, 900, 10),)), {"GPU-0": [A, B]})
    assert [(c.workload, c.energy_uj, c.idle_uj, c.held_ms) for c in split_gpu(1_100, 100, 5_000, seen)] == [
        (A, 1_050, 50, 2_500),
        (B, 50, 50, 2_500),
    ]


def test_both_replicas_idle() -> None:
    charges = split_gpu(101, 101, 5_001, held(DeviceUse("GPU-0"), {"GPU-0": [A, B]}))
    assert [(c.energy_uj, c.idle_uj, c.held_ms) for c in charges] == [(51, 51, 2_501), (50, 50, 2_500)]


def test_who_is_on_a_gpu_without_having_been_given_it_holds_it_too() -> None:
    """An ssh user on a node whose scheduler does not fence devices."""
    seen = held(DeviceUse("GPU-0", (ProcessUse(3, 5, 5),)), {"GPU-0": [A]})
    assert seen == GpuHolding((Holder(B, 5, 5), Holder(A)))


def test_a_process_of_unknown_owner_is_that_of_the_only_one_it_can_be() -> None:
    """Inside a PID namespace no process can be joined, but the kubelet says whose the GPU is."""
    stranger = DeviceUse("GPU-0", (ProcessUse(99, 70, 7),))
    assert held(stranger, {"GPU-0": [A]}) == GpuHolding((Holder(A, 70, 7),))
    both = DeviceUse("GPU-0", (ProcessUse(1, 30, 3), ProcessUse(99, 70, 7)))
    assert held(both, {"GPU-0": [A]}) == GpuHolding((Holder(A, 100, 10),))
    assert held(both, {"GPU-0": [A, B]}) == GpuHolding((Holder(A, 30, 3), Holder(B, 70, 7)))


def test_a_process_of_unknown_owner_is_unattributed_where_several_could_be_it() -> None:
    both = DeviceUse("GPU-0", (ProcessUse(1, 30, 3), ProcessUse(99, 70, 7)))
    assert held(both, {"GPU-0": [A, B, C]}) == GpuHolding(
        (Holder(A, 30, 3), Holder(UNATTRIBUTED, 70, 7), Holder(B), Holder(C))
    )
    assert held(both) == GpuHolding((Holder(A, 30, 3), Holder(UNATTRIBUTED, 70, 7)))


def test_blind_an_allocation_counts_as_presence() -> None:
    """Else the GPU would look idle for ever, and its full load would be learned as its idle floor."""
    assert held(DeviceUse("GPU-0"), {"GPU-0": [A]}, blind=True) == GpuHolding((Holder(A, 0, 1),))


def test_a_declared_run_takes_the_seat_of_the_pod_it_is_in() -> None:
    """The pod was given the GPU; while its run is on it, the run alone holds it."""
    use = DeviceUse("GPU-0", (ProcessUse(7, 50, 5),))
    ownership = Ownership({7: RUN}, homes={7: A.key}, given={"GPU-0": [A]})
    assert holding(use, ownership) == GpuHolding((Holder(RUN, 50, 5),))
    beside = DeviceUse("GPU-0", (ProcessUse(7, 50, 5), ProcessUse(1, 20, 2)))
    ownership = Ownership({7: RUN, 1: A}, homes={7: A.key}, given={"GPU-0": [A]})
    assert holding(beside, ownership) == GpuHolding((Holder(RUN, 50, 5), Holder(A, 20, 2)))


def test_a_mig_instance_is_held_by_whom_it_was_given_without_any_process() -> None:
    """60 SMs to A, idle; 32 to B, busy; 16 free; 16 shared by C and D; 8 SMs in no instance."""
    use = DeviceUse("GPU-0", (ProcessUse(3, 0, 5, "MIG-b"),), H100, 132)
    seen = held(use, {"MIG-a": [A], "MIG-b": [B], "MIG-d": [C, D]})
    counts = {holder.workload: holder.sm_count for holder in seen.holders}
    assert counts == {A: 60, B: 32, C: 8, D: 8}
    charges = {c.workload.key: (c.energy_uj, c.idle_uj) for c in split_gpu(132_000 + 500, 132_000, 0, seen)}
    assert charges == {
        A.key: (60_000, 60_000),
        B.key: (32_500, 32_000),
        C.key: (8_000, 8_000),
        D.key: (8_000, 8_000),
        "idle": (16_000, 16_000),
        "unallocated": (8_000, 8_000),
    }


def test_mig_with_nobody_on_it_is_paid_by_those_it_was_given_to() -> None:
    seen = held(DeviceUse("GPU-0", (), H100, 132), {"MIG-a": [A], "MIG-b": [B]})
    work = {c.workload: c.energy_uj - c.idle_uj for c in split_gpu(132_000 + 920, 132_000, 0, seen)}
    assert (work[A], work[B]) == (600, 320)


def test_an_unknown_owner_in_an_instance_is_whom_the_instance_was_given_to() -> None:
    use = DeviceUse("GPU-0", (ProcessUse(99, 0, 5, "MIG-b"),), H100, 132)
    assert held(use, {"MIG-a": [A], "MIG-b": [B]}).holders == (Holder(A, 0, 0, 60), Holder(B, 0, 5, 32))


def test_a_partitioned_gpu_given_as_a_whole_stands_for_its_free_instances() -> None:
    """GKE names the GPU of an instance and not the instance: who is seen in one needs no other."""
    use = DeviceUse("GPU-0", (ProcessUse(1, 0, 5, "MIG-a"),), H100, 132)
    counts = {h.workload: h.sm_count for h in held(use, {"GPU-0": [A, B], "MIG-b": [C]}).holders}
    assert counts == {A: 60, C: 32, B: 32}


PROCESSES = st.builds(
    ProcessUse,
    st.integers(1, 6),
    st.integers(-1, 10**6),
    st.integers(-1, 10**12),
    st.sampled_from([f"MIG-{key}" for key in "abcd"]),
)


@examples(st.lists(PROCESSES, max_size=12))
def test_every_instance_with_a_process_is_held_completely(processes: list[ProcessUse]) -> None:
    seen = held(DeviceUse("GPU-0", tuple(processes), H100, 132))
    used = {process.instance for process in processes}
    assert sum(holder.sm_count for holder in seen.holders) == sum(i.sm_count for i in H100 if i.key in used)
    assert sum(holder.sm_weight for holder in seen.holders) == sum(max(0, p.sm_weight) for p in processes)
    assert len({holder.workload for holder in seen.holders}) == len(seen.holders)


TENANTS = st.lists(st.sampled_from([A, B, C, D]), max_size=4, unique=True)
GIVEN = st.dictionaries(st.sampled_from(["GPU-0", *(f"MIG-{key}" for key in "abcdz")]), TENANTS)
USES = st.builds(
    DeviceUse,
    st.just("GPU-0"),
    st.lists(PROCESSES, max_size=8).map(tuple),
    st.sampled_from([(), H100, H100[:1], (*H100[:2], Instance("MIG-c", 0))]),
    st.sampled_from([0, 124, 132]),
)


@examples(USES, GIVEN, st.booleans(), st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 300_000))
def test_p1_whoever_holds_it_the_gpu_is_charged_once(
    use: DeviceUse, given: dict[str, list[Workload]], blind: bool, energy_uj: int, idle_uj: int, held_ms: int
) -> None:
    """Any mix of processes, allocations, shared GPUs and MIG: energy and time add up to the GPU's."""
    seen = held(use, given, blind=blind)
    charges = split_gpu(energy_uj, min(idle_uj, energy_uj), held_ms, seen)
    assert (sum(c.energy_uj for c in charges), sum(c.held_ms for c in charges)) == (energy_uj, held_ms)
    assert len({holder.workload.key for holder in seen.holders}) == len(seen.holders)
    tenants = {t.key for place in ("GPU-0", *(i.key for i in use.instances)) for t in given.get(place, ())}
    if not use.instances:
        assert tenants <= {holder.workload.key for holder in seen.holders}
        return
    assert sum(holder.sm_count for holder in seen.holders) <= seen.instance_sms
    if all(instance.sm_count >= len(OWNERS) for instance in use.instances):  # big enough for a part for everybody
        inside = {t.key for i in use.instances for t in given.get(i.key, ())}
        assert inside <= {holder.workload.key for holder in seen.holders if holder.sm_count > 0}
