"""What is upstream is the difference of two factors of one place and one year, or it is not known."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.test_factors import at, row
from tracker.core.factors import Basis, FactorRow, FactorType, Scheme
from tracker.core.pairing import Pair, choose_pair, pair_step

TIERS = (4, 5)
NOVEMBER = at("2026-11-10")


def direct(value: str, year: int, **other: object) -> FactorRow:
    return row(f"direct{year}", "FR", value, year, **{"data_year": str(year), **other})


def lifecycle(value: str, year: int, **other: object) -> FactorRow:
    told: dict[str, object] = {"data_year": str(year), "quality_tier": 5, "factor_type": FactorType.LIFECYCLE, **other}
    return row(f"lifecycle{year}", "FR", value, year, **told)


def values(pair: Pair | None) -> tuple[str, str]:
    assert pair is not None
    return pair[0].value_printed, pair[1].value_printed


def test_both_are_of_one_year_although_a_newer_life_cycle_value_is_known() -> None:
    """France: 56.04 (2023) less 50 (2023) is 6.04; less the 41.2 of 2025 it would be nothing."""
    rows = [direct("50", 2023), lifecycle("41.2", 2025), lifecycle("56.04", 2023)]
    pair = choose_pair(rows, "FR", NOVEMBER, TIERS)
    assert values(pair) == ("50", "56.04")
    assert pair is not None
    assert pair_step(pair) == ""


def test_an_older_direct_value_is_taken_where_the_newest_one_has_no_partner() -> None:
    """Britain: DESNZ fell by a quarter from 2025 to 2026, and the life-cycle value is of 2023."""
    rows = [
        *(
            direct(value, year, data_year="unspecified")
            for year, value in ((2024, "204"), (2025, "177"), (2026, "131"))
        ),
        lifecycle("237.59", 2023),
    ]
    pair = choose_pair(rows, "FR", NOVEMBER, TIERS)
    assert values(pair) == ("204", "237.59")
    assert pair is not None
    years = "The life-cycle factor is of 2023, the direct one of Edition 2024"
    assert pair_step(pair) == f"{years}: some of their difference is that of the years."


def test_of_two_pairs_the_one_of_the_time_that_is_asked_for() -> None:
    rows = [kind(value, year) for year in (2023, 2024) for kind, value in ((direct, "50"), (lifecycle, f"{year}"))]
    assert values(choose_pair(rows, "FR", at("2023-05-01"), TIERS))[1] == "2023"
    assert values(choose_pair(rows, "FR", NOVEMBER, TIERS))[1] == "2024"


@pytest.mark.parametrize(
    "partner",
    [
        lifecycle("548.7", 2023),
        replace(lifecycle("60", 2025), zone="DE"),
        lifecycle("60", 2025, quality_tier=6),
        lifecycle("60", 2025, basis=Basis.RESIDUAL),
        lifecycle("60", 2025, scheme=Scheme.BUILD_MARGIN),
        lifecycle("", 2025),
        lifecycle("60", 2025, valid_from_s=0, valid_to_s=0),
        direct("60", 2025),
    ],
    ids=["years apart", "elsewhere", "a tier that is not used", "residual", "margin", "no value", "undated", "direct"],
)
def test_what_is_no_pair_is_not_known(partner: FactorRow) -> None:
    assert choose_pair([direct("50", 2025), partner], "FR", NOVEMBER, TIERS) is None


@given(
    st.lists(st.integers(2015, 2026), max_size=6, unique=True),
    st.lists(st.integers(2015, 2026), max_size=6, unique=True),
)
def test_no_two_are_nearer_to_each_other_than_those_that_are_taken(directs: list[int], lifecycles: list[int]) -> None:
    rows = [*(direct("50", year) for year in directs), *(lifecycle("60", year) for year in lifecycles)]
    pair = choose_pair(rows, "FR", NOVEMBER, TIERS)
    apart = [abs(one - other) for one in directs for other in lifecycles]
    if pair is None:
        assert min(apart, default=2) > 1
    else:
        assert abs(int(pair[0].data_year) - int(pair[1].data_year)) == min(apart) <= 1
        assert (pair_step(pair) == "") == (min(apart) == 0)
