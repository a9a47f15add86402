"""Committed totals of a piece of work, over all its label sets."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

import msgspec

from tracker.core.snapshot import Tally
from tracker.workloads.declared.protocol import Part

MAX_OUTER = 1024
MAX_INNER = 1024


class Booked(Protocol):
    """What a snapshot or the ledger says of one label set."""

    @property
    def tallies(self) -> tuple[Tally, ...]: ...

    @property
    def emissions_ug(self) -> Mapping[str, int]: ...

    @property
    def units(self) -> Mapping[str, int]: ...


class Totals(msgspec.Struct):
    """Energy, idle part and held time by "component/method", emissions by basis, units by name."""

    parts: dict[str, list[int]] = {}
    emissions_ug: dict[str, int] = {}
    units: dict[str, int] = {}

    def add(self, other: Totals, sign: int = 1) -> None:
        """Add or subtract. Nothing falls below 0: what was there at a run's beginning is never more than at its end."""
        for key, amounts in other.parts.items():
            mine = self.parts.get(key, [0, 0, 0])
            self.parts[key] = [max(0, old + sign * new) for old, new in zip(mine, amounts, strict=True)]
        for ours, theirs in ((self.emissions_ug, other.emissions_ug), (self.units, other.units)):
            for name, amount in theirs.items():
                ours[name] = max(0, ours.get(name, 0) + sign * amount)

    def rows(self) -> tuple[Part, ...]:
        return tuple(
            Part(component, method, *amounts)
            for key, amounts in self.parts.items()
            for component, _, method in (key.partition("/"),)
        )


def total(booked: Iterable[Booked]) -> Totals:
    """The sum of label sets."""
    found = Totals()
    for one in booked:
        parts = {f"{t.component}/{t.method}": [t.energy_uj, t.idle_uj, t.held_ms] for t in one.tallies}
        found.add(Totals(parts, dict(one.emissions_ug), dict(one.units)))
    return found


class Nesting:
    """Which runs were declared inside which, each with what was booked on it before. Bounded: the oldest go."""

    def __init__(self) -> None:
        self.inner: OrderedDict[str, dict[str, Totals]] = OrderedDict()

    def put(self, outer: str, inner: str, before: Totals) -> bool:
        """Returns whether that is new."""
        runs = self.inner.setdefault(outer, {})
        self.inner.move_to_end(outer)
        if inner in runs or len(runs) >= MAX_INNER:
            return False
        runs[inner] = before
        while len(self.inner) > MAX_OUTER:
            self.inner.popitem(last=False)
        return True

    def inside(self, outer: str, seen: frozenset[str] = frozenset()) -> Iterator[tuple[str, Totals]]:
        """Every run inside a run, at any depth, once."""
        for inner, before in self.inner.get(outer, {}).items():
            if inner not in seen and inner != outer:
                yield inner, before
                yield from self.inside(inner, seen | {outer, inner})
