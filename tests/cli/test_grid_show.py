"""``wattledger grid show`` with a store: what an auditor asks about one hour, and what was known of it when."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from tests.cli.gridding import Node, hour
from tracker.cli import layout
from tracker.core.factors import Basis, Origin

HOUR = "2026-10-03T14:00Z"


@pytest.fixture
def node(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Node:
    return Node(capsys, tmp_path)


@pytest.fixture
def revised(node: Node) -> Node:
    """An hour that was first estimated, then measured, then corrected."""
    node.configure('[accounting]\nlocation_factor = "hourly"\n')
    node.learns("2026-10-03T15:05Z", hour(HOUR, "23", tier=2))
    node.learns("2026-10-04T03:00Z", hour(HOUR, "21.5"))
    node.learns("2026-11-10T03:00Z", hour(HOUR, "22.25"))
    return node


def test_an_hour_has_its_value_source_and_all_that_it_superseded(revised: Node) -> None:
    code, out, err = revised("show", "FR", "--at", HOUR)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[:2] == ["FR  France", "  location-based, for 2026-10-03 14:00 UTC"]
    assert "  value       22.25 g/kWh, printed as 22.25 g/kWh" in lines
    assert "  tier        1 of 6, measured interval" in lines
    assert "  period      2026-10-03 14:00 to 15:00 UTC" in lines
    assert "  age         the period asked for" in lines
    assert any(line.startswith("  recorded    2026-11-10 03:00 UTC, ") and line.endswith(" ago") for line in lines)
    first = lines.index("  superseded  21.5 g/kWh, direct, recorded 2026-10-04 03:00 UTC")
    assert lines[first + 1] == " " * 14 + "23 g/kWh, direct, estimated interval, recorded 2026-10-03 15:05 UTC"
    assert "  source      RTE eco2mix national" in lines


def test_as_of_never_sees_what_was_recorded_later(revised: Node) -> None:
    """Each of the three values was the best known one at its time, and before the first there was none."""

    def known(as_of: str) -> tuple[object, ...]:
        said = revised.json("show", "FR", "--at", HOUR, "--as-of", as_of)["hourly"]["factor"]
        return said and (said["value_g_per_kwh"], said["tier"], [before["tier"] for before in said["superseded"]])

    assert known("2026-10-03T15:04:59Z") is None
    assert known("2026-10-03T15:05:00Z") == (23, 2, [])
    assert known("2026-11-01") == (Decimal("21.5"), 1, [2])
    assert known("2026-11-10T03:00Z") == (Decimal("22.25"), 1, [1, 2])


def test_a_value_that_its_service_took_back_is_told_and_not_used(revised: Node) -> None:
    """It stayed measured for ever."""
    revised.learns("2026-11-12T03:00:07Z", hour(HOUR, ""))
    _, out, _ = revised("show", "FR", "--at", HOUR)
    lines = out.splitlines()
    assert "  value       50 g/kWh, printed as 50 g/kWh" in lines
    assert "  flag        No service has a value of this time: the official yearly factor stands in." in lines
    told = "22.25 g/kWh, direct, measured interval, of rte: recorded 2026-11-10 03:00 UTC, without a value since"
    assert f"taken back {told} 2026-11-12 03:00 UTC" in " ".join(out.split())
    said = revised.json("show", "FR", "--at", HOUR)
    assert said["taken_back"] == [
        {
            "factor_id": "rte:FR:direct:2026-10-03T14:00:00Z",
            "provider": "rte",
            "value_g_per_kwh": Decimal("22.25"),
            "factor_type": "direct",
            "tier": 1,
            "recorded_at": "2026-11-10T03:00:00Z",
            "taken_back_at": "2026-11-12T03:00:07Z",
        }
    ]
    before = revised.json("show", "FR", "--at", HOUR, "--as-of", "2026-11-12T03:00:06Z")
    assert (before["location"]["value_g_per_kwh"], before["taken_back"]) == (Decimal("22.25"), [])
    revised.learns("2026-11-13T03:00Z", hour(HOUR, "23"))
    after = revised.json("show", "FR", "--at", HOUR)
    assert "superseded no value, recorded 2026-11-12 03:00 UTC 22.25 g" in " ".join(
        revised("show", "FR", "--at", HOUR)[1].split()
    )
    superseded = [each["value_g_per_kwh"] for each in after["location"]["superseded"]]
    assert (after["location"]["value_g_per_kwh"], after["taken_back"]) == (23, [])
    assert superseded == [None, Decimal("22.25"), Decimal("21.5"), 23]


def test_two_records_of_one_minute_say_their_seconds(node: Node) -> None:
    node.learns("2026-10-04T03:00:05Z", hour(HOUR, "21.5"))
    node.learns("2026-10-04T03:00:40Z", hour(HOUR, "22.25"))
    node.configure('[accounting]\nlocation_factor = "hourly"\n')
    _, out, _ = node("show", "FR", "--at", HOUR)
    assert "  recorded    2026-10-04 03:00:40 UTC, " in out
    assert "  superseded  21.5 g/kWh, direct, recorded 2026-10-04 03:00:05 UTC" in out.splitlines()


def test_as_of_says_its_instant_and_counts_from_it(revised: Node) -> None:
    _, out, _ = revised("show", "FR", "--at", HOUR, "--as-of", "2026-11-01")
    assert "  as it was known at 2026-11-01 00:00 UTC" in out.splitlines()
    assert "  recorded    2026-10-04 03:00 UTC, 27 d 21 h before that" in out.splitlines()
    assert "22.25" not in out


def test_the_tables_are_known_since_the_day_they_were_collected(node: Node) -> None:
    before = node.json("show", "FR", "--at", HOUR, "--as-of", "2026-10-30T23:59:59Z")
    assert before["location"] is None
    assert before["reason"] == (
        "on 2026-10-30 nothing of it was known here; the tables that ship were collected on 2026-10-31"
    )
    assert [answer["factor"] for answer in before["tiers"].values()] == [None] * 6
    assert before["residual"]["factor"] is None
    after = node.json("show", "FR", "--at", HOUR, "--as-of", "2026-10-31")
    assert (after["location"]["value_g_per_kwh"], after["location"]["recorded_at"]) == (50, "2026-10-31T00:00:00Z")
    assert "  superseded  nothing" in node("show", "FR", "--at", HOUR, "--as-of", "2026-11-01")[1].splitlines()
    _, out, _ = node("show", "FR", "--at", HOUR, "--as-of", "2026-10-01")
    assert "none: on 2026-10-01 nothing of it was known here" in out
    assert "Emissions are unknown, not zero." in out


def test_annual_and_hourly_stand_side_by_side_with_their_difference(node: Node) -> None:
    """The annual one is used unless the configuration says otherwise."""
    node.learns("2026-10-04T03:00Z", hour(HOUR, "22.25"))
    _, out, _ = node("show", "FR", "--at", HOUR)
    beside = out.partition("Annual and hourly, side by side\n")[2].partition("\n\n")[0].splitlines()
    assert beside == [
        "  WAY            G/KWH  TYPE    TIER  PERIOD",
        "  annual (used)     50  direct     4  2023-01-01 to 2023-12-31",
        "  hourly         22.25  direct     1  2026-10-03 14:00 to 15:00 UTC",
        "  Hourly is 27.75 g/kWh (55.5 %) less than annual.",
    ]
    said = node.json("show", "FR", "--at", HOUR)
    assert (said["method"], said["location"]["tier"]) == ("annual", 4)
    assert (said["difference_g_per_kwh"], said["difference_percent"]) == (Decimal("-27.75"), Decimal("-55.5"))


def test_every_tier_says_what_it_would_by_itself(node: Node) -> None:
    node.learns("2026-10-04T03:00Z", hour(HOUR, "22.25"), hour(HOUR, "30", tier=2, provider="neso"))
    tiers = node.json("show", "FR", "--at", HOUR)["tiers"]
    assert {tier: answer["factor"] and answer["factor"]["value_g_per_kwh"] for tier, answer in tiers.items()} == {
        "1": Decimal("22.25"),
        "2": 30,
        "3": None,
        "4": 50,
        "5": Decimal("41.2"),
        "6": 475,
    }
    assert tiers["3"]["reason"] == "no value of this time is known"


def test_an_hour_without_a_value_is_not_filled_and_says_what_stands_in(revised: Node) -> None:
    said = revised.json("show", "FR", "--at", "2026-10-02T14:00Z")
    assert (said["location"]["tier"], said["location"]["flagged"]) == (4, True)
    assert said["location"]["steps"][0].startswith("No service has a value of this time")
    _, out, _ = revised("show", "FR", "--at", "2026-10-02T14:00Z")
    assert "  No value of this hour is known: the annual one stands in." in out.splitlines()


def test_the_newest_value_stands_in_for_what_is_not_published_yet(revised: Node) -> None:
    """As the daemon weighs it, with its age and as an estimate; later there is none."""
    said = revised.json("show", "FR", "--at", "2026-10-03T15:20Z")["location"]
    assert (said["value_g_per_kwh"], said["tier"], said["age_s"], said["flagged"]) == (Decimal("22.25"), 2, 1200, True)
    assert [before["tier"] for before in said["superseded"]] == [1, 2]
    _, out, _ = revised("show", "FR", "--at", "2026-10-03T15:20Z")
    assert "  age         20 min after the end of its period" in out.splitlines()
    assert revised.json("show", "FR", "--at", "2026-10-03T19:20Z")["location"]["tier"] == 4


def test_where_a_value_came_from_is_all_there_for_a_program(revised: Node) -> None:
    said = revised.json("show", "FR", "--at", HOUR)["location"]
    assert (said["valid_from"], said["valid_to"]) == ("2026-10-03T14:00:00Z", "2026-10-03T15:00:00Z")
    assert (said["recorded_at"], said["age_s"]) == ("2026-11-10T03:00:00Z", 0)
    assert said["origin"]["provider"] == "rte"
    assert said["origin"]["endpoint"] == "https://odre.example/records"
    assert said["origin"]["is_estimated"] is False
    assert [(each["value_g_per_kwh"], each["recorded_at"]) for each in said["superseded"]] == [
        (Decimal("21.5"), "2026-10-04T03:00:00Z"),
        (23, "2026-10-03T15:05:00Z"),
    ]


def test_the_future_is_said_to_be_one(node: Node) -> None:
    said = node.json("show", "FR", "--at", "2099-01-01")
    assert said["future"] is True
    assert said["tiers"]["1"]["factor"] is None
    code, out, _ = node("show", "FR", "--at", "2099-01-01", "--as-of", "2098-01-01")
    assert code == 0
    assert "  that is still to come: nothing of it can have been measured" in out.splitlines()
    assert "  as it is known now: 2098-01-01 00:00 UTC is still to come" in out.splitlines()


def test_a_store_that_is_none_is_one_sentence(node: Node) -> None:
    node.state_dir.mkdir()
    (node.state_dir / "factors.db").write_bytes(b"not a database at all, but long enough to be looked at" * 40)
    code, out, err = node("show", "FR")
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert "factors.db holds no grid factors of wattledger" in err
    code, out, err = node("list", "france")
    assert (code, err.count("\n")) == (0, 1)
    assert "FR " in out, "the tables are there all the same"


def test_looking_leaves_no_file_behind(node: Node) -> None:
    """Whoever looks as root must not own the daemon's files."""
    assert node("show", "FR")[0] == 0
    assert not node.state_dir.exists()


