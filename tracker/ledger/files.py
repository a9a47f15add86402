"""The ledger's files: the lock that makes one writer, what a header says, and moving a bad file aside.

Beside ``ledger.db`` lie ``-wal`` and ``-shm`` (SQLite's write-ahead log and its index) and ``.lock``.
"""

from __future__ import annotations

import errno
import fcntl
import os
import pwd
import time
from contextlib import suppress
from enum import Enum
from pathlib import Path

from tracker.ledger.interface import LedgerRefused
from tracker.ledger.schema import APPLICATION_ID

#: The conventional name inside a state directory.
LEDGER_FILE = "ledger.db"

_MAGIC = b"SQLite format 3\x00"  # https://www.sqlite.org/fileformat2.html
_HEADER_BYTES = 100


class Nature(Enum):
    """What lies at the ledger's path."""

    ABSENT = "absent"  # nothing, or an empty file from a start that was cut short
    LEDGER = "ledger"
    OTHER = "other"  # no SQLite file, or one that belongs to another program


def read_nature(path: Path) -> Nature:
    """Look at the header without opening the file as a database (that could change a foreign one). Raises OSError."""
    try:
        with path.open("rb") as file:
            return nature_of(file.read(_HEADER_BYTES))
    except FileNotFoundError:
        # A write-ahead log without its database is what is left of a deleted ledger: SQLite would delete it.
        return Nature.OTHER if wal_of(path).exists() else Nature.ABSENT


def nature_of(header: bytes) -> Nature:
    """Judge the first 100 bytes of a file."""
    if not header:
        return Nature.ABSENT
    if len(header) == _HEADER_BYTES and header.startswith(_MAGIC):
        application_id = int.from_bytes(header[68:72], "big")
        return Nature.LEDGER if application_id == APPLICATION_ID else Nature.OTHER
    return Nature.OTHER


def wal_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def size_of(path: Path) -> int:
    """Bytes of the database and its write-ahead log."""
    total = 0
    for file in (path, wal_of(path)):
        with suppress(OSError):
            total += file.stat().st_size
    return total


def make_folder(folder: Path) -> None:
    """Create the state directory, for its owner only. Raises LedgerRefused."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise refusal(folder, error) from error


def take_lock(path: Path) -> int:
    """An exclusive lock that ends with this process, however it ends. Returns its descriptor. Raises LedgerRefused.

    flock(2), not a pid file: the kernel frees it, and a pid that was given to another process cannot hold it. The file
    stays: deleting it would let two daemons lock two different files of one name.
    """
    file = path.with_name(path.name + ".lock")
    try:
        fd = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise refusal(path.parent, error) from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(fd, 32, 0).decode("ascii", "replace").strip()
        os.close(fd)
        raise LedgerRefused(
            f"Another wattledger (process {holder or 'unknown'}) books into {path.parent}.",
            "Stop it, or give this one a folder of its own with --state-dir.",
        ) from error
    except OSError as error:
        os.close(fd)
        raise refusal(path.parent, error) from error
    with suppress(OSError):  # a full disk: the lock holds without the number
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    return fd


def move_aside(path: Path, wall_s: float) -> str:
    """Rename a bad file and its companions to ``<name>.corrupt-<utc>``; never over an existing one. Returns the new
    name. Raises LedgerRefused."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(wall_s))
    target = path.with_name(f"{path.name}.corrupt-{stamp}")
    count = 1
    while target.exists():
        count += 1
        target = path.with_name(f"{path.name}.corrupt-{stamp}-{count}")
    try:
        # The log first: a crash in between must not leave it beside a new database.
        for ending in ("-wal", "-shm", "-journal", ""):
            with suppress(FileNotFoundError):
                path.with_name(path.name + ending).rename(target.with_name(target.name + ending))
    except OSError as error:
        raise refusal(path.parent, error) from error
    return str(target)


def check_access(path: Path) -> None:
    """Every existing file of the ledger can be written: known now, not at the first booking. Raises LedgerRefused."""
    for ending in ("", "-wal", "-shm"):
        file = path.with_name(path.name + ending)
        if file.exists() and not os.access(file, os.R_OK | os.W_OK):
            user = _user_name()
            raise LedgerRefused(
                f"The ledger file {file} cannot be written by user {user}.",
                f"Run: sudo chown {user} {path}*",
            )


def refusal(folder: Path, error: OSError) -> LedgerRefused:
    """Say why the folder will not do, and the line that mends it."""
    user = _user_name()
    match error.errno:
        case errno.EACCES | errno.EPERM:
            remedy = f"Run: sudo install -d -m 0700 -o {user} {folder} ; or choose another folder with --state-dir."
        case errno.ENOSPC | errno.EDQUOT:
            remedy = "Free space there, or choose another folder with --state-dir."
        case _:
            remedy = "Choose another folder with --state-dir."
    return LedgerRefused(f"The ledger cannot be kept in {folder} by user {user}: {error.strerror or error}.", remedy)


def _user_name() -> str:
    uid = os.geteuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # a container user without an entry in /etc/passwd
        return str(uid)
