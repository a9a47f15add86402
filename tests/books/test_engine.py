"""`wattledger export -o -` is a file: the engine writes nothing into it, however long a query takes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import REPO

#: The bar after a millisecond in place of two seconds; the setting switches it on, so the order matters.
_SCRIPT = """
import duckdb
from tracker.books.engine import quiet
with duckdb.connect(){of} as connection:
    connection.execute("SET progress_bar_time = 1")
    {made}
    connection.execute("SELECT sum(i * j) FROM range(4000) a(i), range(20000) b(j)").fetchall()
"""


def drawn(made: str, of: str) -> bytes:
    script = _SCRIPT.format(made=made, of=of)
    environ = {"PYTHONPATH": str(REPO)}
    run = subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, check=True)
    return run.stdout + run.stderr


@pytest.mark.parametrize("of", ["", ".cursor()"])
def test_a_long_query_draws_nothing(of: str) -> None:
    assert b"%" in drawn("pass", of)
    assert drawn("quiet(connection)", of) == b""


def test_every_connection_is_told() -> None:
    """Each that the program makes, in the line that makes it or the next ones."""
    for path in sorted((REPO / "tracker").rglob("*.py")):
        lines = path.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines):
            if "duckdb.connect(" in line:
                near = " ".join(lines[number : number + 4])
                assert "quiet(" in near or "enable_progress_bar" in near, f"{path.name}:{number + 1}"
            if ".cursor()" in line and "duckdb" in path.read_text(encoding="utf-8"):
                assert "quiet(" in line, f"{path.name}:{number + 1}"
