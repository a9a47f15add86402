"""A table of yearly factors that somebody wrote is taken as those that ship are, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.core.test_factors import at
from tracker.core.factors import Basis, FactorType
from tracker.grid.bundle import BundleRefused
from tracker.grid.catalogue import DATA
from tracker.grid.own_table import MAX_BYTES, parse_table, read_table
from tracker.grid.shipped import read_factors

HEADER = (DATA / "factors" / "eea_2023.csv").read_text("utf-8").splitlines()[0]
OWN = (
    "ema2025:SG,SG,iso2,0.402,kg/kWh,CO2,direct,production,average,4,2025-01-01,2026-01-01,EMA 2025,2025,"
    "Energy Market Authority,0.402 kg/kWh,Singapore Open Data Licence,none,false,V,,2026-11-02"
)
NOW_S = at("2026-11-25") + 3600


def refusal(text: str) -> BundleRefused:
    with pytest.raises(BundleRefused) as caught:
        parse_table(text.encode(), "own.csv", NOW_S)
    return caught.value


def test_a_countrys_own_factor() -> None:
    (row,) = parse_table(f"{HEADER}\n{OWN}\n".encode(), "own.csv", NOW_S)
    assert (row.zone, str(row.value_g_per_kwh), row.quality_tier) == ("SG", "402.000", 4)
    assert (row.factor_type, row.basis, row.includes_td) == (FactorType.DIRECT, Basis.PRODUCTION, False)
    assert (row.publisher, row.publisher_url, row.origin.provider) == ("Energy Market Authority", "", "tables")
    assert (row.valid_from_s, row.valid_to_s) == (at("2025-01-01"), at("2026-01-01"))
    assert row.origin.fetched_at_s == at("2026-11-02")


@pytest.mark.parametrize("path", sorted((DATA / "factors").glob("*.csv")), ids=lambda path: path.stem)
def test_every_table_that_ships_is_in_order(path: Path) -> None:
    """A newer release's table can be brought to an older one."""
    shipped = {row.factor_id: row for row in read_factors()}
    assert all(shipped[row.factor_id] == row for row in read_table(path, NOW_S))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (",4,2025", ",1,2025", "Row 1 of own.csv (ema2025:SG) is of hours"),
        (",4,2025", ",7,2025", "has the tier 7"),
        (",4,2025", ",four,2025", "Row 1 of own.csv is not understood"),
        (":SG,SG,", ":SG,ATLANTIS,", "Row 1 of own.csv: The zone 'ATLANTIS' is not known"),
        (":SG,SG,", ":SG,NO-NO9,", "Row 1 of own.csv: The zone 'NO-NO9' is not known"),
        ("0.402,kg/kWh", '"0,402",kg/kWh', "the value 0,402 has a decimal comma: write a point"),
        ("0.402,kg/kWh", "0,402,kg/kWh", "it has more cells than the first line (a decimal comma"),
        (",", ";", "own.csv separates its columns by semicolons."),
        ("2026-11-02", "2027-11-02", "is recorded on a day that is still to come"),
        ("2026-11-02", "2026-11-02T00:00:00+08:00", "recorded is '2026-11-02T00:00:00+08:00', and is written as YYYY"),
        ("2025-01-01", "01.01.2025", "valid_from is '01.01.2025', and is written as YYYY-MM-DD"),
        ("2026-01-01", "", "Row 1 of own.csv is not understood"),
        ("kg/kWh,CO2,", "kg/kWh,CO3,", "has the gases 'CO3': there are CO2, CO2e, unspecified."),
        (",4,2025", ",6,2025", "has the tier 6, which is the world's"),
        (OWN, f"{OWN}\n{OWN.replace('0.402,', '0.5,')}", "Row 2 of own.csv (ema2025:SG) stands twice"),
        (
            OWN,
            f"{OWN}\n{OWN.replace('SG,SG', 'SG,MY')}",
            "has the id of a row for SG (direct, production, 2025-01-01 to 2026-01-01) above it: give it another one.",
        ),
        ("0.402,kg/kWh", "402000,g/kWh", "which no grid has"),
        ("0.402,kg/kWh", "0;402,kg/kWh", "Row 1 of own.csv is not understood"),
        ("kg/kWh,CO2", "kg,CO2", "'kg' is not known"),
        ("2026-01-01", "2024-01-01", "ends before it begins"),
        ("2026-01-01", "soon", "Row 1 of own.csv is not understood"),
        ("Energy Market Authority", "", "Row 1 of own.csv is not understood"),
        ("Singapore Open Data Licence", "", "does not say its licence"),
        (",average,", ",marginal,", "'marginal' is not a valid Scheme"),
        (",2026-11-02", "", "Row 1 of own.csv is not understood"),
        (HEADER, "a,b,c", "Row 1 of own.csv is not understood"),
        (OWN, "", "lists no factors"),
        (OWN, f"{OWN}\n{OWN[:30]}", "Row 2 of own.csv is not understood"),
    ],
)
def test_what_is_not_in_order_is_refused_as_a_whole(old: str, new: str, said: str) -> None:
    assert said in refusal(f"{HEADER}\n{OWN}\n".replace(old, new)).sentence


def test_files_that_are_no_tables(tmp_path: Path) -> None:
    with pytest.raises(BundleRefused, match="cannot be read"):
        read_table(tmp_path / "none.csv", NOW_S)
    (tmp_path / "large.csv").write_bytes(b" " * (MAX_BYTES + 1))
    with pytest.raises(BundleRefused, match="larger than 4 MiB"):
        read_table(tmp_path / "large.csv", NOW_S)
    (tmp_path / "latin.csv").write_bytes(HEADER.encode() + b"\n\xe9,\n")
    with pytest.raises(BundleRefused, match="is not understood"):
        read_table(tmp_path / "latin.csv", NOW_S)


def test_zones_that_are_like_an_unknown_one_are_named() -> None:
    assert "Did you mean SG (Singapore)?" in refusal(f"{HEADER}\n{OWN}\n".replace(":SG,SG,", ":SG,Singapur,")).remedy


def test_a_correction_may_stand_below_what_it_corrects() -> None:
    """As in the tables that ship."""
    later = OWN.replace("0.402,", "0.41,").replace("2026-11-02", "2026-11-25")
    rows = parse_table(f"{HEADER}\n{OWN}\n{later}\n".encode(), "own.csv", NOW_S)
    assert [row.value_printed for row in rows] == ["0.402", "0.41"]


def test_a_note_may_have_lines_and_signs_of_its_own() -> None:
    own = OWN.replace(",V,,", ',V,"one\ntwo\u2028three",')
    (row,) = parse_table(f"{HEADER}\n{own}\n".encode(), "own.csv", NOW_S)
    assert (row.note, row.origin.fetched_at_s) == ("one\ntwo\u2028three", at("2026-11-02"))
