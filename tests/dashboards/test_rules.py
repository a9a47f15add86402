"""Rules and alerts: valid, tested to the last one, made of names that exist, and the same in VictoriaMetrics."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.dashboards.elsewhere import Victoria, cases_of, play, same, seconds
from tests.dashboards.names import (
    EXPORTED,
    OF_PROMETHEUS,
    RULES,
    TARGET_LABELS,
    groups_of,
    recorded,
    rule_files,
    unknown_in,
    uses,
)
from tests.e2e.victoria import victoria

FILES = rule_files()
TESTS = sorted((RULES / "tests").glob("*.yml"))
RUNBOOKS = RULES.parent / "runbooks"
GROUPS = [(file, group) for file in FILES for group in groups_of(file)]
RULE_LIST: list[tuple[Path, dict[str, Any]]] = [(file, rule) for file, group in GROUPS for rule in group["rules"]]
RECORDED = [rule["record"] for _, rule in RULE_LIST if "record" in rule]
ALERTS = {rule["alert"]: rule for _, rule in RULE_LIST if "alert" in rule}
README = (RULES / "README.md").read_text(encoding="utf-8")
LOOKS = re.compile(r"\[(\w+)")
HEADINGS = ["## Meaning", "## Impact", "## Check", "## Fix", "## Silence"]

files = pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
alerts = pytest.mark.parametrize("alert", ALERTS.values(), ids=ALERTS.keys())


def run(*command: object) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@cache
def all_cases() -> list[dict[str, Any]]:
    """Of all promtool files."""
    return [case for file in TESTS for case in cases_of(file)["tests"]]


@cache
def known_to(file: Path) -> dict[str, frozenset[str]]:
    """What a rule of ``file`` may use: what is exported, and recorded there or by the files that are always loaded."""
    return {**EXPORTED, **OF_PROMETHEUS, **recorded(RULES / "budgets.example.yml", RULES / "recording.yml", file)}


# ---- every rule, by promtool


@pytest.mark.needs("promtool")
@files
def test_prometheus_takes_the_rules(file: Path) -> None:
    assert "SUCCESS" in run("promtool", "check", "rules", file)


@pytest.mark.needs("victoria-metrics")
@files
def test_vmalert_takes_the_rules(file: Path) -> None:
    run("vmalert", "-dryRun", f"-rule={file}")


@pytest.mark.needs("promtool")
@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.stem)
def test_rules_give_what_they_say(file: Path) -> None:
    assert "SUCCESS" in run("promtool", "test", "rules", file)


def test_every_recorded_series_has_a_test_that_expects_values() -> None:
    """And so a rule without a test cannot be added."""
    expected = {
        metric
        for case in all_cases()
        for test in case.get("promql_expr_test", ())
        if test["exp_samples"]
        for metric in uses(test["expr"]).metrics
    }
    assert set(RECORDED) - expected == set()


@alerts
def test_every_alert_has_a_test_in_which_it_fires_and_one_in_which_it_does_not(alert: dict[str, Any]) -> None:
    tests = [each for case in all_cases() for each in case.get("alert_rule_test", ())]
    tests = [test for test in tests if test["alertname"] == alert["alert"]]
    assert {bool(test["exp_alerts"]) for test in tests} == {True, False}


# ---- names


@pytest.mark.parametrize(
    ("file", "rule"), RULE_LIST, ids=[rule.get("record", rule.get("alert")) for _, rule in RULE_LIST]
)
def test_rules_use_metrics_and_labels_that_exist(file: Path, rule: dict[str, Any]) -> None:
    known = dict(known_to(file))
    if "ALERTS" in uses(rule["expr"]).metrics:  # it has the labels of its own expression
        known["ALERTS"] = known["ALERTS"] | frozenset(uses(rule["expr"]).grouped)
    assert list(unknown_in(rule["expr"], known)) == []


def test_recorded_names_say_level_metric_and_operation() -> None:
    """Only names that stand for another exporter's, and the budgets that a site writes, are plain."""
    own = {rule["record"] for file, rule in RULE_LIST if "record" in rule and file.name == "recording.yml"}
    assert [name for name in own if not re.fullmatch(r"[a-z_]+:wattledger_[a-z_]+:[a-z0-9_]+", name)] == []
    levels = {name.split(":")[0] for name in own}
    assert levels == set(re.findall(r"^\| `(\w+)` \|", README, re.MULTILINE)), "the README explains every level"
    assert {name for name in own if f"`{name}`" not in README} == set(), "the README lists every series"


def test_no_rule_names_a_series_that_the_daemon_exports() -> None:
    assert set(RECORDED) & set(EXPORTED) == set()


