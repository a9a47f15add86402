"""The ledger of a node: one SQLite file, one writer.

What a crash can cost. The file is in WAL mode with ``synchronous=NORMAL`` (https://www.sqlite.org/wal.html,
https://www.sqlite.org/pragma.html#pragma_synchronous):

- ``kill -9``: nothing. A committed transaction is in the write-ahead log, that is in the kernel's page cache; an
  unfinished one is ignored because its last frame carries no commit mark.
- Power loss or a kernel crash: the bookings since the last checkpoint, which is made when a slot closes, so five
  minutes. Nothing is corrupted: frames carry checksums, the log is synced before the database is written, and the
  database is synced before the log is used anew. Entries and cursors go together, and the boot id in the cursor says
  that this was another boot.
- A disk that lies about syncing, or decays, can damage the file. Then ``open`` sets it aside.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tracker.core.model import Booking, UnweighedEntry, Workload
from tracker.core.units import SLOT_MS
from tracker.ledger.booking import why_refused, write
from tracker.ledger.damage import forget_suspicion, look_for_damage, suspect
from tracker.ledger.failures import is_damage, refused, unavailable
from tracker.ledger.files import (
    Nature,
    check_access,
    make_folder,
    move_aside,
    read_nature,
    refusal,
    size_of,
    take_lock,
)
from tracker.ledger.interface import Ledger, LedgerError, LedgerRefused, LedgerUnavailable, Opening, WorkloadTotals
from tracker.ledger.numbers import Numbers
from tracker.ledger.opening import read_label_sets, read_opening, read_totals, read_unweighed
from tracker.ledger.schema import APPLICATION_ID, SQLITE_NEEDED, VERSION, migrate
from tracker.migrations import version_of

_BUSY_TIMEOUT_S = 0.5  # another program that writes may hold up the agent this long, not longer
_SETTINGS = (
    "PRAGMA synchronous = NORMAL",
    "PRAGMA wal_autocheckpoint = 4000",  # 16 MB: a backstop, slots close long before
    "PRAGMA journal_size_limit = 4194304",  # give back what a long read made the log grow
    "PRAGMA cache_size = -1024",  # KiB; the open slot and the live totals fit
    "PRAGMA foreign_keys = ON",
    "PRAGMA trusted_schema = OFF",
)


class SqliteLedger(Ledger):
    """Used by one thread at a time. ``set_aside``: the new name of a damaged or foreign file that ``open`` found."""

    def __init__(self, path: Path, wall_s: Callable[[], float] = time.time) -> None:
        self.path = path
        self.set_aside: str | None = None
        self._wall_s = wall_s
        self._lock_fd = -1
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        self._numbers = Numbers()

    def open(self) -> Opening:
        """Open or create, lock, migrate. Raises LedgerRefused; LedgerUnavailable on a full or failing disk."""
        if sqlite3.sqlite_version_info < SQLITE_NEEDED:
            raise LedgerRefused(
                f"This Python has SQLite {sqlite3.sqlite_version}; the ledger needs 3.37 or newer.",
                "Use a newer Python or the container image.",
            )
        make_folder(self.path.parent)
        self._lock_fd = take_lock(self.path)
        try:
            return self._open_file()
        except BaseException:
            self._release()
            raise

    def _open_file(self) -> Opening:
        check_access(self.path)
        try:
            nature = read_nature(self.path)
        except OSError as error:
            raise refusal(self.path, error) from error
        if nature is Nature.OTHER:
            self._put_aside()
        try:
            return self._connect()
        except sqlite3.Error as error:
            if not is_damage(error):
                raise refused(error, self.path) from error
        self._disconnect()
        self._put_aside()
        try:
            return self._connect()
        except sqlite3.Error as error:
            raise refused(error, self.path) from error

    def _put_aside(self) -> None:
        self.set_aside = move_aside(self.path, self._wall_s())
        forget_suspicion(self.path)

    def _connect(self) -> Opening:
        connection = self._connection = sqlite3.connect(
            self.path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        version = version_of(connection)
        if version > VERSION:
            raise LedgerRefused(
                f"The ledger {self.path} has schema {version}; this wattledger knows schemas up to {VERSION}.",
                "Upgrade wattledger, or choose another folder with --state-dir.",
            )
        if version == 0:
            # Before WAL mode, so that it stands in the file itself and not in the log.
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID:d}")
        if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
            raise LedgerRefused(
                f"The file system of {self.path} has no shared memory (a network mount?).",
                "Choose a local folder with --state-dir.",
            )
        for setting in _SETTINGS:
            connection.execute(setting)
        if version > 0:
            look_for_damage(connection, self.path)
        migrate(connection)
        self._inode = self.path.stat().st_ino
        return read_opening(connection)

    def book(self, booking: Booking) -> None:
        """Apply all of it or nothing. Raises LedgerUnavailable when the disk or a lock is in the way: try again later;
        LedgerError for a booking that must never be made (closed slot, unknown device, negative energy)."""
        connection = self._opened()
        self._check_file()
        try:
            connection.execute("BEGIN IMMEDIATE")
            before_ms = write(connection, self._numbers, booking)
            connection.execute("COMMIT")
        except BaseException as error:
            self._undo(connection)
            match error:
                case sqlite3.IntegrityError():
                    raise LedgerError(f"The ledger refused a booking: {why_refused(booking)} ({error}).") from error
                case OverflowError() | sqlite3.InterfaceError() | sqlite3.ProgrammingError():
                    raise LedgerError(f"The ledger refused a booking: {error}.") from error
                case sqlite3.Error():
                    raise self._failure(error) from error
                case _:
                    raise
        if before_ms is not None and booking.booked_until_ms // SLOT_MS != before_ms // SLOT_MS:
            self._checkpoint("PASSIVE")

    def _undo(self, connection: sqlite3.Connection) -> None:
        self._numbers.forget()
        with suppress(sqlite3.Error):  # some errors have rolled back already
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _check_file(self) -> None:
        """A file deleted or replaced under a running daemon would take bookings nobody can read again."""
        try:
            same = self.path.stat().st_ino == self._inode
        except OSError:
            same = False
        if not same:
            raise LedgerUnavailable(
                f"The ledger {self.path} was removed or replaced while in use.", "Put it back, or restart wattledger."
            )

    def _failure(self, error: sqlite3.Error) -> LedgerUnavailable:
        if is_damage(error):
            suspect(self.path)
        return unavailable(error, self.path)

    def _checkpoint(self, mode: str) -> None:
        """Move the log into the database and sync both. A failure costs nothing yet: the log keeps everything."""
        with suppress(sqlite3.Error):
            self._opened().execute(f"PRAGMA wal_checkpoint({mode})")

    def label_sets(self, key: str) -> tuple[Workload, ...]:
        try:
            return read_label_sets(self._opened(), key)
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def totals_of(self, workload: Workload) -> WorkloadTotals:
        try:
            return read_totals(self._opened(), workload)
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def unweighed(self, slot_start_s: int, basis: str) -> tuple[UnweighedEntry, ...]:
        try:
            return read_unweighed(self._opened(), slot_start_s, basis)
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def size_bytes(self) -> int:
        return size_of(self.path)

    def close(self) -> None:
        """Mark the end as clean, checkpoint, release the lock. May be called twice; never raises."""
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.execute("UPDATE head SET clean = 1")
            self._checkpoint("TRUNCATE")
        self._release()

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            raise LedgerError(f"The ledger {self.path} is not open.")
        return self._connection

    def _disconnect(self) -> None:
        self._numbers.forget()
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def _release(self) -> None:
        self._disconnect()
        fd, self._lock_fd = self._lock_fd, -1
        if fd >= 0:
            os.close(fd)
