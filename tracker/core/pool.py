"""Which workloads have series of their own when there are more than the limit: those that used most lately.

The others share ``workload="other"``, and the ledger keeps them all. A counter that was shown never falls and the sum
of all series stays the energy of the devices (P1, P2): so what OTHER has once counted stays in it. A workload that gets
a series of its own starts with what is booked of it less what OTHER holds of it, and one that loses its series leaves
/metrics as if it had ended. What OTHER holds of whom is stored with every booking; otherwise a restart would count it
twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import astuple, replace
from typing import Any

from tracker.core.accounts import REMAINDERS, Account, Totals
from tracker.core.model import OTHER, Booking, Component, Kind, Method, Workload

#: Places change only for a workload that used clearly more, or two equal ones would change places for ever.
CLEARLY = 2
_OTHER, _POOLED = "other", "pooled"


def next_swap(totals: Totals, max_series: int) -> tuple[str, str] | None:
    """(key that loses its series or "", key that gets one), or None when everybody is where it belongs.

    The label sets of a key stay together: they may be summed into one exported series.
    """
    shown = {w: account for w, account in totals.workloads.items() if w.kind not in REMAINDERS}
    ranks = _ranks(shown)
    waiting = _ranks({w: totals.pooled.get(w, Account()) for w in totals.folded})
    waiting = {key: rank for key, rank in waiting.items() if key not in ranks}
    if not waiting:
        return None
    largest = max(waiting, key=lambda key: (waiting[key], key))
    needed = sum(1 for workload in totals.folded if workload.key == largest)
    if len(shown) + needed <= max_series:
        return "", largest
    smallest = min(ranks, key=lambda key: (ranks[key], key), default="")
    freed = sum(1 for workload in shown if workload.key == smallest)
    clearly = smallest and waiting[largest] > CLEARLY * ranks[smallest]
    return (smallest, largest) if clearly and len(shown) - freed + needed <= max_series else None


def _ranks(accounts: Mapping[Workload, Account]) -> dict[str, int]:
    ranks: dict[str, int] = {}
    for workload, account in accounts.items():
        ranks[workload.key] = ranks.get(workload.key, 0) + account.rank_uj
    return ranks


def demote(totals: Totals, key: str) -> None:
    """Take the series of a key away."""
    for workload in [workload for workload in totals.workloads if workload.key == key]:
        account = totals.workloads.pop(workload)
        totals.folded.add(workload)
        totals.folded_boot_ns[workload] = account.active_boot_ns
        totals.pooled.setdefault(workload, Account()).rank_uj = account.rank_uj


def promote(totals: Totals, workload: Workload, booked: Account) -> None:
    """Give a workload an account of its own. ``booked``: everything that the ledger has of it."""
    part = totals.pooled.get(workload)
    if part is not None:
        booked.merge(part, -1)
        booked.rank_uj, booked.active_boot_ns = part.rank_uj, part.active_boot_ns
    totals.workloads[workload] = booked
    totals.folded.discard(workload)
    totals.folded_boot_ns.pop(workload, None)


def store(totals: Totals, booking: Booking, components: Mapping[str, Component]) -> dict[str, str]:
    """What OTHER holds, and of whom, when ``booking`` is booked: for the ledger's small state."""
    if OTHER not in totals.workloads and not totals.folded:
        return {}
    folded = replace(
        booking,
        entries=tuple(entry for entry in booking.entries if entry.workload in totals.folded),
        emissions=tuple(row for row in booking.emissions if row.workload in totals.folded),
        units=tuple(row for row in booking.units if row.workload in totals.folded),
        gaps=(),
    )
    added = Totals(folded=totals.folded)
    added.apply(folded, components, 0)
    other = _sum(totals.workloads.get(OTHER), added.workloads.get(OTHER))
    parts = {w: _sum(totals.pooled.get(w), added.pooled.get(w)) for w in {**totals.pooled, **added.pooled}}
    held = {w: part for w, part in parts.items() if part.tallies or part.units or part.emissions_ug}
    pooled = [[list(astuple(workload)), _plain(part)] for workload, part in held.items()]
    return {_OTHER: json.dumps(_plain(other)), _POOLED: json.dumps(pooled)}


def restore(totals: Totals, meta: Mapping[str, str]) -> None:
    """Take up what an earlier daemon stored."""
    if _OTHER in meta:
        totals.workloads[OTHER] = _account(json.loads(meta[_OTHER]))
    for (key, kind, *labels), plain in json.loads(meta.get(_POOLED, "[]")):
        totals.pooled[Workload(key, Kind(kind), *labels)] = _account(plain)


def _sum(*accounts: Account | None) -> Account:
    total = Account()
    for account in accounts:
        if account is not None:
            total.merge(account)
    return total


def _plain(account: Account) -> dict[str, object]:
    return {
        "tallies": [[component, method, *row] for (component, method), row in account.tallies.items()],
        "emissions_ug": account.emissions_ug,
        "units": account.units,
    }


def _account(plain: Any) -> Account:
    """What ``_plain`` made, after JSON. A ledger of before units has none."""
    account = Account(emissions_ug=plain["emissions_ug"], units=plain.get("units", {}))
    for component, method, *row in plain["tallies"]:
        account.add(Component(component), Method(method), *row)
    return account
