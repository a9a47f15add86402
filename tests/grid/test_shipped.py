"""The tables that ship say what their publishers printed, row by row, and every number brings its provenance along."""

from __future__ import annotations

import csv
import json
import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from tracker.codecarbon_child import package_folder, package_version
from tracker.core.embodied import find_device
from tracker.core.factors import Basis, Choice, FactorRow, FactorType, choose_location, g_per_kwh
from tracker.core.known import FactorRecord
from tracker.grid.catalogue import DATA
from tracker.grid.shipped import (
    COLLECTED_S,
    FACTORS,
    collected_s,
    devices,
    midnight_s,
    parse_factors,
    parse_publishers,
    read_factors,
    read_history,
)
from tracker.grid.zones import find_zone, zone_path

GOLDEN = Path(__file__).parent.parent / "fixtures" / "factors"
#: shipped -> the independent copy that it has to agree with
TABLES = {
    "au_nga_2025.csv": "au_nga.csv",
    "ca_eccc_v3.csv": "ca_eccc.csv",
    "cn_mee_2023.csv": "china_mee_2023.csv",
    "eea_2023.csv": "eea_2023.csv",
    "ember.csv": "ember.csv",
    "eu_aib_residual_2024.csv": "eu_residual_aib_2024.csv",
    "in_cea.csv": "india_cea.csv",
    "uba_de.csv": "uba_de.csv",
    "uk_desnz.csv": "uk_desnz.csv",
    "us_egrid2023_rev2.csv": "egrid2023_rev2.csv",
    "us_egrid2023_states.csv": "egrid2023_states.csv",
    "us_green_e_residual_2025.csv": "green_e_residual_2025.csv",
}
#: The one whose copy of EPA's rates of states was taken.
CODECARBON = "3.3.2"
PUBLISHERS = parse_publishers((DATA / "publishers.csv").read_text("utf-8"))
ROWS = tuple(read_factors())
STATES = tuple(row for row in ROWS if row.factor_id.startswith("egrid2023:"))
STATES_S = midnight_s("2026-11-25")


def golden(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader((GOLDEN / name).read_text("utf-8").splitlines()))


def identity(row: dict[str, str]) -> tuple[str, ...]:
    names = ("zone_system", "zone", "publisher", "edition", "data_year", "factor_type", "basis", "scheme", "source_ref")
    return tuple(row[name] or "unspecified" for name in names)


def test_every_shipped_table_has_a_copy_to_be_compared_with() -> None:
    assert {path.name for path in FACTORS.iterdir()} == TABLES.keys()


@pytest.mark.parametrize(("shipped", "copy"), TABLES.items())
def test_values_sources_and_editions_are_those_they_were_taken_from(shipped: str, copy: str) -> None:
    """Row by row and exactly: 905.109 lb/MWh is 410.55053641833 g/kWh, and what is empty stays empty."""
    text = (FACTORS / shipped).read_text("utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    parsed = list(parse_factors(text, PUBLISHERS))
    expected = golden(copy)
    assert [identity(row) for row in rows] == [identity(row) for row in expected]
    for row, want in zip(parsed, expected, strict=True):
        assert row.value_g_per_kwh == (Decimal(want["value_g_per_kwh"]) if want["value_g_per_kwh"] else None)
        assert row.value_printed in want["source_ref"]


def test_rates_of_states_are_those_of_the_codecarbon_that_they_were_taken_from() -> None:
    """Of a later one nothing is asked: what it says about them is used by nobody."""
    folder = package_folder()
    if folder is None or package_version(folder) != CODECARBON:
        pytest.skip(f"codecarbon {CODECARBON} is not installed")
    text = (folder / "data" / "private_infra" / "2023" / "usa_emissions.json").read_text("utf-8")
    said = json.loads(text, parse_float=str)
    total = said.pop("usa")
    assert said.pop("_unit")["emissions"] == "lbs/MWh"
    assert [said["_source"].pop(key) for key in ("field", "year")] == ["STC2ERTA", 2023]
    del said["_source"]
    expected = [(f"US-{state['regionCode']}", state["emissions"], "lb/MWh") for state in said.values()]
    assert [(row.zone_printed, row.value_printed, row.unit_printed) for row in STATES] == expected
    (country,) = (row for row in ROWS if row.factor_id == "egrid2023r2:US")
    assert total["emissions"] == country.value_printed, "as read at EPA, in rev2"


def test_a_rate_of_a_state_says_what_it_is() -> None:
    """Official and EPA's, of no grid, and read second-hand."""
    assert len(STATES) == len({row.zone for row in STATES}) == 51
    (wyoming,) = (row for row in STATES if row.zone == "US-WY")
    assert (wyoming.value_printed, round(wyoming.value_g_per_kwh or 0, 3)) == ("1833.263", Decimal("831.554"))
    for row in STATES:
        assert (row.quality_tier, row.factor_type, row.basis) == (4, FactorType.DIRECT, Basis.PRODUCTION)
        assert (row.publisher, row.edition, row.licence) == ("US EPA", "eGRID2023", "public domain")
        assert (row.gases, row.gwp_set, row.includes_td, row.confidence) == ("CO2e", "AR5", False, "2")
        assert f"codecarbon {CODECARBON}" in row.source_ref
        assert "EPA advises the rate of the eGRID subregion" in row.note


def test_what_was_known_before_the_states_came_stays() -> None:
    """EPA's average of the country, as statements of that time say."""
    wyoming, found = find_zone("US-WY"), []
    for as_of_s in (STATES_S - 1, STATES_S):
        choice = choose_location(list(read_factors(as_of_s=as_of_s)), zone_path(wyoming), STATES_S, (4, 5))
        assert isinstance(choice, Choice)
        found.append(choice.row.factor_id)
    assert found == ["egrid2023r2:US", "egrid2023:US-WY"]


def test_the_number_of_rows() -> None:
    """201 printed factors; two of them say that there is none."""
    assert len(ROWS) == 201
    assert [row.factor_id for row in ROWS if not row.value_printed] == ["aib2024:AT:residual", "aib2024:NL:residual"]
    assert len({row.factor_id for row in ROWS}) == 201


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.factor_id)
def test_every_shipped_factor_says_where_it_is_from_and_what_it_counts(row: FactorRow) -> None:
    """Publisher, edition, type, gases and licence, or in words that the source does not state them."""
    assert row.gases in {"CO2", "CO2e", "unspecified"}
    assert row.gwp_set in {"AR5", "unspecified"} if row.gases != "CO2" else row.gwp_set == "none"
    assert all((row.edition, row.source_ref, row.licence, row.attribution, row.data_year))
    assert row.publisher_url.startswith("https://")
    assert row.confidence in {"V", "V/2", "2", "untagged"}
    assert row.valid_from_s < row.valid_to_s
    assert row.quality_tier in {4, 5, 6}
    assert find_zone(row.zone).code == row.zone
    assert row.value_g_per_kwh is None or 0 < row.value_g_per_kwh < 2000


