"""Every query and variable of every dashboard on a real Prometheus and a real VictoriaMetrics that have scraped the
world; and what panels claim, compared with the ledgers."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping

import pytest

from dashboards.build.style import CHOSEN
from tests.dashboards import expected_panels, panels
from tests.dashboards.expected import EVERYTHING, NAMELESS, NEAR, ROWS_NEAR, Expected, Sums
from tests.dashboards.fill import QueryError, Server
from tests.dashboards.panels import Target
from tests.dashboards.world import END_S, World

UIDS = sorted(panels.dashboards())
pytestmark = pytest.mark.needs("prometheus", "victoria-metrics")
each_dashboard = pytest.mark.parametrize("uid", UIDS)

#: ``$1`` of label_replace is none.
_VARIABLE = re.compile(r"\$\{?[A-Za-z_]")
#: Panel and query that say nothing of this world, and why.
SILENT: Mapping[tuple[str, str], str] = {
    ("Grid factor: zone, tier and source", "B"): "says that there is no factor, and there is one",
}


def selections(server: Server, uid: str) -> Iterator[Mapping[str, str]]:
    """As the dashboard opens, which is All of nearly everything; then for each variable its first and its last value,
    with the others as they are."""
    everything = opened(uid)
    yield everything
    for name, values in found(server, uid).items():
        for value in {values[0], values[-1]} if values else ():
            yield {**everything, name: value}


def opened(uid: str) -> dict[str, str]:
    return {each.name: each.value for each in panels.variables() if each.dashboard == uid} | panels.fixed(uid)


def found(server: Server, uid: str) -> dict[str, list[str]]:
    """What each variable offers, with All of the others."""
    mine = [each for each in panels.variables() if each.dashboard == uid]
    everything = {each.name: each.all_value or ".*" for each in mine}
    span_s = (END_S - 6 * 3600, END_S)
    return {
        each.name: server.label_values(each.label, panels.expand(each.match, span_s, everything), *span_s)
        for each in mine
    }


def ask(server: Server, target: Target, chosen: Mapping[str, str]) -> dict[tuple[tuple[str, str], ...], float]:
    """As the panel asks it: at an instant, or over its range; of a range the last values."""
    span_s = target.span_s(END_S)
    expr = panels.expand(target.expr, span_s, chosen)
    if target.instant:
        return {tuple(sorted(labels.items())): value for labels, value in server.instant(expr, END_S)}
    step_s = panels.step_s(span_s)
    rows = server.over(expr, END_S - (END_S - span_s[0]) // step_s * step_s, END_S, step_s)
    return {tuple(sorted(labels.items())): points[-1][1] for labels, points in rows if points[-1][0] == END_S}


@each_dashboard
@pytest.mark.parametrize("kind", ["prometheus", "victoria"])
def test_every_query_is_answered(uid: str, kind: str, request: pytest.FixtureRequest) -> None:
    """No query may fail, whatever is chosen, and each says something of a day of four nodes: when the dashboard opens,
    or once something is chosen where it waits for that."""
    server: Server = request.getfixturevalue(kind)
    problems = []
    waiting: set[str] = set()
    for number, chosen in enumerate(selections(server, uid)):
        for target in panels.targets():
            if target.dashboard != uid:
                continue
            span_s = target.span_s(END_S)
            expr = panels.expand(target.expr, span_s, chosen)
            assert not _VARIABLE.search(expr), f"{target.name}: a variable that nothing replaces: {expr}"
            try:
                rows = (
                    server.instant(expr, END_S)
                    if target.instant or number
                    else server.over(expr, *span_s, panels.step_s(span_s))
                )
            except QueryError as error:
                problems.append(f"{target.name} with {chosen}: {error}")
                continue
            silent = (target.panel, target.ref) in SILENT
            if not rows and not number and not silent:
                waiting.add(target.name)
                if CHOSEN not in target.expr:
                    problems.append(f"{target.name}: says nothing")
            elif rows:
                waiting.discard(target.name)
    assert not problems, "\n".join(problems)
    assert waiting == set()


@each_dashboard
def test_every_variable_offers_values(uid: str, prometheus: Server) -> None:
    empty = [name for name, values in found(prometheus, uid).items() if not values]
    assert not empty


@each_dashboard
def test_panels_say_what_the_ledgers_say(uid: str, prometheus: Server, world: World) -> None:
    targets = {(each.panel, each.ref): each for each in panels.targets() if each.dashboard == uid}
    everything = opened(uid)
    problems = []
    for each in expected_panels.OF[uid]:
        target = targets.get((each.panel, each.ref))
        if target is None:
            problems.append(f"{each.panel} / {each.ref}: no such query")
            continue
        for chosen in (each.chosen, EVERYTHING) if each.everything else (each.chosen,):
            said = ask(prometheus, target, {**everything, **chosen})
            true = each.expect(world.truth, target.span_s(END_S), chosen.get("cluster", ""))
            tolerance = each.tolerance if chosen else max(each.tolerance, ROWS_NEAR if each.by else NEAR)
            place = f"{each.panel} / {each.ref} with {chosen}"
            problems += [f"{place}: {text}" for text in differences(each, said, true, tolerance)]
    assert not problems, "\n".join(problems)


def differences(
    each: Expected, said: Mapping[tuple[tuple[str, str], ...], float], true: Sums, tolerance: float
) -> Iterator[str]:
    """``some``: what is said must be true; else it must also be complete."""
    got: dict[tuple[str, ...], float] = {}
    for labels, value in said.items():
        own = dict(labels)
        key = tuple("" if own.get(label, "") in NAMELESS else own.get(label, "") for label in each.by)
        got[key] = got.get(key, 0) + value
    if not got:
        yield "says nothing"
    for key, value in got.items():
        if not math.isclose(value, true.get(key, 0), rel_tol=tolerance, abs_tol=each.off_by):
            yield f"{'/'.join(key)} says {value:.6g}, true is {true.get(key, 0):.6g}"
    for key in true.keys() - got.keys() if not each.some else ():
        yield f"{'/'.join(key)} is missing, true is {true[key]:.6g}"


@each_dashboard
def test_every_panel_with_a_physical_unit_is_compared(uid: str) -> None:
    """Energy, power, emissions and shares: compared above, or here with the reason why not."""
    compared = {each.panel for each in expected_panels.OF[uid]}
    physical = {
        panel["title"]
        for panel in panels.flat(panels.dashboards()[uid])
        if panel["fieldConfig"]["defaults"].get("unit") in {"watt", "kwatth", "joule", "massg", "percentunit"}
    }
    assert physical - compared == set(expected_panels.ELSEWHERE.get(uid, {}))
