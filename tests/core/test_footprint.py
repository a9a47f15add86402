"""An estimate: both methods side by side, hardware apart, and a reason wherever there is no number."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from tracker.core.embodied import Device
from tracker.core.factors import Basis, Choice, FactorRow, FactorType, NoFactor, Scheme
from tracker.core.footprint import LOCATION_STANDS_IN, NO_MARKET, Footprint, Hardware, energy_of_hours, footprint

KWH = 3_600_000_000_000
ROW = FactorRow(
    factor_id="egrid2023r2:CAMX",
    zone="CAMX",
    zone_printed="CAMX",
    zone_system="egrid",
    value_printed="429.983",
    unit_printed="lb/MWh",
    gases="CO2e",
    factor_type=FactorType.DIRECT,
    basis=Basis.PRODUCTION,
    scheme=Scheme.AVERAGE,
    quality_tier=4,
    valid_from_s=0,
    valid_to_s=1,
    edition="eGRID2023 rev2",
    data_year="2023",
    publisher="US EPA",
    source_ref="SRC2ERTA",
    licence="public domain",
)
CAMX = Choice("CAMX", ROW, (), ("It describes 2023.",))
RESIDUAL = Choice("CAMX", replace(ROW, value_printed="434.2188489", basis=Basis.RESIDUAL))
H100 = Device("H100", Decimal(164), "GPU")
NONE = NoFactor("no table has a value for it")
H_MS = 3_600_000


def of(location: Choice | NoFactor | Decimal, market: Choice | NoFactor | Decimal, **hardware: Hardware) -> Footprint:
    return footprint(10 * KWH, 1200, location, market, **hardware)


def test_energy_is_exact() -> None:
    assert energy_of_hours(Decimal(1_082_990), Decimal(400)) == 433_196 * KWH
    assert energy_of_hours(Decimal("0.001"), Decimal("0.1")) == 360_000


def test_both_methods_from_tables_with_their_notes() -> None:
    result = of(CAMX, RESIDUAL)
    assert result.energy_facility_uj == 12 * KWH
    assert result.location.emissions_g == 12 * Fraction("195.03700802971")
    assert result.location.note == "It describes 2023."
    assert result.market.emissions_g == 12 * Fraction("196.958356771222893")
    assert (result.location.choice, result.market.choice) == (CAMX, RESIDUAL)


def test_stated_rates() -> None:
    result = of(Decimal(57), Decimal(0))
    assert (result.location.emissions_g, result.market.emissions_g) == (Fraction(684), Fraction(0))
    assert result.market.note == ""


def test_without_a_residual_mix_the_location_stands_in_and_says_so() -> None:
    result = of(CAMX, NONE)
    assert result.market.emissions_g == result.location.emissions_g
    assert result.market.note == LOCATION_STANDS_IN


def test_where_there_is_none_by_rule_nothing_stands_in() -> None:
    """Full disclosure: the supplier's own rate is the only answer."""
    result = of(CAMX, NoFactor("no residual mix: full disclosure", by_rule=True))
    assert result.market.emissions_g is None
    assert result.market.note.startswith("No residual mix: full disclosure. State your supplier's rate")


def test_p11_no_factor_is_unknown_with_the_reason() -> None:
    result = of(NONE, NONE)
    assert (result.location.emissions_g, result.market.emissions_g) == (None, None)
    assert result.location.note == "No table has a value for it."
    assert result.market.note == NO_MARKET


def test_a_stated_location_says_nothing_about_a_contract() -> None:
    result = of(Decimal(385), NONE)
    assert (result.market.emissions_g, result.market.note) == (None, NO_MARKET)


def test_hardware_by_held_time_and_in_the_year_of_purchase() -> None:
    result = of(CAMX, RESIDUAL, hardware=Hardware(H100, 8 * 730 * H_MS, 8))
    assert result.embodied.emissions_g == Fraction(164_000 * 8 * 730, 43_800)
    assert result.acquisition.emissions_g == 1_312_000
    assert result.embodied.note == ""


def test_hardware_without_its_numbers_says_which_one_is_missing() -> None:
    assert of(CAMX, RESIDUAL).embodied.note == "No device was named. Name it with --device."
    no_hours = of(CAMX, RESIDUAL, hardware=Hardware(H100, None))
    assert (no_hours.embodied.emissions_g, "--device-hours" in no_hours.embodied.note) == (None, True)
    assert (no_hours.acquisition.emissions_g, "--devices" in no_hours.acquisition.note) == (None, True)
    no_figure = of(CAMX, RESIDUAL, hardware=Hardware(Device("MI300X", None, note="Nobody says."), H_MS, 1))
    assert no_figure.embodied == no_figure.acquisition
    assert no_figure.embodied.note == "There is no figure for MI300X. Nobody says."


def test_devices_that_outlive_their_life_are_noticed() -> None:
    worn = of(CAMX, RESIDUAL, hardware=Hardware(H100, 43_801 * H_MS, 1))
    assert worn.embodied.emissions_g is not None
    assert worn.embodied.note == "The devices were held longer than they live (43800 h x 1): is the lifetime right?"
