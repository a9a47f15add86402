"""Teams behind a LiteLLM proxy: the energy of the chosen servers, split by the output tokens of each team."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Panel

from dashboards.build.inference_joins import RANGE, SERVER, grams, joules, outputs
from dashboards.build.inference_names import PROXY_OUTPUT, PROXY_PROMPT, PROXY_REQUESTS, Metric
from dashboards.build.page import Band
from dashboards.build.panels import Column, Look, Query, bars, rows
from dashboards.build.style import AMOUNT, GRAMS, KWH, kwh, named

_NO_PROXY = "no LiteLLM proxy here"
_SPLIT = (
    "Allocated, not measured: the energy of the chosen servers times the share of output tokens of the team. A team "
    "with long prompts pays too little, because reading them is not weighed. Choose only models that these servers "
    "serve: tokens of other providers take a share of energy that was not spent on them."
)


def band() -> Band:
    return Band("Teams behind a LiteLLM proxy", [_split(), _teams()])


def _made(metric: Metric) -> str:
    team = f"sum by (team_alias) (increase({metric.selector}[{RANGE}]))"
    return named(team, "team_alias", "no team")


def _allocated(whole: str) -> str:
    """Split ``whole`` (by cluster and server), of servers that made tokens, over the teams."""
    made = outputs("increase", RANGE)
    total = f"sum({_made(PROXY_OUTPUT)}) > 0"
    of_servers = f"sum({whole} and on ({SERVER}) {made})"
    return f"{_made(PROXY_OUTPUT)} / on () group_left () ({total}) * on () group_left () {of_servers}"


def _split() -> Panel:
    return bars(
        "Energy by team of the proxy",
        _SPLIT,
        Query(kwh(_allocated(joules())), "{{team_alias}}"),
        Look(KWH, _NO_PROXY, span=8, height=8),
    )


def _teams() -> Panel:
    return rows(
        "Teams of the proxy",
        _SPLIT,
        [
            Column("Energy", kwh(_allocated(joules())), KWH, 3),
            Column("Emissions", _allocated(grams()), GRAMS, 1),
            Column("Output tokens", _made(PROXY_OUTPUT), AMOUNT),
            Column("Prompt tokens", _made(PROXY_PROMPT), AMOUNT),
            Column("Requests", _made(PROXY_REQUESTS), AMOUNT),
        ],
        Look("", _NO_PROXY, span=16, height=8),
        labels={"team_alias": "Team"},
        sort="Energy",
    )
