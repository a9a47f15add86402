"""A month put together: the lake, factors, contracts, tariffs and settings, in numbers that anybody can work out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.books.small_lake import GPU, NODE, TRAIN, Hours, day, put, put_rows
from tests.finance.months import CONFIG, GPU_2, HOUR_UJ, MONTH, NEXT, NOW_S, SECOND, close, fill, review
from tracker.books.factorfiles import record_factors
from tracker.books.interface import BookStore
from tracker.books.names import day_start_s
from tracker.books.schema import entry_rows
from tracker.books.sites import SiteFacts, record_site
from tracker.books.store import open_store
from tracker.books.versions import claim_of, statement_of, versions
from tracker.config import Config
from tracker.config.books import Books, BooksTariff, TariffWindow
from tracker.config.pue import INDUSTRY
from tracker.config.schema import Accounting, Embodied, Grid, GridLoss, Node, PuePeriod, Site
from tracker.core.accounting import Pue, pue_at
from tracker.core.boundary import LEASED_ASSETS, SCOPE_2, Control
from tracker.core.errors import UsageError
from tracker.core.factors import Basis, FactorRow, FactorType, Origin, Scheme
from tracker.core.hours import HOUR_S, HourState
from tracker.core.known import FactorRecord
from tracker.core.model import IDLE, Component, GapReason, Kind, Method, Workload
from tracker.core.statement import FactorUse, Line, Statement
from tracker.finance.audit import recompute
from tracker.finance.compose import NoData, compose
from tracker.finance.places import site_book
from tracker.finance.terms import only_here
from tracker.finance.trend import with_trend
from tracker.grid.bundle import encode_bundle
from tracker.grid.store import FactorStore
from tracker.wiring import store_path

HOUR_MS = 3_600_000
KWH = 3_600_000_000_000
DAY = "2026-10-30"
FIRST_S = day_start_s(DAY)


@pytest.fixture
def empty(tmp_path: Path) -> BookStore:
    return open_store(str(tmp_path / "books"), create=True)


def composed(store: BookStore, config: Config = CONFIG, month: str = MONTH, **how: Any) -> Statement:
    told = {"as_of_s": NOW_S, **how}
    return compose(config, store, month, **told)


def hours(*energies_uj: int, workload: Workload = TRAIN, start_h: int = 0, **how: Any) -> Hours:
    made = Hours()
    for number, energy_uj in enumerate(energies_uj):
        made.add(FIRST_S + (start_h + number) * HOUR_S, energy_uj, workload=workload, **how)
    return made


def with_site(**how: Any) -> Config:
    told = {"zone": "FR", "pue": 1.0, "pue_source": "operator", **how}
    return Config(site={"par1": Site(**told)})


def accounting(config: Config, **how: Any) -> Config:
    return msgspec.structs.replace(config, accounting=Accounting(**how))


def live(
    at_s: int, value: str, *, zone: str = "FR", kind: FactorType = FactorType.DIRECT, minutes: int = 60
) -> FactorRow:
    return FactorRow(
        factor_id=f"neso:{zone}:{kind}:{at_s}:{minutes}",
        zone=zone,
        zone_printed=zone,
        zone_system="own",
        value_printed=value,
        unit_printed="g/kWh",
        gases="CO2e",
        factor_type=FactorType.DIRECT,
        basis=Basis.CONSUMPTION,
        scheme=Scheme.AVERAGE,
        quality_tier=1,
        valid_from_s=at_s,
        valid_to_s=at_s + minutes * 60,
        edition="live",
        data_year="2026",
        publisher="A service",
        source_ref="https://api.example",
        licence="CC BY 4.0",
        origin=Origin(provider="neso", fetched_at_s=at_s + 7200, raw_sha256="ab" * 32),
    )


def know(store: BookStore, *rows: FactorRow, recorded_at_s: int = NOW_S - 1000) -> None:
    record_factors(store, encode_bundle(FactorRecord(row, recorded_at_s, n) for n, row in enumerate(rows, 1)))


def used(statement: Statement, basis: str) -> list[FactorUse]:
    return [use for use in statement.factors if use.basis == basis]


def by_key(statement: Statement) -> dict[tuple[str, ...], Line]:
    return {line.key: line for line in statement.rows}


# --- a month by hand -------------------------------------------------------------------------------------------------


def test_a_kilowatt_hour_in_france(empty: BookStore) -> None:
    """1 kWh at PUE 1.21 is 1.21 kWh; by the EEA's 50 g/kWh that is 60.5 g, by AIB's residual mix of 23.52 g 28.5 g."""
    put(empty, DAY, hours(KWH))
    statement = composed(empty)
    total = statement.total.amounts
    assert (total.energy_it_wh, total.energy_facility_wh) == (1000, 1210)
    assert (total.location_g, total.market_g, total.unweighed_wh) == (60, 28, 0)
    assert (total.location_annual_g, total.location_hourly_g) == (60, 60)
    assert [(use.factor_id, use.value, use.energy_wh) for use in used(statement, "location_annual")] == [
        ("eea2023:FR", "50", 1210)
    ]
    (line,) = statement.rows
    assert line.key == ("CC-1", "nlp", "llama", "training", "par1", "gpu")
    assert (line.scope, line.category, statement.location_method) == ("2", "", "annual")
    assert statement.days[0].date == DAY
    assert (statement.period.month, statement.entity) == (MONTH, "Example SA")


def test_every_line_total_and_day_foots(store: BookStore) -> None:
    fill(store, days=(1, 5), node=SECOND, device=GPU_2, energy_uj=HOUR_UJ + 12_345_678_901)
    statement = composed(store)
    for name in ("energy_it_wh", "energy_facility_wh", "idle_wh", "device_mh", "location_g", "market_g", "upstream_g"):
        total = getattr(statement.total.amounts, name)
        assert sum(getattr(line.amounts, name) or 0 for line in statement.rows) == total, name
        assert sum(getattr(of_day.amounts, name) or 0 for of_day in statement.days) == total, name
    facility_wh = statement.total.amounts.energy_facility_wh
    for basis in ("location_annual", "location_hourly", "market", "upstream"):
        assert sum(use.energy_wh for use in used(statement, basis)) == facility_wh, basis
    assert sum(use.energy_it_wh for use in statement.sites) == statement.total.amounts.energy_it_wh


def test_idle_energy_is_a_row_of_its_own_and_handed_on_only_when_asked(store: BookStore) -> None:
    statement = composed(store, group_by=("project", "component"))
    assert {line.key[0] for line in statement.rows} == {"__idle__", "llama"}
    handed = composed(store, group_by=("project", "component"), hand_on_idle=True)
    assert [(line.key[0], line.kind, line.amounts.energy_it_wh) for line in handed.rows] == [
        ("__idle__", "usage", 12_600),
        ("__idle__", "allocation", -12_600),
        ("llama", "usage", 37_800),
        ("llama", "allocation", 12_600),
    ]
    assert handed.total == statement.total
    assert handed.statement_id != statement.statement_id


# --- factors ---------------------------------------------------------------------------------------------------------


def test_hours_are_weighed_by_their_own_factors_beside_the_annual_one(empty: BookStore) -> None:
    put(empty, DAY, hours(KWH, 3 * KWH))
    know(empty, live(FIRST_S, "20"), live(FIRST_S + HOUR_S, "40.5"))
    statement = composed(empty, accounting(with_site(), location_factor="hourly"))
    total = statement.total.amounts
    assert (total.location_hourly_g, total.location_annual_g, total.location_g) == (142, 200, 142)
    assert statement.location_method == "hourly"
    (use,) = used(statement, "location_hourly")
    assert (use.factor_id, use.value, use.energy_wh) == ("neso:FR:direct:tier 1 x2", "20 to 40.5", 4000)
    assert str(use.value_g_per_kwh) == "35.375000", "the mean by energy"
    assert any(name.startswith("factors/") for name in (each.name for each in statement.inputs))
    assert total.upstream_g is not None


@pytest.mark.parametrize(
    ("method", "said"), [("annual", "yearly official factors"), ("hourly", "factors of each hour")]
)
@pytest.mark.parametrize("configured", ["annual", "hourly"])
def test_the_method_names_the_factors_that_were_asked_for(
    empty: BookStore, method: str, said: str, configured: str
) -> None:
    put(empty, DAY, hours(KWH))
    statement = composed(empty, accounting(with_site(), location_factor=configured), method=method)
    assert statement.location_method == method
    assert f"column goes by {'the ' if method == 'hourly' else ''}{said}" in dict(statement.method)["Location-based"]
    titles = [title for title, _ in statement.method]
    assert len(set(titles)) == len(titles)
    assert "Software" not in titles, "the workbook and the page say it beside the method"


def test_an_hour_of_shorter_intervals_is_weighed_by_their_mean(empty: BookStore) -> None:
    """Half-hourly values: whoever took the first one alone would be wrong by the half."""
    put(empty, DAY, hours(KWH))
    know(empty, live(FIRST_S, "10", minutes=30), live(FIRST_S + 1800, "30", minutes=30))
    assert composed(empty, with_site()).total.amounts.location_hourly_g == 20


def test_what_was_recorded_later_is_not_used(empty: BookStore) -> None:
    put(empty, DAY, hours(KWH))
    know(empty, live(FIRST_S, "20"), recorded_at_s=NOW_S - 500)
    know(empty, live(FIRST_S, "30"), recorded_at_s=NOW_S - 100)
    grams = [
        composed(empty, with_site(), as_of_s=as_of_s).total.amounts.location_hourly_g
        for as_of_s in (NOW_S - 501, NOW_S - 500, NOW_S)
    ]
    assert grams == [50, 20, 30]


def test_a_place_without_any_factor_is_unknown_and_not_zero(empty: BookStore) -> None:
    put(empty, DAY, hours(KWH))
    config = msgspec.structs.replace(with_site(), grid=Grid(tiers=(1,)))
    statement = composed(empty, config)
    total = statement.total.amounts
    assert (total.location_g, total.upstream_g, total.unweighed_wh) == (None, None, 1000)
    assert total.market_g == 24, "the residual mix is known all the same"
    assert dict(statement.unknown_wh)["annual"] == 1000
    assert statement.total.ratios.intensity_mg_per_kwh is None


def test_a_zone_that_nobody_set_is_the_world_and_assumed(empty: BookStore) -> None:
    put(empty, DAY, hours(KWH), node=replace(NODE, site="", zone=""))
    statement = composed(empty, Config())
    (use,) = statement.sites
    assert (use.zone, use.zone_assumed, use.pue_permille, use.pue_assumed) == ("WORLD", True, 1560, True)
    assert statement.total.amounts.market_g is None, "the world is no market"
    assert "Nobody set a grid zone" in used(statement, "location_annual")[0].flags[0]
    assert statement.total.ratios.estimated_factor_ppm == 1_000_000


def test_the_settings_of_finance_mend_what_a_node_did_not_say(empty: BookStore) -> None:
    put(empty, DAY, hours(KWH), node=replace(NODE, zone=""))
    record_site(empty, SiteFacts(site="par1", zone="DE", pue=(Pue(1300, "node"),), hostname="gpu-1", recorded_at_s=5))
    by_facts, by_config = composed(empty, Config()), composed(empty, with_site(zone="FR", pue=1.1))
    assert [(use.zone, use.pue_permille, use.pue_source) for use in by_facts.sites] == [("DE", 1300, "node")]
    assert [(use.zone, use.pue_permille) for use in by_config.sites] == [("FR", 1100)]


def test_overhead_that_a_contract_books_apart_is_a_row_of_its_own_scope(empty: BookStore) -> None:
    """2 kWh at PUE 1.5 in somebody else's building: the kilowatt-hour that the building adds is leased, not Scope 2."""
    idle = hours(KWH, workload=IDLE, idle_uj=KWH)
    put(empty, DAY, Hours(entries=[*hours(KWH).entries, *idle.entries], states=hours(0).states))
    colo = composed(empty, with_site(pue=1.5, control="colo", colo_overhead="scope3-8"))
    whole = composed(empty, with_site(pue=1.5, control="colo"))
    columns = ("energy_it_wh", "energy_overhead_wh", "measured_wh", "idle_wh", "location_g", "embodied_g")
    rows = {
        (line.scope, line.category, line.key[2]): tuple(getattr(line.amounts, name) for name in columns)
        for line in colo.rows
    }
    assert {at: numbers[:5] for at, numbers in rows.items()} == {
        ("2", "", "llama"): (1000, 0, 1000, 0, 50),
        ("2", "", "__idle__"): (1000, 0, 1000, 1000, 50),
        ("3", "8", "llama"): (0, 500, 0, 0, 25),
        ("3", "8", "__idle__"): (0, 500, 0, 0, 25),
    }
    assert colo.total.amounts.embodied_g
    assert [numbers[5] for at, numbers in rows.items() if at[0] == "3"] == [0, 0], (
        "a building is no device: 0, and known"
    )
    assert (colo.total.amounts, colo.days, colo.factors, colo.sites) == (
        whole.total.amounts,
        whole.days,
        whole.factors,
        whole.sites,
    )
    assert "the building's own use Scope 3 category 8" in dict(colo.method)["Scopes"]
    assert [line.scope for line in whole.rows] == ["2", "2"]
    assert len({line.row_id for line in colo.rows}) == 4
    handed = composed(empty, with_site(pue=1.5, control="colo", colo_overhead="scope3-8"), hand_on_idle=True)
    net = {
        (line.scope, line.key[2]): sum(
            each.amounts.energy_facility_wh for each in handed.rows if (each.scope, each.key) == (line.scope, line.key)
        )
        for line in handed.rows
    }
    assert net == {("2", "llama"): 2000, ("2", "__idle__"): 0, ("3", "llama"): 1000, ("3", "__idle__"): 0}


