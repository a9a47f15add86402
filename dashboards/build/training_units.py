"""What a step and a token cost: energy over what a program declared as done (``run.add(steps=1, tokens=4096)``)."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Panel

from dashboards.build.page import Band
from dashboards.build.panels import Column, Look, Query, lines, number, rows
from dashboards.build.style import AMOUNT, GRAMS, JOULES, NODE, increase, rate
from dashboards.build.workloads import EMISSIONS, ENERGY, RUN, RUN_LOCATION, UNITS, with_name

_NONE = "no run, or no steps"
_NO_TOKENS = "no run, or no tokens"
_STEPS, _TOKENS = 'unit=~"steps?"', 'unit=~"tokens?"'
_KEY = "cluster,hostname,workload"
_HOW = (
    "Needs a program that says what it does: `run.add(steps=1, tokens=4096)`. Processes of a run take steps together, "
    "on one node and on several at once: eight that say one step have taken one. Nodes that work one after the other, "
    "as when a run moves, add up. Tokens are added up."
)


def band(one_run: str) -> Band:
    """``one_run``: the sentence that says what the selection is taken for."""
    return Band("Cost of a step", [_step(one_run), _step_grams(), _token(), _token_grams(), _course(), _table()])


def done(unit: str, by: str = "") -> str:
    """Units that the chosen workloads declared in the time range.

    Steps of nodes that work at the same time are the same steps: the sum over nodes, times the part of it that one node
    would have said, from the mean of those that draw power in each rate window. A mean, not the largest: of slow steps
    one node's falls into this window and the other's into the next."""
    grew = _of_nodes(by, "sum", _declared(unit, "increase", "$__range"))
    if unit != _STEPS:
        return grew
    window = "$__rate_interval"
    alive = f"(sum by ({_KEY}) (rate({ENERGY}{{{RUN}}}[{window}])) > 0)"
    each = f"rate({_units(unit)}[{window}]) and on ({_KEY}) {alive}"
    one, every = (f"sum_over_time(({_of_nodes(by, how, each)})[$__range:{window}])" for how in ("avg", "sum"))
    return f"({grew} * ({one} / {every}))"


def pace(unit: str) -> str:
    """The same a second, through time."""
    return _of_nodes("", "max" if unit == _STEPS else "sum", _declared(unit, "rate", "$__rate_interval"))


def _units(unit: str) -> str:
    return f'{UNITS}{{{NODE},workload=~"$workload",{unit}}}'


def _declared(unit: str, function: str, window: str) -> str:
    """Of each node. Units have no owner: the energy series of the workload says whose they are."""
    chosen = f"group by ({_KEY}) (last_over_time({ENERGY}{{{RUN}}}[{window}]))"
    return f"{function}({_units(unit)}[{window}]) and on ({_KEY}) {chosen}"


def _of_nodes(by: str, how: str, vector: str) -> str:
    return f"{how} by ({by}) ({vector})" if by else f"{how} ({vector})"


def _step(one_run: str) -> Panel:
    return number(
        "Per step",
        f"Energy of the run in the time range over its steps, at the node, without PUE, idle time included. {one_run} "
        f"{_HOW}",
        f"{increase(ENERGY, RUN)} / ({done(_STEPS)} > 0)",
        Look(JOULES, _NONE, span=3, height=8),
        now=True,
    )


def _step_grams() -> Panel:
    return number(
        "CO2e per step",
        f"Location-based CO2 equivalent of the run in the time range over its steps, PUE included. {_HOW}",
        f"{increase(EMISSIONS, RUN_LOCATION)} / ({done(_STEPS)} > 0)",
        Look(GRAMS, "no steps, or no factor", span=3, height=8),
        now=True,
    )


def _token() -> Panel:
    return number(
        "Per 1k tokens",
        f"Energy of the run in the time range over the tokens that it trained on, idle time included. {_HOW}",
        f"1000 * {increase(ENERGY, RUN)} / ({done(_TOKENS)} > 0)",
        Look(JOULES, _NO_TOKENS, span=3, height=8),
        now=True,
    )


def _token_grams() -> Panel:
    return number(
        "CO2e/1k tokens",
        f"Location-based CO2 equivalent of the run in the time range over its tokens, PUE included. {_HOW}",
        f"1000 * {increase(EMISSIONS, RUN_LOCATION)} / ({done(_TOKENS)} > 0)",
        Look(GRAMS, "no tokens, or no factor", span=3, height=8),
        now=True,
    )


def _course() -> Panel:
    return lines(
        "Energy per step and per 1,000 tokens",
        "The same through time. A step that grows dearer with the same batch is a slower input, a throttled GPU or a "
        "straggler.",
        [
            Query(f"{rate(ENERGY, RUN)} / ({pace(_STEPS)} > 0)", "per step"),
            Query(f"1000 * {rate(ENERGY, RUN)} / ({pace(_TOKENS)} > 0)", "per 1,000 tokens"),
        ],
        Look(JOULES, "no run is chosen, or it declares nothing", span=12, height=8),
    )


def _table() -> Panel:
    by = "cluster,workload,kind"
    energy, grams = increase(ENERGY, RUN, by), increase(EMISSIONS, RUN_LOCATION, by)
    on = "on (cluster,workload)"

    def over(weight: str, unit: str, times: str = "") -> str:
        units = done(unit, "cluster,workload")
        return with_name(f"{times}{weight} / {on} group_left () ({units} > 0)")

    return rows(
        "By workload",
        f"Each chosen workload by itself, over all of its nodes, in the time range. {_HOW}",
        [
            Column("J / step", over(energy, _STEPS), JOULES, 1),
            Column("CO2e / step", over(grams, _STEPS), GRAMS, 3),
            Column("J / 1k tokens", over(energy, _TOKENS, "1000 * "), JOULES, 2),
            Column("CO2e / 1k tokens", over(grams, _TOKENS, "1000 * "), GRAMS, 4),
            Column("Steps", with_name(_counted(energy, _STEPS)), AMOUNT),
            Column("Tokens", with_name(_counted(energy, _TOKENS)), AMOUNT),
        ],
        Look("", "no run is chosen, or it declares nothing", span=24, height=7),
        labels={"name": "Name", "workload": "Workload", "kind": "Kind", "cluster": "Cluster"},
        sort="Steps",
    )


def _counted(energy: str, unit: str) -> str:
    """The units themselves, with the labels of the energy that they are compared with."""
    units = done(unit, "cluster,workload")
    return f"group by (cluster,workload,kind) ({energy}) * on (cluster,workload) group_left () {units}"
