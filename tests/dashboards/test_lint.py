"""Every dashboard keeps every rule of lint.py, and every rule of lint.py can fail."""

from __future__ import annotations

import copy
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.dashboards import lint
from tests.dashboards.lint import Json

FOLDER = Path(__file__).resolve().parent.parent.parent / "dashboards"
BOARDS: dict[str, Json] = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.json"))}
#: All that wattledger ships; links may lead to any of them.
UIDS = {
    f"wattledger-{name}"
    for name in ("overview", "team", "training", "inference", "node", "finance-month", "fleet-health")
}


@pytest.mark.parametrize("name", BOARDS)
@pytest.mark.parametrize("rule", lint.RULES, ids=lambda rule: rule.__name__)
def test_dashboards_keep_the_rule(name: str, rule: Callable[[Json], Iterator[str]]) -> None:
    assert list(rule(BOARDS[name])) == []


@pytest.mark.parametrize("name", BOARDS)
def test_links_lead_to_dashboards_that_exist(name: str) -> None:
    assert list(lint.links_lead_somewhere(BOARDS[name], UIDS)) == []


@pytest.mark.parametrize("name", BOARDS)
def test_the_uid_is_the_file_name(name: str) -> None:
    """Provisioning and links both go by it."""
    assert BOARDS[name]["uid"] == name


