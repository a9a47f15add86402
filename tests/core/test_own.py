"""As a sidecar: only the own share is booked, and all sidecars of a node never sum to more than the node."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.core.thorough import thorough
from tracker.core.accounts import Pending
from tracker.core.charging import Window, charge_device, keep
from tracker.core.model import (
    IDLE,
    SYSTEM,
    UNATTRIBUTED,
    Charge,
    Component,
    GapReason,
    GpuHolding,
    Holder,
    Kind,
    Method,
    Observation,
    Own,
    Sensor,
    Share,
    Span,
    Workload,
)
from tracker.core.split import split
from tracker.core.units import NS_PER_S

A, B, C, D = PODS = tuple(Workload(f"pod/{letter}", Kind.POD, letter) for letter in "abcd")
RUN = Workload("run/1", Kind.RUN, "run-1")
MINE = Own(frozenset({A.key}))
CPU = Sensor("package-0", "rapl", Component.CPU, ("node/cpu/0",), 1, Method.MEASURED, "x", 1)
GPU = Sensor("GPU-0", "nvml", Component.GPU, ("node/gpu/0",), 1, Method.MEASURED, "x", 1)
S = NS_PER_S


def test_what_others_used_is_dropped() -> None:
    charges = (Charge(A, 700, 0, 30), Charge(B, 200, 0, 10), Charge(SYSTEM, 100, 0, 10), Charge(IDLE, 50, 50, 50))
    assert keep(Component.CPU, charges, MINE) == (Charge(A, 699, 0, 29),)


def test_a_gpu_of_its_own_is_booked_whole_with_its_idle_part() -> None:
    assert keep(Component.GPU, (Charge(A, 700, 70, 30),), MINE) == (Charge(A, 700, 70, 30),)


def test_a_gpu_that_unseen_others_share_is_divided() -> None:
    """Time-slicing: each of four sidecars sees nobody else on it."""
    assert keep(Component.GPU, (Charge(A, 702, 70, 31),), Own(MINE.keys, 4)) == (Charge(A, 17 + 158, 17, 7),)
    assert keep(Component.DRAM, (Charge(A, 702, 70, 31),), Own(MINE.keys, 4)) == (Charge(A, 702, 70, 31),)


def test_runs_in_the_own_pod_are_its_own() -> None:
    own = Own(frozenset({A.key, RUN.key}))
    charges = (Charge(RUN, 500, 0, 5), Charge(A, 200, 0, 5), Charge(UNATTRIBUTED, 9, 0, 1))
    assert [charge.workload for charge in keep(Component.CPU, charges, own)] == [RUN, A]


def charged(sensor: Sensor, seen: Observation, fresh_boot_ns: int = 0) -> tuple[Pending, int, int]:
    """A device that used 1000 J in slots of 200 s and 100 s."""
    pending = Pending()
    window = Window(500 * S, fresh_boot_ns, 0, 0)
    spans = [Span(100 * S, 300 * S, 600_000_000), Span(300 * S, 400 * S, 400_000_000)]
    return pending, *charge_device(sensor, spans, 100 * S, window, None, seen, pending)


def test_metered_is_what_is_kept_and_equals_what_is_charged() -> None:
    seen = Observation(cpu=(Share(A, 30), Share(B, 70)), cpu_capacity_us=100, own=MINE)
    pending, metered_uj, charged_uj = charged(CPU, seen)
    assert metered_uj == charged_uj == sum(row[0] for row in pending.entries.values())
    assert 299_999_990 <= charged_uj <= 300_000_000
    assert {key[2] for key in pending.entries} == {A}


def test_time_that_others_held_is_a_gap_so_that_every_slot_is_whole() -> None:
    """``wattledger verify`` finds each slot filled: with own time, or with a gap that names its reason."""
    seen = Observation(cpu=(Share(A, 30), Share(B, 70)), cpu_capacity_us=100, own=MINE)
    pending, _, _ = charged(CPU, seen)
    for slot_s, length_ms in ((0, 200_000), (300, 200_000)):
        held_ms = sum(row[2] for key, row in pending.entries.items() if key[0] == slot_s)
        gap_ms = pending.gaps[slot_s, "package-0", GapReason.OTHERS]
        assert held_ms + gap_ms == length_ms
        assert 59_990 <= held_ms <= 60_000


def test_what_nobody_observed_is_not_the_own_pods() -> None:
    """After a restart: energy from before belongs to whoever was there."""
    seen = Observation(gpu={"GPU-0": GpuHolding((Holder(A, 1),))}, own=MINE)
    _, metered_uj, charged_uj = charged(GPU, seen, fresh_boot_ns=300 * S)
    assert metered_uj == charged_uj == 400_000_000  # of the later span, on a GPU of its own


def test_without_a_sidecar_nothing_is_dropped() -> None:
    pending, metered_uj, charged_uj = charged(CPU, Observation(cpu=(Share(A, 30), Share(B, 70)), cpu_capacity_us=100))
    assert metered_uj == charged_uj == 1_000_000_000
    assert pending.gaps == {}


weights = st.integers(0, 10**9)
names = st.sampled_from([*PODS, SYSTEM])
shares = st.lists(st.builds(Share, names, weights), max_size=6).map(tuple)
holders = st.lists(st.builds(Holder, names, weights, weights, weights), max_size=5).map(tuple)
holdings = st.builds(GpuHolding, holders, weights, weights)


@st.composite
def nodes(draw: st.DrawFn) -> Observation:
    return Observation(
        cpu=draw(shares),
        cpu_capacity_us=draw(weights),
        dram=draw(shares),
        dram_capacity_bytes=draw(weights),
        gpu={"GPU-0": draw(holdings)} if draw(st.booleans()) else {},
    )


@thorough
@given(st.sampled_from(Component), st.integers(0, 10**9), st.integers(0, 10**9), nodes(), st.data())
def test_many_sidecars_never_sum_to_more_than_the_node(
    component: Component, energy_uj: int, idle_uj: int, seen: Observation, data: st.DataObject
) -> None:
    """Each books its own pod of the same node, in whatever order it sees the others."""
    total_uj = total_ms = 0
    for pod in PODS:
        mine = Observation(
            cpu=tuple(data.draw(st.permutations(seen.cpu))),
            cpu_capacity_us=seen.cpu_capacity_us,
            dram=tuple(data.draw(st.permutations(seen.dram))),
            dram_capacity_bytes=seen.dram_capacity_bytes,
            gpu={
                key: GpuHolding(tuple(data.draw(st.permutations(h.holders))), h.instance_sms, h.sm_total)
                for key, h in seen.gpu.items()
            },
        )
        charges = split(component, "GPU-0", energy_uj, idle_uj, 5_000, mine)
        kept = keep(component, charges, Own(frozenset({pod.key})))
        assert all(0 <= charge.idle_uj <= charge.energy_uj and charge.held_ms >= 0 for charge in kept)
        total_uj += sum(charge.energy_uj for charge in kept)
        total_ms += sum(charge.held_ms for charge in kept)
    assert total_uj <= energy_uj
    assert total_ms <= 5_000


@thorough
@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(1, 8))
def test_sidecars_that_do_not_see_one_another_on_a_gpu_never_sum_to_more_than_it(
    energy_uj: int, idle_uj: int, replicas: int
) -> None:
    """Each believes to be alone on it, and is told how many share it."""
    total_uj = 0
    for number in range(replicas):
        pod = Workload(f"pod/{number}", Kind.POD)
        alone = Observation(gpu={"GPU-0": GpuHolding((Holder(pod, 1),))})
        charges = split(Component.GPU, "GPU-0", energy_uj, idle_uj, 5_000, alone)
        total_uj += sum(c.energy_uj for c in keep(Component.GPU, charges, Own(frozenset({pod.key}), replicas)))
    assert total_uj <= energy_uj
