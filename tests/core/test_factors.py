"""The right edition of the right kind for a place and a time, and never a silent step down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.thorough import thorough
from tracker.core.factors import (
    Basis,
    Choice,
    FactorRow,
    FactorType,
    NoFactor,
    Scheme,
    Step,
    choose_location,
    choose_residual,
    ladder,
)


def at(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())


def row(factor_id: str, zone: str, value: str, year: int, **other: object) -> FactorRow:
    """An official direct average of one year, made for that year as DESNZ's are unless ``data_year`` is given."""
    base = FactorRow(
        factor_id=factor_id,
        zone=zone,
        zone_printed=zone,
        zone_system="iso2",
        value_printed=value,
        unit_printed="g/kWh",
        gases="CO2e",
        factor_type=FactorType.DIRECT,
        basis=Basis.PRODUCTION,
        scheme=Scheme.AVERAGE,
        quality_tier=4,
        valid_from_s=at(f"{year}-01-01"),
        valid_to_s=at(f"{year + 1}-01-01"),
        edition=f"Edition {year}",
        data_year="unspecified",
        publisher="Somebody",
        source_ref=f"{value} g/kWh",
        licence="OGL v3",
    )
    return replace(base, **other)  # type: ignore[arg-type] # names of fields, checked by replace itself


GB = (Step("GB"),)
UK = (row("uk2024", "GB", "204.93", 2024), row("uk2025", "GB", "177", 2025), row("uk2026", "GB", "130.96", 2026))
LIFECYCLE = row("ember", "GB", "237.59", 2025, quality_tier=5, factor_type=FactorType.LIFECYCLE, data_year="2025")
WORLD = row("world", "WORLD", "458", 2025, quality_tier=6, factor_type=FactorType.LIFECYCLE, data_year="2025")


def chosen(rows: Sequence[FactorRow], path: Sequence[Step], day: str, tiers: Sequence[int] = (4, 5)) -> Choice:
    choice = choose_location(rows, path, at(day), tiers)
    assert isinstance(choice, Choice)
    return choice


@pytest.mark.parametrize(
    ("day", "value"), [("2024-06-30", "204.93"), ("2025-01-01", "177"), ("2025-12-31", "177"), ("2026-01-01", "130.96")]
)
def test_the_edition_is_that_of_the_reporting_period_and_not_the_latest(day: str, value: str) -> None:
    """The UK's factor fell by 26 % in one year: 2025 must not be weighed with the edition of 2026."""
    choice = chosen(UK, GB, day)
    assert choice.row.value_g_per_kwh == Decimal(value)
    assert choice.steps == ()


@pytest.mark.parametrize(
    ("day", "factor_id", "word"), [("2027-03-01", "uk2026", "an earlier"), ("2020-03-01", "uk2024", "a later")]
)
def test_an_edition_of_another_period_is_flagged(day: str, factor_id: str, word: str) -> None:
    choice = chosen(UK, GB, day)
    assert choice.row.factor_id == factor_id
    assert choice.steps == (
        f"{choice.row.edition} is of {word} period: the edition for the time asked for is not among the tables.",
    )


def test_a_table_of_a_data_year_is_used_until_the_next_is_out_and_flagged_when_it_is_old() -> None:
    """eGRID2023 is the official factor of 2026; in 2028 somebody should look for a newer one."""
    egrid = [row("egrid", "GB", "195.037", 2023, data_year="2023")]
    assert chosen(egrid, GB, "2023-05-01").note == ""
    assert chosen(egrid, GB, "2026-10-01").steps == ()
    assert chosen(egrid, GB, "2026-10-01").cautions == ("It describes 2023.",)
    assert chosen(egrid, GB, "2028-01-01").steps == ("It describes 2023, more than 3 years before the time asked for.",)


def test_an_official_direct_factor_goes_before_a_newer_generic_one() -> None:
    assert chosen([LIFECYCLE, UK[0]], GB, "2025-06-01").row is UK[0]


def test_the_type_never_changes_silently() -> None:
    """Without an official factor a life-cycle average stands in, and both facts are said."""
    choice = chosen([LIFECYCLE, WORLD], GB, "2025-06-01")
    assert choice.row is LIFECYCLE
    assert choice.steps == (
        "There is no official factor: a generic annual average stands in.",
        "It is a life-cycle value: it counts fuel supply and construction, which Scope 2 leaves out.",
    )
    unknown = row("eccc", "GB", "59", 2025, factor_type=FactorType.UNSPECIFIED)
    assert chosen([unknown], GB, "2025-06-01").steps == (
        "Whether it is direct or life-cycle is not stated where it was read.",
    )


def test_a_direct_factor_goes_before_others_of_its_tier_and_zone() -> None:
    iea = replace(WORLD, factor_id="iea", factor_type=FactorType.DIRECT)
    choice = chosen([WORLD, iea], (Step("WORLD"),), "2025-06-01", (6,))
    assert choice.row is iea
    assert choice.steps == ("This is the world's average, the last resort: a month that uses it cannot be closed.",)


