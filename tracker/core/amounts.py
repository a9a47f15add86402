"""Arithmetic on the additive columns of a statement, where a column may be not known (None)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

from tracker.core.statement import Amounts

COLUMNS = tuple(each.name for each in fields(Amounts))
#: Columns of which nothing is said yet are not known, rather than 0.
NOTHING = Amounts(0, 0, 0, 0, 0, 0, None, None, None, None, None, None)


def plus(one: Amounts, other: Amounts) -> Amounts:
    """Of each column the known part: not known only where neither is."""

    def added(column: str) -> int | None:
        a: int | None = getattr(one, column)
        b: int | None = getattr(other, column)
        return b if a is None else a if b is None else a + b

    return _amounts(added)


def minus(now: Amounts, before: Amounts) -> Amounts:
    """The delta, so that adding it to ``before`` gives ``now`` wherever nothing became unknown."""

    def left(column: str) -> int | None:
        value = getattr(now, column)
        return None if value is None else value - (getattr(before, column) or 0)

    return _amounts(left)


def gone(before: Amounts) -> Amounts:
    """A row that is no more: 0 in every column that was known."""
    return _amounts(lambda column: None if getattr(before, column) is None else 0)


def changes(before: Amounts, delta: Amounts) -> bool:
    """Whether a delta says anything: an amount, or that what was not known is known."""
    values = ((getattr(delta, column), getattr(before, column)) for column in COLUMNS)
    return any(value or (value is not None and known is None) for value, known in values)


def lost(before: Amounts, now: Amounts) -> tuple[str, ...]:
    """Columns that were known and are not any more: no addition says that."""
    return tuple(c for c in COLUMNS if getattr(before, c) is not None and getattr(now, c) is None)


def _amounts(value_of: Callable[[str], int | None]) -> Amounts:
    return Amounts(**{column: value_of(column) for column in COLUMNS})  # type: ignore[arg-type] # None stays where it was
