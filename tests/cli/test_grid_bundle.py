"""``wattledger grid export`` and ``import``: factors reach a machine that has no network, whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from tests.cli.gridding import Node, at, hour
from tracker.grid.catalogue import DATA

HOUR = "2026-10-03T14:00Z"
HEADER = (DATA / "factors" / "eea_2023.csv").read_text("utf-8").splitlines()[0]


@pytest.fixture
def node(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Node:
    """That has read a service."""
    (tmp_path / "here").mkdir()
    node = Node(capsys, tmp_path / "here")
    node.learns("2026-10-04T03:00Z", hour(HOUR, "21.5"), hour("2026-11-03T14:00Z", "30"), hour(HOUR, "9", zone="NO"))
    node.learns("2026-10-05T03:00Z", hour(HOUR, "22.25"))
    return node


@pytest.fixture
def island(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Node:
    """That reaches nobody."""
    (tmp_path / "there").mkdir()
    return Node(capsys, tmp_path / "there")


def test_what_one_node_knows_another_one_can_weigh_with(node: Node, island: Node, tmp_path: Path) -> None:
    bundle = str(tmp_path / "bundle.json")
    code, out, err = node("export", "-o", bundle)
    assert (code, out, err) == (0, f"{bundle}  3 factors of FR, NO\n", "")
    assert island("import", bundle) == (0, f"{bundle}  3 factors of FR, NO: 3 new, 0 revised, 0 as known\n", "")
    said = island.json("show", "FR", "--at", HOUR)["hourly"]["factor"]
    assert (said["value_g_per_kwh"], said["origin"]["provider"]) == (Decimal("22.25"), "rte")
    assert said["recorded_at"] > "2026-11", "it is known here since it came here"
    assert island.json("import", bundle)["same"] == 3, "again changes nothing"


def test_a_revision_that_was_taken_back_comes_over_too(node: Node, island: Node, tmp_path: Path) -> None:
    """A node without a network would weigh with the superseded value for ever."""
    bundle = str(tmp_path / "bundle.json")
    for day, value in (("06", "50"), ("07", "60"), ("08", "50")):
        row = hour(HOUR, value)
        read_at_s = at(f"2026-10-{day}T03:00Z")
        node.learns(f"2026-10-{day}T03:00Z", replace(row, origin=replace(row.origin, fetched_at_s=read_at_s)))
        node("export", "-o", bundle)
        code, out, _ = island("import", bundle)
        assert (code, island.json("show", "FR", "--at", HOUR)["hourly"]["factor"]["value_g_per_kwh"]) == (0, int(value))
    assert out.endswith("0 new, 1 revised, 2 as known\n")


def test_what_an_older_bundle_says_otherwise_is_counted_and_named(node: Node, island: Node, tmp_path: Path) -> None:
    bundles = []
    for day, value in (("06", "50"), ("07", "60")):
        row, read_at = hour(HOUR, value), f"2026-10-{day}T03:00Z"
        node.learns(read_at, replace(row, origin=replace(row.origin, fetched_at_s=at(read_at))))
        bundles.append(str(tmp_path / f"{day}.json"))
        node("export", "FR", "-o", bundles[-1], "--to", "2026-10-04")
    island("import", bundles[1])
    code, out, err = island("import", bundles[0])
    told = "1 factors of FR: 0 new, 0 revised, 0 as known, 1 older than what is known"
    assert (code, out) == (0, f"{bundles[0]}  {told}\n")
    assert err.endswith("recorded then or later: rte:FR:direct:2026-10-03T14:00:00Z.\n")


def test_zones_and_times_may_be_chosen(node: Node, tmp_path: Path) -> None:
    october, to_stdout = str(tmp_path / "october.json"), ("-o", "-")
    said = node.json("export", "fr", "--from", "2026-10-01", "--to", "2026-11-01", "-o", october)
    assert (said["factors"], said["zones"]) == (1, ["FR"])
    code, out, _ = node("export", "NO", *to_stdout)
    assert (code, json.loads(out)["format"]) == (0, "wattledger-factors")
    assert len(json.loads(out)["content"]["factors"]) == 1


def test_a_damaged_file_changes_nothing(node: Node, island: Node, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.json"
    assert node("export", "-o", str(bundle))[0] == 0
    bundle.write_text(bundle.read_text("utf-8").replace("22.25", "2.225"), "utf-8")
    code, out, err = island("import", str(bundle))
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "its content does not fit its checksum" in err
    assert not island.state_dir.exists()


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("import", "nothing.json"), 1, "The bundle nothing.json cannot be read"),
        (("export", "JP", "-o", "x.json"), 1, "has no factors of JP."),
        (("export", "FR", "--from", "2026-12-01", "-o", "x.json"), 1, "has no factors of FR in that time."),
        (("export", "Frnace", "-o", "x.json"), 2, "The zone 'Frnace' is not known."),
        (("export", "--from", "2026-10-02", "--to", "2026-10-01", "-o", "x.json"), 2, "is not after --from"),
        (("export", "-o", "-", "--json"), 2, "With -o - the bundle itself is printed."),
        (("export", "-o", "/nonexistent/x.json"), 1, "The bundle /nonexistent/x.json cannot be written"),
    ],
)
def test_what_cannot_be_is_one_sentence(node: Node, arguments: tuple[str, ...], code: int, sentence: str) -> None:
    ended, out, err = node(*arguments)
    assert (ended, out, err.count("\n")) == (code, "", 1)
    assert sentence in err


def test_a_table_of_yearly_factors_is_imported_and_used(island: Node, tmp_path: Path) -> None:
    """Norway has no official factor in the tables: its operator can bring one in."""
    table = tmp_path / "nve.CSV"
    header = (DATA / "factors" / "eea_2023.csv").read_text("utf-8").splitlines()[0]
    row = (
        "nve2025:NO,NO,iso2,11,g/kWh,CO2,direct,production,average,4,2025-01-01,2026-01-01,NVE 2025,2025,NVE,"
        "11 g/kWh,NLOD,none,false,V,,2026-11-02"
    )
    table.write_text(f"{header}\n{row}\n", encoding="utf-8")
    assert island("import", str(table))[:2] == (0, f"{table}  1 factors of NO: 1 new, 0 revised, 0 as known\n")
    said = island.json("show", "NO", "--at", "2026-11-03T14:00Z")["location"]
    assert (said["factor_id"], said["tier"], said["publisher"]) == ("nve2025:NO", 4, "NVE")
    table.write_text(f"{header}\n{row.replace(',4,', ',1,')}\n", encoding="utf-8")
    code, _, err = island("import", str(table))
    assert (code, "is of hours: those are read by the file provider" in err) == (1, True)


def own(factor_id: str, zone: str, value: str, recorded: str, basis: str = "production", year: int = 2025) -> str:
    return (
        f"{factor_id},{zone},iso2,{value},g/kWh,CO2e,direct,{basis},average,4,{year}-01-01,{year + 1}-01-01,"
        f"Own {year},{year},ACME,table 3,own data,AR5,false,V,,{recorded}"
    )


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., str]:
    def write(*rows: str) -> str:
        (tmp_path / "own.csv").write_text("\n".join((HEADER, *rows, "")), "utf-8")
        return str(tmp_path / "own.csv")

    return write


def test_a_value_that_is_older_than_what_is_known_is_counted_and_named(island: Node, table: Callable[..., str]) -> None:
    """It was "as known", and the correction was lost without a word."""
    path = table(own("own2025", "SG", "402", "2026-11-20"))
    island("import", path)
    table(own("own2025", "SG", "411", "2026-11-10"))
    code, out, err = island("import", path)
    told = "1 factors of SG: 0 new, 0 revised, 0 as known, 1 older than what is known"
    assert (code, out) == (0, f"{path}  {told}\n")
    assert err == (
        "wattledger: 1 not taken, for what is known here was recorded then or later: own2025."
        " To take them all the same, write a later day into `recorded`.\n"
    )
    assert island.json("show", "SG", "--at", "2026-11-03")["location"]["value_g_per_kwh"] == 402
    table(own("own2025", "SG", "411", "2026-11-21"))
    assert island.json("import", path) == {
        "file": path, "factors": 1, "zones": ["SG"], "new": 0, "changed": 1, "same": 0, "older": []
    }  # fmt: skip


def test_a_value_that_is_older_than_the_table_that_ships_is_not_taken(island: Node, table: Callable[..., str]) -> None:
    """It was "1 new", and never used."""
    path = table(own("eea2023:FR", "FR", "60", "2026-10-01", year=2023))
    code, out, err = island("import", path)
    assert (code, out) == (
        0, f"{path}  1 factors of FR: 0 new, 0 revised, 0 as known, 1 older than what is known\n"
    )  # fmt: skip
    assert "recorded then or later: eea2023:FR." in err
    assert island.json("show", "FR", "--at", "2026-11-03")["location"]["value_g_per_kwh"] == 50


@pytest.mark.parametrize(
    ("row", "other"),
    [
        (own("own2025", "MY", "600", "2026-11-21"), "own2025 is the id of a factor of SG (direct, production, 2025-01"),
        (own("own2025", "SG", "600", "2026-11-21", "residual"), "own2025 is the id of a factor of SG"),
        (own("own2025", "SG", "600", "2026-11-21", year=2024), "own2025 is the id of a factor of SG"),
        (own("eea2023:FR", "SG", "600", "2026-11-21", year=2023), "eea2023:FR is the id of a factor of FR"),
    ],
)
def test_an_id_stands_for_one_factor(island: Node, table: Callable[..., str], row: str, other: str) -> None:
    """A later table of another country took the first one's value away."""
    island("import", table(own("own2025", "SG", "402", "2026-11-20")))
    code, out, err = island("import", table(row))
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert other in err
    assert "Give this one another id." in err
    assert island.json("show", "SG", "--at", "2026-11-03")["location"]["value_g_per_kwh"] == 402


