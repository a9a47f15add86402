"""Asking the factor store: never creates a file, never blocks a writer (see ``tracker/readonly.py``)."""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from tracker import readonly
from tracker.core.forecast import Forecast
from tracker.core.known import FactorRecord
from tracker.grid.store_files import (
    Nature,
    StoreError,
    StoreUnavailable,
    is_damage,
    read_nature,
    suspect,
    unavailable,
)
from tracker.grid.store_records import read_forecasts, read_history, read_records, read_yearly, read_zones
from tracker.grid.store_rows import text
from tracker.grid.store_schema import VERSION, migrate
from tracker.migrations import version_of

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class ProviderStatus:
    """How a service is doing. ``failures`` in a row; it is not asked before ``retry_at_s``. Times are UTC seconds."""

    provider: str
    failures: int = 0
    retry_at_s: int = 0
    last_ok_s: int | None = None
    last_error: str = ""
    last_error_kind: str = ""


_STATUSES = "SELECT provider, failures, retry_at_s, last_ok_s, last_error, last_error_kind FROM provider_status"


class Known(ABC):
    """What may be asked of a store. Every question raises StoreError."""

    @abstractmethod
    def _ask(self, question: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """Ask within one read transaction."""

    def records(
        self, zones: Collection[str], start_s: int, end_s: int, as_of_s: int | None = None
    ) -> tuple[FactorRecord, ...]:
        """The best known record of every factor of these zones whose interval meets [start_s, end_s), by interval, with
        those that are undated; ``as_of_s``: as it was known then."""
        return self._ask(lambda connection: read_records(connection, zones, start_s, end_s, as_of_s))

    def yearly(self, zones: Collection[str], as_of_s: int | None = None) -> tuple[FactorRecord, ...]:
        """The best known record of every yearly factor of these zones, of whatever year it is: tables that somebody
        imported, which stand beside those that ship."""
        return self._ask(lambda connection: read_yearly(connection, zones, as_of_s))

    def history(self, factor_id: str) -> tuple[FactorRecord, ...]:
        """Every record of a factor, the first one first."""
        return self._ask(lambda connection: read_history(connection, factor_id))

    def zones(self) -> tuple[str, ...]:
        """The zones that have records."""
        return self._ask(read_zones)

    def forecasts(self, zone: str, as_of_s: int | None = None) -> tuple[Forecast, ...]:
        """The newest forecast of each provider, scheme and factor type."""
        return self._ask(lambda connection: read_forecasts(connection, zone, as_of_s))

    def status(self, provider: str) -> ProviderStatus:
        """That of a provider that was never asked is all zero."""
        sql = f"{_STATUSES} WHERE provider = ?"
        found = self._ask(lambda connection: connection.execute(sql, (text(provider),)).fetchone())
        return ProviderStatus(provider) if found is None else ProviderStatus(*found)

    def statuses(self) -> tuple[ProviderStatus, ...]:
        """Of every provider that was ever asked, by name."""
        sql = f"{_STATUSES} ORDER BY provider"
        return tuple(ProviderStatus(*row) for row in self._ask(lambda connection: connection.execute(sql).fetchall()))

    def last_read(self, provider: str, zone: str, job: str) -> int | None:
        """When a job of the re-read schedule last succeeded; None: never."""
        sql, key = "SELECT at_s FROM last_read WHERE provider = ? AND zone = ? AND job = ?", (provider, zone, job)
        found = self._ask(lambda connection: connection.execute(sql, tuple(map(text, key))).fetchone())
        return None if found is None else int(found[0])


class FactorReader(Known):
    """Reads the store at ``path``. Holds nothing open: any thread may ask at any time."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is open."""

    def _ask(self, question: Callable[[sqlite3.Connection], Answer]) -> Answer:
        if not self._is_there():
            return ask_nothing(question)
        try:
            return readonly.ask(self.path, lambda connection: self._of_any_version(connection, question))
        except (sqlite3.Error, ValueError) as error:
            if not self._is_there():
                return ask_nothing(question)
            raise failure(error, self.path) from error
        except readonly.KeptChangingError as error:
            raise StoreUnavailable(
                f"The stored grid factors {self.path} kept changing while they were read.", "Try again."
            ) from error

    def _of_any_version(
        self, connection: sqlite3.Connection, question: Callable[[sqlite3.Connection], Answer]
    ) -> Answer:
        """An older schema lacks indexes only (``store_schema`` rule 5): there may be nobody who writes."""
        version = version_of(connection)
        refuse_newer(version, self.path)
        return question(connection) if version else ask_nothing(question)

    def _is_there(self) -> bool:
        try:
            nature = read_nature(self.path)
        except OSError as error:
            raise unavailable(error, self.path) from error
        if nature is Nature.OTHER:
            raise StoreError(
                f"{self.path} holds no grid factors of wattledger.",
                "The next wattledger grid fetch sets it aside under another name and begins a new one.",
            )
        return nature is Nature.STORE


def ask_nothing(question: Callable[[sqlite3.Connection], Answer]) -> Answer:
    """What a store says that knows nothing."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        migrate(connection)
        return question(connection)
    finally:
        connection.close()


def refuse_newer(version: int, path: Path) -> None:
    """Raises StoreError."""
    if version > VERSION:
        raise StoreError(
            f"The stored grid factors {path} have schema {version}; this wattledger knows schemas up to {VERSION}.",
            "Upgrade wattledger.",
        )


def failure(error: sqlite3.Error | ValueError, path: Path) -> StoreError:
    """What to tell a user. Damage is remembered for the next writer, which sets the file aside."""
    if not isinstance(error, sqlite3.Error):
        return StoreError(f"The stored grid factors {path} hold something unknown: {error}.", "Upgrade wattledger.")
    if is_damage(error):
        suspect(path)
    return unavailable(error, path)
