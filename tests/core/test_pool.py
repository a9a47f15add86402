"""Which workloads have series of their own when there are too many."""

from __future__ import annotations

import json

from tracker.core.accounts import Account, Totals
from tracker.core.model import OTHER, Booking, Component, Entry, Kind, Method, UnitEntry, Workload
from tracker.core.pool import demote, next_swap, promote, restore, store

A, B, C = (Workload(f"pod/{letter}", Kind.POD, letter) for letter in "abc")
RENAMED = Workload(A.key, Kind.POD, "a", team="nlp")
GPU, MEASURED = Component.GPU, Method.MEASURED
COMPONENTS = {"GPU-0": GPU}


def booking(**energies_uj: int) -> Booking:
    by_name = {"a": A, "b": B, "c": C, "renamed": RENAMED}
    entries = tuple(Entry(0, "GPU-0", by_name[name], MEASURED, uj, uj // 10, 5) for name, uj in energies_uj.items())
    return Booking(entries, (), (), (), (), (), 0)


def totals(*folded: Workload, **energies_uj: int) -> Totals:
    made = Totals(folded=set(folded))
    made.apply(booking(**energies_uj), COMPONENTS, 1)
    return made


def energy(account: Account) -> int:
    return sum(row[0] for row in account.tallies.values())


def test_everybody_has_a_place() -> None:
    assert next_swap(totals(a=1, b=9), 1) is None


def test_a_free_place_goes_to_the_largest() -> None:
    assert next_swap(totals(B, C, a=50, b=1, c=2), 2) == ("", C.key)


def test_who_used_clearly_more_takes_the_place_of_the_smallest() -> None:
    assert next_swap(totals(C, a=50, b=9, c=19), 2) == (B.key, C.key)
    assert next_swap(totals(C, a=50, b=9, c=18), 2) is None


def test_what_was_used_long_ago_counts_less_and_less() -> None:
    made = totals(C, a=1_000_000, b=1_000_000, c=10)
    for _ in range(60):
        made.apply(booking(b=1_000_000, c=70_000), COMPONENTS, 2)
    assert next_swap(made, 2) == (A.key, C.key)


def test_label_sets_of_one_key_move_together() -> None:
    """They may be one exported series: it would fall if one of them left."""
    made = totals(C, a=5, renamed=5, b=100, c=50)
    assert next_swap(made, 3) == (A.key, C.key)
    demote(made, A.key)
    assert set(made.workloads) == {B, OTHER}
    assert made.folded == {A, RENAMED, C}


def test_a_key_that_is_too_wide_stays_where_it_is() -> None:
    assert next_swap(totals(A, RENAMED, b=1, a=50, renamed=50), 1) is None


def test_no_counter_falls_and_the_sum_stays_whole_through_moves() -> None:
    made = totals(B, a=100, b=30)
    assert (energy(made.workloads[A]), energy(made.workloads[OTHER])) == (100, 30)
    booked_b = Account()
    booked_b.add(GPU, MEASURED, 30, 3, 5)
    demote(made, A.key)
    promote(made, B, booked_b)
    assert energy(made.workloads[B]) == 0, "what OTHER holds of it stays there"
    made.apply(booking(a=7, b=11), COMPONENTS, 2)
    assert {w: energy(account) for w, account in made.workloads.items()} == {B: 11, OTHER: 37}
    booked_a = Account()
    booked_a.add(GPU, MEASURED, 107, 10, 10)
    promote(made, A, booked_a)
    assert energy(made.workloads[A]) == 100, "it goes on where it was when it lost its series"


def test_what_other_holds_of_whom_survives_a_restart() -> None:
    made = totals(B, a=100, b=30)
    after = booking(a=1, b=2)
    stored = store(made, after, COMPONENTS)
    again = Totals()
    restore(again, {name: json.loads(json.dumps(text)) for name, text in stored.items()})
    assert energy(again.workloads[OTHER]) == energy(again.pooled[B]) == 32
    assert again.pooled[B].tallies == {(GPU, MEASURED): [32, 3, 10]}
    booked_b = Account()
    booked_b.add(GPU, MEASURED, 32, 3, 10)
    promote(again, B, booked_b)
    assert energy(again.workloads[B]) == 0


def test_units_are_pooled_like_energy() -> None:
    made = Totals(folded={B})
    made.apply(Booking((), (), (), (), (), (), 0, units=(UnitEntry(0, B, "tokens", 5),)), {}, 1)
    stored = store(made, booking(), COMPONENTS)
    again = Totals()
    restore(again, stored)
    promote(again, B, Account(units={"tokens": 7}))
    assert (again.workloads[OTHER].units, again.workloads[B].units) == ({"tokens": 5}, {"tokens": 2})


def test_nothing_is_stored_where_nobody_shares() -> None:
    assert store(totals(a=1), booking(a=1), COMPONENTS) == {}


def test_the_state_of_a_ledger_from_before_is_understood() -> None:
    made = Totals()
    restore(made, {"other": '{"tallies": [["gpu", "measured", 5, 1, 2]], "emissions_ug": {"location": 3}}'})
    assert (energy(made.workloads[OTHER]), made.pooled) == (5, {})
