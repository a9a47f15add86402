"""What is known about grids: one SQLite file, any number of writers and readers.

``FactorStore`` writes and reads. ``FactorReader`` only reads, creates nothing, and takes a file that is not there for a
store that knows nothing. Both answer the same questions (``Known``), each answer of one instant.

What a crash can cost. The file is in WAL mode with ``synchronous=NORMAL`` (https://www.sqlite.org/wal.html): ``kill
-9`` costs nothing that was committed, a power loss the last transactions, which can be read from the service again. A
file that is damaged, or belongs to another program, is renamed by the next writer and never overwritten.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tracker.core.factors import FactorRow
from tracker.core.forecast import Forecast
from tracker.grid.store_files import (
    STORE_FILE,
    Lock,
    Nature,
    StoreError,
    StoreUnavailable,
    forget_suspicion,
    give_to_owner_of_folder,
    is_damage,
    is_suspected,
    move_aside,
    read_nature,
    unavailable,
)
from tracker.grid.store_reader import Answer, FactorReader, Known, ProviderStatus, failure, refuse_newer
from tracker.grid.store_records import Appended, write_forecast, write_rows
from tracker.grid.store_rows import text
from tracker.grid.store_schema import APPLICATION_ID, SQLITE_NEEDED, VERSION, migrate
from tracker.migrations import version_of

__all__ = [
    "STORE_FILE",
    "Appended",
    "FactorReader",
    "FactorStore",
    "Known",
    "ProviderStatus",
    "StoreError",
    "StoreUnavailable",
]

_PATIENCE_S = 10.0  # another writer adds a month of hours in less than a second
_SETTINGS = (
    "PRAGMA synchronous = NORMAL",
    "PRAGMA journal_size_limit = 4194304",  # give back what a long addition made the log grow
    "PRAGMA foreign_keys = ON",
    "PRAGMA trusted_schema = OFF",
)
_PUT_STATUS = "INSERT OR REPLACE INTO provider_status VALUES (?, ?, ?, ?, ?, ?)"


class FactorStore(Known):
    """Writes and reads the store at ``path``; a context manager. Used by one thread at a time.

    ``set_aside``: the new path of a damaged or foreign file that ``open`` found, None: there was none. ``patience_s``:
    how long to wait for other writers.
    """

    def __init__(self, path: Path, wall_s: Callable[[], float] = time.time, patience_s: float = _PATIENCE_S) -> None:
        self.path = path
        self._patience_s = patience_s
        self.set_aside: Path | None = None
        self._wall_s = wall_s
        self._lock: Lock | None = None
        self._connection: sqlite3.Connection | None = None
        self._inode = 0

    def open(self) -> Self:
        """Open or create, bring the schema up to date. Raises StoreError."""
        if sqlite3.sqlite_version_info < SQLITE_NEEDED:
            raise StoreError(
                f"This Python has SQLite {sqlite3.sqlite_version}; the stored grid factors need 3.37 or newer.",
                "Use a newer Python or the container image.",
            )
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = Lock(self.path)
            self._lock.take(alone=False, within_s=self._patience_s)
            if not self._is_ready():
                self._lock.take(alone=True, within_s=self._patience_s)
                self._prepare()
                self._lock.take(alone=False, within_s=self._patience_s)
            self._connection = self._connect()
            self._inode = self.path.stat().st_ino
        except (OSError, sqlite3.Error) as error:
            self.close()
            raise unavailable(error, self.path) from error
        except BaseException:
            self.close()
            raise
        return self

    def _is_ready(self) -> bool:
        """Whether the file is a whole store with the schema of this version. Raises StoreError for a newer one."""
        if read_nature(self.path) is not Nature.STORE or is_suspected(self.path):
            return False
        try:
            connection = self._connect()
        except sqlite3.Error as error:
            if is_damage(error):
                return False
            raise
        try:
            version = version_of(connection)
        finally:
            connection.close()
        refuse_newer(version, self.path)
        return version == VERSION

    def _prepare(self) -> None:
        """Set aside what is no store, create, migrate. Nobody else has the file open."""
        if read_nature(self.path) is Nature.OTHER:
            self.set_aside = move_aside(self.path, self._wall_s())
        try:
            self._set_up()
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            self.set_aside = move_aside(self.path, self._wall_s())
            self._set_up()

    def _set_up(self) -> None:
        created = not self.path.exists()
        connection = sqlite3.connect(self.path, timeout=self._patience_s, isolation_level=None)
        try:
            version = version_of(connection)
            refuse_newer(version, self.path)
            if is_suspected(self.path):
                _look_for_damage(connection)
                forget_suspicion(self.path)
            if version == 0:
                # Before WAL mode, so that it stands in the file itself and not in the log.
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID:d}")
            if created:
                give_to_owner_of_folder(self.path)
            if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
                raise StoreError(
                    f"The file system of {self.path} has no shared memory (a network mount?).",
                    "Choose a local folder with --state-dir.",
                )
            migrate(connection)
        finally:
            connection.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=self._patience_s, isolation_level=None, check_same_thread=False)
        try:
            for setting in _SETTINGS:
                connection.execute(setting)
            connection.execute("SELECT 1 FROM sqlite_schema").fetchone()  # the first look at the file itself
        except BaseException:
            connection.close()
            raise
        return connection

    def append(self, rows: Iterable[FactorRow], recorded_at_s: int, *, from_elsewhere: bool = False) -> Appended:
        """Add what is news, all of it or nothing. ``recorded_at_s`` is now; a record never comes before the one that it
        supersedes. ``from_elsewhere``: the rows come out of a file that may be older than what is known here (see
        ``is_news_from_elsewhere``). Raises StoreError for a row that cannot be kept."""
        rows = tuple(rows)
        with self._writing() as connection:
            return write_rows(connection, rows, recorded_at_s, from_elsewhere=from_elsewhere)

    def append_forecast(self, forecast: Forecast, recorded_at_s: int) -> bool:
        """Add it; False: it is the newest one again. Forecasts of its kind that are a month older are removed."""
        with self._writing() as connection:
            return write_forecast(connection, forecast, recorded_at_s)

    def put_status(self, status: ProviderStatus) -> None:
        """In the place of the one before."""
        error = text(status.last_error), text(status.last_error_kind)
        row = (text(status.provider), status.failures, status.retry_at_s, status.last_ok_s, *error)
        with self._writing() as connection:
            connection.execute(_PUT_STATUS, row)

    def mark_read(self, provider: str, zone: str, job: str, at_s: int) -> None:
        """A job of the re-read schedule succeeded."""
        row = (*map(text, (provider, zone, job)), at_s)
        with self._writing() as connection:
            connection.execute("INSERT OR REPLACE INTO last_read VALUES (?, ?, ?, ?)", row)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it or nothing. Raises StoreError."""
        connection = self._opened()
        self._check_file()
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
        except BaseException as error:
            with suppress(sqlite3.Error):  # some errors have rolled back already
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            match error:
                case sqlite3.IntegrityError() | OverflowError() | sqlite3.InterfaceError() | sqlite3.ProgrammingError():
                    raise StoreError(f"The stored grid factors refused an addition: {error}.") from error
                case sqlite3.Error() | ValueError():
                    raise failure(error, self.path) from error
                case _:
                    raise

    def _ask(self, question: Callable[[sqlite3.Connection], Answer]) -> Answer:
        connection = self._opened()
        try:
            connection.execute("BEGIN")
            try:
                return question(connection)
            finally:
                connection.execute("ROLLBACK")
        except (sqlite3.Error, ValueError) as error:
            raise failure(error, self.path) from error

    def _check_file(self) -> None:
        """A file deleted or replaced meanwhile would take factors that nobody can read again."""
        try:
            same = self.path.stat().st_ino == self._inode
        except OSError:
            same = False
        if not same:
            raise StoreUnavailable(
                f"The stored grid factors {self.path} were removed or replaced while in use.", "Try again."
            )

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            raise StoreError(f"The stored grid factors {self.path} are not open.")
        return self._connection

    def close(self) -> None:
        """May be called twice; never raises. The last one that closes moves the log into the file (SQLite does)."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _look_for_damage(connection: sqlite3.Connection) -> None:
    """Raises sqlite3.DatabaseError with the code SQLITE_CORRUPT."""
    verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        damage = sqlite3.DatabaseError(str(verdict))
        damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise damage
