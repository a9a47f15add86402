"""Asking a ledger that the daemon may be writing: see ``tracker/readonly.py``."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tracker import readonly
from tracker.ledger.failures import unavailable
from tracker.ledger.files import Nature, read_nature
from tracker.ledger.interface import LedgerUnavailable
from tracker.ledger.schema import VERSION
from tracker.migrations import version_of

Answer = TypeVar("Answer")


def ask(path: Path, question: Callable[[sqlite3.Connection], Answer]) -> Answer:
    """Ask within one read transaction: everything the question sees is of one instant. Raises LedgerUnavailable."""

    def of_this_version(connection: sqlite3.Connection) -> Answer:
        _check_version(path, version_of(connection))
        return question(connection)

    _check_nature(path)
    try:
        return readonly.ask(path, of_this_version)
    except sqlite3.Error as error:
        raise unavailable(error, path) from error
    except readonly.KeptChangingError as error:
        raise LedgerUnavailable(f"The ledger {path} kept changing hands while it was read.", "Try again.") from error


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
