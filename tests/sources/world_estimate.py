"""A virtual machine whose /proc can be in every state of the source contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.fakes.machine import Machine
from tests.fakes.unprivileged import drop_dac, regain_dac
from tests.sources.world import SourceWorld
from tracker.sources.estimate import EstimateSource, Options
from tracker.sources.interface import Source, SourceContext


class World(SourceWorld):
    def __init__(self, tmp_path: Path, monkeypatch: Any) -> None:
        super().__init__(tmp_path, monkeypatch)
        self.machine = Machine.vm(tmp_path)
        self.files = [self.machine.procfs / name for name in ("stat", "meminfo")]

    def source(self) -> Source:
        return EstimateSource(Options(), SourceContext(self.machine.roots, self.clock, cpu_tdp_mw=360_000))

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.machine.advance(seconds)

    def absent(self) -> None:
        self.machine.writes_stat = False
        for file in self.files:
            file.unlink()

    def denied(self) -> None:
        self.machine.writes_stat = False
        for file in self.files:
            file.chmod(0)
        drop_dac()

    def remove(self) -> None:
        self.absent()

    def restore(self) -> None:
        regain_dac()
        for file in self.files:
            file.unlink(missing_ok=True)
        self.machine.writes_stat = True
        self.machine.write_proc()

    def garbage(self) -> None:
        self.machine.writes_stat = False
        for file in self.files:
            file.write_text("out of cheese\n", encoding="ascii")

    def close(self) -> None:
        regain_dac()
        self.machine.close()
