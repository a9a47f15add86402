"""Inference servers as tables, by engine and one by one, and the sentences that all panels about them share."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Panel

from dashboards.build.inference_joins import (
    EACH,
    RANGE,
    SERVER,
    all_tokens,
    gpu_joules,
    grams,
    joules,
    outputs,
    per,
    requests,
)
from dashboards.build.panels import Column, Look, rows
from dashboards.build.style import AMOUNT, GRAMS, JOULES, KWH, kwh

NOBODY = "no server here that wattledger charges"
WHERE = (
    "GPU, CPU and memory of the server at the node, without PUE; grams are location-based and have the PUE in them. "
    "Needs the labels `namespace` and `pod` (or `workload`) on the series of the server. A server of several pods "
    "counts as the one with the counters: its other pods are missing, so its numbers are too small. Until a team, "
    "project, phase, workload or node is chosen, energy comes in recorded spans of five minutes, and GPUs are not told "
    "apart."
)
CAVEAT = (
    "Decoding a token costs many times what reading one does, so a server with long prompts looks dear by output "
    "tokens and cheap by all tokens: read both."
)


def _columns(by: str) -> list[Column]:
    made = outputs("increase", RANGE)
    known = f"{made} or {requests('increase', RANGE)}"
    energy = f"sum by ({by}) (group by ({EACH}) ({known}) * on ({SERVER}) group_left () {joules()})"
    on_gpu = per(gpu_joules(), made, by)
    return [
        Column("J / 1k out", f"1000 * ({per(joules(), made, by)})", JOULES, 1),
        Column("of GPUs alone", f"1000 * ({on_gpu})", JOULES, 1),
        Column("J / 1k tokens", f"1000 * ({per(joules(), all_tokens('increase', RANGE), by)})", JOULES, 1),
        Column("J / request", per(joules(), requests("increase", RANGE), by), JOULES, 1),
        Column("CO2e / 1k out", f"1000 * ({per(grams(), made, by)})", GRAMS, 3),
        Column("CO2e / request", per(grams(), requests("increase", RANGE), by), GRAMS, 3),
        Column("Output tokens", f"sum by ({by}) ({made} and on ({SERVER}) {joules()})", AMOUNT),
        Column("Energy", kwh(energy), KWH, 2),
    ]


def engines() -> Panel:
    return rows(
        "By engine",
        "All energy of the time range, idle time too. A server with two counters (vLLM inside Triton) is in both "
        f"rows, so do not add rows. {CAVEAT}",
        _columns("software"),
        Look("", NOBODY, span=24, height=8),
        labels={"software": "Engine"},
        sort="Energy",
    )


def servers() -> Panel:
    return rows(
        "By server",
        f"The same for each pod or workload that serves. {WHERE}",
        _columns(EACH),
        Look("", NOBODY, span=24, height=9),
        labels={"server": "Server", "software": "Engine", "cluster": "Cluster"},
        widths={"Server": 260, "Engine": 120, "Cluster": 90},
        sort="Energy",
    )
