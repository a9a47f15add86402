"""The lake: Parquet files of hours, written and read with DuckDB, in a schema that is documented here and versioned.

A file's name carries a hash of its rows (not of its bytes), so that shipping the same hours twice, also by another
version of the Parquet library, gives the same name. Columns are only ever added; a reader takes a missing one as
empty. ``README.md`` beside this file shows the same tables in other engines.
"""

from __future__ import annotations

import functools
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tracker.books.engine import connect, quiet
from tracker.books.interface import BooksDamaged, BooksRefused, BooksUnavailable
from tracker.books.names import DAY_H, LakeFile, date_of
from tracker.books.schema import (
    SCHEMA_VERSION,
    SCHEMAS,
    Row,
    content_sha256,
    coverage_rows,
    emission_rows,
    entry_rows,
)
from tracker.core.hours import HOUR_S, NodeFacts

__all__ = ["SCHEMAS", "SCHEMA_VERSION", "Row", "content_sha256", "coverage_rows", "emission_rows", "entry_rows"]

#: The schema in a footer: Thrift's compact protocol puts type and length before the value (parquet.thrift: KeyValue).
_KNOWN = re.compile(
    b"|".join(
        re.escape(b"wattledger.schema\x18" + bytes([len(schema)]) + schema.encode())
        for schema in (f"{kind}/{version}" for kind in SCHEMAS for version in range(1, SCHEMA_VERSION + 1))
    )
)
#: Behind the schema there are a few more pairs, the writer's name and a byte or two for each column.
_TAIL_BYTES = 1024
#: Rows that are handed to the engine at once; it keeps a copy of each value, many times its size, until it is done.
_AT_ONCE = 5_000


def file_for(kind: str, node: NodeFacts, start_s: int, end_s: int, sha256: str) -> LakeFile:
    """How hours [start_s, end_s) of one UTC day are named."""
    from_h = start_s % (DAY_H * HOUR_S) // HOUR_S
    to_h = from_h + (end_s - start_s) // HOUR_S
    whole = (from_h, to_h) == (0, DAY_H)
    return LakeFile(kind, date_of(start_s), node.hostname, node.ledger[:8], from_h, to_h, whole, sha256[:16])


def to_parquet(kind: str, node: NodeFacts, rows: Sequence[Row], sha256: str) -> bytes:
    """The bytes of a file. Sorted, one thread: the same rows give the same bytes with the same version of DuckDB."""
    columns = SCHEMAS[kind]
    about = {
        "wattledger.schema": f"{kind}/{SCHEMA_VERSION}",
        "wattledger.software": node.version,
        "wattledger.hostname": node.hostname,
        "wattledger.ledger": node.ledger,
        "wattledger.rows_sha256": sha256,
    }
    pairs = ", ".join(f"{_quoted(key)}: {_literal(value)}" for key, value in about.items())
    with _scratch() as path, _cursor() as connection:
        connection.execute(
            f"CREATE TEMP TABLE rows ({', '.join(f'{_quoted(name)} {kind_of}' for name, kind_of in columns)})"
        )
        given, ordered = ", ".join(f"unnest(?::{kind_of}[])" for _, kind_of in columns), sorted(rows)
        for start in range(0, len(ordered), _AT_ONCE):
            lists = [list(column) for column in zip(*ordered[start : start + _AT_ONCE], strict=True)]
            connection.execute(f"INSERT INTO rows SELECT {given}", lists)
        connection.execute(
            f"COPY rows TO {_literal(str(path))} (FORMAT parquet, COMPRESSION zstd, KV_METADATA {{{pairs}}})"
        )
        return path.read_bytes()


@contextmanager
def _scratch() -> Iterator[Path]:
    """A path for a file that goes away; the engine reads and writes nothing but paths. Raises BooksUnavailable."""
    import duckdb  # noqa: PLC0415 - 60 MB that only commands of the books need

    try:
        with tempfile.TemporaryDirectory(prefix="wattledger-") as folder:
            yield Path(folder) / "part.parquet"
    except (OSError, duckdb.Error) as error:
        raise BooksUnavailable(
            f"A file of the books cannot be made: {str(error).strip().splitlines()[0]}.",
            "Free space in the folder for temporary files, or name another one in TMPDIR.",
        ) from error


@contextmanager
def _cursor() -> Iterator[Any]:
    """A connection of its own, with its own temporary tables, to the one engine of this process."""
    cursor = quiet(_engine().cursor())
    try:
        yield cursor
    finally:
        cursor.close()


