"""What knows factors is made of the configuration that a user wrote; what cannot be stops the start."""

from __future__ import annotations

import io
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from tests.core.test_chain import HOUR, live
from tests.test_wiring import config_of
from tracker import clock, services, wiring
from tracker.cli.main import main
from tracker.codecarbon_facts import CodecarbonFacts
from tracker.core.errors import UsageError
from tracker.core.factors import Origin
from tracker.core.model import Level
from tracker.core.units import NS_PER_S
from tracker.grid.chain import ChainProvider
from tracker.grid.interface import Question, Unreachable
from tracker.grid.store import FactorStore, ProviderStatus
from tracker.grid_wiring import Cloud, learn_from_store, nobody, node_zone
from tracker.log import Log
from tracker.reporter import Reporter

NOW = 1_790_000_000
FACTS = CodecarbonFacts("3.3.2", None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sys").mkdir()
    (tmp_path / "proc").mkdir()
    return tmp_path


def names(folder: Path, text: str) -> dict[str, list[str]]:
    asked = wiring.live_providers(config_of(folder, text), nobody)
    return {zone: [provider.name for provider in providers] for zone, providers in asked.items()}


def test_the_tables_ask_nobody(folder: Path) -> None:
    assert names(folder, '[site.a]\nzone = "FR"\n') == {}


def test_services_are_asked_in_the_order_of_the_chain(folder: Path) -> None:
    text = '[site.a]\nzone = "FR"\n[grid]\nchain = ["rte", "energycharts", "electricitymaps"]\n'
    assert names(folder, text) == {"FR": ["rte", "energycharts", "electricitymaps"]}


def test_a_service_that_knows_only_the_country_is_asked_about_that(folder: Path) -> None:
    text = '[site.a]\nzone = "aws:eu-west-2"\n[grid]\nprovider = "neso"\n'
    assert list(names(folder, text).values()) == [["neso"]]


def test_a_zone_has_its_own_chain(folder: Path) -> None:
    text = '[site.a]\nzone = "GB"\n[grid]\nprovider = "rte"\n[grid.zone.GB]\nchain = ["neso"]\n'
    assert names(folder, text) == {"GB": ["neso"]}


def test_a_service_that_does_not_know_the_zone_is_refused_and_those_that_do_are_named(folder: Path) -> None:
    with pytest.raises(UsageError) as caught:
        names(folder, '[site.a]\nzone = "DE"\n[grid]\nprovider = "neso"\n')
    said = str(caught.value)
    assert said.startswith(f"{folder}/config.toml:")
    assert "The provider neso does not know the zone DE (Germany). Its zone is known to " in said
    assert "energycharts" in said
    assert "neso or" not in said.partition("known to")[2]


def test_options_that_cannot_be_are_a_sentence(folder: Path) -> None:
    with pytest.raises(UsageError):
        names(folder, '[site.a]\nzone = "DE"\n[grid]\nprovider = "file"\n')


def test_a_profile_is_given_the_official_factor(folder: Path) -> None:
    text = '[site.a]\nzone = "FR"\n[grid]\nprovider = "profile"\n[grid.profile]\nshape = "flat"\n'
    (provider,) = wiring.live_providers(config_of(folder, text), nobody)["FR"]
    zone = node_zone(config_of(folder, text))
    rows = provider.read(zone, NOW // HOUR * HOUR, NOW // HOUR * HOUR + 2 * HOUR, NOW)
    assert [(row.value_printed, row.quality_tier) for row in rows] == [("50", 3), ("50", 3)], "EEA's of France"


@pytest.mark.parametrize("name", services.LIVE)
def test_every_service_has_a_section(folder: Path, name: str) -> None:
    assert isinstance(config_of(folder, f"[grid.{name}]\n").grid.providers[name], services.LIVE_OPTIONS[name])


def test_nobody_asks_anybody_from_the_daemon() -> None:
    with pytest.raises(Unreachable):
        nobody(Question("https://api.example/x"))


def test_the_place_comes_from_the_cloud_only_if_that_is_switched_on(folder: Path) -> None:
    asked: list[Cloud] = []

    def region(cloud: Cloud) -> str:
        asked.append(cloud)
        return "aws:eu-west-3"

    assert node_zone(config_of(folder), region).code == "WORLD"
    assert node_zone(config_of(folder, '[site.a]\nzone = "FR"\n[grid]\ncloud_metadata = "aws"\n'), region).code == "FR"
    assert asked == [], "nobody said that it may be asked, or the zone is known"
    assert node_zone(config_of(folder, '[grid]\ncloud_metadata = "aws"\n'), region).code == "aws:eu-west-3"
    assert asked == ["aws"]


def made(folder: Path, text: str) -> ChainProvider:
    chain, _zone = wiring.grid_for(config_of(folder, text), FACTS, NOW)
    return chain


def test_the_tiers_of_the_configuration_hold_for_tables_too(folder: Path) -> None:
    of = '[site.a]\nzone = "FR"\n[grid]\ntiers = [{}]\n'
    assert made(folder, of.format("1, 2, 4")).factor("FR", NOW).tier == 4
    assert made(folder, of.format("1, 2")).factor("FR", NOW).intensity_mg_per_kwh is None
    assert made(folder, of.format("6")).factor("FR", NOW).tier == 6


def test_the_suppliers_rate_comes_from_the_instruments_file(folder: Path) -> None:
    file = folder / "instruments.toml"
    file.write_text(INSTRUMENTS, encoding="utf-8")
    text = f'[site.a]\nzone = "FR"\n[accounting]\ninstruments_file = "{file}"\n'
    market = made(folder, text).market("FR", NOW)
    assert market is not None
    assert (market.intensity_mg_per_kwh, market.basis, market.provider) == (5_500, "market", "instruments")


INSTRUMENTS = """
[[instrument]]
key = "green-tariff"
kind = "supplier"
market = "FR"
g_per_kwh = 5.5
valid_from = 2026-01-01
valid_to = 2027-01-01
source = "Contract 7"
"""


def test_config_check_finds_what_would_stop_the_daemon(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For every site of a shared file, without asking anybody."""
    bad = folder / "bad.toml"
    bad.write_text(INSTRUMENTS.replace("g_per_kwh = 5.5", "g_per_kwh = -1"), encoding="utf-8")
    site = 'node.site = "a"\n[site.a]\nzone = "FR"\n[site.b]\nzone = "GB"\n'
    for text, sentence in (
        (f'{site}[accounting]\ninstruments_file = "{bad}"\n', "bad.toml, line 2 (green-tariff): g_per_kwh is -1"),
        (f'{site}[accounting]\ninstruments_file = "{folder}/none.toml"\n', "none.toml cannot be read"),
        (f'{site}[grid]\nprovider = "rte"\n', "The provider rte does not know the zone GB"),
        (f'{site}[grid]\nprovider = "rte"\n[grid.zone.GB]\nchain = ["neso"]\n', ""),
    ):
        file = folder / "checked.toml"
        file.write_text(text, encoding="utf-8")
        with pytest.raises(SystemExit) as end:
            main(["config", "check", "--config", str(file)])
        printed = capsys.readouterr()
        assert (end.value.code, sentence in printed.err) == (2 if sentence else 0, True), printed.err


def test_an_operators_own_figures_of_devices_are_exact(folder: Path) -> None:
    text = '[accounting.embodied]\nlifetime_h = 35040\nhost_kgco2e = 2500.1\ndevices = { "GPU X" = 99.9 }\n'
    rates = wiring.embodied_for(config_of(folder, text))
    assert rates.lifetime_h == 35_040
    assert rates.host is not None
    assert rates.host.kgco2e == Decimal("2500.1")
    own = next(device for device in rates.table if device.name == "GPU X")
    assert (own.kgco2e, own.source_ref) == (Decimal("99.9"), "the configuration")
    assert len(rates.table) > 5, "beside the published ones"


def test_the_node_page_and_check_say_that_a_pue_is_assumed(folder: Path) -> None:
    settings = wiring.settings_for(config_of(folder))
    assert (settings.pue_permille, settings.pue_source) == (
        1560,
        "assumed: industry average, set pue and pue_source",
    )
    (finding,) = wiring.check_site(config_of(folder), NOW)
    assert (finding.level, finding.message) == (
        Level.WARN,
        "PUE 1.56 is assumed: industry average, set pue and pue_source.",
    )
    stated = '[site.a]\npue = 1.21\npue_source = "operator, 2026"\n'
    (finding,) = wiring.check_site(config_of(folder, stated), NOW)
    assert (finding.level, finding.message) == (Level.OK, "PUE 1.21: operator, 2026.")


EMA = replace(
    live("a", "402", 4, start_s=NOW - 400 * 24 * HOUR, length_s=365 * 24 * HOUR),
    factor_id="ema2025:SG",
    zone="SG",
    edition="EMA 2025",
    data_year="2025",
    origin=Origin(),
)


@pytest.mark.parametrize("text", ["", '[grid]\nprovider = "rte"\n', '[accounting]\nlocation_factor = "hourly"\n'])
def test_a_daemon_goes_by_what_somebody_imports_while_it_runs(folder: Path, text: str) -> None:
    """A yearly factor counts for every node; hours for those that go by hours."""
    zone = "FR" if "rte" in text else "SG"
    config, now_s = config_of(folder, f'[site.a]\nzone = "{zone}"\n{text}'), clock.now().wall_ns // NS_PER_S
    chain, zone = wiring.grid_for(config, FACTS, now_s)
    told = Reporter(Log(io.StringIO(), style="logfmt", environ={}))
    refresher = wiring.refresher_for(config, chain, zone, told, clock.now)
    before = chain.factor(zone, now_s).factor_id
    with FactorStore(wiring.store_path(config)) as store:
        hour = replace(live("rte", "30", start_s=now_s // HOUR * HOUR), zone=zone)
        store.append([replace(EMA, zone=zone), hour], now_s)
    assert chain.factor(zone, now_s).factor_id == before
    refresher.read()
    by_year, by_hour = chain.both(zone, now_s)
    assert (by_year.factor_id, by_year.tier, by_year.intensity_mg_per_kwh) == ("ema2025:SG", 4, 402_000)
    assert by_hour.tier == (1 if text else 4), "hours are not read for a node that goes by years"


def test_a_profile_spreads_the_official_factor_that_somebody_imported(folder: Path) -> None:
    config = config_of(folder, '[site.a]\nzone = "SG"\n[grid]\nprovider = "profile"\n[grid.profile]\nshape = "flat"\n')
    with FactorStore(wiring.store_path(config)) as store:
        store.append([EMA], NOW)
    (provider,) = wiring.live_providers(config, nobody)["SG"]
    (row,) = provider.read(node_zone(config), NOW // HOUR * HOUR, NOW // HOUR * HOUR + 1, NOW)
    assert (row.value_printed, row.quality_tier, row.data_year) == ("402", 3, "2025")


def test_a_profile_spreads_the_official_factor_of_a_state(folder: Path) -> None:
    """EPA's own, as the annual figure does."""
    text = '[site.a]\nzone = "US-WY"\n[grid]\nprovider = "profile"\n[grid.profile]\nshape = "flat"\n'
    config = config_of(folder, text)
    (provider,) = wiring.live_providers(config, nobody)["US-WY"]
    (row,) = provider.read(node_zone(config), NOW // HOUR * HOUR, NOW // HOUR * HOUR + 1, NOW)
    assert "STC2ERTA" in row.source_ref


def test_check_goes_by_what_somebody_imported(folder: Path) -> None:
    config = config_of(folder, '[site.a]\nzone = "SG"\n')
    chain, zone = wiring.grid_for(config, FACTS, NOW)
    with FactorStore(wiring.store_path(config)) as store:
        store.append([EMA], NOW)
    assert learn_from_store(config, chain, zone, NOW) == ()
    assert chain.factor(zone, NOW).factor_id == "ema2025:SG"


def test_commands_know_what_the_store_knows(folder: Path) -> None:
    config = config_of(folder, '[site.a]\nzone = "FR"\n[grid]\nprovider = "rte"\n')
    chain, zone = wiring.grid_for(config, FACTS, NOW)
    assert learn_from_store(config, chain, zone, NOW) == ()
    with FactorStore(wiring.store_path(config)) as store:
        store.append([live("rte", "30", start_s=NOW // HOUR * HOUR)], NOW)
        store.put_status(ProviderStatus("rte", 2, NOW + 300, None, "RTE does not answer.", "Unreachable"))
    (finding,) = learn_from_store(config, chain, zone, NOW)
    assert finding.message == "rte failed 2 times: RTE does not answer."
    assert chain.both("FR", NOW)[1].intensity_mg_per_kwh == 30_000
