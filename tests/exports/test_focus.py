"""FOCUS 1.2: what a validator of the specification would refuse."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from decimal import Decimal

import pytest

from tests.exports.kit import rendered, table_of
from tests.fakes.statements import EMPTY, FULL, STATEMENT, amounts, line
from tracker.core.statement import Statement
from tracker.exports.focus import CONDITIONAL, CUSTOM, HEADER, MANDATORY

#: FOCUS 1.2, columns with feature level "Mandatory"; True: may be null.
NULLABLE = {
    "BilledCost": False,
    "BillingAccountId": False,
    "BillingAccountName": True,
    "BillingCurrency": False,
    "BillingPeriodEnd": False,
    "BillingPeriodStart": False,
    "ChargeCategory": False,
    "ChargeClass": True,
    "ChargeDescription": True,
    "ChargePeriodEnd": False,
    "ChargePeriodStart": False,
    "ContractedCost": False,
    "EffectiveCost": False,
    "InvoiceIssuerName": False,
    "ListCost": False,
    "PricingQuantity": True,
    "PricingUnit": True,
    "ProviderName": False,
    "PublisherName": False,
    "ServiceCategory": False,
    "ServiceName": False,
}
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
NUMBER = re.compile(r"-?\d+\.\d+")
LINES = table_of(rendered("focus", STATEMENT))


def test_every_mandatory_column_is_there_and_ours_come_last() -> None:
    header = rendered("focus", STATEMENT).split(b"\r\n")[0].decode().split(",")
    assert set(NULLABLE) == set(MANDATORY) <= set(header)
    own = [name.startswith("x_") for name in header]
    assert own == sorted(own)
    assert set(header) == {*MANDATORY, *CONDITIONAL, *CUSTOM} == set(HEADER)
    assert all(re.fullmatch(r"(x_)?[A-Z][A-Za-z0-9]+", name) for name in header)
    assert len(header) == len(set(header))


@pytest.mark.parametrize("column", [name for name, nullable in NULLABLE.items() if not nullable])
@pytest.mark.parametrize("statement", [STATEMENT, replace(STATEMENT, entity="", currency="")])
def test_what_must_not_be_null_is_not(column: str, statement: Statement) -> None:
    assert all(each[column] for each in table_of(rendered("focus", statement)))


def test_times_are_utc_and_ends_are_exclusive() -> None:
    for each in LINES:
        for column in ("BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd"):
            assert INSTANT.fullmatch(each[column])
    assert (LINES[0]["BillingPeriodStart"], LINES[0]["BillingPeriodEnd"]) == (
        "2026-09-30T22:00:00Z",
        "2026-10-31T23:00:00Z",
    )


def test_numbers_have_no_separator_and_costs_are_never_null() -> None:
    for each in LINES:
        for column in ("BilledCost", "ContractedCost", "EffectiveCost", "ListCost", "PricingQuantity"):
            assert NUMBER.fullmatch(each[column]), column


def test_a_correction_says_that_it_is_one_and_of_when() -> None:
    corrections = [each for each in LINES if each["ChargeClass"]]
    assert [(each["ChargeClass"], each["x_RestatesPeriod"], each["x_CorrectionReason"]) for each in corrections] == [
        ("Correction", "2026-08", "error"),
        ("Correction", "2026-09", "energy_late"),
        ("Correction", "2026-09", "factor_final"),
    ]
    assert corrections[1]["ChargePeriodStart"] == "2026-08-31T22:00:00Z"
    assert corrections[1]["ChargePeriodEnd"] == corrections[1]["BillingPeriodStart"] == "2026-09-30T22:00:00Z"
    assert corrections[2]["x_LocationKgCO2e"] == "-1234.567"


def test_a_correction_of_december_ends_in_the_next_year() -> None:
    correction = replace(STATEMENT.corrections[0], restates_period="2025-12")
    lines = table_of(rendered("focus", replace(STATEMENT, corrections=(correction,))))
    assert (lines[-1]["ChargePeriodStart"], lines[-1]["ChargePeriodEnd"]) == (
        "2025-11-30T23:00:00Z",
        "2025-12-31T23:00:00Z",
    )


def test_values_that_the_specification_lists() -> None:
    assert {each["ChargeCategory"] for each in LINES} == {"Usage"}
    assert {each["ServiceCategory"] for each in LINES} == {"AI and Machine Learning"}
    assert {each["ChargeClass"] for each in LINES} == {"", "Correction"}
    assert {each["ConsumedUnit"] for each in LINES} == {each["PricingUnit"] for each in LINES} == {"kWh"}
    assert {each["BillingCurrency"] for each in LINES if each["x_CostKnown"] != "none"} == {"EUR"}


def test_energy_that_was_handed_on_is_an_adjustment_without_a_quantity() -> None:
    lines = [each for each in table_of(rendered("focus", FULL)) if each["ChargeCategory"] == "Adjustment"]
    assert [each["x_EnergyItKwh"] for each in lines] == ["-90000.000", "45000.000", "45000.000"]
    assert {(each["ConsumedQuantity"], each["PricingQuantity"], each["PricingUnit"]) for each in lines} == {
        ("", "", "")
    }


def test_the_pue_has_its_source() -> None:
    lines = table_of(rendered("focus", FULL))
    usage = [each for each in lines if not each["ChargeClass"]]
    assert {each["x_PueSource"] for each in usage if each["RegionId"] == "fra1"} == {"operator, 2026"}
    assert {each["x_PueSource"] for each in lines if each["RegionId"] == "nowhere"} == {"'=nobody"}


def test_tags_are_a_json_object_of_the_rows_key() -> None:
    (found,) = [each for each in LINES if each["SubAccountName"] == "robotics" and each["x_Scope"] == "3"]
    assert json.loads(found["Tags"]) == {
        "cost_centre": "CC-3007",
        "team": "robotics",
        "project": "sim",
        "site": "use1",
        "component": "gpu",
    }
    assert (found["SubAccountId"], found["RegionId"], found["x_Scope3Category"]) == ("CC-3007", "use1", "1")


def test_nobody_is_billed_and_the_tariff_shows_as_effective_cost() -> None:
    assert {each["BilledCost"] for each in LINES} == {"0.00"}
    assert sum(Decimal(each["EffectiveCost"]) for each in LINES if not each["ChargeClass"]) == Decimal("431691.05")


def test_a_cost_that_is_not_known_is_no_money() -> None:
    """The three columns may not be null; in no currency, no sum of euros has the line for nothing."""
    (unknown,) = [each for each in LINES if json.loads(each["Tags"]).get("project") == "field-trial"]
    assert (unknown["BillingCurrency"], unknown["x_CostKnown"], unknown["x_UnpricedKwh"]) == ("XXX", "none", "1493.826")
    of_money = [each for each in LINES if each["BillingCurrency"] == "EUR"]
    assert {each["x_CostKnown"] for each in of_money} == {"all"}
    assert {each["EffectiveCost"] for each in LINES if each["BillingCurrency"] == "XXX"} == {"0.00"}
    part = replace(STATEMENT.rows[0], amounts=replace(STATEMENT.rows[0].amounts, cost_hundredths=745, unpriced_wh=9))
    (each,) = table_of(rendered("focus", replace(STATEMENT, rows=(part,), corrections=())))
    assert (each["EffectiveCost"], each["BillingCurrency"]) == ("7.45", "EUR")
    assert (each["x_CostKnown"], each["x_UnpricedKwh"]) == ("part", "0.009")


def test_energy_that_is_in_no_sum_is_said() -> None:
    assert {each["x_UnknownEnergy"] for each in table_of(rendered("focus", FULL))} == {
        "market-based emissions: 1493.826 kWh; upstream emissions: 1493.826 kWh"
    }


def test_without_a_tariff_there_is_no_currency_and_no_cost() -> None:
    row = line(STATEMENT.rows[0].key, amounts(1_000, cost_hundredths_per_kwh=None))
    (each,) = table_of(rendered("focus", replace(EMPTY, rows=(row,), entity="")))
    assert (each["BillingCurrency"], each["EffectiveCost"], each["BillingAccountId"]) == ("XXX", "0.00", "unnamed")
    assert (each["BillingAccountName"], each["x_CostKnown"]) == ("", "none")


def test_energies_add_up_to_the_statement() -> None:
    summed = sum(Decimal(each["x_EnergyItKwh"]) for each in LINES if not each["ChargeClass"])
    assert summed == Decimal("1931327.407")


def test_resources_are_named_whole_or_not_at_all() -> None:
    """A null id has no name and no type; an id has both."""
    row = line(("gpu-017", "gpu"), amounts(1_000))
    of_hosts = replace(EMPTY, group_by=("hostname", "grid_zone"), rows=(row,), total=line(("", ""), amounts(1_000)))
    (each,) = table_of(rendered("focus", of_hosts))
    assert (each["ResourceId"], each["ResourceName"], each["ResourceType"]) == ("gpu-017", "gpu-017", "Node")
    assert {(each["ResourceId"], each["ResourceName"], each["ResourceType"]) for each in LINES} == {("", "", "")}


def test_a_row_of_a_zone_names_the_factors_of_that_zone() -> None:
    rows = (line(("DE",), amounts(1_000)), line(("FR",), amounts(1_000)))
    total = line(("",), amounts(2_000))
    by_zone = replace(STATEMENT, group_by=("grid_zone",), rows=rows, corrections=(), total=total)
    lines = table_of(rendered("focus", by_zone))
    assert [(each["x_GridZone"], each["x_FactorVintage"], each["x_GwpSet"]) for each in lines] == [
        ("DE", "2024", "AR5"),
        ("FR", "2025", "AR6"),
    ]


OTHER_WAY = replace(STATEMENT.factors[0], basis="location_hourly", source="by the hour")


@pytest.mark.parametrize(
    ("site", "zone", "vintage", "gwp_set"), [("fra1", "DE", "2024", "AR5"), ("par1", "FR", "2025", "AR6")]
)
def test_a_row_names_the_factors_of_its_own_site_and_of_the_way_that_was_used(
    site: str, zone: str, vintage: str, gwp_set: str
) -> None:
    lines = table_of(rendered("focus", replace(FULL, factors=(*FULL.factors, OTHER_WAY))))
    own = [each for each in lines if each["RegionId"] == site and not each["ChargeClass"]]
    assert {(each["x_GridZone"], each["x_FactorVintage"], each["x_GwpSet"]) for each in own} == {
        (zone, vintage, gwp_set)
    }
    assert not any("by the hour" in each["x_FactorSource"] for each in lines)


def test_a_correction_does_not_name_factors_of_another_month() -> None:
    lines = [each for each in table_of(rendered("focus", FULL)) if each["ChargeClass"]]
    assert {(each["x_FactorSource"], each["x_PueSource"]) for each in lines} == {("", "")}


def test_no_cell_is_a_formula() -> None:
    for each in LINES:
        for column, cell in each.items():
            if not NUMBER.fullmatch(cell):
                assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "\0", "\uff1d")), (column, cell)
