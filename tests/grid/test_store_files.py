"""The store's file survives kills, other writers, other programs and damage; readers leave no trace."""

from __future__ import annotations

import contextlib
import os
import resource
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.grid.hours import NOON_S, hour
from tests.grid.store_child import HOURS, start
from tracker.grid.store import FactorReader, FactorStore, StoreError, StoreUnavailable
from tracker.grid.store_records import _KNOWN, _NEWEST, _YEARLY
from tracker.grid.store_schema import MIGRATIONS

ALWAYS = (["FR"], 0, 2**40)
NOBODY = 65534


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "factors.db"


def filled(path: Path, count: int = HOURS) -> Path:
    with FactorStore(path) as store:
        store.append([hour(number, "56") for number in range(count)], NOON_S)
    return path


def names_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def told(path: Path) -> list[str]:
    return [record.row.value_printed for record in FactorReader(path).records(*ALWAYS)]


# --- kill -9 and several writers -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def crash() -> Iterator[subprocess.Popen[str]]:
    process = start("crash")
    yield process
    process.communicate(timeout=10)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(instructions=2_000)
@example(instructions=10**9)
@given(instructions=st.integers(1, 60_000))
def test_killed_while_adding_leaves_all_or_nothing(crash: subprocess.Popen[str], instructions: int) -> None:
    assert crash.stdout is not None
    with tempfile.TemporaryDirectory() as folder:
        path = filled(Path(folder, "factors.db"))
        print(path, instructions, file=crash.stdin, flush=True)
        outcome = crash.stdout.readline().strip()
        assert outcome == {2_000: "killed", 10**9: "finished"}.get(instructions, outcome)
        assert told(path) == {"killed": ["56"] * HOURS, "finished": ["60"] * HOURS}[outcome]
        with FactorStore(path) as store:
            store.append([hour(number, "60") for number in range(HOURS)], NOON_S + 2)
            assert store.set_aside is None
            assert [len(store.history(hour(number).factor_id)) for number in range(HOURS)] == [2] * HOURS
            assert store._opened().execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_writers_that_come_at_once_create_one_store_and_lose_nothing(path: Path) -> None:
    """The daemon's child and a command. What both bring is there once; a reader meanwhile sees whole additions."""
    names = ["one", "two", "three"]
    writers = [start("add", str(path), name, str(HOURS)) for name in names]
    reader = FactorReader(path)
    while any(writer.poll() is None for writer in writers):
        seen = [record.row.factor_id.split(":")[0] for record in reader.records(*ALWAYS)]
        assert all(seen.count(name) <= seen.count("both") for name in names)
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    for writer in writers:
        writer.communicate()
    with FactorStore(path) as store:
        records = store.records(*ALWAYS)
        assert len(records) == HOURS * 4
        assert all(record.supersedes is None for record in records)
        assert store.set_aside is None
    assert names_in(path.parent) == ["factors.db", "factors.db.lock"]


# --- readers ---------------------------------------------------------------------------------------------------------


def test_a_store_that_is_not_there_knows_nothing_and_is_not_made(tmp_path: Path) -> None:
    """A node without live factors, and a typo in --state-dir: looking creates no file and no folder."""
    reader = FactorReader(tmp_path / "no" / "factors.db")
    answers = (reader.records(*ALWAYS), reader.history("x"), reader.forecasts("FR"), reader.statuses(), reader.zones())
    assert answers == ((), (), (), (), ())
    assert reader.last_read("rte", "FR", "daily") is None
    assert reader.status("rte").failures == 0
    assert list(tmp_path.iterdir()) == []


def test_reading_leaves_no_trace(path: Path) -> None:
    """A log that root made by looking would lock the daemon out."""
    filled(path)
    before = {file.name: file.stat().st_mtime_ns for file in path.parent.iterdir()}
    with FactorReader(path) as reader:
        assert len(reader.records(*ALWAYS)) == HOURS
    assert {file.name: file.stat().st_mtime_ns for file in path.parent.iterdir()} == before


def test_what_was_just_added_is_seen_while_the_writer_is_open(path: Path) -> None:
    with FactorStore(path) as store:
        store.append([hour(0, "60")], NOON_S)
        assert told(path) == ["60"]
        store.append([hour(0, "61")], NOON_S)
        assert told(path) == ["61"]


