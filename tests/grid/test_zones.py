"""A zone is a code or an error that names the right one; it is never guessed (P11)."""

from __future__ import annotations

import pytest

from tracker.core.errors import UsageError
from tracker.grid.interface import UnknownZone
from tracker.grid.zones import WORLD, ZONES_CSV, Zone, find_zone, near_zones, parse_zones, zones


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
    ],
)
def test_codes_in_any_case_lead_to_one_zone(text: str, code: str, iso3: str) -> None:
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
        ("US-CAL-CISO", "US (United States)"),  # an Electricity Maps zone
        ("UK-NIR", "GB (United Kingdom)"),
        ("DE_LU", "DE (Germany)"),  # a bidding zone
        ("cote", "CI (Côte d'Ivoire)"),
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


@pytest.mark.parametrize("text", ["", "   ", "XX", "QQQ", "§", "\n", "x" * 100_000, "F\0R", ","])
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


def test_the_catalogue_is_whole() -> None:
    """All of ISO 3166-1, Kosovo and the world, each code once."""
    assert len(zones()) == 251
    assert zones()[0] is WORLD
    assert len({zone.code for zone in zones()}) == len({zone.iso3 for zone in zones()}) == 251
    assert all(len(zone.code) == 2 and len(zone.iso3) == 3 and zone.name for zone in zones()[1:])
    assert all(zone.code.isascii() and zone.code.isupper() and zone.iso3.isupper() for zone in zones())
    assert Zone("CI", "CIV", "Côte d'Ivoire") in zones()


def test_the_catalogue_agrees_with_iso() -> None:
    """Compared code by code with pycountry, which codecarbon brings along."""
    pycountry = pytest.importorskip("pycountry")
    theirs = {(country.alpha_2, country.alpha_3) for country in pycountry.countries}
    assert {(zone.code, zone.iso3) for zone in zones()} - theirs == {("WORLD", "WORLD"), ("XK", "XKX")}
    assert theirs <= {(zone.code, zone.iso3) for zone in zones()}


def test_the_table_ships_with_its_source_and_licence() -> None:
    folder = ZONES_CSV.parent
    readme = (folder / "README.md").read_text("utf-8")
    assert "Unicode CLDR" in readme
    assert "zones.LICENSE" in readme
    assert "UNICODE LICENSE V3" in (folder / "zones.LICENSE").read_text("utf-8")


def test_rows_are_parsed_below_the_header() -> None:
    assert parse_zones("iso2,iso3,name\nFR,FRA,France\n\n") == (Zone("FR", "FRA", "France"),)
