"""Rates as integers: rounded once, exact from there on, and checked against published numbers."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.core.accounting import LossForm, emissions_g, facility_uj
from tracker.core.embodied import amortised_g
from tracker.core.factors import Basis, FactorRow, FactorType, Scheme
from tracker.core.weights import (
    CLAMPED,
    EMBODIED_G,
    LOSS_INCLUDED,
    LOSS_NOT_STATED,
    NO_DIRECT,
    NO_LIFECYCLE,
    NO_LOSS,
    G,
    Loss,
    UpstreamRate,
    fg_per_ms,
    ng_per_kwh,
    upstream_rate,
)

DIRECT = FactorRow(
    factor_id="a:FR",
    zone="FR",
    zone_printed="FR",
    zone_system="iso2",
    value_printed="195.037",
    unit_printed="g/kWh",
    gases="CO2e",
    factor_type=FactorType.DIRECT,
    basis=Basis.PRODUCTION,
    scheme=Scheme.AVERAGE,
    quality_tier=4,
    valid_from_s=0,
    valid_to_s=1,
    edition="A",
    data_year="2025",
    publisher="A",
    source_ref="A",
    licence="none",
    includes_td=False,
)
LIFECYCLE = replace(DIRECT, factor_id="b:FR", value_printed="230.037", factor_type=FactorType.LIFECYCLE)


def test_a_kilowatt_hour_at_a_known_intensity() -> None:
    """1 kWh of IT at PUE 1.21 and 44 g/kWh is 53.24 g."""
    assert Fraction(3_600_000_000_000 * 1210 * ng_per_kwh(Decimal(44)), G) == Fraction("53.24")


def test_llama_2_by_its_papers_method() -> None:
    """184,320 GPU-hours at 400 W, PUE 1.1 and 0.385 kg/kWh: 31.2238 t (arXiv:2307.09288, table 2)."""
    it_uj = 184_320 * 400 * 3600 * 10**6
    grams = Fraction(it_uj * 1100 * ng_per_kwh(Decimal(385)), G)
    assert round(grams / 10**6, 4) == Fraction("31.2238")


def test_a_rate_is_rounded_half_to_even_once() -> None:
    assert ng_per_kwh(Decimal("0.0000000005")) == 0
    assert ng_per_kwh(Decimal("0.0000000015")) == 2
    assert ng_per_kwh(Fraction(1, 3)) == 333_333_333
    with pytest.raises(ValueError, match="never negative"):
        ng_per_kwh(Decimal(-1))


@given(st.integers(0, 10**18), st.integers(1000, 4000), st.decimals(0, 2000, places=6))
def test_sums_agree_with_the_formula_in_fractions(energy_uj: int, pue: int, value: Decimal) -> None:
    """Up to the one rounding of facility energy to a microjoule, which only the formula does."""
    exact = Fraction(energy_uj * pue * ng_per_kwh(value), G)
    assert abs(exact - emissions_g(facility_uj(energy_uj, pue), value)) <= Fraction(2000, 3_600_000_000_000)


@given(st.decimals(0, 10_000, places=2), st.integers(1, 100_000), st.integers(0, 10**12), st.integers(1, 8))
def test_the_making_of_a_device_agrees_with_its_formula(
    kgco2e: Decimal, lifetime_h: int, held_ms: int, parts: int
) -> None:
    printed = Fraction(held_ms * fg_per_ms(kgco2e, lifetime_h, parts), EMBODIED_G)
    assert abs(printed - amortised_g(kgco2e, held_ms, lifetime_h) / parts) <= Fraction(held_ms, 2 * EMBODIED_G)


def test_an_h100_hour() -> None:
    """164 kg over 43,800 h is 3.744 g."""
    assert round(Fraction(3_600_000 * fg_per_ms(Decimal(164), 43_800), EMBODIED_G), 3) == Fraction("3.744")


def rate(
    located: FactorRow = DIRECT, lifecycle: FactorRow | None = LIFECYCLE, loss: Loss | None = None
) -> UpstreamRate:
    return upstream_rate((located,), () if lifecycle is None else ((DIRECT, lifecycle),), loss)


def test_upstream_is_the_difference_and_says_that_no_losses_are_in_it() -> None:
    assert rate() == UpstreamRate(35 * 10**9, (NO_LOSS,))


def test_a_life_cycle_value_below_the_direct_one_is_no_credit() -> None:
    assert rate(lifecycle=replace(LIFECYCLE, value_printed="100")) == UpstreamRate(0, (CLAMPED, NO_LOSS))


def test_what_is_not_known_is_not_nothing() -> None:
    assert rate(lifecycle=None) == UpstreamRate(None, (NO_LIFECYCLE,))
    assert rate(lifecycle=replace(LIFECYCLE, value_printed="")) == UpstreamRate(None, (NO_LIFECYCLE,))
    assert rate(replace(DIRECT, factor_type=FactorType.UNSPECIFIED)) == UpstreamRate(None, (NO_DIRECT,))
    assert rate(replace(DIRECT, value_printed="")) == UpstreamRate(None, (NO_DIRECT,))
    assert upstream_rate((), ((DIRECT, LIFECYCLE),), None) == UpstreamRate(None, (NO_DIRECT,))


def test_grid_losses_by_their_two_forms() -> None:
    """CAMX, 4.1 % of generation: 8.338 g/kWh; of what is delivered: 7.997 g/kWh."""
    generated = rate(loss=Loss(Decimal("0.041"), LossForm.OF_GENERATED))
    delivered = rate(loss=Loss(Decimal("0.041"), LossForm.OF_DELIVERED))
    assert [round((each.ng_per_kwh or 0) / 1e9 - 35, 3) for each in (generated, delivered)] == [8.338, 7.997]
    assert generated.flags == ()


def test_losses_are_of_the_factor_in_use_and_supply_is_of_the_pair() -> None:
    """A subregion of 195.037 g/kWh in a country of 349.67: its losses are its own, 8.338 and not 14.949 g/kWh."""
    national, whole = replace(DIRECT, value_printed="349.67"), replace(LIFECYCLE, value_printed="369.47")
    found = upstream_rate((DIRECT,), ((national, whole),), Loss(Decimal("0.041"), LossForm.OF_GENERATED))
    assert round((found.ng_per_kwh or 0) / 1e9, 3) == round(19.8 + 8.338, 3)


def test_losses_are_never_added_twice_or_on_a_guess() -> None:
    loss = Loss(Decimal("0.041"), LossForm.OF_DELIVERED)
    assert rate(replace(DIRECT, includes_td=True), loss=loss) == UpstreamRate(35 * 10**9, (LOSS_INCLUDED,))
    assert rate(replace(DIRECT, includes_td=None), loss=loss) == UpstreamRate(35 * 10**9, (LOSS_NOT_STATED,))


def test_the_parts_of_an_hour_count_alike() -> None:
    """Half of it at 100 g/kWh, half at 300: 10 % of losses are 20 g/kWh; supply is 10 and 30."""
    low, high = replace(DIRECT, value_printed="100"), replace(DIRECT, value_printed="300")
    pairs = tuple((one, replace(LIFECYCLE, value_printed=whole)) for one, whole in ((low, "110"), (high, "330")))
    loss = Loss(Decimal("0.1"), LossForm.OF_DELIVERED)
    assert upstream_rate((low, high), pairs, loss) == UpstreamRate(40 * 10**9)
    assert upstream_rate((low, replace(high, includes_td=True)), pairs, loss) == UpstreamRate(
        25 * 10**9, (LOSS_INCLUDED,)
    )
