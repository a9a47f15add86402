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
    "on one node and on several: eight that say one step have taken one. Tokens are added up."
)


def band(one_run: str) -> Band:
    """``one_run``: the sentence that says what the selection is taken for."""
    return Band("Cost of a step", [_step(one_run), _step_grams(), _token(), _token_grams(), _course(), _table()])


def done(unit: str, function: str, window: str, by: str = "") -> str:
    """Units that the chosen workloads declared. Units have no owner: the energy series of the workload says whose."""
    counted = f'{function}({UNITS}{{{NODE},workload=~"$workload",{unit}}}[{window}])'
    chosen = f"group by ({_KEY}) (last_over_time({ENERGY}{{{RUN}}}[{window}]))"
    whole = "max" if unit == _STEPS else "sum"
    grouped = f"{whole} by ({by})" if by else whole
    return f"{grouped} ({counted} and on ({_KEY}) {chosen})"


def _step(one_run: str) -> Panel:
    return number(
        "Per step",
        f"Energy of the run in the time range over its steps, at the node, without PUE, idle time included. {one_run} "
        f"{_HOW}",
        f"{increase(ENERGY, RUN)} / ({done(_STEPS, 'increase', '$__range')} > 0)",
        Look(JOULES, _NONE, span=3, height=8),
        now=True,
    )


def _step_grams() -> Panel:
    return number(
        "CO2e per step",
        f"Location-based CO2 equivalent of the run in the time range over its steps, PUE included. {_HOW}",
        f"{increase(EMISSIONS, RUN_LOCATION)} / ({done(_STEPS, 'increase', '$__range')} > 0)",
        Look(GRAMS, "no steps, or no factor", span=3, height=8),
        now=True,
    )


def _token() -> Panel:
    return number(
        "Per 1k tokens",
        f"Energy of the run in the time range over the tokens that it trained on, idle time included. {_HOW}",
        f"1000 * {increase(ENERGY, RUN)} / ({done(_TOKENS, 'increase', '$__range')} > 0)",
        Look(JOULES, _NO_TOKENS, span=3, height=8),
        now=True,
    )


def _token_grams() -> Panel:
    return number(
        "CO2e/1k tokens",
        f"Location-based CO2 equivalent of the run in the time range over its tokens, PUE included. {_HOW}",
        f"1000 * {increase(EMISSIONS, RUN_LOCATION)} / ({done(_TOKENS, 'increase', '$__range')} > 0)",
        Look(GRAMS, "no tokens, or no factor", span=3, height=8),
        now=True,
    )


def _course() -> Panel:
    window = "$__rate_interval"
    return lines(
        "Energy per step and per 1,000 tokens",
        "The same through time. A step that grows dearer with the same batch is a slower input, a throttled GPU or a "
        "straggler.",
        [
            Query(f"{rate(ENERGY, RUN)} / ({done(_STEPS, 'rate', window)} > 0)", "per step"),
            Query(f"1000 * {rate(ENERGY, RUN)} / ({done(_TOKENS, 'rate', window)} > 0)", "per 1,000 tokens"),
        ],
        Look(JOULES, "no run is chosen, or it declares nothing", span=12, height=8),
    )


def _table() -> Panel:
    by = "cluster,workload,kind"
    energy, grams = increase(ENERGY, RUN, by), increase(EMISSIONS, RUN_LOCATION, by)
    on = "on (cluster,workload)"

    def over(weight: str, unit: str, times: str = "") -> str:
        units = done(unit, "increase", "$__range", "cluster,workload")
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
    units = done(unit, "increase", "$__range", "cluster,workload")
    return f"group by (cluster,workload,kind) ({energy}) * on (cluster,workload) group_left () {units}"
