"""Who holds a GPU."""

from __future__ import annotations

from hypothesis import given
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
from tracker.workloads.holdings import holding

A, B, C = (Workload(f"pod/{letter}", Kind.POD, letter) for letter in "abc")
OWNERS = {1: A, 2: A, 3: B, 4: C}
#: An H100 in 3g.40gb, 2g.20gb and two 1g.10gb: 124 of 132 SMs are in instances.
H100 = tuple(Instance(f"MIG-{key}", sms) for key, sms in (("a", 60), ("b", 32), ("c", 16), ("d", 16)))


def test_processes_of_one_workload_are_one_holder() -> None:
    use = DeviceUse("GPU-0", (ProcessUse(1, 100, 10), ProcessUse(2, 50, 5), ProcessUse(3, 7, 1)))
    assert holding(use, OWNERS) == GpuHolding((Holder(A, 150, 15), Holder(B, 7, 1)))


def test_a_process_without_owner_is_unattributed_not_dropped() -> None:
    use = DeviceUse("GPU-0", (ProcessUse(1, 100, 10), ProcessUse(98, 60, 5), ProcessUse(99, 40, 5)))
    assert holding(use, OWNERS) == GpuHolding((Holder(A, 100, 10), Holder(UNATTRIBUTED, 100, 10)))


def test_nobody() -> None:
    assert holding(DeviceUse("GPU-0"), OWNERS) == GpuHolding()


def test_mig_instances_belong_to_those_inside() -> None:
    """60 + 16 SMs to A, 32 to B; the fourth instance is free and 8 SMs are in no instance."""
    processes = (ProcessUse(1, 0, 5, "MIG-a"), ProcessUse(3, 0, 5, "MIG-b"), ProcessUse(2, 0, 5, "MIG-c"))
    seen = holding(DeviceUse("GPU-0", processes, H100, 132), OWNERS)
    assert seen == GpuHolding((Holder(A, 0, 10, 76), Holder(B, 0, 5, 32)), 124, 132)


def test_a_shared_instance_is_split_equally_without_sm_times() -> None:
    processes = (ProcessUse(1, 0, 1, "MIG-c"), ProcessUse(3, 0, 1, "MIG-c"), ProcessUse(4, 0, 1, "MIG-c"))
    seen = holding(DeviceUse("GPU-0", processes, H100, 132), OWNERS)
    assert [holder.sm_count for holder in seen.holders] == [6, 5, 5]


def test_a_shared_instance_is_split_by_sm_time() -> None:
    processes = (ProcessUse(1, 300, 1, "MIG-a"), ProcessUse(3, 100, 1, "MIG-a"))
    seen = holding(DeviceUse("GPU-0", processes, H100, 132), OWNERS)
    assert [holder.sm_count for holder in seen.holders] == [45, 15]


def test_unknown_sizes_count_as_equal_parts() -> None:
    instances = (Instance("MIG-a", 60), Instance("MIG-b", 0), Instance("MIG-c", 0))
    processes = (ProcessUse(1, 0, 1, "MIG-a"), ProcessUse(3, 0, 1, "MIG-b"))
    seen = holding(DeviceUse("GPU-0", processes, instances, 132), OWNERS)
    assert seen == GpuHolding((Holder(A, 0, 1, 1), Holder(B, 0, 1, 1)), 3, 3)


def test_an_unknown_whole_is_at_least_its_instances() -> None:
    assert holding(DeviceUse("GPU-0", (), H100), OWNERS) == GpuHolding((), 124, 124)


def test_a_process_in_no_known_instance_holds_no_sms() -> None:
    """The instance was destroyed between two lists."""
    seen = holding(DeviceUse("GPU-0", (ProcessUse(1, 9, 1, "MIG-z"), ProcessUse(3, 9, 1)), H100, 132), OWNERS)
    assert seen == GpuHolding((Holder(A, 9, 1, 0), Holder(B, 9, 1, 0)), 124, 132)


PROCESSES = st.builds(
    ProcessUse,
    st.integers(1, 6),
    st.integers(-1, 10**6),
    st.integers(-1, 10**12),
    st.sampled_from([f"MIG-{key}" for key in "abcd"]),
)


@given(st.lists(PROCESSES, max_size=12))
def test_every_instance_with_a_process_is_held_completely(processes: list[ProcessUse]) -> None:
    seen = holding(DeviceUse("GPU-0", tuple(processes), H100, 132), OWNERS)
    used = {process.instance for process in processes}
    assert sum(holder.sm_count for holder in seen.holders) == sum(i.sm_count for i in H100 if i.key in used)
    assert sum(holder.sm_weight for holder in seen.holders) == sum(max(0, p.sm_weight) for p in processes)
    assert len({holder.workload for holder in seen.holders}) == len(seen.holders)
