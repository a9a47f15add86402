"""Opening a ledger to read it: never creates a file, never blocks the writer, never waits for it.

A plain ``mode=ro`` connection to a WAL database whose log is gone (the daemon stopped in good order) would create
``-wal`` and ``-shm``, owned by whoever looked, and the daemon of another user could not open its ledger any more. So
without a log the file is opened as immutable (https://www.sqlite.org/uri.html#uriimmutable), and afterwards it is
checked that nobody wrote meanwhile; if somebody did, the question is asked again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from tracker.ledger.failures import unavailable
from tracker.ledger.files import Nature, read_nature, wal_of
from tracker.ledger.interface import LedgerUnavailable
from tracker.ledger.schema import VERSION
from tracker.migrations import version_of

Answer = TypeVar("Answer")
_ATTEMPTS = 4
_BUSY_TIMEOUT_S = 1.0


def ask(path: Path, question: Callable[[sqlite3.Connection], Answer]) -> Answer:
    """Ask within one read transaction: everything the question sees is of one instant. Raises LedgerUnavailable."""
    _check_nature(path)
    for _ in range(_ATTEMPTS):
        at_rest = _state_at_rest(path)
        try:
            answer = _ask_once(path, question, immutable=at_rest is not None)
        except sqlite3.Error as error:
            if at_rest == _state_at_rest(path):
                raise unavailable(error, path) from error
            continue
        if at_rest is None or at_rest == _state_at_rest(path):
            return answer
    raise LedgerUnavailable(f"The ledger {path} kept changing hands while it was read.", "Try again.")


def _check_nature(path: Path) -> None:
    try:
        nature = read_nature(path)
    except OSError as error:
        raise LedgerUnavailable(
            f"The ledger {path} cannot be read: {error.strerror}.",
            "Run this as the user who runs wattledger, or as root.",
        ) from error
    match nature:
        case Nature.LEDGER:
            return
        case Nature.ABSENT:
            raise LedgerUnavailable(
                f"There is no ledger at {path}.", "Name the daemon's folder with --state-dir, or start the daemon."
            )
        case Nature.OTHER:
            raise LedgerUnavailable(f"{path} is no wattledger ledger.", "Name the daemon's folder with --state-dir.")


def _state_at_rest(path: Path) -> tuple[int, int, int] | None:
    """What would differ if a writer had come by; None while there is a write-ahead log."""
    if wal_of(path).exists():
        return None
    try:
        stat = path.stat()
    except OSError:
        return (0, 0, 0)
    return (stat.st_ino, stat.st_size, stat.st_mtime_ns)


def _ask_once(path: Path, question: Callable[[sqlite3.Connection], Answer], *, immutable: bool) -> Answer:
    uri = f"file:{quote(str(path.absolute()))}?mode=ro" + ("&immutable=1" if immutable else "")
    connection = sqlite3.connect(uri, uri=True, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
    try:
        connection.execute("BEGIN")
        _check_version(path, version_of(connection))
        return question(connection)
    finally:
        connection.close()


def _check_version(path: Path, version: int) -> None:
    if version > VERSION:
        raise LedgerUnavailable(
            f"The ledger {path} has schema {version}; this wattledger knows schemas up to {VERSION}.",
            "Upgrade wattledger.",
        )
    if version < VERSION:
        raise LedgerUnavailable(
            f"The ledger {path} has schema {version}, older than {VERSION} of this wattledger.",
            "Restart the daemon with this version: it migrates the ledger.",
        )