def test_where_no_hardware_has_a_figure_that_of_the_building_is_not_said_to_be_known(empty: BookStore) -> None:
    put(empty, DAY, hours(KWH, component="dram"))
    colo = composed(empty, with_site(pue=1.5, control="colo", colo_overhead="scope3-8"))
    assert [line.amounts.embodied_g for line in colo.rows] == [None, None]
    assert colo.total.amounts.embodied_g is None


def test_a_building_that_adds_nothing_has_no_row(empty: BookStore) -> None:
    put(empty, DAY, hours(KWH))
    assert len(composed(empty, with_site(pue=1.0, control="colo", colo_overhead="scope3-1")).rows) == 1


SAID = SiteFacts(
    site="par1",
    zone="DE",
    timezone="Europe/Paris",
    control="colo",
    operational_control=False,
    colo_overhead="scope3-8",
    pue=(INDUSTRY, Pue(1300, "node")),
    hostname="gpu-1",
    recorded_at_s=5,
)


@pytest.mark.parametrize(
    ("stated", "changed"),
    [
        ({}, {}),
        ({"pue": 1.56, "pue_source": "operator"}, {}),
        ({"zone": "FR"}, {"zone": "FR", "zone_is_ours": True}),
        ({"timezone": "UTC"}, {"clock": UTC}),
        ({"control": "owned"}, {"control": Control.OWNED}),
        ({"operational_control": True}, {"operational_control": True}),
        ({"colo_overhead": "scope2"}, {"colo_overhead": SCOPE_2}),
    ],
)
def test_a_key_that_finance_states_changes_that_key_alone(stated: dict[str, Any], changed: dict[str, Any]) -> None:
    """The remedy for an assumed PUE is to state it: it must not move a cloud's energy into Scope 2."""
    by_nodes = site_book("par1", Config(), {"par1": SAID})
    assert (by_nodes.control, by_nodes.operational_control, by_nodes.colo_overhead) == (
        Control.COLO,
        False,
        LEASED_ASSETS,
    )
    book = site_book("par1", Config(site={"par1": Site(**stated)}), {"par1": SAID})
    assert replace(book, pues=by_nodes.pues) == replace(by_nodes, **changed)
    assert pue_at(book.pues, FIRST_S).permille == (1560 if "pue" in stated else 1300)


