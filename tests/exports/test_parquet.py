"""Parquet for warehouses: exact decimals, NULL for what is not known, provenance in the file itself."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.exports.kit import rendered
from tests.fakes.statements import NASTY_LABELS, STATEMENT
from tracker.exports.columns import ADDITIVE
from tracker.exports.table import digest


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("parquet") / "month.parquet"
    made.write_bytes(rendered("parquet", STATEMENT))
    return made


def ask(path: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(":memory:") as base:
        return base.execute(query.replace("FILE", f"'{path}'")).fetchall()


def test_quantities_are_decimals_and_not_doubles(path: Path) -> None:
    types = {name: kind for name, kind, *_ in ask(path, "DESCRIBE SELECT * FROM FILE")}
    assert types["energy_it_kwh"] == types["location_kgco2e"] == "DECIMAL(38,3)"
    assert (types["cost"], types["coverage_ratio"]) == ("DECIMAL(38,2)", "DECIMAL(38,6)")
    assert (types["team"], types["is_correction"]) == ("VARCHAR", "BOOLEAN")


@pytest.mark.parametrize("column", ADDITIVE)
def test_every_total_is_the_sum_of_its_rows(path: Path, column: str) -> None:
    ((summed, total),) = ask(
        path,
        f"SELECT sum({column}) FILTER (row_kind = 'row'), sum({column}) FILTER (row_kind = 'total') FROM FILE",
    )
    assert summed == total
    assert isinstance(total, Decimal)


def test_labels_are_what_they_are(path: Path) -> None:
    """No spreadsheet opens this, so nothing is put before them."""
    teams = {team for (team,) in ask(path, "SELECT team FROM FILE WHERE project = 'labels'")}
    assert teams == {*NASTY_LABELS, "-2+3"}


def test_what_is_not_known_is_null(path: Path) -> None:
    ((location, cost),) = ask(path, "SELECT location_kgco2e, cost FROM FILE WHERE project = 'field-trial'")
    assert location is None
    assert cost is None


def test_the_file_carries_method_factors_licences_and_the_digest(path: Path) -> None:
    metadata = dict(ask(path, "SELECT key, value FROM parquet_kv_metadata(FILE)"))
    head = json.loads(metadata[b"wattledger"])
    assert head["software"] == "wattledger 0.1.0"
    assert head["factors"][0]["licence"] == "dl-de/by-2-0"
    assert head["method"][3]["text"].startswith("=Memory of par1")
    assert metadata[b"statement_sha256"].decode() == digest(STATEMENT)
