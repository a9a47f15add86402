"""``wattledger grid list|show`` as a person and a script use it, on what ships alone."""

from __future__ import annotations

import time
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from tests.cli.gridding import Node, hour, on_a_terminal
from tracker.cli import layout
from tracker.grid.answers import iso


@pytest.fixture
def grid(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Node:
    """On a node that knows the tables alone."""
    return Node(capsys, tmp_path)


def test_list_finds_zones_by_a_part_of_a_name(grid: Node) -> None:
    code, out, err = grid("list", "sweden", "--at", "2026-10-01")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "ZONE                 NAME                              G/KWH  TYPE    TIER  EDITION",
        "SE                   Sweden                                8  direct     4  EEA 2023",
        "SE-SE3               Stockholm bidding zone                8  direct     4  EEA 2023",
        "SE-SE1               North Sweden (Lulea)                  8  direct     4  EEA 2023",
        "SE-SE2               North Central Sweden (Sundsvall)      8  direct     4  EEA 2023",
        "SE-SE4               South Sweden (Malmo)                  8  direct     4  EEA 2023",
        "azure:swedencentral  Gävle                                                  tables disagree: set SE-SE3 or SE",
        "aws:eu-north-1       Stockholm                             8  direct     4  EEA 2023",
        "gcp:europe-north2    Stockholm                             8  direct     4  EEA 2023",
    ]


def test_list_marks_what_is_no_official_factor_of_the_zone(grid: Node) -> None:
    _, out, _ = grid("list", "singapore", "--at", "2026-10-01")
    assert "SG " in out
    assert "497  lifecycle       5  Ember 2025*" in out
    assert "369  unspecified     5  codecarbon-" in out  # gcp:asia-southeast1, as Google prints it
    assert "(undated)*" in out
    assert "* not this zone's own official factor" in out


def test_list_lines_up_with_chinese_names(grid: Node) -> None:
    """Such a character is two columns wide."""
    _, out, _ = grid("list", "CN-")
    rows = [line for line in out.splitlines() if line.startswith("CN-")]
    assert len(rows) == 38
    assert len({layout.cells(line.partition(" direct ")[0]) for line in rows}) == 1


def test_list_of_everything_prices_every_zone_or_says_why_not(grid: Node) -> None:
    found = grid.json("list", "--at", "2026-10-01")
    assert len(found) > 430
    without = {entry["zone"] for entry in found if entry["location"] is None}
    assert {"AQ", "aws:us-west-2"} <= without
    assert all(entry["reason"] for entry in found if entry["location"] is None)
    assert {"FR", "CAMX", "CN-BJ", "AU-NSW", "JP", "WORLD"} & without == set()


def test_list_of_something_misspelt_shows_what_is_like_it(grid: Node) -> None:
    code, out, _ = grid("list", "germnay")
    assert code == 0
    assert "DE    Germany" in out
    code, out, err = grid("list", "qqqqqqq")
    assert (code, out) == (2, "")
    assert err == "wattledger: No zone is like 'qqqqqqq'. List all: wattledger grid list\n"


def test_list_marks_zones_with_live_values_and_says_what_services_cover(grid: Node) -> None:
    start_s = int(time.time()) // 3600 * 3600 - 7200
    grid.configure('[site.here]\nzone = "FR"\n[grid]\nchain = ["rte", "energycharts"]\n')
    grid.learns("2026-10-04T03:00Z", hour(iso(start_s), "21.5"), hour("2026-01-01T00:00Z", "9", zone="NO"))
    code, out, err = grid("list", "fr")
    assert (code, err) == (0, "")
    ends = f"{iso(start_s + 3600)[:16].replace('T', ' ')} UTC"
    assert f"+ live values in the node's store: FR until {ends} (rte)" in out.splitlines()
    assert next(line for line in out.splitlines() if "France" in line).startswith("FR +  ")
    assert "\nrte covers FR, aws:eu-west-3, gcp:europe-west9, azure:francecentral\n" in out
    assert "\nenergycharts covers FR, aws:eu-central-1," in out
    _, out, _ = grid("list", "norway")
    assert "+ live values in the node's store: NO (none of the last 31 days)" in out
    found = {entry["zone"]: entry for entry in grid.json("list", "fr")}
    assert (found["FR"]["services"], found["FR"]["live"]["value_g_per_kwh"]) == (
        ["rte", "energycharts"],
        Decimal("21.5"),
    )
    assert (found["ZA"]["services"], found["ZA"]["live"]) == ([], None)


def test_list_shows_a_yearly_factor_that_somebody_imported(grid: Node) -> None:
    year = replace(hour("2025-01-01T00:00Z", "402", tier=4, zone="SG"), factor_id="ema2025:SG", edition="EMA 2025")
    grid.learns("2026-10-04T03:00Z", replace(year, valid_to_s=year.valid_from_s + 365 * 86_400))
    _, out, _ = grid("list", "singapore", "--at", "2026-10-15")
    line = next(line for line in out.splitlines() if line.startswith("SG "))
    assert line.split()[2:] == ["402", "direct", "4", "EMA", "2025"]
    assert "live values" not in out