def test_a_pue_that_finance_states_from_a_day_on_begins_at_midnight_of_the_site() -> None:
    stated = Site(pue=1.1, pue_source="operator", pue_from=date(2026, 10, 30))
    book = site_book("par1", Config(site={"par1": stated}), {"par1": SAID})
    paris_s = FIRST_S - 3600  # 2026-10-30 in winter time
    assert [pue_at(book.pues, at_s).permille for at_s in (paris_s - 1, paris_s)] == [1300, 1100]


def test_what_a_row_says_of_its_zone_comes_before_what_its_site_says_now(empty: BookStore) -> None:
    put(empty, DAY, hours(KWH))
    record_site(empty, SiteFacts(site="par1", zone="DE", hostname="gpu-1", recorded_at_s=5))
    assert [use.zone for use in composed(empty, Config()).sites] == ["FR"]


def test_a_pue_that_changes_in_the_month_holds_from_its_day(empty: BookStore) -> None:
    put(empty, DAY, hours(KWH))
    put(empty, "2026-10-31", Hours().add(day_start_s("2026-10-31"), KWH))
    periods = (PuePeriod(begin=date(2026, 10, 31), pue=1.5, source="meter"),)
    statement = composed(empty, with_site(pue=1.2, pue_periods=periods))
    assert statement.total.amounts.energy_facility_wh == 2700
    assert [(use.pue_permille, use.hours) for use in statement.sites] == [(1200, 1), (1500, 1)]


