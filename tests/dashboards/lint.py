"""What is wrong with a dashboard, in sentences. Each rule is one function over the JSON that Grafana would import."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import promql_parser

from tracker.metrics.families import FAMILIES

Json = dict[str, Any]
#: Panels of a plain Grafana that we also know how to draw in tests.
STOCK = {"timeseries", "stat", "table", "bargauge", "row"}
DATASOURCE = {"type": "prometheus", "uid": "$datasource"}
GAUGES = {f"wattledger_{family.name}" for family in FAMILIES if family.kind in {"gauge", "info"}}
COUNTERS = {f"wattledger_{family.name}" for family in FAMILIES if family.kind == "counter"}
#: Functions over time that only make sense on counters.
OF_COUNTERS = {"rate", "irate", "increase", "resets"}
#: Functions over any series; how long they look back may be written down.
OF_ANY = {f"{each}_over_time" for each in ("last", "sum", "avg", "max", "min", "count", "present")}
WINDOWS = {"$__rate_interval", "$__range"}
#: Units that say nothing: an axis of them needs a reason.
SAYS_NOTHING = {"", None}
GRID_COLUMNS = 24

#: Grafana's variables for the length of things, as PromQL can have them.
TIMES = {"$__rate_interval": "1m", "$__interval": "15s", "$__range_s": "3600", "$__range": "1h"}
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::\w+)?\}|([A-Za-z_]\w*))")  # not $1, the group of a label_replace
_WINDOW = re.compile(r"\b(\w+)\s*\(\s*([\w:]+)?\s*(?:\{[^}]*\})?\s*\[([^\]]+)\]")


def panels_of(board: Json) -> list[Json]:
    """All panels, rows left out and folded rows opened."""
    flat = [inner for panel in board["panels"] for inner in (panel, *panel.get("panels", []))]
    return [panel for panel in flat if panel["type"] != "row"]


def queries_of(board: Json) -> list[tuple[str, str]]:
    """(where it is, expression) of all panels."""
    return [
        (f"{panel['title']} {target['refId']}", target["expr"])
        for panel in panels_of(board)
        for target in panel.get("targets", [])
    ]


def with_values(expression: str) -> str:
    """PromQL with every variable replaced by something of its kind."""
    for name, value in TIMES.items():
        expression = expression.replace(name, value)
    return _VARIABLE.sub(".*", expression)


def only_stock_panels(board: Json) -> Iterator[str]:
    for panel in board["panels"]:
        if panel["type"] not in STOCK:
            yield f"{panel['title']}: {panel['type']} is no stock panel that the tests can draw"


def words_everywhere(board: Json) -> Iterator[str]:
    """A title, a description in sentences, and words for when there is nothing to show."""
    if not board.get("description", "").endswith("."):
        yield "the dashboard says in no sentence what it is for"
    for panel in panels_of(board):
        if not panel.get("title"):
            yield f"panel {panel['id']} has no title"
        if not panel.get("description", "").endswith("."):
            yield f"{panel['title']}: its description is no sentence"
        if not panel["fieldConfig"]["defaults"].get("noValue"):
            yield f"{panel['title']}: says nothing when it has nothing to show"


def units_everywhere(board: Json) -> Iterator[str]:
    for panel in panels_of(board):
        if panel["fieldConfig"]["defaults"].get("unit") in SAYS_NOTHING:
            yield f"{panel['title']}: has no unit"
        if panel["type"] == "table":
            yield from _columns_without_unit(panel)


def _columns_without_unit(panel: Json) -> Iterator[str]:
    renamed = [t["options"]["renameByName"] for t in panel["transformations"] if t["id"] == "organize"]
    values = [title for names in renamed for name, title in names.items() if name.startswith("Value")]
    with_unit = {
        override["matcher"]["options"]
        for override in panel["fieldConfig"]["overrides"]
        for each in override["properties"]
        if each["id"] == "unit"
    }
    for title in values:
        if title not in with_unit:
            yield f"{panel['title']}: the column {title} has no unit"


def data_source_is_chosen(board: Json) -> Iterator[str]:
    """No uid of one Grafana anywhere."""
    for panel in panels_of(board):
        for asker in (panel, *panel.get("targets", [])):
            if asker.get("datasource") != DATASOURCE:
                yield f"{panel['title']}: its data source is {asker.get('datasource')}"
    for variable in board["templating"]["list"]:
        if variable["type"] == "query" and variable.get("datasource") != DATASOURCE:
            yield f"${variable['name']}: its data source is {variable.get('datasource')}"
    if not any(v["name"] == "datasource" and v["type"] == "datasource" for v in board["templating"]["list"]):
        yield "there is no variable $datasource"


def variables_offer_all(board: Json) -> Iterator[str]:
    """All is `.*`: it matches series that lack the label, and is short on a thousand nodes."""
    for variable in board["templating"]["list"]:
        if variable["type"] == "query" and not (variable.get("includeAll") and variable.get("allValue") == ".*"):
            yield f"${variable['name']}: does not offer All as .*"
    known = {variable["name"] for variable in board["templating"]["list"]}
    for where, expression in queries_of(board):
        for braced, plain in _VARIABLE.findall(expression):
            name = braced or plain
            if not name.startswith("__") and name not in known:
                yield f"{where}: asks for ${name}, which nobody can choose"


def every_choice_has_an_effect(board: Json) -> Iterator[str]:
    asked = " ".join(expression for _, expression in queries_of(board))
    links = " ".join(link.get("url", "") for link in board.get("links", []))
    for variable in board["templating"]["list"]:
        name = variable["name"]
        if name != "datasource" and f"${name}" not in asked and f"${{{name}" not in links:
            yield f"${name}: is in no query"


def selections_take_several(board: Json) -> Iterator[str]:
    """A choice of several is an alternation, which only =~ understands."""
    for where, expression in queries_of(board):
        for operator in re.findall(r'(=~|!~|!=|=)"\$\w+"', expression):
            if operator not in {"=~", "!~"}:
                yield f'{where}: {operator}"$…" cannot take several values'


def queries_parse(board: Json) -> Iterator[str]:
    for where, expression in queries_of(board):
        try:
            promql_parser.parse(with_values(expression))
        except ValueError as error:
            yield f"{where}: {error}"


def windows_fit(board: Json) -> Iterator[str]:
    """Rates are of counters, over a window that Grafana chooses."""
    for where, expression in queries_of(board):
        for function, metric, window in _WINDOW.findall(expression):
            if function in OF_COUNTERS:
                if metric in GAUGES or (metric.startswith("wattledger_") and metric not in COUNTERS):
                    yield f"{where}: {function} of {metric}, which is no counter"
                if metric.count(":") > 1:  # level:metric:operation; vllm:x is one of vLLM's own
                    yield f"{where}: {function} of the recorded {metric}"
                if window not in WINDOWS:
                    yield f"{where}: {function} over [{window}], not $__rate_interval or $__range"
            elif function not in OF_ANY:
                yield f"{where}: {function} over [{window}] is not known here"


def gauges_are_not_added_over_time(board: Json) -> Iterator[str]:
    for where, expression in queries_of(board):
        for metric in re.findall(r"sum_over_time\(([\w:]+)\s*[{\[]", expression):
            if not metric.endswith(":delta5m"):
                yield f"{where}: sum_over_time of {metric} depends on how often it is scraped"


def places_do_not_overlap(board: Json) -> Iterator[str]:
    taken: dict[tuple[int, int], str] = {}
    for panel in board["panels"]:
        place = panel["gridPos"]
        if place["x"] + place["w"] > GRID_COLUMNS:
            yield f"{panel['title']}: reaches over the right edge"
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                if (x, y) in taken:
                    yield f"{panel['title']}: covers {taken[x, y]}"
                    return
                taken[x, y] = panel["title"]


def numbers_are_unique(board: Json) -> Iterator[str]:
    flat = [inner for panel in board["panels"] for inner in (panel, *panel.get("panels", []))]
    numbers = [panel["id"] for panel in flat]
    if len(set(numbers)) < len(numbers):
        yield "two panels have one id"
    titles = [panel["title"] for panel in panels_of(board)]
    for title in sorted({title for title in titles if titles.count(title) > 1}):
        yield f"{title}: two panels have this title"


def identity_is_ours(board: Json) -> Iterator[str]:
    if not re.fullmatch("wattledger-[a-z-]+", board.get("uid", "")):
        yield f"its uid is {board.get('uid')!r}"
    if board.get("tags") != ["wattledger"]:
        yield f"its tags are {board.get('tags')}: the links between dashboards go by them"
    if board.get("id") is not None:
        yield "it has the id of one Grafana's database"


def links_lead_somewhere(board: Json, uids: set[str]) -> Iterator[str]:
    """To our other dashboards, keeping time and choices; table links to dashboards and variables that exist."""
    by_tag = [link for link in board.get("links", []) if link["type"] == "dashboards"]
    if not any(link["tags"] == ["wattledger"] and link["keepTime"] and link["includeVars"] for link in by_tag):
        yield "no links to the other dashboards that keep time range and variables"
    for panel in panels_of(board):
        for override in panel["fieldConfig"].get("overrides", []):
            for each in override["properties"]:
                for link in each["value"] if each["id"] == "links" else []:
                    uid = re.match(r"/d/([\w-]+)\?", link["url"])
                    if not uid or uid[1] not in uids:
                        yield f"{panel['title']}: {link['title']} leads to {link['url']}"
                    if "${__url_time_range}" not in link["url"]:
                        yield f"{panel['title']}: {link['title']} forgets the time range"


def no_time_of_its_own(board: Json) -> Iterator[str]:
    """Grafana leaves a panel's own range out where that of the dashboard is absolute, as after a zoom or in a shared
    link: a panel that is called "today" would be about ten minutes."""
    for panel in panels_of(board):
        if panel.get("timeFrom") or panel.get("timeShift"):
            yield f"{panel['title']}: has a time range of its own"


RULES: tuple[Callable[[Json], Iterator[str]], ...] = (
    only_stock_panels,
    words_everywhere,
    units_everywhere,
    data_source_is_chosen,
    variables_offer_all,
    every_choice_has_an_effect,
    selections_take_several,
    queries_parse,
    windows_fit,
    gauges_are_not_added_over_time,
    places_do_not_overlap,
    numbers_are_unique,
    identity_is_ours,
    no_time_of_its_own,
)
