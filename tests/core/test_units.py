"""Conversions are exact integers: an operator who multiplies watts by seconds finds the ledger's joules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.thorough import thorough
from tracker.core import units
from tracker.core.units import energy_of, power_of


@pytest.mark.parametrize(
    ("power_mw", "duration_ns", "energy_uj"),
    [
        (700_000, 1_000_000_000, 700_000_000),  # 700 W for a second: 700 J
        (1, 1_000_000, 1),  # 1 mW for a millisecond: 1 µJ
        (1, 999_999, 0),  # less than 1 µJ rounds down
        (3, 1_500_000, 4),
        (0, 10**18, 0),
        (1_000_000, 3_600_000_000_000, 3_600_000_000_000),  # 1 kW for an hour: 1 kWh
        (-3, 1_500_000, -5),  # rounds down, not towards zero
    ],
)
def test_energy_of_a_constant_power(power_mw: int, duration_ns: int, energy_uj: int) -> None:
    assert energy_of(power_mw, duration_ns) == energy_uj


@pytest.mark.parametrize(
    ("energy_uj", "duration_ns", "power_mw"),
    [(700_000_000, 1_000_000_000, 700_000), (5, 3_000_000, 1), (0, 1, 0), (1, 1, 1_000_000)],
)
def test_mean_power_of_an_energy(energy_uj: int, duration_ns: int, power_mw: int) -> None:
    assert power_of(energy_uj, duration_ns) == power_mw


def test_mean_power_over_no_time_is_refused() -> None:
    """It has no answer, and 0 would be a lie."""
    with pytest.raises(ZeroDivisionError):
        power_of(1, 0)


def test_constants_agree_with_one_another() -> None:
    assert units.UJ_PER_KWH == 1000 * 3600 * units.UJ_PER_J
    assert units.SLOT_NS == 300 * units.NS_PER_S
    assert units.SLOT_MS == 300 * units.MS_PER_S
    assert units.NS_PER_S == units.NS_PER_MS * units.MS_PER_S == units.NS_PER_US * units.US_PER_S
    assert units.UJ_PER_J == units.UJ_PER_MJ * 1000
    assert units.MW_PER_W == 1000
    assert units.UG_PER_G == 1_000_000


@thorough
@given(st.integers(0, 10**7), st.integers(1, 10**18))
def test_energy_and_power_are_inverse_within_one_unit(power_mw: int, duration_ns: int) -> None:
    """Power to energy and back loses at most what one µJ is worth over that time."""
    energy_uj = energy_of(power_mw, duration_ns)
    assert 0 <= power_mw - power_of(energy_uj, duration_ns) <= 1 + 1_000_000 // duration_ns
    assert 0 <= power_mw * duration_ns - energy_uj * 1_000_000 < 1_000_000
