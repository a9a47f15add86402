"""The node page's question: right, cheap, and without a trace on the disk or in the writer's way."""

from __future__ import annotations

import os
import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ledger.books import CPU, SERVE, SLOT, TRAIN, booking, entry, full_slots, weighed
from tracker.core.model import IDLE, Booking, Component
from tracker.ledger.interface import DayRow, LedgerUnavailable
from tracker.ledger.reader import SqliteReader
from tracker.ledger.readonly import ask
from tracker.ledger.store import SqliteLedger

DAY = (SLOT, SLOT + 86_400)


def names(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.iterdir())


def book_all(ledger: SqliteLedger, bookings: list[Booking]) -> None:
    for one in bookings:
        ledger.book(one)


def test_day_by_workload_and_component(ledger: SqliteLedger) -> None:
    """Largest energy first; emissions are the workload's whole, on each of its rows; none known is None, not 0."""
    rows = (entry(TRAIN, 50, idle_uj=5), entry(TRAIN, 20, device=CPU, held_ms=1), entry(IDLE, 70, device=CPU))
    ledger.book(booking(*rows, emissions=(weighed(TRAIN, 8),)))
    later = (entry(TRAIN, 9, slot=SLOT + 300),)
    ledger.book(booking(*later, emissions=(weighed(TRAIN, 2, slot=SLOT + 300),), until_ms=(SLOT + 301) * 1000))
    assert SqliteReader(ledger.path).day(*DAY) == (
        DayRow(IDLE, Component.CPU, 70, 0, 10_000, None),
        DayRow(TRAIN, Component.GPU, 59, 5, 20_000, 10),
        DayRow(TRAIN, Component.CPU, 20, 0, 1, 10),
    )


def test_slots_from_start_to_before_end(ledger: SqliteLedger) -> None:
    book_all(ledger, full_slots(4))
    reader = SqliteReader(ledger.path)
    rows = {row.workload: row.energy_uj for row in reader.day(SLOT + 300, SLOT + 900)}
    assert rows == {TRAIN: 180_000_000_000, SERVE: 40_000_000_000, IDLE: 14_000_000_002}
    assert reader.day(SLOT + 1_200, SLOT + 86_400) == ()
    assert reader.day(SLOT + 300, SLOT + 300) == ()


def test_sees_each_booking_at_once(ledger: SqliteLedger) -> None:
    """What is kept of closed slots never hides what was just booked into the open one."""
    reader = SqliteReader(ledger.path)
    assert reader.day(*DAY) == ()
    for number in range(1, 40):
        until = SLOT + number * 40
        slot = until // 300 * 300
        ledger.book(
            booking(entry(TRAIN, 3, slot=slot), emissions=(weighed(TRAIN, 2, slot=slot),), until_ms=until * 1000)
        )
        assert [(row.energy_uj, row.emissions_ug) for row in reader.day(*DAY)] == [(3 * number, 2 * number)]


@settings(max_examples=50, deadline=None)
@given(windows=st.lists(st.tuples(st.integers(-2, 9), st.integers(-2, 9)), min_size=1, max_size=8))
def test_kept_sums_equal_fresh_ones(history: SqliteLedger, windows: list[tuple[int, int]]) -> None:
    """Whatever was asked before, the answer is that of a reader that knows nothing."""
    reader = SqliteReader(history.path)
    for first, last in windows:
        window = (SLOT + first * 300, SLOT + last * 300)
        assert reader.day(*window) == SqliteReader(history.path).day(*window)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> SqliteLedger:
    """Seven slots, the last one open; the daemon still runs."""
    ledger = SqliteLedger(tmp_path_factory.mktemp("history") / "ledger.db")
    ledger.open()
    book_all(ledger, full_slots(6))
    ledger.book(booking(entry(TRAIN, 1, slot=SLOT + 1_800), until_ms=(SLOT + 1_810) * 1000))
    return ledger


def test_new_ledger_at_the_same_place(ledger: SqliteLedger) -> None:
    """After a file was set aside nothing of the old one is shown, although days and slots are the same."""
    reader = SqliteReader(ledger.path)
    book_all(ledger, full_slots(3))
    assert reader.day(*DAY)[0].energy_uj == 270_000_000_000
    ledger.close()
    shutil.rmtree(ledger.path.parent)
    ledger.open()
    ledger.book(booking(entry(SERVE, 1), until_ms=(SLOT + 900) * 1000))
    assert [(row.workload, row.energy_uj) for row in reader.day(*DAY)] == [(SERVE, 1)]


