"""Idle energy handed on to those who work: rows beside the others that net to zero, on request only.

Each remainder of no workload (``__idle__`` and its like) is taken back in a row below zero and shared out among rows
of the same place and component by their own energy: in printed integers, so that every column still foots.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from tracker.books.dimensions import REMAINDERS
from tracker.books.rows import row_id
from tracker.core.errors import UsageError
from tracker.core.rounding import apportion
from tracker.core.statement import Amounts, Line, Ratios

ALLOCATION = "allocation"
_PAYERS = ("cost_centre", "team", "project")
#: Where energy is: it is handed on within these, never across.
_WHERE = ("entity", "site", "grid_zone", "component", "control", "cluster", "hostname")
_NAMES = frozenset(f"__{kind}__" for kind in REMAINDERS)
#: Shared out each by itself; IT and facility energy are sums of some of them, as in every other row.
_SUMMED = frozenset({"energy_it_wh", "energy_facility_wh"})
_SHARED = ("modelled_wh", "energy_overhead_wh", *(f.name for f in fields(Amounts) if f.name not in _SUMMED))


def allocate_idle(month: str, group_by: Sequence[str], rows: Sequence[Line]) -> tuple[Line, ...]:
    """The rows that are to be added, in the order of their keys. Where nobody worked a remainder stays what it is.
    Raises UsageError when rows do not say who pays."""
    payers = [n for n, name in enumerate(group_by) if name in _PAYERS]
    if not payers:
        raise UsageError("Idle energy can only be handed on to somebody.", f"Group by one of: {', '.join(_PAYERS)}.")
    where = [n for n, name in enumerate(group_by) if name in _WHERE]
    pools: dict[tuple[str, ...], tuple[list[Line], list[Line]]] = {}
    for row in rows:
        place = (*(row.key[n] for n in where), row.scope, row.category)
        remainders, working = pools.setdefault(place, ([], []))
        (remainders if any(row.key[n] in _NAMES for n in payers) else working).append(row)
    added = [line for pool in pools.values() for line in _handed_on(month, *pool)]
    return tuple(sorted(added, key=lambda line: (line.key, line.scope, line.category)))


def _handed_on(month: str, remainders: Sequence[Line], working: Sequence[Line]) -> Iterable[Line]:
    weights = [row.amounts.energy_it_wh for row in working]
    if not any(weights):  # what buildings add, where that is booked apart
        weights = [row.amounts.energy_overhead_wh for row in working]
    if not remainders or not any(weights):
        return
    for row in remainders:
        yield _line(month, row, {name: _negative(getattr(row.amounts, name)) for name in _SHARED})
    shares: list[dict[str, int | None]] = [{} for _ in working]
    for name in _SHARED:
        values = [getattr(row.amounts, name) for row in remainders]
        known = [value for value in values if value is not None]
        parts: Sequence[int | None] = apportion(sum(known), weights) if known else [None] * len(weights)
        for share, part in zip(shares, parts, strict=True):
            share[name] = part
    for row, share in zip(working, shares, strict=True):
        if any(share.values()):
            yield _line(month, row, share)


def _negative(value: int | None) -> int | None:
    return None if value is None else -value


def _line(month: str, row: Line, shared: Mapping[str, int | None]) -> Line:
    amounts: dict[str, Any] = dict(shared)
    it_wh = amounts.pop("modelled_wh") + amounts["measured_wh"] + amounts["simulated_wh"]
    return replace(
        row,
        row_id=row_id(month, row.key, row.scope, row.category, ALLOCATION),
        amounts=Amounts(energy_it_wh=it_wh, energy_facility_wh=it_wh + amounts.pop("energy_overhead_wh"), **amounts),
        ratios=Ratios(None, None, None),
        kind=ALLOCATION,
    )
