"""JSON: everything of the statement, with where each part comes from.

One object; a line for each member and for each row, so that two versions can be compared with any text tool. The rows
have the columns of the CSV. Numbers are exact decimals (812345.678); readers that care take them as decimals, not as
doubles. ``wattledger-statement/1`` is the name of this layout; a change that is not an addition gets a new one.
"""

from __future__ import annotations

from collections.abc import Iterator

from tracker.core.statement import Statement
from tracker.exports import head, table


def parts(statement: Statement) -> Iterator[bytes]:
    yield b"{\n"
    for name, value in head.head_members(statement):
        yield b'"%s":%s,\n' % (name.encode(), value)
    digest = table.Digest(statement)
    for name, kind in (("rows", table.ROW), ("corrections", table.CORRECTION)):
        yield b'"%s":[' % name.encode()
        separator = "\n"
        for row in table.rows(statement, (kind,)):
            digest.add(row)
            yield f"{separator}{_object(row)}".encode()
            separator = ",\n"
        yield b"\n],\n"
    (total,) = table.rows(statement, (table.TOTAL,))
    digest.add(total)
    yield f'"total":{_object(total)},\n"statement_sha256":"{digest.hex()}"\n}}\n'.encode()


def _object(row: table.Row) -> str:
    return f'{row.json},"row_sha256":"{row.sha256}"}}'
