"""Each file of the lake by itself: can it be read, is it what was shipped, and does it say what its name says.

Files are read from the store and not from its cache: a copy that was good says nothing about the original.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tracker.books.finding import BooksFinding, some, utc
from tracker.books.interface import BookStore, BooksUnavailable
from tracker.books.lake import scan
from tracker.books.names import LakeFile
from tracker.books.schema import SCHEMA_VERSION, SCHEMAS, Row, content_sha256
from tracker.core.hours import HOUR_S
from tracker.core.model import Level

#: One file that cannot be read is a finding; so many in a row are a store that is gone.
_GONE = 3
_READERS = 8
_AGAIN = (
    "Move it out of the books and ship its hours again from {host}: wattledger ship. "
    "If a closed month was made from it, restore it from a copy of the books instead."
)


@dataclass(slots=True)
class Reader:
    """Reads files into the table ``part`` of a DuckDB connection. ``folder``: for one copy at a time."""

    store: BookStore
    connection: Any  # duckdb.DuckDBPyConnection: the library is loaded by whoever opens it
    folder: Path
    _failed: int = 0

    def check(self, file: LakeFile) -> Iterator[BooksFinding]:
        """What is wrong with it. Without a finding of ``Level.FAIL`` its rows are in ``part``. Raises BooksUnavailable
        if nothing can be read any more."""
        try:
            content = self.store.read(file.name)
        except BooksUnavailable as error:
            self._failed += 1
            if self._failed >= _GONE:
                raise
            yield BooksFinding(Level.FAIL, "unreadable", file.name, error.sentence, error.remedy)
            return
        self._failed = 0
        if content is None:
            message = "It was listed and is gone: something removes files while they are verified."
            yield BooksFinding(Level.WARN, "unreadable", file.name, message, "Run it again.")
            return
        path = self.folder / "part.parquet"
        path.write_bytes(content)
        yield from _checked(self.connection, file, path)

    def sound(self, files: Sequence[LakeFile]) -> bool:
        """Whether all of these, which are of one kind, are as they were shipped; then their rows are in ``part``. Where
        it is not so, ``check`` says of each what is wrong."""
        import duckdb  # noqa: PLC0415 - 60 MB that only commands of the books need

        paths = [self.folder / f"{number}.parquet" for number in range(len(files))]
        try:
            with ThreadPoolExecutor(_READERS) as pool:
                for path, content in zip(paths, pool.map(self.store.read, [file.name for file in files]), strict=True):
                    if content is None:
                        return False
                    path.write_bytes(content)
            return _all_sound(self.connection, files, paths)
        except (BooksUnavailable, duckdb.Error):
            return False

    def rows(self) -> list[Row]:
        """Of the file that was checked last, and is good."""
        rows: list[Row] = self.connection.execute("SELECT * FROM part").fetchall()
        return rows


def _all_sound(connection: Any, files: Sequence[LakeFile], paths: Sequence[Path]) -> bool:
    """A few queries for all of them: files are small, and a query for each is what takes the time."""
    kind, names = files[0].kind, [str(path) for path in paths]
    said: dict[str, dict[str, str]] = {name: {} for name in names}
    for name, key, value in connection.execute("SELECT * FROM parquet_kv_metadata(?)", [names]).fetchall():
        said[name][key.decode("utf-8", "replace")] = value.decode("utf-8", "replace")
    if any(_newer(kind, about.get("wattledger.schema", "")) for about in said.values()):
        return False
    read = scan(kind, paths).replace("hive_partitioning = false", "hive_partitioning = false, filename = true")
    connection.execute(f"CREATE OR REPLACE TEMP TABLE batch AS SELECT {_COLUMNS[kind]}, filename FROM {read}")  # noqa: S608 - the schema's names
    of_names = [[getattr(file, name) for file in files] for name in ("start_s", "end_s", "hostname", "ledger")]
    wrong = connection.execute(_ANY_WRONG[kind], [names, *of_names, HOUR_S]).fetchone()[0]
    if wrong:
        return False
    rows: dict[str, list[Row]] = {name: [] for name in names}
    for *row, name in connection.execute("SELECT * FROM batch").fetchall():
        rows[name].append(tuple(row))
    for file, name in zip(files, names, strict=True):
        sha256 = content_sha256(kind, rows[name])
        if sha256 != said[name].get("wattledger.rows_sha256", "") or sha256[:16] != file.sha16:
            return False
    connection.execute("CREATE OR REPLACE TEMP TABLE part AS SELECT * EXCLUDE (filename) FROM batch")
    return True


def _checked(connection: Any, file: LakeFile, path: Path) -> Iterator[BooksFinding]:
    import duckdb  # noqa: PLC0415 - 60 MB that only commands of the books need

    try:
        about = _about(connection, path)
        newer = _newer(file.kind, about.get("wattledger.schema", ""))
        if newer:
            yield BooksFinding(Level.FAIL, "schema", file.name, newer, "Verify with a newer wattledger.")
            return
        read = f"SELECT {_COLUMNS[file.kind]} FROM {scan(file.kind, [path])}"  # noqa: S608 - the schema's names
        connection.execute(f"CREATE OR REPLACE TEMP TABLE part AS {read}")
        sound = [file.start_s, file.end_s, HOUR_S, file.hostname, file.ledger]
        nulls, strange, others, impossible = connection.execute(_SOUND[file.kind], sound).fetchone()
        rows = connection.execute("SELECT * FROM part").fetchall()
    except duckdb.Error as error:
        first = str(error).replace(str(path), "the file").strip().splitlines()[0][:160]
        yield _broken(file, "damaged", f"It is truncated or was altered and cannot be read ({first}).")
        return
    if nulls:
        yield _broken(file, "altered", f"{nulls} rows lack a quantity: no such file was shipped.")
        return
    yield from _as_shipped(file, content_sha256(file.kind, rows), about.get("wattledger.rows_sha256", ""))
    if strange:
        hours = some(utc(hour_s) for hour_s in strange)
        yield _broken(file, "hours", f"It has hours that are not of its name: {hours}.")
    if others:
        yield _broken(file, "node", f"It has rows of another node: {some(others)}.")
    if impossible:
        yield _broken(file, "quantities", f"{impossible} rows have a quantity below 0, or parts above their whole.")


def _column(name: str, kind_of: str) -> str:
    """Texts that an older file lacks are empty, as for every reader of the lake."""
    return f'coalesce("{name}", \'\') AS "{name}"' if kind_of == "VARCHAR" else f'"{name}"'


#: What cannot be: a quantity below 0, or a part above its whole.
_INSANE = {
    "entries": "energy_uj < 0 OR idle_uj < 0 OR idle_uj > energy_uj OR held_ms < 0",
    "coverage": "duration_ms < 0",
    "emissions": "emissions_ug < 0 OR pue_permille < 1000",
}
_COLUMNS = {kind: ", ".join(_column(*column) for column in columns) for kind, columns in SCHEMAS.items()}
#: One look at ``part``: rows with a null, hours that are not of the name, other nodes, rows that cannot be.
_SOUND = {
    kind: f"""SELECT count(*) FILTER ({" OR ".join(f'"{name}" IS NULL' for name, _ in columns)}),
    list_sort(list(DISTINCT hour_s) FILTER (hour_s < $1 OR hour_s >= $2 OR hour_s % $3 <> 0)),
    list_sort(list(DISTINCT hostname || ' (' || ledger[:8] || ')') FILTER (hostname <> $4 OR ledger[:8] <> $5)),
    count(*) FILTER ({_INSANE[kind]}) FROM part"""  # noqa: S608 - constants of this file and the schema
    for kind, columns in SCHEMAS.items()
}

#: The same of ``batch``, in one number: $1 names of files, $2 to $5 what is in their names.
_ANY_WRONG = {
    kind: f"""SELECT count(*) FROM batch JOIN (SELECT unnest($1::VARCHAR[]) AS filename,
        unnest($2::BIGINT[]) AS start_s, unnest($3::BIGINT[]) AS end_s, unnest($4::VARCHAR[]) AS host,
        unnest($5::VARCHAR[]) AS digits) USING (filename)
    WHERE {" OR ".join(f'"{name}" IS NULL' for name, _ in columns)} OR hour_s < start_s OR hour_s >= end_s
        OR hour_s % $6 <> 0 OR hostname <> host OR ledger[:8] <> digits OR {_INSANE[kind]}"""  # noqa: S608 - as above
    for kind, columns in SCHEMAS.items()
}


def _about(connection: Any, path: Path) -> dict[str, str]:
    found = connection.execute("SELECT key, value FROM parquet_kv_metadata(?)", [str(path)]).fetchall()
    return {key.decode("utf-8", "replace"): value.decode("utf-8", "replace") for key, value in found}


def _newer(kind: str, schema: str) -> str:
    """Why the file cannot be judged here; "" if it can."""
    said, _, version = schema.partition("/")
    if said == kind and version.isdecimal() and int(version) > SCHEMA_VERSION:
        return f"It has schema {version} of {kind}; this wattledger knows schemas up to {SCHEMA_VERSION}."
    return ""


def _as_shipped(file: LakeFile, sha256: str, said: str) -> Iterator[BooksFinding]:
    """Its rows give the hash that it carries inside and in its name."""
    inside, outside = said == sha256, file.sha16 == sha256[:16]
    if inside and outside:
        return
    if inside:
        yield _broken(file, "renamed", f"Its rows are whole but of another file: they hash to {sha256[:16]}.")
    elif outside:
        yield _broken(file, "altered", f"Its rows fit its name and not what it says of itself (sha256 {said[:16]}…).")
    else:
        yield _broken(file, "altered", f"Its rows were altered after shipping: they hash to {sha256[:16]}.")


def _broken(file: LakeFile, check: str, message: str) -> BooksFinding:
    return BooksFinding(Level.FAIL, check, file.name, message, _AGAIN.format(host=file.hostname))
