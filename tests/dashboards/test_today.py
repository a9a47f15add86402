"""What "today" is: the steps that ended since midnight, none of yesterday's, and 0 before the first."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.dashboards.arithmetic import Claim, Script, query
from tests.dashboards.elsewhere import Victoria, labels_of, write
from tests.e2e.victoria import victoria

STEPS = 'project:wattledger_workload_energy_joules:delta5m{team="nlp",kind="pod",month="197001"}'
DAY_MIN = 24 * 60

pytestmark = pytest.mark.needs("promtool")


def _energy_today(folder: Path, values: str, expected_kwh: dict[int, float | None]) -> None:
    """``values``: of steps, each minute that is a multiple of five; ``expected_kwh``: by minute."""
    expression = query(Script("overview", {}, ()), Claim("Energy today", {}))
    tests = [
        {"expr": expression, "eval_time": f"{at_min}m", "exp_samples": [] if kwh is None else [_plain(kwh)]}
        for at_min, kwh in expected_kwh.items()
    ]
    case = {"interval": "5m", "input_series": [{"series": STEPS, "values": values}], "promql_expr_test": tests}
    file = folder / "today.yml"
    file.write_text(json.dumps({"evaluation_interval": "5m", "tests": [case]}), encoding="utf-8")
    done = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def _plain(value: float) -> dict[str, object]:
    return {"labels": "{}", "value": value}


#: By minute, of 1 kWh a step. The one that ended at midnight is of yesterday; after it there is none yet, which is 0.
EXPECTED_KWH: dict[int, float | None] = {
    DAY_MIN - 1: 287,
    DAY_MIN + 2: 0,
    DAY_MIN + 4: 0,
    DAY_MIN + 7: 1,
    DAY_MIN + 12: 2,
    DAY_MIN + 6 * 60: 72,
    DAY_MIN + 23 * 60 + 59: 287,
}


def test_today_has_no_step_of_yesterday(tmp_path: Path) -> None:
    _energy_today(tmp_path, "3600000x600", EXPECTED_KWH)


@pytest.mark.needs("victoria-metrics")
def test_nor_has_it_in_victoriametrics(tmp_path: Path) -> None:
    expression = query(Script("overview", {}, ()), Claim("Energy today", {}))
    with victoria(tmp_path / "home", 'nothing{of="interest"} 1 1672531200\n') as url:
        server = Victoria(url)
        server.put(write(dict(labels_of(STEPS)), [(300 * i, 3.6e6) for i in range(600)]))
        found = {at_min: server.at(expression, 60 * at_min)[frozenset()] for at_min in EXPECTED_KWH}
    assert found == EXPECTED_KWH


def test_today_is_unknown_where_nothing_is_recorded_any_more(tmp_path: Path) -> None:
    """Rules that stopped yesterday did not measure 0."""
    _energy_today(tmp_path, "3600000x200 stale", {DAY_MIN + 2: None, DAY_MIN + 120: None})
