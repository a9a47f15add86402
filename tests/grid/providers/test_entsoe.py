"""ENTSO-E: an intensity that is computed here says so, and half of a mix is not taken for the whole."""

from __future__ import annotations

from decimal import Decimal
from urllib.parse import urlsplit

import pytest

from tests.grid.providers.entsoe_case import CASE, COAL, END_S, OTHER, PATH, START_S, TOKEN, WIND, gas
from tests.grid.providers.generation import acknowledgement, document, series
from tests.grid.providers.replay import Replay
from tracker.core.factors import FactorRow
from tracker.grid.entsoe import DOMAINS, Entsoe, Options
from tracker.grid.entsoe_document import Generated, parse_document
from tracker.grid.entsoe_mix import direct_factors, intensities
from tracker.grid.interface import Answer, BadAnswer, Denied, NoData, Question
from tracker.grid.zones import find_zone

GERMANY = DOMAINS["DE"]


def read(body: bytes, zone: str = "DE", status: int = 200) -> tuple[FactorRow, ...]:
    provider = Entsoe(Options(token=TOKEN), Replay({PATH: body}, status=status))
    return provider.read(find_zone(zone), START_S, END_S, CASE.now_s)


def values(*parts: str) -> list[tuple[int, str]]:
    """Minute of the hour and g/kWh."""
    return [((row.valid_from_s - START_S) // 60, row.value_printed) for row in read(document(*parts))]


def test_a_mix_is_weighed_with_direct_factors_and_says_how() -> None:
    first = read(CASE.good[PATH])[0]
    assert first.value_printed == "282.500"  # (10 GW coal x 760 + 10 GW gas x 370 + 20 GW wind x 0) / 40 GW
    assert (first.valid_from_s, first.valid_to_s) == (START_S, START_S + 900)
    assert first.factor_id == "entsoe:DE:direct:2026-10-03T18:00:00Z:PT15M"
    assert (first.quality_tier, first.factor_type, first.basis, first.gases) == (2, "direct", "production", "CO2e")
    assert (first.zone_printed, first.origin.is_estimated) == (GERMANY, True)
    assert first.origin.estimation_method == "generation by type x IPCC 2014"
    assert "computed here" in first.note


def test_the_question_is_for_whole_hours_in_utc_and_keeps_the_token_apart() -> None:
    ask = Replay({PATH: CASE.good[PATH]})
    Entsoe(Options(token=TOKEN), ask).read(find_zone("DE"), START_S + 900, END_S - 900, CASE.now_s)
    (question,) = ask.asked
    assert urlsplit(question.url).netloc == "web-api.tp.entsoe.eu"
    assert dict(question.query) == {
        "documentType": "A75",
        "processType": "A16",
        "in_Domain": "10Y1001A1001A82H",
        "periodStart": "202610031800",
        "periodEnd": "202610031900",
    }
    assert dict(question.secret_query) == {"securityToken": TOKEN}
    assert TOKEN not in repr(Options(token=TOKEN))


def test_a_quarter_without_a_type_that_others_have_is_a_hole() -> None:
    """Gas reports late: without it the mix would look half as heavy."""
    late = series("B04", START_S, {1: 10_000, 2: 10_000, 4: 10_000}, count=4)
    assert [minute for minute, _ in values(COAL, late, WIND)] == [0, 15, 45]


def test_a_type_that_is_missing_and_little_costs_nothing() -> None:
    little = series("B09", START_S, {1: 30}, count=4)
    assert len(values(COAL, gas(1, 1, 1, 1), WIND, little)) == 4


@pytest.mark.parametrize(("other_mw", "quarters"), [(1_500, 4), (1_700, 0)])
def test_more_than_five_percent_without_a_factor_is_a_hole(other_mw: int, quarters: int) -> None:
    """30 GW of wind and coal: 1.5 of 31.5 GW is 4.8 %, 1.7 of 31.7 is 5.4 %."""
    wind, coal = series("B19", START_S, [20_000] * 4), series("B05", START_S, [10_000] * 4)
    found = values(coal, wind, series("B17", START_S, [other_mw] * 4))
    assert len(found) == quarters
    assert all(value == "253.333" for _, value in found)  # waste is taken for the average of the rest


def test_a_type_that_is_not_in_the_table_has_no_factor() -> None:
    assert values(COAL, series("B99", START_S, [5_000] * 4)) == []


def test_storage_is_in_neither_sum() -> None:
    """What it gives was counted when it was stored."""
    assert values(COAL, WIND, series("B10", START_S, [9_000] * 4), series("B25", START_S, [900] * 4)) == values(
        COAL, WIND
    )


def test_what_plants_take_is_no_generation() -> None:
    assert values(COAL, WIND, series("B05", START_S, [900] * 4, direction="out")) == values(COAL, WIND)
    assert values(COAL, WIND, series("B16", START_S, [-5] * 4)) == values(COAL, WIND)


def test_a_mix_without_any_emission_is_a_hole_and_not_zero_grams() -> None:
    """Something in the few per cent that nobody names emits."""
    assert values(WIND, OTHER) == []


def test_quarters_and_hours_in_one_document_become_hours() -> None:
    hour = series("B04", START_S, [6_000], resolution="PT60M")
    (row,) = read(document(COAL, WIND, hour))
    assert (row.valid_from_s, row.valid_to_s) == (START_S, END_S)
    assert row.value_printed == "243.613"  # (9.5 GW coal x 760 + 6 GW gas x 370) / 38.75 GW
    assert row.factor_id == "entsoe:DE:direct:2026-10-03T18:00:00Z"


def test_an_hour_of_which_a_quarter_is_missing_is_no_hour() -> None:
    part = series("B05", START_S, {1: 9_000, 2: 9_000, 3: 9_000}, count=4)
    assert values(part, WIND, series("B04", START_S, [6_000], resolution="PT60M")) == []


def test_a_variable_curve_repeats_a_value_and_a_fixed_one_has_a_hole() -> None:
    """Curve types A03 and A01 of ENTSO-E."""
    points = {1: 7, 3: 9}
    repeated = parse_document(document(series("B14", START_S, points, count=4, curve="A03")), GERMANY)
    fixed = parse_document(document(series("B14", START_S, points, count=4)), GERMANY)
    assert [int(each.power_mw) for each in repeated["B14"].values()] == [7, 7, 9, 9]
    assert fixed["B14"] == {START_S: Generated(900, Decimal(7)), START_S + 1800: Generated(900, Decimal(9))}


def test_several_periods_of_a_type_are_one_series() -> None:
    early, later = series("B14", START_S, [7, 7]), series("B14", START_S + 1800, [9, 9])
    assert len(parse_document(document(later, early), GERMANY)["B14"]) == 4


@pytest.mark.parametrize("status", [200, 400])
def test_nothing_yet_is_no_failure_of_the_service(status: int) -> None:
    with pytest.raises(NoData):
        read(acknowledgement("No matching data found for Data item AGGREGATED"), status=status)


def test_a_refused_question_says_what_entsoe_says() -> None:
    with pytest.raises(BadAnswer, match="amount of requested data exceeds"):
        read(acknowledgement("The amount of requested data exceeds allowed limit"), status=400)


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_token_says_which_setting(status: int) -> None:
    with pytest.raises(Denied, match="token_file"):
        read(b"Unauthorized", status=status)


def test_without_a_token_nobody_is_asked() -> None:
    def nobody(question: Question) -> Answer:
        raise AssertionError(question)

    with pytest.raises(Denied, match="token_file"):
        Entsoe(Options(), nobody).read(find_zone("DE"), START_S, END_S, CASE.now_s)


def test_only_zones_that_are_one_bidding_zone_are_covered() -> None:
    provider = Entsoe(Options(token=TOKEN), Replay())
    assert all(provider.covers(find_zone(zone)) for zone in DOMAINS)
    assert provider.covers(find_zone("aws:eu-central-1"))
    for zone in ("SE", "IT", "NO", "DK", "US", "GB", "WORLD"):
        assert not provider.covers(find_zone(zone))
        with pytest.raises(NoData):
            read(CASE.good[PATH], zone)


def test_codes_of_zones_are_well_formed() -> None:
    """16 characters each, and no zone has another's."""
    assert {len(code) for code in DOMAINS.values()} == {16}
    assert len(set(DOMAINS.values())) == len(DOMAINS)


def test_the_factors_that_ship_are_those_of_the_ipcc() -> None:
    factors = direct_factors()
    assert {kind: value for kind, value in factors.g_per_kwh.items() if value} == {"B02": 760, "B04": 370, "B05": 760}
    assert factors.storage == {"B10", "B25"}
    for kind in ("B06", "B07", "B08", "B17", "B20"):
        assert kind not in factors.g_per_kwh


def test_an_empty_document_has_no_intensity() -> None:
    assert intensities(parse_document(document(), GERMANY), direct_factors()) == ()
