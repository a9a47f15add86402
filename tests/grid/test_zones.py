"""A zone is a code or an error that names the right one; it is never guessed (P11)."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from tracker.core.errors import UsageError
from tracker.core.factors import Step
from tracker.grid.catalogue import ALIASES, WORLD, ZONES_CSV, Zone, by_name, parse_zones, zones
from tracker.grid.interface import UnknownZone
from tracker.grid.near import near_zones, zones_with
from tracker.grid.zones import find_zone, zone_path

FIXTURES = Path(__file__).parent.parent / "fixtures" / "factors"
CLOUD = list(csv.DictReader((FIXTURES / "cloud_region_zones.csv").read_text("utf-8").splitlines()))
COUNTRIES = [zone for zone in zones() if zone.kind == "country"]


@pytest.mark.parametrize(
    ("text", "code", "iso3"),
    [
        ("FR", "FR", "FRA"),
        ("FRA", "FR", "FRA"),
        ("fra", "FR", "FRA"),
        (" de ", "DE", "DEU"),
        ("UK", "GB", "GBR"),  # reserved for the United Kingdom
        ("EL", "GR", "GRC"),  # the European Union's code for Greece
        ("XKX", "XK", "XKX"),
        ("WORLD", "WORLD", "WORLD"),
        ("world", "WORLD", "WORLD"),
        ("camx", "CAMX", "USA"),  # an eGRID subregion
        ("PRMS", "PRMS", "PRI"),
        ("北京", "CN-BJ", "CHN"),
        ("beijing", "CN-BJ", "CHN"),
        ("陕西", "CN-SN", "CHN"),  # Shaanxi
        ("Shanxi", "CN-SX", "CHN"),  # not Shaanxi
        ("张家口", "CN-HE", "CHN"),
        ("华北", "CN-HUABEI", "CHN"),
        ("AU-NSW", "AU-NSW", "AUS"),
        ("ca-qc", "CA-QC", "CAN"),
        ("PJM", "US-MIDA-PJM", "USA"),  # a market
        ("CAISO", "US-CAL-CISO", "USA"),
        ("US-CAL-CISO", "US-CAL-CISO", "USA"),  # Electricity Maps
        ("SE-SE3", "SE-SE3", "SWE"),
        ("aws:eu-west-1", "aws:eu-west-1", "IRL"),
        ("AWS eu-west-1", "aws:eu-west-1", "IRL"),
        ("gcp/europe-west1", "gcp:europe-west1", "BEL"),
        ("azure:westeurope", "azure:westeurope", "NLD"),
    ],
)
def test_codes_and_aliases_in_any_case_lead_to_one_zone(text: str, code: str, iso3: str) -> None:
    zone = find_zone(text)
    assert (zone.code, zone.iso3) == (code, iso3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Frnace", "FR (France)"),
        ("france", "FR (France)"),
        ("RF", "FR (France)"),
        ("FRE", "FR (France)"),
        ("Deutschland", "DE (Germany)"),
        ("germnay", "DE (Germany)"),
        ("GER", "DE (Germany)"),
        ("england", "GB (United Kingdom)"),
        ("turkiye", "TR (Türkiye)"),
        ("U.S.", "US (United States)"),
        ("US-FLA-FPL", "US (United States)"),
        ("UK-NIR", "GB (United Kingdom)"),
        ("DE_LU", "DE (Germany)"),  # a bidding zone
        ("cote", "CI (Côte d'Ivoire)"),
        ("CAMZ", "CAMX (WECC California)"),
        ("Bejing", "CN-BJ (Beijing 北京)"),
        ("us-east-1", "aws:us-east-1 (N. Virginia)"),
        ("aws:eu-wst-1", "aws:eu-west-1 (Ireland)"),
        ("Ontario", "CA-ON (Ontario)"),
    ],
)
def test_an_unknown_zone_names_the_right_one(text: str, expected: str) -> None:
    with pytest.raises(UnknownZone) as caught:
        find_zone(text)
    assert isinstance(caught.value, UsageError)
    assert caught.value.exit_code == 2
    assert repr(text) in caught.value.sentence
    assert expected in caught.value.remedy
    assert "ISO 3166" in caught.value.remedy


@pytest.mark.parametrize("text", ["", "   ", "XX", "QQQ", "§", "\n", "x" * 100_000, "F\0R", ",", "aws:", ":"])
def test_nonsense_is_refused_without_a_suggestion(text: str) -> None:
    """Also an empty setting: it is not the world."""
    with pytest.raises(UnknownZone) as caught:
        find_zone(text)
    assert "Did you mean" not in caught.value.remedy
    assert len(str(caught.value)) < 300


def test_at_most_three_suggestions_the_exact_name_alone() -> None:
    assert [zone.code for zone in near_zones("Korea")] == ["KR"]
    assert [zone.code for zone in near_zones("Niger")] == ["NE"]
    assert len(near_zones("island")) == 3


@pytest.mark.parametrize("row", CLOUD, ids=lambda row: row["region"])
def test_cloud_regions_are_those_of_the_reviewed_table(row: dict[str, str]) -> None:
    """Where the public tables agree, or one is plainly wrong, the region is a zone; where they differ it is an error
    that names both, and either can be set instead."""
    text = f"{row['provider']}:{row['region']}"
    if row["agreement"] == "tables_differ":
        with pytest.raises(UnknownZone) as caught:
            find_zone(text)
        for choice in (row["em_zone"], row["em_zone_other_table"]):
            assert choice in caught.value.sentence
            assert choice in caught.value.remedy
            assert find_zone(choice).code == choice
    else:
        assert find_zone(text).em_zone == row["em_zone"]
    wrong = row["em_zone_other_table"] if row["agreement"] == "other_wrong" else ""
    assert wrong == "" or wrong not in [step.zone for step in zone_path(find_zone(text))]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("FR", ["FR"]),
        ("CAMX", ["CAMX", "US"]),
        ("US-TEX-ERCO", ["US-TEX-ERCO", "ERCT", "US"]),
        ("US-MIDA-PJM", ["US-MIDA-PJM", "US"]),
        ("aws:us-east-1", ["aws:us-east-1", "SRVC", "US"]),
        ("aws:cn-north-1", ["aws:cn-north-1", "CN-BJ", "CN"]),
        ("SE-SE3", ["SE-SE3", "SE"]),
        ("JP-TK", ["JP-TK", "JP"]),
        ("PR", ["PR", "PRMS", "PR"]),
        ("PRMS", ["PRMS", "PR"]),
        ("WORLD", ["WORLD"]),
    ],
)
def test_whose_factor_may_stand_for_a_zone(text: str, path: list[str]) -> None:
    """Never the world's: that is another tier."""
    assert list(dict.fromkeys(step.zone for step in zone_path(find_zone(text)))) == list(dict.fromkeys(path))


