"""Which value weighs an hour: the best tier that has one, whose, and never a silent step down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.test_factors import row
from tests.core.thorough import thorough
from tracker.core.chain import choose_hourly, may_be_used
from tracker.core.factors import (
    Basis,
    Choice,
    FactorRow,
    FactorType,
    NoFactor,
    Origin,
    Scheme,
    Step,
    choose_location,
)

HOUR = 3600
T = 1_790_000_000 // HOUR * HOUR  # 2026-09-21T12:00:00Z
FR = (Step("FR"),)
TIERS = (1, 2, 3, 4, 5)
OFFICIAL = row("fr2024", "FR", "21.7", 2024, data_year="2024")
GENERIC = row("ember", "FR", "44.1", 2025, quality_tier=5, factor_type=FactorType.LIFECYCLE, data_year="2025")


def live(
    provider: str, value: str, tier: int = 1, start_s: int = T, length_s: int = HOUR, **other: object
) -> FactorRow:
    kind = str(other.get("factor_type", FactorType.DIRECT))
    found = row(
        f"{provider}:FR:{kind}:{start_s}",
        "FR",
        value,
        2026,
        quality_tier=tier,
        valid_from_s=start_s,
        valid_to_s=start_s + length_s,
        origin=Origin(provider),
    )
    return replace(found, **other)  # type: ignore[arg-type] # names of fields, checked by replace itself


def chosen(
    rows: Sequence[FactorRow],
    at_s: int = T,
    *,
    tiers: Sequence[int] = TIERS,
    chain: Sequence[str] = ("a", "b"),
    path: Sequence[Step] = FR,
    yearly: Sequence[FactorRow] = (OFFICIAL, GENERIC),
    patience_s: int = 0,
) -> Choice | NoFactor:
    annual = choose_location(yearly, path, at_s, [tier for tier in tiers if tier > 3])
    return choose_hourly(rows, annual, path, at_s, tiers, chain, patience_s)


def said(answer: Choice | NoFactor) -> tuple[str, int, tuple[str, ...]]:
    assert isinstance(answer, Choice)
    return answer.row.value_printed, answer.row.quality_tier, answer.steps


def test_a_measured_value_of_the_first_provider_is_no_step_down() -> None:
    assert said(chosen([live("a", "30"), live("b", "31")])) == ("30", 1, ())


def test_a_better_tier_of_a_later_provider_goes_before_a_worse_one_of_the_first() -> None:
    assert said(chosen([live("a", "30", 2), live("b", "31", 1)])) == (
        "31",
        1,
        ("a has no measured value of this time: that of b stands in.",),
    )


def test_an_estimate_says_that_nothing_was_measured() -> None:
    step = "There is no measured value of this time: an estimated one stands in."
    assert said(chosen([live("a", "30", 2)])) == ("30", 2, (step,))
    assert said(chosen([live("a", "30", 2)], tiers=(2, 4))) == ("30", 2, ()), "nobody asked for a measured one"


def test_a_profile_says_that_no_service_has_a_value() -> None:
    shape = "There is no measured value and no estimate of this time: the yearly factor in the shape of a usual day"
    assert said(chosen([live("a", "30", 3)])) == ("30", 3, (f"{shape} stands in.",))


def test_without_a_value_of_the_hour_the_yearly_factor_says_so() -> None:
    before = live("a", "30", start_s=T - HOUR)
    step = "No service has a value of this time: the official yearly factor stands in."
    assert said(chosen([before])) == ("21.7", 4, (step,))
    value, tier, steps = said(chosen([before], yearly=(GENERIC,)))
    assert (value, tier) == ("44.1", 5)
    assert steps[0] == "No service has a value of this time: the yearly average stands in."
    assert "life-cycle" in steps[-1]


def test_the_hour_ends_where_the_next_one_begins() -> None:
    rows = [live("a", "30"), live("a", "40", start_s=T + HOUR)]
    assert [said(chosen(rows, at_s))[0] for at_s in (T - 1, T, T + HOUR - 1, T + HOUR)] == ["21.7", "30", "30", "40"]


def test_a_hole_is_not_bridged() -> None:
    """Between 30 and 50 g nothing was read: 40 g would be invented."""
    rows = [live("a", "30", start_s=T - HOUR), live("a", "50", start_s=T + HOUR)]
    assert said(chosen(rows))[:2] == ("21.7", 4)
    assert said(chosen(rows, patience_s=3 * HOUR))[:2] == ("21.7", 4), "a later value is known: it is a hole for good"


def test_what_is_still_to_be_published_is_estimated_by_the_newest_value() -> None:
    rows = [live("a", "30", start_s=T - HOUR), live("a", "29", start_s=T - 2 * HOUR)]
    answer = chosen(rows, patience_s=HOUR)
    assert said(answer) == ("30", 2, ("The value of this time is not known yet: the newest one stands in.",))
    assert isinstance(answer, Choice)
    assert answer.row.factor_id == f"a:FR:direct:{T - HOUR}+latest", "another factor than that of its own hour"
    assert said(chosen(rows, T + HOUR - 1, patience_s=HOUR))[:2] == ("30", 2)
    assert said(chosen(rows, T + HOUR, patience_s=HOUR))[:2] == ("21.7", 4), "patience ends"
    assert said(chosen(rows, patience_s=HOUR, tiers=(1, 4)))[:2] == ("21.7", 4), "where estimates are not allowed"
    assert said(chosen([*rows, live("b", "33", 2)], patience_s=HOUR))[0] == "33", "an estimate of the time itself"


def test_a_profile_never_stands_in_for_later() -> None:
    assert said(chosen([live("a", "30", 3, T - HOUR)], patience_s=HOUR))[:2] == ("21.7", 4)


def test_of_intervals_of_different_length_the_shortest_that_covers_the_instant_wins() -> None:
    half, quarter = live("a", "30", length_s=1800), live("a", "33", start_s=T + 900, length_s=900, factor_id="q")
    assert [said(chosen([half, quarter], at_s))[0] for at_s in (T, T + 899, T + 900)] == ["30", "30", "33"]
    worse = replace(quarter, quality_tier=2)
    assert said(chosen([half, worse], T + 900))[0] == "30", "a better tier goes before a shorter interval"


def test_direct_before_unspecified_before_life_cycle_and_the_type_is_named() -> None:
    direct, lifecycle, unstated = (live("a", value, factor_type=kind) for value, kind in zip("123", KINDS, strict=True))
    assert said(chosen([lifecycle, unstated, direct])) == ("1", 1, ())
    value, _, steps = said(chosen([lifecycle, unstated]))
    assert (value, len(steps)) == ("3", 1)
    value, _, steps = said(chosen([lifecycle]))
    assert (value, "life-cycle" in steps[0]) == ("2", True)


KINDS = (FactorType.DIRECT, FactorType.LIFECYCLE, FactorType.UNSPECIFIED)


def test_of_two_own_tables_of_a_zone_one_is_taken_and_both_are_named() -> None:
    """The meters of two sites: nobody may be weighed by the other's without a word."""
    par1 = live("a", "20", factor_id="file:FR:par1:direct:x", publisher="Meter of par1")
    par2 = live("a", "300", factor_id="file:FR:par2:direct:x", publisher="Meter of par2")
    step = "Meter of par1 and Meter of par2 differ about this time: the first of them by name was taken."
    assert said(chosen([par2, par1])) == ("20", 1, (step,))
    assert said(chosen([replace(par2, value_printed="20.0"), par1])) == ("20", 1, ())


