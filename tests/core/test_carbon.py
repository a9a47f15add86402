"""Grams must follow from joules exactly: what a booking every ten seconds cuts off must not be lost over a month."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.thorough import thorough
from tracker.core.carbon import emissions_ug, energies, weigh
from tracker.core.model import EmissionEntry, Entry, Factor, Kind, Method, Workload

KWH_UJ = 3_600_000_000_000
ONE = Workload("pod/1", Kind.POD, "one")
TWO = Workload("pod/2", Kind.POD, "two")
FRANCE = Factor("codecarbon-3.3.2:FRA:2023", "FR", 56_039, "lifecycle", "location", 5, "tables", "", 0, 0)
UNKNOWN = Factor("codecarbon-3.3.2:AND:none", "AD", None, "lifecycle", "location", 5, "tables", "", 0, 0)


def entry(workload: Workload, energy_uj: int, slot_start_s: int = 0, device: str = "GPU-1") -> Entry:
    return Entry(slot_start_s, device, workload, Method.MEASURED, energy_uj, 0, 0)


@pytest.mark.parametrize(
    ("energy_uj", "intensity_mg_per_kwh", "pue_permille", "expected_ug"),
    [
        (KWH_UJ, 475_000, 1000, 475_000_000),  # 1 kWh at 475 g/kWh is 475 g
        (KWH_UJ, 56_039, 1210, 67_807_190),  # and with a PUE of 1.21: 67.80719 g
        (1_000_000, 475_000, 1000, 131),  # one joule: 131.9 µg
        (0, 475_000, 1000, 0),
        (2 * KWH_UJ * 10**6, 1_306_025, 1560, 4_074_798_000_000_000),  # 2 GWh, 4,074.798 t: no float on the way
    ],
)
def test_known_weights(energy_uj: int, intensity_mg_per_kwh: int, pue_permille: int, expected_ug: int) -> None:
    assert emissions_ug(energy_uj, intensity_mg_per_kwh, pue_permille)[0] == expected_ug


@thorough
@given(
    parts=st.lists(st.integers(0, 10**14), max_size=40),
    intensity=st.integers(1, 2_000_000),
    pue=st.integers(1000, 3000),
)
def test_the_sum_of_the_parts_is_the_value_of_the_sum(parts: list[int], intensity: int, pue: int) -> None:
    """A month of small bookings weighs what the month weighs, to the microgram."""
    total, remainder = 0, 0
    for energy_uj in parts:
        weight_ug, remainder = emissions_ug(energy_uj, intensity, pue, remainder)
        assert weight_ug is not None
        assert 0 <= remainder < KWH_UJ
        total += weight_ug
    assert emissions_ug(sum(parts), intensity, pue) == (total, remainder)
    assert total + Fraction(remainder, KWH_UJ) == Fraction(sum(parts) * intensity * pue, KWH_UJ)


def test_the_remainder_survives_a_change_of_factor_and_pue() -> None:
    """Half a microgram at one factor and half at another make one."""
    first = emissions_ug(KWH_UJ // 2, 1, 1, 0)
    assert first == (0, KWH_UJ // 2)
    assert emissions_ug(KWH_UJ // 4, 2, 1, first[1]) == (1, 0)


def test_p11_no_factor_is_none_and_never_zero() -> None:
    """A zone without a value must not look green."""
    assert emissions_ug(KWH_UJ, None, 1000, 17) == (None, 17)


@pytest.mark.parametrize("arguments", [(-1, 1, 1, 0), (1, -1, 1, 0), (1, 1, -1, 0), (1, 1, 1, -1)])
def test_negative_arguments_are_refused(arguments: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        emissions_ug(*arguments)


def test_energies_add_devices_and_keep_slots_and_workloads_apart() -> None:
    entries = [entry(ONE, KWH_UJ), entry(ONE, KWH_UJ, device="demo-package-0"), entry(ONE, KWH_UJ, 300), entry(TWO, 1)]
    assert energies(entries) == {0: {ONE: 2 * KWH_UJ, TWO: 1}, 300: {ONE: KWH_UJ}}


def test_weigh_gives_a_row_for_each_workload_and_carries_what_is_left() -> None:
    remainders: dict[Workload, int] = {}
    assert weigh(300, {ONE: 2 * KWH_UJ, TWO: 1}, FRANCE, 2000, remainders) == (
        EmissionEntry(300, ONE, "location", "codecarbon-3.3.2:FRA:2023", 2000, 224_156_000),
        EmissionEntry(300, TWO, "location", "codecarbon-3.3.2:FRA:2023", 2000, 0),
    )
    assert remainders == {ONE: 0, TWO: 112_078_000}


def test_weigh_late_says_whose_energy_it_was() -> None:
    """Closed slots never change: the grams are in the open one, and can be followed back."""
    (row,) = weigh(900, {ONE: KWH_UJ}, FRANCE, 1000, {}, late_of_s=300)
    assert (row.slot_start_s, row.late_of_s, row.energy_uj, row.emissions_ug) == (900, 300, KWH_UJ, 56_039_000)


def test_weigh_without_a_value_books_nothing_and_keeps_the_remainders() -> None:
    """Absent rows say "unknown"; a row of zero would say "clean"."""
    remainders = {ONE: 5}
    assert weigh(0, {ONE: KWH_UJ}, UNKNOWN, 1000, remainders) == ()
    assert remainders == {ONE: 5}


@thorough
@given(st.lists(st.tuples(st.sampled_from([ONE, TWO]), st.integers(0, 10**9)), max_size=60))
def test_weighing_booking_by_booking_loses_nothing(bookings: list[tuple[Workload, int]]) -> None:
    totals = {ONE: 0, TWO: 0}
    remainders: dict[Workload, int] = {}
    for number, (workload, energy_uj) in enumerate(bookings):
        for row in weigh(300 * number, {workload: energy_uj}, FRANCE, 1560, remainders):
            totals[row.workload] += row.emissions_ug
    for workload, total_ug in totals.items():
        energy_uj = sum(energy for owner, energy in bookings if owner == workload)
        assert total_ug == emissions_ug(energy_uj, 56_039, 1560)[0]