def test_leaves_no_file_behind(ledger: SqliteLedger) -> None:
    """Root looks at a stopped daemon's ledger: files of root beside it would keep the daemon from starting."""
    book_all(ledger, full_slots(2))
    running = names(ledger.path)
    assert len(SqliteReader(ledger.path).day(*DAY)) == 3
    assert names(ledger.path) == running
    ledger.close()
    assert len(SqliteReader(ledger.path).day(*DAY)) == 3
    assert names(ledger.path) == ["ledger.db", "ledger.db.lock"]


def test_after_a_kill(ledger: SqliteLedger, tmp_path: Path) -> None:
    """What the killed daemon committed is seen, though most of it is in the log only."""
    ledger.book(booking(entry(TRAIN, 5)))
    copy = tmp_path / "copy" / "ledger.db"
    copy.parent.mkdir()
    for ending in ("", "-wal", "-shm"):
        shutil.copy(f"{ledger.path}{ending}", f"{copy}{ending}")
    assert [row.energy_uj for row in SqliteReader(copy).day(*DAY)] == [5]


def test_reader_and_writer_do_not_wait_for_each_other(ledger: SqliteLedger) -> None:
    """A question in progress sees one instant; the daemon books meanwhile and closes slots."""
    book_all(ledger, full_slots(2))

    def slow_question(db: sqlite3.Connection) -> tuple[int, int]:
        before = db.execute("SELECT sum(energy_uj) FROM entry").fetchone()[0]
        book_all(ledger, full_slots(2, first=SLOT + 600))
        return before, db.execute("SELECT sum(energy_uj) FROM entry").fetchone()[0]

    assert ask(ledger.path, slow_question) == (234_000_000_002, 234_000_000_002)
    assert SqliteReader(ledger.path).day(*DAY)[0].energy_uj == 4 * 90_000_000_000


def test_daemon_starts_while_a_question_is_asked(ledger: SqliteLedger) -> None:
    """The file at rest was opened without locks: if a daemon writes meanwhile, the question is asked again."""
    ledger.book(booking(entry(TRAIN, 5)))
    ledger.close()
    asked = []

    def question(db: sqlite3.Connection) -> int:
        asked.append(1)
        if len(asked) == 1:
            ledger.open()
            ledger.book(booking(entry(TRAIN, 6), until_ms=(SLOT + 11) * 1000))
            ledger.close()
        return int(db.execute("SELECT sum(energy_uj) FROM entry").fetchone()[0])

    assert ask(ledger.path, question) == 11
    assert len(asked) == 2


def test_many_threads(history: SqliteLedger) -> None:
    reader = SqliteReader(history.path)
    windows = [(SLOT, SLOT + 300 * (1 + number % 7)) for number in range(64)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda window: reader.day(*window), windows))
    assert answers == [SqliteReader(history.path).day(*window) for window in windows]


def test_no_ledger(tmp_path: Path) -> None:
    """A wrong folder is named, with what to do."""
    with pytest.raises(LedgerUnavailable, match=r"There is no ledger at .*Name the daemon's folder with --state-dir"):
        SqliteReader(tmp_path / "ledger.db").day(*DAY)
    assert list(tmp_path.iterdir()) == []


def test_not_a_ledger(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("shopping list")
    with pytest.raises(LedgerUnavailable, match="is no wattledger ledger"):
        SqliteReader(tmp_path / "notes.txt").day(*DAY)


@pytest.mark.parametrize(("version", "words"), [(99, "Upgrade wattledger"), (0, "Restart the daemon")])
def test_other_schema(ledger: SqliteLedger, version: int, words: str) -> None:
    ledger.close()
    db = sqlite3.connect(ledger.path)
    db.execute(f"PRAGMA user_version = {version}")
    db.close()
    with pytest.raises(LedgerUnavailable, match=words):
        SqliteReader(ledger.path).day(*DAY)


def test_damaged_ledger(ledger: SqliteLedger) -> None:
    """A sentence, not a traceback, for the node page to show."""
    book_all(ledger, full_slots(2))
    ledger.close()
    os.truncate(ledger.path, 8_192)
    with pytest.raises(LedgerUnavailable, match="the file is damaged"):
        SqliteReader(ledger.path).day(*DAY)


def test_odd_path(tmp_path: Path) -> None:
    """A folder named like a URI is a folder."""
    path = tmp_path / "a b?mode=rwc#%41" / "ledger.db"
    ledger = SqliteLedger(path)
    ledger.open()
    ledger.book(booking(entry(replace(TRAIN, name="x"), 5)))
    assert [row.energy_uj for row in SqliteReader(path).day(*DAY)] == [5]
    ledger.close()
    assert [row.energy_uj for row in SqliteReader(path).day(*DAY)] == [5]