@pytest.mark.needs("promtool")
def test_the_oldest_prometheus_parses_every_query(tmp_path: Path) -> None:
    """promql-parser knows functions that Prometheus 2.42 lacks."""
    rules = [
        {"record": f"q:{name.replace('-', '_')}:n{number}", "expr": lint.with_values(expression)}
        for name, board in BOARDS.items()
        for number, (_, expression) in enumerate(lint.queries_of(board))
    ]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}), encoding="utf-8")
    done = subprocess.run(["promtool", "check", "rules", file], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


# --- the rules can fail ----------------------------------------------------------------------------------------------

GOOD: Json = {
    "uid": "wattledger-x",
    "description": "What it is for.",
    "tags": ["wattledger"],
    "links": [{"type": "dashboards", "tags": ["wattledger"], "keepTime": True, "includeVars": True}],
    "templating": {
        "list": [
            {"name": "datasource", "type": "datasource"},
            {
                "name": "team",
                "type": "query",
                "datasource": {"type": "prometheus", "uid": "$datasource"},
                "includeAll": True,
                "allValue": ".*",
            },
        ]
    },
    "panels": [
        {
            "id": 1,
            "type": "stat",
            "title": "Power",
            "description": "Of the team.",
            "datasource": {"type": "prometheus", "uid": "$datasource"},
            "gridPos": {"x": 0, "y": 0, "w": 12, "h": 4},
            "fieldConfig": {"defaults": {"unit": "watt", "noValue": "nothing here"}, "overrides": []},
            "targets": [
                {
                    "refId": "A",
                    "datasource": {"type": "prometheus", "uid": "$datasource"},
                    "expr": 'sum(rate(wattledger_workload_energy_joules_total{team=~"$team"}[$__rate_interval]))',
                }
            ],
        }
    ],
}


def _query(board: Json, expression: str) -> None:
    board["panels"][0]["targets"][0]["expr"] = expression


def _again(board: Json, **changes: object) -> None:
    board["panels"].append({**copy.deepcopy(board["panels"][0]), **changes})


TEAM = '{team=~"$team"}'
BROKEN: dict[str, tuple[Callable[[Json], Iterator[str]], Callable[[Json], None]]] = {
    "third-party panel": (lint.only_stock_panels, lambda b: b["panels"][0].update(type="acme-sankey-panel")),
    "no purpose": (lint.words_everywhere, lambda b: b.update(description="")),
    "no description": (lint.words_everywhere, lambda b: b["panels"][0].update(description="")),
    "no empty state": (lint.words_everywhere, lambda b: b["panels"][0]["fieldConfig"]["defaults"].pop("noValue")),
    "no unit": (lint.units_everywhere, lambda b: b["panels"][0]["fieldConfig"]["defaults"].pop("unit")),
    "column without unit": (
        lint.units_everywhere,
        lambda b: b["panels"][0].update(
            type="table", transformations=[{"id": "organize", "options": {"renameByName": {"Value #A": "Power"}}}]
        ),
    ),
    "fixed data source": (lint.data_source_is_chosen, lambda b: b["panels"][0].update(datasource={"uid": "abc"})),
    "fixed data source of a query": (
        lint.data_source_is_chosen,
        lambda b: b["panels"][0]["targets"][0].update(datasource={"uid": "abc"}),
    ),
    "fixed data source of a variable": (
        lint.data_source_is_chosen,
        lambda b: b["templating"]["list"][1].update(datasource={"uid": "abc"}),
    ),
    "no choice of data source": (lint.data_source_is_chosen, lambda b: b["templating"]["list"].pop(0)),
    "no All": (lint.variables_offer_all, lambda b: b["templating"]["list"][1].update(includeAll=False)),
    "unknown variable": (lint.variables_offer_all, lambda b: _query(b, 'up{site=~"$site"}')),
    "choice without effect": (lint.every_choice_has_an_effect, lambda b: _query(b, "up")),
    "one value only": (lint.selections_take_several, lambda b: _query(b, 'up{team="$team"}')),
    "broken query": (lint.queries_parse, lambda b: _query(b, f"sum(up{TEAM}")),
    "wrong type": (lint.queries_parse, lambda b: _query(b, f"rate(up{TEAM})")),
    "misspelt macro": (lint.queries_parse, lambda b: _query(b, f"rate(up{TEAM}[$__rate_intervall])")),
    "rate of a gauge": (
        lint.windows_fit,
        lambda b: _query(b, f"rate(wattledger_device_power_watts{TEAM}[$__rate_interval])"),
    ),
    "rate of a recorded series": (
        lint.windows_fit,
        lambda b: _query(b, f"rate(team:wattledger_workload_power_watts:rate5m{TEAM}[$__range])"),
    ),
    "fixed window": (
        lint.windows_fit,
        lambda b: _query(b, f"rate(wattledger_workload_energy_joules_total{TEAM}[5m])"),
    ),
    "energy from power": (
        lint.gauges_are_not_added_over_time,
        lambda b: _query(b, f"sum_over_time(wattledger_device_power_watts{TEAM}[1h])"),
    ),
    "overlap": (lint.places_do_not_overlap, lambda b: _again(b, gridPos={"x": 11, "y": 3, "w": 4, "h": 4})),
    "over the edge": (
        lint.places_do_not_overlap,
        lambda b: b["panels"][0].update(gridPos={"x": 20, "y": 0, "w": 5, "h": 1}),
    ),
    "one id twice": (lint.numbers_are_unique, lambda b: _again(b, title="Energy")),
    "one title twice": (lint.numbers_are_unique, lambda b: _again(b, id=2)),
    "foreign uid": (lint.identity_is_ours, lambda b: b.update(uid="abc")),
    "no tag": (lint.identity_is_ours, lambda b: b.update(tags=[])),
    "own time range": (lint.no_time_of_its_own, lambda b: b["panels"][0].update(timeFrom="now/d")),
    "id of a database": (lint.identity_is_ours, lambda b: b.update(id=7)),
}


@pytest.mark.parametrize("rule", lint.RULES, ids=lambda rule: rule.__name__)
def test_a_good_dashboard_passes(rule: Callable[[Json], Iterator[str]]) -> None:
    assert list(rule(GOOD)) == []


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_broken_is_found(what: str) -> None:
    rule, breaks = BROKEN[what]
    board = copy.deepcopy(GOOD)
    breaks(board)
    assert len(list(rule(board))) == 1


def test_every_rule_is_shown_to_fail() -> None:
    assert {rule for rule, _ in BROKEN.values()} == set(lint.RULES)


@pytest.mark.parametrize(
    "links",
    [
        [],
        [{"type": "dashboards", "tags": ["wattledger"], "keepTime": False, "includeVars": True}],
    ],
)
def test_links_that_forget_are_found(links: list[Json]) -> None:
    assert len(list(lint.links_lead_somewhere({**GOOD, "links": links}, UIDS))) == 1


def test_table_links_to_nowhere_are_found() -> None:
    board = copy.deepcopy(GOOD)
    link = {"title": "There", "url": "/d/wattledger-nowhere?var-team=x"}
    board["panels"][0]["fieldConfig"]["overrides"] = [
        {"matcher": {"id": "byName", "options": "Team"}, "properties": [{"id": "links", "value": [link]}]}
    ]
    assert list(lint.links_lead_somewhere(board, UIDS)) == [
        "Power: There leads to /d/wattledger-nowhere?var-team=x",
        "Power: There forgets the time range",
    ]
