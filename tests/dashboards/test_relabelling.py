"""What is sent on to a store or by an agent is all that dashboards, rules and alerts read there."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tests.conftest import REPO
from tests.dashboards import panels
from tests.dashboards.names import EXPORTED, groups_of, rule_files, uses

FOLDER = REPO / "deploy" / "prometheus"


def sent(config: str) -> list[list[dict[str, Any]]]:
    """The relabelling of each of its stores."""
    content = yaml.safe_load((FOLDER / config).read_text(encoding="utf-8"))
    return [store["write_relabel_configs"] for store in content["remote_write"]]


def survives(name: str, steps: list[dict[str, Any]]) -> bool:
    """Prometheus's relabelling of names: a regex is of the whole name."""
    for step in steps:
        assert step["source_labels"] == ["__name__"]
        if bool(re.fullmatch(step["regex"], name)) != (step["action"] == "keep"):
            return False
    return True


def read() -> set[str]:
    """Every metric in a query, a variable, a rule or an alert."""
    rules = [rule for file in rule_files() for group in groups_of(file) for rule in group["rules"]]
    asked = [target.expr for target in panels.targets()] + [each.match for each in panels.variables()]
    names = {name for text in (*asked, *(rule["expr"] for rule in rules)) for name in uses(text).metrics}
    return names | {rule["record"] for rule in rules if "record" in rule}


def test_a_store_of_years_gets_all_that_is_read() -> None:
    stores = sent("long-term.yml")
    assert len(stores) == 3
    names = read()
    assert {"cost_centre:wattledger_workload_energy_joules:month", "wattledger_conservation_error_joules"} <= names
    for steps in stores:
        assert {name for name in names if not survives(name, steps)} == set()


def test_an_agent_sends_all_that_a_node_exports_and_is_read() -> None:
    (steps,) = sent("agent.yml")
    assert {name for name in (read() & EXPORTED.keys()) | {"up"} if not survives(name, steps)} == set()


@pytest.mark.parametrize(("name", "kept"), [("a:b", True), ("ab", False), ("x_a:b", False)])
def test_the_relabelling_here_is_prometheuss(name: str, *, kept: bool) -> None:
    steps = [{"source_labels": ["__name__"], "regex": "[a-z]+:.*", "action": "keep"}]
    assert survives(name, steps) is kept
    assert survives(name, [{**steps[0], "action": "drop"}]) is not kept
