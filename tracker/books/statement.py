"""A month over the lake: one scan into hours of the wanted dimensions, which weights then turn into exact sums.

    files   --read_entries-->  hourly    hour x place x dimensions; cells(): energy by place and hour, to choose weights
    hourly  --weigh(weights)-->  weighed   rows(), days(), energy(): exact sums

Energy is summed in 128-bit integers and never rounded here. DuckDB spills to ``folder`` when ``memory_mib`` are used
up, so that a large fleet needs time and disk rather than memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tracker.books.dimensions import OF_PLACES, OF_ROWS, REMAINDER, Wanted
from tracker.books.engine import connect
from tracker.books.interface import BooksDamaged, BooksUnavailable
from tracker.books.lake import SCHEMAS, damaged, refuse_newer, scan
from tracker.books.sums import SELECT, RowSums, Sums
from tracker.core.statement import Period
from tracker.core.weights import Place, Weight

_ROWS_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Cell:
    """IT energy of everybody at a place in an hour, whatever the filters are."""

    site: str
    zone_written: str
    hour_s: int
    it_uj: int


@dataclass(frozen=True, slots=True)
class Making:
    """What the making of a device weighs while it is held. ``made``: a GPU's model; for CPUs, which carry the host's
    figure, the number of packages that share it."""

    component: str
    made: str
    fg_per_ms: int


class MonthQuery:
    """The entries of a period. Use as a context manager; one thread at a time."""

    def __init__(self, folder: Path, memory_mib: int, threads: int | None = None) -> None:
        import duckdb  # noqa: PLC0415 - 60 MB that only commands of the books need

        self._error: type[Exception] = duckdb.Error
        self._mismatch: type[Exception] = duckdb.InvalidInputException
        self._too_large: type[Exception] = duckdb.OutOfMemoryException
        self._memory_mib, self._folder = memory_mib, folder
        self._known: set[str] = set()  # paths of files whose schema was looked at: to hash a Path takes its time
        self._connection = connect(threads)
        self.execute(f"SET memory_limit = '{memory_mib}MiB'")
        self._connection.execute("SET temp_directory = $1", [str(folder)])
        self.execute("SET preserve_insertion_order = false")
        self.execute("SET TimeZone = 'UTC'")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def execute(self, sql: str, values: Sequence[object] = ()) -> Any:
        """Raises BooksUnavailable when memory or the disk to spill to is used up."""
        try:
            return self._connection.execute(sql, list(values))
        except self._too_large as error:
            raise BooksUnavailable(
                f"The month does not fit into {self._memory_mib} MiB of memory and the disk at {self._folder}.",
                "Raise books.memory_mib, or free space there (TMPDIR says where).",
            ) from error

    def scan(self, sql: str, values: Sequence[object], kind: str, paths: Sequence[Path]) -> None:
        """Make a table by SQL that reads files of the lake as ``{files}``. Raises BooksDamaged, which names the file,
        and BooksRefused for a file of a newer schema, wherever it lies: its columns mean something else.

        Files of one schema are read as they are, which takes a third of the time and memory of matching the columns of
        each; only where some are of an older version their columns are matched.
        """
        refuse_newer(path for path in paths if str(path) not in self._known)
        self._known.update(map(str, paths))
        try:
            if paths and self._is_current(kind, paths[0]):
                with suppress(self._mismatch):
                    self.execute(sql.replace("{files}", _as_they_are(paths)), values)
                    return
            self.execute(sql.replace("{files}", scan(kind, paths)), values)
        except self._error as error:
            raise self._culprit(paths, error) from error

    def _is_current(self, kind: str, path: Path) -> bool:
        """Whether it has every column of this version: DuckDB goes by the first file, and would leave out what only
        later ones have."""
        found = self.execute("SELECT name FROM parquet_schema($1)", [str(path)]).fetchall()
        return {name for name, _ in SCHEMAS[kind]} <= {row[0] for row in found}

    def read_entries(self, paths: Sequence[Path], period: Period, wanted: Wanted, *, by_packages: bool = False) -> None:
        """Fill ``hourly``. ``by_packages``: tell CPUs apart by how many packages their host has (``packages``, which
        ``coverage.py`` fills).

        The scan groups by the lake's own columns, as every function of a text costs a second in twenty million rows;
        what they mean is worked out on the hours that come out of it.
        """
        condition, patterns = wanted.condition(OF_ROWS)
        names = [f'"{name}"' for name in wanted.columns]
        told = names if condition == "true" else [_if_wanted(name) for name in names]
        host = "coalesce(packages.count, 0)" if by_packages else "0"
        join = "LEFT JOIN packages USING (hostname, ledger)" if by_packages else ""
        keys = ", ".join(("hour_s", "site", "grid_zone", "wanted", "packages", *names))
        sql = f"""
            CREATE OR REPLACE TEMP TABLE scanned AS
            SELECT {keys}, sum(energy_uj) AS it,
                   sum(CASE method WHEN 'measured' THEN energy_uj ELSE 0 END) AS measured,
                   sum(CASE method WHEN 'simulated' THEN energy_uj ELSE 0 END) AS simulated,
                   sum(idle_uj) AS idle, sum(held_ms) AS held
            FROM (SELECT hour_s, site, grid_zone, {condition} AS wanted,
                         CASE component WHEN 'cpu' THEN {host} ELSE 0 END AS packages, {", ".join(told)},
                         method, energy_uj, idle_uj, held_ms
                  FROM {{files}} {join} WHERE hour_s >= ? AND hour_s < ?)
            GROUP BY {keys}
        """  # noqa: S608 - names are ours, values are parameters or quoted
        self.scan(sql, [*patterns, period.start_s, period.end_s], "entries", paths)
        self.execute(_hourly(wanted))

    def cells(self) -> list[Cell]:
        sql = "SELECT site, zone_written, hour_s, sum(it) FROM hourly GROUP BY ALL ORDER BY ALL"
        return [Cell(*row) for row in self.execute(sql).fetchall()]

    def made(self) -> list[tuple[str, str]]:
        """The components and models (or numbers of packages) that occur."""
        sql = "SELECT DISTINCT component, made FROM hourly WHERE component IN ('gpu', 'cpu') ORDER BY ALL"
        return [(row[0], row[1]) for row in self.execute(sql).fetchall()]

    def weigh(
        self,
        places: Iterable[Place],
        weights: Iterable[Weight],
        makings: Iterable[Making],
        days: Mapping[int, str],
        wanted: Wanted,
        entity: str,
    ) -> None:
        """Make the view ``weighed``: what is wanted, beside the weights of its place and hour. What a building adds and
        somebody books apart has lines of its own, with ``base`` the energy that it is added to and no IT energy."""
        places = list(places)
        self.fill("places", Place, places)
        self.fill("weights", Weight, weights)
        self.fill("makings", Making, makings)
        self.execute("CREATE OR REPLACE TEMP TABLE days (hour_s BIGINT, day VARCHAR)")
        self.execute(
            "INSERT INTO days SELECT unnest(?::BIGINT[]), unnest(?::VARCHAR[])", [list(days), [*days.values()]]
        )
        self.execute("SET VARIABLE entity = $1", [entity])
        columns = {**OF_PLACES, "entity": "getvariable('entity')"}
        condition, patterns = wanted.condition(columns)
        made = [f"{columns.get(name, f'd_{name}')} AS k_{name}" for name in wanted.group_by]
        for position, pattern in enumerate(patterns):
            self.execute(f"SET VARIABLE pattern{position} = $1", [pattern])
            condition = condition.replace("?", f"getvariable('pattern{position}')", 1)
        parts = [_WHOLE]
        if any(place.overhead_scope for place in places):
            parts = [_COMPUTERS, _BUILDINGS]
        lines = f"""
            SELECT {", ".join(made)}, hour_s, day, site, zone_written, zone, remainder,
                   annual_ng_per_kwh AS annual_ng, hourly_ng_per_kwh AS hourly_ng, market_ng_per_kwh AS market_ng,
                   upstream_ng_per_kwh AS upstream_ng, price_micro_per_kwh AS price_micro,
                   annual_estimated, hourly_estimated, {{part}}
            FROM hourly JOIN places USING (site, zone_written) JOIN weights USING (site, zone_written, hour_s)
                 JOIN days USING (hour_s) LEFT JOIN makings USING (component, made)
            WHERE wanted AND {condition}
        """  # noqa: S608 - as above
        both = " UNION ALL ".join(lines.replace("{part}", _columns(part)) + part.where for part in parts)
        self.execute(
            f"CREATE OR REPLACE TEMP VIEW weighed AS SELECT *, base * pue_permille AS facility FROM ({both})"  # noqa: S608 - as above
        )

    def fill(self, table: str, of: type, items: Iterable[Any]) -> None:
        """A table of dataclasses, in their columns."""
        kinds = {"int": "BIGINT", "int | None": "BIGINT", "str": "VARCHAR", "bool": "BOOLEAN"}
        columns = [(field.name, kinds[str(field.type)]) for field in fields(of)]
        self.execute(f"CREATE OR REPLACE TEMP TABLE {table} ({', '.join(f'{name} {kind}' for name, kind in columns)})")
        rows = [astuple(item) for item in items]
        if rows:
            given = ", ".join(f"unnest(?::{kind}[])" for _, kind in columns)
            lists = [list(column) for column in zip(*rows, strict=True)]
            self.execute(f"INSERT INTO {table} SELECT {given}", lists)

    def rows(self, wanted: Wanted) -> Iterator[RowSums]:
        """In the order of their keys."""
        keys = ", ".join([f"k_{name}" for name in wanted.group_by] + ["scope", "category", "remainder"])
        found = self.execute(f"SELECT {keys}, {SELECT} FROM weighed GROUP BY {keys} ORDER BY {keys}")  # noqa: S608 - as above
        width = len(wanted.group_by)
        while some := found.fetchmany(_ROWS_AT_ONCE):
            for row in some:
                scope, category, remainder, *sums = row[width:]
                yield RowSums(tuple(row[:width]), scope, category, remainder, Sums(*sums))

    def days(self) -> list[tuple[str, Sums]]:
        found = self.execute(f"SELECT day, {SELECT} FROM weighed GROUP BY day ORDER BY day")  # noqa: S608 - as above
        return [(row[0], Sums(*row[1:])) for row in found.fetchall()]

    def energy(self, *columns: str) -> list[tuple[Any, ...]]:
        """Facility energy in nJ by columns of ``weighed``, in their order."""
        names = ", ".join(columns)
        sql = f"SELECT {names}, sum(facility), sum(it) FROM weighed GROUP BY {names} ORDER BY {names}"  # noqa: S608 - ditto
        return [tuple(row) for row in self.execute(sql).fetchall()]

    def _culprit(self, paths: Sequence[Path], error: Exception) -> BooksDamaged:
        """The first file that cannot be read by itself."""
        for path in paths:
            try:
                self.execute("SELECT count(*) FROM parquet_metadata(?)", [str(path)])
            except self._error as own:
                return damaged(path, own)
        return damaged("A file of the books", error)


@dataclass(frozen=True, slots=True)
class _Part:
    """Of the energy of a place, what one scope has. ``permille``: what its IT energy (``base``) is multiplied with."""

    permille: str
    scope: str
    where: str = ""
    of_computers: bool = True


_WHOLE = _Part("pue_permille", "scope, category")
_COMPUTERS = _Part("CASE overhead_scope WHEN '' THEN pue_permille ELSE 1000 END", "scope, category")
_BUILDINGS = _Part(
    "pue_permille - 1000",
    "overhead_scope AS scope, overhead_category AS category",
    " AND overhead_scope != '' AND pue_permille > 1000",
    of_computers=False,
)


def _columns(part: _Part) -> str:
    own = "component, it, measured, simulated, idle, held, fg_per_ms AS making_fg"
    if not part.of_computers:  # nobody's device
        nothing = ", ".join(f"0::HUGEINT AS {name}" for name in ("it", "measured", "simulated", "idle", "held"))
        own = f"'' AS component, {nothing}, NULL::BIGINT AS making_fg"
    return f"{own}, it AS base, ({part.permille}) AS pue_permille, {part.scope}"


def _hourly(wanted: Wanted) -> str:
    """What ``scanned`` means. A column that older files lack is null."""
    dimensions = [f"{OF_ROWS[name]} AS d_{name}, " for name in wanted.of_rows]
    made = "CASE component WHEN 'gpu' THEN coalesce(device_model, '') WHEN 'cpu' THEN packages::VARCHAR ELSE '' END"
    return f"""
        CREATE OR REPLACE TEMP VIEW hourly AS
        SELECT {"".join(dimensions)} hour_s, coalesce(site, '') AS site,
               coalesce(grid_zone, '') AS zone_written, wanted,
               coalesce({REMAINDER}, false) AS remainder, component, {made} AS made,
               it, measured, simulated, idle, held
        FROM scanned
    """  # noqa: S608 - names are ours


def _if_wanted(column: str) -> str:
    return f"CASE WHEN wanted THEN {column} ELSE '' END AS {column}"


def _as_they_are(paths: Sequence[Path]) -> str:
    files = ", ".join("'" + str(path).replace("'", "''") + "'" for path in paths)
    return f"read_parquet([{files}], hive_partitioning = false)"
