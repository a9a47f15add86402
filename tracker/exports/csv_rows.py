"""CSV: one line for each row, for each correction of another month, and a last one for the total of the rows.

``row_kind`` tells them apart: the lines with ``row`` sum to the one with ``total`` in every additive column. Each line
names its statement and carries the hash of its content (``row_sha256``); the total's line has that of the whole too
(``statement_sha256``), under which method, factors and coverage stand in the JSON export. An empty number is not
known; it is not 0. How much energy is in no sum stands in ``unweighed_kwh`` and ``unpriced_kwh`` of each row, and for
the other sums of the whole statement in ``unknown_energy``.
"""

from __future__ import annotations

from collections.abc import Iterator

from tracker.core.statement import Statement
from tracker.exports import table
from tracker.exports.columns import NUMBERS
from tracker.exports.csv_text import safe


def header(statement: Statement) -> tuple[str, ...]:
    return (*table.about(statement), *table.columns(statement), "row_sha256", "statement_sha256")


def lines(statement: Statement) -> Iterator[list[str | None]]:
    """Cells that are safe for spreadsheets."""
    about = [safe(value) for value in table.about(statement).values()]
    texts = [place for place, name in enumerate(table.columns(statement)) if name not in NUMBERS]
    digest = table.Digest(statement)
    for row in table.rows(statement):
        digest.add(row)
        cells = row.cells
        for place in texts:
            cells[place] = safe(cells[place] or "")
        yield [*about, *cells, row.sha256, digest.hex() if row.line is statement.total else ""]