@functools.cache
def _engine() -> Any:
    """With one thread, for a few files at a time: starting another takes longer than to read one."""
    return connect(threads=1)


def read_rows(kind: str, path: Path) -> list[Row]:
    """All rows of one file, in the columns of this version. Raises BooksDamaged, or BooksRefused for a newer schema."""
    import duckdb  # noqa: PLC0415 - as above

    refuse_newer([path])
    names = ", ".join(_present(name, kind_of) for name, kind_of in SCHEMAS[kind])
    try:
        with _cursor() as connection:
            rows: list[Row] = connection.execute(f"SELECT {names} FROM {scan(kind, [path])}").fetchall()  # noqa: S608 - quoted
            return rows
    except duckdb.Error as error:
        raise damaged(path, error) from error


def rows_in(kind: str, content: bytes, name: str) -> list[Row]:
    """The same of a file's content. ``name`` is said in errors."""
    with _spilled(content, name) as path:
        return read_rows(kind, path)


@contextmanager
def _spilled(content: bytes, name: str) -> Iterator[Path]:
    """A file that DuckDB can read; errors speak of the one in the books."""
    with _scratch() as path:
        path.write_bytes(content)
        try:
            yield path
        except (BooksDamaged, BooksRefused) as error:
            raise type(error)(error.sentence.replace(str(path), name), error.remedy) from error


def about(path: Path) -> dict[str, str]:
    """What a file says of itself: "wattledger.schema", ".software", ".hostname", ".ledger", ".rows_sha256". Raises
    BooksDamaged."""
    return _abouts([path])[str(path)]


def about_content(content: bytes, name: str) -> dict[str, str]:
    """The same of a file's content. ``name`` is said in errors."""
    with _spilled(content, name) as path:
        return about(path)


def refuse_newer(paths: Iterable[Path]) -> None:
    """Raises BooksRefused for a file of a schema that is not known here, BooksDamaged for one that has none, or that
    cannot be read."""
    for path, said in _abouts([path for path in paths if not _is_known(path)]).items():
        kind, _, version = said.get("wattledger.schema", "").partition("/")
        if kind not in SCHEMAS or not version.isdecimal():
            raise BooksDamaged(f"{path} is no file of these books.", "Move it out of the folder of the books.")
        if int(version) > SCHEMA_VERSION:
            raise BooksRefused(
                f"{path} has schema {version} of {kind}; this wattledger knows schemas up to {SCHEMA_VERSION}.",
                "Upgrade wattledger.",
            )


def _is_known(path: Path) -> bool:
    """Whether its end, where the footer is, says a schema of this version or an older one. If not, nothing is known yet
    and the engine is asked; it takes ten times as long for a file, and a fleet's month has tens of thousands."""
    try:
        opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        tail = os.pread(opened, _TAIL_BYTES, max(0, os.fstat(opened).st_size - _TAIL_BYTES))
    except OSError:
        return False
    finally:
        os.close(opened)
    return _KNOWN.search(tail) is not None


def _abouts(paths: Sequence[Path]) -> dict[str, dict[str, str]]:
    import duckdb  # noqa: PLC0415 - as above

    found: dict[str, dict[str, str]] = {str(path): {} for path in paths}
    if not paths:
        return found
    files = ", ".join(_literal(str(path)) for path in paths)
    try:
        with _cursor() as connection:
            asked = f"SELECT file_name, key, value FROM parquet_kv_metadata([{files}])"  # noqa: S608 - quoted
            for path, key, value in connection.execute(asked).fetchall():
                found[path][key.decode("utf-8", "replace")] = value.decode("utf-8", "replace")
    except duckdb.Error as error:
        if len(paths) == 1:
            raise damaged(paths[0], error) from error
        for path in paths:  # the one that cannot be read says so
            found |= _abouts([path])
    return found


def scan(kind: str, paths: Sequence[Path]) -> str:
    """A table expression over files with all columns of this version. A column that older files lack is null there,
    and is to be taken as empty."""
    empty = ", ".join(f"NULL::{kind_of} AS {_quoted(name)}" for name, kind_of in SCHEMAS[kind])
    none = f"SELECT {empty} WHERE false"
    if not paths:
        return f"({none})"
    files = ", ".join(_literal(str(path)) for path in paths)
    read = f"read_parquet([{files}], union_by_name = true, hive_partitioning = false)"
    return f"({none} UNION ALL BY NAME SELECT * FROM {read})"  # noqa: S608 - quoted


def _present(name: str, kind_of: str) -> str:
    return f"coalesce({_quoted(name)}, '')" if kind_of == "VARCHAR" else _quoted(name)


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