def test_what_an_imported_factor_took_the_place_of_in_the_tables_is_shown(
    island: Node, table: Callable[..., str]
) -> None:
    island("import", table(own("eea2023:FR", "FR", "60", "2026-11-20", year=2023)))
    said = island.json("show", "FR", "--at", "2026-11-03")["location"]
    assert said["value_g_per_kwh"] == 60
    assert [(each["value_g_per_kwh"], each["recorded_at"]) for each in said["superseded"]] == [
        (50, "2026-10-31T00:00:00Z")
    ]
    _, out, _ = island("show", "FR", "--at", "2026-11-03")
    assert "superseded 50 g/kWh, direct, recorded 2026-10-31" in " ".join(out.split())


def test_what_was_imported_and_taken_back_is_shown_and_the_table_that_ships_holds(
    island: Node, table: Callable[..., str]
) -> None:
    rows = [
        own(f"own2024{end}", "FR", "60", "2026-11-20", mix, 2024)
        for end, mix in (("", "production"), (":r", "residual"))
    ]
    rows.append(own("eea2023:FR", "FR", "61", "2026-11-20", year=2023))
    island("import", table(*rows))
    asked = ("show", "FR", "--at", "2026-11-03")
    said = island.json(*asked)
    assert (said["location"]["value_g_per_kwh"], said["residual"]["factor"]["value_g_per_kwh"]) == (60, 60)
    island("import", table(*(row.replace(",60,", ",,").replace(",61,", ",,").replace("-20", "-21") for row in rows)))
    said = island.json(*asked)
    assert (said["location"]["factor_id"], said["location"]["value_g_per_kwh"]) == ("eea2023:FR", 50)
    assert said["location"]["superseded"] == []
    assert said["residual"]["factor"]["value_g_per_kwh"] == Decimal("23.52")
    assert sorted(each["factor_id"] for each in said["taken_back"]) == ["eea2023:FR", "own2024", "own2024:r"]
    assert "taken back 60 g/kWh, direct, residual mix, of ACME: recorded" in " ".join(island(*asked)[1].split())
