"""The documentation beside the code says what the files are, and its examples work."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import polars as pl
import pytest

from tests.books.shipments import Node
from tests.conftest import REPO
from tracker.books.folder import FolderStore
from tracker.books.schema import SCHEMA_VERSION, SCHEMAS

TEXT = (REPO / "tracker" / "books" / "README.md").read_text("utf-8")
ADDRESS = "s3://books/prod"


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two nodes, two days and a piece of a third; sums beyond 64 bits, with digits that a double would lose."""
    folder = tmp_path_factory.mktemp("books")
    for number, hostname in enumerate(("gpu-017", "gpu-018")):
        node = Node(FolderStore(folder), hostname, f"{number:08}" * 4)
        node.run(48, energy_uj=99_999_999_999_999_999 + number)
        node.ship()
        node.run(3)
        node.ship()
    return folder


def section(title: str) -> str:
    return TEXT.split(f"\n### {title}\n")[1].split("\n### ")[0].split("\n## ")[0]


def example(engine: str) -> str:
    found = re.search(rf"^{engine}[^\n]*:\n\n```\w+\n(.*?)```", TEXT, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("kind", list(SCHEMAS))
def test_the_tables_are_those_of_the_schema(kind: str) -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| \S.* \|$", section(kind), re.MULTILINE)
    assert tuple(rows) == SCHEMAS[kind]


def test_the_version_is_the_one_that_is_written() -> None:
    assert f"\n## Schema, version {SCHEMA_VERSION}\n" in TEXT
    assert f"`entries/{SCHEMA_VERSION}`" in TEXT


def test_two_engines_give_the_same_integers(books: Path) -> None:
    """The examples as they are printed, at the address of a folder."""
    with duckdb.connect() as db:
        sums = dict(db.execute(example("DuckDB").replace(ADDRESS, str(books))).fetchall())
    lines = example("Polars").replace(ADDRESS, str(books)).strip().splitlines()
    names: dict[str, pl.LazyFrame] = {}
    exec("\n".join(lines[:-1]), names)
    frame: pl.DataFrame = eval(lines[-1], names)
    first_h = 1_790_985_600 // 3600
    base_uj = sum(99_999_999_999_999_999 + node - 100 for node in range(2) for _ in range(48))
    want = {"": 9_600, "nlp": base_uj + 2 * sum(range(first_h, first_h + 48))}
    assert sums == want
    assert want["nlp"] > 2**63, "no 64-bit sum"
    assert dict(frame.iter_rows()) == want


def test_group_sums_agree_row_by_row(books: Path) -> None:
    """A statement's aggregation: several keys, several sums, over all kinds of files."""
    keys, sums = ("hostname", "component", "workload", "method"), ("energy_uj", "idle_uj", "held_ms")
    files = str(books / "entries" / "*" / "*" / "*-day-*.parquet")
    with duckdb.connect() as db:
        totals = ", ".join(f"sum({name}::HUGEINT)" for name in sums)
        duck = db.execute(
            f"SELECT {', '.join(keys)}, {totals} FROM read_parquet('{files}') GROUP BY ALL ORDER BY ALL"
        ).fetchall()
    lake = pl.scan_parquet(files).group_by(keys).agg(pl.col(name).cast(pl.Int128).sum() for name in sums)
    assert [*lake.sort(keys).collect().iter_rows()] == duck
    assert len(duck) == 4


@pytest.mark.parametrize("engine", ["DuckDB", "Polars", "Spark", "Trino", "BigQuery", "ClickHouse"])
def test_every_example_sums_in_more_than_64_bits(engine: str) -> None:
    assert re.search(r"HUGEINT|Int128|decimal\(38, 0\)|BIGNUMERIC|toInt128", example(engine))