@pytest.mark.parametrize(
    ("flag", "text", "sentence"),
    [
        ("--as-of", "yesterday", "'yesterday' is no date."),
        ("--as-of", "1066-10-14", "No factor is of 1066-10-14."),
        ("--at", "2026-02-30", "'2026-02-30' is no date."),
    ],
)
def test_a_date_that_is_none_is_named(node: Node, flag: str, text: str, sentence: str) -> None:
    code, out, err = node("show", "FR", flag, text)
    assert (code, out) == (2, "")
    assert err.startswith(f"wattledger: {sentence}")


@pytest.mark.parametrize("columns", [80, 120])
def test_lines_fit_the_terminal_and_nothing_is_cut(columns: int, revised: Node) -> None:
    seen = revised.terminal(columns, "show", "FR", "--at", HOUR, "--as-of", "2026-11-11")
    lines = [line for line in seen.splitlines() if "https://" not in line]
    assert [line for line in lines if layout.cells(line) > columns] == []
    assert "…" not in seen


def test_a_yearly_factor_that_somebody_imported_is_used_and_kept_with_its_history(node: Node) -> None:
    """Singapore's own: no table that ships has one."""
    year = replace(hour("2025-01-01T00:00Z", "0.402", tier=4, zone="SG"), unit_printed="kg/kWh", data_year="2025")
    official = replace(year, factor_id="ema2025:SG", valid_to_s=year.valid_from_s + 365 * 86_400, origin=Origin())
    mix = replace(official, factor_id="ema2025:SG:residual", value_printed="0.41", basis=Basis.RESIDUAL)
    node.learns("2026-11-02T03:00Z", official, mix)
    node.learns("2026-11-10T03:00Z", replace(official, value_printed="0.401"))
    asked = ("show", "SG", "--at", "2026-10-15")
    assert node.json(*asked, "--as-of", "2026-11-01")["location"]["tier"] == 5
    said = node.json(*asked)
    assert (said["location"]["factor_id"], said["location"]["tier"]) == ("ema2025:SG", 4)
    assert (said["location"]["value_g_per_kwh"], said["tiers"]["4"]["factor"]["value_g_per_kwh"]) == (401, 401)
    assert said["location"]["recorded_at"] == "2026-11-10T03:00:00Z"
    assert [before["value_g_per_kwh"] for before in said["location"]["superseded"]] == [402]
    assert said["residual"]["factor"]["value_g_per_kwh"] == 410
    assert node.json(*asked, "--as-of", "2026-11-05")["location"]["value_g_per_kwh"] == 402
    early = node.json("show", "SG", "--at", "2025-10-15", "--as-of", "2026-11-05")
    assert early["location"]["factor_id"] == "ema2025:SG"


def test_what_was_imported_before_the_tables_were_collected_is_all_that_was_known(node: Node) -> None:
    year = replace(hour("2025-01-01T00:00Z", "20", tier=4), factor_id="own2025:FR")
    node.learns("2026-10-05T00:00Z", replace(year, valid_to_s=year.valid_from_s + 365 * 86_400))
    said = node.json("show", "FR", "--at", "2026-10-15", "--as-of", "2026-10-10")
    assert said["location"]["factor_id"] == "own2025:FR"
    assert said["tiers"]["5"]["factor"] is None
