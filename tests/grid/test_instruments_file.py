"""Certificates, contracts and tariffs as an operator writes them down: exact, or refused with file and line."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.core.errors import UsageError
from tracker.core.instruments import Kind, Match, OverAllocated, allocate, market_based
from tracker.grid import instruments as module
from tracker.grid.instruments import NOTHING, MarketTable, parse_instruments, read_instruments
from tracker.grid.zones import find_zone, zone_path

KWH = 3_600_000_000_000
JAN_1, JAN_2, FEB_1, YEAR_END = 1_767_225_600, 1_767_312_000, 1_769_904_000, 1_798_761_600

GO = """
[[instrument]]
key = "go-1"
kind = "certificate"
market = "FR"
g_per_kwh = 0
valid_from = 2026-01-01
valid_to = 2027-01-01
volume_mwh = 120.5
source = "Statement 17"
tracking_system = "AIB EECS"
vintage = "2026"
retired_for = "ACME SAS"
retirement_id = "R-99811"
"""
PPA = """
[[instrument]]
key = "ppa"
kind = "contract"
market = "FR"
g_per_kwh = 11.25
valid_from = 2026-01-01
valid_to = 2026-02-01
hourly_csv = "ppa.csv"
source = "PPA of 2025"
"""
TARIFF = """
[[instrument]]
key = "tariff"
kind = "supplier"
market = "FR"
g_per_kwh = 41.7
valid_from = 2026-01-01
valid_to = 2026-02-01
source = "EDF, disclosure 2025"
"""
HOURS = "hour,kwh\n2026-01-01T00:00:00Z,4\n2026-01-01T02:00:00+01:00,0.000001\n"


def read(text: str, hours: str = HOURS) -> MarketTable:
    return parse_instruments(text, "deals.toml", lambda name: hours)


def refusal(text: str, hours: str = HOURS) -> str:
    with pytest.raises(UsageError) as caught:
        read(text, hours)
    assert caught.value.remedy
    return str(caught.value)


def test_a_file_is_read_exactly_as_it_is_written(tmp_path: Path) -> None:
    """Volumes to the microjoule, rates to the last digit, the hours from the table beside the file."""
    (tmp_path / "deals.toml").write_text(GO + PPA + TARIFF, encoding="utf-8")
    (tmp_path / "ppa.csv").write_text("\ufeff" + HOURS, encoding="utf-8")
    table = read_instruments(tmp_path / "deals.toml")
    go, ppa, tariff = (claim.instrument for claim in table.claims)
    assert (go.kind, go.volume_uj, go.g_per_kwh) == (Kind.CERTIFICATE, 120_500 * KWH, Decimal(0))
    assert (go.valid_from_s, go.valid_to_s, go.source) == (JAN_1, YEAR_END, "Statement 17")
    assert ppa.hourly_uj == {JAN_1: 4 * KWH, JAN_1 + 3600: 3_600_000}
    assert (ppa.match, ppa.g_per_kwh) == (Match.HOURLY, Decimal("11.25"))
    assert (tariff.volume_uj, tariff.hourly_uj, tariff.valid_to_s) == (None, {}, FEB_1)


def test_the_example_in_the_documentation_is_right() -> None:
    example = (module.__doc__ or "").split("\n\n", 1)[1].split("The quality criteria")[0]
    table = read(example, "hour,kwh\n2026-06-01T10:00:00Z,412.5\n")
    assert [claim.instrument.key for claim in table.claims] == ["go-2026-0001", "ppa-solar", "tariff"]
    assert table.claims[0].instrument.valid_from_s == JAN_1 - 3600, "midnight in Paris"


def test_dates_are_midnights_of_the_declared_zone() -> None:
    assert read(TARIFF).claims[0].instrument.valid_from_s == JAN_1
    india = read('timezone = "Asia/Kolkata"\n' + TARIFF).claims[0].instrument
    assert (india.valid_from_s, india.valid_to_s) == (JAN_1 - 19_800, FEB_1 - 19_800)
    assert "'Mars/Olympus' is not known" in refusal('timezone = "Mars/Olympus"\n' + TARIFF)
    assert "is not known" in refusal("timezone = 5\n" + TARIFF)


def test_a_tariff_holds_in_its_period_and_for_the_zones_below_its_market() -> None:
    table = read(GO + TARIFF + TARIFF.replace('"tariff"', '"us"').replace('"FR"', '"US"'))
    france, california = zone_path(find_zone("FR")), zone_path(find_zone("CAMX"))
    for at_s, key in ((JAN_1 - 1, None), (JAN_1, "tariff"), (FEB_1 - 1, "tariff"), (FEB_1, None)):
        rate = table.at(france, at_s)
        assert (rate.key if rate else None) == key, at_s
    rate = table.at(california, JAN_1)
    assert rate
    assert rate.key == "us"
    assert table.at(zone_path(find_zone("DE")), JAN_1) is None
    assert NOTHING.at(france, JAN_1) is None
    assert [one.key for one in table.covering(france)] == ["go-1", "tariff"]


def test_a_tariff_with_a_volume_of_its_own_is_no_rate_for_the_rest() -> None:
    table = read(TARIFF + "volume_kwh = 5\n")
    assert table.at(zone_path(find_zone("FR")), JAN_1) is None
    assert table.claims[0].instrument.volume_uj == 5 * KWH


@pytest.mark.parametrize("silent", ["tracking_system", "vintage", "retired_for", "retirement_id"])
def test_a_certificate_that_may_be_somebody_elses_is_refused_or_flagged(silent: str) -> None:
    """An auditor asks who retired it. Whoever cannot say it has to say so, and it is shown wherever it weighs."""
    text = "\n".join(line for line in GO.splitlines() if not line.startswith(silent))
    assert f"does not say its {silent}" in refusal(text)
    assert "unverified = true" in refusal(text)
    table = read(text + "\nunverified = true\n")
    assert table.cautions("go-1") == ("Not verified, as the operator says.", f"It does not say its {silent}.")
    assert table.claims[0].instrument.source.startswith("Statement 17 (Not verified")


def test_a_contract_without_criteria_is_used_with_a_caution() -> None:
    (caution,) = read(PPA).cautions("ppa")
    assert caution == "It does not say its tracking_system, vintage, retired_for, retirement_id."
    assert read(TARIFF).cautions("tariff") == ()
    assert read(TARIFF).cautions("other") == ()


@pytest.mark.parametrize(
    ("vintage", "far"), [("2026", False), ("2025-01", False), ("2024-12", True), ("2023", True), ("2029", True)]
)
def test_a_vintage_far_from_the_time_of_use_is_flagged(vintage: str, far: bool) -> None:
    cautions = read(GO.replace('"2026"', f'"{vintage}"')).cautions("go-1")
    assert any("more than a year from" in caution for caution in cautions) == far
    assert read(GO.replace('"2026"', "2026")).cautions("go-1") == (), "a bare number is a year, too"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("source =", "sorce =", "there is no 'sorce'. Did you mean source?"),
        ("source =", "wibble =", "there is no 'wibble'. Known: key, kind"),
        ('key = "go-1"\n', "", "missing required field `key`"),
        ('"go-1"', '" "', "key is empty"),
        ('"go-1"', '"a\\nb"', "no short line"),
        ('"go-1"', f'"{"x" * 301}"', "no short line"),
        ('"Statement 17"', '""', "source is empty"),
        ('"certificate"', '"certficate"', "Invalid enum value 'certficate' - at `kind`"),
        ('"FR"', '"Atlantis"', "The zone 'Atlantis' is not known"),
        ('"FR"', '"gcp:us-west1"', "tables disagree"),
        ("g_per_kwh = 0", "g_per_kwh = -1", "g_per_kwh is -1"),
        ("g_per_kwh = 0", "g_per_kwh = 2001", "g_per_kwh is 2001"),
        ("g_per_kwh = 0", "g_per_kwh = nan", "g_per_kwh is NaN"),
        ("g_per_kwh = 0", "g_per_kwh = 1e-99999", "g_per_kwh is 1E-99999"),
        ("g_per_kwh = 0", "g_per_kwh = true", "got `bool` - at `g_per_kwh`"),
        ("valid_to = 2027-01-01", "valid_to = 2026-01-01", "not after valid_from"),
        ("valid_to = 2027-01-01", "valid_to = 2027-01-01T00:00:00Z", "Expected `date`"),
        ("valid_from = 2026-01-01", "valid_from = 0001-01-01", "valid_from is 0001-01-01"),
        ("volume_mwh = 120.5", "volume_mwh = -1", "the volume -1 is none"),
        ("volume_mwh = 120.5", "volume_mwh = inf", "the volume Infinity is none"),
        ("volume_mwh = 120.5", "volume_mwh = 1e99999999", "the volume 1E+99999999 is none"),
        ("volume_mwh = 120.5", "volume_mwh = 1e-16", "no whole number of microjoules"),
        ("volume_mwh = 120.5", "", "it has no volume"),
        ("volume_mwh = 120.5", "volume_mwh = 1\nvolume_kwh = 1", "it has volume_kwh and volume_mwh"),
        ('vintage = "2026"', 'vintage = "last year"', "the vintage is 'last year'"),
        ('vintage = "2026"', 'vintage = "2026-13"', "the vintage is '2026-13'"),
    ],
)
def test_a_mistake_is_refused_with_its_line(old: str, new: str, said: str) -> None:
    """One wrong number in a certificate is tonnes in a report: nothing is guessed and nothing left out."""
    assert old in GO
    message = refusal("# deals\n" + TARIFF + GO.replace(old, new))
    assert said in message
    assert message.startswith("deals.toml, line 12")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[instrument", "is no valid TOML"),
        ("a = " + "[" * 50_000, "is no valid TOML"),
        ("[instrument]\nkey = 'x'", "'instrument' is not known at the top"),
        ("instrument = [1]", "'instrument' is not known at the top"),
        ("instruments = []", "'instruments' is not known at the top"),
        (GO + GO, "the key 'go-1' is there twice"),
    ],
)
def test_what_is_no_instruments_file_is_refused(text: str, said: str) -> None:
    message = refusal(text)
    assert said in message
    assert "deals.toml" in message


def test_two_tariffs_of_one_time_and_place_are_refused() -> None:
    """Nobody could say which one holds; one after the other is a change of supplier."""
    second = TARIFF.replace('"tariff"', '"b"')
    assert "both the supplier's rate of the same time in FR" in refusal(TARIFF + second)
    below = second.replace('"FR"', '"CAMX"')
    above = TARIFF.replace('"FR"', '"US"')
    assert "same time in CAMX" in refusal(above + below), "California is in the United States"
    after = second.replace("2026-02-01", "2027-01-01").replace("2026-01-01", "2026-02-01")
    assert len(read(TARIFF + after).claims) == 2
    assert len(read(TARIFF + second.replace('"FR"', '"DE"')).claims) == 2


@pytest.mark.parametrize(
    ("hours", "said"),
    [
        ("", "has no columns hour and kwh"),
        ("hour;kwh\n2026-01-01T00:00:00Z;4\n", "has no columns hour and kwh"),
        ("hour,kwh\n", "no volume in any hour"),
        ("hour,kwh\n2026-01-01T00:00:00Z,0\n", "no volume in any hour"),
        ("hour,kwh\n2026-01-01T00:00:00,4\n", "line 2: '2026-01-01T00:00:00' is not the start of an hour"),
        ("hour,kwh\n\n2026-01-01T00:30:00Z,4\n", "line 3: '2026-01-01T00:30:00Z' is not the start of an hour"),
        ("hour,kwh\n2026-01-01T00:00:00Z\n", "line 2: '' is no number of kWh"),
        ("hour,kwh\n2026-01-01T00:00:00Z,four\n", "line 2: 'four' is no number of kWh"),
        ("hour,kwh\n2026-01-01T00:00:00Z,-4\n", "the volume -4 is none"),
        ("hour,kwh\n2026-01-01T00:00:00Z,4\n2026-01-01T01:00:00+01:00,4\n", "line 3: the hour"),
        ("hour,kwh\n2026-03-01T00:00:00Z,4\n", "the hour 2026-03-01T00:00:00Z, outside its own period"),
        ("hour,kwh\n" + '"' + "x" * 200_000 + '"', "is no CSV"),
    ],
)
def test_a_bad_table_of_hours_is_refused_with_its_line(hours: str, said: str) -> None:
    assert said in refusal(PPA, hours)


def test_half_hour_zones_keep_their_first_hour() -> None:
    """Midnight in India is half past an hour of UTC; the volume of the first whole hour of UTC after it counts."""
    text = 'timezone = "Asia/Kolkata"\n' + PPA
    assert read(text, "hour,kwh\n2025-12-31T19:00:00Z,1\n").claims[0].instrument.hourly_uj == {JAN_1 - 18_000: KWH}
    assert "outside its own period" in refusal(text, "hour,kwh\n2025-12-31T18:00:00Z,1\n")


def test_a_header_inside_a_text_does_not_mislead() -> None:
    """Where lines cannot be told for sure, the number of the section is said."""
    odd = GO.replace('"Statement 17"', '"""\\\n[[instrument]]"""').replace("g_per_kwh = 0", "g_per_kwh = -1")
    assert refusal(TARIFF + odd).startswith("deals.toml, [[instrument]] number 2 (go-1)")


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    for name, content in (("latin.toml", b"\xe9"), ("huge.toml", b"#" * (8 << 20) + b"#")):
        (tmp_path / name).write_bytes(content)
    for name, said in (("none.toml", "No such file"), ("latin.toml", "not UTF-8"), ("huge.toml", "larger than 8 MiB")):
        with pytest.raises(UsageError, match=said):
            read_instruments(tmp_path / name)
    (tmp_path / "deals.toml").write_text(PPA, encoding="utf-8")
    with pytest.raises(UsageError, match=r"ppa\.csv cannot be read"):
        read_instruments(tmp_path / "deals.toml")


def test_what_is_read_weighs_a_day() -> None:
    """From the file to grams: 240 kWh, of which 4 by the contract's table, 100 by certificate, the rest by tariff."""
    table = read(GO.replace("120.5", "0.1").replace("2027-01-01", "2026-02-01") + PPA + TARIFF)
    used = {JAN_1 + 3600 * hour: 10 * KWH for hour in range(24)}
    allocation = allocate(used, table.covering(zone_path(find_zone("FR"))))
    result = market_based(allocation, {})
    kwh_left = Decimal(240) - 100 - 4 - Decimal("0.000001")
    assert result.emissions_g is not None
    assert result.emissions_g * 10**8 == int(
        (kwh_left * Decimal("41.7") + (4 + Decimal("0.000001")) * Decimal("11.25")) * 10**8
    )
    greedy = read(GO)
    with pytest.raises(OverAllocated, match="go-1"):
        allocate(used, greedy.covering(zone_path(find_zone("FR"))))


