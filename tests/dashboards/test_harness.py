"""Each dashboard drawn by Grafana's own front end in Chromium, from a real Prometheus, and its picture kept.

``--update-golden`` also writes the pictures of ``dashboards/screenshots``: look at them before they are committed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.conftest import REPO
from tests.dashboards import drawing, panels
from tests.dashboards.conftest import once, shared
from tests.dashboards.drawing import Drawn
from tests.dashboards.fill import Server
from tests.dashboards.world import END_S

pytestmark = pytest.mark.needs("prometheus", "chromium")
SCREENSHOTS = REPO / "dashboards" / "screenshots"
UIDS = sorted(panels.dashboards())

#: A dashboard about one thing is drawn with that thing chosen.
CHOSEN: Mapping[str, Mapping[str, str]] = {
    "wattledger-training": {"workload": "slurm/4711"},
    "wattledger-node": {"hostname": "gpu-2"},
    "wattledger-team": {"team": "nlp"},
    "wattledger-inference": {"phase": "inference"},
}
TWO_YEARS_S = 2 * 365 * 86400
#: Panels that have nothing to show for what is chosen, and what is missing.
EMPTY: Mapping[tuple[str, str], str] = {}


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page that draws, bundled once for all workers."""
    home = shared(tmp_path_factory) / "harness"

    def make() -> bytes:
        drawing.bundle(home)
        return b"bundled"

    once(shared(tmp_path_factory) / "harness.done", make)
    return home


@pytest.fixture(scope="module")  # Playwright's loop runs in this thread: later modules have their own, or run asyncio
def browser() -> Iterator[Browser]:
    with drawing.chromium() as running:
        yield running


@pytest.fixture
def draw(dist: Path, browser: Browser, prometheus: Server) -> drawing.Draw:
    return drawing.Draw(browser, dist, prometheus.url, END_S)


@pytest.mark.parametrize("uid", UIDS)
def test_every_panel_draws(uid: str, draw: drawing.Draw, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Each panel settles without an error and has data, and none crashes in the browser."""
    drawn = draw(panels.dashboards()[uid], CHOSEN.get(uid, {}))
    kept = SCREENSHOTS if request.config.getoption("--update-golden") else tmp_path
    (kept / f"{uid.removeprefix('wattledger-')}.png").write_bytes(drawn.picture)
    assert problems(uid, drawn) == []
    titles = [panel["title"] for panel in panels.flat(panels.dashboards()[uid])]
    assert [panel["title"] for panel in drawn.panels] == titles


@pytest.mark.parametrize("uid", UIDS)
def test_a_time_without_data_says_so(uid: str, draw: drawing.Draw) -> None:
    """Before anything was measured: no error, and each panel that is empty says in its own words what is missing."""
    dashboard = panels.dashboards()[uid]
    drawn = replace(draw, now_s=END_S - TWO_YEARS_S)(dashboard, {})
    assert (drawn.failed, drawn.problems) == ("", ())
    assert [panel["title"] for panel in drawn.panels if panel["errors"] or panel["state"] != "Done"] == []
    words = {panel["title"]: panel["fieldConfig"]["defaults"].get("noValue") for panel in panels.flat(dashboard)}
    empty = [panel["title"] for panel in drawn.panels if not panel["frames"]]
    assert empty
    assert [title for title in empty if words[title] not in drawn.text] == []


def test_a_query_with_a_typo_is_seen(draw: drawing.Draw) -> None:
    """The harness would notice: a misspelt macro is an error of its panel, not an empty picture."""
    dashboard = json.loads(json.dumps(panels.dashboards()["wattledger-node"]))
    panel = next(panels.flat(dashboard))
    panel["targets"][0]["expr"] = "sum(rate(wattledger_device_energy_joules_total[$__rate_intervall]))"
    drawn = draw(dashboard, {})
    assert [each["title"] for each in drawn.panels if each["errors"]] == [panel["title"]]


def test_every_dashboard_has_its_picture() -> None:
    """The README shows them."""
    pictures = {path.stem for path in SCREENSHOTS.glob("*.png")} - {"node-page"}
    assert {f"wattledger-{name}" for name in pictures} == set(UIDS)


def problems(uid: str, drawn: Drawn) -> list[str]:
    found = [drawn.failed] if drawn.failed else []
    found += drawn.problems
    for panel in drawn.panels:
        if panel["pluginError"] or panel["errors"] or panel["state"] != "Done":
            found.append(f"{panel['title']}: {panel['state']} {panel['pluginError'] or ''} {panel['errors']}")
        elif not panel["frames"] and (uid, panel["title"]) not in EMPTY:
            found.append(f"{panel['title']}: no data")
    return found
