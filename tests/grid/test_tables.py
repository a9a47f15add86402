"""The yearly tables give every gram a source and a tier, and no gram where there is no value."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracker.codecarbon_facts import codecarbon_facts
from tracker.core.carbon import AnnualIntensity
from tracker.core.model import Factor, Level
from tracker.grid.interface import GridProvider, UnknownZone
from tracker.grid.tables import TablesProvider

NOW_S = 1_790_000_000
OWID = "Our World in Data (Ember), in codecarbon 3.3.2"
COUNTRIES = {
    "FRA": AnnualIntensity(56_039, 2023, "lifecycle", OWID),
    "UZB": AnnualIntensity(1_167_603, 2022, "lifecycle", OWID),
    "CAF": AnnualIntensity(0, 2022, "lifecycle", OWID),  # what codecarbon 3.3.2 says
    "LSO": AnnualIntensity(-1, 2022, "lifecycle", OWID),
    "ESP": AnnualIntensity(2_000_001, 2022, "lifecycle", OWID),
    "ITA": AnnualIntensity(300_000, 0, "lifecycle", OWID),
    "WORLD": AnnualIntensity(475_000, 2019, "direct", "IEA"),
}


def provider(*, assumed: bool = False, note: str = "") -> TablesProvider:
    return TablesProvider(COUNTRIES, "codecarbon-3.3.2", NOW_S, assumed=assumed, note=note)


def test_a_country_is_tier_5_with_its_provenance() -> None:
    assert isinstance(provider(), GridProvider)
    assert provider().factor("fra", NOW_S) == Factor(
        factor_id="codecarbon-3.3.2:FRA:2023",
        zone="FR",
        intensity_mg_per_kwh=56_039,
        factor_type="lifecycle",
        basis="location",
        tier=5,
        provider="tables",
        source=OWID,
        valid_from_s=1_672_531_200,  # 2023-01-01T00:00:00Z
        recorded_at_s=NOW_S,
        assumed=False,
        note="Generic life-cycle average of 2023, production mix; not an official Scope 2 factor.",
    )


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
    """The world's number is CO2 from combustion, the countries' are life-cycle averages."""
    assert provider().factor("WORLD", NOW_S).factor_type == "direct"
    assert provider().factor("FR", NOW_S).factor_type == "lifecycle"


@pytest.mark.parametrize(
    ("zone", "reason"),
    [
        ("AD", "has no value for it"),
        ("CF", "says 0 g/kWh, which no grid has"),
        ("LS", "says -0.001 g/kWh, which no grid has"),
        ("ES", "says 2000 g/kWh, which no grid has"),
    ],
)
def test_p11_no_usable_value_is_none_with_the_reason(zone: str, reason: str) -> None:
    """Never 0 g, and never the world's average in its place."""
    factor = provider().factor(zone, NOW_S)
    assert factor.intensity_mg_per_kwh is None
    assert factor.factor_id.endswith(":none")
    assert reason in factor.note
    assert "Set another zone" in factor.note


def test_without_tables_everything_is_none_and_says_why() -> None:
    empty = TablesProvider({}, "codecarbon-unknown", NOW_S, note="codecarbon is not installed")
    for zone in ("FR", "WORLD"):
        factor = empty.factor(zone, NOW_S)
        assert factor.intensity_mg_per_kwh is None
        assert "codecarbon is not installed" in factor.note
    (finding,) = empty.check()
    assert finding.level is Level.FAIL
    assert "codecarbon is not installed" in finding.message
    assert "codecarbon >= 3.2" in finding.remedy


def test_an_undated_value_is_marked_so() -> None:
    factor = provider().factor("IT", NOW_S)
    assert (factor.factor_id, factor.valid_from_s) == ("codecarbon-3.3.2:ITA:undated", 0)


def test_an_unknown_zone_is_an_error_and_not_the_world() -> None:
    with pytest.raises(UnknownZone, match="Frnace"):
        provider().factor("Frnace", NOW_S)


def test_check_says_what_is_there_and_what_to_set() -> None:
    (tables,) = provider().check()
    assert (tables.level, tables.message) == (
        Level.OK,
        "codecarbon-3.3.2: yearly averages of 3 countries (tier 5, generic).",
    )
    _, zone = provider(assumed=True).check()
    assert zone.level is Level.WARN
    assert zone.remedy.startswith('Set zone = "<ISO country code>"')


def test_the_installed_codecarbon_covers_the_world(tmp_path: Path) -> None:
    """Real data through the real child process: what a user gets on the first day. A later codecarbon may say other
    numbers, but no other magnitudes."""
    facts = codecarbon_facts("", tmp_path)
    tables = TablesProvider(facts.countries, facts.edition, NOW_S, note=facts.note)
    assert tables.check()[0].level is Level.OK
    for zone, low_g, high_g in (("FR", 20, 100), ("DE", 200, 500), ("USA", 250, 500), ("WORLD", 400, 550)):
        factor = tables.factor(zone, NOW_S)
        assert factor.intensity_mg_per_kwh is not None
        assert low_g * 1000 < factor.intensity_mg_per_kwh < high_g * 1000
        assert f"codecarbon {facts.version}" in factor.source
    assert tables.factor("AQ", NOW_S).intensity_mg_per_kwh is None
