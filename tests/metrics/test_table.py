"""The README's table of metrics is generated, and a test compares."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tracker.metrics.families import FAMILIES
from tracker.metrics.table import metrics_table, section_of

REPO = Path(__file__).resolve().parents[2]


def test_the_table_names_every_metric_with_its_labels() -> None:
    rows = metrics_table().splitlines()
    assert len(rows) == len(FAMILIES) + 2
    assert rows[2] == (
        "| `wattledger_device_energy_joules_total` | counter | `hostname`, `component`, `device`, `method` "
        "| Energy booked to the ledger. The sum over all labels is the node. |"
    )
    assert all(row.count("|") == 5 for row in rows), "a pipe in a help text breaks the table"


def test_the_readme_shows_the_table_of_this_version() -> None:
    """Somebody who builds a dashboard from the README must find the names that are exported."""
    section = section_of((REPO / "README.md").read_text(encoding="utf-8"))
    if section is None:
        pytest.skip("the README has no section of metrics")
    assert section == metrics_table(), "python -m tracker.metrics prints the new table"


def test_a_section_is_what_stands_between_the_markers() -> None:
    readme = "intro\n<!-- metrics:begin -->\n| a |\n<!-- metrics:end -->\nrest\n"
    assert section_of(readme) == "| a |\n"
    assert section_of("no markers") is None


def test_the_command_prints_it() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "tracker.metrics"], capture_output=True, check=True, text=True, cwd=REPO
    )
    assert printed.stdout == metrics_table()
