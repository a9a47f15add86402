"""From nvmlInit to nvmlShutdown: the driver, the GPUs it showed, and when to look at them again.

Everything the driver answers about itself becomes one of the errors a source may raise; nothing of NVML leaves here.
"""

from __future__ import annotations

from pathlib import Path

from tracker.core.model import DeviceUse, Missing, Reading
from tracker.sources.interface import Clock, SourceError, SourceFailed
from tracker.sources.nvml_check import nothing_opened, refusal
from tracker.sources.nvml_codes import answer_of
from tracker.sources.nvml_driver import Driver, NvmlError
from tracker.sources.nvml_inventory import FATAL, Inventory
from tracker.sources.nvml_pace import Due
from tracker.sources.nvml_processes import Watch, look
from tracker.sources.nvml_reading import read_gpu
from tracker.sysfs import Roots

#: A stale handle asks for an enumeration at once, but no more often than this.
_DEMAND_S = 5.0


class Session:
    """Opened and closed any number of times. GPUs once seen stay known: one that does not come back is a gap."""

    def __init__(self, clock: Clock, roots: Roots, dev: Path, inventory_period_s: float) -> None:
        self.inventory = Inventory()
        self.version = ""
        self._clock, self._roots, self._dev = clock, roots, dev
        self._inventory_period_s = inventory_period_s
        self._driver = Driver()
        self._watch = Watch()
        self._enumeration_due, self._demand_due = Due(inventory_period_s), Due(_DEMAND_S)

    @property
    def opened(self) -> bool:
        return self._driver.opened

    def open(self) -> None:
        """Begin, and enumerate. Raises SourceAbsent, SourceDenied or SourceFailed, with the driver let go of."""
        self.close()  # sessions are counted: a second one would keep the driver busy after ``close``
        boot_ns = self._clock().boot_ns
        self._enumeration_due, self._demand_due = Due(self._inventory_period_s), Due(_DEMAND_S)
        self._enumeration_due.now(boot_ns)
        try:
            self._driver.open()
            self.version = self._driver.version()
            self.inventory.refresh(self._driver, boot_ns, anew=True)
        except NvmlError as error:
            self.close()
            raise refusal(error.code, self._roots, self._dev) from error
        if all(gpu.handle is None for gpu in self.inventory.gpus.values()):
            self.close()
            raise nothing_opened(self.inventory, self._dev)

    def close(self) -> None:
        """Let go of the driver: as far as this process goes, a GPU can be reset now. May be called in any state."""
        self._driver.close()
        self.inventory.drop_handles()

    def read(self, boot_ns: int, period_ns: int) -> list[Reading | Missing]:
        """Energy and power of every GPU; enumerates first when that is due. Raises SourceFailed when void."""
        try:
            self._enumerate(boot_ns, period_ns // 2)
            return [
                read_gpu(self._driver, gpu, self._clock, period_ns // 2, self.version)
                for gpu in self.inventory.gpus.values()
                if gpu.sensor is not None
            ]
        except NvmlError as error:
            raise as_failed(refusal(error.code, self._roots, self._dev)) from error

    def look(self) -> tuple[DeviceUse, ...]:
        """Who is on each GPU, where that can be told."""
        uses = (
            look(self._driver, gpu, self._watch, self._clock()) for gpu in self.inventory.gpus.values() if gpu.sensor
        )
        return tuple(use for use in uses if use is not None)

    def _enumerate(self, boot_ns: int, slack_ns: int) -> None:
        """Look the GPUs up anew: on a timer, or because one of them needs a handle and has rested."""
        if not self._enumeration_due.now(boot_ns, slack_ns):
            wanted = any(gpu.wants_handle(boot_ns) for gpu in self.inventory.gpus.values())
            if not (wanted and self._demand_due.now(boot_ns)):
                return
        try:
            self.inventory.refresh(self._driver, boot_ns)
        except NvmlError as error:
            if answer_of(error.code).reaction in FATAL:
                raise


def as_failed(error: SourceError) -> SourceFailed:
    """The same for callers of ``read``, who know SourceFailed only: they close, and ``open`` tells more."""
    return error if isinstance(error, SourceFailed) else SourceFailed(error.sentence, error.remedy)
