"""Turns what the agent charged into ledger bookings, and keeps the totals that are exported.

Under the agent's rules: it imports ``core/`` and the wings' interfaces, reads no clock and knows no SQL. While the
ledger cannot book
(full disk), increments wait here and the totals shown contain them; the next booking that succeeds carries all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

from tracker.core import pool
from tracker.core.accounts import REMAINDERS, Account, Pending, Totals
from tracker.core.amortising import EmbodiedRates, per_hour
from tracker.core.model import (
    Booking,
    Cursor,
    Entry,
    Factor,
    Moment,
    Sensor,
    Workload,
)
from tracker.core.scales import LOCATION, MARKET, FactorAt, Scales, Weights
from tracker.core.snapshot import EmbodiedState, GapState, LedgerHealth, WorkloadState
from tracker.core.units import NS_PER_S, SLOT_MS, SLOT_S, power_of
from tracker.grid.interface import GridProvider
from tracker.ledger.interface import Ledger, LedgerError, Opening

#: A workload without a charge for this long leaves /metrics; it continues if it returns.
LINGER_NS = 15 * 60 * NS_PER_S
#: Factors remembered as recorded, a new one every hour of a year and basis; beyond it the ledger is asked again.
KNOWN_FACTORS = 256
NO_RATES = EmbodiedRates()
#: How many workloads may get a series of their own in one booking, in place of smaller ones.
SWAPS = 8

#: (workload, unit, amount) of what workloads reported since the last call.
Reported = Callable[[], Iterable[tuple[Workload, str, int]]]


def _nothing() -> tuple[tuple[Workload, str, int], ...]:
    return ()


class Bookkeeper:
    """Pending increments, totals, and the one writer of the ledger.

    ``pue``: facility energy per IT energy x 1000 that holds at a slot's start (UTC seconds).
    """

    def __init__(
        self,
        ledger: Ledger,
        grid: GridProvider,
        opening: Opening,
        *,
        zone: str,
        pue: Callable[[int], int],
        max_series: int,
        reported: Reported = _nothing,
        embodied: EmbodiedRates = NO_RATES,
    ) -> None:
        self.pending = Pending()
        self.totals = Totals(
            devices={key: device.energy_uj for key, device in opening.devices.items()}, gaps=dict(opening.gaps)
        )
        self.components = {key: device.sensor.component for key, device in opening.devices.items()}
        self.factor: Factor | None = None  # of the last booking, for who looks; the same of those below
        self.market: Factor | None = None
        self.pue_permille: int | None = None
        self.embodied: tuple[EmbodiedState, ...] = ()
        self.health = LedgerHealth(ok=True, commit_wall_s=None, size_bytes=ledger.size_bytes())
        self.workloads: tuple[WorkloadState, ...] = ()
        self._ledger, self._grid, self._reported = ledger, grid, reported
        self._zone, self._pue, self._max_series = zone, pue, max_series
        factors: dict[str, FactorAt] = {LOCATION: partial(grid.factor, zone), MARKET: partial(grid.market, zone)}
        self._scales = Scales(factors, pue, embodied, opening.waiting)
        self._known_sensors: dict[str, Sensor] = {}
        self._known_factors: set[Factor] = set()
        self._shown = self.totals
        self._booked_boot_ns: int | None = None
        pool.restore(self.totals, opening.meta)

    def book(
        self,
        cursors: Sequence[Cursor],
        sensors: Mapping[str, Sensor],
        meta: Mapping[str, str],
        until_ms: int,
        now: Moment,
    ) -> bool:
        """Commit what is pending together with the cursors it reaches. False: it waits for the next time."""
        self.components.update({key: sensor.component for key, sensor in sensors.items()})
        self._take_reports(until_ms)
        entries, weights = self._weigh(until_ms, sensors, now.wall_ns // NS_PER_S)
        booking = Booking(
            entries=entries,
            gaps=self.pending.gap_rows(),
            emissions=tuple(weights.emissions),
            cursors=tuple(cursors),
            sensors=tuple(s for key, s in sensors.items() if self._known_sensors.get(key) != s),
            factors=tuple(f for f in weights.factors.values() if f not in self._known_factors),
            booked_until_ms=until_ms,
            meta=meta,
            units=self.pending.unit_rows(),
            unweighed=tuple(weights.unweighed),
        )
        try:
            self._admit(booking)
            self._exchange()
            self._ledger.book(replace(booking, meta={**meta, **pool.store(self.totals, booking, self.components)}))
        except LedgerError as error:  # a refused booking is a bug; it must not stop the measuring either
            self._wait(booking, now.boot_ns, str(error))
            return False
        self._known_sensors.update(sensors)
        if len(self._known_factors) > KNOWN_FACTORS:
            self._known_factors.clear()
        self._known_factors.update(weights.factors.values())
        self._settle(booking, weights, now)
        return True

    def _settle(self, booking: Booking, weights: Weights, now: Moment) -> None:
        """A booking is committed: count it, and show it."""
        boot_ns = now.boot_ns
        self.pending = Pending()
        self._scales.settle(weights, self.totals.workloads.keys() | self.totals.folded)
        self.embodied = per_hour(self._scales.rates)
        self.totals.apply(booking, self.components, boot_ns)
        self.totals.forget(boot_ns - LINGER_NS)
        self.health = LedgerHealth(ok=True, commit_wall_s=now.wall_ns / NS_PER_S, size_bytes=self._ledger.size_bytes())
        self._show(self.totals, boot_ns)
        self._booked_boot_ns = boot_ns

    def _take_reports(self, until_ms: int) -> None:
        """What workloads reported at most one booking ago belongs to the open slot."""
        for workload, unit, amount in self._reported():
            self.pending.report(until_ms // SLOT_MS * SLOT_S, workload, unit, amount)

    def _wait(self, booking: Booking, boot_ns: int, message: str) -> None:
        """The ledger could not take it: measuring goes on, and what is shown goes on from memory."""
        self.pending.fold()
        self.health = LedgerHealth(
            ok=False,
            commit_wall_s=self.health.commit_wall_s,
            size_bytes=self.health.size_bytes,
            message=message,
        )
        # Grams only once they are booked: by then another factor may be known, and what was shown must not fall (P2).
        self._show(self.totals.with_unbooked(replace(booking, emissions=()), self.components, boot_ns), boot_ns)

    def _weigh(self, until_ms: int, sensors: Mapping[str, Sensor], now_s: int) -> tuple[tuple[Entry, ...], Weights]:
        """What is pending, and what it weighs; and what waited, while the ledger is well."""
        entries = self.pending.entry_rows()
        weights = self._scales.weigh(entries, sensors, now_s)
        if self.health.ok:
            with suppress(LedgerError):  # it cannot be read now: the next booking asks again
                self._scales.weigh_late(weights, until_ms // SLOT_MS * SLOT_S, self._ledger.unweighed)
        self.factor, self.market = self._grid.factor(self._zone, now_s), self._grid.market(self._zone, now_s)
        self.pue_permille = self._pue(now_s)
        return entries, weights

    def _admit(self, booking: Booking) -> None:
        """Give every workload of a booking its account: read back if it was here before, shared if there are too many.

        Raises LedgerUnavailable.
        """
        totals = self.totals
        new: dict[Workload, int] = {}
        energies = [(entry.workload, entry.energy_uj) for entry in booking.entries]
        energies += ((work.workload, 0) for work in booking.units)
        energies += ((row.workload, 0) for row in booking.emissions)  # some weigh energy of long ago
        for workload, energy_uj in energies:
            if workload not in totals.workloads and workload not in totals.folded:
                new[workload] = new.get(workload, 0) + energy_uj
        live = sum(1 for workload in totals.workloads if workload.kind not in REMAINDERS)
        for workload in sorted(new, key=lambda w: (-new[w], w.key)):
            if workload.kind not in REMAINDERS:
                if live >= self._max_series:
                    totals.folded.add(workload)
                    continue
                live += 1
            self._read_back(workload)

    def _exchange(self) -> None:
        """Give series to those that used most lately. Not while bookings wait: what is shown of them is in OTHER."""
        for _ in range(SWAPS if self.health.ok and self.totals.folded else 0):
            swap = pool.next_swap(self.totals, self._max_series)
            if swap is None:
                return
            smaller, larger = swap
            pool.demote(self.totals, smaller)
            for workload in [workload for workload in self.totals.folded if workload.key == larger]:
                self._read_back(workload)

    def _read_back(self, workload: Workload) -> None:
        """Give a workload its account, and those of its other label sets: together they may be one series (P2)."""
        for known in {workload, *self._ledger.label_sets(workload.key)}:
            if known in self.totals.workloads:
                continue
            totals = self._ledger.totals_of(known)
            account = Account(emissions_ug=dict(totals.emissions_ug), units=dict(totals.units))
            for tally in totals.tallies:
                account.add(tally.component, tally.method, tally.energy_uj, tally.idle_uj, tally.held_ms)
            pool.promote(self.totals, known, account)

    def _show(self, totals: Totals, boot_ns: int) -> None:
        """Rebuild what a snapshot says of workloads."""
        elapsed_ns = boot_ns - self._booked_boot_ns if self._booked_boot_ns is not None else 0
        self._shown = totals
        self.workloads = tuple(
            WorkloadState(
                workload=workload,
                live=account.active_boot_ns == boot_ns,
                tallies=account.rows(),
                emissions_ug=dict(account.emissions_ug),
                power_mw=power_of(account.recent_uj, elapsed_ns) if elapsed_ns > 0 else 0,
                units=dict(account.units),
            )
            for workload, account in totals.workloads.items()
        )

    def device_energy_uj(self, device: str) -> int | None:
        """The booked total of a device; None: it was never booked."""
        return self._shown.devices.get(device)

    def gaps(self) -> tuple[GapState, ...]:
        """Booked time without energy."""
        return tuple(
            GapState(device, self.components[device], reason, duration_ms)
            for (device, reason), duration_ms in self._shown.gaps.items()
            if device in self.components
        )