def test_list_helps_although_the_configuration_names_a_wrong_zone(grid: Node) -> None:
    """It is what the error about that zone tells to run."""
    grid.configure('[grid.zone.Frnace]\nchain = ["rte"]\n')
    code, out, err = grid("list", "france")
    assert (code, err.count("\n")) == (0, 1)
    assert "The zone 'Frnace' is not known." in err
    assert "\nFR  " in out


def test_show_says_everything_about_a_factor(grid: Node) -> None:
    code, out, err = grid("show", "camx", "--at", "2026-10-03T14:00Z")
    assert (code, err) == (0, "")
    lines = [line.split(maxsplit=1) for line in out.splitlines() if line.startswith("  ")]
    said = {words[0]: words[1] for words in lines if len(words) > 1}
    assert out.startswith("CAMX  WECC California\n  location-based, for 2026-10-03 14:00 UTC\n")
    assert said["value"] == "195.03700802971 g/kWh, printed as 429.983 lb/MWh"
    assert said["type"] == "direct: what power stations emit"
    assert said["gases"] == "CO2e, GWP of AR5"
    assert said["losses"] == "not included"
    assert said["tier"] == "4 of 6, official annual"
    assert said["edition"] == "eGRID2023 rev2"
    assert said["period"] == "2023-01-01 to 2023-12-31"
    assert said["age"] == "2 y 9 m after the end of its period"
    assert said["licence"].startswith(("public domain", "none stated"))
    assert "public domain. United States Environmental Protection Agency" in out
    assert "  residual    196.958356771222893 g/kWh, CO2e, type direct" in out.splitlines()
    assert "\x1b" not in out, "plain text in a pipe"


def test_show_says_what_lower_tiers_would_say(grid: Node) -> None:
    _, out, _ = grid("show", "FR", "--at", "2026-10-03")
    ladder = out.partition("What each tier says\n")[2].partition("\n\n")[0].splitlines()
    assert [line.split()[:2] for line in ladder[1:4]] == [["1", "none"], ["2", "none"], ["3", "none"]]
    assert ladder[4].split() == ["4", "50", "direct", "EEA", "2023", "FR", "(used)"]
    assert ladder[5].split() == ["5", "41.2", "lifecycle", "Ember", "2025", "FR"]
    assert ladder[6].split()[0] == "6"


def test_show_as_json(grid: Node) -> None:
    result = grid.json("show", "GB", "--at", "2025-12-31T23:59Z")
    assert (result["zone"], result["name"], result["at"]) == (
        "GB",
        "United Kingdom",
        "2025-12-31T23:59:00Z",
    )
    location = result["location"]
    assert (location["factor_id"], location["value_g_per_kwh"], location["valid_to"]) == (
        "desnz2025:GB",
        177,
        "2026-01-01",
    )
    assert (location["tier"], location["factor_type"], location["includes_td"]) == (4, "direct", False)
    assert "Open Government Licence v3.0" in location["attribution"]
    assert result["tiers"]["5"]["factor"]["factor_type"] == "lifecycle"
    assert result["residual"] == {"factor": None, "reason": "the tables have no residual mix for it"}


def test_p11_a_zone_without_a_factor_is_unknown_and_not_the_world(grid: Node) -> None:
    code, out, _ = grid("show", "AQ")
    assert code == 0
    assert "  value       none: no table has a value for it. Emissions are unknown, not zero." in out.splitlines()
    assert grid.json("show", "AQ")["location"] is None


def test_a_residual_mix_that_does_not_exist_says_why(grid: Node) -> None:
    _, out, _ = grid("show", "NL")
    assert (
        "  residual    none: AIB 2024 (published 2025-05-30): no residual mix: full-disclosure regime; not zero" in out
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("show", "Frnace"), "The zone 'Frnace' is not known. Did you mean FR (France)?"),
        (("show", "us-east-1"), "The zone 'us-east-1' is not known. Did you mean aws:us-east-1 (N. Virginia)?"),
        (("show", "gcp:me-central1"), "The public tables disagree about gcp:me-central1 (Doha): QA and AE."),
        (("show", "FR", "--at", "noon"), "'noon' is no date. Write 2026-10-03 or 2026-10-03T14:00Z."),
        (("list", "--at", "2026-13-01"), "'2026-13-01' is no date."),
    ],
)
def test_wrong_input_is_one_sentence_and_exit_code_2(grid: Node, arguments: tuple[str, ...], sentence: str) -> None:
    code, out, err = grid(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("wattledger: " + sentence)
    assert err.count("\n") == 1


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize(
    "arguments",
    [
        ("grid", "list", "austr"),
        ("grid", "list", "cn-"),
        ("grid", "show", "DE"),
        (
            "estimate",
            "--device-hours",
            "5840",
            "--watts",
            "620",
            "--zone",
            "ERCT",
            "--device",
            "H100",
            "--devices",
            "8",
        ),
    ],
    ids=" ".join,
)
def test_lines_fit_the_terminal(columns: int, arguments: tuple[str, ...], grid: Node) -> None:
    """Wrapped under themselves, names cut with an ellipsis; only an address may stick out."""
    command = grid.arguments(*arguments[1:]) if arguments[0] == "grid" else arguments
    lines = [line for line in on_a_terminal(columns, *command).splitlines() if "https://" not in line]
    assert len(lines) > 3
    assert [line for line in lines if layout.cells(line) > columns] == []
