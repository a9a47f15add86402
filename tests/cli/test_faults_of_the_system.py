"""What the operating system refuses is one sentence with its path and what to do, whatever command meets it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_commands import COMMAND, wattledger

LONG = "x" * 300
#: Runs a command as another user; its modules are loaded before, as that user may not reach where they are.
AS_ANOTHER = """
import importlib, os, sys
from tracker.cli import main
for module, _, _ in main.COMMANDS.values():
    importlib.import_module(module)
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
main.main(sys.argv[1:])
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ("verify", "--state-dir", f"/{LONG}"),
        ("export", "--month", "2026-10", "--books", f"/{LONG}"),
        ("close", "--status", "--books", f"/{LONG}"),
        ("serve", "--books", f"/{LONG}"),
    ],
)
def test_a_name_that_no_file_can_have(arguments: tuple[str, ...], tmp_path: Path) -> None:
    result = wattledger(*arguments, WATTLEDGER_NODE__STATE_DIR=str(tmp_path))
    assert result.returncode in {1, 2}
    assert "File name too long" in result.stderr
    assert "Traceback" not in result.stderr
    assert "bug" not in result.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
@pytest.mark.parametrize(
    "arguments",
    [
        ("verify", "--state-dir", "{}"),
        ("verify", "--books", "{}/books"),
        ("export", "--month", "2026-10", "--state-dir", "{}"),
        ("export", "--month", "2026-10", "--books", "{}/books"),
        ("trace", "2026-10", "--row", "00", "--state-dir", "{}"),
        ("close", "--status", "--state-dir", "{}"),
        ("close", "2026-10", "--review", "--books", "{}/books"),
        ("restate", "2026-10", "--state-dir", "{}"),
        ("serve", "--state-dir", "{}"),
        ("run", "--web.config.file", "{}/web.yml", "--state-dir", "{}/own"),
        ("run", "--path.sysfs", "{}/sys", "--state-dir", "{}/own"),
        ("check", "--path.procfs", "{}/proc", "--state-dir", "{}/own"),
        ("ship", "--state-dir", "{}"),
        ("job", "41", "--state-dir", "{}"),
    ],
    ids=" ".join,
)
def test_a_folder_that_this_user_may_not_enter(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """/var/lib/wattledger is 0700 under systemd: the first thing that somebody meets who is not root."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    result = subprocess.run(
        [sys.executable, "-c", AS_ANOTHER, *(argument.format(closed) for argument in arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode in {1, 2}
    assert "Permission denied" in result.stderr
    assert "as root" in result.stderr or "Let this user" in result.stderr or "--state-dir" in result.stderr
    assert "Traceback" not in result.stderr
    assert "bug" not in result.stderr


@pytest.mark.parametrize("stream", ["0", "1", "2"])
def test_a_standard_stream_that_is_closed(stream: str) -> None:
    """``cmd >&-`` in a cron job: no trouble, and no file of ours in the place of the stream."""
    result = subprocess.run(
        ["/bin/sh", "-c", f'exec "$0" estimate --kwh 1 --zone FR {stream}>&-', COMMAND],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (result.returncode, "bug" in result.stderr) == (0, False)
    assert ("Estimate" in result.stdout) == (stream != "1")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_who_stops_reading_is_no_failure(unbuffered: str) -> None:
    """``wattledger grid list | head`` under ``set -o pipefail``: always 0, and not now and then."""
    with subprocess.Popen(
        [COMMAND, "grid", "list"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (0, b"")


def test_a_slip_in_a_command_is_told_the_nearest() -> None:
    result = wattledger("chek")
    assert result.returncode == 2
    assert "Did you mean 'check'?" in result.stderr
