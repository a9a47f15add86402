"""Where a daemon is looked for: the first place that answers, not the first file."""

from __future__ import annotations

import socket
from contextlib import closing
from pathlib import Path

import pytest

from tracker.declare.wire import ENV_SOCKET, first_answering, places, socket_path


def listening(path: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(path))
    made.listen()
    return made


def test_a_socket_that_a_killed_daemon_left_shadows_no_living_one(tmp_path: Path) -> None:
    left, other, live = tmp_path / "left", tmp_path / "other", tmp_path / "live"
    listening(left).close()  # as after kill -9: the file stays
    other.write_text("no socket")
    tried = [str(tmp_path / "none"), str(left), str(other), str(live), "\0"]
    assert first_answering(tried) is None
    with closing(listening(live)):
        assert first_answering(tried) == str(live)


def test_a_daemon_with_a_full_queue_is_still_the_one(tmp_path: Path) -> None:
    """Another daemon would book the run elsewhere."""
    busy, idle = tmp_path / "busy", tmp_path / "idle"
    with closing(socket.socket(socket.AF_UNIX)) as first, closing(listening(idle)):
        first.bind(str(busy))
        first.listen(0)
        with closing(socket.socket(socket.AF_UNIX)) as waiting:
            waiting.connect(str(busy))
            assert first_answering([str(busy), str(idle)]) == str(busy)


def test_daemons_of_the_node_come_before_a_user_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/home/bob/state")
    assert places() == [
        "/run/wattledger/declare.sock",
        "/var/lib/wattledger/declare.sock",
        "/home/bob/state/wattledger/declare.sock",
    ]


def test_what_the_environment_says_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENV_SOCKET, "/nowhere/s")
    assert socket_path() == "/nowhere/s"
