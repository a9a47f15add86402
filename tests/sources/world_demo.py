"""The world of the simulated node: it is always healthy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.sources.world import SourceWorld
from tracker.sources.demo import DemoSource, Options
from tracker.sources.interface import SourceContext
from tracker.sysfs import Roots

_NO_HARDWARE = "it reads no hardware, file or driver"


class World(SourceWorld):
    """Only time passes here."""

    not_applicable = {  # noqa: RUF012 - read only
        "absent": _NO_HARDWARE,
        "denied": _NO_HARDWARE,
        "remove": _NO_HARDWARE,
        "garbage": _NO_HARDWARE,
    }

    def __init__(self, tmp_path: Path, monkeypatch: Any) -> None:
        super().__init__(tmp_path, monkeypatch)
        self._roots = Roots(tmp_path / "sys", tmp_path / "proc")

    def source(self) -> DemoSource:
        return DemoSource(Options(), SourceContext(self._roots, self.clock))

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def absent(self) -> None:
        raise NotImplementedError(_NO_HARDWARE)

    def denied(self) -> None:
        raise NotImplementedError(_NO_HARDWARE)

    def remove(self) -> None:
        raise NotImplementedError(_NO_HARDWARE)

    def restore(self) -> None:
        """Nothing was broken."""

    def garbage(self) -> None:
        raise NotImplementedError(_NO_HARDWARE)
