"""How factor rows lie in the store's table ``factor``, and which of them may. No SQL is run here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from operator import attrgetter
from typing import Any

from tracker.core.chain import INTERVAL_TIERS, is_of_hours
from tracker.core.factors import LAST_RESORT, MEASURED, Basis, FactorRow, FactorType, Origin, Scheme
from tracker.core.known import FactorRecord
from tracker.grid.answers import MAX_G_PER_KWH

Row = tuple[Any, ...]

_LATEST_S = 7_258_118_400  # 2200-01-01

_ORIGIN = tuple(field.name for field in fields(Origin))
_PLAIN = tuple(field.name for field in fields(FactorRow) if field.name != "origin")
#: Column names are the field names, so that a new field without its migration fails the first test.
COLUMNS = ("number", "recorded_at_s", "supersedes", *_PLAIN, *_ORIGIN)
COLUMN_LIST = ", ".join(COLUMNS)

_plain_values = attrgetter(*_PLAIN)
_origin_values = attrgetter(*_ORIGIN)


def _flag(value: int | None) -> bool | None:
    return None if value is None else bool(value)


#: What is no plain text or whole number, by its place.
_MADE_PLAIN: tuple[tuple[int, Callable[[Any], object]], ...] = (
    (_PLAIN.index("factor_type"), FactorType),
    (_PLAIN.index("basis"), Basis),
    (_PLAIN.index("scheme"), Scheme),
    (_PLAIN.index("includes_td"), _flag),
)
_ESTIMATED, _IMPUTED = _ORIGIN.index("is_estimated"), _ORIGIN.index("imputed")


def text(value: str) -> str:
    """Text that UTF-8 can hold and a terminal can print, for a note must not keep a factor out: other characters (a
    lone surrogate, an escape sequence, a mark that turns the direction of writing) become U+FFFD, odd spaces spaces."""
    if value.isprintable():
        return value
    return "".join(char if char.isprintable() else " " if char.isspace() else "\ufffd" for char in value)


def values_of(record: FactorRecord) -> Row:
    """In the order of COLUMNS."""
    row = record.row
    raw = (record.number, record.recorded_at_s, record.supersedes, *_plain_values(row), *_origin_values(row.origin))
    return tuple([text(str(value)) if isinstance(value, str) else value for value in raw])


def record_of(values: Row) -> FactorRecord:
    """From values in the order of COLUMNS. Raises ValueError for a kind that this version does not know."""
    number, recorded_at_s, supersedes, *rest = values
    plain, origin = rest[: len(_PLAIN)], rest[len(_PLAIN) :]
    for place, made in _MADE_PLAIN:
        plain[place] = made(plain[place])
    origin[_ESTIMATED], origin[_IMPUTED] = _flag(origin[_ESTIMATED]), _flag(origin[_IMPUTED])
    plain.append(Origin(*origin))
    return FactorRecord(FactorRow(*plain), recorded_at_s, number, supersedes)


def sound(row: FactorRow) -> FactorRow:
    """The row as the store keeps it: with text that can be printed."""
    texts = (*_plain_values(row), *_origin_values(row.origin))
    if all(value.isprintable() for value in texts if isinstance(value, str)):
        return row
    return record_of(values_of(FactorRecord(row, 0, 0))).row


def why_unusable(row: FactorRow) -> str:
    """What is wrong with the value, interval or tier of a row, for the end of a sentence; "" if nobody would stumble
    over it. A row without a value is in order: its publisher says that there is none."""
    printed = f"{row.value_printed[:40]} {row.unit_printed[:20]}"
    try:
        value = row.value_g_per_kwh
    except (ArithmeticError, KeyError):
        return f"has the value {printed!r}, which cannot be read."
    if value is not None and not (value.is_finite() and 0 <= value <= MAX_G_PER_KWH):
        return f"has the value {printed}, which no grid has."
    dated = 0 <= row.valid_from_s < row.valid_to_s <= _LATEST_S
    if not dated and (row.valid_from_s, row.valid_to_s) != (0, 0):
        return "has an interval that ends before it begins, or lies in no usable year."
    if not MEASURED <= row.quality_tier <= LAST_RESORT:
        return f"has the tier {row.quality_tier}: there are 1 to 6."
    if row.quality_tier in INTERVAL_TIERS and not is_of_hours(row):
        return f"has the tier {row.quality_tier} and no interval of at most two days: a year's value is of tier 4 or 5."
    return ""
