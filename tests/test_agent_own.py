"""The agent as a sidecar, over a real ledger: nothing of others is booked or shown, and the book is whole."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.node import GPU, PACKAGE, POD, USER, Node, ScriptedFeed
from tracker.core.model import Component, GapReason, Method, Own, Sensor
from tracker.ledger.audit import audit

PSYS = Sensor("psys", "psys", Component.OTHER, ("node",), 10, Method.MEASURED, "rapl psys", max_power_mw=2_000_000)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    node = Node(tmp_path, ScriptedFeed("nvml", GPU), ScriptedFeed("rapl", PACKAGE), ScriptedFeed("psys", PSYS))
    node.observer.seen = replace(node.observer.seen, own=Own(frozenset({POD.key})))
    node.first_tick()
    node.run(900)
    return node


def test_only_the_own_share_is_booked(node: Node) -> None:
    """Its GPU whole; of the CPU three quarters of what was used, less the roundings."""
    assert node.device_uj("GPU-a") == 100_000_000 * 900
    assert 0 <= 75_000_000 * 900 - node.device_uj("package-0") <= 2 * 180 * 2
    assert {state.workload for state in node.agent.snapshot.workloads} == {POD}
    assert USER.key not in {state.workload.key for state in node.agent.snapshot.workloads}
    assert node.agent.snapshot.conservation_error_uj == 0


def test_what_the_node_draws_is_not_shown(node: Node) -> None:
    states = {state.sensor.key: state for state in node.agent.snapshot.devices}
    assert states["GPU-a"].power_mw == 100_000
    assert states["package-0"].power_mw == 74_999
    assert (states["psys"].energy_uj, states["psys"].power_mw) == (0, None)


def test_time_that_others_held_is_accounted_as_such(node: Node) -> None:
    gaps = {(gap.device, gap.reason): gap.duration_ms for gap in node.agent.snapshot.gaps}
    held = {t.component: t.held_ms for s in node.agent.snapshot.workloads for t in s.tallies}
    assert gaps["package-0", GapReason.OTHERS] + held[Component.CPU] == held[Component.GPU] >= 900_000
    assert ("GPU-a", GapReason.OTHERS) not in gaps


def test_verify_finds_the_book_whole(node: Node) -> None:
    node.run(300)
    found = audit(node.folder / "ledger.db")
    assert [finding.message for finding in found.findings] == []


def test_after_a_restart_counters_go_on(node: Node) -> None:
    before = node.counters()
    node.restart()
    node.first_tick()
    node.run(60)
    after = node.counters()
    assert all(after[name] >= amount for name, amount in before.items())
    assert node.agent.snapshot.conservation_error_uj == 0
