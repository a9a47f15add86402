"""The yearly tables give every gram a source and a tier, and no gram where there is no value."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.core.test_factors import row
from tracker.codecarbon_facts import codecarbon_facts
from tracker.core.carbon import AnnualIntensity
from tracker.core.factors import Basis, Choice, NoFactor, choose_residual
from tracker.core.known import FactorRecord
from tracker.core.model import Factor, Level
from tracker.core.printed import PrintedIntensity
from tracker.grid.catalogue import zones
from tracker.grid.interface import GridProvider, UnknownZone
from tracker.grid.shipped import COLLECTED_S, read_factors
from tracker.grid.tables import TablesProvider, generic_rows
from tracker.grid.yearly import with_learnt
from tracker.grid.zones import find_zone, zone_path


def at(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())


NOW_S = at("2026-09-21")
OWID = "Our World in Data (Ember), in codecarbon 3.3.2"
COUNTRIES = {
    "FRA": AnnualIntensity(56_039, 2023, "lifecycle", OWID),
    "JPN": AnnualIntensity(485_392, 2023, "lifecycle", OWID),
    "UZB": AnnualIntensity(1_167_603, 2022, "lifecycle", OWID),
    "CAF": AnnualIntensity(0, 2022, "lifecycle", OWID),  # what codecarbon 3.3.2 says
    "LSO": AnnualIntensity(-1, 2022, "lifecycle", OWID),
    "GHA": AnnualIntensity(2_000_001, 2022, "lifecycle", OWID),
    "KEN": AnnualIntensity(300_000, 0, "lifecycle", OWID),
    "ZZZ": AnnualIntensity(1, 2022, "lifecycle", OWID),  # in no catalogue
    "WORLD": AnnualIntensity(475_000, 2019, "direct", "https://www.iea.org/reports/x-2019/emissions, in codecarbon"),
}


GOOGLE = "https://cloud.google.com/sustainability/region-carbon, in codecarbon 3.3.2 impact.csv"
REGIONS = {
    "gcp:us-east4": PrintedIntensity(322_000, 0, "unspecified", GOOGLE, "322", "g/kWh"),
    "gcp:asia-northeast1": PrintedIntensity(459_000, 0, "unspecified", GOOGLE, "459", "g/kWh"),
    "gcp:us-central1": PrintedIntensity(430_000, 0, "unspecified", GOOGLE, "430", "g/kWh"),  # tables disagree
    "gcp:me-cenrtal1": PrintedIntensity(575_000, 0, "unspecified", GOOGLE, "575", "g/kWh"),  # as codecarbon writes it
}


def provider(*, assumed: bool = False, note: str = "") -> TablesProvider:
    return TablesProvider(COUNTRIES, "codecarbon-3.3.2", NOW_S, assumed=assumed, note=note)


def test_an_official_direct_factor_is_tier_4_with_its_provenance() -> None:
    """Not codecarbon's 56 g, which is a life-cycle value."""
    assert isinstance(provider(), GridProvider)
    assert provider().factor("fra", NOW_S) == Factor(
        factor_id="eea2023:FR",
        zone="FR",
        intensity_mg_per_kwh=50_000,
        factor_type="direct",
        basis="location",
        tier=4,
        provider="tables",
        source="EEA, EEA 2023: 50 g/kWh",
        valid_from_s=1_672_531_200,  # 2023-01-01T00:00:00Z
        recorded_at_s=NOW_S,
        assumed=False,
        note="It describes 2023. CO2e by the EEA's definition of the indicator.",
        valid_to_s=1704067200,
    )


def test_a_country_without_one_is_tier_5_and_says_what_it_is_not() -> None:
    factor = provider().factor("JP", NOW_S)
    assert (factor.factor_id, factor.intensity_mg_per_kwh) == ("codecarbon-3.3.2:JPN:2023", 485_392)
    assert (factor.tier, factor.factor_type, factor.source) == (5, "lifecycle", OWID)
    assert factor.note == (
        "There is no official factor: a generic annual average stands in. "
        "It is a life-cycle value: it counts fuel supply and construction, which Scope 2 leaves out. It describes 2023."
    )


