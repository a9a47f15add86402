"""Dashboards and exposition know each other: no query of a name that nothing exports, no metric without a reader."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

import pytest

from dashboards.build.inference_names import ENGINES, PROXY_OUTPUT, PROXY_PROMPT, PROXY_REQUESTS
from tests.dashboards import panels
from tests.dashboards.names import EXPORTED, OF_PROMETHEUS, RULES, groups_of, recorded, rule_files, unknown_in, uses
from tests.dashboards.world import World
from tracker.metrics.families import FAMILIES

#: Labels that a pod monitor adds to what model servers export, and those of LiteLLM.
OF_PODS, OF_PROXY = frozenset({"namespace", "pod", "container"}), frozenset({"team_alias", "model"})
#: Exported, read by no dashboard, rule or alert, and why.
UNREAD: Mapping[str, str] = {
    "wattledger_ledger_size_bytes": "grows by design; the file system's own metrics tell when it is full",
    "process_virtual_memory_bytes": "says little about a process; the resident memory is shown",
    "process_start_time_seconds": "restarts are seen in counters of the orchestrator",
    "process_open_fds": "for a person who looks for a leak",
    "process_max_fds": "for a person who looks for a leak",
}


#: What makes a selector depend on a choice: a label that no series may have.
_NO_LABEL = re.compile(r',chosen[!=]~"[^"]*"')


@functools.cache
def known() -> Mapping[str, frozenset[str]]:
    """Metric -> its labels. A label that the target has, too, is kept by Prometheus as ``exported_…``."""
    metrics = [m for e in ENGINES for m in (e.output, e.prompt, e.requests, e.running) if m is not None]
    servers = {metric.name: OF_PODS | uses(metric.selector).matched[metric.name] for metric in metrics}
    servers |= {metric.name: OF_PROXY for metric in (PROXY_OUTPUT, PROXY_PROMPT, PROXY_REQUESTS)}
    ours = recorded(RULES / "budgets.example.yml", RULES / "recording.yml")
    moved = {name: labels | {f"exported_{label}" for label in labels} for name, labels in EXPORTED.items()}
    return {**servers, **moved, **OF_PROMETHEUS, **ours}


@pytest.mark.parametrize("uid", panels.dashboards())
def test_queries_use_metrics_and_labels_that_exist(uid: str) -> None:
    problems = {
        f"{target.panel} / {target.ref}: {text}"
        for target in panels.targets()
        if target.dashboard == uid
        for text in unknown_in(_NO_LABEL.sub("", target.expr), known())
    }
    assert problems == set()


def test_no_series_has_the_label_that_none_may_have() -> None:
    assert [name for name, labels in known().items() if "chosen" in labels] == []


@pytest.mark.parametrize("uid", panels.dashboards())
def test_variables_use_metrics_and_labels_that_exist(uid: str) -> None:
    for each in panels.variables():
        if each.dashboard == uid:
            assert list(unknown_in(f"group by ({each.label}) ({each.match})", known())) == []


def test_every_exported_metric_is_read_somewhere() -> None:
    """A metric that nobody reads costs every scrape, and nobody sees it break."""
    rules = [rule["expr"] for file in rule_files() for group in groups_of(file) for rule in group["rules"]]
    asked = [target.expr for target in panels.targets()] + [each.match for each in panels.variables()]
    read = {name for expression in (*rules, *asked) for name in uses(expression).metrics}
    assert set(EXPORTED) - read == set(UNREAD)


def test_the_world_exports_all_that_there_is(world: World) -> None:
    """Else a query could be empty in every test."""
    assert {family.sample_name for family in FAMILIES} <= world.samples.names()


def test_the_world_is_scraped_as_we_say(world: World) -> None:
    """deploy/prometheus honours the daemon's labels: none of them is moved aside, and a Slurm job's number is `job`."""
    labels = {pair for series in world.samples.series for pair in series}
    assert [key for key, _ in labels if key.startswith("exported_")] == []
    assert ("job", "4711") in labels
