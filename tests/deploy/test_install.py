"""Installing twice is installing once, uninstalling leaves what is the user's, and no folder is taken from anybody."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.deploy.installing import DEPLOY, PREFIX, REPO, UNITS, Machine
from tests.e2e.daemon import COMMAND

SETTINGS = {"etc/wattledger/config.toml", "etc/wattledger-portal/config.toml"}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path / "root")
    made.root.mkdir()
    return made


def test_what_is_installed(machine: Machine) -> None:
    done = machine.install()
    assert (done.returncode, done.stderr) == (0, "")
    files = machine.files()
    assert {name.removeprefix(f"{UNITS}/") for name in files if name.startswith(UNITS)} == {
        "wattledger.service",
        "wattledger.service.d/gpu.conf",
        "wattledger-ship.service",
        "wattledger-ship.timer",
        "wattledger-serve.service",
    }
    share = f"{PREFIX[1:]}/share"
    assert {name for name in files if name.startswith(f"{share}/slurm/")} == {
        f"{share}/slurm/{script.name}" for script in (DEPLOY / "slurm").glob("*.sh")
    }
    assert files["usr/local/bin/wattledger"][1] == f"{PREFIX}/bin/wattledger".encode()
    assert {name: mode & 0o777 for name, (mode, _) in files.items() if name in SETTINGS} == dict.fromkeys(
        SETTINGS, 0o640
    )
    assert all(mode & 0o777 == 0o755 for name, (mode, _) in files.items() if name.endswith(".sh"))


@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_the_settings_that_are_installed_are_settings(machine: Machine, name: str) -> None:
    """Also with every comment taken away: an example that is refused helps nobody."""
    machine.install()
    path = machine.root / name
    for text in (path.read_text(), "".join(_uncommented(path.read_text()))):
        path.write_text(text)
        done = subprocess.run(
            [COMMAND, "config", "check", "--config", str(path)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


def _uncommented(text: str) -> list[str]:
    lines = (line.removeprefix("# ") for line in text.splitlines(keepends=True))
    return [line for line in lines if " = " in line or line.startswith("[")]


def test_installing_again_changes_nothing_and_keeps_the_settings(machine: Machine) -> None:
    machine.install()
    config = machine.root / "etc/wattledger/config.toml"
    config.write_text('[node]\nhostname = "gpu-017"\n')
    before = machine.files()
    assert machine.install().returncode == 0
    assert machine.files() == before


def test_an_upgrade_takes_away_what_is_no_longer_part(machine: Machine) -> None:
    """A unit that was renamed must not start beside its successor."""
    machine.install()
    old = machine.root / UNITS / "wattledger-old.service"
    old.write_text("[Service]\n")
    listed = machine.root / PREFIX[1:] / "share/installed"
    listed.write_text(listed.read_text() + f"/{UNITS}/wattledger-old.service\n")
    before = machine.files()
    machine.install()
    assert before.keys() - machine.files().keys() == {f"{UNITS}/wattledger-old.service"}


def test_uninstalling_leaves_ledger_and_settings_and_says_so(machine: Machine) -> None:
    machine.install()
    ledger = machine.root / "var/lib/wattledger/ledger.db"
    ledger.parent.mkdir(parents=True)
    ledger.write_bytes(b"the only record")
    done = machine.uninstall()
    assert (done.returncode, done.stderr) == (0, "")
    assert machine.files().keys() == SETTINGS | {"var/lib/wattledger/ledger.db"}
    kept = ["  /var/lib/wattledger", "  /etc/wattledger", "  /etc/wattledger-portal"]
    assert done.stdout.splitlines()[:4] == ["wattledger is removed. These stay:", *kept]
    assert not (machine.root / PREFIX[1:]).exists()
    again = machine.run(DEPLOY / "uninstall.sh")
    assert again.returncode == 0
    assert again.stdout.startswith("Nothing of wattledger is installed in")


def test_uninstalling_takes_caches_away_and_names_drop_ins_that_stay(machine: Machine) -> None:
    machine.install()
    units = {"wattledger", "wattledger-ship", "wattledger-serve"}
    drop_ins = {f"/etc/systemd/system/{unit}.service.d" for unit in units}
    for name in ("var/cache/wattledger/books", *(f"{folder[1:]}/mine.conf" for folder in drop_ins)):
        (machine.root / name).parent.mkdir(parents=True)
        (machine.root / name).write_text("")
    assert drop_ins <= {line.strip() for line in machine.uninstall().stdout.splitlines()}
    assert not (machine.root / "var/cache/wattledger").exists()


def test_what_others_put_below_the_prefix_is_not_deleted(machine: Machine) -> None:
    """The state folder, books, settings: they stay, are named, and are in nobody's way when wattledger comes back."""
    machine.install()
    mine = {f"{PREFIX[1:]}/{name}" for name in ("state/ledger.db", "books/entries/a.parquet", "etc/config.toml")}
    for name in mine:
        (machine.root / name).parent.mkdir(parents=True)
        (machine.root / name).write_bytes(b"the only record")
    done = machine.uninstall()
    assert (done.returncode, f"  {PREFIX}\n" in done.stdout) == (0, True)
    assert machine.files().keys() == SETTINGS | mine
    assert machine.install().returncode == 0
    assert mine <= machine.files().keys()


