"""Weighs what is about to be booked by every basis at once, and remembers what could not be weighed yet.

Three bases, never added up: ``location`` (the grid of the place), ``market`` (contracts; Scope 2 Guidance of the GHG
Protocol), ``embodied`` (the making of the devices, by held time). Each slot goes by the factor of its own time.

Energy whose factor has no value yet is told to the ledger, where it waits; here only its hours are known, so that a
month without a factor costs a few hundred numbers. With every booking a few of those hours are looked at, and what has
a value by now is weighed: in the open slot, because closed slots never change.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tracker.core.amortising import EmbodiedRates, Rate, amortise, rates_for
from tracker.core.carbon import energies, weigh
from tracker.core.model import EmissionEntry, Entry, Factor, Sensor, UnweighedEntry, Workload
from tracker.core.units import SLOT_S

LOCATION, MARKET = "location", "market"
HOUR_S = 3600
#: So long energy waits for its factor.
WAITS_S = 31 * 86_400
#: Hours looked at in a booking, and rows after which the rest waits for the next one: a node that gets a month's
#: factors at once must not book for seconds.
HOURS_AT_ONCE, ROWS_AT_ONCE = 4, 500

#: The factor of a basis at a time (UTC seconds). None: this basis is not asked for; without a value: not known yet.
FactorAt = Callable[[int], Factor | None]
#: What waits in the ledger: by slot and basis.
Waiting = Callable[[int, str], Sequence[UnweighedEntry]]


@dataclass(slots=True)
class Weights:
    """What a booking gets. It is settled once the booking is committed, and dropped if it is not."""

    emissions: list[EmissionEntry] = field(default_factory=list)
    unweighed: list[UnweighedEntry] = field(default_factory=list)
    factors: dict[tuple[str, str], Factor] = field(default_factory=dict)  # by id and basis
    remainders: dict[str, dict[Workload, int]] = field(default_factory=dict)  # by basis
    embodied: dict[tuple[Workload, str], int] = field(default_factory=dict)
    done: list[tuple[str, int]] = field(default_factory=list)  # basis and hour of which nothing waits any more


class Scales:
    """Remainders, hours that wait, and rates. Time comes in with each call; nothing is read here."""

    def __init__(
        self,
        factors: Mapping[str, FactorAt],
        pue: Callable[[int], int],
        embodied: EmbodiedRates,
        waiting: Mapping[str, Iterable[int]],
    ) -> None:
        self.rates: Mapping[str, Rate] = {}
        self._factors, self._pue, self._embodied = factors, pue, embodied
        self._sensors: Mapping[str, Sensor] = {}
        self._remainders: dict[str, dict[Workload, int]] = {basis: {} for basis in factors}
        self._embodied_remainders: dict[tuple[Workload, str], int] = {}
        self._hours = {basis: deque(waiting.get(basis, ())) for basis in factors}

    def weigh(self, entries: Sequence[Entry], sensors: Mapping[str, Sensor], now_s: int) -> Weights:
        """What these entries weigh, and which of their energy has to wait."""
        weights = Weights(
            remainders={basis: dict(rests) for basis, rests in self._remainders.items()},
            embodied=dict(self._embodied_remainders),
        )
        for slot_start_s, energy_uj in energies(entries).items():
            for basis in self._factors:
                self._weigh_slot(weights, basis, slot_start_s, energy_uj)
        self._amortise(weights, entries, sensors, now_s)
        return weights

    def _weigh_slot(self, weights: Weights, basis: str, slot_start_s: int, energy_uj: Mapping[Workload, int]) -> None:
        factor = self._factor(weights, basis, slot_start_s)
        if factor is None:
            return
        weights.factors[factor.factor_id, basis] = factor
        if factor.intensity_mg_per_kwh is None:
            weights.unweighed += (UnweighedEntry(slot_start_s, w, basis, uj) for w, uj in energy_uj.items() if uj)
        else:
            pue_permille = self._pue(slot_start_s)
            weights.emissions += weigh(slot_start_s, energy_uj, factor, pue_permille, weights.remainders[basis])

    def _factor(self, weights: Weights, basis: str, at_s: int) -> Factor | None:
        """A factor that stands in for another basis weighs by the one that it is asked for, or grams would mix. One
        that another thread revises meanwhile keeps its value for this booking, so that its rows point to one factor."""
        factor = self._factors[basis](at_s)
        if factor is None:
            return None
        factor = factor if factor.basis == basis else replace(factor, basis=basis)
        return weights.factors.get((factor.factor_id, basis), factor)

    def _amortise(self, weights: Weights, entries: Iterable[Entry], sensors: Mapping[str, Sensor], now_s: int) -> None:
        if sensors != self._sensors:
            self._sensors = dict(sensors)
            self.rates = rates_for(sensors.values(), self._embodied, now_s)
        if self.rates:
            rows, factors = amortise(entries, self.rates, weights.embodied)
            weights.emissions += rows
            weights.factors.update({(factor_id, factor.basis): factor for factor_id, factor in factors.items()})

    def weigh_late(self, weights: Weights, open_slot_s: int, waiting: Waiting) -> None:
        """Add what can be weighed by now of the energy that waits. Costs nothing while none does."""
        enough = len(weights.emissions) + ROWS_AT_ONCE
        for basis, hours in self._hours.items():
            for _ in range(min(HOURS_AT_ONCE, len(hours))):
                if len(weights.emissions) >= enough:
                    return
                hour_s = hours[0]
                hours.rotate(-1)
                if self._weigh_hour(weights, basis, hour_s, open_slot_s, waiting) or hour_s < open_slot_s - WAITS_S:
                    weights.done.append((basis, hour_s))

    def _weigh_hour(self, weights: Weights, basis: str, hour_s: int, open_slot_s: int, waiting: Waiting) -> bool:
        """Whether all of an hour has a value now. The slots behind the open one are still to come."""
        whole = True
        for slot_start_s in range(hour_s, min(hour_s + HOUR_S, open_slot_s + SLOT_S), SLOT_S):
            factor = self._factor(weights, basis, slot_start_s)
            if factor is None or factor.intensity_mg_per_kwh is None:
                whole = False
                continue
            energy_uj = {waits.workload: waits.energy_uj for waits in waiting(slot_start_s, basis)}
            if energy_uj:
                pue_permille, rests = self._pue(slot_start_s), weights.remainders[basis]
                weights.factors[factor.factor_id, basis] = factor
                weights.emissions += weigh(open_slot_s, energy_uj, factor, pue_permille, rests, slot_start_s)
        return whole

    def settle(self, weights: Weights, kept: Iterable[Workload]) -> None:
        """A booking is committed. Remainders of workloads that are not ``kept`` are let go."""
        stays = set(kept)
        for basis, rests in weights.remainders.items():
            self._remainders[basis] = {workload: rest for workload, rest in rests.items() if workload in stays}
        self._embodied_remainders = {owner: rest for owner, rest in weights.embodied.items() if owner[0] in stays}
        for basis, hour_s in weights.done:
            self._hours[basis].remove(hour_s)
        for basis, hour_s in {(waits.basis, waits.slot_start_s // HOUR_S * HOUR_S) for waits in weights.unweighed}:
            if hour_s not in self._hours[basis]:
                self._hours[basis].appendleft(hour_s)