def test_a_region_of_codecarbon_is_a_row_with_what_was_printed() -> None:
    """Places of which nobody knows the grid are none."""
    cloud, other = generic_rows(REGIONS, "codecarbon-3.3.2")
    assert (cloud.factor_id, cloud.value_printed) == ("codecarbon-3.3.2:gcp:us-east4:undated", "322")
    assert (cloud.basis, cloud.data_year, cloud.valid_to_s) == (Basis.UNSPECIFIED, "unspecified", 0)
    assert (cloud.zone_system, cloud.publisher, cloud.quality_tier) == ("cloud", "Google Cloud", 5)
    assert "before any clean energy that Google buys" in cloud.note
    assert other.zone == "gcp:asia-northeast1"


@pytest.mark.parametrize(
    ("zone", "tiers", "factor_id", "intensity_mg_per_kwh"),
    [
        ("US-CA", (4, 5), "egrid2023:US-CA", 179_064),  # EPA's, and nearer than EPA's average of the US
        ("US-WY", (4, 5), "egrid2023:US-WY", 831_554),
        ("CAMX", (4, 5), "egrid2023r2:CAMX", 195_037),
        ("gcp:us-east4", (4, 5), "egrid2023r2:US@gcp:us-east4", 349_667),  # Google's is not official
        ("gcp:us-east4", (5,), "codecarbon-3.3.2:gcp:us-east4:undated", 322_000),
        ("gcp:asia-northeast1", (4, 5), "codecarbon-3.3.2:gcp:asia-northeast1:undated", 459_000),
    ],
)
def test_an_official_rate_of_the_place_itself_goes_before_the_average_of_its_country(
    zone: str, tiers: tuple[int, ...], factor_id: str, intensity_mg_per_kwh: int
) -> None:
    factor = TablesProvider(COUNTRIES | REGIONS, "codecarbon-3.3.2", NOW_S, tiers=tiers).factor(zone, NOW_S)
    assert (factor.factor_id, factor.intensity_mg_per_kwh) == (factor_id, intensity_mg_per_kwh)
    assert ("undated" in factor.note) == factor_id.endswith("undated")
    assert ("as codecarbon hands it on" in factor.note) == (factor_id.startswith("egrid2023:"))
    assert ("It is the average of the country" in factor.note) == ("US@" in factor_id)


@pytest.mark.parametrize(
    ("zone", "day", "factor_id", "intensity_mg_per_kwh"),
    [
        ("GB", "2025-06-30", "desnz2025:GB", 177_000),
        ("GB", "2026-06-30", "desnz2026:GB", 130_960),
        ("DE", "2024-06-30", "uba2024:DE", 363_000),
        ("DE", "2026-06-30", "uba2025:DE", 344_000),
        ("DE", "2023-06-30", "eea2023:DE", 329_000),
        ("US", "2026-06-30", "egrid2023r2:US", 349_667),
        ("CAMX", "2026-06-30", "egrid2023r2:CAMX", 195_037),
        ("aws:us-east-1", "2026-06-30", "egrid2023r2:SRVC@aws:us-east-1", 270_489),
        ("US-MIDA-PJM", "2026-06-30", "egrid2023r2:US@US-MIDA-PJM", 349_667),
        ("PR", "2026-06-30", "egrid2023r2:PRMS@PR", 702_401),
        ("北京", "2026-06-30", "mee2023:CN-BJ", 555_400),
        ("IN", "2026-06-30", "cea21:IN:FY2024-25", 711_700),
        ("IN", "2023-09-30", "cea21:IN:FY2023-24", 729_000),  # restated from 727 in version 20
        ("AU-NSW", "2025-12-31", "nga2025:AU-NSW", 640_000),
        ("CA-QC", "2026-06-30", "eccc3:CA-QC", 1_900),
        ("SE-SE3", "2026-06-30", "eea2023:SE@SE-SE3", 8_000),
        ("SG", "2026-06-30", "ember2025:SGP", 497_000),
        ("FR", "2023-06-30", "eea2023:FR", 50_000),
    ],
)
def test_the_factor_of_a_place_and_a_time(zone: str, day: str, factor_id: str, intensity_mg_per_kwh: int) -> None:
    factor = provider().factor(zone, at(day))
    assert (factor.factor_id, factor.intensity_mg_per_kwh) == (factor_id, intensity_mg_per_kwh)


