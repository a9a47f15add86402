"""RAPL zones that vanish, fail, refuse or lie: a gap with a reason for that zone, and the others go on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.machine import Machine
from tests.fakes.powercap import Zone
from tests.fakes.unprivileged import without_dac
from tests.sources.rapl_bench import Bench, counters, gaps
from tracker.core.model import GapReason, Level
from tracker.sources.interface import SourceAbsent, SourceDenied, SourceFailed

NEIGHBOURS = {"package-0", "core-0", "dram-0", "core-1", "dram-1"}


def xeon(tmp_path: Path) -> tuple[Bench, Zone]:
    """A bench that has read once, and the zone that is about to suffer."""
    machine = Machine.xeon(tmp_path)
    bench = Bench(machine).open()
    bench.step()
    return bench, machine.powercap.zone("package-1")


def test_a_zone_that_vanishes_is_lost_and_comes_back(tmp_path: Path) -> None:
    """As with a socket taken offline. It keeps its key, so its counter continues."""
    bench, _ = xeon(tmp_path)
    dram = bench.machine.powercap.zone("package-1/dram")
    dram.vanish()
    batches = bench.steps(30)
    assert gaps(batches[1]) == {"dram-1": GapReason.LOST}
    assert gaps(batches[-1]) == {"dram-1": GapReason.LOST}
    assert counters(batches[-1]).keys() == NEIGHBOURS - {"dram-1"} | {"package-1"}
    dram.appear()
    back = bench.steps(10)
    assert gaps(back[-1]) == {}
    assert counters(back[-1])["dram-1"] == dram.counter_uj


def test_a_descriptor_whose_device_is_gone_means_lost(tmp_path: Path) -> None:
    """Held open, then its owner ended: the kernel answers ESRCH as it answers ENODEV for a zone."""
    bench, zone = xeon(tmp_path)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as owner:
        zone.link(Path(f"/proc/{owner.pid}/loginuid"))
        batches = bench.steps(3)
        assert counters(batches[-1])["package-1"] is not None
        owner.kill()
    assert gaps(bench.step()) == {"package-1": GapReason.LOST}
    zone.heal()
    assert gaps(bench.steps(2)[-1]) == {}


def test_when_all_zones_vanish_there_is_a_gap_and_then_a_failure(tmp_path: Path) -> None:
    """The driver was unloaded: the daemon closes, backs off and opens again."""
    bench, _ = xeon(tmp_path)
    bench.machine.powercap.unload()
    assert gaps(bench.step()).keys() == NEIGHBOURS | {"package-1"}
    with pytest.raises(SourceFailed, match="have gone"):
        bench.step()
    bench.source.close()
    with pytest.raises(SourceAbsent, match="no RAPL energy counters"):
        bench.open()
    bench.machine.powercap.load()
    assert counters(bench.open().step()).keys() == NEIGHBOURS | {"package-1"}


@pytest.mark.parametrize("fault", ["io_error", "garbage", "empty", "negative", "beyond", "folder"])
def test_one_failing_zone_does_not_take_its_neighbours_down(tmp_path: Path, fault: str) -> None:
    bench, zone = xeon(tmp_path)
    match fault:
        case "io_error":
            zone.io_error()
        case "folder":
            zone.link(tmp_path)
        case _:
            zone.garbage({"garbage": "n/a", "empty": "", "negative": "-5", "beyond": "262143328851"}[fault])
    batches = bench.steps(5)
    for batch in batches:
        assert gaps(batch) == {"package-1": GapReason.ERROR}
        assert counters(batch).keys() == NEIGHBOURS
    zone.heal()
    assert counters(bench.step())["package-1"] == zone.counter_uj


def test_an_error_is_reported_in_the_words_of_the_kernel(tmp_path: Path) -> None:
    bench, zone = xeon(tmp_path)
    zone.io_error()
    assert bench.steps(2)[-1].missing[0].detail == "Input/output error"


def test_one_forbidden_zone_does_not_take_its_neighbours_down(tmp_path: Path) -> None:
    machine = Machine.xeon(tmp_path)
    machine.powercap.zone("package-1").deny()
    with without_dac():
        bench = Bench(machine).open()
        batch = bench.step()
        assert gaps(batch) == {"package-1": GapReason.PERMISSION}
        assert counters(batch).keys() == NEIGHBOURS
        finding = next(finding for finding in bench.source.check() if finding.level is Level.FAIL)
    assert finding.message == "package-1 cannot be read (Permission denied)."
    assert "CAP_DAC_READ_SEARCH" in finding.remedy


def test_when_all_zones_are_forbidden_the_remedy_names_the_least_that_helps(tmp_path: Path) -> None:
    machine = Machine.xeon(tmp_path)
    for zone in machine.powercap.zones.values():
        zone.deny()
    with without_dac(), pytest.raises(SourceDenied) as caught:
        Bench(machine).open()
    assert "AmbientCapabilities=CAP_DAC_READ_SEARCH" in caught.value.remedy
    assert "systemd-tmpfiles --create" in caught.value.remedy
    assert "run as user 0, with every capability dropped" in caught.value.remedy
    assert "chmod 0440" in caught.value.remedy


def test_when_all_zones_fail_it_is_a_failure_not_an_absence(tmp_path: Path) -> None:
    machine = Machine.xeon(tmp_path)
    for zone in machine.powercap.zones.values():
        zone.io_error()
    bench = Bench(machine)
    with pytest.raises(SourceFailed, match="Input/output error"):
        bench.open()
    assert "dmesg" in bench.source.check()[0].remedy


def test_in_a_container_that_hides_the_zones_the_remedy_is_a_mount(tmp_path: Path) -> None:
    """Not "no such hardware": it is there, masked by the runtime."""
    machine = Machine.xeon(tmp_path)
    machine.powercap.mask()
    bench = Bench(machine)
    with pytest.raises(SourceDenied) as caught:
        bench.open()
    assert "--path.sysfs=/host/sys" in caught.value.remedy
    (finding,) = bench.source.check()
    assert finding.level is Level.FAIL
    assert "--path.sysfs=/host/sys" in finding.remedy


def test_in_a_virtual_machine_it_is_absent_and_that_is_no_failure(tmp_path: Path) -> None:
    bench = Bench(Machine.vm(tmp_path))
    with pytest.raises(SourceAbsent):
        bench.open()
    (finding,) = bench.source.check()
    assert finding.level is Level.WARN
    assert "modprobe intel_rapl_msr" in finding.remedy


def test_a_zone_that_appears_later_is_taken_up_within_a_minute(tmp_path: Path) -> None:
    machine = Machine.xeon(tmp_path, dram=False)
    bench = Bench(machine).open()
    bench.step()
    machine.powercap.add("intel-rapl:0:1", "dram")
    batches = bench.steps(60)
    assert [batch.sensors is not None for batch in batches].count(True) == 1
    assert "dram-0" in counters(batches[-1])
    assert "dram-0" in bench.booked


def test_zones_that_come_back_under_other_ids_keep_their_own_counters(tmp_path: Path) -> None:
    """The driver was loaded again and numbered the packages the other way round: package-1's energy must never be
    read as package-0's."""
    machine = Machine(tmp_path)
    tree = machine.powercap
    tree.add("intel-rapl:0", "package-0", 100, start_uj=1_000_000_000)
    tree.add("intel-rapl:1", "package-1", 200, start_uj=9_000_000_000)
    bench = Bench(machine).open()
    bench.step()
    tree.unload()
    tree.zones.clear()
    one = tree.add("intel-rapl:0", "package-1", 200, start_uj=9_100_000_000)
    zero = tree.add("intel-rapl:1", "package-0", 100, start_uj=1_100_000_000)
    first = bench.step()
    assert counters(first) == {}, "what was held open is gone"
    for batch in bench.steps(3):
        assert counters(batch)["package-0"] is not None
    assert counters(bench.step()) == {"package-0": zero.counter_uj, "package-1": one.counter_uj}


def test_check_counts_what_can_be_read_and_names_what_it_does_not_know(tmp_path: Path) -> None:
    machine = Machine.xeon(tmp_path, psys=True)
    machine.powercap.add("intel-rapl:7", "warp-core")
    findings = Bench(machine).source.check()
    assert findings[0].message == "Energy counters of 2 packages, 2 memories, 3 other zones can be read."
    assert findings[1].message == "Zones of unknown kind are not read: intel-rapl:7 (warp-core)."
    assert [finding.level for finding in findings] == [Level.OK, Level.WARN]
