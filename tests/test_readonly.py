"""Reading a SQLite file beside its writer: an answer of one instant, however often the file changes hands."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tracker import readonly

#: A program that opens, writes and closes, so that the log comes and goes; one line when it begins, then the end.
WRITER = """
import sqlite3, sys
print("begun", flush=True)
for _ in range(150):
    connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)
    connection.execute("UPDATE t SET a = a + 1, b = b + 1")
    connection.close()
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "x.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE t (a INTEGER, b INTEGER)")
        connection.execute("INSERT INTO t VALUES (1, 1)")
    return path


def value(connection: sqlite3.Connection) -> tuple[int, int]:
    a, b = connection.execute("SELECT a, b FROM t").fetchone()
    return a, b


def disturbed(path: Path, times: int) -> Callable[[sqlite3.Connection], tuple[int, int]]:
    """A question during which somebody writes, for the first ``times`` that it is asked."""
    left = [times]

    def question(connection: sqlite3.Connection) -> tuple[int, int]:
        found = value(connection)
        if left[0]:
            left[0] -= 1
            with closing(sqlite3.connect(path, isolation_level=None)) as writer:
                writer.execute("UPDATE t SET a = a + 1, b = b + 1")
        return found

    return question


@pytest.mark.parametrize("times", [0, 1, 5, 8])
def test_is_asked_again_until_nobody_wrote_meanwhile(file: Path, times: int) -> None:
    assert readonly.ask(file, disturbed(file, times)) == (times + 1, times + 1)


def test_gives_up_on_a_file_that_never_rests(file: Path) -> None:
    with pytest.raises(readonly.KeptChangingError):
        readonly.ask(file, disturbed(file, 1000))


def test_beside_a_writer_that_opens_and_closes_all_the_time(file: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITER, str(file)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        seen = []
        while writer.poll() is None:
            seen.append(readonly.ask(file, value))
    assert writer.returncode == 0
    assert seen == sorted(seen)
    assert all(a == b for a, b in seen)
    assert readonly.ask(file, value) == (151, 151)


def test_leaves_nothing_behind(file: Path) -> None:
    before = (list(file.parent.iterdir()), file.stat().st_mtime_ns)
    assert readonly.ask(file, value) == (1, 1)
    assert (list(file.parent.iterdir()), file.stat().st_mtime_ns) == before


def test_a_wrong_question_is_told_at_once(file: Path) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        readonly.ask(file, lambda connection: connection.execute("SELECT * FROM elsewhere"))
