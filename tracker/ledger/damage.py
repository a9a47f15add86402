"""Is the file whole? Asked at start, and only when there is a reason to ask."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import suppress
from pathlib import Path

from tracker.ledger.failures import code_of

_CHECK_BUDGET_S = 2.0  # most time the look after a crash may add to a start; about 1 GB


def look_for_damage(connection: sqlite3.Connection, path: Path) -> None:
    """Check the structure if the last writer did not close the file in good order, or met damage while it ran (then
    without a time limit). Raises sqlite3.DatabaseError with the code SQLITE_CORRUPT."""
    suspected = _mark_of(path).exists()
    if not suspected and connection.execute("SELECT clean FROM head").fetchone()[0]:
        return
    timer = threading.Timer(_CHECK_BUDGET_S, connection.interrupt)
    if not suspected:
        timer.start()
    try:
        verdict = _quick_check(connection)
    finally:
        timer.cancel()
        if timer.ident is not None:
            timer.join()
    if verdict != "ok":
        damage = sqlite3.DatabaseError(verdict)
        damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise damage
    forget_suspicion(path)


def _quick_check(connection: sqlite3.Connection) -> str:
    """SQLite's verdict, "ok" as far as it came within the time; ``wattledger verify`` looks at everything."""
    try:
        return str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.OperationalError as error:
        if code_of(error) == sqlite3.SQLITE_INTERRUPT:
            return "ok"
        raise


def suspect(path: Path) -> None:
    """Leave a mark for the next start: SQLite met damage. Beside the ledger, which can no longer be trusted to keep
    it."""
    with suppress(OSError):
        _mark_of(path).touch()


def forget_suspicion(path: Path) -> None:
    with suppress(OSError):
        _mark_of(path).unlink(missing_ok=True)


def _mark_of(path: Path) -> Path:
    return path.with_name(path.name + ".suspect")
