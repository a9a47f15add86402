"""The queries of the team, training and inference dashboards give what a pencil gives, by promtool."""

from __future__ import annotations

import subprocess

import pytest

from tests.dashboards.arithmetic import FOLDER, Script, promtool_file, scripts
from tests.dashboards.panels import targets

SCRIPTS = {script.name: script for script in scripts()}
DASHBOARDS = sorted({script.dashboard for script in scripts()})
#: The strip that every dashboard has: proven with the rules and on a real Prometheus.
STRIP = {"Measured", "Coverage", "Unattributed", "Grid factor: zone, tier and source", "Age of the factor"}


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_the_files_hold_the_queries_that_the_dashboards_ask(script: Script) -> None:
    """Else a query could change and its proof stay behind."""
    path = FOLDER / f"queries_{script.name}.yml"
    assert path.read_text(encoding="utf-8") == promtool_file(script), "run python -m tests.dashboards.arithmetic"


@pytest.mark.needs("promtool")
@pytest.mark.parametrize("name", SCRIPTS)
def test_400_watts_for_an_hour_are_400_watt_hours(name: str) -> None:
    done = subprocess.run(
        ["promtool", "test", "rules", f"queries_{name}.yml"],
        cwd=FOLDER,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", DASHBOARDS)
def test_every_query_is_proven(name: str) -> None:
    asked = {
        (each.panel, each.ref)
        for each in targets()
        if each.dashboard == f"wattledger-{name}" and each.panel not in STRIP
    }
    claims = [claim for script in scripts() if script.dashboard == name for claim in script.claims]
    assert {(claim.panel, claim.ref) for claim in claims} == asked
