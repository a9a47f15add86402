"""What /proc/cpuinfo and the topology say, also where they say little."""

from __future__ import annotations

from pathlib import Path

from tests.fakes.machine import Machine
from tracker.sources.cpuinfo import CpuModel, parse_cpuinfo, read_cpu_model, read_packages
from tracker.sysfs import Roots


def test_an_intel_server(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    assert read_cpu_model(machine.procfs) == CpuModel("intel", "Intel(R) Xeon(R) Platinum 8480+", virtual=False)
    assert read_packages(machine.roots) == {0: 0, 1: 0, 2: 1, 3: 1, 4: 0, 5: 0, 6: 1, 7: 1}


def test_a_virtual_machine_is_known_by_its_flag(tmp_path: Path) -> None:
    assert read_cpu_model(Machine.vm(tmp_path).procfs).virtual


def test_arm_names_no_model() -> None:
    assert parse_cpuinfo("processor\t: 0\nBogoMIPS\t: 243.75\nCPU implementer\t: 0x41\n\n") == CpuModel()


def test_a_package_number_of_minus_one_is_package_0(tmp_path: Path) -> None:
    """Some hypervisors and ARM machines do not say."""
    machine = Machine(tmp_path, sockets=1, cores=1, threads=1)
    (machine.sysfs / "devices/system/cpu/cpu0/topology/physical_package_id").write_text("-1\n")
    assert read_packages(machine.roots) == {0: 0}


def test_nothing_there(tmp_path: Path) -> None:
    assert read_cpu_model(tmp_path) == CpuModel()
    assert read_packages(Roots(tmp_path, tmp_path)) == {}
