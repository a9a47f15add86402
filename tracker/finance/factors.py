"""Which factor weighs a zone and an hour in a statement: everything that was known by ``as_of_s``, from the tables that
ship and from the books (factors/*.json, which nodes and ``wattledger ship --factors`` put there).

Unlike the node, which books as time goes by, a statement lets no newest value stand in for a later hour: what is not
known at its time is weighed by the yearly factor, which says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tracker.core.chain import INTERVAL_TIERS, choose_hourly, may_be_used
from tracker.core.factors import (
    LAST_RESORT,
    Choice,
    FactorRow,
    FactorType,
    NoFactor,
    Step,
    choose_location,
    choose_residual,
)
from tracker.core.hours import HOUR_S
from tracker.core.known import FactorRecord, read_last
from tracker.core.pairing import Pair, choose_pair
from tracker.core.units import SLOT_S
from tracker.grid.catalogue import WORLD
from tracker.grid.shipped import collected_s
from tracker.grid.yearly import with_learnt
from tracker.grid.zones import find_zone, zone_path

Answer = Choice | NoFactor
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Policy:
    """Which kinds of factor may be used for a zone, best first, and whose; an empty chain: everybody's."""

    tiers: tuple[int, ...]
    chain: tuple[str, ...] = ()

    @property
    def yearly(self) -> tuple[int, ...]:
        return tuple(tier for tier in self.tiers if tier not in INTERVAL_TIERS)


@dataclass(slots=True)
class FactorBook:
    """Rows by zone, and the choices that were made of them, each once. ``tables``: yearly factors, what ships and what
    somebody brought in; ``hours``: by the hours that they touch."""

    tables: Mapping[str, tuple[FactorRow, ...]]
    hours: Mapping[str, Mapping[int, tuple[FactorRow, ...]]]
    recorded_at_s: Mapping[str, int]
    policies: Mapping[str, Policy]
    _yearly: dict[tuple[str, int], Answer] = field(default_factory=dict)
    _hourly: dict[tuple[str, int], tuple[Answer, ...]] = field(default_factory=dict)
    _residual: dict[tuple[str, int], Answer] = field(default_factory=dict)
    _pairs: dict[tuple[str, int], Pair | None] = field(default_factory=dict)

    def annual(self, zone: str, at_s: int) -> Answer:
        """By the year; official tables change at midnight."""
        key = (zone, at_s // _DAY_S)
        if key not in self._yearly:
            path, tiers = self._path(zone), self.policies[zone].yearly
            if zone == WORLD.code:
                tiers = (LAST_RESORT,)
            elif LAST_RESORT in tiers:
                path = (*path, *zone_path(WORLD))
            self._yearly[key] = choose_location(self._tables(path), path, at_s, tiers)
        return self._yearly[key]

    def hourly(self, zone: str, hour_s: int) -> tuple[Answer, ...]:
        """By the hour, where there is a value of this very time: one answer, or one for each twelfth of the hour where
        intervals are shorter."""
        key = (zone, hour_s)
        if key not in self._hourly:
            path, policy = self._path(zone), self.policies[zone]
            live = [row for step in path for row in self.hours.get(step.zone, {}).get(hour_s // HOUR_S, ())]
            short = any(row.valid_to_s - row.valid_from_s < HOUR_S for row in live)
            instants = range(hour_s, hour_s + HOUR_S, SLOT_S if short else HOUR_S)
            self._hourly[key] = tuple(
                choose_hourly(live, self.annual(zone, at_s), path, at_s, policy.tiers, policy.chain)
                for at_s in instants
            )
        return self._hourly[key]

    def residual(self, zone: str, at_s: int) -> Answer:
        key = (zone, at_s // _DAY_S)
        if key not in self._residual:
            path = self._path(zone)
            self._residual[key] = choose_residual(self._tables(path), path, at_s)
        return self._residual[key]

    def pair(self, zone: str, at_s: int) -> Pair | None:
        """A direct and a life-cycle factor of one place and year, of the nearest place of the zone's path that has two:
        two places would differ by their grids, not by what is upstream."""
        key = (zone, at_s // _DAY_S)
        if key not in self._pairs:
            self._pairs[key] = self._pair(zone, at_s)
        return self._pairs[key]

    def _pair(self, zone: str, at_s: int) -> Pair | None:
        tiers = self.policies[zone].yearly
        found = (choose_pair(self._tables((step,)), step.zone, at_s, tiers) for step in self._path(zone))
        return next(filter(None, found), None)

    def lifecycle_of_hour(self, direct: FactorRow, hour_s: int) -> FactorRow | None:
        """The life-cycle value of the service that gave a direct one, of the same place and interval."""
        rows = self.hours.get(direct.zone, {}).get(hour_s // HOUR_S, ())
        fitting = (
            row
            for row in rows
            if row.factor_type is FactorType.LIFECYCLE
            and (row.origin.provider, row.valid_from_s, row.valid_to_s)
            == (direct.origin.provider, direct.valid_from_s, direct.valid_to_s)
        )
        return next(fitting, None)

    def since(self, row: FactorRow) -> int:
        """Since when it is known."""
        return self.recorded_at_s.get(row.factor_id, collected_s(row))

    def _tables(self, path: Sequence[Step]) -> list[FactorRow]:
        return [row for zone in dict.fromkeys(step.zone for step in path) for row in self.tables.get(zone, ())]

    @staticmethod
    def _path(zone: str) -> tuple[Step, ...]:
        return zone_path(find_zone(zone))


def factor_book(
    tables: Iterable[FactorRow], records: Iterable[FactorRecord], policies: Mapping[str, Policy], as_of_s: int
) -> FactorBook:
    """Of what was known at ``as_of_s``: of the tables no row before it was collected. Yearly factors among the records
    stand beside the tables."""
    known = read_last(records, as_of_s)
    by_zone: dict[str, list[FactorRow]] = {}
    for row in with_learnt((row for row in tables if collected_s(row) <= as_of_s), known):
        by_zone.setdefault(row.zone, []).append(row)
    hours: dict[str, dict[int, tuple[FactorRow, ...]]] = {}
    for row in (record.row for record in known if may_be_used(record.row)):
        of_zone = hours.setdefault(row.zone, {})
        for hour in range(row.valid_from_s // HOUR_S, (row.valid_to_s - 1) // HOUR_S + 1):
            of_zone[hour] = (*of_zone.get(hour, ()), row)
    recorded = {record.row.factor_id: record.recorded_at_s for record in known}
    return FactorBook({zone: tuple(rows) for zone, rows in by_zone.items()}, hours, recorded, policies)
