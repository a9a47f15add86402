"""The rows of a statement as text, the same in every format, and the two hashes that name their content.

``row_sha256`` is of the row's JSON object as the JSON export writes it, up to and without its member ``row_sha256``. It
does not depend on the statement's id, version and status: a row that did not change from one version to the next keeps
its hash. ``digest`` is of the head (see ``head.py``) and then the hash of each row, one a line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from json.encoder import encode_basestring
from operator import add

from tracker.core.statement import Line, Statement
from tracker.exports.columns import NUMBERS, amount_cells, ratio_cells
from tracker.exports.head import head_json, utc
from tracker.exports.summary import unknown_text

ROW, CORRECTION, TOTAL = KINDS = ("row", "correction", "total")
_BEFORE = ("row_kind", "kind", "period", "restates_period", "reason", "is_correction", "row_id")
_AFTER = ("scope", "scope3_category")


def columns(statement: Statement) -> tuple[str, ...]:
    """Of ``Row.cells``."""
    return (*_BEFORE, *statement.group_by, *_AFTER, *NUMBERS, "currency")


@dataclass(frozen=True, slots=True)
class Row:
    """``cells``: one for each of ``columns``; None is a number that is not known. Numbers are those of ``NUMBERS``.
    ``restates``, ``reason``: of a correction."""

    line: Line
    restates: str
    reason: str
    cells: list[str | None]
    json: str  # without its hash and the closing brace
    sha256: str


def rows(statement: Statement, kinds: Sequence[str] = KINDS) -> Iterator[Row]:
    """Rows, corrections of other months, and last the total of the rows (corrections are not in it)."""
    literal = [name in NUMBERS or name == "is_correction" for name in columns(statement)]
    prefixes = [f'"{name}":' for name in columns(statement)]
    for line, start in _lines(statement, kinds):
        cells = [*start, line.row_id, *line.key, line.scope, line.category]
        cells += amount_cells(line.amounts) + ratio_cells(line.ratios)
        cells.append(statement.currency)
        tokens = [
            "null" if cell is None else cell if plain else encode_basestring(cell)
            for cell, plain in zip(cells, literal, strict=True)
        ]
        text = "{" + ",".join(map(add, prefixes, tokens))
        yield Row(line, start[3] or "", start[4] or "", cells, text, sha256(text.encode()).hexdigest())


def _lines(statement: Statement, kinds: Sequence[str]) -> Iterator[tuple[Line, list[str | None]]]:
    """Each line with its cells before the row's id."""
    month = statement.period.month
    if ROW in kinds:
        for line in statement.rows:
            yield line, [ROW, line.kind, month, "", "", "false"]
    if CORRECTION in kinds:
        for each in statement.corrections:
            yield each.line, [CORRECTION, each.line.kind, month, each.restates_period, each.reason, "true"]
    if TOTAL in kinds:
        yield statement.total, [TOTAL, statement.total.kind, month, "", "", "false"]


def about(statement: Statement) -> dict[str, str]:
    """Columns that are the same on every line of a table, and stand before the others."""
    named = {} if "entity" in statement.group_by else {"entity": statement.entity}
    return {
        "statement_id": statement.statement_id,
        "statement_version": str(statement.version),
        "statement_status": statement.status.value,
        "software": f"wattledger {statement.software}",
        "period_start": utc(statement.period.start_s),
        "period_end": utc(statement.period.end_s),
        "timezone": statement.period.timezone,
        **named,
        "unknown_energy": unknown_text(statement),
    }


def digest(statement: Statement) -> str:
    """Names the content of the whole statement (hex). It reads every row once."""
    content = Digest(statement)
    for row in rows(statement):
        content.add(row)
    return content.hex()


class Digest:
    """``digest`` for those who see every row anyway."""

    def __init__(self, statement: Statement) -> None:
        self._hash = sha256(head_json(statement))

    def add(self, row: Row) -> None:
        self._hash.update(f"\n{row.sha256}".encode())

    def hex(self) -> str:
        return self._hash.hexdigest()
