"""The arithmetic of overview, node, fleet health and finance month, on scripted series: 400 W for an hour is 0.4 kWh.

promtool evaluates the queries of the committed JSON; nothing is typed a second time here but the truth.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.dashboards.lint import panels_of

FOLDER = Path(__file__).resolve().parent.parent.parent / "dashboards"
TARGET = 'job="w",instance="a:9837"'
NODE = f'{TARGET},hostname="a"'
GPU = f'{NODE},component="gpu"'
POD = 'workload="p",kind="pod",team="nlp"'
WORK = f'hostname="a",{POD}'
DEVICE = f'{GPU},device="g"'

#: Every 15 s for 80 minutes. One node of 400 W: a pod of 300 W, 60 W of them idle, and 100 W that nobody holds.
SERIES = {
    f'wattledger_device_energy_joules_total{{{DEVICE},method="measured"}}': "0+4500x320",
    f'wattledger_device_energy_joules_total{{{DEVICE},method="modelled"}}': "0+1500x320",
    f'wattledger_workload_energy_joules_total{{{GPU},{POD},method="measured"}}': "0+4500x320",
    f'wattledger_workload_energy_joules_total{{{GPU},workload="idle",kind="idle",method="modelled"}}': "0+1500x320",
    f'wattledger_workload_idle_energy_joules_total{{{GPU},{POD},method="measured"}}': "0+900x320",
    f'wattledger_workload_emissions_grams_total{{{NODE},{POD},basis="location"}}': "0+0.5x320",
    f'wattledger_workload_emissions_grams_total{{{NODE},{POD},basis="market"}}': "0+9x320",
    f'wattledger_workload_info{{{NODE},workload="p",kind="pod",name="llama"}}': "1x320",
    f"wattledger_device_power_watts{{{DEVICE}}}": "400x320",
    f'wattledger_device_info{{{DEVICE},index="0",vendor="v",model="m",sensor="nvml"}}': "1x320",
    f"wattledger_conservation_error_joules{{{NODE}}}": "0x320",
    # The daemon's own series know no hostname.
    f'wattledger_gap_seconds_total{{{TARGET},component="gpu",device="g",reason="stale"}}': "0+1.5x320",
    f'wattledger_source_up{{{TARGET},source="nvml"}}': "1x320",
    f'wattledger_source_up{{{TARGET},source="rapl"}}': "0x320",
    f"wattledger_tick_timestamp_seconds{{{TARGET}}}": "0+15x320",
    f"process_cpu_seconds_total{{{TARGET}}}": "0+0.0125x320",
    'process_cpu_seconds_total{job="other",instance="a:9100"}': "0+9x320",
    # A second node that went away after ten minutes.
    'wattledger_conservation_error_joules{job="w",instance="b:9837",hostname="b"}': "0x40 stale",
    'wattledger_tick_timestamp_seconds{job="w",instance="b:9837"}': "0+15x40 stale",
    # Recorded: a month so far of 0.4 kWh, 0.3 of them of a team, 0.1 of a cost centre; and the month before.
    'project:wattledger_workload_energy_joules:month{team="nlp",kind="pod",month="197001"}': "1080000x320",
    'project:wattledger_workload_energy_joules:month{kind="idle",month="197001"}': "360000x320",
    'project:wattledger_workload_energy_joules:month{team="nlp",kind="pod",month="196912"}': "77000000x320",
    'cost_centre:wattledger_workload_energy_joules:month{cost_centre="CC-1",month="197001"}': "360000x320",
    'project:wattledger_workload_power_watts:rate5m{team="nlp",kind="pod",component="gpu"}': "300x320",
    'project:wattledger_workload_power_watts:rate5m{kind="pod",component="gpu"}': "60x320",
    'project:wattledger_workload_power_watts:rate5m{kind="idle",component="gpu"}': "40x320",
    'team:wattledger_budget_used:ratio{team="nlp",budget="energy",month="197001"}': "0.25x320",
    'fleet:wattledger_counted_seconds:month{month="197001"}': "3600x320",
    # A node came back, and brought its downtime in one step.
    'site:wattledger_covered_seconds:delta5m{component="gpu"}': "_x241 300",
    'site:wattledger_gap_seconds:delta5m{component="gpu"}': "_x241 100",
    f'instance:wattledger_covered_seconds:delta5m{{{TARGET},component="gpu"}}': "_x241 2700",
    f'instance:wattledger_gap_seconds:delta5m{{{TARGET},component="gpu"}}': "_x241 300",
    'kind:wattledger_workload_power_watts:rate5m{kind="pod"}': "300x320",
    'kind:wattledger_workload_power_watts:rate5m{kind="idle"}': "100x320",
    'project:wattledger_workload_emissions_grams:delta5m{team="nlp",kind="pod",basis="location"}': "_x241 120",
    f"workload:wattledger_workload_energy_joules:delta5m{{{WORK}}}": "_x241 1080000",
    f"workload:wattledger_workload_emissions_grams:delta5m{{{WORK}}}": "_x241 120",
    f"workload:wattledger_gpu_unused_energy_joules:delta5m{{{WORK}}}": "_x241 216000",
    # One recorded step, of 0.1 kWh, 0.02 of it idle.
    'project:wattledger_workload_energy_joules:delta5m{team="nlp",kind="pod",month="197001"}': "_x241 360000",
    'project:wattledger_workload_idle_energy_joules:delta5m{team="nlp",kind="pod",month="197001"}': "_x241 72000",
}

#: dashboard, panel, query -> labels -> value, an hour and ten minutes in, over the last hour.
TRUTH: dict[tuple[str, str, str], dict[str, float]] = {
    ("node", "Power now", "A"): {"{}": 400},
    ("node", "Energy", "A"): {"{}": 0.4},
    ("node", "Emissions", "A"): {"{}": 120},
    ("node", "Sources that fail", "A"): {"{}": 1},
    ("node", "GPU power", "A"): {'{hostname="a",component="gpu",device="g",index="0",job="w",instance="a:9837"}': 400},
    ("node", "Power by kind of owner", "A"): {'{kind="pod"}': 300, '{kind="idle"}': 100},
    ("node", "CPU of the daemon", "A"): {'{hostname="a"}': 0.05},
    ("node", "Time without a reading", "A"): {'{hostname="a",component="gpu",device="g",reason="stale"}': 360},
    ("node", "Measured", "A"): {"{}": 0.75},
    ("node", "Coverage", "A"): {"{}": 0.9},
    ("node", "Unattributed", "A"): {"{}": 0},
    ("fleet-health", "Nodes that report", "A"): {"{}": 1},
    ("fleet-health", "Silent nodes", "A"): {"{}": 1},
    ("fleet-health", "Which nodes are silent", "A"): {'{hostname="b"}': 3600},
    ("fleet-health", "Nodes with a failing source", "A"): {"{}": 1},
    ("fleet-health", "Nodes without a factor", "A"): {"{}": 1},
    ("overview", "Power now", "A"): {"{}": 400},
    ("overview", "Power by team", "A"): {'{team="nlp"}': 300, '{team="no team"}': 60},
    ("overview", "Power by team", "B"): {'{kind="idle"}': 40},
    ("overview", "Energy this month", "A"): {"{}": 0.4},
    ("overview", "Energy today", "A"): {"{}": 0.1},
    ("overview", "Idle share of energy", "A"): {"{}": 0.2},
    ("overview", "Top workloads", "A"): {'{hostname="a",workload="p",kind="pod",team="nlp"}': 0.3},
    ("overview", "Top workloads", "B"): {'{hostname="a",workload="p",kind="pod",team="nlp"}': 120},
    ("overview", "Top workloads", "C"): {'{hostname="a",workload="p",kind="pod",team="nlp"}': 0.06},
    ("overview", "Top workloads", "D"): {'{hostname="a",workload="p",kind="pod",name="llama"}': 1},
    ("overview", "Month to date against budget", "A"): {'{team="nlp",budget="energy"}': 0.25},
    ("finance-month", "Month", "A"): {'{month="1970-01"}': 1},
    ("finance-month", "Energy (IT)", "A"): {"{}": 0.4},
    # 0.4 kWh in the 3,600 s that were counted, of 31 * 86,400
    ("finance-month", "Energy, month end", "A"): {"{}": 0.4 * 2678400 / 3600},
    ("finance-month", "Coverage of the time range", "A"): {"{}": 0.75},
    ("finance-month", "By team", "A"): {'{team="nlp"}': 0.3, '{team="(no team)"}': 0.1},
    ("finance-month", "By cost centre", "A"): {'{cost_centre="CC-1"}': 0.1, '{cost_centre="(no cost centre)"}': 0.3},
    ("finance-month", "Energy budget left", "A"): {'{team="nlp"}': 0.75},
}


def _query(board: str, title: str, ref: str) -> str:
    content: dict[str, Any] = json.loads((FOLDER / f"wattledger-{board}.json").read_text(encoding="utf-8"))
    targets = [panel["targets"] for panel in panels_of(content) if panel["title"] == title]
    found = [target["expr"] for target in targets[0] if target["refId"] == ref]
    expression: str = found[0]
    for macro, value in {"$__rate_interval": "1m", "$__range_s": "3600", "$__range": "1h"}.items():
        expression = expression.replace(macro, value)
    for name in ("cluster", "site", "hostname", "team", "project", "phase", "workload"):
        expression = expression.replace(f"${name}", ".*").replace(f"${{{name}}}", ".*")
    assert not re.search(r"\$\{?[A-Za-z_]", expression)  # `$1` is of label_replace
    return expression


@pytest.mark.needs("promtool")
def test_panels_say_what_is_true(tmp_path: Path) -> None:
    """One promtool run over all of TRUTH; a failure prints the query, what was expected and what came."""
    series = [{"series": name, "values": values} for name, values in SERIES.items()]
    tests = [
        {
            "expr": _rounded(_query(*key)),
            "eval_time": "70m",
            "exp_samples": [{"labels": labels, "value": round(value, 6)} for labels, value in expected.items()],
        }
        for key, expected in TRUTH.items()
    ]
    suite = {"tests": [{"interval": "15s", "input_series": series, "promql_expr_test": tests}]}
    file = tmp_path / "arithmetic.yml"
    file.write_text(yaml.safe_dump(suite), encoding="utf-8")
    done = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def _rounded(expression: str) -> str:
    """To the sixth place: promtool compares floats exactly."""
    return f"round({expression}, 0.000001)"
