"""NVIDIA GPUs through NVML (nvml.h): the total-energy counter, power beside it, and who is on each GPU.

The pieces: ``nvml_codes`` what an answer means, ``nvml_driver`` the calls, ``nvml_inventory`` which GPUs there are,
``nvml_mig`` their partitions, ``nvml_reading`` one reading, ``nvml_processes`` who is on them, ``nvml_session`` all of
that from init to shutdown, ``nvml_check`` what is missing and how to mend it.

Pace, because every call takes the driver's lock away from the workload: energy and power once a second, processes every
10 s, enumeration every 60 s, what never changes once.

Threads: the source's own thread calls ``open`` and ``read``, where a driver call may hang for ever. ``toggle_release``,
``check`` of an opened source, and ``close`` may be called from another one at any time and never wait for it.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Annotated

import msgspec

from tracker.core.model import Finding, GapReason, Level, Missing, Moment, Reading, Sensor
from tracker.core.units import NS_PER_S
from tracker.sources.interface import Batch, Source, SourceContext, SourceError, SourceFailed
from tracker.sources.nvml_check import SUBJECT, SourceNeedsRestart, findings, refused
from tracker.sources.nvml_pace import Due
from tracker.sources.nvml_session import Session, as_failed

__all__ = ["NvmlSource", "Options", "SourceNeedsRestart"]

Seconds = Annotated[float, msgspec.Meta(ge=0.1, le=86_400)]


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[sources] nvml = {}``."""

    period_s: Seconds = 1.0  # between two reads of energy and power
    process_period_s: Seconds = 10.0  # between two looks at the processes
    inventory_period_s: Seconds = 60.0  # between two enumerations
    release_s: Seconds = 300.0  # the driver is taken up again by itself so long after a release
    dev: str = "/dev"  # where the nvidia device nodes are, for ``check``


class NvmlSource(Source):
    """All NVIDIA GPUs of the node."""

    name = "nvml"

    def __init__(self, options: Options, context: SourceContext) -> None:
        self._options, self._context = options, context
        self.period_s = options.period_s
        self._period_ns = round(options.period_s * NS_PER_S)
        self._session = Session(context.clock, context.roots, Path(options.dev), options.inventory_period_s)
        self._look_due = Due(options.process_period_s)
        self._announced: tuple[Sensor, ...] | None = None
        self._opened = False
        self._busy = threading.Lock()  # held while a call is in the driver, perhaps for ever
        self._close_wanted = threading.Event()
        self._release_wanted = threading.Event()
        self._released_ns: int | None = None  # boot time at which the driver was let go of

    def open(self) -> None:
        self._enter()
        try:
            self._close_wanted.clear()
            self._announced = None
            self._look_due = Due(self._options.process_period_s)
            if not self.released:
                self._session.open()
            self._opened = True
        finally:
            self._leave()

    def read(self) -> Batch:
        self._enter()
        try:
            now = self._context.clock()
            if self._stays_released(now):
                return self._released_batch(now)
            if self._released_ns is not None:
                self._take_up_again()
            return self._read(now)
        finally:
            self._leave()

    def close(self) -> None:
        self._opened = False
        self._close_wanted.set()
        if self._busy.acquire(blocking=False):
            self._leave()
        # else: a call is in the driver; it lets go when it returns, if it ever does

    def check(self) -> tuple[Finding, ...]:
        if self.released:
            message = "The driver is released on request; nothing is measured."
            return (Finding(Level.WARN, SUBJECT, message, "Send SIGUSR1 again to take it up."),)
        if self._opened:
            return findings(self._session.inventory, self._session.version)
        probe = NvmlSource(self._options, self._context)  # sessions are counted (nvml.h): its own one disturbs nobody
        try:
            probe.open()
            probe.read()
            return probe.check()
        except SourceError as error:
            return refused(error)
        finally:
            probe.close()

    # letting go of the driver, so that a GPU can be reset (an open client forbids it)

    def release(self) -> None:
        """Let go of the driver at the next read. Until ``resume``, or for ``release_s``, every reading is missing."""
        self._release_wanted.set()

    def resume(self) -> None:
        """Take the driver up again at the next read."""
        self._release_wanted.clear()

    def toggle_release(self) -> None:
        if self.released:
            self.resume()
        else:
            self.release()

    @property
    def released(self) -> bool:
        """Whether it was asked to let go and has not taken up again."""
        return self._release_wanted.is_set()

    def _stays_released(self, now: Moment) -> bool:
        if not self.released:
            return False
        if self._released_ns is None:
            self._session.close()
            self._released_ns = now.boot_ns
        if now.boot_ns - self._released_ns < round(self._options.release_s * NS_PER_S):
            return True
        self.resume()
        return False

    def _released_batch(self, now: Moment) -> Batch:
        detail = "the driver was released on request"
        sensors = self._session.inventory.sensors()
        missing = tuple(Missing(sensor.key, now.boot_ns, GapReason.RELEASED, detail) for sensor in sensors)
        return Batch(missing=missing, sensors=self._news(sensors))

    def _take_up_again(self) -> None:
        try:
            self._session.open()
        except SourceError as error:
            raise as_failed(error) from error
        self._released_ns = None
        self._look_due = Due(self._options.process_period_s)

    # one read

    def _enter(self) -> None:
        if not self._busy.acquire(blocking=False):
            raise SourceFailed("An earlier call of the NVIDIA driver still hangs.", "Reset the GPU or reboot the node.")

    def _leave(self) -> None:
        if self._close_wanted.is_set():
            self._session.close()
            self._released_ns = None
        self._busy.release()
        # ``close`` may have come between the question and the release.
        if self._close_wanted.is_set() and self._session.opened and self._busy.acquire(blocking=False):
            self._leave()

    def _read(self, now: Moment) -> Batch:
        found = self._session.read(now.boot_ns, self._period_ns)
        readings = tuple(one for one in found if isinstance(one, Reading))
        missing = tuple(one for one in found if isinstance(one, Missing)) if len(readings) < len(found) else ()
        uses = self._session.look() if self._look_due.now(now.boot_ns, self._period_ns // 2) else None
        return Batch(readings, missing, self._news(self._session.inventory.sensors()), uses)

    def _news(self, sensors: tuple[Sensor, ...]) -> tuple[Sensor, ...] | None:
        """The inventory, if it is another one than the last batch brought."""
        if sensors == self._announced:
            return None
        self._announced = sensors
        return sensors
