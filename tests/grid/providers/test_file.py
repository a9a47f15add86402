"""An operator's own numbers: exact and with their source, or refused with the line."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.grid.providers.filing import END_S, FRANCE, HOURS, NOW_S, START_S, provider, read, refusal, values
from tests.grid.providers.replay import Replay
from tracker.core.factors import Basis, FactorType, Scheme
from tracker.grid.catalogue import by_name
from tracker.grid.file import FileProvider, Options
from tracker.grid.interface import (
    BadAnswer,
    NoData,
)


def test_a_row_says_everything_about_itself(tmp_path: Path) -> None:
    """A gram in a report leads back to the file, its checksum and whoever published it."""
    first, hole, second = read(
        tmp_path, HOURS, factor_type="lifecycle", gases="CO2e", basis="consumption", licence="internal", tier=1,
        gwp_set="AR6", includes_td=True,
    )  # fmt: skip
    assert first.factor_id == "file:FR:acme:lifecycle:2026-01-01T00:00:00Z"
    assert (first.zone, first.zone_printed, first.zone_system) == ("FR", "FR", "own")
    assert (first.value_printed, first.unit_printed, first.value_g_per_kwh) == ("23.40", "g/kWh", Decimal("23.40"))
    assert (first.factor_type, first.gases, first.basis) == (FactorType.LIFECYCLE, "CO2e", Basis.CONSUMPTION)
    assert (first.scheme, first.quality_tier) == (Scheme.AVERAGE, 1)
    assert (first.valid_from_s, first.valid_to_s) == (START_S, START_S + 3600)
    assert (first.publisher, first.licence, first.gwp_set, first.includes_td) == ("ACME", "internal", "AR6", True)
    assert first.source == f"ACME, own table: {tmp_path}/own.csv"
    assert (first.data_year, first.origin.provider, first.origin.endpoint) == ("2026", "file", f"{tmp_path}/own.csv")
    assert (first.origin.fetched_at_s, first.origin.is_estimated) == (NOW_S, None)
    assert first.origin.raw_sha256 == hashlib.sha256(HOURS.encode()).hexdigest()
    assert (second.valid_from_s, second.value_printed) == (START_S + 7200, "0"), "0 is a value, an empty cell is none"
    assert (hole.valid_from_s, hole.value_printed) == (START_S + 3600, "")


def test_the_tables_of_two_sites_of_a_zone_are_told_apart(tmp_path: Path) -> None:
    """In the books, the meter of one site would take the place of the other's: their factors have different names."""
    tables: tuple[dict[str, Any], ...] = (
        {"publisher": "Meter of par1"},
        {"publisher": "Meter of par2"},
        {"publisher": "ACME", "name": "Halle 2 / Nord"},
        {"publisher": "中电"},
        {"publisher": "§"},
    )
    assert [read(tmp_path, HOURS, **settings)[0].factor_id for settings in tables] == [
        f"file:FR:{name}:unspecified:2026-01-01T00:00:00Z"
        for name in ("meter-of-par1", "meter-of-par2", "halle-2-nord", "中电", "own")
    ]


def test_unstated_facts_are_not_made_up(tmp_path: Path) -> None:
    """Nobody said that it is measured, direct or CO2e: so it is tier 2 and unspecified."""
    row = read(tmp_path, HOURS)[0]
    assert (row.quality_tier, row.factor_type, row.gases) == (2, FactorType.UNSPECIFIED, "unspecified")
    assert (row.basis, row.includes_td, row.gwp_set) == (Basis.UNSPECIFIED, None, "unspecified")


def test_only_the_range_is_given_and_a_range_without_rows_is_empty(tmp_path: Path) -> None:
    assert values(read(tmp_path, HOURS, START_S + 1, START_S + 7201)) == [(60, ""), (120, "0")]
    assert read(tmp_path, HOURS, START_S + 7201, END_S) == ()
    assert read(tmp_path, "datetime,g_per_kwh\n") == ()


