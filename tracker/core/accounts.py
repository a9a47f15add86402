"""What waits to be booked, and what is booked. Plain sums; the counters that are exported are nothing else.

``Pending`` collects the increments of the ticks since the last booking. ``Totals`` only grow, and only by a booking.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field

from tracker.core.model import (
    OTHER,
    Booking,
    Charge,
    Component,
    Entry,
    GapEntry,
    GapReason,
    Kind,
    Method,
    UnitEntry,
    Workload,
)
from tracker.core.snapshot import Tally

#: While the disk is full, increments wait in memory in at most this many slots; older ones are folded into the next.
MAX_SLOTS = 72
#: Remainders of a split: always exported, never counted as workloads.
REMAINDERS = frozenset({Kind.IDLE, Kind.UNALLOCATED, Kind.SYSTEM, Kind.UNATTRIBUTED, Kind.OTHER})
#: What a workload used lately loses a sixteenth of its weight with every booking: at 10 s, half in two minutes.
FADE = 16


@dataclass(slots=True)
class Pending:
    """Increments that wait for the next booking, by their row in the ledger."""

    entries: dict[tuple[int, str, Workload, Method], list[int]] = field(default_factory=dict)  # energy, idle, held
    gaps: dict[tuple[int, str, GapReason], int] = field(default_factory=dict)
    units: dict[tuple[int, Workload, str], int] = field(default_factory=dict)

    def charge(self, slot_start_s: int, device: str, method: Method, charges: Iterable[Charge]) -> None:
        """Add the charges of one device in one piece of time."""
        entries = self.entries
        for charge in charges:
            key = (slot_start_s, device, charge.workload, method)
            row = entries.get(key)
            if row is None:
                entries[key] = [charge.energy_uj, charge.idle_uj, charge.held_ms]
            else:
                row[0] += charge.energy_uj
                row[1] += charge.idle_uj
                row[2] += charge.held_ms

    def gap(self, slot_start_s: int, device: str, reason: GapReason, duration_ms: int) -> None:
        """Add time without energy."""
        key = (slot_start_s, device, reason)
        self.gaps[key] = self.gaps.get(key, 0) + duration_ms

    def report(self, slot_start_s: int, workload: Workload, unit: str, amount: int) -> None:
        """Add what a workload got done."""
        key = (slot_start_s, workload, unit)
        self.units[key] = self.units.get(key, 0) + amount

    def fold(self) -> None:
        """Keep the number of waiting slots bounded: what is older than the newest ``MAX_SLOTS`` moves into the oldest
        kept.

        Energy and time stay whole; only their place in the day gets coarser.
        """
        slots = sorted({key[0] for rows in (self.entries, self.gaps, self.units) for key in rows})
        if len(slots) <= MAX_SLOTS:
            return
        floor = slots[-MAX_SLOTS]
        kept = Pending()
        for (slot, device, workload, method), row in self.entries.items():
            kept.charge(max(slot, floor), device, method, (Charge(workload, *row),))
        for (slot, device, reason), duration_ms in self.gaps.items():
            kept.gap(max(slot, floor), device, reason, duration_ms)
        for (slot, workload, unit), amount in self.units.items():
            kept.report(max(slot, floor), workload, unit, amount)
        self.entries, self.gaps, self.units = kept.entries, kept.gaps, kept.units

    def entry_rows(self) -> tuple[Entry, ...]:
        """The increments of energy and held time."""
        return tuple(Entry(*key, *row) for key, row in self.entries.items())

    def gap_rows(self) -> tuple[GapEntry, ...]:
        """The increments of time without energy."""
        return tuple(GapEntry(*key, duration_ms) for key, duration_ms in self.gaps.items())

    def unit_rows(self) -> tuple[UnitEntry, ...]:
        """The increments of reported units."""
        return tuple(UnitEntry(*key, amount) for key, amount in self.units.items())


@dataclass(slots=True)
class Account:
    """Totals of one workload: energy, idle part and held time by component and method, emissions by basis, and what it
    reported by unit."""

    tallies: dict[tuple[Component, Method], list[int]] = field(default_factory=dict)
    emissions_ug: dict[str, int] = field(default_factory=dict)
    units: dict[str, int] = field(default_factory=dict)
    recent_uj: int = 0  # energy of the last booking
    rank_uj: int = 0  # energy of the last minutes, what is older fading away
    active_boot_ns: int = 0  # when it last had a charge, or reported something

    def add(self, component: Component, method: Method, energy_uj: int, idle_uj: int, held_ms: int) -> None:
        """Add an increment."""
        row = self.tallies.setdefault((component, method), [0, 0, 0])
        row[0] += energy_uj
        row[1] += idle_uj
        row[2] += held_ms

    def merge(self, other: Account, sign: int = 1) -> None:
        """Add the sums of another account, or take them away."""
        for (component, method), row in other.tallies.items():
            energy_uj, idle_uj, held_ms = row
            self.add(component, method, sign * energy_uj, sign * idle_uj, sign * held_ms)
        for mine, theirs in ((self.emissions_ug, other.emissions_ug), (self.units, other.units)):
            for name, amount in theirs.items():
                mine[name] = mine.get(name, 0) + sign * amount

    def rows(self) -> tuple[Tally, ...]:
        """As frozen data."""
        return tuple(Tally(component, method, *row) for (component, method), row in self.tallies.items())


@dataclass(slots=True)
class Totals:
    """The counters: by device, workload and gap. ``folded`` workloads share the account of OTHER (bounded series);
    ``pooled`` is what it contains of each: that much is not in an account of its own if it gets one (``pool.py``)."""

    devices: dict[str, int] = field(default_factory=dict)
    workloads: dict[Workload, Account] = field(default_factory=dict)
    gaps: dict[tuple[str, GapReason], int] = field(default_factory=dict)
    folded: set[Workload] = field(default_factory=set)
    folded_boot_ns: dict[Workload, int] = field(default_factory=dict)
    pooled: dict[Workload, Account] = field(default_factory=dict)

    def account(self, workload: Workload) -> Account:
        """The account that a workload's energy is added to."""
        return _get(self.workloads, OTHER if workload in self.folded else workload)

    def apply(self, booking: Booking, components: Mapping[str, Component], boot_ns: int) -> None:
        """Add a booking. ``components``: of each device in it."""
        for account in (*self.workloads.values(), *self.pooled.values()):
            account.recent_uj = 0
            account.rank_uj -= account.rank_uj // FADE
        for entry in booking.entries:
            self.devices[entry.device] = self.devices.get(entry.device, 0) + entry.energy_uj
            for account in self._accounts(entry.workload):
                account.add(components[entry.device], entry.method, entry.energy_uj, entry.idle_uj, entry.held_ms)
                account.recent_uj += entry.energy_uj
                account.rank_uj += entry.energy_uj
                self._touch(entry.workload, account, boot_ns)
        for row in booking.emissions:
            for account in self._accounts(row.workload):
                account.emissions_ug[row.basis] = account.emissions_ug.get(row.basis, 0) + row.emissions_ug
                if row.late_of_s is not None:  # shown like one that has just ended, unless it is active
                    self._touch(row.workload, account, max(account.active_boot_ns, boot_ns - 1))
        for work in booking.units:
            for account in self._accounts(work.workload):
                account.units[work.unit] = account.units.get(work.unit, 0) + work.amount
                self._touch(work.workload, account, boot_ns)
        for gap in booking.gaps:
            key = (gap.device, gap.reason)
            self.gaps[key] = self.gaps.get(key, 0) + gap.duration_ms

    def _accounts(self, workload: Workload) -> tuple[Account, ...]:
        if workload in self.folded:
            return self.account(workload), _get(self.pooled, workload)
        return (self.account(workload),)

    def _touch(self, workload: Workload, account: Account, boot_ns: int) -> None:
        account.active_boot_ns = boot_ns
        if workload in self.folded:
            self.folded_boot_ns[workload] = boot_ns

    def with_unbooked(self, booking: Booking, components: Mapping[str, Component], boot_ns: int) -> Totals:
        """A copy that already contains a booking the ledger could not take: what to show until it can."""
        copy = deepcopy(self)
        copy.apply(booking, components, boot_ns)
        return copy

    def forget(self, before_boot_ns: int) -> None:
        """Drop workloads without a charge since then; their totals stay in the ledger and are read back on return.

        The label sets of one key go together: they may be summed into one exported series, which must not fall (P2).
        """
        active = {w.key for w, account in self.workloads.items() if account.active_boot_ns >= before_boot_ns}
        for workload in list(self.workloads):
            if workload.key not in active and workload.kind not in REMAINDERS:
                del self.workloads[workload]
                self.pooled.pop(workload, None)
        for workload, boot_ns in list(self.folded_boot_ns.items()):
            if boot_ns < before_boot_ns:
                self.folded.discard(workload)
                del self.folded_boot_ns[workload]
                self.pooled.pop(workload, None)


def _get(accounts: dict[Workload, Account], workload: Workload) -> Account:
    account = accounts.get(workload)
    if account is None:
        account = accounts[workload] = Account()
    return account
