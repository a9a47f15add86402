"""The dashboards in the repository are the ones that the code builds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dashboards.build.__main__ import FOLDER, pages, texts
from dashboards.build.page import Band, Page, assemble, field, link
from dashboards.build.panels import Look, Query, number
from dashboards.build.variables import nodes

BUILT = texts()


@pytest.mark.parametrize("path", BUILT, ids=lambda path: path.name)
def test_the_file_is_what_the_code_builds(path: Path) -> None:
    """Who edits a dashboard by hand would lose it at the next build."""
    assert path in BUILT
    assert path.read_text(encoding="utf-8") == BUILT[path], "run python -m dashboards.build"


def test_no_dashboard_is_without_code() -> None:
    assert sorted(FOLDER.glob("*.json")) == sorted(BUILT)


def test_check_says_what_differs_and_changes_nothing() -> None:
    """CI relies on its exit status."""
    before = {path: path.stat().st_mtime_ns for path in BUILT}
    command = [sys.executable, "-m", "dashboards.build", "--check"]
    done = subprocess.run(command, cwd=FOLDER.parent, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert {path: path.stat().st_mtime_ns for path in BUILT} == before


def test_building_twice_gives_the_same_bytes() -> None:
    assert texts() == BUILT


def test_uids_are_the_ones_that_people_have_links_to() -> None:
    expected = {"overview", "team", "training", "inference", "node", "finance-month", "fleet-health"}
    assert {page.name for page in pages()} <= expected
    assert {"overview", "node", "finance-month", "fleet-health"} <= {page.name for page in pages()}


def test_panels_flow_from_left_to_right_and_wrap() -> None:
    panels = [number(str(width), "Text.", "up", Look("short", "none", span=width)) for width in (10, 10, 10, 24)]
    page = Page("x", "x", "Purpose.", nodes(), [Band("One", panels[:3]), Band("Two", panels[3:])])
    places = [(p["type"], *(p["gridPos"][k] for k in "xyw")) for p in _json(page)["panels"]]
    assert places == [
        ("row", 0, 0, 24),
        ("stat", 0, 1, 10),
        ("stat", 10, 1, 10),
        ("stat", 0, 5, 10),
        ("row", 0, 9, 24),
        ("stat", 0, 10, 24),
    ]


def test_a_folded_band_holds_its_panels() -> None:
    """They ask nothing before a reader opens it, and take no room."""
    one, two = (number(name, "Text.", "up", Look("short", "none")) for name in "ab")
    page = Page("x", "x", "Purpose.", nodes(), [Band("Closed", [one], folded=True), Band("Open", [two])])
    rows = _json(page)["panels"]
    assert [(row["type"], row["gridPos"]["y"], row["id"]) for row in rows] == [
        ("row", 0, 1),
        ("row", 1, 3),
        ("stat", 2, 4),
    ]
    assert [panel["title"] for panel in rows[0]["panels"]] == ["a"]


def test_links_keep_what_the_reader_chose() -> None:
    assert link("node", hostname=field("Node")) == (
        "/d/wattledger-node?${__url_time_range}&${datasource:queryparam}&${cluster:queryparam}&${site:queryparam}"
        '&var-hostname=${__data.fields["Node"]:percentencode}'
    )


def test_a_query_knows_its_legend() -> None:
    panel = number("A", "Text.", [Query("up", "{{job}}"), Query("down")], Look("short", "none"))
    page = Page("x", "x", "Purpose.", nodes(), [Band("B", [panel])])
    targets = _json(page)["panels"][1]["targets"]
    assert [(t["refId"], t["expr"], t["legendFormat"]) for t in targets] == [
        ("A", "up", "{{job}}"),
        ("B", "down", "__auto"),
    ]


def _json(page: Page) -> dict[str, Any]:
    from grafana_foundation_sdk.cog.encoder import JSONEncoder

    return json.loads(JSONEncoder().encode(assemble(page)))  # type: ignore[no-any-return]  # plain JSON