@pytest.mark.parametrize(
    ("text", "settings", "expected"),
    [
        ("T;x\n", {}, None),
        ("When,Rate\n2026-01-01T00:00Z,5\n", {"start_column": "when", "value_column": " RATE "}, [(0, "5")]),
        ("datetime,g_per_kwh\n2026-01-01T01:00Z,5\n", {"timestamps": "end"}, [(0, "5")]),
        ("datetime,g_per_kwh\n2026-01-01 00:00:00,5\n", {"utc": True}, [(0, "5")]),
        ("datetime,g_per_kwh\n2026-01-01 02:00:00+02:00,5\n", {"utc": True}, [(0, "5")]),
        ("datetime,g_per_kwh,to\n2026-01-01T00:00Z,5,2026-01-01T06:00Z\n", {"end_column": "to"}, [(0, "5")]),
        ("\ufeffdatetime,g_per_kwh\r\n2026-01-01T00:00Z, 5 \r\n\r\n", {}, [(0, "5")]),
        ('a,datetime,g_per_kwh\n"x,\ny",2026-01-01T00:00Z,"5"\n', {}, [(0, "5")]),
        ("datetime,g_per_kwh\n2026-01-01T00:00Z,1.5e2\n", {}, [(0, "1.5e2")]),
    ],
)
def test_tables_of_many_hands(
    tmp_path: Path, text: str, settings: dict[str, Any], expected: list[tuple[int, str]] | None
) -> None:
    if expected is None:
        assert "separates its columns by semicolons." in refusal(tmp_path, text, **settings)
    else:
        assert values(read(tmp_path, text, **settings)) == expected


def test_quarter_hours_and_ends_have_their_length(tmp_path: Path) -> None:
    text = "datetime,g_per_kwh\n2026-01-01T00:00Z,5\n2026-01-01T00:15Z,6\n"
    rows = read(tmp_path, text, interval="15m")
    assert [row.valid_to_s - row.valid_from_s for row in rows] == [900, 900]
    assert rows[1].factor_id == "file:FR:acme:unspecified:2026-01-01T00:15:00Z:PT15M"
    assert "set interval to what they are" in refusal(tmp_path, text)
    (row,) = read(tmp_path, "a,b,g_per_kwh\n2026-01-01T00:00Z,2026-01-01T06:00Z,5\n", start_column="a", end_column="b")
    assert row.valid_to_s - row.valid_from_s == 6 * 3600


def test_units_are_kept_as_printed_and_converted_exactly(tmp_path: Path) -> None:
    row = read(tmp_path, "datetime,lb\n2026-01-01T00:00Z,429.983\n", value_column="lb", unit="lb/MWh")[0]
    assert (row.value_printed, row.unit_printed) == ("429.983", "lb/MWh")
    assert row.value_g_per_kwh == Decimal("195.03700802971"), "429.983 x 0.45359237"


def test_estimated_rows_are_of_tier_2(tmp_path: Path) -> None:
    text = "datetime,g_per_kwh,est\n2026-01-01T00:00Z,5,False\n2026-01-01T01:00Z,6,TRUE\n2026-01-01T02:00Z,7,\n"
    rows = read(tmp_path, text, tier=1, estimated_column="est")
    assert [(row.quality_tier, row.origin.is_estimated) for row in rows] == [(1, False), (2, True), (1, None)]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("2026-01-01T05:00:00,5", "line 5: the time '2026-01-01T05:00:00' does not say its offset"),
        ("01.01.2026 05:00,5", "line 5: '01.01.2026 05:00' is no time"),
        (",5", "line 5: '' is no time"),
        ("2026-01-01T05:00Z,-0.1", "line 5: -0.1 g/kWh is a value that no grid has"),
        ("2026-01-01T05:00Z,2000.1", "line 5: 2000.1 g/kWh is a value that no grid has"),
        ("2026-01-01T05:00Z,nan", "line 5: 'nan' is no number"),
        ('2026-01-01T05:00Z,"23,4"', "line 5: '23,4' is no number: it has a decimal comma, write a point"),
        ("2026-01-01T05:00Z,1_0", "line 5: '1_0' is no number"),
        ("2026-01-01T05:00Z,٣", "line 5: '٣' is no number"),
        ("2026-01-01T05:00Z,1e999", "line 5: '1e999' is no number"),
        ("2026-01-01T05:00Z", "line 5: it has 1 columns and the first line 2"),
        ("2026-01-01T05:00Z,5,6", "line 5: it has 3 columns and the first line 2"),
        ("2026-01-01T00:00:00Z,23.41", "two rows contradict each other about 2026-01-01T00:00:00Z"),
        ("2026-01-01T00:30:00Z,23.40", "two rows contradict each other about 2026-01-01T00:30:00Z"),
        ('2026-01-01T05:00Z,"' + "x" * 200_000 + '"', "is no CSV"),
        ("2026-01-01T05:00Z,\udcff", "is no CSV in UTF-8"),
    ],
)
def test_one_bad_row_refuses_the_whole_table(tmp_path: Path, line: str, said: str) -> None:
    """Half of a table is a table of which nobody knows what is missing."""
    text = (HOURS + line + "\n").encode("utf-8", "surrogateescape")
    message = refusal(tmp_path, text)
    assert said in message
    assert "own.csv" in message
    if "contradict" not in said:
        with pytest.raises(BadAnswer):
            read(tmp_path, text, END_S, END_S + 1)


