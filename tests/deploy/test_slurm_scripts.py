"""The task prolog: what it prints, and that in a real Slurm programs of a job find the daemon by it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.deploy.installing import DEPLOY, REPO
from tests.e2e.daemon import Daemon, total, until
from tests.fakes.slurm import Cluster, can_run

SCRIPT = DEPLOY / "slurm" / "task-prolog.sh"
HINT = "wattledger measures this job. A part of it by name: wattledger exec --phase evaluation -- COMMAND"
BATCH = "4294967291"
RUN = """
import sys
sys.path.insert(0, sys.argv[1])
from tracker.declare import declare
with declare("epoch-1", project="llm", phase="training"):
    while True:
        sum(range(100_000))
"""


@contextmanager
def place() -> Iterator[str]:
    """Where a socket may lie: its path is at most 107 bytes long."""
    with TemporaryDirectory(dir="/tmp", prefix="wl-") as folder:
        Path(folder).chmod(0o755)
        yield f"{folder}/declare.sock"


@contextmanager
def listening() -> Iterator[str]:
    with place() as path, socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        Path(path).chmod(0o666)
        yield path


def said(tmp_path: Path, settings: str, default: str = "", **variables: str) -> list[str]:
    """What slurmd would read. ``default``: where the socket is looked for without settings."""
    (tmp_path / "slurm.env").write_text(settings)
    text = SCRIPT.read_text().replace("/etc/wattledger/slurm.env", str(tmp_path / "slurm.env"))
    if default:
        text = text.replace("/run/wattledger/declare.sock", default)
    (tmp_path / "task-prolog.sh").write_text(text)
    command = ["/bin/sh", str(tmp_path / "task-prolog.sh")]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_it_says_where_the_socket_is(tmp_path: Path) -> None:
    with listening() as path:
        assert said(tmp_path, f"WATTLEDGER_SOCKET={path}\n") == [f"export WATTLEDGER_SOCKET={path}"]


def test_what_the_user_chose_stays(tmp_path: Path) -> None:
    with listening() as path:
        assert said(tmp_path, f"WATTLEDGER_SOCKET={path}\n", WATTLEDGER_SOCKET="/elsewhere") == []


WRONG = ["WATTLEDGER_HINT='yes\n", "exit 3\n", "exit 0\n", "readonly x=1; x=2\n", "set -e; false\n"]


@pytest.mark.parametrize("settings", WRONG)
def test_settings_that_are_wrong_fail_no_task(tmp_path: Path, settings: str) -> None:
    """A task prolog that fails ends the task. What it says then is the default, if a daemon is there."""
    with listening() as default, listening() as path:
        found = said(tmp_path, f"WATTLEDGER_SOCKET={path}\n{settings}", default=default)
    assert found == [f"export WATTLEDGER_SOCKET={default}"]


def test_without_a_daemon_it_says_nothing(tmp_path: Path) -> None:
    """A job of a node without the daemon looks as it always did."""
    assert said(tmp_path, "WATTLEDGER_SOCKET=/nonexistent/s\nWATTLEDGER_HINT=yes\n", SLURM_STEP_ID=BATCH) == []
    (tmp_path / "file").write_text("no socket")
    assert said(tmp_path, f"WATTLEDGER_SOCKET={tmp_path / 'file'}\n") == []


@pytest.mark.parametrize(("step", "told"), [(BATCH, True), ("", True), ("0", False), ("4294967290", False)])
def test_the_hint_is_given_once_a_job_and_only_if_wanted(tmp_path: Path, step: str, told: bool) -> None:
    with listening() as path:
        wanted = f"WATTLEDGER_SOCKET={path}\nWATTLEDGER_HINT=yes\n"
        found = said(tmp_path, wanted, SLURM_STEP_ID=step)
        assert found[1:] == ([f"print {HINT}"] if told else [])
        assert len(said(tmp_path, f"WATTLEDGER_SOCKET={path}\n", SLURM_STEP_ID=step)) == 1


class Prompted(Cluster):
    """A cluster with our task prolog."""

    socket = ""

    def _configure(self, prolog: Path | None, epilog: Path | None) -> None:
        super()._configure(prolog, epilog)
        script = self.root / "task-prolog.sh"
        settings = f"WATTLEDGER_SOCKET={self.socket}\nWATTLEDGER_HINT=yes\n"
        (self.root / "slurm.env").write_text(settings)
        script.write_text(SCRIPT.read_text().replace("/etc/wattledger/slurm.env", str(self.root / "slurm.env")))
        script.chmod(0o755)
        with (self.root / "slurm.conf").open("a") as conf:
            conf.write(f"TaskProlog={script}\n")


@pytest.mark.needs("root", "slurm")
@pytest.mark.timeout(200)
def test_a_run_in_a_job_is_charged_by_its_name(tmp_path: Path) -> None:
    """As any user: nothing but the task prolog tells the program where the daemon is."""
    if not can_run():
        pytest.skip("Debian's Slurm needs the v1 cgroup controllers, which are not mounted here")
    config = tmp_path / "config.toml"
    config.write_text('[sampling]\ntick = "1s"\ncommit = "1s"\n')
    with place() as path:
        declared = {"WATTLEDGER_WORKLOADS__DECLARED__LISTEN": "true", "WATTLEDGER_WORKLOADS__DECLARED__SOCKET": path}
        Prompted.socket = path
        with Daemon(tmp_path / "state", "--config", str(config), env=declared) as daemon, Prompted.start() as cluster:
            daemon.wait_ready()
            library = cluster.root / "lib" / "tracker"
            shutil.copytree(REPO / "tracker" / "declare", library / "declare")
            shutil.copy(REPO / "tracker" / "__init__.py", library)
            (cluster.root / "run.py").write_text(RUN)
            python = os.path.realpath("/usr/bin/python3")
            job = cluster.submit(f"exec {python} {cluster.root}/run.py {library.parent}", user="games")
            workload = {"kind": "run", "project": "llm", "phase": "training"}
            energy = "wattledger_workload_energy_joules_total"
            until(lambda: total(daemon.series(), energy, **workload) > 0, f"the run was charged\n{cluster.logs()}")
            cluster.cancel(job)
            until(
                lambda: (cluster.root / "jobs" / f"{job}.out").read_text().startswith(f"{HINT}\n"), "its user was told"
            )
            assert daemon.stop() == 0
