"""The fake NVML library itself: real clients see real layouts and the scripted values, here and in other processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.nvml.build import library, symbols
from tests.fakes.nvml.fake_nvml import FakeNvml
from tests.fakes.nvml.layout import FAULT_HANG
from tests.fakes.nvml.parts import A100, H100_MIG, P100, UNKNOWN, FakeGpu, FakeProcess

pytestmark = pytest.mark.needs("gcc")


@pytest.fixture
def nvml() -> Any:
    import pynvml

    return pynvml


def start(nvml: Any, folder: Path, *gpus: FakeGpu) -> tuple[FakeNvml, Any]:
    fake = FakeNvml(folder, gpus or (FakeGpu(),))
    fake.load()
    nvml.nvmlInit()
    return fake, nvml.nvmlDeviceGetHandleByIndex(0)


def test_every_symbol_is_exported() -> None:
    exported = subprocess.run(["nm", "-D", str(library())], capture_output=True, text=True, check=True).stdout
    assert set(symbols()) <= {line.split()[-1] for line in exported.splitlines()}
    assert len(symbols()) == len(set(symbols())) == 81


def test_the_counter_is_the_integral_at_the_sensors_last_step(nvml: Any, tmp_path: Path) -> None:
    fake, gpu = start(nvml, tmp_path, FakeGpu(power=[(0, 100), (10, 500)], offset_j=7))
    fake.advance(10.05)
    assert nvml.nvmlDeviceGetTotalEnergyConsumption(gpu) == 1_007_000
    assert fake.energy_uj(0) == 1_025_000_000
    fake.advance(0.05)
    assert nvml.nvmlDeviceGetTotalEnergyConsumption(gpu) == 1_057_000
    fake.set_power(0, 200)
    fake.advance(3600)
    assert nvml.nvmlDeviceGetTotalEnergyConsumption(gpu) == 721_057_000
    assert fake.counter_uj(0) == 721_057_000_000


def test_a_trace_longer_than_the_ring_keeps_its_integral(nvml: Any, tmp_path: Path) -> None:
    fake, gpu = start(nvml, tmp_path, FakeGpu(power=[(0, 0)], offset_j=0))
    for step in range(3000):
        fake.set_power(0, step % 7 * 100)
        fake.advance(1)
    expected = sum(step % 7 * 100 for step in range(3000))
    assert nvml.nvmlDeviceGetTotalEnergyConsumption(gpu) == expected * 1000


def test_reset_stuck_and_skewed_counters(nvml: Any, tmp_path: Path) -> None:
    fake, gpu = start(nvml, tmp_path, FakeGpu(power=[(0, 100)], offset_j=50))

    def counter_j() -> float:
        return float(nvml.nvmlDeviceGetTotalEnergyConsumption(gpu)) / 1000

    fake.advance(10)
    fake.reset_counter(0, at_s=20)
    assert counter_j() == 1050
    fake.advance(15)
    assert counter_j() == 500
    fake.stick_counter(0)
    fake.advance(100)
    assert counter_j() == 500
    fake.stick_counter(0, stuck=False)
    fake.skew_counter(0, 900)
    assert counter_j() == 10_500 * 0.9


def test_field_values_answer_one_by_one_and_honour_the_scope(nvml: Any, tmp_path: Path) -> None:
    fake, gpu = start(nvml, tmp_path, FakeGpu(power=[(0, 100), (5, 300)], memory_power_w=43.0))
    fake.advance(5.5)
    values = nvml.nvmlDeviceGetFieldValues(gpu, [83, 185, 186, (185, 2), (186, 2), (185, 1), 188, 9999])
    answers = [(value.nvmlReturn, value.value.ullVal if value.fieldId == 83 else value.value.uiVal) for value in values]
    assert answers == [
        (0, 1_000_650_000), (0, 200_000), (0, 300_000), (0, 43_000), (3, 0), (3, 0), (0, 700_000), (3, 0),
    ]  # fmt: skip
    with pytest.raises(nvml.NVMLError_NotSupported):
        nvml.nvmlDeviceGetFieldValues(gpu, [9999])


def test_old_boards_have_no_mean_and_older_ones_no_energy(nvml: Any, tmp_path: Path) -> None:
    _, a100 = start(nvml, tmp_path, FakeGpu(A100), FakeGpu(P100))
    p100 = nvml.nvmlDeviceGetHandleByIndex(1)
    assert nvml.nvmlDeviceGetFieldValues(a100, [186, 185])[1].nvmlReturn == nvml.NVML_ERROR_NOT_SUPPORTED
    with pytest.raises(nvml.NVMLError_NotSupported):
        nvml.nvmlDeviceGetTotalEnergyConsumption(p100)
    assert nvml.nvmlDeviceGetPowerUsage(p100) == 70_000


def test_versioned_structs_are_checked(nvml: Any, tmp_path: Path) -> None:
    fake, gpu = start(nvml, tmp_path, FakeGpu(processes=[FakeProcess(11, sm_percent=10)]))
    fake.advance(5)
    assert nvml.nvmlDeviceGetMemoryInfo(gpu, version=nvml.nvmlMemory_v2).total == 80 << 30
    assert nvml.nvmlDeviceGetTemperatureV(gpu, 0) == 45
    details = nvml.nvmlDeviceGetRunningProcessDetailList(gpu, 0x1000018, 0)
    assert [(one.pid, one.usedGpuMemory) for one in details] == [(11, 1 << 30)]
    with pytest.raises(nvml.NVMLError) as caught:
        nvml.nvmlDeviceGetRunningProcessDetailList(gpu, 0x2000018, 0)
    assert caught.value.value == 25
    assert [(one.pid, one.smUtil) for one in nvml.nvmlDeviceGetProcessesUtilizationInfo(gpu, 0)] == [(11, 10)]
    assert not nvml.nvmlDeviceGetC2cModeInfoV(gpu).isC2cEnabled


def test_two_calls_are_needed_for_a_list_and_one_for_none(nvml: Any, tmp_path: Path) -> None:
    fake, gpu = start(nvml, tmp_path, FakeGpu(processes=[FakeProcess(11, None)]))
    (process,) = nvml.nvmlDeviceGetComputeRunningProcesses(gpu)
    assert (process.pid, process.usedGpuMemory, process.gpuInstanceId) == (11, None, 0xFFFFFFFF)
    assert fake.calls("nvmlDeviceGetComputeRunningProcesses_v3", 0) == 2
    assert nvml.nvmlDeviceGetGraphicsRunningProcesses(gpu) == []
    assert fake.calls("nvmlDeviceGetGraphicsRunningProcesses_v3", 0) == 1
    with pytest.raises(nvml.NVMLError_NotFound):
        nvml.nvmlDeviceGetProcessUtilization(gpu, 0)


def test_mig_handles_answer_for_their_instance(nvml: Any, tmp_path: Path) -> None:
    processes = [FakeProcess(11, instance=1), FakeProcess(12, instance=3)]
    fake, gpu = start(nvml, tmp_path, FakeGpu(migs=H100_MIG, processes=processes))
    mig = nvml.nvmlDeviceGetMigDeviceHandleByIndex(gpu, 1)
    assert nvml.nvmlDeviceGetMigMode(gpu) == [1, 1]
    assert nvml.nvmlDeviceGetUUID(mig) == H100_MIG[1].uuid
    assert (nvml.nvmlDeviceGetGpuInstanceId(mig), nvml.nvmlDeviceGetComputeInstanceId(mig)) == (5, 0)
    assert nvml.nvmlDeviceGetAttributes_v2(mig).multiprocessorCount == 32
    assert [one.pid for one in nvml.nvmlDeviceGetComputeRunningProcesses(mig)] == [11]
    assert [one.gpuInstanceId for one in nvml.nvmlDeviceGetComputeRunningProcesses(gpu)] == [5, 10]
    for call in (nvml.nvmlDeviceGetTotalEnergyConsumption, nvml.nvmlDeviceGetPowerUsage):
        with pytest.raises(nvml.NVMLError_NotSupported):
            call(mig)
    for call in (nvml.nvmlDeviceGetUtilizationRates, lambda one: nvml.nvmlDeviceGetProcessUtilization(one, 0)):
        with pytest.raises(nvml.NVMLError_NotSupported):
            call(gpu)
    fake.set_migs(0, H100_MIG[:1])
    with pytest.raises(nvml.NVMLError_InvalidArgument):
        nvml.nvmlDeviceGetUUID(mig)
    with pytest.raises(nvml.NVMLError_NotFound):
        nvml.nvmlDeviceGetMigDeviceHandleByIndex(gpu, 1)


def test_faults_and_calls_are_per_gpu(nvml: Any, tmp_path: Path) -> None:
    fake, first = start(nvml, tmp_path, FakeGpu(), FakeGpu())
    second = nvml.nvmlDeviceGetHandleByIndex(1)
    fake.fault(0, UNKNOWN, "power")
    with pytest.raises(nvml.NVMLError_Unknown):
        nvml.nvmlDeviceGetPowerUsage(first)
    assert nvml.nvmlDeviceGetPowerUsage(second) == 70_000
    fake.heal(0)
    assert nvml.nvmlDeviceGetPowerUsage(first) == 70_000
    assert (fake.calls("nvmlDeviceGetPowerUsage", 0), fake.calls("nvmlDeviceGetPowerUsage", 1)) == (2, 1)
    assert [name for _, name, gpu in fake.log() if gpu == 1] == [
        "nvmlDeviceGetHandleByIndex_v2",
        "nvmlDeviceGetPowerUsage",
    ]
    assert FAULT_HANG == -1


def test_another_process_sees_the_same_gpus_live_on_a_real_clock(tmp_path: Path) -> None:
    """As a daemon in a test does, with the trace running on by itself."""
    fake = FakeNvml(tmp_path, [FakeGpu(power=[(0, 400)], offset_j=0)], virtual=False)
    code = (
        "import pynvml as n, time; n.nvmlInit(); gpu = n.nvmlDeviceGetHandleByIndex(0)\n"
        "first = n.nvmlDeviceGetTotalEnergyConsumption(gpu)\n"
        "while n.nvmlDeviceGetTotalEnergyConsumption(gpu) == first: time.sleep(0.005)\n"
        "print(n.nvmlDeviceGetUUID(gpu), n.nvmlDeviceGetTotalEnergyConsumption(gpu) - first)"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], env=fake.env(), capture_output=True, text=True, check=True
    ).stdout
    uuid, energy_mj = out.split()
    assert uuid == fake.gpus[0].uuid
    assert int(energy_mj) % 40_000 == 0, "whole sensor steps of 100 ms at 400 W"
    assert fake.calls("nvmlInitWithFlags") == 1
    assert subprocess.run(["nvidia-smi", "--help"], env=fake.env(), check=False).returncode == 0


def test_nvitop_runs_on_it(tmp_path: Path) -> None:
    """A real client that asks for far more than we do."""
    fake = FakeNvml(tmp_path, [FakeGpu(power=[(0, 350)], processes=[FakeProcess(1, sm_percent=80)]), FakeGpu(A100)])
    fake.advance(10)
    code = (
        "from nvitop import Device\n"
        "for device in Device.all(): print(device.as_snapshot().name, device.power_usage(), device.memory_total())\n"
        "print(list(Device(0).processes()))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], env=fake.env(), capture_output=True, text=True, check=True
    ).stdout
    assert out.splitlines() == [
        "NVIDIA H100 80GB HBM3 350000 85899345920",
        "NVIDIA A100-SXM4-80GB 70000 85899345920",
        "[1]",
    ]
