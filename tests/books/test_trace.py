"""A row is followed back: the numbers it is made of give what was printed, digit by digit."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import msgspec
import pytest

from tests.books.small_lake import GPU, NODE, TRAIN, Hours, day, put
from tests.finance.months import CONFIG, MONTH, NOW_S, SECOND, close, late, review, with_books, with_pue
from tests.grid.hours import NOON_S, hour
from tracker.books.factorfiles import record_factors
from tracker.books.folder import FolderStore
from tracker.books.interface import BooksDamaged, BookStore
from tracker.books.names import day_start_s
from tracker.books.trace import SUMS_OF_PRINTED
from tracker.config import Config
from tracker.config.books import BooksTariff
from tracker.config.schema import Embodied
from tracker.core.errors import UsageError
from tracker.core.factors import FactorRow
from tracker.core.hours import HOUR_S, HourEmission
from tracker.core.known import FactorRecord
from tracker.core.model import IDLE, Component, Method
from tracker.core.statement import Line, Status
from tracker.finance.compose import NoData, compose
from tracker.finance.trace import RowTrace, trace
from tracker.grid.bundle import encode_bundle

DATES = ("2026-10-29", "2026-10-30")
START_S = day_start_s(DATES[0])
#: Energies that leave remainders in every column.
ODD_UJ = 123_456_789_012
PRICED = with_books(currency="EUR", tariffs=(BooksTariff(price=0.18, source="contract 7"),))
RICH = msgspec.structs.replace(
    PRICED, accounting=msgspec.structs.replace(PRICED.accounting, embodied=Embodied(host_kgco2e=2500.0, source="maker"))
)


def odd_day(date: str, number: int) -> Hours:
    """Three workloads, idle energy and a modelled CPU, none of them a round number."""
    hours = Hours()
    for at_s in range(day_start_s(date), day_start_s(date) + 24 * HOUR_S, HOUR_S):
        for n in range(3):
            who = replace(TRAIN, key=f"pod/{n}", name=f"train-{n}", team=f"team-{n}", project="p")
            covered_ms = None if n else 3_600_000
            hours.add(
                at_s, ODD_UJ * (n + 1) + number * 7 + at_s % 9973, workload=who, held_ms=900_001, covered_ms=covered_ms
            )
        hours.add(at_s, ODD_UJ // 3, workload=IDLE, idle_uj=ODD_UJ // 3, held_ms=899_997, covered_ms=None)
        hours.add(
            at_s,
            ODD_UJ // 7,
            device="cpu",
            component=Component.CPU,
            model="Xeon",
            method=Method.MODELLED,
        )
        hours.emissions.append(
            HourEmission(
                at_s, replace(TRAIN, key="pod/0", team="team-0", project="p"), "location", "old:FR", 1_150, 2_000_000
            )
        )
    return hours


@pytest.fixture
def store(tmp_path: Path) -> BookStore:
    store = FolderStore(tmp_path / "books", create=True)
    for number, date in enumerate(DATES):
        put(store, date, odd_day(date, number))
    put(store, DATES[1], day(DATES[1], device="GPU-2"), node=SECOND)
    return store


def rows_of(store: BookStore, config: Config = RICH) -> tuple[Line, ...]:
    return compose(config, store, MONTH, as_of_s=NOW_S).rows


def row(store: BookStore, team: str = "team-0", component: str = "gpu", config: Config = RICH) -> Line:
    return next(line for line in rows_of(store, config) if (line.key[1], line.key[5]) == (team, component))


def traced(store: BookStore, line: Line, config: Config = RICH, *, each_hour: bool = False) -> RowTrace:
    return trace(config, store, MONTH, line.row_id, as_of_s=NOW_S, each_hour=each_hour)


def products_of(found: RowTrace, basis: str) -> list[int | None]:
    return [each.product for one in found.bases if one.name == basis for each in one.products]


def test_p7_every_row_is_printed_as_its_trace_calculates(store: BookStore) -> None:
    """All columns of all rows: exact / denominator = whole + remainder, printed = whole + step."""
    for line in rows_of(store):
        found = traced(store, line)
        assert found.notes == ()
        assert found.line.amounts == line.amounts
        assert {one.column.amount for one in found.rounding} >= {"energy_it_wh", "location_annual_g", "cost_hundredths"}
        for one in found.rounding:
            assert one.exact == one.whole * one.column.denominator + one.remainder
            assert one.printed == one.whole + one.step == getattr(line.amounts, one.column.amount)
        printed = {one.column.amount: one.printed for one in found.rounding}
        for amount, parts in SUMS_OF_PRINTED.items():
            assert printed[amount] == sum(printed[part] for part in parts)


def test_of_a_column_the_largest_remainders_got_one_more(store: BookStore) -> None:
    """Seen from every row, the same number of rows got one, and those are the first by rank."""
    traces = [traced(store, line) for line in rows_of(store)]
    steps = [next(one for one in each.rounding if one.column.amount == "location_annual_g") for each in traces]
    assert len({one.left for one in steps}) == 1
    assert sum(one.step for one in steps) == steps[0].left > 0
    assert sorted(one.rank for one in steps) == list(range(1, len(steps) + 1))
    assert all(one.step == (one.rank <= one.left) for one in steps)


@pytest.mark.parametrize("basis", ["location_annual", "location_hourly", "market", "upstream", "cost"])
def test_the_products_add_up_to_the_exact_sum(store: BookStore, basis: str) -> None:
    found = traced(store, row(store))
    columns = {"cost": "cost_hundredths"}.get(basis, f"{basis}_g")
    (exact,) = [one.exact for one in found.rounding if one.column.amount == columns]
    known = [product for product in products_of(found, basis) if product is not None]
    assert known
    assert sum(known) == exact


def test_overhead_that_is_booked_apart_is_traced_by_itself(store: BookStore) -> None:
    """Both rows calculate as printed, from the same entries, and together they are the row that they were."""
    (site,) = RICH.site.values()
    site = msgspec.structs.replace(site, control="colo", colo_overhead="scope3-8")
    colo = msgspec.structs.replace(RICH, site={"par1": site})
    whole, apart = row(store), [line for line in rows_of(store, colo) if line.key == row(store).key]
    assert [line.scope for line in apart] == ["2", "3"]
    exact: dict[str, int] = {}
    for line in apart:
        found = traced(store, line, colo)
        assert (found.notes, found.line.amounts) == ((), line.amounts)
        assert found.policy[-1][0] == "Overhead"
        for basis in ("location_annual", "market", "upstream", "cost"):
            column = {"cost": "cost_hundredths"}.get(basis, f"{basis}_g")
            (of_row,) = [one.exact for one in found.rounding if one.column.amount == column]
            assert sum(product or 0 for product in products_of(found, basis)) == of_row
            exact[column] = exact.get(column, 0) + of_row
        (product,) = [each for one in found.bases if one.name == "location_annual" for each in one.products]
        assert product.pue_permille == {"2": 1_000, "3": 210}[line.scope]
        assert sum(each.energy_uj for each in found.entries) == product.energy_uj
    before = {one.column.amount: one.exact for one in traced(store, whole).rounding}
    assert exact == {name: before[name] for name in exact}


def test_p7_a_pocket_calculator_gives_the_printed_grams(store: BookStore) -> None:
    """50 g/kWh for France, PUE 1.21: nothing of ours is used to calculate."""
    found = traced(store, row(store))
    (product,) = [each for one in found.bases if one.name == "location_annual" for each in one.products]
    assert (product.pue_permille, product.rate, product.source) == (1_210, 50_000_000_000, ("eea2023:FR",))
    assert len(product.hours_s) == 48
    grams = Fraction(product.energy_uj, 3_600_000_000_000) * Fraction(121, 100) * 50
    assert found.line.amounts.location_annual_g in {int(grams), int(grams) + 1}


def test_p7_entries_of_the_ledgers_add_up_to_the_row(store: BookStore) -> None:
    """By device and workload, and hour by hour: 48 hours of one device."""
    line = row(store)
    together, each_hour = traced(store, line), traced(store, line, each_hour=True)
    (exact_uj,) = [one.exact for one in together.rounding if one.column.amount == "energy_it_wh"]
    assert [(each.hours, each.hostname, each.device, each.workload, each.method) for each in together.entries] == [
        (48, "gpu-1", GPU, "pod/0", "measured")
    ]
    assert sum(each.energy_uj for each in together.entries) == exact_uj
    assert len(each_hour.entries) == 48
    assert sum(each.energy_uj for each in each_hour.entries) == exact_uj
    assert each_hour.entries[0].hour_s == START_S


def test_idle_energy_and_hosts_are_traced_too(store: BookStore) -> None:
    idle = traced(store, row(store, "__idle__"))
    assert {each.workload for each in idle.entries} == {"idle"}
    cpu = traced(store, row(store, "nlp", "cpu"))
    assert [(each.component, each.fg_per_ms is not None) for each in cpu.makings] == [("cpu", True)]
    assert [each.method for each in cpu.entries] == ["modelled"]


def test_factor_and_pue_say_who_where_and_since_when(store: BookStore) -> None:
    found = traced(store, row(store))
    annual = next(each for each in found.factors if each.basis == "location_annual")
    assert (annual.factor_id, annual.value, annual.unit, annual.publisher, annual.hours) == (
        "eea2023:FR",
        "50",
        "g/kWh",
        "EEA",
        48,
    )
    assert annual.value_g_per_kwh == Decimal(50)
    assert annual.recorded_at_s > 0
    (site,) = found.sites
    assert (site.site, site.zone, site.zone_assumed, site.pue_permille, site.pue_source, site.hours) == (
        "par1",
        "FR",
        False,
        1_210,
        "operator, 2026-Q3",
        48,
    )


def live(number: int, value: str, tier: int = 2) -> FactorRow:
    """The number-th hour of the row."""
    return hour((START_S - NOON_S) // HOUR_S + number, value, quality_tier=tier)


def test_what_an_hourly_factor_took_the_place_of_is_told(store: BookStore) -> None:
    """A preliminary value, then the final one, each in a bundle of its own."""
    record_factors(store, encode_bundle([FactorRecord(live(0, "61.5"), NOW_S - 900, 1)]))
    record_factors(store, encode_bundle([FactorRecord(live(0, "58.25", 1), NOW_S - 500, 1)]))
    found = traced(store, row(store))
    (detail,) = [each for each in found.factors if each.basis == "location_hourly" and each.tier == 1]
    assert (detail.value, detail.recorded_at_s, detail.raw_sha256, detail.hours) == ("58.25", NOW_S - 500, "ab" * 32, 1)
    assert [(each.value, each.recorded_at_s) for each in detail.former] == [("61.5", NOW_S - 900)]
    hourly = next(one for one in found.bases if one.name == "location_hourly")
    assert [(len(each.hours_s), each.rate) for each in hourly.products] == [(1, 58_250_000_000), (47, 50_000_000_000)]


def test_a_draft_as_of_a_time_uses_nothing_later_and_says_what_came(store: BookStore) -> None:
    record_factors(store, encode_bundle([FactorRecord(live(0, "61.5"), NOW_S - 900, 1)]))
    record_factors(store, encode_bundle([FactorRecord(live(0, "58.25", 1), NOW_S - 500, 1)]))
    early = trace(RICH, store, MONTH, row(store).row_id, as_of_s=NOW_S - 501)
    (detail,) = [each for each in early.factors if each.basis == "location_hourly" and each.tier == 2]
    assert (detail.value, detail.former) == ("61.5", ())
    assert [(each.value, each.recorded_at_s) for each in detail.later] == [("58.25", NOW_S - 500)]


def test_why_the_live_counter_differs_is_said(store: BookStore) -> None:
    found = traced(store, row(store)).live
    assert [(each.factor_id, each.pue_permille, each.hours, each.emissions_ug) for each in found.booked] == [
        ("old:FR", 1_150, 48, 96_000_000)
    ]
    said = " ".join(found.explanation)
    assert "counters rose by 96.000000 g" in said
    assert "the nodes knew old:FR when they booked; the statement uses eea2023:FR" in said
    assert "the nodes had 1150, the statement 1210" in said


def test_a_row_without_bookings_says_so(store: BookStore) -> None:
    found = traced(store, row(store, "team-1")).live
    assert found.booked == ()
    assert "booked no emissions" in found.explanation[0]


def test_a_row_is_found_by_the_beginning_of_its_id(store: BookStore) -> None:
    line = row(store)
    assert trace(RICH, store, MONTH, line.row_id[:8].upper(), as_of_s=NOW_S).line.row_id == line.row_id


def test_an_unknown_row_lists_the_nearest(store: BookStore) -> None:
    line = row(store)
    wrong = ("0" if line.row_id[0] != "0" else "1") + line.row_id[1:]
    with pytest.raises(UsageError, match=f"There is no row {wrong}") as caught:
        trace(RICH, store, MONTH, wrong, as_of_s=NOW_S)
    assert f"{line.row_id} (CC-1 / team-0 / p / training / par1 / gpu)" in caught.value.remedy


def test_idle_energy_that_was_handed_on_leads_to_the_row_that_it_is_from(store: BookStore) -> None:
    lines = compose(RICH, store, MONTH, as_of_s=NOW_S, hand_on_idle=True).rows
    moved = next(line for line in lines if line.row_id not in {each.row_id for each in rows_of(store)})
    with pytest.raises(UsageError, match="handed on to those who worked") as caught:
        trace(RICH, store, MONTH, moved.row_id, as_of_s=NOW_S)
    assert row(store, "__idle__").row_id in caught.value.remedy


@pytest.mark.parametrize("text", ["", "total", "zz", "'; DROP TABLE weighed"])
def test_what_is_no_row_is_one_sentence(store: BookStore, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        trace(RICH, store, MONTH, text, as_of_s=NOW_S)
    assert caught.value.remedy


def test_a_month_without_hours_is_one_sentence(store: BookStore) -> None:
    with pytest.raises(NoData, match="have nothing of 2026-09"):
        trace(RICH, store, "2026-09", "00", as_of_s=NOW_S)


def test_energy_without_a_tariff_is_not_known_and_not_nought(store: BookStore) -> None:
    found = traced(store, row(store, config=CONFIG), CONFIG)
    assert products_of(found, "cost") == [None]
    assert "cost_hundredths" not in {one.column.amount for one in found.rounding}
    assert found.line.amounts.cost_hundredths is None


@pytest.fixture
def closed(store: BookStore) -> BookStore:
    waive = ("coverage=a test", "unshipped=a test")
    review(store, config=RICH, waive=waive)
    close(store, config=RICH, waive=waive)
    return store


def test_a_closed_row_is_traced_with_what_was_sealed(closed: BookStore) -> None:
    """Neither late energy, nor another PUE, nor a newer factor changes what is traced."""
    line = row(closed)
    before = traced(closed, line)
    late(closed, ODD_UJ, "2026-10-28", node=replace(NODE, hostname="gpu-9", ledger="99" * 16))
    record_factors(closed, encode_bundle([FactorRecord(live(0, "58.25", 1), NOW_S - 500, 1)]))
    after = trace(with_pue(1.9), closed, MONTH, line.row_id, as_of_s=NOW_S + 900)
    assert (after.status, after.version, after.as_of_s, after.notes) == (Status.CLOSED, 1, NOW_S, ())
    assert replace(after, factors=()) == replace(before, factors=())
    assert [replace(each, later=()) for each in after.factors] == list(before.factors)
    draft = trace(with_pue(1.9), closed, MONTH, line.row_id, as_of_s=NOW_S + 900, version=0)
    assert (draft.status, draft.sites[0].pue_permille) == (Status.DRAFT, 1_900)


def test_a_bundle_that_came_damaged_keeps_no_closed_row_from_being_traced(closed: BookStore) -> None:
    line = row(closed)
    before = traced(closed, line)
    assert closed.create("factors/0000000000000000.json", b"{")
    assert traced(closed, line) == before


def test_versions_that_are_not_there_are_refused(closed: BookStore) -> None:
    with pytest.raises(UsageError, match="no closed version 7"):
        trace(RICH, closed, MONTH, "00", as_of_s=NOW_S, version=7)
    with pytest.raises(UsageError, match="is closed"):
        trace(RICH, closed, MONTH, "00", as_of_s=NOW_S, group_by=("team",))


def test_other_columns_of_a_draft_are_traced_by_the_same_names(store: BookStore) -> None:
    lines = compose(RICH, store, MONTH, as_of_s=NOW_S, group_by=("hostname",)).rows
    found = [trace(RICH, store, MONTH, line.row_id, as_of_s=NOW_S, group_by=("hostname",)) for line in lines]
    assert [each.line.key for each in found] == [("gpu-1",), ("gpu-2",)]
    assert {entry.hostname for entry in found[1].entries} == {"gpu-2"}
    total = sum(each.line.amounts.energy_it_wh for each in found)
    assert total == compose(RICH, store, MONTH, as_of_s=NOW_S).total.amounts.energy_it_wh


def test_a_file_that_breaks_is_named(store: BookStore) -> None:
    name = next(name for name, _ in store.names("entries/"))
    store.local([name])[0].write_bytes(b"PAR1")
    with pytest.raises(BooksDamaged, match="entries/month"):
        trace(RICH, store, MONTH, "00", as_of_s=NOW_S)
