"""What rows are grouped and filtered by, as SQL over the lake's columns and over what a place means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tracker.core.errors import UsageError
from tracker.core.statement import DIMENSIONS

#: Kinds of energy that no workload used. They are rows of their own in every column that names who pays.
REMAINDERS = ("idle", "unallocated", "unattributed", "system", "other")
#: Of the whole statement, and of places: known once a place is, after the scan.
OF_PLACES = {"entity": "$entity", "site": "site", "grid_zone": "zone", "control": "control"}
_OF_PAYERS = ("cost_centre", "team", "project")


def _in_lake(dimension: str) -> str:
    column = f"coalesce(\"{COLUMNS.get(dimension, dimension)}\", '')"
    if dimension in _OF_PAYERS:
        return f"CASE WHEN {column} = '' AND {REMAINDER} THEN '__' || kind || '__' ELSE {column} END"
    return column


#: Where a dimension has another name in the lake.
COLUMNS = {"workload_kind": "kind"}
REMAINDER = f"kind IN ({', '.join(repr(kind) for kind in REMAINDERS)})"
#: Of rows of the lake, by dimension. A column that older files lack is null.
OF_ROWS = {name: _in_lake(name) for name in DIMENSIONS if name not in OF_PLACES}


@dataclass(frozen=True, slots=True)
class Wanted:
    """``group_by``: dimensions in the order of the columns. ``filters``: (dimension, pattern with * ? [ ]); several of
    one dimension are alternatives, several dimensions must all fit."""

    group_by: tuple[str, ...]
    filters: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        """Raises UsageError for what is no dimension."""
        for name in (*self.group_by, *(name for name, _ in self.filters)):
            if name not in DIMENSIONS:
                raise UsageError(
                    f"{name[:40]!r} is nothing to group or filter by.", f"There are: {', '.join(DIMENSIONS)}."
                )
        if not self.group_by or len(set(self.group_by)) < len(self.group_by):
            raise UsageError("Rows need a dimension to be grouped by, and each only once.", "Such as: team,project")

    @property
    def of_rows(self) -> tuple[str, ...]:
        """The dimensions that are in the lake's rows."""
        return tuple(name for name in self.group_by if name in OF_ROWS)

    @property
    def columns(self) -> tuple[str, ...]:
        """What the scan has to tell apart for them."""
        return tuple(sorted({COLUMNS.get(name, name) for name in self.of_rows} | {"kind", "component", "device_model"}))

    def condition(self, columns: dict[str, str]) -> tuple[str, list[str]]:
        """The filters on these dimensions as SQL with its parameters; "true" without any."""
        alternatives: dict[str, list[str]] = {}
        for name, pattern in self.filters:
            if name in columns:
                alternatives.setdefault(name, []).append(pattern)
        parts = [
            f"({' OR '.join([f'({columns[name]}) GLOB ?'] * len(patterns))})" for name, patterns in alternatives.items()
        ]
        return " AND ".join(parts) or "true", [pattern for patterns in alternatives.values() for pattern in patterns]


def sorted_filters(filters: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Each once, in an order that does not depend on how they were written."""
    return tuple(sorted(set(filters)))
