"""What a source of joules is. Read this before any other file of this folder.

Rules of the folder:
- one file per thing that is read, named after it; its docstring names the kernel file or vendor page;
- reading and parsing are two functions, the parser takes text;
- roots, clocks and periods are parameters; nothing here opens ``/sys`` by a literal path;
- an absent reading is a ``Missing`` with a reason, never a zero (P3);
- one broken device never takes its neighbours down.

Every source runs alone in its own thread (``background.py``), so ``read`` may block or hang without hurting anything
else.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from tracker.core.errors import WattledgerError
from tracker.core.model import DeviceUse, Finding, GapReason, Missing, Moment, Reading, Sensor
from tracker.core.snapshot import SourceState
from tracker.sysfs import Roots


class SourceError(WattledgerError):
    """The family of errors a source may raise from ``open`` and ``read``."""


class SourceAbsent(SourceError):
    """There is no such hardware, driver or file here. Expected; not retried faster than once a minute."""


class SourceDenied(SourceError):
    """It is here but this process may not read it. ``remedy`` names the permission, capability, mount or driver."""


class SourceFailed(SourceError):
    """It failed now and may work later (driver reload, I/O error). The caller closes, backs off and opens again."""

    #: Only a new process can read it again: the driver was upgraded under the library that this one has loaded.
    needs_restart = False


@dataclass(frozen=True, slots=True)
class Batch:
    """What one ``read`` brings.

    ``sensors`` is the whole inventory when it is new or has changed since the last batch, else None.
    ``uses`` says who is on each device when that was asked for in this read (slower pace), else None.
    """

    readings: tuple[Reading, ...] = ()
    missing: tuple[Missing, ...] = ()
    sensors: tuple[Sensor, ...] | None = None
    uses: tuple[DeviceUse, ...] | None = None


#: Returns the current instant on the three clocks; ``tracker.clock.now`` in production, a script in tests.
Clock = Callable[[], Moment]


class Feed(ABC):
    """A source that runs in its own thread, as the agent sees it. Nothing here blocks."""

    name: str
    period_ns: int

    @abstractmethod
    def drain(self) -> list[Batch]:
        """The batches since the last call, oldest first."""

    @abstractmethod
    def trouble(self, now: Moment) -> GapReason | None:
        """Why nothing comes, if the source as a whole does not answer now."""

    @abstractmethod
    def state(self, now: Moment) -> SourceState | None:
        """Its health; None: there is no such hardware here and nobody asked for it."""

    @abstractmethod
    def reported(self) -> bool:
        """Whether the first read has ended, well or not."""

    def rest(self, *, resting: bool) -> None:  # noqa: B027 - a hook
        """Read rarely while nothing of this source is booked."""


@dataclass(frozen=True, slots=True)
class SourceContext:
    """What every source is given besides its own options."""

    roots: Roots
    clock: Clock
    cpu_tdp_mw: int | None = None  # of one package, from codecarbon's CPU database; None: not known


class Source(ABC):
    """One kind of sensor. Life: ``open`` -> ``read`` ... -> ``close``; ``close`` may be called twice and in any
    state."""

    name: ClassVar[str]
    #: Seconds between two reads.
    period_s: float = 1.0

    @abstractmethod
    def __init__(self, options: Any, context: SourceContext) -> None:
        """Remember, touch nothing. ``options`` is the ``Options`` struct of the source's own file."""

    @abstractmethod
    def open(self) -> None:
        """Find the hardware. Raises SourceAbsent, SourceDenied or SourceFailed."""

    @abstractmethod
    def read(self) -> Batch:
        """Read every sensor once. The first batch after ``open`` carries the inventory. Raises SourceFailed."""

    @abstractmethod
    def close(self) -> None:
        """Let go of files and drivers. Never raises."""

    def toggle_release(self) -> None:  # noqa: B027 - a hook: most sources keep no driver busy
        """Let go of the driver so that the hardware can be reset, or take it up again. Called from another thread.

        Nothing to do for sources that do not keep a driver busy.
        """

    @abstractmethod
    def check(self) -> tuple[Finding, ...]:
        """What can be measured here and the exact step that would mend what cannot. Works opened or not; never
        raises."""