def test_another_prefix_is_in_every_unit(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "/srv/carbon/wl")
    assert machine.install().returncode == 0
    texts = {name: content for name, (_, content) in machine.files().items() if name.startswith(UNITS)}
    assert b"ExecStart=/srv/carbon/wl/bin/wattledger run\n" in texts[f"{UNITS}/wattledger.service"]
    assert not any(b"/opt/wattledger" in text for text in texts.values())
    script = (tmp_path / "srv/carbon/wl/share/uninstall.sh").read_text()
    assert "prefix=${PREFIX:-/srv/carbon/wl}" in script, "it must find what it belongs to without being told"
    machine.uninstall()
    assert machine.files().keys() == SETTINGS


@pytest.mark.parametrize("prefix", ["relative/path", "/opt", "/", "/opt/a b", "/opt/x/../..", "/opt/$(id)/x"])
def test_a_prefix_that_uninstalling_would_not_survive_is_refused(machine: Machine, prefix: str) -> None:
    done = machine.install(PREFIX=prefix)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert machine.files() == {}


def test_a_folder_that_holds_something_else_is_refused(machine: Machine) -> None:
    mine = machine.root / PREFIX[1:] / "share" / "mine"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    done = machine.install()
    assert (done.returncode, "holds something else" in done.stderr) == (2, True)
    assert list(machine.files()) == [f"{PREFIX[1:]}/share/mine"]


def test_an_installation_that_was_broken_off_is_completed_by_the_next(machine: Machine) -> None:
    assert machine.install(COMMAND="/nonexistent").returncode == 2
    assert machine.install().returncode == 0
    assert f"{PREFIX[1:]}/share/installed" in machine.files()


def test_a_command_is_found_from_everywhere(machine: Machine) -> None:
    """A link to a relative path would lead nowhere."""
    here = os.path.relpath(COMMAND)
    assert machine.install(COMMAND=here).returncode == 0
    link = machine.root / PREFIX[1:] / "bin/wattledger"
    assert link.readlink().is_absolute()
    assert link.samefile(COMMAND)


def test_a_python_that_the_services_cannot_see_is_refused(machine: Machine, tmp_path: Path) -> None:
    """ProtectHome= hides it, and the unit would fail at its start with nothing but an exit code."""
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\ncase "$2" in *realpath*) echo /home/alice/.pyenv/bin/python3 ;; esac\n')
    python.chmod(0o755)
    done = machine.install(COMMAND="", PYTHON=str(python))
    assert done.returncode == 2
    assert done.stderr.endswith("which the services cannot see. Give the system's: PYTHON=/usr/bin/python3\n")


def test_make_installs_and_uninstalls(machine: Machine) -> None:
    for target in ("install", "uninstall"):
        command = ["make", "--silent", target, f"DESTDIR={machine.root}", f"COMMAND={COMMAND}"]
        subprocess.run(command, cwd=REPO, check=True, capture_output=True, timeout=60)
        assert (machine.root / PREFIX[1:]).exists() is (target == "install")
    assert machine.files().keys() == SETTINGS
