"""A two-socket Intel server whose powercap tree can be in every state of the source contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.fakes.machine import Machine
from tests.fakes.unprivileged import drop_dac, regain_dac
from tests.sources.world import SourceWorld
from tracker.sources.interface import Source, SourceContext
from tracker.sources.rapl import Options, RaplSource


class World(SourceWorld):
    def __init__(self, tmp_path: Path, monkeypatch: Any) -> None:
        super().__init__(tmp_path, monkeypatch)
        self.machine = Machine.xeon(tmp_path, psys=True, mmio=True)
        self.zones = self.machine.powercap.zones.values()

    def source(self) -> Source:
        return RaplSource(Options(), SourceContext(self.machine.roots, self.clock))

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.machine.advance(seconds)

    def absent(self) -> None:
        self.machine.powercap.unload()

    def denied(self) -> None:
        for zone in self.zones:
            zone.deny()
        drop_dac()

    def remove(self) -> None:
        self.machine.powercap.unload()

    def restore(self) -> None:
        regain_dac()
        self.machine.powercap.load()

    def garbage(self) -> None:
        for zone in self.zones:
            zone.garbage()

    def close(self) -> None:
        regain_dac()
        self.machine.close()
