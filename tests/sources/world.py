"""The worlds that the source contract test walks every source of the registry through.

Each source brings `tests/sources/world_<name>.py` with a class `World(SourceWorld)` that can put its hardware, faked
at the lowest
boundary, into every state below.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from tracker.core.model import Moment
from tracker.sources.interface import Source


class ScriptedClock:
    """A clock that moves only when told."""

    def __init__(self) -> None:
        self.mono_ns = 1_000_000_000_000
        self.boot_ns = 1_000_000_000_000
        self.wall_ns = 1_790_000_000_000_000_000

    def __call__(self) -> Moment:
        return Moment(self.mono_ns, self.boot_ns, self.wall_ns)

    def advance(self, seconds: float) -> None:
        step_ns = round(seconds * 1e9)
        self.mono_ns += step_ns
        self.boot_ns += step_ns
        self.wall_ns += step_ns


class SourceWorld(ABC):
    """One kind of faked hardware. The constructor sets up a healthy one."""

    #: States this source cannot have, each with the reason (shown in the test's id): {"denied": "needs no permission"}
    not_applicable: dict[str, str] = {}  # noqa: RUF012 - read only, replaced by subclasses

    def __init__(self, tmp_path: Path, monkeypatch: Any) -> None:
        self.clock = ScriptedClock()

    @abstractmethod
    def source(self) -> Source:
        """A new source that looks at this world."""

    @abstractmethod
    def advance(self, seconds: float) -> None:
        """Let time pass: clocks and counters move."""

    @abstractmethod
    def absent(self) -> None:
        """The hardware is not there: open raises SourceAbsent."""

    @abstractmethod
    def denied(self) -> None:
        """It is there but must not be read: open raises SourceDenied or reads give Missing(permission)."""

    @abstractmethod
    def remove(self) -> None:
        """It goes away while it is being read: SourceFailed or Missing, never an invented number."""

    @abstractmethod
    def restore(self) -> None:
        """Healthy again after any of the above."""

    @abstractmethod
    def garbage(self) -> None:
        """It answers nonsense: Missing, never an invented number."""

    def close(self) -> None:  # noqa: B027 - optional
        """Undo what outlives the test."""