def test_the_publishers_and_their_attribution_stand_in_the_readme_and_the_table() -> None:
    readme = (DATA / "README.md").read_text("utf-8")
    assert {row.publisher for row in ROWS} == PUBLISHERS.keys()
    assert [name for name in TABLES if f"factors/{name}" not in readme] == []
    assert "Open Government Licence v3.0" in PUBLISHERS["UK DESNZ"].attribution
    assert "Open Government Licence \N{EN DASH} Canada" in PUBLISHERS["ECCC (Canada)"].attribution
    assert PUBLISHERS["Ember"].licence_url == "https://creativecommons.org/licenses/by/4.0/"


def test_the_residual_mixes_can_be_left_out_of_a_redistribution(tmp_path: Path) -> None:
    """Whoever doubts their licence deletes the file and loses nothing else."""
    folder = shutil.copytree(FACTORS, tmp_path / "factors")
    (folder / "eu_aib_residual_2024.csv").unlink()
    left = list(read_factors(folder))
    assert len(left) == 201 - 18
    assert {row.basis for row in left if row.zone == "FR"} == {Basis.PRODUCTION}


@pytest.mark.parametrize(
    ("printed", "unit", "expected"),
    [
        ("1", "lb/MWh", "0.45359237"),
        ("429.983", "lb/MWh", "195.03700802971"),
        ("434.2188489", "lb/MWh", "196.958356771222893"),
        ("0.17700", "kg/kWh", "177"),
        ("0.7117", "t/MWh", "711.7"),
        ("344", "g/kWh", "344"),
        ("344", "kg/MWh", "344"),
    ],
)
def test_units_are_converted_exactly(printed: str, unit: str, expected: str) -> None:
    assert g_per_kwh(Decimal(printed), unit) == Decimal(expected)


def test_green_e_is_co2e_already() -> None:
    """The published rate is eGRID's CO2e rate with the claimed electricity taken out: adding CH4 and N2O again would
    count them twice."""
    rate = Decimal("429.983") * 220_986_983 / (220_986_983 - 2_155_596)
    assert round(rate, 4) == Decimal("434.2185")


HEADER = (FACTORS / "uba_de.csv").read_text("utf-8").splitlines()[0]
LINE = (FACTORS / "uba_de.csv").read_text("utf-8").splitlines()[1]


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("official publication (cite)", "", ValueError),  # no licence
        (",UBA 2025 preliminary,", ",,", ValueError),
        (",CO2,", ",,", ValueError),
        (",344,", ",NaN,", ValueError),
        (",direct,", ",mixed,", ValueError),
        (",g/kWh,", ",g/MWh,", KeyError),
        (",DE,iso2", ",QQ,iso2", KeyError),
        ("UBA (Germany)", "Somebody", KeyError),
        (",2026-10-31", ",", ValueError),  # nobody knows since when
    ],
)
def test_a_number_without_its_provenance_cannot_get_in(old: str, new: str, error: type[Exception]) -> None:
    assert old in LINE
    with pytest.raises(error):
        list(parse_factors(f"{HEADER}\n{LINE.replace(old, new)}\n", PUBLISHERS))


