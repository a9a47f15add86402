"""Partitioned GPUs: energy is the parent's and counted once; the instances and who is in them are visible."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.nvml.parts import (
    A100,
    FUNCTION_NOT_FOUND,
    H100_MIG,
    NO_PERMISSION,
    NOT_SUPPORTED,
    UNKNOWN,
    FakeGpu,
    FakeMig,
    FakeProcess,
)
from tests.sources.world_nvml import Running, World, running
from tracker.core.model import Instance, ProcessUse
from tracker.sources.nvml_mig import sm_total

pytestmark = pytest.mark.needs("gcc")

IN_FIRST = FakeProcess(11, 3 << 30, instance=0)
IN_THIRD = FakeProcess(12, 1 << 30, instance=2)


def partitioned(tmp_path: Path) -> Running:
    return running(tmp_path, FakeGpu(power=[(0, 430)], migs=H100_MIG, processes=[IN_FIRST, IN_THIRD]), FakeGpu())


def test_a_partitioned_gpu_is_one_sensor_with_the_energy_of_the_whole(tmp_path: Path) -> None:
    node = partitioned(tmp_path)
    node.run(3)
    assert set(node.sensors) == {node.key(0), node.key(1)}
    assert len(node.read().readings) == 2
    assert node.reading(0).counter_uj == node.fake.counter_uj(0)


def test_instances_their_sms_and_their_processes_are_visible(tmp_path: Path) -> None:
    """The layout of a real H100: 124 of 132 SMs are in instances, 8 belong to nobody."""
    node = partitioned(tmp_path)
    use = node.use(0)
    assert use.instances == (
        Instance(H100_MIG[0].uuid, 60),
        Instance(H100_MIG[1].uuid, 32),
        Instance(H100_MIG[2].uuid, 16),
        Instance(H100_MIG[3].uuid, 16),
    )
    assert use.sm_total == 132
    assert use.processes == (
        ProcessUse(11, 0, 3 << 30, H100_MIG[0].uuid),
        ProcessUse(12, 0, 1 << 30, H100_MIG[2].uuid),
    )
    assert node.use(1).instances == ()


def test_utilisation_is_not_even_asked_for_under_mig(tmp_path: Path) -> None:
    node = partitioned(tmp_path)
    node.run(60)
    assert node.fake.calls("nvmlDeviceGetProcessUtilization", 0) == 0
    assert node.fake.calls("nvmlDeviceGetProcessUtilization", 1) == 6


def test_a_new_partition_is_seen_within_a_minute_and_old_handles_are_not_used(tmp_path: Path) -> None:
    node = partitioned(tmp_path)
    node.run(5)
    new = FakeMig("MIG-new", "NVIDIA H100 80GB HBM3 MIG 7g.80gb", 132, 7, 80, 0)
    node.fake.set_migs(0, [new])
    node.fake.set_processes(0, [replace(IN_FIRST, instance=0)])
    node.run(60)
    use = node.use(0)
    assert use.instances == (Instance("MIG-new", 132),)
    assert [process.instance for process in use.processes] == ["MIG-new"]


def test_a_destroyed_instance_makes_one_look_unknown_and_costs_no_energy(tmp_path: Path) -> None:
    node = partitioned(tmp_path)
    node.read()
    node.fake.set_migs(0, H100_MIG[:2])
    node.fake.set_processes(0, [IN_FIRST])
    batch = node.read(after_s=10)
    assert [use.device for use in batch.uses or ()] == [node.key(1)]
    assert len(batch.readings) == 2
    assert len(node.read().readings) == 2, "the handles are renewed before the next read"
    assert len(node.use(0, after_s=9).instances) == 2


def test_mig_switched_off_makes_it_an_ordinary_gpu(tmp_path: Path) -> None:
    node = partitioned(tmp_path)
    node.run(2)
    node.fake.set_migs(0, [])
    node.fake.set_processes(0, [FakeProcess(11, sm_percent=30)])
    node.run(70)
    use = node.use(0)
    assert (use.instances, use.sm_total) == ((), 0)
    assert use.processes == (ProcessUse(11, 30_000, 1 << 30),)


def test_hidden_instances_do_not_hide_the_others(tmp_path: Path) -> None:
    migs = [H100_MIG[0], replace(H100_MIG[1], code=NO_PERMISSION), replace(H100_MIG[2], code=UNKNOWN)]
    node = running(tmp_path, FakeGpu(migs=migs))
    assert [instance.key for instance in node.use(0).instances] == [H100_MIG[0].uuid]


def test_sms_that_are_not_told_are_unknown_not_invented(tmp_path: Path) -> None:
    world = World(tmp_path, None, (FakeGpu(migs=H100_MIG[:1]),))
    world.fake.fault(0, NOT_SUPPORTED, "nvmlDeviceGetAttributes_v2")
    assert Running(world).use(0).instances == (Instance(H100_MIG[0].uuid, 0),)


def test_a_gpu_that_cannot_be_partitioned_is_not_asked_again(tmp_path: Path) -> None:
    world = World(tmp_path, None, (FakeGpu(A100),))
    world.fake.fault(0, NOT_SUPPORTED, "nvmlDeviceGetMigMode")
    Running(world).run(200)
    assert world.fake.calls("nvmlDeviceGetMigMode", 0) == 1


def test_a_driver_without_core_counts_leaves_the_table(tmp_path: Path) -> None:
    world = World(tmp_path, None, (FakeGpu(A100, migs=H100_MIG[:1]),))
    world.fake.fault(0, FUNCTION_NOT_FOUND, "nvmlDeviceGetNumGpuCores")
    assert Running(world).use(0).sm_total == 108


@pytest.mark.parametrize(
    ("model", "cores", "capability", "sms"),
    [
        ("NVIDIA A100-SXM4-80GB", 6912, (8, 0), 108),
        ("NVIDIA A30", 3584, (8, 0), 56),
        ("NVIDIA H100 80GB HBM3", 16896, (9, 0), 132),
        ("NVIDIA H100 PCIe", None, (9, 0), 114),
        ("NVIDIA H100 80GB HBM3", None, None, 132),
        ("NVIDIA GH200 480GB", None, None, 132),
        ("NVIDIA B200", 18944, (10, 0), 148),
        ("Some GPU", None, (9, 0), 0),
        ("Some GPU", 1000, None, 0),
        ("", None, None, 0),
    ],
)
def test_sms_of_a_whole_gpu(model: str, cores: int | None, capability: tuple[int, int] | None, sms: int) -> None:
    assert sm_total(model, cores, capability) == sms