def test_an_empty_file_of_a_start_that_was_cut_short(path: Path) -> None:
    path.touch()
    assert told(path) == []
    with FactorStore(path) as store:
        assert store.set_aside is None
        store.append([hour(0)], NOON_S)
    assert told(path) == ["56.12"]


def test_a_start_that_was_cut_short_before_its_tables(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA application_id = {0x57464143}")
    assert told(path) == []
    filled(path, 1)
    assert told(path) == ["56"]


@pytest.mark.needs("root")
def test_another_user_reads_and_root_creates_for_the_owner_of_the_folder() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        os.chown(folder, NOBODY, NOBODY)
        path = filled(Path(folder, "factors.db"))
        assert {file.stat().st_uid for file in Path(folder).iterdir()} == {NOBODY}
        os.chown(folder, 0, 0)
        os.chown(path, 0, 0)
        for mode, said in ((0o644, str(HOURS)), (0o600, "are not available: Permission denied")):
            path.chmod(mode)
            assert said in start("look", str(path), str(NOBODY)).communicate(timeout=30)[0]
        assert names_in(Path(folder)) == ["factors.db", "factors.db.lock"]


def test_every_question_finds_its_way_by_an_index(path: Path) -> None:
    """A year of hours is asked for a month of them in milliseconds."""
    with FactorStore(path) as store:
        asked = {"zone": "FR", "start_s": 0, "end_s": 1, "as_of_s": 2}
        plans = [*store._opened().execute(f"EXPLAIN QUERY PLAN {_KNOWN}", asked)]
        plans += [*store._opened().execute(f"EXPLAIN QUERY PLAN {_NEWEST}", ("x",))]
        yearly = [*store._opened().execute(f"EXPLAIN QUERY PLAN {_YEARLY}", asked)]
    assert "USING INDEX factor_of_years" in yearly[0][-1], "a handful among years of hours"
    steps = [detail for *_, detail in plans if "one" in detail or "later" in detail]
    assert len(steps) == 5
    assert all("USING INDEX factor_" in step for step in steps), steps


# --- files that are no store -----------------------------------------------------------------------------------------


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def test_a_file_of_an_older_version_is_read_as_it_is_and_brought_up_to_date_by_whoever_writes(path: Path) -> None:
    """A machine that asks no service has nobody who writes."""
    with closing(sqlite3.connect(filled(path))) as connection, connection:
        connection.execute("DROP INDEX factor_of_years")
        connection.execute("DELETE FROM migration WHERE version = 2")
        connection.execute("PRAGMA user_version = 1")
    reader = FactorReader(path)
    assert (told(path), reader.yearly(("FR",)), reader.statuses(), version(path)) == (["56"] * HOURS, (), (), 1)
    with FactorStore(path):
        pass
    assert (told(path), version(path)) == (["56"] * HOURS, 2)


def test_steps_after_the_first_add_indexes_only() -> None:
    """What only reads relies on it."""
    assert all(each.startswith("CREATE INDEX ") for step in MIGRATIONS[1:] for each in step.statements)


def test_a_file_of_a_newer_version_is_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(filled(path))) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    for look in (lambda: FactorReader(path).zones(), lambda: FactorStore(path).open()):
        with pytest.raises(StoreError, match=r"have schema 99; this wattledger knows schemas up to 2\. Upgrade"):
            look()
    assert path.read_bytes() == before


def foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE photos (name)")


@pytest.mark.parametrize("spoil", [foreign, lambda path: path.write_bytes(b"no database " * 99)], ids=["other", "text"])
def test_a_foreign_file_is_set_aside_under_a_name(path: Path, spoil: Callable[[Path], object]) -> None:
    """It is somebody's: renamed, never overwritten; a reader does not touch it."""
    spoil(path)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="holds no grid factors"):
        FactorReader(path).zones()
    for count in (1, 2):
        with FactorStore(path, wall_s=lambda: NOON_S) as store:
            assert store.append([hour(0)], NOON_S).new == 1
            ending = "" if count == 1 else "-2"
            assert store.set_aside == path.with_name(f"factors.db.corrupt-20260921T120000Z{ending}")
            assert store.set_aside.read_bytes() == before
        path.write_bytes(before)


def test_a_log_without_its_database_is_set_aside_too(path: Path) -> None:
    """SQLite would delete it."""
    log = path.with_name("factors.db-wal")
    log.write_bytes(b"the last hours")
    with FactorStore(path) as store:
        assert store.set_aside is not None
        assert store.set_aside.with_name(store.set_aside.name + "-wal").read_bytes() == b"the last hours"