LATER_S = COLLECTED_S + 200 * 86_400  # 2027-05-19


@pytest.fixture
def refreshed(tmp_path: Path) -> Path:
    """The tables of a release of May 2027: Germany's 344 of 2025, which was preliminary, is 340, and 2026 is out."""
    folder = shutil.copytree(FACTORS, tmp_path / "factors")
    corrected = LINE.replace(",344,", ",340,").replace("2026-10-31", "2027-05-19")
    edition = corrected.replace("uba2025:", "uba2026:").replace(",340,", ",320,")
    with (folder / "uba_de.csv").open("a", encoding="utf-8") as table:
        table.write(f"{corrected}\n{edition}\n")
    return folder


def test_a_later_release_does_not_rewrite_what_was_known(refreshed: Path) -> None:
    """A question as of today has today's answer in every later release too: a closed month can be explained."""
    first = tuple(row for row in ROWS if row not in STATES)
    assert tuple(read_factors(refreshed, COLLECTED_S)) == tuple(read_factors(refreshed, STATES_S - 1)) == first
    assert tuple(read_factors(refreshed, STATES_S)) == tuple(read_factors(refreshed, LATER_S - 1)) == ROWS
    assert list(read_factors(refreshed, COLLECTED_S - 1)) == []
    now = [row for row in read_factors(refreshed) if row.publisher == "UBA (Germany)"]
    assert [(row.factor_id, row.value_printed) for row in now] == [
        ("uba2025:DE", "340"),  # in the place of the one that it corrects
        ("uba2024:DE", "363"),
        ("uba2026:DE", "320"),
    ]
    assert tuple(read_factors(refreshed)) == tuple(read_factors(refreshed, LATER_S))


def test_a_corrected_row_says_what_it_corrects(refreshed: Path) -> None:
    (corrected,) = read_history({"uba2025:DE"}, refreshed).values()
    assert [(each.row.value_printed, each.recorded_at_s) for each in corrected] == [
        ("344", COLLECTED_S),
        ("340", LATER_S),
    ]
    assert [each.supersedes for each in corrected] == [None, corrected[0].number]
    (single,) = read_history({"eea2023:FR", "rte:FR:direct:x"})["eea2023:FR"]
    assert single == FactorRecord(single.row, COLLECTED_S, single.number)


def test_every_row_says_since_when_it_is_known() -> None:
    assert {collected_s(row) for row in ROWS if row not in STATES} == {COLLECTED_S}
    assert {collected_s(row) for row in STATES} == {STATES_S}
    assert COLLECTED_S == 1_793_404_800, "2026-10-31T00:00:00Z, whatever is collected later"


def test_the_footprints_of_devices_are_those_they_were_taken_from() -> None:
    """Rows under a share-alike licence do not ship."""
    expected = golden("embodied.csv")
    shipped = {device.name: device for device in devices()}
    assert len(expected) == 11
    for row in expected:
        device = shipped.pop(row["device"])
        assert (str(device.kgco2e), device.source_ref) == (row["kgco2e"], row["source_ref"])
    assert [(device.name, device.kgco2e) for device in shipped.values()] == [("AMD MI300X", None)]
    assert not any("Boavizta" in device.source_ref for device in devices())
    assert all(device.licence and device.publisher and device.unit for device in devices())


@pytest.mark.parametrize(
    ("text", "kgco2e"), [("H100", "164"), ("nvidia h100", "164"), ("B200", "284.25"), ("A100", "150"), ("host", "2500")]
)
def test_devices_are_found_by_their_short_names(text: str, kgco2e: str) -> None:
    device = find_device(devices(), text)
    assert device is not None
    assert device.kgco2e == Decimal(kgco2e)


#: No table of the Singaporean and the Japanese authority ships.
PLACES = [row for row in golden("zone_crosswalk.csv") if row["official_system"] not in {"ema", "meti"}]


@pytest.mark.parametrize("row", PLACES, ids=lambda row: row["place"])
def test_the_crosswalk_of_places_agrees(row: dict[str, str]) -> None:
    """Each place's official zone is in the catalogue and its factor is the one listed there."""
    zone = find_zone(row["official_zone"])
    values = [r.value_g_per_kwh for r in ROWS if r.zone == zone.code and r.quality_tier == 4]
    assert values
    if row["official_value_g_per_kwh"]:
        assert Decimal(row["official_value_g_per_kwh"]) in [round(value, 2) for value in values if value is not None]
    assert find_zone(row["em_zone"]).em_zone in {row["em_zone"], ""}
