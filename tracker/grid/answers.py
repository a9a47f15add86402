"""What every provider does with an answer: decode it, read its times and values, put its intervals in order.

Everything that a service may get wrong ends here as BadAnswer, so that nothing of such an answer is used.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeVar

import msgspec

from tracker.core.factors import FactorRow, g_per_kwh
from tracker.grid.interface import Answer, BadAnswer

#: No grid lies above 1,306 g/kWh in a year and none above this in an hour; more is a mistake of units.
MAX_G_PER_KWH = 2000
_SHOWN = 60
_MOST_DIGITS = 40
_FIRST_YEAR, _LAST_YEAR = 1960, 2100

_Shape = TypeVar("_Shape")


def decode(service: str, answer: Answer, shape: type[_Shape]) -> _Shape:
    """The JSON of an answer as a msgspec struct (unknown fields are let pass; numbers may be Decimal). Raises
    BadAnswer."""
    try:
        return msgspec.json.decode(answer.body, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        looks = "HTML" if answer.body.lstrip()[:1] == b"<" else f"not understood ({error})"
        raise BadAnswer(f"{service} answered with something that is {looks}.", "Try again later.") from error


def instant_s(service: str, text: str) -> int:
    """UTC seconds of an ISO 8601 time that says its offset. Raises BadAnswer."""
    at = None
    with contextlib.suppress(ValueError):
        at = datetime.fromisoformat(text)
    if at is None or at.tzinfo is None or not _FIRST_YEAR <= at.year <= _LAST_YEAR:
        raise BadAnswer(f"{service} answered with the time {text[:_SHOWN]!r}, which says no instant.")
    return int(at.timestamp())


def iso(at_s: int) -> str:
    """2026-10-03T14:00:00Z."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def printed(service: str, value: Decimal | int, unit: str) -> str:
    """A value as it was printed, if a grid can have it. Raises BadAnswer for one that is negative, absurd or no
    number."""
    number = Decimal(value)
    if not number.is_finite() or len(number.as_tuple().digits) > _MOST_DIGITS or not _possible(number, unit):
        raise BadAnswer(f"{service} answered with {value} {unit}, which no grid has.", "Nothing of the answer is used.")
    return str(value)


def _possible(number: Decimal, unit: str) -> bool:
    try:
        return 0 <= g_per_kwh(number, unit) <= MAX_G_PER_KWH
    except ArithmeticError:  # too far from 1 to be converted exactly
        return False


def in_order(service: str, rows: Iterable[FactorRow]) -> tuple[FactorRow, ...]:
    """By start, each interval once. The same one twice with the same value is one, and a value says more than none;
    raises BadAnswer where an answer contradicts itself or its intervals overlap."""
    ordered: list[FactorRow] = []
    for row in sorted(rows, key=lambda row: (row.valid_from_s, row.value_printed == "")):
        last = ordered[-1] if ordered else None
        if last is None or row.valid_from_s >= last.valid_to_s:
            ordered.append(row)
        elif not row.value_printed:
            continue
        elif not last.value_printed:
            ordered[-1] = row
        elif (row.valid_from_s, row.valid_to_s, row.value_printed) != (
            last.valid_from_s,
            last.valid_to_s,
            last.value_printed,
        ):
            raise BadAnswer(f"{service} contradicts itself about the interval from {iso(row.valid_from_s)}.")
    return tuple(ordered)
