"""Reads dashboards: their panels, queries and variables, and what Grafana would put in place of ``$...``."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.conftest import REPO

FOLDER = REPO / "dashboards"
SCRAPE_S = 60
#: A panel of a usual width has about so many points.
POINTS = 600
_AGO = re.compile(r"now-(\d+)([mhdw])")
_UNIT_S = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_QUERY = re.compile(r"label_values\((.*),\s*(\w+)\)", re.DOTALL)


@dataclass(frozen=True)
class Target:
    """One query of a panel. ``expr`` as it is in the JSON."""

    dashboard: str
    panel: str
    kind: str
    ref: str
    expr: str
    instant: bool
    since: str  # the panel's own time range, "" for the dashboard's
    range: str

    @property
    def name(self) -> str:
        return f"{self.dashboard} / {self.panel} / {self.ref}"

    def span_s(self, now_s: int) -> tuple[int, int]:
        start_s = begin(self.since or self.range, now_s)
        return start_s, now_s


@dataclass(frozen=True)
class Variable:
    dashboard: str
    name: str
    match: str
    label: str
    all_value: str
    first: str

    @property
    def value(self) -> str:
        """As it is when the dashboard is opened."""
        return self.first or self.all_value or ".*"


def begin(text: str, now_s: int) -> int:
    """The instant that ``now/d``, ``now/M`` or ``now-6h`` (and a bare ``6h``) mean, UTC."""
    if text in {"now/d", "now/M"}:
        day = datetime.fromtimestamp(now_s, UTC).replace(hour=0, minute=0, second=0)
        return int((day if text == "now/d" else day.replace(day=1)).timestamp())
    found = _AGO.fullmatch(text if text.startswith("now") else f"now-{text}")
    assert found, f"a time range that nothing here knows: {text}"
    return now_s - int(found[1]) * _UNIT_S[found[2]]


@functools.cache
def dashboards() -> dict[str, Any]:
    """By uid."""
    found = {}
    for path in sorted(FOLDER.glob("*.json")):
        dashboard = json.loads(path.read_text(encoding="utf-8"))
        found[dashboard["uid"]] = dashboard
    return found


def flat(dashboard: Mapping[str, Any]) -> Iterator[Any]:
    """Every panel, those in rows too, without the rows."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel.get("panels") or []
        else:
            yield panel


def targets() -> list[Target]:
    return [
        Target(
            uid, panel["title"], panel["type"], target["refId"], target["expr"], bool(target.get("instant")),
            panel.get("timeFrom") or "", dashboard["time"]["from"],
        )
        for uid, dashboard in dashboards().items()
        for panel in flat(dashboard)
        for target in panel.get("targets") or []
    ]  # fmt: skip


def variables() -> list[Variable]:
    """Those that ask the server."""
    found = []
    for uid, dashboard in dashboards().items():
        for each in dashboard["templating"]["list"]:
            if each["type"] == "query":
                query = each["query"]["query"] if isinstance(each["query"], dict) else each["query"]
                match = _QUERY.fullmatch(query)
                assert match, f"{uid}: {each['name']} is no label_values(metric, label): {query}"
                first = "|".join(value for value in each["current"]["value"] if value != "$__all")
                found.append(Variable(uid, each["name"], match[1], match[2], each.get("allValue") or "", first))
    return found


def fixed(uid: str) -> dict[str, str]:
    """Variables that ask nothing: constants, lists and intervals, by their current or first value."""
    found = {}
    for each in dashboards()[uid]["templating"]["list"]:
        if each["type"] in {"custom", "constant", "interval", "textbox"}:
            current = each.get("current", {}).get("value") or str(each["query"]).split(",")[0].split(" : ")[-1].strip()
            found[each["name"]] = current[0] if isinstance(current, list) else current
    return found


def step_s(span_s: tuple[int, int]) -> int:
    """The interval Grafana would ask for: never below the scrape interval."""
    return max(SCRAPE_S, (span_s[1] - span_s[0]) // POINTS)


def expand(expr: str, span_s: tuple[int, int], chosen: Mapping[str, str]) -> str:
    """What is sent: variables by regular expression, macros by Grafana's rules (rate interval: four scrapes)."""
    range_s, step = span_s[1] - span_s[0], step_s(span_s)
    macros = {
        "__rate_interval": f"{max(step + SCRAPE_S, 4 * SCRAPE_S)}s",
        "__interval": f"{step}s",
        "__range": f"{range_s}s",
        "__range_s": str(range_s),
        "__range_ms": str(range_s * 1000),
        "__from": str(span_s[0] * 1000),
        "__to": str(span_s[1] * 1000),
    }
    values = {**macros, **chosen}
    for name in sorted(values, key=len, reverse=True):
        expr = re.sub(rf"\$\{{{name}(?::\w+)?\}}|\${name}\b", lambda _, name=name: values[name], expr)  # type: ignore[misc] # bound
    return expr
