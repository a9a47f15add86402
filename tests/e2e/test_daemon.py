"""The daemon as an operator meets it: starting, serving, failing hardware, stopping."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import Rig
from tests.e2e.daemon import COMMAND, Daemon, parse, total, until
from tests.e2e.prometheus import free_port
from tests.fakes.nvml.parts import FakeProcess

pytestmark = [pytest.mark.needs("gcc"), pytest.mark.timeout(240)]

DEVICE = "wattledger_device_energy_joules_total"
WORKLOAD = "wattledger_workload_energy_joules_total"


def wattledger(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **(env or {})},
    )


def test_every_joule_is_exported_charged_and_booked(rig: Rig) -> None:
    """Device and workload counters agree; verify finds nothing on the live ledger; the scripted powers are shown."""
    with rig.daemon() as daemon:
        daemon.wait_ready()
        gpu = rig.nvml.gpus[0].uuid
        until(lambda: total(daemon.series(), DEVICE, device=gpu) > 900, "three seconds of 300 W were booked")
        until(lambda: total(daemon.series(), DEVICE, component="dram") > 0, "so was the memory")
        series = daemon.series()
        assert round(total(series, DEVICE), 3) == round(total(series, WORKLOAD), 3)
        until(
            lambda: abs(total(daemon.series(), "wattledger_device_power_watts", device=gpu) - 300) < 15,
            "the scripted power was shown",
        )
        assert total(series, "wattledger_device_energy_joules_total", component="dram") > 0
        assert total(series, "wattledger_sensor_energy_joules_total", device="core-0") > 0  # nested: seen, not booked
        assert total(series, "wattledger_workload_emissions_grams_total", basis="location") > 0
        verify = wattledger("verify", "--state-dir", str(rig.state_dir))
        assert (verify.returncode, verify.stderr) == (0, ""), verify.stdout
        status, body = daemon.get("/api/v1/snapshot")
        assert status == 200
        assert json.loads(body)["snapshot"]["hostname"] == "node-1"
        assert daemon.stop() == 0


def test_ready_is_503_until_the_first_tick_and_health_is_apart_from_metrics(rig: Rig) -> None:
    """Probes do not touch /metrics; a counter is never served before it is whole."""
    rig.nvml.hang(0)
    with rig.daemon() as daemon:  # the first tick waits for the hanging source
        status, reason = daemon.get("/-/ready")
        assert status == 503
        assert reason.strip()
        assert daemon.get("/-/healthy")[0] == 200
        assert total(daemon.series(), DEVICE) == 0
        until(lambda: daemon.get("/-/ready")[0] == 200, "it became ready without the hanging source")
        rig.nvml.heal()


def test_p6_scrapers_and_probes_change_nothing_and_see_the_same(rig: Rig) -> None:
    """Two scrapers and a prober hammer; between two ticks everyone sees identical bytes, and counters go on as ever."""
    with rig.daemon(config=FAST_FIVE) as daemon:
        daemon.wait_ready()
        seen: list[tuple[float, str]] = []
        end = time.monotonic() + 8

        def hammer(path: str, keep: bool) -> None:
            while time.monotonic() < end:
                status, body = daemon.get(path)
                assert status == 200
                if keep:
                    tick = total(parse(body), "wattledger_tick_timestamp_seconds")
                    seen.append((tick, "\n".join(x for x in body.splitlines() if x.startswith("wattledger_"))))

        threads = [
            threading.Thread(target=hammer, args=arguments)
            for arguments in (("/metrics", True), ("/metrics", True), ("/-/ready", False))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        by_tick: dict[float, set[str]] = {}
        for tick, body in seen:
            by_tick.setdefault(tick, set()).add(body)
        assert len(seen) > 50
        assert {len(bodies) for bodies in by_tick.values()} == {1}


FAST_FIVE = '[node]\nhostname = "node-1"\n[site.x]\nzone = "FR"\n[sampling]\ntick = "2s"\ncommit = "2s"\n'


def test_p10_a_hanging_driver_call_stops_neither_the_rest_nor_the_exit(rig: Rig) -> None:
    """The GPU source goes stale and down; packages count on; SIGTERM ends it all the same."""
    with rig.daemon() as daemon:
        daemon.wait_ready()
        rig.nvml.hang(0)
        until(lambda: total(daemon.series(), "wattledger_source_up", source="nvml") == 0, "the hang was noticed")
        before = total(daemon.series(), DEVICE, device="package-0")
        until(lambda: total(daemon.series(), DEVICE, device="package-0") > before + 100, "the package counted on")
        assert total(daemon.series(), "wattledger_gap_seconds_total", reason="hang") > 0
        assert daemon.stop() == 0


def test_a_lost_gpu_is_a_gap_the_other_goes_on_and_it_comes_back_by_itself(rig: Rig) -> None:
    """GPU_IS_LOST on GPU 0 only."""
    lost, other = rig.nvml.gpus[0].uuid, rig.nvml.gpus[1].uuid
    with rig.daemon() as daemon:
        daemon.wait_ready()
        rig.nvml.fault(0, 15)
        until(lambda: total(daemon.series(), "wattledger_gap_seconds_total", device=lost) > 0, "the gap was booked")
        before = total(daemon.series(), DEVICE, device=other)
        until(lambda: total(daemon.series(), DEVICE, device=other) > before, "the other GPU counted on")
        assert daemon.stop() == 0


def test_a_terminal_that_is_closed_ends_it_in_good_order(rig: Rig) -> None:
    """SIGHUP: an ssh session from which it was started by hand."""
    with rig.daemon() as daemon:
        daemon.wait_ready()
        daemon.process.send_signal(signal.SIGHUP)
        assert daemon.process.wait(60) == 0


def test_sigusr1_lets_go_of_the_driver_and_takes_it_up_again(rig: Rig) -> None:
    """So that `nvidia-smi -r` and MIG changes can be made; counters stay and go on."""
    gpu = rig.nvml.gpus[0].uuid
    with rig.daemon() as daemon:
        daemon.wait_ready()
        until(lambda: total(daemon.series(), DEVICE, device=gpu) > 100, "energy was booked")
        before = total(daemon.series(), DEVICE, device=gpu)
        daemon.process.send_signal(signal.SIGUSR1)
        until(
            lambda: total(daemon.series(), "wattledger_gap_seconds_total", device=gpu, reason="released") > 0,
            "the release was noticed",
        )
        rig.nvml.reset_gpu(0)  # refused by the fake while anybody holds the driver
        daemon.process.send_signal(signal.SIGUSR1)
        until(lambda: total(daemon.series(), DEVICE, device=gpu) > before + 300, "counting went on")


def test_two_daemons_on_one_state_directory(rig: Rig) -> None:
    """The second refuses, says who holds it, and the first is not disturbed."""
    with rig.daemon() as daemon:
        second = wattledger("run", "--state-dir", str(rig.state_dir), "--listen", "127.0.0.1:0")
        assert second.returncode == 1
        assert "Traceback" not in second.stderr
        assert str(daemon.process.pid) in second.stderr
        daemon.wait_ready()


def test_a_taken_port_is_named_with_the_remedy(rig: Rig, tmp_path: Path) -> None:
    with rig.daemon() as daemon:
        address = daemon.url.removeprefix("http://")
        second = wattledger("run", "--state-dir", str(tmp_path / "other"), "--listen", address)
        assert second.returncode == 1
        assert address in second.stderr
        assert "--listen" in second.stderr
        assert "Traceback" not in second.stderr


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ('[site.x]\nzone = "FRR"\n', "FR"),
        ('[node]\nhostnam = "a"\n', "hostname"),
        ("[sampling]\ntick = 5\n", "tick"),
        ("[node\n", "config.toml:1"),
    ],
)
def test_a_wrong_configuration_is_one_sentence_with_the_right_name_and_exit_code_2(
    tmp_path: Path, config: str, sentence: str
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(config, encoding="utf-8")
    result = wattledger("run", "--config", str(path), "--state-dir", str(tmp_path / "s"), "--listen", "127.0.0.1:0")
    assert result.returncode == 2
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr


def test_a_missing_configuration_file(tmp_path: Path) -> None:
    result = wattledger("run", "--config", str(tmp_path / "none.toml"))
    assert result.returncode == 2
    assert "none.toml" in result.stderr


def test_the_demo_is_simulated_everywhere(tmp_path: Path) -> None:
    """Nothing that a demo says can be mistaken for a measurement."""
    with Daemon(tmp_path / "state", "--demo") as daemon:
        daemon.wait_ready()
        until(lambda: total(daemon.series(), DEVICE) > 0, "the demo booked energy", deadline_s=90)
        series = daemon.series()
        assert total(series, DEVICE) == total(series, DEVICE, method="simulated")
        # Which team is at work depends on the hour of the simulated day; some team always is.
        named = [value for (name, labels), value in series.items() if name == WORKLOAD and dict(labels)["team"]]
        assert sum(named) > 0
        assert any("A demonstration takes no declarations of runs." in line for line in daemon.log)
        assert daemon.stop() == 0


def test_an_overlay_of_processes_gets_the_gpu(rig: Rig) -> None:
    """The process on GPU 0 exists in the faked /proc, so its user pays for the GPU."""
    folder = rig.machine.procfs / "4242"
    folder.mkdir()
    (folder / "cgroup").write_text("0::/user.slice/user-1000.slice/session-1.scope\n", encoding="ascii")
    (folder / "stat").write_text("4242 (python) S 1 " + "0 " * 18 + "777 0 0\n", encoding="ascii")
    (folder / "status").write_text("Name:\tpython\nNSpid:\t4242\n", encoding="ascii")
    rig.nvml.set_processes(0, [FakeProcess(4242, sm_percent=90)])
    with rig.daemon() as daemon:
        daemon.wait_ready()
        until(
            lambda: total(daemon.series(), WORKLOAD, component="gpu", workload="user/1000") > 300,
            "user 1000 was charged",
        )


def test_after_a_driver_upgrade_a_new_process_takes_over_and_nothing_is_lost(rig: Rig) -> None:
    """The old library cannot talk to the new driver: the daemon books, starts itself anew and counts on."""
    gpu = rig.nvml.gpus[0].uuid
    with rig.daemon("--listen", f"127.0.0.1:{free_port()}") as daemon:
        daemon.wait_ready()
        until(lambda: total(daemon.series(), DEVICE, device="package-0") > 100, "energy was booked")
        before = total(daemon.series(), DEVICE, device="package-0")
        rig.nvml.reload_driver("610.10.01")
        until(lambda: any("takes over" in line for line in daemon.log), "the restart was announced")
        daemon.wait_ready()
        until(lambda: total(daemon.series(), DEVICE, device="package-0") > before + 100, "the package counted on")
        series = daemon.series()
        until(lambda: total(daemon.series(), DEVICE, device=gpu) > total(series, DEVICE, device=gpu), "so did the GPU")
        assert total(daemon.series(), "wattledger_conservation_error_joules") == 0
