"""A page: identity, variables, links and layout. Panels flow from left to right and wrap; places are never typed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    Dashboard,
    DashboardCursorSync,
    DashboardLinkType,
    GridPos,
    Panel,
    RowPanel,
)

from dashboards.build.style import TAG
from dashboards.build.variables import Variable

COLUMNS = 24
_KEPT = "&".join(f"${{{name}:queryparam}}" for name in ("datasource", "cluster", "site"))


@dataclass(frozen=True, slots=True)
class Band:
    """A titled row of panels; a ``folded`` one is opened by the reader and asks nothing before."""

    title: str
    panels: Sequence[Panel]
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Shortcut:
    """A link at the top of a page: to the same page at another time, with all choices kept, or to ``url``."""

    title: str
    since: str = ""
    until: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """A dashboard. Its uid is ``wattledger-<name>`` for ever: people keep links to it."""

    name: str
    title: str
    purpose: str
    variables: Sequence[Variable]
    bands: Sequence[Band]
    since: str = "now-6h"
    until: str = "now"
    refresh: str = "1m"
    timezone: str = "browser"
    shortcuts: Sequence[Shortcut] = ()

    @property
    def uid(self) -> str:
        return f"{TAG}-{self.name}"


def link(name: str, **choices: str) -> str:
    """A link to another of our dashboards that keeps time range, data source and place, and chooses by ``choices``:
    variable=value, where a value may be ``field("Column")``."""
    chosen = "".join(f"&var-{variable}={value}" for variable, value in choices.items())
    return f"/d/{TAG}-{name}?${{__url_time_range}}&{_KEPT}{chosen}"


def field(column: str) -> str:
    """The value in this column of the row that is clicked, fit for a URL: workloads have slashes in their names."""
    return f'${{__data.fields["{column}"]:percentencode}}'


def to_json(page: Page) -> str:
    board = json.loads(JSONEncoder().encode(assemble(page)))
    _leave_out(board)
    return json.dumps(board, sort_keys=True, indent=2, ensure_ascii=False) + "\n"


def _leave_out(board: dict[str, Any]) -> None:
    """What the SDK writes and Grafana 13's own types do not know: options of intervals on every variable, and the
    footer of tables, which moved. Table cells need their kind."""
    for variable in board["templating"]["list"]:
        for name in ("auto", "auto_count", "auto_min"):
            variable.pop(name, None)
    for panel in board["panels"]:
        for each in (panel, *panel.get("panels", ())):
            if each["type"] == "table":
                each["options"].pop("footer", None)
                each["fieldConfig"]["defaults"]["custom"]["cellOptions"] = {"type": "auto"}


def assemble(page: Page) -> Dashboard:
    board = build.Dashboard(page.title).uid(page.uid).description(page.purpose).tags([TAG]).editable()
    board.time(page.since, page.until).timezone(page.timezone).refresh(page.refresh).tooltip(
        DashboardCursorSync.CROSSHAIR
    )
    board.version(1)
    board.variables(list(page.variables))
    others = build.DashboardLink("wattledger").type(DashboardLinkType.DASHBOARDS).tags([TAG]).as_dropdown(False)
    board.link(others.include_vars(True).keep_time(True).icon("external link").target_blank(False))
    for shortcut in page.shortcuts:
        board.link(_shortcut(page, shortcut))
    built = board.build()
    built.panels = _laid_out(page.bands)
    return built


def _shortcut(page: Page, shortcut: Shortcut) -> build.DashboardLink:
    names = [variable.build().name for variable in page.variables]
    kept = "&".join(f"${{{name}:queryparam}}" for name in names)
    here = f"/d/{page.uid}?from={quote(shortcut.since)}&to={quote(shortcut.until)}&{kept}"
    to = build.DashboardLink(shortcut.title).type(DashboardLinkType.LINK).url(shortcut.url or here)
    return to.icon("doc" if shortcut.url else "dashboard").target_blank(bool(shortcut.url))


def _laid_out(bands: Sequence[Band]) -> list[Panel | RowPanel]:
    placed: list[Panel | RowPanel] = []
    number, y = 1, 0
    for band in bands:
        row = build.Row(band.title).collapsed(band.folded).id(number).build()
        row.grid_pos = GridPos(x=0, y=y, w=COLUMNS, h=1)
        placed.append(row)
        number, y = number + 1, y + 1
        bottom = _flow(band.panels, number, y)
        number += len(band.panels)
        if band.folded:
            row.panels = list(band.panels)
        else:
            placed.extend(band.panels)
            y = bottom
    return placed


def _flow(panels: Sequence[Panel], number: int, y: int) -> int:
    """Gives each panel its number and place from line ``y`` down; returns the first free line."""
    x = tallest = 0
    for panel in panels:
        w, h = _size(panel)
        if x + w > COLUMNS:
            x, y, tallest = 0, y + tallest, 0
        panel.id_val = number
        panel.grid_pos = GridPos(x=x, y=y, w=w, h=h)
        number, x, tallest = number + 1, x + w, max(tallest, h)
    return y + tallest


def _size(panel: Panel) -> tuple[int, int]:
    if panel.grid_pos is None:
        raise ValueError(f"the panel {panel.title!r} has no size: build it with dashboards.build.panels")
    return panel.grid_pos.w, panel.grid_pos.h
