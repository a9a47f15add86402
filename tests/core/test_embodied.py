"""The making of hardware: two ledgers, by held time, with figures that a user may replace."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.thorough import thorough
from tracker.core.accounting import printed
from tracker.core.embodied import Device, acquisition_g, amortised_g, find_device, with_overrides

H = 3_600_000
TABLE = (Device("NVIDIA H100", Decimal(164), "GPU", ("H100",), "NVIDIA", "PCF"), Device("MI300X", None))


def test_the_example_of_the_standard() -> None:
    """1000 kg, four years, one hour, the whole host: 0.028539 kg."""
    assert str(printed(amortised_g(Decimal(1000), H, 4 * 8760) / 1000, 6)) == "0.028539"


def test_a_gpu_hour_of_an_h100() -> None:
    """164 kg over five years are 3.744 g an hour; with an eighth of a 2,500 kg host 10.88 g."""
    gpu = amortised_g(Decimal(164), H)
    assert str(printed(gpu, 3)) == "3.744"
    assert str(printed(gpu + amortised_g(Decimal(2500), H, share=Fraction(1, 8)), 2)) == "10.88"


def test_the_year_of_purchase_carries_all_of_it() -> None:
    assert acquisition_g(Decimal("284.25"), 8) == 2_274_000


def test_a_whole_life_amounts_to_the_whole() -> None:
    assert amortised_g(Decimal(164), 43_800 * H) == acquisition_g(Decimal(164), 1)


@thorough
@given(st.lists(st.integers(0, 10**10), max_size=30))
def test_held_time_adds_up(held_ms: list[int]) -> None:
    """Job by job or in one go, idle time included: a node foots."""
    assert sum(amortised_g(Decimal(164), part) for part in held_ms) == amortised_g(Decimal(164), sum(held_ms))


@pytest.mark.parametrize(("held_ms", "lifetime_h", "share"), [(-1, 1, 1), (1, 0, 1), (1, 1, 2), (1, 1, -1)])
def test_impossible_times_and_shares_are_refused(held_ms: int, lifetime_h: int, share: int) -> None:
    with pytest.raises(ValueError, match="lifetime must be positive"):
        amortised_g(Decimal(1), held_ms, lifetime_h, Fraction(share))


def test_a_users_own_figure_replaces_the_published_one_and_says_so() -> None:
    table = with_overrides(TABLE, {"h100": Decimal(200), "Node X": Decimal(3000)}, "vendor's PCF, 2026")
    h100, node = find_device(table, "NVIDIA H100"), find_device(table, "node x")
    assert h100 is not None
    assert node is not None
    assert (h100.kgco2e, h100.publisher, h100.source_ref, h100.unit) == (
        Decimal(200),
        "own figure",
        "vendor's PCF, 2026",
        "GPU",
    )
    assert (node.kgco2e, node.source_ref) == (Decimal(3000), "vendor's PCF, 2026")
    assert len(table) == 3


def test_devices_are_found_by_name_or_alias_and_nothing_else() -> None:
    assert find_device(TABLE, " h100 ") is TABLE[0]
    assert find_device(TABLE, "H10") is None
    assert find_device(TABLE, "") is None
