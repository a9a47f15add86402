"""The RAPL source on machines of every kind: what is read, what is booked, and that no joule is lost or doubled."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.fakes.machine import Machine
from tests.fakes.powercap import RANGE_15_UJ, RANGE_61_UJ, RANGE_AMD_UJ
from tests.sources.rapl_bench import Bench, counters, gaps, reading_of
from tests.sources.world import ScriptedClock
from tracker.core import meter
from tracker.core.model import Component, GapReason, Method, Moment
from tracker.sources.interface import SourceContext
from tracker.sources.rapl import Options, RaplSource


def test_a_two_socket_intel_server(tmp_path: Path) -> None:
    bench = Bench(Machine.xeon(tmp_path)).open()
    batch = bench.step()
    assert {key: round(counter or 0, -3) for key, counter in counters(batch).items()} == {
        "package-0": 10_120_000_000,
        "core-0": 5_080_000_000,
        "dram-0": 3_353_333_000,
        "package-1": 20_127_000_000,
        "core-1": 10_085_000_000,
        "dram-1": 6_687_667_000,
    }
    assert batch.missing == ()
    assert bench.booked == {"package-0", "package-1", "dram-0", "dram-1"}


def test_what_a_sensor_says_of_itself(tmp_path: Path) -> None:
    bench = Bench(Machine.xeon(tmp_path)).open()
    bench.step()
    package, dram = bench.sensors["package-1"], bench.sensors["dram-1"]
    assert (package.component, package.method, package.source) == (Component.CPU, Method.MEASURED, "rapl")
    assert (package.sensor, package.index) == ("rapl package-1", "1")
    assert (package.vendor, package.model) == ("intel", "Intel(R) Xeon(R) Platinum 8480+")
    assert (package.max_power_mw, package.counter_range_uj) == (700_000, RANGE_61_UJ)
    assert (dram.component, dram.max_power_mw, dram.counter_range_uj) == (Component.DRAM, 400_000, RANGE_15_UJ)


def test_psys_and_the_mmio_copy_are_shown_but_never_booked_beside_packages(tmp_path: Path) -> None:
    bench = Bench(Machine.xeon(tmp_path, psys=True, mmio=True)).open()
    batch = bench.step()
    assert {"psys", "mmio-package-0", "mmio-package-1"} <= counters(batch).keys()
    assert counters(batch)["mmio-package-0"] == counters(batch)["package-0"]
    assert bench.booked == {"package-0", "package-1", "dram-0", "dram-1"}


def test_psys_is_booked_where_there_is_nothing_finer(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.powercap.add("intel-rapl:0", "psys")
    bench = Bench(machine).open()
    bench.step()
    assert bench.booked == {"psys"}


def test_the_mmio_copy_stands_in_for_packages_that_are_not_there(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.powercap.add("intel-rapl-mmio:0", "package-0")
    bench = Bench(machine).open()
    bench.step()
    assert bench.booked == {"mmio-package-0"}


def test_twelve_sockets_two_of_them_with_hex_letters(tmp_path: Path) -> None:
    bench = Bench(Machine.xeon(tmp_path, sockets=12)).open()
    batch = bench.step()
    assert (tmp_path / "sys/class/powercap/intel-rapl:b").exists()
    assert {f"package-{i}" for i in range(12)} <= counters(batch).keys()
    assert len(bench.booked) == 24


def test_sockets_that_tick_alike_are_two_sockets(tmp_path: Path) -> None:
    """Idle twins: the same watts from the same start. Both count, from the first second."""
    machine = Machine(tmp_path)
    for i in range(2):
        machine.powercap.add(f"intel-rapl:{i}", f"package-{i}", 50, start_uj=1000)
    bench = Bench(machine).open()
    for batch in bench.steps(10):
        assert counters(batch).keys() == {"package-0", "package-1"}
        assert batch.missing == ()
    assert bench.booked == {"package-0", "package-1"}


def test_an_amd_server_has_packages_and_no_dram(tmp_path: Path) -> None:
    bench = Bench(Machine.epyc(tmp_path), cpu_tdp_mw=360_000).open()
    bench.step()
    assert bench.booked == {"package-0", "package-1"}
    assert bench.sensors["package-0"].max_power_mw == 720_000
    assert bench.sensors["package-0"].counter_range_uj == RANGE_AMD_UJ
    assert bench.sensors["package-0"].vendor == "amd"


def test_dies_with_counters_of_their_own_are_all_booked_at_once(tmp_path: Path) -> None:
    bench = Bench(Machine.epyc(tmp_path, dies=2)).open()
    batch = bench.step()
    assert batch.missing == ()
    assert bench.booked == {"package-0-die-0", "package-0-die-1", "package-1-die-0", "package-1-die-1"}


def test_mirrored_dies_are_never_booked_twice_not_even_in_the_first_seconds(tmp_path: Path) -> None:
    """Kernels before 6.9: 137 W reported, 68 W real."""
    bench = Bench(Machine.epyc(tmp_path, dies=2, mirrored=True)).open()
    batches = bench.steps(3)
    for batch in batches[:2]:
        assert gaps(batch) == {"package-0-die-1": GapReason.SETTLING, "package-1-die-1": GapReason.SETTLING}
    assert gaps(batches[2]) == {}
    assert batches[2].sensors is not None, "the mirrors changed their scope: a new inventory"
    assert bench.booked == {"package-0-die-0", "package-1-die-0"}
    mirror = bench.sensors["package-1-die-1"]
    assert (mirror.scopes, mirror.preference) == (("node/cpu/1/die/0",), 45)
    assert mirror.sensor == "rapl package-1-die-1, mirror of package-1-die-0"
    for batch in bench.steps(60):
        assert batch.sensors is None
        assert batch.missing == ()
        assert counters(batch)["package-0-die-1"] == counters(batch)["package-0-die-0"]


def test_dies_that_begin_alike_are_booked_as_soon_as_they_differ(tmp_path: Path) -> None:
    """Just booted: both counters start at 0. Held back as a gap, then booked; the inventory has not changed by it."""
    machine = Machine(tmp_path)
    for die, watts in enumerate((90, 140)):
        machine.powercap.add(f"intel-rapl:{die}", f"package-0-die-{die}", watts, start_uj=0)
    bench = Bench(machine).open()
    bench.source.read()
    batches = bench.steps(4)
    assert [gaps(batch) for batch in batches[:3]] == [{"package-0-die-1": GapReason.SETTLING}] * 2 + [{}]
    assert [batch.sensors for batch in batches] == [None] * 4
    assert counters(batches[3]).keys() == {"package-0-die-0", "package-0-die-1"}


def test_the_cores_of_a_mirrored_die_are_not_booked_beside_the_package(tmp_path: Path) -> None:
    bench = Bench(Machine.epyc(tmp_path, dies=2, mirrored=True)).open()
    bench.steps(3)
    assert bench.sensors["core-0-die-1"].scopes == ("node/cpu/0/die/0/core",)
    assert not {key for key in bench.booked if key.startswith("core")}


@pytest.mark.parametrize("range_uj", [RANGE_61_UJ, RANGE_15_UJ, RANGE_AMD_UJ])
def test_a_wrap_loses_at_most_one_energy_unit_and_invents_nothing(tmp_path: Path, range_uj: int) -> None:
    machine = Machine(tmp_path)
    zone = machine.powercap.add("intel-rapl:0", "package-0", 321, range_uj=range_uj, start_uj=range_uj - 2_000_000_000)
    bench = Bench(machine).open()
    state, first_uj, booked_uj, wraps = None, 0, 0, 0
    for _ in range(20):
        reading = bench.step().readings[0]
        state, case = meter.advance(state, reading, bench.sensors["package-0"])
        match case:
            case meter.First():
                first_uj = zone.total_uj
            case meter.Step(span):
                booked_uj += span.energy_uj
            case meter.Wrap(span):
                booked_uj, wraps = booked_uj + span.energy_uj, wraps + 1
            case _:
                pytest.fail(f"unexpected {case}")
    unit_uj = range_uj / (2**32 - 1)
    assert wraps == 1
    assert 0 <= zone.total_uj - first_uj - booked_uj <= 3 * unit_uj  # one for the wrap, and both ends are truncated


def test_a_zone_without_a_range_is_read_and_reported(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.powercap.add("intel-rapl:0", "package-0", range_uj=None)
    bench = Bench(machine).open()
    bench.step()
    assert bench.sensors["package-0"].counter_range_uj is None
    assert "package-0 does not say where its counter wraps" in bench.source.check()[1].message


def test_two_zones_of_the_same_name_are_one_booked_and_one_shown(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.powercap.add("intel-rapl:0", "package-0", 100)
    machine.powercap.add("intel-rapl:1", "package-0", 100)
    bench = Bench(machine).open()
    assert counters(bench.step()).keys() == {"package-0", "package-0-2"}
    assert bench.booked == {"package-0"}
    assert bench.sensors["package-0-2"].preference == 89


def test_zones_are_found_without_the_class_links(tmp_path: Path) -> None:
    machine = Machine(tmp_path, class_links=False)
    machine.powercap.add("intel-rapl:0", "package-0")
    machine.powercap.add("intel-rapl:0:0", "dram")
    assert counters(Bench(machine).open().step()).keys() == {"package-0", "dram-0"}


def test_a_disabled_zone_still_counts(tmp_path: Path) -> None:
    """``enabled`` is about limiting power: 0 on every machine that nobody capped."""
    machine = Machine.xeon(tmp_path)
    assert (machine.powercap.zone("package-0").folder / "enabled").read_text() == "0\n"
    assert "package-0" in counters(Bench(machine).open().step())


def test_a_reading_is_dated_to_the_middle_of_its_own_read(tmp_path: Path) -> None:
    """So that one slow zone does not shift the time of the next."""
    instants = iter(range(0, 1000, 10))

    def clock() -> Moment:
        instant = next(instants)
        return Moment(instant, instant + 5, 0)

    source = RaplSource(Options(), SourceContext(Machine.xeon(tmp_path, sockets=1).roots, clock))
    source.open()
    batch = source.read()
    assert [(r.sensor, r.mono_ns, r.boot_ns) for r in batch.readings] == [
        ("package-0", 15, 20),
        ("core-0", 25, 30),
        ("dram-0", 35, 40),
    ]


def test_files_stay_open_while_reading_and_are_let_go_by_close(tmp_path: Path) -> None:
    """A driver module cannot be unloaded while its files are open; opening costs ten times a read."""
    bench = Bench(Machine.xeon(tmp_path)).open()
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - counts descriptors
    bench.steps(70)
    assert len(os.listdir("/proc/self/fd")) == before + 6  # noqa: PTH208 - descriptors are links to nowhere for pathlib
    bench.source.close()
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - as above


def test_a_ticking_machine_is_read_in_real_time(tmp_path: Path) -> None:
    """Counters of the fake rise by themselves, and exactly as its own account says."""
    machine = Machine.xeon(tmp_path)
    source = RaplSource(Options(), SourceContext(machine.roots, ScriptedClock()))
    source.open()
    first = reading_of(source.read(), "package-0").counter_uj or 0
    with machine.run(speed=50, tick_s=0.001):
        for _ in range(10_000):
            if (reading_of(source.read(), "package-0").counter_uj or 0) > first + 50_000_000:
                break
    last = reading_of(source.read(), "package-0").counter_uj or 0
    assert last > first + 50_000_000
    assert abs(last - first - machine.powercap.zone("package-0").total_uj) <= 2 * 61
