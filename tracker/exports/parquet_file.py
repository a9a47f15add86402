"""Parquet: the rows of the CSV with exact decimals, for whoever loads them into a warehouse.

Quantities are DECIMAL(38,3), ``cost`` is DECIMAL(38,2), ratios are DECIMAL(38,6); NULL is not known. The file's
metadata has ``wattledger`` (the head of the JSON export: method, factors with licences, coverage, software) and
``statement_sha256``. The bytes are the same for the same version of DuckDB, whose name stands in every file it writes.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from tracker.core.statement import Statement
from tracker.exports import table
from tracker.exports.columns import NUMBERS
from tracker.exports.head import head_json

_CHUNK = 2_000  # lines at a time: DuckDB takes lists faster than lines, and a list of all would be large


def write(statement: Statement, out: BinaryIO) -> None:
    with tempfile.TemporaryDirectory(prefix="wattledger-export-") as folder:
        path = Path(folder) / "statement.parquet"
        _make(statement, path)
        with path.open("rb") as made:
            shutil.copyfileobj(made, out)


def _make(statement: Statement, path: Path) -> None:
    digest = table.Digest(statement)
    types = _types(statement)
    columns = ", ".join(f"{name} {kind}" for name, kind in types.items())
    values = ", ".join(f"unnest(${place}::VARCHAR[])::{kind}" for place, kind in enumerate(types.values(), 1))
    # one thread: the order of lines and the cut of row groups depend on nothing else
    config: dict[str, str | bool | int | float | list[str]] = {"threads": 1, "temp_directory": str(path.parent)}
    with _engine(config) as base:
        base.execute(f"CREATE TABLE lines ({columns})")
        lines = _lines(statement, digest)
        while chunk := list(islice(lines, _CHUNK)):
            base.execute(f"INSERT INTO lines SELECT {values}", [list(column) for column in zip(*chunk, strict=True)])
        metadata = {"wattledger": head_json(statement).decode(), "statement_sha256": digest.hex()}
        base.execute(_copy(path, metadata))


def _engine(config: dict[str, str | bool | int | float | list[str]]) -> Any:
    """Quiet, and without the engine's threads for I/O: 256 on a large machine, which count for TasksMax= of a unit."""
    import duckdb  # noqa: PLC0415 - heavy

    try:
        base = duckdb.connect(":memory:", config={**config, "async_threads": 1})
    except duckdb.Error:  # before 2.0 there is no such setting, and no such threads
        base = duckdb.connect(":memory:", config=config)
    base.execute("SET enable_progress_bar = false")  # it would be drawn into the file that goes to stdout
    return base


def _types(statement: Statement) -> dict[str, str]:
    named = (*table.about(statement), *table.columns(statement), "row_sha256")
    kinds = {name: f"DECIMAL(38,{places})" for name, places in NUMBERS.items()}
    kinds["is_correction"] = "BOOLEAN"
    return {f'"{name}"': kinds.get(name, "VARCHAR") for name in named}


def _lines(statement: Statement, digest: table.Digest) -> Iterator[list[str | None]]:
    about = table.about(statement).values()
    for row in table.rows(statement):
        digest.add(row)
        yield [*about, *row.cells, row.sha256]


def _copy(path: Path, metadata: dict[str, str]) -> str:
    pairs = ", ".join(f"{name}: {_quoted(value)}" for name, value in metadata.items())
    return f"COPY lines TO {_quoted(str(path))} (FORMAT parquet, COMPRESSION zstd, KV_METADATA {{{pairs}}})"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
