"""Which row is meant: by its id, as the exports print it, or the beginning of it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from tracker.books.allocation import allocate_idle
from tracker.books.rows import TOTAL
from tracker.core.errors import UsageError
from tracker.core.plain import plain
from tracker.core.statement import Correction, Line

_NEAREST = 5


def find_row(
    lines: Sequence[Line], row: str, month: str, group_by: Sequence[str], corrections: Sequence[Correction]
) -> int:
    """The place of a row by its id or the beginning of it. Raises UsageError, which lists the nearest."""
    wanted = row.strip().lower()
    found = [n for n, line in enumerate(lines) if wanted and line.row_id.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    if wanted == TOTAL:
        raise UsageError("The total is the sum of the rows.", "Trace one of them: --row ID")
    if found:
        raise UsageError(f"{row} is the beginning of {len(found)} rows.", _listed(lines[n] for n in found))
    if wanted:
        _refuse_derived(lines, wanted, month, group_by, corrections)
    by_id = {line.row_id: line for line in lines}
    near = difflib.get_close_matches(wanted, by_id, n=_NEAREST, cutoff=0.0)
    raise UsageError(f"There is no row {row[:40]}.", _listed(by_id[each] for each in near))


def _refuse_derived(
    lines: Sequence[Line], wanted: str, month: str, group_by: Sequence[str], corrections: Sequence[Correction]
) -> None:
    """Rows that have no entries of their own."""
    for each in corrections:
        if each.line.row_id.startswith(wanted):
            remedy = f"Trace that month: wattledger trace {each.restates_period} --row {wanted}"
            raise UsageError(f"{wanted} is a correction of {each.restates_period}, posted in this month.", remedy)
    if not any(line.row_id.startswith(wanted) for line in _handed_on(lines, month, group_by)):
        return
    idle = (line for line in lines if any(part.startswith("__") for part in line.key))
    raise UsageError(
        f"{wanted} is idle energy handed on to those who worked: it moves, and nets to zero.",
        f"Trace the row that it is from. {_listed(idle)}",
    )


def _handed_on(lines: Sequence[Line], month: str, group_by: Sequence[str]) -> tuple[Line, ...]:
    try:
        return allocate_idle(month, group_by, lines)
    except UsageError:  # rows that do not say who pays have nothing to hand on
        return ()


def _listed(lines: Iterable[Line]) -> str:
    told = [f"{line.row_id} ({plain(' / '.join(part or '-' for part in line.key))})" for line in lines]
    more = f" and {len(told) - _NEAREST} more" if len(told) > _NEAREST else ""
    return f"There are: {', '.join(told[:_NEAREST])}{more}." if told else "The month has no rows."