def test_a_factor_changes_with_the_reporting_year_while_a_daemon_runs() -> None:
    """The same provider, asked for slots before and after New Year; the first answer is not kept for ever."""
    tables = provider()
    days = ("2025-12-31", "2026-01-01", "2025-12-31")
    assert [tables.factor("GB", at(day)).intensity_mg_per_kwh for day in days] == [177_000, 130_960, 177_000]
    years = [tables.factor("GB", at("2024-01-01") + day * 86_400).intensity_mg_per_kwh for day in range(1000)]
    assert set(years) == {204_930, 177_000, 130_960}


def test_the_world_is_tier_6_and_assumed_only_when_nobody_set_a_zone() -> None:
    """What a person wrote down is not assumed; it is still a last resort."""
    chosen = provider().factor("WORLD", NOW_S)
    assumed = provider(assumed=True).factor("WORLD", NOW_S)
    assert (chosen.intensity_mg_per_kwh, chosen.tier, chosen.assumed) == (475_000, 6, False)
    assert (assumed.intensity_mg_per_kwh, assumed.tier, assumed.assumed) == (475_000, 6, True)
    assert chosen.factor_id == "codecarbon-3.3.2:WORLD:2019"
    assert 'zone = "<ISO country code>"' in assumed.note
    assert "cannot be closed" in chosen.note
    assert provider(assumed=True).factor("FR", NOW_S).assumed is False


def test_types_are_not_mixed_up() -> None:
    """Direct and official, life-cycle and generic, direct and of the world."""
    found = {zone: provider().factor(zone, NOW_S) for zone in ("FR", "JP", "WORLD")}
    assert {zone: (factor.tier, factor.factor_type) for zone, factor in found.items()} == {
        "FR": (4, "direct"),
        "JP": (5, "lifecycle"),
        "WORLD": (6, "direct"),
    }


@pytest.mark.parametrize(
    ("zone", "reason"),
    [
        ("AD", "no table has a value for it"),
        ("CF", "says 0 g/kWh, which no grid has"),
        ("LS", "says -0.001 g/kWh, which no grid has"),
        ("GH", "says 2000 g/kWh, which no grid has"),
    ],
)
def test_p11_no_usable_value_is_none_with_the_reason(zone: str, reason: str) -> None:
    """Never 0 g, and never the world's average in its place."""
    factor = provider().factor(zone, NOW_S)
    assert factor.intensity_mg_per_kwh is None
    assert factor.factor_id.endswith(":none")
    assert reason in factor.note
    assert "Set another zone" in factor.note


def test_the_world_stands_in_where_an_operator_asks_for_it() -> None:
    tables = TablesProvider(COUNTRIES, "codecarbon-3.3.2", NOW_S, tiers=(4, 5, 6))
    factor = tables.factor("AD", NOW_S)
    assert (factor.factor_id, factor.tier, factor.assumed) == ("codecarbon-3.3.2:WORLD:2019@AD", 6, False)
    assert "last resort" in factor.note
    assert tables.factor("JP", NOW_S).tier == 5


def test_without_codecarbon_the_tables_that_ship_are_left() -> None:
    left = TablesProvider({}, "codecarbon-unknown", NOW_S, note="codecarbon is not installed")
    assert left.factor("FR", NOW_S).intensity_mg_per_kwh == 50_000
    assert left.factor("WORLD", NOW_S).factor_id == "ember2025:WORLD"
    factor = left.factor("JP", NOW_S)
    assert factor.intensity_mg_per_kwh is None
    assert "codecarbon is not installed" in factor.note
    warning = left.check()[-1]
    assert (warning.level, "codecarbon is not installed" in warning.message) == (Level.WARN, True)
    assert "codecarbon >= 3.2" in warning.remedy


