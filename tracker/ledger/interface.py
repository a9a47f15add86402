"""The node's own book. Read this before any other file of this folder.

The ledger stores increments and the counter positions they reach in one transaction, so that a crash at any instant
loses nothing that was counted and counts nothing twice. One writer (the agent), any number of readers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field

from tracker.core.errors import WattledgerError
from tracker.core.model import Booking, Component, Cursor, GapReason, Method, Sensor, UnweighedEntry, Workload
from tracker.core.snapshot import Tally


class LedgerError(WattledgerError):
    """The family of ledger errors."""


class LedgerUnavailable(LedgerError):
    """Booking failed now (full disk, I/O error, locked) and may work later; nothing of the booking was applied."""


class LedgerRefused(WattledgerError):
    """The ledger must not be opened now: another daemon holds it, its schema is newer, the folder is not writable."""


@dataclass(frozen=True, slots=True)
class DeviceTotal:
    """A device as the ledger knows it."""

    sensor: Sensor
    method: Method
    energy_uj: int


@dataclass(frozen=True, slots=True)
class WorkloadTotals:
    """Committed totals of one workload (label set)."""

    workload: Workload
    tallies: tuple[Tally, ...] = ()
    emissions_ug: Mapping[str, int] = field(default_factory=dict)  # by basis
    units: Mapping[str, int] = field(default_factory=dict)  # reported by the workload itself


@dataclass(frozen=True, slots=True)
class Opening:
    """What a restarting agent needs. ``booked_until_ms`` None: an empty ledger."""

    cursors: Mapping[str, Cursor] = field(default_factory=dict)
    devices: Mapping[str, DeviceTotal] = field(default_factory=dict)
    gaps: Mapping[tuple[str, GapReason], int] = field(default_factory=dict)  # (device, reason) -> ms
    booked_until_ms: int | None = None
    meta: Mapping[str, str] = field(default_factory=dict)
    total_energy_uj: int = 0  # sum of all device energy booked
    charged_energy_uj: int = 0  # sum of all workload energy booked: equal, or the ledger is broken
    waiting: Mapping[str, tuple[int, ...]] = field(default_factory=dict)  # basis -> starts of hours with such energy


@dataclass(frozen=True, slots=True)
class DayRow:
    """A workload's sum over a range of slots, for the node page."""

    workload: Workload
    component: Component
    energy_uj: int
    idle_uj: int
    held_ms: int
    emissions_ug: int | None  # location basis, all components together on each row's workload; None: no factor


class Ledger(ABC):
    """A durable, append-only book of energy."""

    @abstractmethod
    def open(self) -> Opening:
        """Open or create for writing, migrate, lock. Raises LedgerRefused, or LedgerUnavailable (full disk)."""

    @abstractmethod
    def book(self, booking: Booking) -> None:
        """Apply all of it or nothing. Raises LedgerUnavailable; a plain LedgerError means that the booking is wrong."""

    @abstractmethod
    def label_sets(self, key: str) -> tuple[Workload, ...]:
        """Every label set under which this work was booked. Raises LedgerUnavailable."""

    @abstractmethod
    def totals_of(self, workload: Workload) -> WorkloadTotals:
        """Committed totals of a workload, zero if it was never seen. Raises LedgerUnavailable."""

    @abstractmethod
    def unweighed(self, slot_start_s: int, basis: str) -> tuple[UnweighedEntry, ...]:
        """Energy of a slot that waits for a factor of this basis, by workload. Raises LedgerUnavailable."""

    @abstractmethod
    def size_bytes(self) -> int:
        """Bytes on disk, write-ahead log included."""

    @abstractmethod
    def close(self) -> None:
        """Checkpoint and release the lock. Never raises."""


class LedgerReader(ABC):
    """Read-only questions, safe from any thread and beside a running daemon."""

    @abstractmethod
    def day(self, start_s: int, end_s: int) -> tuple[DayRow, ...]:
        """Energy and emissions by workload and component for slots in [start_s, end_s), largest energy first.

        Raises LedgerUnavailable.
        """
