"""The estimate on machines of every kind: modelled, never measured, never booked beside a sensor."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tests.fakes.machine import Machine
from tests.sources.world import ScriptedClock
from tracker.core.cover import choose
from tracker.core.model import Component, GapReason, Level, Method, Sensor
from tracker.sources.estimate import EstimateSource, Options
from tracker.sources.interface import Batch, SourceAbsent, SourceContext, SourceFailed
from tracker.sources.rapl import Options as RaplOptions
from tracker.sources.rapl import RaplSource


class Bench:
    """An opened source that was read once, on a machine where 5 s pass per ``step``."""

    def __init__(self, machine: Machine, tdp_mw: int | None = None, options: Options | None = None) -> None:
        self.machine, self.clock = machine, ScriptedClock()
        self.source = EstimateSource(options or Options(), SourceContext(machine.roots, self.clock, tdp_mw))
        self.source.open()
        self.first = self.source.read()
        self.sensors = {sensor.key: sensor for sensor in self.first.sensors or ()}

    def step(self, seconds: float = 5) -> Batch:
        self.clock.advance(seconds)
        self.machine.advance(seconds)
        return self.source.read()


def powers(batch: Batch) -> dict[str, int | None]:
    return {reading.sensor: reading.power_mw for reading in batch.readings}


def test_the_first_read_knows_no_load_yet(tmp_path: Path) -> None:
    """No reading of the CPU, rather than one of an idle machine."""
    bench = Bench(Machine(tmp_path), 350_000)
    assert powers(bench.first) == {"dram": 200_704}
    assert bench.first.missing == ()
    assert bench.sensors.keys() == {"cpu", "dram"}


def test_the_power_of_two_packages_at_half_load(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    bench = Bench(machine, 350_000)
    machine.load = 0.5
    assert powers(bench.step()) == {"cpu": 525_000, "dram": 200_704}


def test_one_busy_socket_draws_less_than_two_half_busy_ones(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    bench = Bench(machine, 350_000)
    machine.load, machine.loads = 0.0, {0: 1.0, 1: 1.0, 4: 1.0, 5: 1.0}  # the threads of package 0
    assert powers(bench.step())["cpu"] == 399_000


def test_the_load_is_the_mean_since_the_last_read(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    bench = Bench(machine, 350_000)
    machine.load = 1.0
    machine.advance(5)
    machine.load = 0.0
    assert powers(bench.step())["cpu"] == 525_000


def test_stolen_time_is_somebody_elses_energy(tmp_path: Path) -> None:
    machine = Machine.vm(tmp_path, vcpus=8)
    bench = Bench(machine)
    machine.load, machine.steal = 0.1, 0.9
    assert powers(bench.step())["cpu"] == 10_240  # 8 x 4 W x 32 %


def test_what_the_sensors_say_of_themselves(tmp_path: Path) -> None:
    sensors = Bench(Machine(tmp_path), 350_000).sensors
    cpu, dram = sensors["cpu"], sensors["dram"]
    assert (cpu.component, cpu.method, cpu.scopes, cpu.preference) == (
        Component.CPU,
        Method.MODELLED,
        ("node/cpu",),
        1,
    )
    assert (dram.component, dram.method, dram.scopes, dram.preference) == (
        Component.DRAM,
        Method.MODELLED,
        ("node/dram",),
        1,
    )
    assert cpu.averaged
    assert dram.averaged
    assert cpu.max_power_mw >= 2 * 357_000, "a true value of the model must never be quarantined"
    assert cpu.sensor == "estimate from load and TDP (700 W, from codecarbon's CPU database)"


def test_beside_rapl_nothing_modelled_is_booked(tmp_path: Path) -> None:
    machine = Machine.xeon(tmp_path)
    rapl = RaplSource(RaplOptions(), SourceContext(machine.roots, ScriptedClock()))
    rapl.open()
    sensors: tuple[Sensor, ...] = (*(rapl.read().sensors or ()), *Bench(machine).sensors.values())
    assert choose(sensors) == {"package-0", "package-1", "dram-0", "dram-1"}


def test_on_amd_only_the_memory_is_modelled(tmp_path: Path) -> None:
    """AMD's RAPL has no DRAM."""
    machine = Machine.epyc(tmp_path)
    rapl = RaplSource(RaplOptions(), SourceContext(machine.roots, ScriptedClock()))
    rapl.open()
    sensors: tuple[Sensor, ...] = (*(rapl.read().sensors or ()), *Bench(machine).sensors.values())
    assert choose(sensors) == {"package-0", "package-1", "dram"}


