"""Market-based: volumes conserve in every hour, and nobody can claim more than was used."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.thorough import thorough
from tracker.core.instruments import Allocation, Instrument, Kind, Match, OverAllocated, allocate, market_based

KWH = 3_600_000_000_000
DAY = range(0, 86_400, 3600)
USED = dict.fromkeys(DAY, 10 * KWH)
GO = Instrument("go-1", Kind.CERTIFICATE, Decimal(0), 0, 86_400, volume_uj=120 * KWH)
PPA = Instrument("ppa", Kind.CONTRACT, Decimal(11), 0, 86_400, hourly_uj={0: 4 * KWH, 3600: 10 * KWH})
RATE = Instrument("utility", Kind.SUPPLIER, Decimal(300), 0, 86_400)
RESIDUAL = dict.fromkeys(DAY, Decimal("724.56"))


def covered(allocation: Allocation, key: str) -> dict[int, int]:
    return {cover.hour_s: cover.energy_uj for cover in allocation.covers if cover.instrument.key == key}


def test_without_instruments_everything_is_residual_mix() -> None:
    allocation = allocate(USED, [])
    assert allocation.uncovered_uj == USED
    assert market_based(allocation, RESIDUAL).emissions_g == Fraction("173894.4")  # 240 kWh x 724.56


def test_a_volume_is_spread_flat_and_marked_so() -> None:
    allocation = allocate(USED, [GO])
    assert covered(allocation, "go-1") == dict.fromkeys(DAY, 5 * KWH)
    assert {cover.match for cover in allocation.covers} == {Match.ANNUAL}
    assert market_based(allocation, RESIDUAL).emissions_g == Fraction("86947.2")


def test_hourly_volumes_stay_in_their_hours_and_go_first() -> None:
    allocation = allocate(USED, [GO, PPA])
    assert covered(allocation, "ppa") == {0: 4 * KWH, 3600: 10 * KWH}
    assert 3600 not in covered(allocation, "go-1"), "that hour is covered"
    assert sum(covered(allocation, "go-1").values()) == 120 * KWH
    assert {cover.match for cover in allocation.covers if cover.instrument is PPA} == {Match.HOURLY}


def test_a_suppliers_rate_takes_the_rest_and_no_more() -> None:
    allocation = allocate(USED, [RATE, GO])
    assert sum(covered(allocation, "utility").values()) == 120 * KWH
    assert set(allocation.uncovered_uj.values()) == {0}
    assert market_based(allocation, {}).emissions_g == 36_000


def test_an_instrument_covers_its_own_period_only() -> None:
    """A certificate of January does not make December green."""
    late = replace(GO, valid_from_s=43_200, volume_uj=120 * KWH)
    assert min(covered(allocate(USED, [late]), "go-1")) == 43_200


@pytest.mark.parametrize(
    "greedy",
    [
        replace(GO, volume_uj=240 * KWH + 1),
        replace(GO, volume_uj=50 * KWH, valid_to_s=5 * 3600 - 1, valid_from_s=3600),
        replace(PPA, hourly_uj={0: 10 * KWH + 1}),
        replace(PPA, hourly_uj={86_400: 1}, valid_to_s=90_000),  # an hour in which nothing was used
    ],
)
def test_more_than_was_used_is_refused(greedy: Instrument) -> None:
    with pytest.raises(OverAllocated, match=greedy.key):
        allocate(USED, [greedy])


def test_together_they_may_not_exceed_it_either() -> None:
    with pytest.raises(OverAllocated, match="go-2"):
        allocate(USED, [GO, replace(GO, key="go-2", volume_uj=120 * KWH + 1)])
    with pytest.raises(OverAllocated, match="ppa-2"):
        allocate(USED, [PPA, replace(PPA, key="ppa-2", hourly_uj={3600: 1})])
    with pytest.raises(OverAllocated, match="go-1"):
        allocate({}, [GO])


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (replace(GO, volume_uj=None), "state one volume"),
        (replace(PPA, volume_uj=1), "state one volume"),
        (replace(GO, volume_uj=-1), "negative"),
        (replace(GO, g_per_kwh=Decimal(-5)), "negative"),
        (replace(PPA, valid_to_s=3600), "outside its own period"),
        (replace(GO, valid_to_s=0), "outside its own period"),
    ],
)
def test_an_instrument_that_makes_no_sense_is_refused(wrong: Instrument, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        allocate(USED, [wrong])


def test_two_rates_of_a_supplier_for_the_same_hours_are_refused() -> None:
    allocate(USED, [replace(RATE, valid_to_s=43_200), replace(RATE, key="b", valid_from_s=43_200)])
    with pytest.raises(ValueError, match="same hours"):
        allocate(USED, [RATE, replace(RATE, key="b", valid_from_s=43_200)])


def test_p11_an_uncovered_hour_without_a_residual_mix_leaves_the_sum_unknown() -> None:
    """The Netherlands have no residual mix: what no contract covers is unknown, not 0."""
    result = market_based(allocate(USED, [GO]), dict.fromkeys(DAY))
    assert result.emissions_g is None
    assert result.unknown_uj == 120 * KWH
    full = replace(GO, volume_uj=240 * KWH)
    assert market_based(allocate(USED, [full]), {}).emissions_g == 0, "nothing is left to be unknown"


hours = st.integers(0, 23).map(lambda hour: hour * 3600)
volumes = st.integers(0, 10**14)


@st.composite
def instruments(draw: st.DrawFn) -> Instrument:
    start, end = sorted(draw(st.lists(st.integers(0, 24), min_size=2, max_size=2, unique=True)))
    base = Instrument("x", draw(st.sampled_from(Kind)), draw(st.decimals(0, 900, places=3)), start * 3600, end * 3600)
    if draw(st.booleans()):
        return replace(base, volume_uj=draw(volumes))
    inside = st.integers(start, end - 1).map(lambda hour: hour * 3600)
    return replace(base, hourly_uj=draw(st.dictionaries(inside, volumes, min_size=1, max_size=5)))


@thorough
@given(st.dictionaries(hours, volumes), st.lists(instruments(), max_size=5), st.booleans())
def test_volumes_conserve(used: dict[int, int], claims: list[Instrument], rate: bool) -> None:
    """In every hour: what instruments cover and what they leave is what was used. Every instrument gives all that it
    claims, in its own period, or the whole allocation is refused."""
    named = [replace(claim, key=f"i{n}") for n, claim in enumerate(claims)]
    try:
        allocation = allocate(used, [*named, *([RATE] if rate else [])])
    except OverAllocated:
        assert sum(claim.volume_uj or sum(claim.hourly_uj.values()) for claim in named) > 0
        return
    for hour, energy_uj in used.items():
        parts = [cover.energy_uj for cover in allocation.covers if cover.hour_s == hour]
        assert sum(parts) + allocation.uncovered_uj[hour] == energy_uj
        assert min([*parts, allocation.uncovered_uj[hour]]) >= 0
    assert allocation.uncovered_uj.keys() == used.keys()
    for claim in named:
        given_uj = covered(allocation, claim.key)
        assert sum(given_uj.values()) == (claim.volume_uj or sum(claim.hourly_uj.values()))
        assert all(claim.valid_from_s <= hour < claim.valid_to_s for hour in given_uj)
    if rate:
        assert set(allocation.uncovered_uj.values()) <= {0}
