"""The query engine, kept quiet: a statement that goes to stdout is a file, and nobody else may write into it."""

from __future__ import annotations

from typing import TypeVar

#: DuckDB draws a bar into stdout once a query takes two seconds, also into a pipe; each connection has to be told.
QUIET = "SET enable_progress_bar = false"

_Connection = TypeVar("_Connection")


def quiet(connection: _Connection) -> _Connection:
    """The same connection or cursor of DuckDB, which from now on writes nothing by itself."""
    connection.execute(QUIET)  # type: ignore[attr-defined] # DuckDB is imported where it is used alone
    return connection