@pytest.mark.parametrize(("cpu", "dram", "keys"), [(True, False, {"cpu"}), (False, True, {"dram"})])
def test_each_half_can_be_switched_off(tmp_path: Path, cpu: bool, dram: bool, keys: set[str]) -> None:
    bench = Bench(Machine(tmp_path), options=Options(cpu=cpu, dram=dram))
    assert bench.sensors.keys() == keys
    assert powers(bench.step()).keys() == keys
    assert {finding.level for finding in bench.source.check()} <= {Level.OK, Level.WARN}


def test_with_both_switched_off_there_is_no_source(tmp_path: Path) -> None:
    with pytest.raises(SourceAbsent, match="switched off"):
        Bench(Machine(tmp_path), options=Options(cpu=False, dram=False))


def test_the_operators_numbers_are_used(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.load = 1.0
    bench = Bench(machine, 350_000, Options(cpu_tdp_w=100, dram_w_per_gb=0.25))
    assert powers(bench.step()) == {"cpu": 204_000, "dram": 128_000}


@pytest.mark.parametrize("text", ['{"cpu_tdp_w": 0}', '{"cpu_tdp_w": -5}', '{"dram_w_per_gb": 0}', '{"tdp": 100}'])
def test_options_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=Options)


def test_cpus_switched_off_and_on_again(tmp_path: Path) -> None:
    """The count begins anew, with the threads that there are now."""
    machine = Machine(tmp_path)
    bench = Bench(machine)
    machine.load = 1.0
    assert powers(bench.step())["cpu"] == 32_640  # 8 threads x 4 W x 102 %
    machine.set_online([0, 1, 4, 5])
    changed = bench.step()
    assert "cpu" not in powers(changed)
    assert changed.sensors is not None
    assert powers(bench.step())["cpu"] == 16_320


def test_without_topology_all_cpus_are_one_package(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    for folder in (machine.sysfs / "devices/system/cpu").glob("cpu*/topology"):
        (folder / "physical_package_id").unlink()
    machine.load = 1.0
    assert powers(Bench(machine, 350_000).step())["cpu"] == 357_000


def test_unreadable_memory_does_not_take_the_cpu_down(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    (machine.procfs / "meminfo").unlink()
    bench = Bench(machine, 350_000)
    batch = bench.step()
    assert powers(batch).keys() == {"cpu"}
    assert [(missing.sensor, missing.reason) for missing in batch.missing] == [("dram", GapReason.LOST)]
    machine.write_proc()
    assert powers(bench.step()).keys() == {"cpu", "dram"}


def test_a_load_that_was_missed_is_in_the_next_mean(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    bench = Bench(machine, 350_000)
    machine.writes_stat, machine.load = False, 1.0
    (machine.procfs / "stat").write_text("?\n")
    assert [missing.reason for missing in bench.step().missing] == [GapReason.ERROR]
    machine.writes_stat, machine.load = True, 0.0
    assert powers(bench.step())["cpu"] == 525_000


def test_a_proc_that_does_not_move_is_a_gap_not_an_idle_machine(tmp_path: Path) -> None:
    bench = Bench(Machine(tmp_path), 350_000)
    batch = bench.source.read()
    assert "cpu" not in powers(batch)
    assert batch.missing[0].detail == "/proc/stat did not advance"


def test_proc_that_is_nonsense_is_a_failure(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    for name in ("stat", "meminfo"):
        (machine.procfs / name).write_text("?\n")
    with pytest.raises(SourceFailed, match="/proc/stat cannot be used"):
        Bench(machine)


def test_check_says_what_the_number_stands_for(tmp_path: Path) -> None:
    cpu, dram = Bench(Machine(tmp_path), 350_000).source.check()
    assert cpu.level is Level.OK
    assert cpu.message == (
        "CPU power can be modelled from load: 700 W TDP for 8 threads in 2 packages, from codecarbon's CPU database."
    )
    assert dram.message == "Memory power is modelled from its size: 200.7 W at 0.392 W/GB."


def test_check_warns_of_a_guessed_tdp_and_says_how_to_set_it(tmp_path: Path) -> None:
    cpu = Bench(Machine(tmp_path)).source.check()[0]
    assert cpu.level is Level.WARN
    assert "32 W TDP for 8 threads in 2 packages, 4 W for each thread, as the CPU is in no database" in cpu.message
    assert "cpu_tdp_w" in cpu.remedy


def test_check_says_that_a_virtual_machine_is_not_its_host(tmp_path: Path) -> None:
    cpu = Bench(Machine.vm(tmp_path), 360_000).source.check()[0]
    assert cpu.level is Level.WARN
    assert "32 W TDP for 8 threads" in cpu.message
    assert "it stands for the threads seen here, not for the host" in cpu.message
