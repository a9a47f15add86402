"""The units are understood by systemd, closed as far as they can be, and what they forbid is not needed."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.deploy.installing import DEPLOY, PREFIX, UNITS, Machine
from tests.e2e.daemon import COMMAND
from tests.fakes.sandbox import settings
from tracker.ledger.files import LEDGER_FILE, take_lock

SYSTEMD = DEPLOY / "systemd"
SERVICES = ("wattledger.service", "wattledger-ship.service", "wattledger-serve.service")
#: The most that systemd-analyze may find: 0 is closed, 10 is open.
EXPOSURE = 2.5
DEVICE = "wattledger_device_energy_joules_total"

pytestmark = pytest.mark.needs("systemd")


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """An installation whose units name a command that is there."""
    made = Machine(tmp_path_factory.mktemp("root"))
    assert made.install().returncode == 0
    for path in (made.root / UNITS).glob("*.service"):
        path.write_text(
            path.read_text().replace(f"{PREFIX}/bin/wattledger", str(made.root / f"{PREFIX[1:]}/bin/wattledger"))
        )
    return made


def analyze(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "SYSTEMD_UNIT_PATH": f"{folder}:"}
    command = ["systemd-analyze", *arguments]
    return subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def drop_in(machine: Machine, folder: Path, *names: str) -> Path:
    """The installed units in a folder of their own, with these drop-ins."""
    shutil.copytree(machine.root / UNITS, folder)
    for name in names:
        shutil.copy(SYSTEMD / "drop-ins" / f"{name}.conf", folder / "wattledger.service.d")
    return folder


def test_systemd_understands_every_unit(machine: Machine) -> None:
    """Its verify exits 0 on keys that it does not know: what counts is that it says nothing."""
    units = sorted(path.name for path in (machine.root / UNITS).iterdir() if path.is_file())
    assert units == [
        "wattledger-serve.service",
        "wattledger-ship.service",
        "wattledger-ship.timer",
        "wattledger.service",
    ]
    done = analyze(machine.root / UNITS, "verify", *units)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_verify_would_say_something(machine: Machine, tmp_path: Path) -> None:
    folder = drop_in(machine, tmp_path / "units")
    (folder / "wattledger.service.d" / "wrong.conf").write_text("[Service]\nProtectSytem=strict\n")
    assert "ProtectSytem" in analyze(folder, "verify", "wattledger.service").stderr


@pytest.mark.parametrize("name", sorted(path.stem for path in (SYSTEMD / "drop-ins").iterdir()))
def test_systemd_understands_every_drop_in(machine: Machine, tmp_path: Path, name: str) -> None:
    folder = drop_in(machine, tmp_path / "units", name)
    done = analyze(folder, "verify", "wattledger.service")
    assert (done.returncode, done.stderr) == (0, "")


def exposure(folder: Path, unit: str) -> float:
    arguments = ("--offline=true", f"--threshold={EXPOSURE * 10:.0f}", "security", unit)
    done = analyze(folder, *arguments)
    found = re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found is not None, done.stderr
    assert done.returncode == 0, done.stdout
    return float(found[1])


@pytest.mark.parametrize("unit", SERVICES)
def test_no_unit_is_more_exposed_than_that(machine: Machine, unit: str) -> None:
    assert exposure(machine.root / UNITS, unit) <= EXPOSURE


@pytest.mark.parametrize("name", ["rapl-capability", "read-environ", "container-engine", "books-folder", "addresses"])
def test_nor_is_the_daemon_with_one_drop_in(machine: Machine, tmp_path: Path, name: str) -> None:
    """All but kubelet.conf, which makes it root and says so."""
    assert exposure(drop_in(machine, tmp_path / "units", name), "wattledger.service") <= EXPOSURE


@pytest.mark.parametrize("name", ["rapl-capability", "read-environ"])
def test_whoever_may_read_every_file_does_not_see_the_keys_of_the_node(name: str) -> None:
    (closed,) = settings(SYSTEMD / "drop-ins" / f"{name}.conf", "InaccessiblePaths")
    assert {"-/etc/munge", "-/etc/kubernetes", "-/var/lib/kubelet/pki"} <= {*closed.split()}


def test_the_daemon_has_no_capability_and_gpus_are_its_only_devices(machine: Machine) -> None:
    done = analyze(machine.root / UNITS, "--offline=true", "--json=short", "security", "wattledger.service")
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert all(row["set"] for name, row in rows.items() if name.startswith("CapabilityBoundingSet="))
    assert rows["AmbientCapabilities="]["set"]
    assert "/dev/nvidiactl:rw" in rows["DeviceAllow="]["description"]
    assert "char-nvidia*:rw" in rows["DeviceAllow="]["description"]


def test_the_units_give_the_daemon_time_to_end(machine: Machine) -> None:
    """Five seconds for itself and twenty for the last hours (app.py), and the last word is systemd's."""
    from tracker.app import STOP_SHIPPING_S

    unit = machine.root / UNITS / "wattledger.service"
    assert int(settings(unit, "TimeoutStopSec")[0]) > STOP_SHIPPING_S + 5
    assert settings(unit, "Type") == ["notify"]
    assert int(settings(unit, "WatchdogSec")[0]) >= 3 * 5


