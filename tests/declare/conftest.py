"""A small daemon per test, and a client that has not spoken yet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.declare.daemon import SmallDaemon
from tracker.declare import run as client
from tracker.declare.wire import ENV_SOCKET


@pytest.fixture(autouse=True)
def fresh_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The client in this process speaks to ``declare.sock`` in the test's folder, whether a daemon is there or not."""
    monkeypatch.setenv(ENV_SOCKET, str(tmp_path / "declare.sock"))
    monkeypatch.chdir(tmp_path)
    yield
    for run in reversed(client._active[:]):
        run.end()
    client._attached.clear()
    client._link.states.clear()
    client._link._lost()
    client._link._reset()
    client._link._warned.clear()


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[SmallDaemon]:
    with SmallDaemon(tmp_path) as daemon:
        yield daemon