def test_another_zone_of_the_path_says_which() -> None:
    path = (Step("CAMX"), Step("FR", "It is the average of the country."))
    assert said(chosen([live("a", "30")], path=path)) == ("30", 1, ("It is the average of the country.",))
    own = live("a", "35", zone="CAMX", factor_id="own")
    assert said(chosen([live("a", "30"), own], path=path)) == ("35", 1, ())


def test_what_may_not_be_in_an_inventory_is_not_seen() -> None:
    margin = live("a", "30", scheme=Scheme.OPERATING_MARGIN)
    rows = [margin, live("a", "31", basis=Basis.RESIDUAL), live("a", ""), live("c", "32"), live("a", "33", zone="DE")]
    assert said(chosen(rows))[0] == "21.7"
    assert said(chosen(rows, chain=()))[0] == "32", "without a chain everybody's values may be used"


@pytest.mark.parametrize("tiers", [(4, 1), (4,), (5, 4)])
def test_who_prefers_yearly_factors_gets_them(tiers: tuple[int, ...]) -> None:
    value, tier, steps = said(chosen([live("a", "30")], tiers=tiers))
    assert (value, tier) == {4: ("21.7", 4), 5: ("44.1", 5)}[tiers[0]]
    assert not any("No service" in step for step in steps)


def test_no_value_is_a_reason_and_never_zero() -> None:
    assert chosen([], tiers=(1, 2)) == NoFactor("no service has a value of this time, and no table has a value for it")
    assert chosen([], yearly=()) == NoFactor("no service has a value of this time, and no table has a value for it")
    assert said(chosen([live("a", "0")]))[0] == "0", "a grid of sun and wind may measure 0"


_ROWS = st.lists(
    st.builds(
        live,
        st.sampled_from("abc"),
        st.integers(0, 999).map(str),
        st.integers(1, 3),
        st.integers(-8, 8).map(lambda n: T + n * 900),
        st.sampled_from((900, 1800, HOUR)),
    ),
    max_size=12,
)


@given(_ROWS, st.integers(-9000, 9000), st.permutations(TIERS), st.sampled_from((0, HOUR)))
@thorough
def test_no_better_row_is_passed_over_and_a_step_down_is_never_silent(
    rows: list[FactorRow], offset_s: int, tiers: list[int], patience_s: int
) -> None:
    """Whatever is chosen: no row that covers the instant is of a better tier, and less than the best tier says so."""
    at_s = T + offset_s
    answer = chosen(rows, at_s, tiers=tiers, patience_s=patience_s)
    assert isinstance(answer, Choice)
    tier = answer.row.quality_tier
    better = [
        each
        for each in rows
        if each.valid_from_s <= at_s < each.valid_to_s
        and each.origin.provider in ("a", "b")
        and tiers.index(each.quality_tier) < tiers.index(tier)
    ]
    assert not better
    if tier != tiers[0] and tier <= 3 and any(each <= 3 for each in tiers[: tiers.index(tier)]):
        assert answer.steps
    if tier > 3 and any(each <= 3 for each in tiers[: tiers.index(tier)]):
        assert answer.steps[0].startswith("No service has a value of this time")
    assert answer == chosen(list(reversed(rows)), at_s, tiers=tiers, patience_s=patience_s) or len(
        {each.factor_id for each in rows}
    ) < len(rows)


@pytest.mark.parametrize(("days", "value"), [(1, "30"), (2, "30"), (3, "21.7"), (30, "21.7")])
def test_the_mean_of_more_than_two_days_is_no_hours_value(days: int, value: str) -> None:
    row_of_days = live("a", "30", length_s=days * 24 * HOUR)
    assert (said(chosen([row_of_days]))[0], may_be_used(row_of_days)) == (value, value == "30")
