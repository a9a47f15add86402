"""What the agent asks: the tables that ship, and the values of hours that services gave, in one chain.

``factor`` is asked at every booking, so that everything is in memory: another thread reads the store and hands over
what is known (``learn``), by swapping one reference. Nothing here waits, reads a file or asks anybody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from tracker.core.chain import choose_hourly
from tracker.core.factors import OFFICIAL, Basis, Choice, FactorRow, FactorType, NoFactor, Step, choose_residual
from tracker.core.instruments import Instrument
from tracker.core.known import FactorRecord
from tracker.core.model import Factor, Finding, Level
from tracker.core.units import SLOT_S
from tracker.grid.catalogue import WORLD, Zone
from tracker.grid.interface import GridProvider
from tracker.grid.learnt import HOUR_S, Learnt, learnt_from
from tracker.grid.tables import DAY_S, TablesProvider
from tracker.grid.zones import find_zone, zone_path

#: Services publish an hour up to two hours after its end; so long their newest value stands in for later times.
PATIENCE_S = 3 * 3600
#: Slots whose factors are remembered: a day and some that are weighed late. Each costs two pointers.
_REMEMBERED = 512
#: A month of hours, and of days.
_MISSING = 31 * 24
_DAYS = 31
NO_RESIDUAL = "No residual mix is available for this market: the average of the grid stands in."

#: The supplier's rate at an instant, from the nearest market of the zone; None: nobody has a contract.
Rates = Callable[[Sequence[Step], int], Instrument | None]


@dataclass(frozen=True, slots=True)
class LiveState:
    """The newest value that a service gave. ``age_s``: since the end of its interval, 0 while it lasts."""

    provider: str
    zone: str
    intensity_mg_per_kwh: int
    valid_from_s: int
    valid_to_s: int
    recorded_at_s: int
    age_s: int


class ChainProvider(GridProvider):
    """``tiers``: which kinds may be used, best first; ``chain``: whose values, empty: everybody's. ``hourly``: whether
    ``factor`` goes by hours or by years; ``both`` always tells both.

    ``missing``: hours that were asked about since ``learn`` and have no value at all; whoever hands over what is known
    should look for them.
    """

    name = "chain"

    def __init__(
        self,
        tables: TablesProvider,
        *,
        tiers: Sequence[int],
        chain: Sequence[str] = (),
        hourly: bool = False,
        rates: Rates | None = None,
        patience_s: int = PATIENCE_S,
    ) -> None:
        self._tables = tables
        self._tiers, self._chain = tuple(tiers), tuple(chain)
        self._hourly, self._rates, self._patience_s = hourly, rates, patience_s
        self._known = Learnt()
        self._hours: dict[tuple[str, int], Factor] = {}
        self._markets: dict[tuple[str, int], Factor] = {}
        self._near: dict[str, tuple[FactorRow, ...]] = {}
        self._years: dict[tuple[str, int], tuple[Zone, tuple[Step, ...], Choice | NoFactor]] = {}
        self.missing: set[int] = set()

    def learn(self, records: Iterable[FactorRecord]) -> None:
        """Everything that is known of the node's zone by now, the newest record of each factor, of hours and of years.
        Takes the place of what was learnt before; may be called from another thread."""
        records = tuple(records)
        if self._tables.learn(records):
            self._years, self._near = {}, {}
        self._known = learnt_from(records)
        self._hours, self._markets = {}, {}  # the last: what is remembered in them is of everything above
        self.missing = set()

    def factor(self, zone: str, at_s: int) -> Factor:
        return self._hour(zone, at_s) if self._hourly else self._tables.factor(zone, at_s)

    def both(self, zone: str, at_s: int) -> tuple[Factor, Factor]:
        """By the year and by the hour, for those who print the difference. Raises UnknownZone."""
        return self._tables.factor(zone, at_s), self._hour(zone, at_s)

    def live_state(self, now_s: int) -> LiveState | None:
        """The newest value of a service; None: there is none. However old it is, its age is told."""
        known = self._known
        newest = max(known.newest, key=lambda row: (row.valid_to_s, -row.quality_tier), default=None)
        value = None if newest is None else newest.value_g_per_kwh
        if newest is None or value is None:
            return None
        return LiveState(
            provider=newest.origin.provider,
            zone=newest.zone,
            intensity_mg_per_kwh=round(value * 1000),
            valid_from_s=newest.valid_from_s,
            valid_to_s=newest.valid_to_s,
            recorded_at_s=known.since(newest) or 0,
            age_s=max(0, now_s - newest.valid_to_s),
        )

    def market(self, zone: str, at_s: int) -> Factor | None:
        """The supplier's rate, else the residual mix, else the grid's average with a note; None for the whole world,
        which is no market. Raises UnknownZone."""
        if zone == WORLD.code:
            return None
        key = (zone, at_s // SLOT_S)
        remembered = self._markets
        found = remembered.get(key)
        if found is None:
            found = self._market(zone, at_s)
            _remember(remembered, key, found)
        return found

    def check(self) -> tuple[Finding, ...]:
        findings = self._tables.check()
        if not self._chain:
            return (*findings, *self._check_type())
        rows = len(self._known.recorded_at_s)
        level, what = (Level.OK, f"{rows} value{'s' * (rows > 1)}") if rows else (Level.WARN, "nothing")
        remedy = "" if rows else "The daemon asks them; or at once: wattledger grid fetch"
        services = ", ".join(self._chain)
        found = Finding(level, "grid", f"The store has {what} of {services} for this zone.", remedy)
        return (*findings, found, *self._check_type())

    def _check_type(self) -> Iterator[Finding]:
        """Whether the hours are of the type that Scope 2 wants."""
        kinds = {row.factor_type for row in self._known.newest}
        if self._hourly and kinds == {FactorType.LIFECYCLE}:
            message = "The hours of this zone are life-cycle values: the location-based counter is no Scope 2 figure."
            remedy = 'Put a service with direct values first in the chain, or set location_factor = "annual".'
            yield Finding(Level.WARN, "grid", message, remedy)

    def _hour(self, zone: str, at_s: int) -> Factor:
        key = (zone, at_s // SLOT_S)
        remembered, known = self._hours, self._known
        found = remembered.get(key)
        if found is None:
            found = self._chosen(zone, at_s, known)
            _remember(remembered, key, found)
            if found.intensity_mg_per_kwh is None and len(self.missing) < _MISSING:
                self.missing.add(at_s // HOUR_S * HOUR_S)
        return found

    def _chosen(self, zone: str, at_s: int, known: Learnt) -> Factor:
        day, years = (zone, at_s // DAY_S), self._years
        if day not in years:
            if len(years) > _DAYS:
                years.clear()
            place = find_zone(zone)
            years[day] = (place, zone_path(place), self._tables.choose(place, at_s))
        place, path, yearly = years[day]
        choice = choose_hourly(known.near(at_s), yearly, path, at_s, self._tiers, self._chain, self._patience_s)
        match choice:
            case NoFactor(reason):
                note = f"No emissions for {place.name}: {reason.rstrip('.')}."
                return replace(self._tables.factor(zone, at_s), note=note)
            case Choice(row=row, steps=steps):
                since_s = known.since(row)
                if since_s is not None:
                    return choice.as_factor(row.origin.provider, since_s)
                by_year = self._tables.factor(zone, at_s)
                return replace(by_year, note=_noted(steps, by_year.note), flagged=bool(steps))
            case _:
                assert_never(choice)

    def _market(self, zone: str, at_s: int) -> Factor:
        place = find_zone(zone)
        path = zone_path(place)
        rate = self._rates(path, at_s) if self._rates else None
        if rate is not None:
            return _of_supplier(rate, place.code)
        average = self.factor(zone, at_s)
        unlike = replace(average, factor_id=f"{average.factor_id}:market", basis="market", flagged=True)
        match choose_residual(self._residuals(place, path), path, at_s):
            case Choice(row=row) as choice:
                return replace(choice.as_factor(row.origin.provider, self._tables.since(row)), basis="market")
            case NoFactor(reason, by_rule=True):
                return replace(unlike, intensity_mg_per_kwh=None, source="", note=f"No residual mix: {reason}")
            case NoFactor():
                return replace(unlike, note=_noted((NO_RESIDUAL,), average.note))
            case answer:
                assert_never(answer)

    def _residuals(self, zone: Zone, path: Sequence[Step]) -> tuple[FactorRow, ...]:
        """Those of the tables that the zone may use; read once."""
        near = self._near
        if zone.code not in near:
            places = {step.zone for step in path}
            rows = (row for row in self._tables.rows() if row.zone in places and row.basis is Basis.RESIDUAL)
            near[zone.code] = tuple(rows)
        return near[zone.code]


def _of_supplier(rate: Instrument, zone: str) -> Factor:
    return Factor(
        factor_id=f"supplier:{rate.key}",
        zone=zone,
        intensity_mg_per_kwh=round(rate.g_per_kwh * 1000),
        factor_type="unspecified",
        basis="market",
        tier=OFFICIAL,
        provider="instruments",
        source=rate.source,
        valid_from_s=rate.valid_from_s,
        recorded_at_s=rate.valid_from_s,
        valid_to_s=rate.valid_to_s,
    )


def _noted(steps: Iterable[str], note: str) -> str:
    """Steps in front of a note, each said once."""
    return " ".join((*(step for step in steps if step not in note), note)).strip()


def _remember(slots: dict[tuple[str, int], Factor], key: tuple[str, int], factor: Factor) -> None:
    if len(slots) >= _REMEMBERED:
        slots.clear()
    slots[key] = factor
