"""The commands as a user meets them: what they print, in a pipe and on a terminal, and their exit codes."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.machine import Machine
from tests.fakes.node import GPU, Node, ScriptedFeed

COMMAND = str(Path(sys.executable).parent / "wattledger")


def wattledger(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **env}
    )


def on_terminal(*arguments: str) -> str:
    """What a person sees: the command's output on a pseudo-terminal."""
    leader, follower = pty.openpty()
    process = subprocess.Popen([COMMAND, *arguments], stdout=follower, stderr=follower, close_fds=True)
    os.close(follower)
    seen = b""
    while select.select([leader], [], [], 30)[0]:
        try:
            piece = os.read(leader, 65536)
        except OSError:  # EIO: the other side has closed
            break
        if not piece:
            break
        seen += piece
    process.wait(30)
    os.close(leader)
    return seen.decode()


@pytest.fixture
def xeon(tmp_path: Path) -> Machine:
    return Machine.xeon(tmp_path / "machine", psys=True)


def roots(machine: Machine, state_dir: Path) -> tuple[str, ...]:
    return (
        "--path.sysfs",
        str(machine.sysfs),
        "--path.procfs",
        str(machine.procfs),
        "--state-dir",
        str(state_dir),
    )


def test_check_says_what_is_booked_and_what_is_only_seen(xeon: Machine, tmp_path: Path) -> None:
    """Packages and DRAM are measured; psys and cores contain them, or are in them: seen, not booked."""
    result = wattledger("check", *roots(xeon, tmp_path / "state"))
    assert result.returncode == 0, result.stderr
    booked, seen = result.stdout.split("Seen, not booked")[:2]
    assert "package-0" in booked
    assert "dram-1" in booked
    assert "psys" in seen
    assert "Set zone" in result.stdout  # the exact line that would fix it


def test_check_exits_1_when_nothing_is_measured_and_json_says_the_same(tmp_path: Path) -> None:
    """A virtual machine: everything is modelled, and a script can tell."""
    machine = Machine.vm(tmp_path / "machine")
    result = wattledger("check", "--json", *roots(machine, tmp_path / "state"))
    assert result.returncode == 1
    report = json.loads(result.stdout)
    assert report["measured"] is False
    assert {sensor["key"] for sensor in report["booked"]} == {"cpu", "dram"}
    assert any(finding["remedy"] for finding in report["findings"])


def test_check_writes_nothing(xeon: Machine, tmp_path: Path) -> None:
    """Whoever asks as root must not leave a folder that the daemon may not write."""
    result = wattledger("check", *roots(xeon, tmp_path / "state"))
    assert result.returncode == 0, result.stderr
    assert not (tmp_path / "state").exists()


def test_check_draws_a_table_on_a_terminal_and_plain_lines_in_a_pipe(xeon: Machine, tmp_path: Path) -> None:
    arguments = ("check", *roots(xeon, tmp_path / "state"))
    drawn = on_terminal(*arguments)
    assert "\x1b[" in drawn
    assert "fix: " in drawn, "a terminal without colours tells a remedy too"
    assert "\x1b[" not in wattledger(*arguments).stdout


def test_verify_proves_a_ledger_and_finds_a_planted_joule(tmp_path: Path) -> None:
    """Sound: exit 0. One microjoule more in a total: exit 1, and it says what is wrong."""
    import sqlite3

    node = Node(tmp_path, ScriptedFeed("nvml", GPU))
    node.first_tick()
    node.run(700)
    node.ledger.close()
    sound = wattledger("verify", "--state-dir", str(tmp_path))
    assert (sound.returncode, sound.stderr) == (0, "")
    assert "adds up" in sound.stdout
    with sqlite3.connect(tmp_path / "ledger.db") as db:
        db.execute("update device_total set energy_uj = energy_uj + 1")
    broken = wattledger("verify", "--state-dir", str(tmp_path))
    assert broken.returncode == 1
    assert "FAIL" in broken.stdout
    as_json = json.loads(wattledger("verify", "--json", "--state-dir", str(tmp_path)).stdout)
    assert as_json["findings"]


def test_verify_without_a_ledger_says_where_it_looked(tmp_path: Path) -> None:
    result = wattledger("verify", "--state-dir", str(tmp_path))
    assert result.returncode == 2
    assert str(tmp_path / "ledger.db") in result.stderr


@pytest.mark.parametrize("command", [(), ("run",), ("check",), ("verify",), ("config",), ("config", "show")])
def test_help_is_there_for_every_command(command: tuple[str, ...]) -> None:
    result = wattledger(*command, "--help")
    assert result.returncode == 0
    assert "Usage: wattledger" in result.stdout


@pytest.mark.parametrize(
    ("command", "said"), [("run", True), ("check", True), ("close", False), ("serve", False), ("trace", False)]
)
def test_what_only_the_daemon_heeds_is_not_in_the_help_of_others(command: str, *, said: bool) -> None:
    assert ("--own-only" in wattledger(command, "--help").stdout) is said


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("run", "--nonsense"),
        ("run", "--listen", "nowhere"),
        ("run", "--path.sysfs", "/nonexistent"),
        ("check", "--path.procfs", "/nonexistent"),
    ],
)
def test_bad_usage_is_one_sentence_and_exit_code_2(arguments: tuple[str, ...], tmp_path: Path) -> None:
    result = wattledger(*arguments, WATTLEDGER_NODE__STATE_DIR=str(tmp_path))
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert result.stderr.strip()


def test_a_locale_without_unicode_is_no_reason_to_fail(xeon: Machine, tmp_path: Path) -> None:
    result = wattledger("check", *roots(xeon, tmp_path / "state"), LC_ALL="C", PYTHONUTF8="0")
    assert result.returncode == 0
    assert "Traceback" not in result.stderr


def test_a_full_disk_behind_the_output_is_one_sentence(xeon: Machine, tmp_path: Path) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123 - a device
        result = subprocess.run(
            [COMMAND, "check", *roots(xeon, tmp_path / "state")],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "bug" not in result.stderr


def test_simulated_and_real_energy_never_share_a_ledger(tmp_path: Path) -> None:
    """A demo keeps its own book; and a book that holds the other kind is refused."""
    node = Node(tmp_path / "demo", ScriptedFeed("nvml", GPU))
    node.first_tick()
    node.run(20)
    node.ledger.close()
    result = wattledger("run", "--demo", "--state-dir", str(tmp_path), "--listen", "127.0.0.1:0")
    assert result.returncode == 2
    assert "simulated" in result.stderr