def test_without_any_table_everything_is_none_and_says_why() -> None:
    empty = TablesProvider({}, "codecarbon-unknown", NOW_S, note="codecarbon is not installed", rows=())
    for zone in ("FR", "WORLD"):
        assert empty.factor(zone, NOW_S).intensity_mg_per_kwh is None
    assert [finding.level for finding in empty.check()] == [Level.FAIL, Level.FAIL, Level.WARN]


def test_an_undated_value_is_marked_so() -> None:
    factor = provider().factor("KE", NOW_S)
    assert (factor.factor_id, factor.valid_from_s) == ("codecarbon-3.3.2:KEN:undated", 0)
    assert "undated" in factor.note


def test_an_unknown_zone_is_an_error_and_not_the_world() -> None:
    with pytest.raises(UnknownZone, match="Frnace"):
        provider().factor("Frnace", NOW_S)


def test_a_cloud_region_that_tables_disagree_about_stops_the_start() -> None:
    with pytest.raises(UnknownZone, match="US-NW-PACW and US-NW-BPAT"):
        provider().factor("aws:us-west-2", NOW_S)


def test_check_says_what_is_there_and_what_to_set() -> None:
    official, generic = provider().check()
    assert official.level is generic.level is Level.OK
    assert official.message == "Official yearly factors of 151 zones, from 8 publishers (tier 4)."
    assert generic.message == "Generic averages of 16 zones, from 2 publishers (tier 5)."
    *_, zone = provider(assumed=True).check()
    assert zone.level is Level.WARN
    assert zone.remedy.startswith('Set zone = "<ISO country code>"')


def test_states_are_epas_whichever_codecarbon_is_installed() -> None:
    """A figure of record does not change with an upgrade of a library, or without it."""
    source = "EPA eGRID2025 (STC2ERTA), https://www.epa.gov/egrid/download-data, in codecarbon 9.9"
    newer = {"US-WY": PrintedIntensity(700_000, 2025, "direct", source, "700", "g/kWh")}
    for countries in ({}, newer):
        tables = TablesProvider(countries, "codecarbon-9.9", NOW_S)
        states = {zone.code: tables.factor(zone.code, NOW_S) for zone in zones() if zone.kind == "state"}
        own = {code: factor for code, factor in states.items() if factor.factor_id == f"egrid2023:{code}"}
        assert len(own) == 51, "every state and the District of Columbia by EPA's own rate"
        assert {factor.tier for factor in own.values()} == {4}
        assert states["US-VT"].intensity_mg_per_kwh == 23_695
        assert states["US-WY"].intensity_mg_per_kwh == 831_554


def test_the_installed_codecarbon_covers_the_world(tmp_path: Path) -> None:
    """Real data through the real child process: what a user gets on the first day. A later codecarbon may say other
    numbers, but no other magnitudes."""
    facts = codecarbon_facts("", tmp_path)
    tables = TablesProvider(facts.countries, facts.edition, NOW_S, note=facts.note)
    assert tables.check()[1].level is Level.OK
    for zone, low_g, high_g in (("JP", 300, 600), ("BR", 50, 200), ("WORLD", 400, 550)):
        factor = tables.factor(zone, NOW_S)
        assert factor.intensity_mg_per_kwh is not None
        assert low_g * 1000 < factor.intensity_mg_per_kwh < high_g * 1000
        assert f"codecarbon {facts.version}" in factor.source
    assert tables.factor("AQ", NOW_S).intensity_mg_per_kwh is None


def learnt(factor_id: str, value: str, year: int, *, recorded_at_s: int = NOW_S, **other: object) -> FactorRecord:
    told: dict[str, object] = {"data_year": str(year), "zone": "SG", **other}
    return FactorRecord(replace(row(factor_id, "SG", value, year), **told), recorded_at_s, 1)  # type: ignore[arg-type] # names of fields


