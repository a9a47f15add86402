"""The columns of the lake's files, and a node's hours as rows of them.

Columns are only ever added, at the end: what a released version wrote stays readable. ``README.md`` beside this file
has the same tables for people.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from tracker.core.hours import HourEmission, HourEntry, HourState, NodeFacts

SCHEMA_VERSION = 1
Row = tuple[Any, ...]

_NODE = (("hour_s", "BIGINT"), ("hostname", "VARCHAR"), ("ledger", "VARCHAR"), ("cluster", "VARCHAR"))
_WORKLOAD = tuple(
    (name, "VARCHAR")
    for name in (
        "workload",
        "kind",
        "name",
        "namespace",
        "pod",
        "container",
        "user",
        "job",
        "queue",
        "cost_centre",
        "run",
        "team",
        "project",
        "phase",
    )
)
#: Columns and their DuckDB types, in the order of the file. Texts that are not known are empty, never null.
SCHEMAS: dict[str, tuple[tuple[str, str], ...]] = {
    "entries": (
        *_NODE,
        ("site", "VARCHAR"),
        ("grid_zone", "VARCHAR"),  # of the catalogue; empty: nobody set it
        ("component", "VARCHAR"),  # gpu | cpu | dram | other
        ("device", "VARCHAR"),
        ("device_model", "VARCHAR"),
        *_WORKLOAD,
        ("method", "VARCHAR"),  # measured | modelled | simulated
        ("energy_uj", "BIGINT"),
        ("idle_uj", "BIGINT"),  # the part of energy_uj below the idle floor
        ("held_ms", "BIGINT"),
    ),
    "coverage": (
        *_NODE,
        ("site", "VARCHAR"),
        ("component", "VARCHAR"),
        ("device", "VARCHAR"),
        ("state", "VARCHAR"),  # covered, or the reason of a gap
        ("duration_ms", "BIGINT"),
    ),
    "emissions": (
        *_NODE,
        ("workload", "VARCHAR"),
        ("kind", "VARCHAR"),
        ("team", "VARCHAR"),
        ("project", "VARCHAR"),
        ("basis", "VARCHAR"),
        ("factor_id", "VARCHAR"),
        ("pue_permille", "BIGINT"),
        ("emissions_ug", "BIGINT"),
    ),
}


def entry_rows(node: NodeFacts, entries: Iterable[HourEntry]) -> list[Row]:
    return [
        (
            each.hour_s,
            node.hostname,
            node.ledger,
            node.cluster,
            node.site,
            node.zone,
            str(each.component),
            each.device,
            each.model,
            each.workload.key,
            str(each.workload.kind),
            each.workload.name,
            each.workload.namespace,
            each.workload.pod,
            each.workload.container,
            each.workload.user,
            each.workload.job,
            each.workload.queue,
            each.workload.cost_centre,
            each.workload.run,
            each.workload.team,
            each.workload.project,
            each.workload.phase,
            str(each.method),
            each.energy_uj,
            each.idle_uj,
            each.held_ms,
        )
        for each in entries
    ]


def coverage_rows(node: NodeFacts, states: Iterable[HourState]) -> list[Row]:
    head = (node.hostname, node.ledger, node.cluster, node.site)
    return [(s.hour_s, *head, str(s.component), s.device, s.state, s.duration_ms) for s in states]


def emission_rows(node: NodeFacts, emissions: Iterable[HourEmission]) -> list[Row]:
    head = (node.hostname, node.ledger, node.cluster)
    return [
        (
            e.hour_s,
            *head,
            e.workload.key,
            str(e.workload.kind),
            e.workload.team,
            e.workload.project,
            e.basis,
            e.factor_id,
            e.pue_permille,
            e.emissions_ug,
        )
        for e in emissions
    ]


#: One encoder for all rows: making one takes as long as a row.
_line = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def content_sha256(kind: str, rows: Iterable[Row]) -> str:
    """Of the rows in their order of writing, as JSON lines: the same for the same rows for ever."""
    digest = hashlib.sha256(f"{kind}/{SCHEMA_VERSION}\n".encode())
    for row in sorted(rows):
        digest.update(_line(row).encode("utf-8", "surrogatepass"))
        digest.update(b"\n")
    return digest.hexdigest()
