"""What SQLite's result codes (https://www.sqlite.org/rescode.html) mean for an operator."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tracker.ledger.interface import LedgerRefused, LedgerUnavailable

#: Damage: the file must be looked at, and set aside if it is bad.
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def code_of(error: sqlite3.Error) -> int:
    """The primary result code (the low byte of the extended one); 0 if Python itself raised it."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def is_damage(error: sqlite3.Error) -> bool:
    return code_of(error) in _DAMAGE


def unavailable(error: sqlite3.Error, path: Path) -> LedgerUnavailable:
    """Say what failed and what to do."""
    match code_of(error):
        case sqlite3.SQLITE_FULL:
            what, remedy = "the disk is full", f"Free space on the file system of {path.parent}."
        case sqlite3.SQLITE_READONLY:
            what, remedy = "it is read-only", f"Make {path.parent} and the files in it writable again."
        case sqlite3.SQLITE_IOERR:
            what = f"the disk answered with an error ({error})"
            remedy = f"Check free space and the kernel log for the disk of {path.parent}."
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            what, remedy = "another program keeps it locked", f"Close the program that writes to {path}."
        case sqlite3.SQLITE_CANTOPEN:
            what, remedy = "it cannot be opened", f"Check that {path} exists and that its owner runs this."
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            what = "the file is damaged"
            remedy = "Restart wattledger: it sets the damaged file aside under another name and begins a new one."
        case _:
            what, remedy = str(error), f"Check the disk of {path.parent}."
    return LedgerUnavailable(f"The ledger {path} is not available: {what}.", remedy)


def refused(error: sqlite3.Error, path: Path) -> LedgerRefused | LedgerUnavailable:
    """The same at start: what may pass by itself is unavailable, anything else is for the operator to mend."""
    failure = unavailable(error, path)
    if code_of(error) in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return failure
    return LedgerRefused(failure.sentence, failure.remedy)
