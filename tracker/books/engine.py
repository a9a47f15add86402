"""The query engine, kept quiet and small: a statement that goes to stdout is a file, and nobody else may write into it;
and a unit of a machine with many CPUs has no more threads to give than another."""

from __future__ import annotations

import os
from typing import Any, TypeVar

#: DuckDB draws a bar into stdout once a query takes two seconds, also into a pipe; each connection has to be told.
QUIET = "SET enable_progress_bar = false"
#: By itself DuckDB makes a thread for each CPU and up to 256 for I/O: 480 on a machine of 224 CPUs. Those that compute
#: share its memory, and TasksMax= of the units counts all.
MOST_THREADS = 16
_IO_THREADS = 4

_Connection = TypeVar("_Connection")


def quiet(connection: _Connection) -> _Connection:
    """The same connection or cursor of DuckDB, which from now on writes nothing by itself."""
    connection.execute(QUIET)  # type: ignore[attr-defined] # DuckDB is imported where it is used alone
    return connection


def connect(threads: int | None = None) -> Any:
    """A quiet connection to an engine of its own. ``threads``: those that compute; by default as many as DuckDB thinks
    right for the CPUs that it may use, and at most MOST_THREADS."""
    import duckdb  # noqa: PLC0415 - 60 MB that only commands of the books need

    if threads is None and len(os.sched_getaffinity(0)) > MOST_THREADS:
        threads = MOST_THREADS
    config: dict[str, Any] = {} if threads is None else {"threads": threads}
    try:
        return quiet(duckdb.connect(config={**config, "async_threads": _IO_THREADS}))
    except duckdb.Error:  # before 2.0 there is no such setting, and no such threads
        return quiet(duckdb.connect(config=config))
