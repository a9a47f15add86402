"""Numbered schema steps of a SQLite file: all that are missing are applied, with their records, in one transaction, so
that a crash leaves the old schema or the new one and no reader ever meets one in between. For the ledger and for the
store of factors, which know nothing of one another."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Migration:
    """One step. ``version`` is the schema version it leads to; versions are consecutive from 1."""

    version: int
    name: str
    statements: tuple[str, ...]


def version_of(connection: sqlite3.Connection) -> int:
    """Schema version of an open file; 0 for an empty one."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def apply_missing(connection: sqlite3.Connection, migrations: tuple[Migration, ...]) -> None:
    """Bring an open file (autocommit mode) to the last version. Raises sqlite3.Error."""
    missing = migrations[version_of(connection) :]
    if not missing:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for migration in missing:
            for statement in migration.statements:
                connection.execute(statement)
            _record(connection, migration)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _record(connection: sqlite3.Connection, migration: Migration) -> None:
    """The record people can read (table) and the number SQLite keeps in the file header (user_version)."""
    connection.execute(
        "CREATE TABLE IF NOT EXISTS migration"
        " (version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL) STRICT"
    )
    connection.execute(
        "INSERT INTO migration VALUES (?, ?, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))",
        (migration.version, migration.name),
    )
    connection.execute(f"PRAGMA user_version = {migration.version:d}")
