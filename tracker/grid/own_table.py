"""A table of yearly factors that somebody wrote: with the columns of those that ship (``data/README.md``).

    factor_id,zone,zone_system,value_printed,unit_printed,gases,factor_type,basis,scheme,tier,valid_from,...,recorded
    ema2025:SG,SG,iso2,0.402,kg/kWh,CO2,direct,production,average,4,2025-01-01,...,2026-11-02

For a newer edition than the tables have, a country without a factor, or a residual mix.
"""

from __future__ import annotations

import csv
from pathlib import Path

from tracker.core.factors import FactorRow
from tracker.grid.bundle import BundleRefused
from tracker.grid.catalogue import DATA
from tracker.grid.shipped import Publisher, parse_factors, parse_publishers
from tracker.grid.store_rows import why_unusable
from tracker.grid.yearly import is_yearly

MAX_BYTES = 4 * 1024 * 1024
_NOTHING = "Nothing of the file was used."


class _Publishers(dict[str, Publisher]):
    """Those of the tables with their addresses; others by their names."""

    def __missing__(self, name: str) -> Publisher:
        return Publisher(name, "", "", "")


def read_table(path: Path) -> tuple[FactorRow, ...]:
    """The rows of a CSV file, in its order. Raises BundleRefused: then none is used."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BundleRefused(
            f"The table {path} cannot be read: {error.strerror}.", "Name a file that you may read."
        ) from error
    if len(data) > MAX_BYTES:
        raise BundleRefused(f"{path} is larger than {MAX_BYTES >> 20} MiB.", "Import it in several files.")
    return parse_table(data, str(path))


def parse_table(data: bytes, name: str) -> tuple[FactorRow, ...]:
    """See ``read_table``. ``name`` is said in errors."""
    publishers = _Publishers(parse_publishers((DATA / "publishers.csv").read_text("utf-8")))
    rows: list[FactorRow] = []
    try:
        for row in parse_factors(data.decode("utf-8-sig"), publishers):
            problem = _problem(row)
            if problem:
                raise BundleRefused(f"Row {len(rows) + 1} of {name} ({row.factor_id[:80]}) {problem}", _NOTHING)
            rows.append(row)
    except (ValueError, LookupError, ArithmeticError, TypeError, AttributeError, csv.Error) as error:
        what = f"{error} is not known, or no column" if isinstance(error, KeyError) else str(error)
        raise BundleRefused(
            f"Row {len(rows) + 1} of {name} is not understood: {what[:200]}.",
            f"{_NOTHING} It needs the columns of the tables that ship, which {DATA / 'README.md'} describes.",
        ) from error
    if not rows:
        raise BundleRefused(f"{name} lists no factors.", "Write one a line, below a line with the names of columns.")
    return tuple(rows)


def _problem(row: FactorRow) -> str:
    if not is_yearly(row):
        return "is of hours: those are read by the file provider, [grid.file]."
    return why_unusable(row)
