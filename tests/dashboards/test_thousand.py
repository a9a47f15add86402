"""What a fleet of a thousand nodes asks of its Prometheus, measured on five of them: charts whose samples grow with the
nodes end in "query processing would load too many samples into memory", and that at the first look at a page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.dashboards import panels
from tests.dashboards.fill import Server, prometheus_with, record, recording_rules
from tests.dashboards.samples import Samples
from tests.dashboards.test_queries import opened
from tests.dashboards.world import END_S, H

pytestmark = pytest.mark.needs("prometheus")
NODES, FLEET = 5, 1000
#: Half of Prometheus's default of --query.max-samples: other fleets have more workloads on a node than this one.
MAX_SAMPLES = 25_000_000
#: More lines than that nobody tells apart.
MAX_LINES = 32
SCRAPE_S, HOURS = 120, 25
TEAMS, WORKLOADS = 5, 16


def _node(samples: Samples, number: int) -> None:
    """Eight GPUs and four other devices, sixteen workloads."""
    place = {"cluster": "c", "site": "s", "job": "wattledger", "instance": f"n{number}:9837"}
    named = {**place, "hostname": f"n{number}"}
    devices = [(f"GPU-{i}", "gpu") for i in range(8)] + [(f"x-{i}", "cpu" if i % 2 else "dram") for i in range(4)]
    for at_s in range(END_S - HOURS * H, END_S + 1, SCRAPE_S):
        passed_s = at_s - END_S + HOURS * H
        samples.add("wattledger_conservation_error_joules", named, at_s, 0)
        samples.add("wattledger_tick_timestamp_seconds", place, at_s, at_s)
        for device, component in devices:
            labels = {**named, "component": component, "device": device}
            samples.add("wattledger_device_info", {**labels, "index": device, "sensor": "x", "model": "m"}, at_s, 1)
            samples.add("wattledger_device_power_watts", labels, at_s, 300)
            measured = {**labels, "method": "measured"}
            samples.add("wattledger_device_energy_joules_total", measured, at_s, 300 * passed_s)
        for each in range(WORKLOADS):
            _workload(samples, named, number * WORKLOADS + each, at_s, passed_s)


def _workload(samples: Samples, named: dict[str, str], number: int, at_s: int, passed_s: int) -> None:
    key = {**named, "workload": f"pod/{number}", "kind": "pod"}
    owner = {**key, "team": f"t{number % TEAMS}", "project": f"p{number % TEAMS}", "phase": "inference"}
    samples.add("wattledger_workload_info", {**key, "name": f"w{number}"}, at_s, 1)
    for component in ("gpu", "cpu", "dram"):
        labels = {**owner, "component": component, "method": "measured"}
        samples.add("wattledger_workload_energy_joules_total", labels, at_s, 150 * passed_s)
    gpu = {**owner, "component": "gpu"}
    samples.add("wattledger_workload_idle_energy_joules_total", {**gpu, "method": "measured"}, at_s, 90 * passed_s)
    samples.add("wattledger_workload_held_seconds_total", gpu, at_s, passed_s / 2)
    samples.add("wattledger_workload_emissions_grams_total", {**owner, "basis": "location"}, at_s, passed_s)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    samples = Samples()
    for number in range(NODES):
        _node(samples, number)
    with prometheus_with(tmp_path_factory.mktemp("fleet") / "home", samples) as server:
        record(server, recording_rules("recording.yml"), END_S - HOURS * H, END_S)
        yield server


@pytest.mark.parametrize("uid", sorted(panels.dashboards()))
def test_a_page_of_a_thousand_nodes_opens(uid: str, fleet: Server) -> None:
    """Nothing is chosen yet: no query may need more samples than a Prometheus holds, no chart more lines than anybody
    can tell apart."""
    problems = []
    for target in panels.targets():
        if target.dashboard != uid:
            continue
        span_s = target.span_s(END_S)
        expr, step_s = panels.expand(target.expr, span_s, opened(uid)), panels.step_s(span_s)
        when: dict[str, object] = {"time": END_S}
        if not target.instant:
            when = {"start": span_s[0], "end": span_s[1], "step": step_s}
        path = "/api/v1/query" if target.instant else "/api/v1/query_range"
        data = fleet.get(path, query=expr, stats="all", **when)
        peak = data["stats"]["samples"]["peakSamples"] * FLEET // NODES
        if peak > MAX_SAMPLES:
            problems.append(f"{target.name}: {peak:,} samples")
        if not target.instant and len(data["result"]) > MAX_LINES:
            problems.append(f"{target.name}: {len(data['result'])} lines")
    assert problems == []
