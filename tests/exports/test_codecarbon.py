"""CodeCarbon's own readers must find what they look for."""

from __future__ import annotations

import ast
import importlib.util
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from tests.exports.kit import rendered, table_of
from tests.fakes.statements import EMPTY, FULL, STATEMENT, amounts, line
from tracker.core.statement import SiteUse
from tracker.exports.codecarbon import HEADER

LINES = table_of(rendered("codecarbon", STATEMENT))


def test_the_header_is_the_one_that_codecarbon_writes() -> None:
    """The fields of its EmissionsData, in its order; read as text because importing it takes seconds."""
    spec = importlib.util.find_spec("codecarbon")
    assert spec is not None
    assert spec.origin is not None
    source = (Path(spec.origin).parent / "output_methods" / "emissions_data.py").read_text(encoding="utf-8")
    (data,) = [
        node for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name == "EmissionsData"
    ]
    targets = [each.target for each in data.body if isinstance(each, ast.AnnAssign)]
    fields = [target.id for target in targets if isinstance(target, ast.Name)]
    assert list(HEADER) == fields


def test_a_gpu_row_is_energy_of_gpus() -> None:
    (row,) = [each for each in LINES if each["project_name"] == "sim"]
    assert (row["gpu_energy"], row["cpu_energy"], row["ram_energy"]) == ("138000.008", "0.000", "0.000")
    assert (row["energy_consumed"], row["emissions"], row["pue"]) == ("138000.008", "36984.002", "1.150")
    assert (row["duration"], row["timestamp"]) == ("2682000", "2026-10-31T23:00:00")
    assert row["gpu_power"] == "185234.910"  # 138,000.008 kWh over 745 h
    assert row["emissions_rate"] == "0.013789710"
    assert row["on_cloud"] == "Y"


def test_countries_have_three_letters_as_there_and_are_those_of_the_site() -> None:
    """Without the grid zone among the columns of the rows."""
    lines = table_of(rendered("codecarbon", FULL))
    of_site = {each["region"]: each["country_iso_code"] for each in lines[: len(FULL.rows)]}
    assert of_site == {"par1": "FRA", "fra1": "DEU", "use1": "", "nowhere": ""}


@pytest.mark.parametrize("key", [{"site": "phx", "grid_zone": "US-AZNM"}, {"site": "phx"}])
def test_a_zone_below_a_country_is_the_region(key: dict[str, str]) -> None:
    site = SiteUse("phx", "US-AZNM", False, "owned", 1210, "", False, 745, 1_000, "USA")
    row = line(tuple(key.values()), amounts(1_000))
    (each,) = table_of(
        rendered("codecarbon", replace(EMPTY, group_by=tuple(key), rows=(row,), total=row, sites=(site,)))
    )
    assert (each["country_iso_code"], each["region"]) == ("USA", "US-AZNM")


def test_a_row_of_two_countries_is_of_none() -> None:
    row = line(("nlp",), amounts(1_000))
    (each,) = table_of(
        rendered("codecarbon", replace(FULL, group_by=("team",), rows=(row,), total=row, corrections=()))
    )
    assert (each["country_iso_code"], each["region"]) == ("", "")


def test_what_is_not_known_is_empty() -> None:
    (row,) = [each for each in LINES if each["project_name"] == "field-trial"]
    assert (row["emissions"], row["emissions_rate"], row["water_consumed"], row["os"]) == ("", "", "", "")


def test_energies_add_up_and_the_statement_is_named() -> None:
    rows = LINES[: len(STATEMENT.rows)]
    assert sum(Decimal(each["energy_consumed"]) for each in rows) == Decimal("2399777.877")
    assert all(each["experiment_id"].startswith("2026-10-draft-5f1d0c3a9b7e2468 sha256:") for each in LINES)
    assert len({each["run_id"] for each in LINES}) == len(LINES)