def test_upstream_is_of_one_place_and_losses_are_added_where_they_are_not_in_it(empty: BookStore) -> None:
    """Germany: life-cycle 380.95 (Ember 2023) less direct 329 (EEA 2023) is 51.95 g/kWh; of losses UBA's factor in use
    does not say. France: 56.04 less 50, and 4.1 % of 50."""
    put(empty, DAY, hours(KWH), node=replace(NODE, zone="DE"))
    config = with_site(zone="DE")
    assert composed(empty, config).total.amounts.upstream_g == 52
    lossy = accounting(config, grid_loss=GridLoss(ratio=0.041, source="operator"))
    statement = composed(empty, lossy)
    assert statement.total.amounts.upstream_g == 52
    assert "is not stated; none are added" in " ".join(used(statement, "upstream")[0].flags), "UBA does not say"
    french = accounting(with_site(zone="FR"), grid_loss=GridLoss(ratio=0.041))
    assert composed(empty, french).total.amounts.upstream_g == 8, "EEA's 50 g/kWh says that losses are not in it"


def test_yearly_factors_that_somebody_brought_in_weigh_a_month_beside_the_tables(empty: BookStore) -> None:
    """Of an earlier year than the month, as official ones are; those of a residual mix too."""
    put(empty, DAY, hours(KWH))
    year = replace(live(FIRST_S, "45"), quality_tier=4, valid_from_s=day_start_s("2025-01-01"), origin=Origin())
    official = replace(year, factor_id="eea2025:FR", valid_to_s=day_start_s("2026-01-01"), data_year="2025")
    mix = replace(official, factor_id="aib2025:FR", value_printed="30", basis=Basis.RESIDUAL)
    before = composed(empty, with_site())
    know(empty, official, mix)
    statement = composed(empty, with_site())
    total = statement.total.amounts
    assert (total.location_annual_g, total.location_hourly_g, total.market_g) == (45, 45, 30)
    assert [(use.factor_id, use.recorded_at_s) for use in used(statement, "location_annual")] == [
        ("eea2025:FR", NOW_S - 1000)
    ]
    assert statement.statement_id != before.statement_id
    assert composed(empty, with_site(), as_of_s=NOW_S - 1001).total.amounts.location_annual_g == 50


