"""How factor rows lie in the store's table ``factor``: one function each way. No SQL is run here."""

from __future__ import annotations

from dataclasses import fields
from operator import attrgetter
from typing import Any

from tracker.core.factors import Basis, FactorRow, FactorType, Origin, Scheme
from tracker.core.known import FactorRecord

Row = tuple[Any, ...]

_ORIGIN = tuple(field.name for field in fields(Origin))
_PLAIN = tuple(field.name for field in fields(FactorRow) if field.name != "origin")
#: Column names are the field names, so that a new field without its migration fails the first test.
COLUMNS = ("number", "recorded_at_s", "supersedes", *_PLAIN, *_ORIGIN)
COLUMN_LIST = ", ".join(COLUMNS)

_plain_values = attrgetter(*_PLAIN)
_origin_values = attrgetter(*_ORIGIN)


def text(value: str) -> str:
    """Text that UTF-8 can hold: a lone surrogate becomes U+FFFD, for a note must not keep a factor out."""
    if value.isascii():
        return value
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def values_of(record: FactorRecord) -> Row:
    """In the order of COLUMNS."""
    row = record.row
    raw = (record.number, record.recorded_at_s, record.supersedes, *_plain_values(row), *_origin_values(row.origin))
    return tuple([text(str(value)) if isinstance(value, str) else value for value in raw])


def record_of(values: Row) -> FactorRecord:
    """From values in the order of COLUMNS. Raises ValueError for a kind that this version does not know."""
    number, recorded_at_s, supersedes, *rest = values
    plain, origin = rest[: len(_PLAIN)], rest[len(_PLAIN) :]
    head, (factor_type, basis, scheme), tail = plain[:7], plain[7:10], plain[10:]
    tail[_TD] = _flag(tail[_TD])
    origin[_ESTIMATED], origin[_IMPUTED] = _flag(origin[_ESTIMATED]), _flag(origin[_IMPUTED])
    row = FactorRow(*head, FactorType(factor_type), Basis(basis), Scheme(scheme), *tail, Origin(*origin))
    return FactorRecord(row, recorded_at_s, number, supersedes)


_TD = _PLAIN.index("includes_td") - 10
_ESTIMATED, _IMPUTED = _ORIGIN.index("is_estimated"), _ORIGIN.index("imputed")


def sound(row: FactorRow) -> FactorRow:
    """The row as the store keeps it: with text that UTF-8 can hold."""
    texts = (*_plain_values(row), *_origin_values(row.origin))
    if all(value.isascii() or text(value) == value for value in texts if isinstance(value, str)):
        return row
    return record_of(values_of(FactorRecord(row, 0, 0))).row


def _flag(value: int | None) -> bool | None:
    return None if value is None else bool(value)
