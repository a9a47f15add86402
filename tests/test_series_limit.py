"""More workloads than series: the large ones are told apart, the sum holds, and no counter falls."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.node import GPU, PACKAGE, Node, ScriptedFeed
from tracker.core.model import Kind, Share, Workload
from tracker.ledger.audit import audit

LIMIT = 500


def pod(number: int) -> Workload:
    return Workload(f"pod/{number:03}", Kind.POD, f"pod-{number}")


def using(node: Node, **weights: int) -> None:
    """Who uses the CPU from now on, by the number of the pod."""
    shares = tuple(Share(pod(int(name[1:])), weight) for name, weight in weights.items())
    node.observer.seen = replace(node.observer.seen, cpu=shares, cpu_capacity_us=8_000_000, dram=(), gpu={})


def crowd(node: Node, count: int = 600) -> None:
    """Each uses more than the one before it."""
    using(node, **{f"n{number}": 1_000 + 10 * number for number in range(count)})


@pytest.fixture
def node(tmp_path: Path) -> Node:
    node = Node(tmp_path, ScriptedFeed("nvml", GPU), ScriptedFeed("rapl", PACKAGE))
    node.max_series = LIMIT
    node.restart()
    crowd(node)
    node.first_tick()
    return node


def shown(node: Node) -> dict[str, int]:
    """Energy by series; the remainders left out."""
    found: dict[str, int] = {}
    for state in node.agent.snapshot.workloads:
        if state.workload.kind in {Kind.POD, Kind.OTHER}:
            found[state.workload.key] = sum(tally.energy_uj for tally in state.tallies)
    return found


def whole(node: Node) -> bool:
    """Every joule of the ledger is in exactly one place: in the series of its workload (also one that left /metrics),
    or in "other"."""
    totals, series = node.books.totals, shown(node)
    booked = dict(
        sqlite3.connect(node.folder / "ledger.db").execute(
            "select key, sum(energy_uj) from workload_total join workload using (workload_id) group by key"
        )
    )
    pooled = {w.key: sum(row[0] for row in part.tallies.values()) for w, part in totals.pooled.items()}
    assert series.get("other", 0) == sum(pooled.values())
    return all(series[key] + pooled.get(key, 0) == booked[key] for key in series if key != "other")


def test_p10_of_600_the_500_largest_have_series_and_the_ledger_keeps_all(node: Node) -> None:
    node.run(60)
    assert set(shown(node)) == {"other", *(pod(number).key for number in range(100, 600))}
    assert whole(node)
    found = audit(node.folder / "ledger.db")
    assert found.ok
    assert found.workloads >= 600


def test_a_large_newcomer_takes_the_place_of_a_small_one(node: Node) -> None:
    """A job that begins on a crowded node must not hide in "other" until its end."""
    node.run(60)
    others = {f"n{number}": 1_000 + 10 * number for number in range(600)}
    using(node, **others, n700=500_000)
    before = shown(node)
    for _ in range(6):
        node.run(10)
        now = shown(node)
        assert whole(node)
        assert all(now[key] >= energy_uj for key, energy_uj in before.items() if key in now), "no counter falls"
        assert len(now) <= LIMIT + 1
        before = now
    assert pod(700).key in before
    assert pod(100).key not in before, "the smallest"


def test_who_lost_its_series_and_gets_it_back_goes_on_where_it_was(node: Node) -> None:
    node.run(60)
    others = {f"n{number}": 1_000 + 10 * number for number in range(600)}
    small = shown(node)[pod(100).key]
    using(node, **others, n700=500_000)
    node.run(60)
    assert pod(100).key not in shown(node)
    using(node, **{**others, "n100": 900_000})
    node.run(60)
    assert whole(node)
    assert shown(node)[pod(100).key] > small


def test_a_restart_counts_nothing_twice(node: Node) -> None:
    node.run(60)
    others = {f"n{number}": 1_000 + 10 * number for number in range(600)}
    using(node, **others, n700=500_000)
    node.run(60)
    before = shown(node)
    node.restart()
    node.first_tick()
    node.run(20)
    now = shown(node)
    assert whole(node)
    assert all(now[key] >= energy_uj for key, energy_uj in before.items() if key in now)
    assert now["other"] >= before["other"]


def test_two_equal_ones_do_not_change_places_for_ever(node: Node) -> None:
    using(node, **{f"n{number}": 1_000 for number in range(600)})
    node.run(200)
    first = set(shown(node))
    node.run(200)
    assert set(shown(node)) == first
