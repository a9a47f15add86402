"""The demo's owners must fit its devices, or its dashboards would not foot."""

from __future__ import annotations

from tracker.core.model import Component, GpuHolding, Kind, Level, Moment, Observation
from tracker.core.scenario import Scenario
from tracker.core.split import split
from tracker.workloads.demo import DemoObserver

S = 1_000_000_000
START_NS = 3600 * S


def moment(seconds: float) -> Moment:
    boot_ns = START_NS + round(seconds * S)
    return Moment(boot_ns, boot_ns, 1_790_000_000 * S + boot_ns)


def second_look(seconds: float = 5.0, before: float = 0.0) -> Observation:
    observer = DemoObserver()
    observer.observe(moment(before), {})
    return observer.observe(moment(before + seconds), {})


def test_the_first_call_knows_holders_but_no_cpu_time() -> None:
    seen = DemoObserver().observe(moment(400), {})
    assert (seen.cpu, seen.cpu_capacity_us) == ((), 0)
    assert {len(holding.holders) for holding in seen.gpu.values()} == {1, 2}
    assert seen.joined_processes == 9
    assert seen.unjoined_processes == 0


def test_every_gpu_is_named_and_a_free_one_has_no_holder() -> None:
    seen = second_look(before=45 * 60)
    assert list(seen.gpu) == [device.key for device in Scenario().devices[:8]]
    assert list(seen.gpu.values())[7] == GpuHolding()


def test_cpu_shares_fit_the_capacity() -> None:
    seen = second_look()
    assert seen.cpu_capacity_us == 224 * 5_000_000
    assert 0 < sum(share.weight for share in seen.cpu) < seen.cpu_capacity_us
    assert {share.workload.kind for share in seen.cpu} == {Kind.POD, Kind.CONTAINER, Kind.SYSTEM}
    assert 0 < sum(share.weight for share in seen.dram) < seen.dram_capacity_bytes


def test_two_containers_share_a_gpu_by_their_activity() -> None:
    holding = list(second_look(60, before=60).gpu.values())[5]
    assert [holder.workload.name for holder in holding.holders] == ["embedder", "reranker"]
    assert all(holder.sm_weight > 0 and holder.memory_weight > 0 for holder in holding.holders)


def test_a_job_that_ended_since_the_last_look_keeps_its_share() -> None:
    """Short jobs must not lose their last seconds to nobody."""
    job = list(second_look(600, before=300).gpu.values())[6]
    assert len(job.holders) == 2
    assert len({holder.workload.job for holder in job.holders}) == 2


def test_p1_what_the_demo_charges_is_what_it_drew() -> None:
    """Ten minutes of ticks, every device: charges sum to the energy, to the microjoule and the millisecond."""
    scenario, observer = Scenario(), DemoObserver()
    observer.observe(moment(0), {})
    owners: set[Kind] = set()
    for tick in range(1, 121):
        seen = observer.observe(moment(5 * tick), {})
        for device in scenario.devices:
            marks = [scenario.counter_uj(device, moment(5 * step).boot_ns) for step in (tick - 1, tick)]
            energy_uj = marks[1] - marks[0]
            idle_uj = min(energy_uj, 5 * 60_000_000)
            charges = split(device.component, device.key, energy_uj, idle_uj, 5_000, seen)
            assert sum(charge.energy_uj for charge in charges) == energy_uj
            assert sum(charge.held_ms for charge in charges) == 5_000
            assert all(charge.energy_uj >= 0 for charge in charges)
            owners |= {charge.workload.kind for charge in charges if device.component is Component.GPU}
    assert {Kind.POD, Kind.SLURM, Kind.CONTAINER, Kind.IDLE} <= owners
    assert Kind.UNATTRIBUTED not in owners


def test_two_observers_say_the_same() -> None:
    assert second_look(5, before=1234) == second_look(5, before=1234)


def test_check_and_close() -> None:
    observer = DemoObserver()
    (finding,) = observer.check()
    assert (finding.level, "imulated" in finding.message) == (Level.OK, True)
    observer.close()
    observer.close()