def test_multi_cluster_labels_are_kept() -> None:
    """Two clusters with nodes of the same names must never be added up by accident."""
    fleet_wide = {"team:wattledger_budget_used:ratio", "team:wattledger_budget_forecast:ratio"}
    for file, rule in RULE_LIST:
        if file.name not in {"recording.yml", "compat.yml"} or rule["record"] in fleet_wide:
            continue
        for text in re.findall(r"\b(?:by|on) \(([^)]*)\)", rule["expr"]):
            if text.strip() not in {"", "month"}:
                assert "cluster" in text, f"{rule['record']}: by ({text})"


# ---- months that add up


STEP = """sum by (LABELS) (
    clamp_min(
        last_over_time(METRIC[5m])
        - (last_over_time(METRIC[BACK] offset 5m) or min_over_time(METRIC[5m])), 0) JOIN
) * on () group_left (month) count_values("month", year() * 100 + month())"""
MONTH = """sum without (of) (
    max_over_time(METRIC:month[1w] offset 4m) or label_replace(METRIC:delta5m, "of", "step", "", "")
) and on (month) count_values("month", year() * 100 + month())"""
#: Steps that are made of others, of gaps or of no month.
OTHER_STEPS = re.compile("unsplit|gap_seconds|covered_seconds|^workload:")


def test_steps_are_all_made_alike() -> None:
    """One formula, written out for each metric: PromQL has no functions."""
    steps = [
        rule["expr"]
        for _, rule in RULE_LIST
        if rule.get("record", "").endswith(":delta5m") and not OTHER_STEPS.search(rule["record"])
    ]
    assert len(steps) == 7
    for expression in steps:
        metric = re.findall(r"last_over_time\((\w+)", expression)[0]
        labels = re.findall(r"sum by \(([^)]*)\)", expression)[0]
        join = re.search(r"\* on \(cluster, instance.*?\[5m\]\)\s*\)", expression, re.DOTALL)
        back = "6h" if metric == "wattledger_device_energy_joules_total" else "1h"
        wanted = STEP.replace("METRIC", metric).replace("LABELS", labels).replace("JOIN", join[0] if join else "")
        wanted = wanted.replace("BACK", back)
        assert "".join(expression.split()) == "".join(wanted.split())


def test_months_carry_themselves_on() -> None:
    """A sum of steps back to the first of the month is wrong in a Prometheus that keeps 15 days."""
    months = [rule for _, rule in RULE_LIST if re.search(r":(project|site|cost_centre):", f":{rule.get('record')}")]
    months = [rule for rule in months if rule["record"].endswith(":month")]
    assert len(months) == 6
    for rule in months:
        wanted = MONTH.replace("METRIC", rule["record"].removesuffix(":month"))
        assert "".join(rule["expr"].split()) == "".join(wanted.split())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_rule_needs_a_longer_retention_than_the_default(file: Path) -> None:
    """Prometheus keeps 15 days unless it is told otherwise."""
    looks = [back for group in groups_of(file) for rule in group["rules"] for back in LOOKS.findall(rule["expr"])]
    assert max((seconds(back) for back in looks), default=0) <= 7 * 86400


def test_steps_are_as_long_as_they_say() -> None:
    """The sum of steps of five minutes is wrong by any other interval."""
    for _, group in GROUPS:
        if any(":delta5m" in rule.get("record", "") for rule in group["rules"]):
            assert seconds(group["interval"]) == 300, group["name"]


# ---- alerts


@alerts
def test_an_alert_can_be_routed_and_explained(alert: dict[str, Any]) -> None:
    labels, annotations = alert["labels"], alert["annotations"]
    assert labels["severity"] in {"critical", "warning", "info"}
    known = known_to(RULES / "alerts.yml")
    assert "team" in labels or any("team" in known[metric] for metric in uses(alert["expr"]).metrics)
    assert set(annotations) == {"summary", "description", "runbook_url"}
    assert annotations["summary"].endswith(".")
    assert "keep_firing_for" not in alert, "Prometheus 2.42 refuses the whole file"


@alerts
def test_an_alert_does_not_flap(alert: dict[str, Any]) -> None:
    """It waits, or it looks at a window that holds what it saw."""
    assert seconds(alert.get("for", "0s")) >= 120 or "offset 1h" in alert["expr"]


@alerts
def test_every_alert_has_a_runbook(alert: dict[str, Any]) -> None:
    url = alert["annotations"]["runbook_url"]
    assert url == f"runbooks/{alert['alert']}.md"
    text = (RULES.parent / url).read_text(encoding="utf-8")
    assert text.startswith(f"# {alert['alert']}\n")
    assert re.findall(r"^## .*", text, re.MULTILINE) == HEADINGS
    for section in re.split(r"^## .*\n", text, flags=re.MULTILINE)[1:]:
        assert section.strip()