def test_a_country_that_stands_for_a_finer_zone_says_so() -> None:
    assert zone_path(find_zone("US-CAR-DUK"))[-1] == Step(
        "US", "It is the average of the country (United States): US-CAR-DUK has none of its own."
    )
    assert zone_path(find_zone("SE-SE3"))[-1] == Step("SE"), "Sweden's official factor is a national one"


def test_the_catalogue_of_countries_is_whole() -> None:
    """All of ISO 3166-1 and Kosovo, each code once; the world is apart."""
    assert len(COUNTRIES) == 250
    assert zones()[0] is WORLD
    assert len({zone.code for zone in COUNTRIES}) == len({zone.iso3 for zone in COUNTRIES}) == 250
    assert all(len(zone.code) == 2 and len(zone.iso3) == 3 and zone.name for zone in COUNTRIES)
    assert all(zone.code.isascii() and zone.code.isupper() and zone.iso3.isupper() for zone in COUNTRIES)
    assert Zone("CI", "CIV", "Côte d'Ivoire", country="CI") in zones()


def test_the_catalogue_agrees_with_iso() -> None:
    """Compared code by code with pycountry, which codecarbon brings along."""
    pycountry = pytest.importorskip("pycountry")
    theirs = {(country.alpha_2, country.alpha_3) for country in pycountry.countries}
    assert {(zone.code, zone.iso3) for zone in COUNTRIES} - theirs == {("XK", "XKX")}
    assert theirs <= {(zone.code, zone.iso3) for zone in COUNTRIES}


def test_every_name_means_one_zone() -> None:
    """An alias that two zones share would be a guess."""
    names = Counter(name.upper() for zone in zones() for name in {zone.code.upper(), *map(str.upper, zone.aliases)})
    names.update(zone.iso3 for zone in COUNTRIES)
    names.update(list(ALIASES))
    assert [name for name, count in names.items() if count > 1] == []
    assert len(by_name()) == len(names)


def test_every_reference_leads_somewhere() -> None:
    kinds = Counter(zone.kind for zone in zones())
    assert (kinds["egrid"], kinds["province"], kinds["grid"], kinds["state"]) == (
        27,
        31,
        7,
        16 + 51,
    )  # 50 states and the District of Columbia
    for zone in zones():
        for code in (zone.official_zone, *zone.choices):
            assert not code or find_zone(code).code == code
        assert zone.kind == "world" or zone.country in {country.code for country in COUNTRIES}
        official = by_name().get(zone.official_zone)
        assert official is None or official.country == zone.country, "a region's zone lies in its country"


def test_listing_finds_parts_of_names_codes_and_countries() -> None:
    assert [zone.code for zone in zones_with("sweden")][:2] == ["SE", "SE-SE3"]
    assert {"CN", "CN-GD", "aws:cn-north-1"} <= {zone.code for zone in zones_with("CN")}
    assert [zone.code for zone in zones_with("guangdong")] == ["CN-GD"]
    assert [zone.code for zone in zones_with("广东")] == ["CN-GD"]
    assert {"GB", "aws:eu-west-2"} <= {zone.code for zone in zones_with("UK")}
    assert zones_with("qqqq") == ()


def test_the_table_ships_with_its_source_and_licence() -> None:
    folder = ZONES_CSV.parent
    readme = (folder / "README.md").read_text("utf-8")
    assert "Unicode CLDR" in readme
    assert "zones.LICENSE" in readme
    assert "UNICODE LICENSE V3" in (folder / "zones.LICENSE").read_text("utf-8")


def test_rows_are_parsed_below_the_header() -> None:
    assert parse_zones("iso2,iso3,name\nFR,FRA,France\n\n") == (Zone("FR", "FRA", "France", country="FR"),)