def test_a_wrong_configuration_is_not_started_again(tmp_path: Path) -> None:
    """RestartPreventExitStatus=2 is what the command exits with."""
    config = tmp_path / "config.toml"
    config.write_text("[nod]\n")
    done = subprocess.run([COMMAND, "run", "--config", str(config)], capture_output=True, timeout=60, check=False)
    assert [str(done.returncode)] == settings(SYSTEMD / "wattledger.service", "RestartPreventExitStatus")


@pytest.mark.parametrize("obstacle", ["address", "name", "port", "folder", "ledger", "books"])
def test_an_obstacle_that_passes_is_waited_for(tmp_path: Path, obstacle: str) -> None:
    """An address that DHCP has not given yet, a disk or a share that is not mounted: a node that gives up then measures
    nothing until somebody looks."""
    (tmp_path / "file").write_bytes(b"")
    listen = {"address": "203.0.113.7:0", "name": "no-such-host.invalid:0"}.get(obstacle, "127.0.0.1:0")
    state = tmp_path / ("file/state" if obstacle == "folder" else "state")
    with ExitStack() as stack:
        if obstacle == "port":
            taken = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            listen = f"127.0.0.1:{taken.getsockname()[1]}"
        if obstacle == "ledger":
            stack.callback(os.close, take_lock(make_state(state / "demo") / LEDGER_FILE))
        unit, arguments = "wattledger.service", ["run", "--demo", "--listen", listen]
        if obstacle == "books":
            unit, arguments = "wattledger-serve.service", ["serve", "--books", str(tmp_path / "unmounted")]
        command = [COMMAND, *arguments, "--state-dir", str(state)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert settings(SYSTEMD / unit, "Restart") == ["always"]
    assert done.returncode == 1, done.stderr
    assert [str(done.returncode)] != settings(SYSTEMD / unit, "RestartPreventExitStatus")
    assert (done.stderr[:12], done.stderr.count("\n"), "Traceback" in done.stderr) == ("wattledger: ", 1, False)


def make_state(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def test_the_timer_runs_every_hour_and_not_all_nodes_at_once() -> None:
    timer = SYSTEMD / "wattledger-ship.timer"
    (when,) = settings(timer, "OnCalendar")
    done = subprocess.run(
        ["systemd-analyze", "calendar", "--iterations=2", when], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    hours = re.findall(r"(?:Next elapse|Iter\. #2):.* ([0-9]{2}):10:00", done.stdout)
    assert (int(hours[1]) - int(hours[0])) % 24 == 1
    assert (settings(timer, "RandomizedDelaySec"), settings(timer, "Persistent")) == (["40min"], ["yes"])