# --- contracts, prices, hardware -------------------------------------------------------------------------------------

CONTRACTS = """
[[instrument]]
key = "go"
kind = "certificate"
market = "FR"
g_per_kwh = 0
valid_from = 2026-10-30
valid_to = 2026-10-31
volume_kwh = {kwh}
source = "Statement 17"
tracking_system = "AIB EECS"
vintage = "2026"
retired_for = "Example SA"
retirement_id = "R-1"
"""


def with_contracts(folder: Path, kwh: int) -> Config:
    path = folder / "contracts.toml"
    path.write_text(CONTRACTS.format(kwh=kwh), encoding="utf-8")
    return accounting(with_site(), instruments_file=str(path))


def test_certificates_cover_their_share_and_the_rest_is_residual_mix(empty: BookStore, tmp_path: Path) -> None:
    put(empty, DAY, hours(KWH, 3 * KWH))
    statement = composed(empty, with_contracts(tmp_path, 3))
    assert (statement.total.amounts.market_g, statement.total.amounts.location_g) == (24, 200)
    uses = {use.factor_id: use.energy_wh for use in used(statement, "market")}
    assert uses == {"aib2024:FR:residual": 1000, "certificate:go": 3000}


def test_a_filtered_statement_has_its_share_of_the_certificates(empty: BookStore, tmp_path: Path) -> None:
    other = Workload("pod/2", Kind.POD, "x", team="vision")
    put(
        empty,
        DAY,
        Hours(entries=[*hours(KWH).entries, *hours(3 * KWH, workload=other).entries], states=hours(0).states),
    )
    statement = composed(empty, with_contracts(tmp_path, 3), filters=[("team", "nlp")])
    assert statement.total.amounts.energy_it_wh == 1000
    assert {use.factor_id: use.energy_wh for use in used(statement, "market")}["certificate:go"] == 750


def test_more_certificates_than_energy_are_refused(empty: BookStore, tmp_path: Path) -> None:
    put(empty, DAY, hours(KWH))
    with pytest.raises(UsageError, match=r"claim 3\.000 kWh of this month, where 1\.000 kWh are uncovered"):
        composed(empty, with_contracts(tmp_path, 3))


def test_a_year_of_certificates_gives_a_quiet_month_what_it_used(empty: BookStore, tmp_path: Path) -> None:
    """365 kWh over a year are 31 for October, of which 1 was used: the rest of its part is told, none is refused."""
    put(empty, DAY, hours(KWH))
    config = with_contracts(tmp_path, 365)
    path = Path(config.accounting.instruments_file)
    year = path.read_text("utf-8").replace("2026-10-31", "2027-01-01").replace("2026-10-30", "2026-01-01")
    path.write_text(year, encoding="utf-8")
    statement = composed(empty, config)
    assert (statement.total.amounts.market_g, statement.total.amounts.energy_it_wh) == (0, 1000)
    (certificate,) = used(statement, "market")
    assert certificate.energy_wh == 1000
    assert "30.000 kWh of its part of this month are unused: less was consumed." in certificate.flags


