"""``make install`` as users run it: an environment of its own, made by pip from pinned wheels."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deploy.checkout import PYTHON, SAYS, checkout
from tests.deploy.installing import DEPLOY, Machine

pytestmark = [pytest.mark.needs("system-python"), pytest.mark.timeout(120)]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Its DESTDIR is as long as that of a package's build, and has a space; its PREFIX is a place where it can lie."""
    made = Machine(tmp_path / ("a package's build folder, " + "x" * 80), str(tmp_path / "opt/wl"))
    made.root.mkdir()
    return made


@pytest.fixture
def script(tmp_path: Path) -> Path:
    return checkout(tmp_path / "checkout", tmp_path / "my wheels")


def install(machine: Machine, script: Path, tmp_path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    given = {"PYTHON": PYTHON, "WHEELS": str(tmp_path / "my wheels"), **variables}
    return machine.run(script, **given)


def said(prefix: Path) -> str:
    """By the installed command, which must be able to import all that is pinned."""
    command = [str(prefix / "bin/wattledger"), "--version"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.strip()


def test_a_package_names_the_place_where_it_will_lie(machine: Machine, script: Path, tmp_path: Path) -> None:
    done = install(machine, script, tmp_path)
    assert done.returncode == 0, done.stderr
    staged = Path(f"{machine.root}{machine.prefix}")
    named = [path for path in staged.rglob("*") if path.is_file() and str(machine.root).encode() in path.read_bytes()]
    assert named == []
    Path(machine.prefix).parent.mkdir()
    staged.rename(machine.prefix)
    shutil.rmtree(machine.root)
    assert said(Path(machine.prefix)) == SAYS


def test_a_new_python_of_the_system_is_followed(machine: Machine, script: Path, tmp_path: Path) -> None:
    """The interpreter of the environment is a link to the system's, whose packages lie under its own version."""
    assert install(machine, script, tmp_path).returncode == 0
    prefix = Path(f"{machine.root}{machine.prefix}")
    (lib,) = (prefix / "lib").iterdir()
    lib.rename(lib.with_name("python3.9"))
    (prefix / "books").mkdir()
    (prefix / "books/a.parquet").write_bytes(b"somebody's")
    done = install(machine, script, tmp_path)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (prefix / "lib").iterdir()] == [lib.name]
    assert (prefix / "books/a.parquet").read_bytes() == b"somebody's"


def test_what_a_failed_installation_left_is_taken_away(machine: Machine, script: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = install(machine, script, tmp_path, WHEELS=str(tmp_path / "empty"))
    assert done.returncode != 0
    assert "tiny==1" in done.stderr
    gone = machine.run(DEPLOY / "uninstall.sh")
    assert (gone.returncode, gone.stdout.splitlines()[0]) == (0, "wattledger is removed. These stay:")
    assert list(machine.root.rglob("*/bin")) == []
    assert not Path(f"{machine.root}{machine.prefix}").exists()
