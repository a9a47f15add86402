"""The store's files: what a header says, moving a bad file aside, the lock that keeps others out meanwhile.

Beside ``factors.db`` lie ``-wal`` and ``-shm`` (SQLite's write-ahead log and its index), ``.lock``, and ``.suspect``
after damage was met.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from contextlib import suppress
from enum import Enum
from pathlib import Path

from tracker.core.errors import WattledgerError
from tracker.grid.store_schema import APPLICATION_ID

#: The conventional name inside a state directory.
STORE_FILE = "factors.db"
_MAGIC = b"SQLite format 3\x00"  # https://www.sqlite.org/fileformat2.html
_HEADER_BYTES = 100


class StoreError(WattledgerError):
    """The store does not do this, neither now nor later."""


class StoreUnavailable(StoreError):
    """The disk, a lock or a damaged file is in the way."""


class Nature(Enum):
    """What lies at the store's path."""

    ABSENT = "absent"  # nothing, or an empty file from a start that was cut short
    STORE = "store"
    OTHER = "other"  # no SQLite file, or one that belongs to another program


def read_nature(path: Path) -> Nature:
    """Look at the header without opening the file as a database (that could change a foreign one). Raises OSError."""
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
    except FileNotFoundError:
        # A write-ahead log without its database is what is left of a deleted store: SQLite would delete it.
        return Nature.OTHER if beside(path, "-wal").exists() else Nature.ABSENT
    if not header:
        return Nature.ABSENT
    ours = header.startswith(_MAGIC) and header[68:72] == APPLICATION_ID.to_bytes(4, "big")
    return Nature.STORE if ours and len(header) == _HEADER_BYTES else Nature.OTHER


def beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


class Lock:
    """Writers share it; who creates, migrates or sets aside has it alone. flock(2): the kernel frees it with the
    process, however that ends."""

    def __init__(self, path: Path) -> None:
        self._file = beside(path, ".lock")
        self._fd = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        give_to_owner_of_folder(self._file)

    def take(self, *, alone: bool, within_s: float) -> None:
        """Raises StoreUnavailable when others hold it for longer than that."""
        kind = (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB
        deadline = time.monotonic() + within_s
        while True:
            try:
                fcntl.flock(self._fd, kind)
            except BlockingIOError as error:
                if time.monotonic() >= deadline:
                    raise StoreUnavailable(
                        f"Another wattledger uses the factors in {self._file.parent}, and they have to be set up anew.",
                        "Try again when it has ended.",
                    ) from error
                time.sleep(0.02)
            else:
                return

    def release(self) -> None:
        os.close(self._fd)


def give_to_owner_of_folder(file: Path) -> None:
    """What root creates belongs to the user of the folder, who could not open it otherwise (SQLite does the same with
    its -wal and -shm)."""
    if os.geteuid() == 0:
        folder = file.parent.stat()
        with suppress(OSError):  # a file system without owners
            os.chown(file, folder.st_uid, folder.st_gid)


def move_aside(path: Path, wall_s: float) -> Path:
    """Rename a bad file and its companions to ``<name>.corrupt-<utc>``; never over an existing one. Returns the new
    path. Raises OSError."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(wall_s))
    target = beside(path, f".corrupt-{stamp}")
    count = 1
    while target.exists() or beside(target, "-wal").exists():
        count += 1
        target = beside(path, f".corrupt-{stamp}-{count}")
    # The log first: a crash in between must not leave it beside a new database.
    for ending in ("-wal", "-shm", "-journal", ""):
        with suppress(FileNotFoundError):
            beside(path, ending).rename(beside(target, ending))
    forget_suspicion(path)
    return target


def suspect(path: Path) -> None:
    """Leave a mark for the next one that opens: SQLite met damage."""
    with suppress(OSError):
        beside(path, ".suspect").touch()


def is_suspected(path: Path) -> bool:
    return beside(path, ".suspect").exists()


def forget_suspicion(path: Path) -> None:
    with suppress(OSError):
        beside(path, ".suspect").unlink(missing_ok=True)


def code_of(error: sqlite3.Error) -> int:
    """The primary result code (https://www.sqlite.org/rescode.html); 0 if Python itself raised it."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def is_damage(error: sqlite3.Error) -> bool:
    return code_of(error) in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def unavailable(error: sqlite3.Error | OSError, path: Path) -> StoreUnavailable:
    """Say what failed and what to do."""
    what, remedy = str(error), f"Check the disk of {path.parent}."
    if isinstance(error, OSError):
        what, remedy = error.strerror or str(error), f"Check that {path.parent} can be read and written by this user."
    else:
        match code_of(error):
            case sqlite3.SQLITE_FULL:
                what, remedy = "the disk is full", f"Free space on the file system of {path.parent}."
            case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
                what = "this user may not write there"
                remedy = f"Run this as the user who runs wattledger; the owner of {path.parent} must own {path}*."
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                what, remedy = "another program keeps it locked", f"Close the program that writes to {path}."
            case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
                what = "the file is damaged"
                remedy = "The next wattledger grid fetch sets it aside under another name and begins a new one."
            case _:
                pass
    return StoreUnavailable(f"The stored grid factors {path} are not available: {what}.", remedy)
