"""Tables that others publish and a bundle of another site: with their own provenance."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.grid.providers.filing import FRANCE, HOURS, provider, read, refusal, values
from tracker.core.factors import Basis, FactorRow, FactorType
from tracker.core.known import FactorRecord
from tracker.grid.bundle import encode_bundle
from tracker.grid.interface import (
    NoData,
)

EM = (
    "{0} (UTC),Country,Zone {1},Zone {2},Carbon {3} gCO₂eq/kWh (direct),Carbon {3} gCO₂eq/kWh ({4}),"
    "Low Carbon Percentage,Renewable Percentage,Data Source,Data {5},Data Estimation Method\n"
    "2026-01-01 00:00:00,France,France,FR,20.5,41.25,95.1,30.2,opendata.reseaux-energies.fr,{6},\n"
    "2026-01-01 01:00:00,France,France,FR,21.5,,95.1,30.2,x,{7},TIME_SLICER_AVERAGE\n"
)
EM_2023 = EM.format("Datetime", "Name", "Id", "Intensity", "LCA", "Estimated", "false", "true")
EM_2025 = EM.format("Datetime", "name", "id", "intensity", "Life cycle", "estimated", "False", "True")


@pytest.mark.parametrize("text", [EM_2023, EM_2025])
def test_the_portal_of_electricity_maps(tmp_path: Path, text: str) -> None:
    """Its header has changed over the years; direct values unless life-cycle ones are asked for."""
    rows = read(tmp_path, text, preset="em-portal")
    assert values(rows) == [(0, "20.5"), (60, "21.5")]
    assert [(row.quality_tier, row.origin.estimation_method) for row in rows] == [(1, ""), (2, "TIME_SLICER_AVERAGE")]
    first = rows[0]
    assert (first.publisher, first.licence, first.zone_system) == ("Electricity Maps", "ODbL 1.0", "electricitymaps")
    assert (first.factor_type, first.gases, first.basis) == (FactorType.DIRECT, "CO2e", Basis.CONSUMPTION)
    lifecycle, hole = read(tmp_path, text, preset="em-portal", factor_type="lifecycle")
    assert (lifecycle.value_printed, lifecycle.factor_type) == ("41.25", FactorType.LIFECYCLE)
    assert hole.value_printed == "", "an empty one is a hole"
    assert "no rows of the zone DE; it has: FR" in refusal(tmp_path, text, NoData, preset="em-portal", asked="DE")


OGE = (
    "datetime_utc,datetime_local,consumed_co2_rate_{0}_per_mwh_for_electricity,"
    "consumed_co2e_rate_{0}_per_mwh_for_electricity\n"
)


def test_open_grid_emissions_in_both_units(tmp_path: Path) -> None:
    row = "2026-01-01 00:00:00+00:00,2025-12-31 16:00:00-08:00,430.12,432.5\n"
    (pounds,) = read(tmp_path, OGE.format("lb") + row, asked="CAMX", zone="CAMX", preset="oge")
    assert (pounds.value_printed, pounds.unit_printed, pounds.gases) == ("432.5", "lb/MWh", "CO2e")
    assert (pounds.factor_type, pounds.zone, pounds.quality_tier) == (FactorType.DIRECT, "CAMX", 1)
    (kilograms,) = read(tmp_path, OGE.format("kg") + row, asked="CAMX", zone="CAMX", preset="oge", gases="CO2")
    assert (kilograms.value_printed, kilograms.unit_printed, kilograms.gases) == ("430.12", "kg/MWh", "CO2")


@pytest.mark.parametrize("separator", [" ", "T"])
def test_the_history_of_neso(tmp_path: Path, separator: str) -> None:
    text = (
        "DATETIME,GAS,GENERATION,CARBON_INTENSITY\n"
        f"2026-01-01{separator}00:00:00,8369,22000,378\n2026-01-01{separator}00:30:00,8000,22000,\n"
    )
    row, hole = read(tmp_path, text, asked="GB", preset="neso-history")
    assert (row.value_printed, row.valid_to_s - row.valid_from_s, row.gases) == ("378", 1800, "CO2")
    assert hole.value_printed == ""
    assert row.factor_id == "file:GB:neso:direct:2026-01-01T00:00:00Z:PT30M"
    assert not provider(tmp_path / "own.csv", preset="neso-history").covers(FRANCE)


def _bundle(*rows: FactorRow) -> bytes:
    return encode_bundle([FactorRecord(row, 1_767_300_000, number, None) for number, row in enumerate(rows)])


def test_a_bundle_of_another_site_keeps_its_provenance(tmp_path: Path) -> None:
    """A site without a network reads what another one measured: publisher, licence and service stay with it."""
    template = read(tmp_path, HOURS, tier=1)[0]
    origin = replace(template.origin, provider="rte", endpoint="https://odre.example/api")
    live = replace(template, factor_id="rte:FR:direct:x", publisher="RTE", origin=origin)
    profile = replace(live, factor_id="profile:FR", quality_tier=3)
    abroad = replace(live, factor_id="rte:DE", zone="DE")
    (row,) = read(tmp_path, _bundle(live, profile, abroad))
    assert (row.factor_id, row.publisher, row.value_printed) == ("file:rte:FR:direct:x", "RTE", "23.40")
    assert (row.origin.provider, row.origin.endpoint) == ("file", "https://odre.example/api")
    assert "checksum" in refusal(tmp_path, _bundle(live).replace(b"23.40", b"23.41"))
    other = replace(live, factor_id="b", value_printed="99")
    assert "wattledger grid import" in refusal(tmp_path, _bundle(live, other))
    assert "no bundle" in refusal(tmp_path, '{"data": []}')