def test_what_somebody_brought_in_stands_beside_the_tables() -> None:
    """Singapore's own factor goes before a generic one, and the newest year before an older one."""
    tables = provider()
    assert tables.factor("SG", NOW_S).tier == 5
    assert tables.learn([learnt("ema2024", "412", 2024), learnt("ema2025", "402", 2025)])
    factor = tables.factor("SG", NOW_S)
    assert (factor.factor_id, factor.tier, factor.intensity_mg_per_kwh) == ("ema2025", 4, 402_000)
    assert (factor.provider, factor.recorded_at_s) == ("tables", NOW_S)
    assert tables.factor("SG", at("2024-05-01")).factor_id == "ema2024"
    assert tables.factor("FR", NOW_S).factor_id == "eea2023:FR", "of other places nothing changes"
    assert not tables.learn([learnt("ema2024", "412", 2024), learnt("ema2025", "402", 2025)]), "that is no news"
    assert tables.learn([])
    assert tables.factor("SG", NOW_S).tier == 5


def test_of_two_of_one_period_the_one_that_somebody_brought_in_counts() -> None:
    tables = provider()
    tables.learn([learnt("own2023", "51", 2023, zone="FR", recorded_at_s=NOW_S - 100)])
    factor = tables.factor("FR", NOW_S)
    assert (factor.factor_id, factor.recorded_at_s) == ("own2023", NOW_S - 100)
    tables.learn([learnt("own2022", "49", 2022, zone="FR")])
    assert tables.factor("FR", NOW_S).factor_id == "eea2023:FR", "a newer year goes before"


def test_a_factor_of_the_tables_that_was_corrected_counts_as_it_was_read_last() -> None:
    """A release that comes after the correction may ship a better one still."""
    tables = provider()
    tables.learn([learnt("eea2023:FR", "51", 2023, zone="FR", recorded_at_s=COLLECTED_S + 1)])
    assert tables.factor("FR", NOW_S).intensity_mg_per_kwh == 51_000
    tables.learn([learnt("eea2023:FR", "49", 2023, zone="FR", recorded_at_s=COLLECTED_S - 1)])
    assert tables.factor("FR", NOW_S).intensity_mg_per_kwh == 50_000
    assert [each.factor_id for each in tables.rows()].count("eea2023:FR") == 1


@pytest.mark.parametrize("factor_id", ["eea2023:FR", "own2023"])
def test_what_somebody_took_back_is_as_if_it_had_never_been_brought_in(factor_id: str) -> None:
    tables = provider()
    tables.learn([learnt(factor_id, "51", 2023, zone="FR", recorded_at_s=COLLECTED_S + 1)])
    assert tables.factor("FR", NOW_S).intensity_mg_per_kwh == 51_000
    tables.learn([learnt(factor_id, "", 2023, zone="FR", recorded_at_s=COLLECTED_S + 2)])
    assert tables.factor("FR", NOW_S).factor_id == "eea2023:FR"
    assert tables.factor("FR", NOW_S).intensity_mg_per_kwh == 50_000


@pytest.mark.parametrize("factor_id", ["aib2024:FR:residual", "own2024:residual"])
def test_a_residual_mix_that_was_taken_back_gives_the_shipped_one_back(factor_id: str) -> None:
    """It became "there is none by rule", which makes a market-based figure unknown."""
    mix = {"zone": "FR", "basis": Basis.RESIDUAL}
    path, at_s = zone_path(find_zone("FR")), at("2025-06-01")

    def chosen(value: str) -> Choice | NoFactor:
        record = learnt(factor_id, value, 2024, recorded_at_s=COLLECTED_S + 1, **mix)
        return choose_residual(with_learnt(read_factors(), [record]), path, at_s)

    for value, expected in (("99", "99"), ("", "23.52")):
        answer = chosen(value)
        assert isinstance(answer, Choice)
        assert answer.row.value_printed == expected


def test_hours_are_no_yearly_factors() -> None:
    tables = provider()
    assert not tables.learn([learnt("hour", "30", 2026, zone="FR", quality_tier=1)])
    assert tables.factor("FR", NOW_S).factor_id == "eea2023:FR"
