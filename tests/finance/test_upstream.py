"""Scope 3.3 of a kilowatt-hour by the tables that ship, in numbers that anybody can look up."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from tests.core.test_factors import at
from tests.grid.hours import hour
from tracker.books.statement import Cell
from tracker.config import Config
from tracker.config.schema import Site
from tracker.core.accounting import LossForm
from tracker.core.chain import INTERVAL_TIERS
from tracker.core.factors import FactorRow, FactorType
from tracker.core.known import FactorRecord
from tracker.core.weights import LOSS_INCLUDED, LOSS_NOT_STATED, NO_LIFECYCLE, NO_LOSS, Loss, Place
from tracker.finance.factors import Policy, factor_book
from tracker.finance.places import site_book
from tracker.finance.weights import Supply, Terms, Weighing
from tracker.grid.shipped import read_factors

NOON = at("2026-11-10") + 12 * 3600
GENERATED = Loss(Decimal("0.041"), LossForm.OF_GENERATED, "eGRID, grid gross loss")
DELIVERED = Loss(Decimal("0.08"), LossForm.OF_DELIVERED, "operator")


def supply(zone: str, *live: FactorRow, loss: Loss | None = None, method: str = "annual") -> Supply:
    """Of a kilowatt-hour at noon of a November day of 2026, by the tables that ship and by ``live`` values."""
    place = Place("par1", zone, zone, zone_assumed=False, control="owned", scope="2", category="")
    site = site_book("par1", Config(site={"par1": Site(zone=zone, pue=1.0, pue_source="meter")}), {})
    terms = Terms(method, {("par1", zone): place}, {"par1": site}, loss=loss)
    records = [FactorRecord(row, NOON, number) for number, row in enumerate(live, 1)]
    book = factor_book(read_factors(), records, {zone: Policy((*INTERVAL_TIERS, 4, 5))}, NOON)
    cells = [Cell("par1", zone, NOON, 3_600_000_000_000)]
    return Weighing(cells, terms, book, NOON, NOON + 3600).of(zone, NOON).supply


def ids(found: Supply) -> list[tuple[str, str]]:
    return [(direct.factor_id, lifecycle.factor_id) for direct, lifecycle in found.pairs]


def grams(found: Supply) -> float | None:
    ng = found.rate.ng_per_kwh
    return None if ng is None else round(ng / 1e9, 3)


@pytest.mark.parametrize(
    ("zone", "pair", "g_per_kwh"),
    [
        ("FR", ("eea2023:FR", "ember2023:FRA"), 6.04),
        ("SE", ("eea2023:SE", "ember2023:SWE"), 32.7),
        ("DE", ("eea2023:DE", "ember2023:DEU"), 51.95),
        ("PL", ("eea2023:PL", "ember2023:POL"), 47.93),
        ("CN", ("mee2023:CN", "ember2023:CHN"), 51.72),
        ("US", ("egrid2023r2:US", "ember2023:USA"), 19.803),
    ],
)
def test_upstream_is_the_difference_of_two_factors_of_one_year(
    zone: str, pair: tuple[str, str], g_per_kwh: float
) -> None:
    """Of some a newer life-cycle value is known: 41.2 g/kWh of 2025 would make nothing of France's 50 of 2023."""
    found = supply(zone)
    assert (ids(found), grams(found), found.rate.flags) == ([pair], g_per_kwh, (NO_LOSS,))


def test_years_that_differ_are_said() -> None:
    """Britain's factor of 2026 is a quarter below that of 2025; the life-cycle value is of 2023, nearest to 2024."""
    found = supply("GB")
    assert (ids(found), grams(found)) == ([("desnz2024:GB", "ember2023:GBR")], 32.66)
    assert found.rate.flags[0] == (
        "The life-cycle factor is of 2023, the direct one of DESNZ 2024: some of their difference is that of the years."
    )


def test_factors_that_are_years_apart_tell_nothing() -> None:
    """Australia's is of 2025/26; a life-cycle value of 2023 lies below it, which says nothing about fuel supply."""
    ember = next(row for row in read_factors() if row.factor_id == "ember2023:FRA")
    old = replace(ember, factor_id="ember2023:AUS", zone="AU", value_printed="548.7")
    assert factor_book([*read_factors(), old], (), {"AU-NSW": Policy((4, 5))}, NOON).pair("AU-NSW", NOON) is None
    found = supply("AU-NSW")
    assert (grams(found), found.rate.flags) == (None, (NO_LIFECYCLE,))


def test_a_province_takes_what_is_upstream_of_its_country_and_says_so() -> None:
    found = supply("CN-BJ")
    assert (grams(found), found.rate.flags[0]) == (
        51.72,
        "It is what is upstream of CN: there are no two factors of CN-BJ to tell it.",
    )


def test_losses_are_of_the_zone_itself() -> None:
    """4.1 % of what was generated for CAMX (195.037 g/kWh) are 8.338 g/kWh; of the US they were 14.949."""
    without, found = supply("CAMX"), supply("CAMX", loss=GENERATED)
    assert (grams(without), grams(found)) == (19.803, 28.141)
    assert found.rate.flags == ("It is what is upstream of US: there are no two factors of CAMX to tell it.",)


@pytest.mark.parametrize(("includes_td", "flag"), [(True, LOSS_INCLUDED), (None, LOSS_NOT_STATED)])
def test_no_losses_are_added_to_an_hour_that_has_them_or_does_not_say(includes_td: bool | None, flag: str) -> None:
    """The service's value of the hour weighs it, so that it is the one that says: NESO's values have losses in them."""
    value = hour(0, "150", "neso", valid_from_s=NOON, valid_to_s=NOON + 3600, zone="GB", includes_td=includes_td)
    found = supply("GB", value, loss=DELIVERED, method="hourly")
    assert (grams(found), found.rate.flags[-1]) == (32.66, flag)


def test_an_hour_with_both_values_of_one_service_needs_no_table() -> None:
    told: dict[str, Any] = {"valid_from_s": NOON, "valid_to_s": NOON + 3600, "zone": "NO"}
    whole = hour(0, "30", factor_id="life", factor_type=FactorType.LIFECYCLE, **told)
    found = supply("NO", hour(0, "20", **told), whole, loss=DELIVERED, method="hourly")
    assert (grams(found), found.rate.flags) == (11.6, ())
