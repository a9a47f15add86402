"""The lake: Parquet files of hours, written and read with DuckDB, in a schema that is documented here and versioned.

A file's name carries a hash of its rows (not of its bytes), so that shipping the same hours twice, also by another
version of the Parquet library, gives the same name. Columns are only ever added; a reader takes a missing one as
empty. ``README.md`` beside this file shows the same tables in other engines.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tracker.books.interface import BooksDamaged
from tracker.books.names import DAY_H, LakeFile, date_of
from tracker.core.hours import HOUR_S, HourEmission, HourEntry, HourState, NodeFacts

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


def content_sha256(kind: str, rows: Iterable[Row]) -> str:
    """Of the rows in their order of writing, as JSON lines: the same for the same rows for ever."""
    digest = hashlib.sha256(f"{kind}/{SCHEMA_VERSION}\n".encode())
    for row in sorted(rows):
        digest.update(json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"))
        digest.update(b"\n")
    return digest.hexdigest()


def file_for(kind: str, node: NodeFacts, start_s: int, end_s: int, sha256: str) -> LakeFile:
    """How hours [start_s, end_s) of one UTC day are named."""
    from_h = start_s % (DAY_H * HOUR_S) // HOUR_S
    to_h = from_h + (end_s - start_s) // HOUR_S
    whole = (from_h, to_h) == (0, DAY_H)
    return LakeFile(kind, date_of(start_s), node.hostname, node.ledger[:8], from_h, to_h, whole, sha256[:16])


def to_parquet(kind: str, node: NodeFacts, rows: Sequence[Row], sha256: str) -> bytes:
    """The bytes of a file. Sorted, one thread: the same rows give the same bytes with the same version of DuckDB."""
    import duckdb  # noqa: PLC0415 - 60 MB that only commands of the books need

    columns = SCHEMAS[kind]
    about = {
        "wattledger.schema": f"{kind}/{SCHEMA_VERSION}",
        "wattledger.software": node.version,
        "wattledger.hostname": node.hostname,
        "wattledger.ledger": node.ledger,
        "wattledger.rows_sha256": sha256,
    }
    with tempfile.TemporaryDirectory(prefix="wattledger-") as folder, duckdb.connect() as connection:
        connection.execute("SET threads = 1")
        connection.execute(
            f"CREATE TABLE rows ({', '.join(f'{_quoted(name)} {kind_of}' for name, kind_of in columns)})"
        )
        if rows:
            lists = [list(column) for column in zip(*sorted(rows), strict=True)]
            given = ", ".join(f"unnest(?::{kind_of}[])" for _, kind_of in columns)
            connection.execute(f"INSERT INTO rows SELECT {given}", lists)
        path = Path(folder) / "part.parquet"
        pairs = ", ".join(f"{_quoted(key)}: {_literal(value)}" for key, value in about.items())
        connection.execute(
            f"COPY rows TO {_literal(str(path))} (FORMAT parquet, COMPRESSION zstd, KV_METADATA {{{pairs}}})"
        )
        return path.read_bytes()


def read_rows(kind: str, path: Path) -> list[Row]:
    """All rows of one file, in the columns of this version. Raises BooksDamaged."""
    import duckdb  # noqa: PLC0415 - as above

    try:
        with duckdb.connect() as connection:
            connection.execute(f"CREATE VIEW part AS SELECT * FROM {scan(kind, [path])}")  # noqa: S608 - quoted
            names = ", ".join(_quoted(name) for name, _ in SCHEMAS[kind])
            return [tuple(row) for row in connection.execute(f"SELECT {names} FROM part").fetchall()]  # noqa: S608 - ditto
    except duckdb.Error as error:
        raise damaged(path, error) from error


def scan(kind: str, paths: Sequence[Path]) -> str:
    """A table expression over files: their columns of this version, those that older files lack empty."""
    if not paths:
        empty = ", ".join(f"NULL::{kind_of} AS {_quoted(name)}" for name, kind_of in SCHEMAS[kind])
        return f"(SELECT {empty} WHERE false)"
    files = ", ".join(_literal(str(path)) for path in paths)
    return f"read_parquet([{files}], union_by_name = true, hive_partitioning = false)"


def damaged(path: Path | str, error: Exception) -> BooksDamaged:
    first = str(error).strip().splitlines()[0][:200]
    return BooksDamaged(
        f"{path} cannot be read: {first}",
        "It is truncated or was altered. Move it aside and ship its hours again: wattledger ship",
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