def test_p11_nobody_is_given_the_world_without_asking() -> None:
    assert choose_location([WORLD], (*GB, Step("WORLD")), at("2025-06-01")) == NoFactor("no table has a value for it")
    assert chosen([WORLD], (*GB, Step("WORLD")), "2025-06-01", (4, 5, 6)).row is WORLD


def test_the_nearest_zone_goes_first_and_a_farther_one_gives_its_reason() -> None:
    path = (Step("CAMX"), Step("US", "It is the average of the country.", "A caution."))
    own, country = row("camx", "CAMX", "195", 2025), row("us", "US", "349", 2025)
    assert chosen([country, own], path, "2025-06-01").row is own
    choice = chosen([country], path, "2025-06-01")
    assert (choice.zone, choice.row.zone) == ("CAMX", "US")
    assert (choice.steps, choice.cautions) == (("It is the average of the country.",), ("A caution.",))


def test_margins_and_residual_mixes_never_weigh_a_location() -> None:
    rows = [
        row("om", "GB", "964.6", 2025, scheme=Scheme.OPERATING_MARGIN),
        row("residual", "GB", "300", 2025, basis=Basis.RESIDUAL),
    ]
    assert isinstance(choose_location(rows, GB, at("2025-06-01")), NoFactor)


def test_the_residual_mix_that_does_not_exist_is_not_zero() -> None:
    """Austria and the Netherlands disclose everything: there is none, and nothing else may stand in."""
    none = row(
        "aib:NL", "NL", "", 2024, basis=Basis.RESIDUAL, source_ref="no residual mix: full disclosure", data_year="2024"
    )
    assert choose_residual([none], (Step("NL"),), at("2025-06-01")) == NoFactor(
        "Edition 2024: no residual mix: full disclosure", by_rule=True
    )
    assert choose_residual([*UK], GB, at("2025-06-01")) == NoFactor("the tables have no residual mix for it")
    some = row("aib:GB", "GB", "724.56", 2024, basis=Basis.RESIDUAL, data_year="2024")
    choice = choose_residual([*UK, some], GB, at("2025-06-01"))
    assert isinstance(choice, Choice)
    assert (choice.row, choice.steps) == (some, ())


def test_the_ladder_says_what_every_tier_would_say() -> None:
    tiers = ladder([*UK, LIFECYCLE, WORLD], GB, at("2025-06-01"))
    found = {tier: answer.row.factor_id for tier, answer in tiers.items() if isinstance(answer, Choice)}
    assert found == {4: "uk2025", 5: "ember", 6: "world"}


def test_a_choice_becomes_a_factor_of_the_ledger() -> None:
    """Rounded once, to mg/kWh; where one zone stands for another, under an id of its own."""
    camx = row("egrid:CAMX", "CAMX", "429.983", 2023, unit_printed="lb/MWh", data_year="2023")
    own = chosen([camx], (Step("CAMX"),), "2026-01-01").as_factor("tables", 7)
    assert (own.factor_id, own.zone, own.intensity_mg_per_kwh, own.tier) == ("egrid:CAMX", "CAMX", 195_037, 4)
    assert (own.factor_type, own.basis, own.recorded_at_s, own.note) == ("direct", "location", 7, "It describes 2023.")
    other = chosen([camx], (Step("US-CAL-CISO"), Step("CAMX")), "2026-01-01").as_factor("tables", 7, note="First.")
    assert (other.factor_id, other.zone) == ("egrid:CAMX@US-CAL-CISO", "US-CAL-CISO")
    assert other.note == "First. It describes 2023."


def test_an_undated_value_says_so() -> None:
    undated = replace(LIFECYCLE, valid_from_s=0, valid_to_s=0, data_year="unspecified")
    assert chosen([undated], GB, "2025-06-01").steps[-1] == "It is undated."
    assert chosen([undated, LIFECYCLE], GB, "2025-06-01").row is LIFECYCLE


@thorough
@given(
    years=st.lists(st.integers(2015, 2035), min_size=1, max_size=6, unique=True),
    asked=st.integers(2010, 2040),
)
def test_an_exact_edition_is_always_found_and_every_other_is_flagged(years: list[int], asked: int) -> None:
    """Whatever the order of the rows."""
    rows = [row(f"uk{year}", "GB", str(year), year) for year in years]
    choice = chosen(rows, GB, f"{asked}-07-01")
    if asked in years:
        assert (choice.row.factor_id, choice.steps) == (f"uk{asked}", ())
    else:
        assert len(choice.steps) == 1
        before = [year for year in years if year < asked]
        assert choice.row.factor_id == f"uk{max(before) if before else min(years)}"