def test_cost_goes_by_the_clock_of_the_site(empty: BookStore) -> None:
    """22:00 to 24:00 UTC is 23:00 to 01:00 in Paris in October (winter time): both hours are night."""
    night = TariffWindow(begin="23:00", to="07:00", price=0.1)
    books = Books(currency="EUR", tariffs=(BooksTariff(price=0.2, windows=(night,)),))
    config = msgspec.structs.replace(with_site(timezone="Europe/Paris"), books=books)
    put(empty, DAY, hours(KWH, KWH, KWH, start_h=21))
    statement = composed(empty, config)
    assert (statement.total.amounts.cost_hundredths, statement.currency) == (20 + 10 + 10, "EUR")
    assert composed(empty, with_site()).total.amounts.cost_hundredths is None, "without a tariff there is no cost"


def test_hardware_weighs_by_model_and_the_host_by_its_packages(empty: BookStore) -> None:
    """An H100 for an hour is 3.744 g; a host of 438 kg is 10 g an hour, shared by two packages."""
    made = hours(KWH).add(FIRST_S, KWH, device="p0", component=Component.CPU, model="Xeon")
    made.add(FIRST_S, KWH, device="p1", component=Component.CPU, model="Xeon", held_ms=HOUR_MS // 2)
    put(empty, DAY, made)
    config = accounting(with_site(), embodied=Embodied(host_kgco2e=438))
    statement = composed(empty, config, group_by=("component",))
    assert {line.key[0]: line.amounts.embodied_g for line in statement.rows} == {"gpu": 4, "cpu": 7}
    assert statement.total.amounts.embodied_g == 11
    names = [use.factor_id for use in used(statement, "embodied")]
    assert names == ["embodied:NVIDIA HGX H100 per GPU", "embodied:host"]
    assert by_key(composed(empty, with_site(), group_by=("component",)))["cpu",].amounts.embodied_g is None


@pytest.mark.parametrize(
    ("how", "scope"),
    [
        ({"control": "owned"}, ("2", "")),
        ({"control": "leased", "operational_control": False}, ("3", "8")),
        ({"control": "cloud"}, ("3", "1")),
    ],
)
def test_who_controls_the_hardware_decides_its_scope(
    empty: BookStore, how: dict[str, Any], scope: tuple[str, str]
) -> None:
    put(empty, DAY, hours(KWH))
    statement = composed(empty, with_site(**how))
    assert [(line.scope, line.category) for line in statement.rows] == [scope]
    assert how["control"] in dict(statement.method)["Scopes"]


def test_two_scopes_are_never_in_one_row(empty: BookStore) -> None:
    put(empty, DAY, hours(KWH))
    put(empty, DAY, hours(KWH, device=GPU_2), node=replace(SECOND, site="cloud1"))
    config = Config(site={"par1": Site(zone="FR"), "cloud1": Site(zone="FR", control="cloud")})
    rows = composed(empty, config, group_by=("team",)).rows
    assert [(line.key, line.scope) for line in rows] == [(("nlp",), "2"), (("nlp",), "3")]
    assert len({line.row_id for line in rows}) == 2


# --- coverage --------------------------------------------------------------------------------------------------------


def test_missing_hours_are_listed_and_gaps_count(empty: BookStore) -> None:
    made = hours(KWH, KWH, covered_ms=HOUR_MS // 2)
    made.states += [HourState(FIRST_S, GPU, Component.GPU, GapReason.DOWNTIME, HOUR_MS // 2)]
    put(empty, DAY, made)
    statement = composed(empty, as_of_s=FIRST_S + 4 * HOUR_S + 100)
    (line,) = statement.coverage
    assert (line.hostname, line.expected_h, line.present_h) == ("gpu-1", 4, 2)
    assert line.gaps_s == (("downtime", 1800),)
    assert line.missing == ("2026-10-30T02:00Z +2 h",)
    assert line.covered_ppm == statement.total.ratios.coverage_ppm == 333_333


def test_a_node_that_vanished_is_expected_until_it_is_retired(empty: BookStore) -> None:
    """It shipped in September and not one hour in October: its energy is missing, not zero."""
    put(empty, DAY, hours(*[KWH] * 24))
    put(empty, "2026-09-30", day("2026-09-30", device=GPU_2), node=SECOND)
    lost = {line.hostname: line for line in composed(empty).coverage}
    assert (lost["gpu-2"].expected_h, lost["gpu-2"].present_h, lost["gpu-2"].covered_ppm) == (744, 0, 0)
    assert lost["gpu-2"].site == "par1"
    assert lost["gpu-2"].missing == ("2026-10-01T00:00Z +744 h",)
    assert (composed(empty).total.ratios.coverage_ppm or 0) < 50_000
    retired = msgspec.structs.replace(CONFIG, books=Books(retired={"gpu-2": date(2026, 10, 2)}))
    assert {line.hostname: line.expected_h for line in composed(empty, retired).coverage}["gpu-2"] == 24
    gone = msgspec.structs.replace(CONFIG, books=Books(retired={"gpu-2": date(2026, 9, 30)}))
    assert [line.hostname for line in composed(empty, gone).coverage] == ["gpu-1"]


def test_a_row_has_the_coverage_of_its_site_and_component(empty: BookStore) -> None:
    made = hours(KWH).add(FIRST_S, KWH, device="p0", component=Component.CPU, model="Xeon", covered_ms=HOUR_MS // 4)
    made.states += [HourState(FIRST_S, "p0", Component.CPU, GapReason.PERMISSION, 3 * HOUR_MS // 4)]
    put(empty, DAY, made)
    rows = composed(empty, group_by=("site", "component"), as_of_s=FIRST_S + HOUR_S).rows
    assert {line.key[1]: line.ratios.coverage_ppm for line in rows} == {"gpu": 1_000_000, "cpu": 250_000}


def test_a_hostname_of_two_ledgers_is_read_whole_and_told(empty: BookStore) -> None:
    put(empty, DAY, hours(KWH))
    put(empty, DAY, hours(KWH), node=replace(NODE, ledger="ff" * 16))
    statement = composed(empty)
    assert statement.total.amounts.energy_it_wh == 2000
    assert "Two ledgers of gpu-1" in dict(statement.method)["Notes"]


def test_of_files_that_contradict_each_other_one_is_read_and_both_are_named(empty: BookStore) -> None:
    put(empty, DAY, hours(KWH))
    put_rows(empty, "entries", DAY, entry_rows(NODE, hours(3 * KWH).entries))
    statement = composed(empty)
    assert statement.total.amounts.energy_it_wh in {1000, 3000}
    assert "are of the same hours: the first was read" in dict(statement.method)["Notes"]


# --- what is asked, and what for -------------------------------------------------------------------------------------


def test_a_month_without_anything_says_so(empty: BookStore) -> None:
    with pytest.raises(NoData, match="have nothing of 2026-10; nor of any of the 24 months up to now") as nothing:
        composed(empty)
    assert nothing.value.remedy == "Ship a node's hours first: wattledger ship"
    put(empty, DAY, hours(KWH))
    fill(empty, "2026-08", days=(9, 9))
    with pytest.raises(NoData, match="have nothing of 2026-09; they have energy of 2026-08, 2026-10"):
        composed(empty, month="2026-09")
    with pytest.raises(UsageError, match="has not begun yet"):
        composed(empty, month="2027-01")
    with pytest.raises(UsageError, match="is no month"):
        composed(empty, month="2026-1")


def test_a_month_in_progress_is_a_draft_of_what_is_there(empty: BookStore) -> None:
    put(empty, DAY, hours(KWH), span_h=(0, 1))
    statement = composed(empty, as_of_s=FIRST_S + HOUR_S)
    assert (str(statement.status), statement.version) == ("draft", 0)
    assert statement.statement_id.startswith("2026-10-draft-")
    assert statement.total.ratios.coverage_ppm == 1_000_000


def test_inputs_are_all_files_with_their_hashes_when_asked(store: BookStore) -> None:
    record_site(store, SiteFacts(site="par1", zone="FR", hostname="gpu-1", recorded_at_s=5))
    record_site(store, SiteFacts(site="par1", zone="DE", hostname="gpu-9", recorded_at_s=NOW_S + 1))
    drafted, hashed = composed(store), composed(store, hash_inputs=True)
    assert [each.name.split("/")[0] for each in hashed.inputs] == ["coverage"] * 3 + ["entries"] * 3 + ["sites"]
    assert [each.name for each in drafted.inputs] == [each.name for each in hashed.inputs]
    assert all(each.sha256 == "" for each in drafted.inputs)
    import hashlib

    for each in hashed.inputs:
        content = store.read(each.name) or b""
        assert (each.sha256, each.size_bytes) == (hashlib.sha256(content).hexdigest(), len(content))


def test_what_only_this_machine_knows_weighs_nothing_until_it_is_in_the_books(empty: BookStore, tmp_path: Path) -> None:
    """Else a draft would say what nobody can review, and another machine would say something else."""
    put(empty, DAY, hours(KWH))
    config = msgspec.structs.replace(with_site(), node=Node(state_dir=tmp_path))
    with FactorStore(store_path(config)) as own:
        own.append([live(FIRST_S, "20"), live(FIRST_S, "9", zone="NO")], NOW_S - 10)
    draft = composed(empty, config)
    zones = [use.zone for use in draft.sites]
    assert draft.total.amounts.location_hourly_g == 50
    assert only_here(config, empty, zones, draft.period, NOW_S) == 1, "of FR alone"
    assert only_here(config, empty, zones, draft.period, NOW_S - 11) == 0, "it was not known then"
    know(empty, live(FIRST_S, "20"))
    shipped = composed(empty, config)
    assert shipped.total.amounts.location_hourly_g == 20
    assert only_here(config, empty, zones, draft.period, NOW_S) == 0
    assert shipped.statement_id != draft.statement_id, "they are made of other inputs"
    assert review(empty, config=config, waive=("coverage=a part", "unshipped=a part")).statement_sha256


def test_steps_are_told_in_order(store: BookStore) -> None:
    told: list[tuple[int, int, str]] = []
    composed(store, tell=lambda done, whole, what: told.append((done, whole, what)))
    assert [done for done, _, _ in told] == list(range(6))
    assert told[2][2] == "reading entries"


def test_simulated_energy_is_told_apart(empty: BookStore) -> None:
    put(empty, DAY, hours(KWH, method=Method.SIMULATED))
    total = composed(empty).total.amounts
    assert (total.simulated_wh, total.measured_wh, total.modelled_wh) == (1000, 0, 0)


def test_labels_of_any_kind_pass_through(empty: BookStore) -> None:
    nasty = Workload("pod/9", Kind.POD, "x", team="=1+1", project="a'b\"; DROP TABLE x; --", cost_centre="北京 🚀")
    put(empty, DAY, hours(KWH, workload=nasty))
    assert composed(empty).rows[0].key[:3] == ("北京 🚀", "=1+1", "a'b\"; DROP TABLE x; --")


_CHILD = """
import sys
from pathlib import Path
import msgspec
from tests.finance.months import CONFIG, MONTH, NOW_S
from tracker.books.store import open_store
from tracker.finance.compose import compose
statement = compose(CONFIG, open_store(sys.argv[1]), MONTH, as_of_s=NOW_S, threads=int(sys.argv[2]))
sys.stdout.buffer.write(msgspec.json.encode(statement, order="deterministic"))
"""


def test_the_same_books_give_the_same_statement_anywhere(store: BookStore, tmp_path: Path) -> None:
    """Whatever the time zone, the locale, the hash seed and the number of threads are."""
    fill(store, days=(1, 4), node=SECOND, device=GPU_2, energy_uj=HOUR_UJ + 7)
    said = []
    for seed, zone, locale, threads in (("0", "UTC", "C", "1"), ("7", "Asia/Kathmandu", "de_DE.UTF-8", "4")):
        environ = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": locale}
        command = [sys.executable, "-c", _CHILD, store.url.removeprefix("file://"), threads]
        said.append(subprocess.run(command, env=environ, capture_output=True, check=True).stdout)
    assert said[0] == said[1]
    assert json.loads(said[0])["total"]["amounts"]["energy_it_wh"] > 0


# --- months before ---------------------------------------------------------------------------------------------------


def test_the_trend_has_closed_months_as_closed_and_open_ones_as_they_are_now(store: BookStore) -> None:
    fill(store, "2026-09", days=(29, 30))
    fill(store, "2026-11", days=(1, 2))
    november = composed(store, month="2026-11")
    live_now = dict(with_trend(CONFIG, store, november, open_months=True).months)
    assert {month: amounts.energy_it_wh for month, amounts in live_now.items()} == {
        "2026-09": 2 * 24 * 700,
        "2026-10": 3 * 24 * 700,
    }
    assert with_trend(CONFIG, store, november).months == ()


def test_a_closed_month_stays_in_the_trend_what_it_was_closed_with(closed: BookStore) -> None:
    fill(closed, "2026-11", days=(1, 2))
    put(closed, "2026-10-28", day("2026-10-28"))  # late
    november = composed(closed, month="2026-11", as_of_s=NOW_S + 10)
    ((month, amounts),) = with_trend(CONFIG, closed, november, open_months=True).months
    assert (month, amounts.energy_it_wh) == ("2026-10", 3 * 24 * 700)
    before = replace(november, as_of_s=NOW_S - 1)
    assert with_trend(CONFIG, closed, before).months == (), "it was not closed then"


def test_a_closed_month_is_sealed_with_the_months_before_and_can_be_made_again(closed: BookStore) -> None:
    fill(closed, NEXT, days=(1, 30))
    later_s = day_start_s("2026-12-05")
    review(closed, month=NEXT, now_s=later_s)
    close(closed, month=NEXT, now_s=later_s)
    (version,) = versions(closed, NEXT)
    statement = statement_of(closed, version)
    assert [(month, amounts.energy_it_wh) for month, amounts in statement.months] == [("2026-10", 3 * 24 * 700)]
    again = recompute(CONFIG, closed, claim_of(closed, version))
    assert (again.months, again.total) == (statement.months, statement.total)
