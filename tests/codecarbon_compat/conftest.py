"""The same small daemon, and a home folder without codecarbon's file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.declare.conftest import daemon, fresh_client
from tracker.codecarbon_compat import tracker as module

__all__ = ["daemon", "fresh_client"]


@pytest.fixture(autouse=True)
def clean_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    module._warned.clear()
    yield
    module._warned.clear()
