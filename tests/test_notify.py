"""What systemd hears of the daemon: a service that never says READY is ended, one that says too much is believed."""

from __future__ import annotations

import signal
import sqlite3
from pathlib import Path

import pytest

from tests.e2e.daemon import Daemon, until
from tests.fakes.servicemanager import service_manager
from tracker.notify import Notifier

READY = "READY=1\nSTATUS=The page is at x"


@pytest.mark.parametrize("abstract", [False, True])
def test_ready_once_and_alive_at_every_tick(abstract: bool) -> None:
    with service_manager(abstract=abstract) as manager:
        notifier = Notifier(manager.environ, 1, 5.0)
        assert manager.said == []
        for _ in range(3):
            notifier.alive("The page\nis  at x")
        notifier.stopping()
        assert manager.said == [READY, *["WATCHDOG=1"] * 3, "STOPPING=1\nSTATUS=Books what was read last."]


def test_a_slow_tick_is_not_taken_for_a_hang() -> None:
    """A tick of 60 s under WatchdogSec=60s would be ended every minute."""
    with service_manager() as manager:
        Notifier(manager.environ, 1, 60.0).alive("The page is at x")
        assert manager.said == [f"{READY}\nWATCHDOG_USEC=180000000", "WATCHDOG=1"]


@pytest.mark.parametrize("watchdog", [{"WATCHDOG_USEC": ""}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_PID": "2"}])
def test_a_watchdog_that_is_not_ours_gets_no_word(watchdog: dict[str, str]) -> None:
    """Of a parent process, for example: its pid is not ours."""
    with service_manager() as manager:
        Notifier({**manager.environ, **watchdog}, 1, 60.0).alive("The page is at x")
        assert manager.said == [READY]


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "/nonexistent/socket"}])
def test_nobody_listens_and_nothing_happens(environ: dict[str, str]) -> None:
    """Started by hand, or its service manager is gone."""
    notifier = Notifier({**environ, "WATCHDOG_USEC": "60000000"}, 1, 5.0)
    notifier.alive("x")
    notifier.stopping()


def test_ready_is_said_again_if_it_could_not_be_heard() -> None:
    """A service manager re-executes itself, its socket is gone for a moment: the start must not time out over that."""
    with service_manager() as manager:
        path = Path(manager.environ["NOTIFY_SOCKET"])
        notifier = Notifier(manager.environ, 1, 5.0)
        path.rename(path.with_name("away"))
        notifier.alive("The page is at x")
        path.with_name("away").rename(path)
        notifier.alive("The page is at x")
        assert manager.said == [READY, "WATCHDOG=1"]


@pytest.mark.timeout(120)
def test_the_daemon_is_ready_with_its_first_tick_and_ends_in_time_with_the_ledger_closed(tmp_path: Path) -> None:
    """SIGTERM as systemd sends it: exit code 0 within five seconds, and the write-ahead log is folded in."""
    config = tmp_path / "config.toml"
    config.write_text('[sampling]\ntick = "1s"\ncommit = "1s"\n')
    with (
        service_manager() as manager,
        Daemon(tmp_path, "--demo", "--config", str(config), env=manager.environ) as daemon,
    ):
        until(lambda: manager.said.count("WATCHDOG=1") >= 3, "three ticks were made")
        assert manager.said[0] == f"READY=1\nSTATUS=The page is at {daemon.url}/"
        assert daemon.get("/-/ready")[0] == 200
        assert not any(message.startswith("STOPPING") for message in manager.said)
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.process.wait(5) == 0
        assert manager.said[-1].startswith("STOPPING=1\n")
    assert not (tmp_path / "demo/ledger.db-wal").exists()
    with sqlite3.connect(f"file:{tmp_path}/demo/ledger.db?mode=ro", uri=True) as ledger:
        assert ledger.execute("SELECT clean FROM head").fetchone() == (1,)