def test_the_same_row_twice_is_one(tmp_path: Path) -> None:
    again = "2026-01-01T01:00:00+01:00,23.40\n2026-01-01T01:00:00Z,\n"
    assert values(read(tmp_path, HOURS + again)) == [(0, "23.40"), (60, ""), (120, "0")]


def test_a_value_says_more_than_an_empty_cell_of_the_same_time(tmp_path: Path) -> None:
    assert values(read(tmp_path, HOURS + "2026-01-01T01:00Z,7\n")) == [(0, "23.40"), (60, "7"), (120, "0")]


def test_days_read_as_hours_are_noticed(tmp_path: Path) -> None:
    """An hour of each day would look like a table with holes."""
    text = "datetime,g_per_kwh\n" + "".join(f"2026-01-0{day}T00:00Z,5\n" for day in (1, 2, 3))
    assert "rows are 86400 s apart, but an interval is said to have 3600 s" in refusal(tmp_path, text)
    assert len(read(tmp_path, text, interval="1d")) == 1
    holes = "datetime,g_per_kwh\n" + "".join(f"2026-01-01T{hour:02}:00Z,5\n" for hour in (9, 0, 2, 4, 1))
    assert len(read(tmp_path, holes)) == 5


def test_a_column_of_zones_chooses_the_rows(tmp_path: Path) -> None:
    text = "datetime,zone,g_per_kwh\n" + "".join(
        f"2026-01-01T00:00Z,{zone},{value}\n" for zone, value in (("US-CAL-CISO", 200), ("fr", 20), ("nowhere", 5))
    )
    settings: dict[str, Any] = {"zone": "", "zone_column": "zone"}
    (french,) = read(tmp_path, text, **settings)
    assert (french.value_printed, french.zone, french.zone_printed) == ("20", "FR", "fr")
    (cloud,) = read(tmp_path, text, asked="AWS:US-WEST-1", **settings)
    assert (cloud.value_printed, cloud.zone) == ("200", "aws:us-west-1"), "by its grid at Electricity Maps"
    path = tmp_path / "own.csv"
    with pytest.raises(NoData, match=r"no rows of the zone DE; it has: US-CAL-CISO, fr, nowhere"):
        provider(path, **settings).read(by_name()["DE"], START_S, END_S, NOW_S)
    assert provider(path, **settings).covers(by_name()["DE"])
    assert not provider(path).covers(by_name()["DE"])
    assert provider(path, zone="fra").covers(FRANCE)


def test_json_says_what_csv_says(tmp_path: Path) -> None:
    text = '[{"DateTime": "2026-01-01T00:00Z", "g_per_kwh": 23.40, "note": [1]},{"datetime":"2026-01-01T01:00Z"}]'
    assert values(read(tmp_path, text)) == [(0, "23.40"), (60, "")], "digits as they are written"
    assert "row 1: '' is no time" in refusal(tmp_path, '[{"g_per_kwh": 5}, {"datetime": "2026-01-01T01:00Z"}]')
    assert "no valid JSON" in refusal(tmp_path, text[:-1])
    assert "no valid JSON" in refusal(tmp_path, "[" * 100_000)


@settings(deadline=None, max_examples=60)
@given(
    st.dictionaries(st.integers(0, 200), st.decimals(0, 2000, places=3) | st.none(), min_size=1, max_size=20),
    st.randoms(use_true_random=False),
)
def test_what_is_written_is_what_is_read(hours: dict[int, Decimal | None], chance: Random) -> None:
    """In any order, every value comes back as it was printed and every hole stays one."""
    lines = [
        f"{datetime.fromtimestamp(START_S + hour * 3600, UTC).isoformat()},{'' if value is None else value}\n"
        for hour, value in [*hours.items(), *((-10 + near, None) for near in (0, 1))]
    ]
    chance.shuffle(lines)
    ask = Replay({"/t.csv": ("datetime,g_per_kwh\n" + "".join(lines)).encode()})
    office = FileProvider(Options(url="https://h/t.csv", zone="FR", publisher="ACME"), ask)
    rows = office.read(FRANCE, START_S, START_S + 201 * 3600, NOW_S)
    expected = {START_S + at * 3600: "" if value is None else str(value) for at, value in sorted(hours.items())}
    assert {row.valid_from_s: row.value_printed for row in rows} == expected
    assert [row.valid_from_s for row in rows] == sorted(expected)