def test_every_runbook_has_its_alert() -> None:
    assert {path.stem for path in RUNBOOKS.glob("*.md")} == set(ALERTS)


def test_every_alert_is_in_the_readme() -> None:
    assert [name for name in ALERTS if f"[{name}](../runbooks/{name}.md)" not in README] == []


def test_the_documented_prefix_of_runbooks_works(tmp_path: Path) -> None:
    """The README's command makes links of relative paths."""
    command = next(line for line in README.splitlines() if line.startswith("sed "))
    copy = tmp_path / "alerts.yml"
    copy.write_bytes((RULES / "alerts.yml").read_bytes())
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True, timeout=10)
    urls = {rule["annotations"]["runbook_url"] for group in groups_of(copy) for rule in group["rules"]}
    assert urls == {f"https://git.example/wattledger/dashboards/runbooks/{name}.md" for name in ALERTS}


# ---- PromQL in the documents


def documented() -> list[tuple[str, str]]:
    """Every query of the README here and of the runbooks."""
    texts = {"README.md": README, **{path.name: path.read_text(encoding="utf-8") for path in RUNBOOKS.glob("*.md")}}
    blocks = [
        (name, block) for name, text in texts.items() for block in re.findall(r"```promql\n(.*?)```", text, re.DOTALL)
    ]
    return [(name, query) for name, block in blocks for query in re.split(r"\n(?=#)|\n\n", block.strip())]


def test_documented_queries_use_names_that_exist() -> None:
    known = {**EXPORTED, **OF_PROMETHEUS, **recorded(*FILES)}
    queries = documented()
    assert len(queries) > 15
    assert {name: found for name, query in queries for found in unknown_in(query, known)} == {}


@pytest.mark.needs("promtool")
def test_documented_queries_are_promql(tmp_path: Path) -> None:
    rules = "".join(
        f"  - record: q:{i}\n    expr: |\n" + "".join(f"      {line}\n" for line in query.splitlines())
        for i, (_, query) in enumerate(documented())
    )
    file = tmp_path / "documented.yml"
    file.write_text("groups:\n- name: documented\n  rules:\n" + rules.replace("q:", "documented:q"), encoding="utf-8")
    assert "SUCCESS" in run("promtool", "check", "rules", file)


# ---- VictoriaMetrics


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victoria]:
    with victoria(tmp_path_factory.mktemp("victoria") / "home", 'nothing{of="interest"} 1 1672531200\n') as url:
        yield Victoria(url)


@pytest.mark.needs("victoria-metrics")
@pytest.mark.parametrize("name", ["power", "coverage", "month", "month_turn", "compat"])
def test_victoriametrics_records_the_same(name: str, empty: Victoria) -> None:
    """The tests of promtool, asked of another engine: the same samples, rules and numbers."""
    file = RULES / "tests" / f"{name}.yml"
    for case in cases_of(file)["tests"]:
        empty.forget()
        for expected in play(empty, file, case):
            found = empty.at(expected.expression, expected.at_s)
            assert same(found, expected.samples), f"{expected.expression} at {expected.at_s} s: {found}"


@pytest.mark.needs("victoria-metrics")
@alerts
def test_victoriametrics_evaluates_every_alert(alert: dict[str, Any], empty: Victoria) -> None:
    empty.at(alert["expr"], 0)


# ---- the reader of names can fail


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("sum(wattledger_device_joules_total)", "no metric wattledger_device_joules_total"),
        ('wattledger_pue_ratio{zone="x"}', "wattledger_pue_ratio has no label zone"),
        ("sum by (team) (rate(wattledger_pue_ratio[5m]))", "no metric in it has a label team"),
        ("wattledger_pue_ratio * on (host) wattledger_pue_info", "no metric in it has a label host"),
        ('label_replace(wattledger_pue_ratio, "a", "$1", "zone", "(.*)")', "no metric in it has a label zone"),
    ],
)
def test_a_name_that_nobody_exports_is_found(expression: str, said: str) -> None:
    assert list(unknown_in(expression, EXPORTED)) == [said]


def test_labels_that_an_expression_makes_and_those_of_targets_are_known() -> None:
    good = (
        "sum by (a, month, cluster) ("
        'label_replace(wattledger_pue_ratio{site=~"$site"} offset 5m, "a", "$1", "site", ""))'
        ' * on (month) count_values("month", year() * 100 + month()) # by (nobody)'
    )
    assert list(unknown_in(good, EXPORTED)) == []
    assert uses(good).metrics == {"wattledger_pue_ratio"}
    assert "site" in TARGET_LABELS