@settings(deadline=None, max_examples=50)
@given(st.decimals(0, 1000, places=9), st.decimals(0, 1, places=9), st.integers(1, 500))
def test_volumes_of_a_file_conserve(annual_mwh: Decimal, hour_kwh: Decimal, used_kwh: int) -> None:
    """However volumes are written, the microjoules of instruments and of what is uncovered are those that were used."""
    table = read(
        GO.replace("120.5", f"{annual_mwh:f}") + PPA + TARIFF,
        f"hour,kwh\n2026-01-01T00:00:00Z,1\n2026-01-01T05:00:00Z,{hour_kwh:f}\n",
    )
    used = {JAN_1 + 3600 * hour: used_kwh * KWH for hour in range(24)}
    claims = table.covering(zone_path(find_zone("FR")))
    claimed_uj = sum(one.volume_uj or sum(one.hourly_uj.values()) for one in claims)
    assert claimed_uj == int(annual_mwh * 1000 * KWH) + KWH + int(hour_kwh * KWH)
    try:
        allocation = allocate(used, claims)
    except OverAllocated:
        assert claimed_uj > sum(used.values()) - 24
        return
    assert sum(cover.energy_uj for cover in allocation.covers) == sum(used.values())
    assert replace(claims[0], volume_uj=0).key == "go-1"