def test_damage_is_told_and_the_next_writer_sets_the_file_aside(path: Path) -> None:
    """What is left of it stays under its new name."""
    filled(path, 2000)
    data = bytearray(path.read_bytes())
    data[3 * 4096 : -4096] = b"\xa5" * (len(data) - 4 * 4096)
    path.write_bytes(data)
    with pytest.raises(StoreUnavailable, match=r"the file is damaged. The next wattledger grid fetch sets it aside"):
        told(path)
    with FactorStore(path) as store:
        assert store.set_aside is not None
        assert store.set_aside.read_bytes() == bytes(data)
        assert store.records(*ALWAYS) == ()
        store.append([hour(0)], NOON_S)
    with FactorStore(path) as store:
        assert store.set_aside is None
    assert told(path) == ["56.12"]


@pytest.mark.parametrize("kept", [100, 2048, 5000, 30_000])
def test_a_file_that_was_cut_short(path: Path, kept: int) -> None:
    """Met at the start or in the middle of an addition, no traceback, and nothing is overwritten."""
    whole = filled(path, 500).read_bytes()
    path.write_bytes(whole[:kept])
    with contextlib.suppress(StoreUnavailable), FactorStore(path) as store:
        store.append([hour(number, "60") for number in range(500)], NOON_S)
        assert store.records(*ALWAYS)
    with FactorStore(path) as store:
        store.append([hour(0, "61")], NOON_S)
        assert store.records(*ALWAYS)[0].row.value_printed == "61"
    (aside,) = {file.name.removesuffix("-wal").removesuffix("-shm") for file in path.parent.glob("*.corrupt-*")}
    assert path.with_name(aside).exists()


def test_a_suspicion_that_was_wrong_is_forgotten(path: Path) -> None:
    filled(path)
    mark = path.with_name("factors.db.suspect")
    mark.touch()
    with FactorStore(path) as store:
        assert store.set_aside is None
    assert not mark.exists()
    assert told(path) == ["56"] * HOURS


def test_nothing_is_set_aside_under_a_writer(path: Path) -> None:
    """It would go on adding to a file that nobody reads again."""
    filled(path)
    other = start("hold", str(path))
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    with FactorStore(path) as store:  # both may write
        store.append([hour(0, "60")], NOON_S)
    path.with_name("factors.db.suspect").touch()
    with pytest.raises(StoreUnavailable, match="Another wattledger uses the factors"):
        FactorStore(path, patience_s=0.05).open()
    other.communicate(timeout=10)
    with FactorStore(path) as store:
        assert store.history(hour(0).factor_id)[-1].row.value_printed == "60"


def test_a_store_that_was_taken_away_takes_nothing_more(path: Path) -> None:
    with FactorStore(path) as store:
        path.rename(path.with_name("elsewhere.db"))
        with pytest.raises(StoreUnavailable, match="removed or replaced"):
            store.append([hour(0)], NOON_S)


def test_a_lock_of_another_program_is_waited_for_and_then_told(path: Path) -> None:
    filled(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other, FactorStore(path, patience_s=0.05) as store:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="another program keeps it locked"):
            store.append([hour(0, "60")], NOON_S)
        other.execute("ROLLBACK")
        assert store.append([hour(0, "60")], NOON_S).changed == 1


def test_a_full_disk_loses_nothing_and_is_mended_by_space(path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with FactorStore(path) as store:
        store.append([hour(number, "56") for number in range(HOURS)], NOON_S)
        rows = [hour(number, "60") for number in range(3000)]
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
        try:
            with pytest.raises(StoreUnavailable):
                store.append(rows, NOON_S + 1)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert [each.row.value_printed for each in store.records(*ALWAYS)] == ["56"] * HOURS
        assert store.append(rows, NOON_S + 1).changed == HOURS
    assert told(path) == ["60"] * 3000


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match="are not available"):
        FactorStore(tmp_path / "file" / "factors.db").open()
    with pytest.raises(StoreError, match="are not available"):
        FactorReader(tmp_path / "file" / "factors.db").zones()


def test_closed_twice_and_not_open(path: Path) -> None:
    store = FactorStore(path)
    store.close()
    with pytest.raises(StoreError, match="not open"):
        store.zones()
    store.open()
    store.close()
    store.close()
    with pytest.raises(StoreError, match="not open"):
        store.append([hour(0)], NOON_S)
