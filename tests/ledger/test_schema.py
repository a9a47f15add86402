"""Migrations: each is applied with its record or not at all, from every older version."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import fields
from pathlib import Path

import pytest

from tests.ledger.books import TRAIN, booking, entry
from tracker.core.model import Cursor, Factor, Sensor, Workload
from tracker.ledger.schema import MIGRATIONS, VERSION, migrate
from tracker.ledger.store import SqliteLedger
from tracker.migrations import Migration, version_of

NEXT = Migration(
    VERSION + 1,
    "a label for the rack",
    (
        "ALTER TABLE workload ADD COLUMN rack TEXT NOT NULL DEFAULT ''",
        "DROP INDEX workload_labels",
        "CREATE UNIQUE INDEX workload_labels ON workload (key, rack)",
    ),
)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "x.db", isolation_level=None)) as connection:
        yield connection


def schema_of(connection: sqlite3.Connection) -> set[str]:
    return {sql for (sql,) in connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")}


def records_of(connection: sqlite3.Connection) -> list[tuple[int, str]]:
    return connection.execute("SELECT version, name FROM migration ORDER BY version").fetchall()


def test_versions_are_consecutive() -> None:
    assert [migration.version for migration in MIGRATIONS] == list(range(1, VERSION + 1))


@pytest.mark.parametrize("older", range(VERSION + 1))
def test_every_older_version_reaches_the_newest(db: sqlite3.Connection, older: int) -> None:
    """A ledger of any release opens: the steps it lacks are applied, each recorded."""
    migrate(db, MIGRATIONS[:older])
    assert version_of(db) == older
    migrate(db, (*MIGRATIONS, NEXT))
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        migrate(fresh, (*MIGRATIONS, NEXT))
        assert schema_of(db) == schema_of(fresh)
    assert version_of(db) == VERSION + 1
    assert records_of(db) == [(m.version, m.name) for m in (*MIGRATIONS, NEXT)]


def test_no_reader_meets_a_schema_in_between(db: sqlite3.Connection, tmp_path: Path) -> None:
    """Who looks while a new release upgrades sees the old schema or the new one, never "older than this version"."""
    seen = []
    with closing(sqlite3.connect(tmp_path / "x.db", isolation_level=None)) as other:
        db.execute("PRAGMA journal_mode = WAL")
        db.set_progress_handler(lambda: seen.append(version_of(other)), 50)
        migrate(db)
        db.set_progress_handler(None, 50)
        seen.append(version_of(other))
    assert len(seen) > VERSION
    assert set(seen) == {0, VERSION}


def test_nothing_to_do(db: sqlite3.Connection) -> None:
    migrate(db)
    before = db.total_changes
    migrate(db)
    assert (db.total_changes, version_of(db)) == (before, VERSION)


@pytest.mark.parametrize("broken_at", [0, 1, 3])
def test_failing_step_leaves_the_old_schema(db: sqlite3.Connection, broken_at: int) -> None:
    """A disk that fills in the middle of an upgrade: the old release still opens the ledger."""
    migrate(db)
    before = schema_of(db)
    statements = (*NEXT.statements[:broken_at], "CREATE TABLE entry (a)", *NEXT.statements[broken_at:])
    with pytest.raises(sqlite3.OperationalError):
        migrate(db, (*MIGRATIONS, Migration(VERSION + 1, "broken", statements)))
    assert (schema_of(db), version_of(db), len(records_of(db))) == (before, VERSION, VERSION)
    migrate(db, (*MIGRATIONS, NEXT))
    assert version_of(db) == VERSION + 1


def test_rows_survive_a_migration(path: Path) -> None:
    ledger = SqliteLedger(path)
    ledger.open()
    ledger.book(booking(entry(TRAIN, 42)))
    ledger.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        migrate(db, (*MIGRATIONS, NEXT))
        assert db.execute("SELECT key, rack FROM workload").fetchall() == [("pod/1234", "")]
        assert db.execute("SELECT energy_uj FROM entry").fetchall() == [(42,)]


@pytest.mark.parametrize(
    ("table", "model"), [("workload", Workload), ("device", Sensor), ("factor", Factor), ("cursor", Cursor)]
)
def test_every_field_has_a_column(db: sqlite3.Connection, table: str, model: type) -> None:
    """A field added to the model without a migration would be lost at the next restart."""
    migrate(db)
    columns = {row[1] for row in db.execute(f"PRAGMA table_info({table})")}
    assert {field.name for field in fields(model)} <= columns


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO entry VALUES (300, 1, 1, 'measured', -1, 0, 0)",
        "INSERT INTO entry VALUES (300, 1, 1, 'measured', 1, 2, 0)",
        "INSERT INTO entry VALUES (301, 1, 1, 'measured', 1, 0, 0)",
        "INSERT INTO entry VALUES (300, 1, 1, 'measured', 1.5, 0, 0)",
        "INSERT INTO entry VALUES (300, 1, 1, 'measured', 1, 0, -1)",
        "INSERT INTO gap VALUES (300, 1, 'hang', -1)",
        "INSERT INTO emission VALUES (300, 1, 'location', 1, 0, 1)",
        "INSERT INTO emission VALUES (300, 1, 'location', 1, 1000, -1)",
        "INSERT INTO head VALUES (2, 'x', NULL, 1)",
    ],
)
def test_tables_refuse_nonsense(db: sqlite3.Connection, statement: str) -> None:
    """The last line of defence is in the file itself, whoever writes."""
    migrate(db)
    with pytest.raises(sqlite3.IntegrityError):
        db.execute(statement)
