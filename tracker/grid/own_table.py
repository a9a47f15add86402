"""A table of yearly factors that somebody wrote: with the columns of those that ship (``data/README.md``).

    factor_id,zone,zone_system,value_printed,unit_printed,gases,factor_type,basis,scheme,tier,valid_from,...,recorded
    ema2025:SG,SG,iso2,0.402,kg/kWh,CO2,direct,production,average,4,2025-01-01,...,2026-11-02

For a newer edition than the tables have, a country without a factor, or a residual mix. A row without a value takes an
earlier one of its ``factor_id`` back.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tracker.core.errors import WattledgerError
from tracker.core.factors import LAST_RESORT, FactorRow
from tracker.core.known import other_identity, same_content
from tracker.grid.bundle import BundleRefused
from tracker.grid.catalogue import DATA, WORLD, by_name
from tracker.grid.shipped import Publisher, collected_s, factor_of, parse_publishers, read_history
from tracker.grid.store_records import refuse_other
from tracker.grid.store_rows import why_unusable
from tracker.grid.yearly import is_yearly
from tracker.grid.zones import find_zone

MAX_BYTES = 4 * 1024 * 1024
_NOTHING = "Nothing of the file was used."
_COLUMNS = f"It needs the columns of the tables that ship, which {DATA / 'README.md'} describes."
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATES = ("valid_from", "valid_to", "recorded")
_COMMA_IN_NUMBER = re.compile(r"-?[0-9]+,[0-9]+")
_GASES = frozenset({"CO2", "CO2e", "unspecified"})
#: It is today in the east of the world so much before it is in UTC.
_EAST_S = 14 * 3600


class _Publishers(dict[str, Publisher]):
    """Those of the tables with their addresses; others by their names."""

    def __missing__(self, name: str) -> Publisher:
        return Publisher(name, "", "", "")


def read_table(path: Path, now_s: int) -> tuple[FactorRow, ...]:
    """The rows of a CSV file, in its order. ``now_s``: nobody can have recorded anything later. Raises BundleRefused:
    then none is used."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BundleRefused(
            f"The table {path} cannot be read: {error.strerror}.", "Name a file that you may read."
        ) from error
    if len(data) > MAX_BYTES:
        raise BundleRefused(f"{path} is larger than {MAX_BYTES >> 20} MiB.", "Import it in several files.")
    return parse_table(data, str(path), now_s)


def parse_table(data: bytes, name: str, now_s: int) -> tuple[FactorRow, ...]:
    """See ``read_table``. ``name`` is said in errors."""
    publishers = _Publishers(parse_publishers((DATA / "publishers.csv").read_text("utf-8")))
    rows: list[FactorRow] = []
    seen: dict[str, FactorRow] = {}
    try:
        for cells in _lines(data.decode("utf-8-sig"), name):
            _refuse_cells(cells)
            row = factor_of(cells, publishers)
            _refuse(f"Row {len(rows) + 1} of {name}", row, _problem(row, now_s) or _twice(seen.get(row.factor_id), row))
            seen[row.factor_id] = row
            rows.append(row)
    except BundleRefused:
        raise
    except WattledgerError as error:  # an unknown zone, with those that are like it
        raise BundleRefused(f"Row {len(rows) + 1} of {name}: {error.sentence}", f"{error.remedy} {_NOTHING}") from error
    except (ValueError, LookupError, ArithmeticError, TypeError, AttributeError, csv.Error) as error:
        what = f"{error} is not known, or no column" if isinstance(error, KeyError) else str(error)
        raise BundleRefused(
            f"Row {len(rows) + 1} of {name} is not understood: {what[:200]}.", f"{_NOTHING} {_COLUMNS}"
        ) from error
    if not rows:
        raise BundleRefused(f"{name} lists no factors.", "Write one a line, below a line with the names of columns.")
    return tuple(rows)


def split_by_tables(rows: Sequence[FactorRow]) -> tuple[list[FactorRow], list[str]]:
    """The rows that a store may add, and the ids of those that say something else than a table that ships and was
    collected later: they would never be used. Raises StoreError for a row with the id of another factor."""
    shipped = read_history({row.factor_id for row in rows if is_yearly(row)})
    usable, older = [], []
    for row in rows:
        known = shipped[row.factor_id][-1].row if row.factor_id in shipped else None
        if known is not None:
            refuse_other(known, row)
        if known is None or same_content(known, row) or (row.origin.fetched_at_s or 0) >= collected_s(known):
            usable.append(row)
        else:
            older.append(row.factor_id)
    return usable, older


def _lines(text: str, name: str) -> Iterator[Mapping[str, str]]:
    """The rows by their columns; a cell in quotes may have lines of its own."""
    reader = csv.DictReader(io.StringIO(text, newline=""))
    header = reader.fieldnames or ()
    if len(header) == 1 and ";" in header[0]:
        raise BundleRefused(f"{name} separates its columns by semicolons.", f"Separate them by commas. {_NOTHING}")
    return reader


def _refuse_cells(cells: Mapping[str, str]) -> None:
    """What is usually meant by a cell that cannot be read. Raises ValueError, UnknownZone."""
    if any(cells.get(None, ())):  # type: ignore[call-overload] # csv's key for what has no column
        raise ValueError("it has more cells than the first line (a decimal comma, or a text with one without quotes?)")
    if None in cells.values():
        raise ValueError("it has fewer cells than the first line")
    if cells["zone"].upper() not in by_name():
        find_zone(cells["zone"])
    if _COMMA_IN_NUMBER.fullmatch(cells["value_printed"].strip()):
        raise ValueError(f"the value {cells['value_printed'].strip()} has a decimal comma: write a point")
    wrong = next((column for column in _DATES if cells[column] and not _DAY.fullmatch(cells[column])), "")
    if wrong:
        raise ValueError(f"{wrong} is {cells[wrong]!r}, and is written as YYYY-MM-DD")


def _refuse(where: str, row: FactorRow, problem: str) -> None:
    """Raises BundleRefused."""
    if problem:
        raise BundleRefused(f"{where} ({row.factor_id[:80]}) {problem}", _NOTHING)


def _problem(row: FactorRow, now_s: int) -> str:
    """For the end of a sentence; "" if there is none."""
    if not is_yearly(row):
        return "is of hours: those are read by the file provider, [grid.file]."
    recorded_s = row.origin.fetched_at_s
    if recorded_s is not None and recorded_s > now_s + _EAST_S:
        return "is recorded on a day that is still to come: no correction would ever be later."
    if row.gases not in _GASES:
        return f"has the gases {row.gases[:20]!r}: there are {', '.join(sorted(_GASES))}."
    if row.quality_tier == LAST_RESORT and row.zone != WORLD.code:
        return f"has the tier {LAST_RESORT}, which is the world's: a country's is of tier 4 or 5."
    return why_unusable(row)


def _twice(before: FactorRow | None, row: FactorRow) -> str:
    """A corrected row may stand below the one that it corrects, as in the tables that ship."""
    if before is None:
        return ""
    other = other_identity(before, row)
    if other:
        return f"has the id of a row for {other} above it: give it another one."
    if (row.origin.fetched_at_s or 0) <= (before.origin.fetched_at_s or 0):
        return "stands twice: a correction has a later day in `recorded`."
    return ""
