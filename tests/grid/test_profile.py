"""Tier 3: the official annual value in the shape of a year, never more or less than it over the whole of one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracker.core.errors import UsageError
from tracker.core.factors import OFFICIAL, Choice, FactorRow, FactorType, NoFactor, choose_location
from tracker.grid.catalogue import Zone, by_name
from tracker.grid.chain import ChainProvider
from tracker.grid.fetching import refresh
from tracker.grid.interface import Answer, BadAnswer, NoData, ProviderError, Question, UnknownZone, Unreachable
from tracker.grid.profile import Official, Options, ProfileProvider
from tracker.grid.screening import screened_rows
from tracker.grid.shipped import read_factors
from tracker.grid.store import FactorStore
from tracker.grid.tables import TablesProvider
from tracker.grid.zones import zone_path

HOUR_S, DAY_S = 3600, 86_400
START_2025, START_2026, START_2027 = 1_735_689_600, 1_767_225_600, 1_798_761_600
NOW_S = START_2027
SHIPPED = tuple(read_factors())
HEADER = (
    "Datetime (UTC),Country,Zone Name,Zone Id,Carbon Intensity gCO₂eq/kWh (direct),"
    "Carbon Intensity gCO₂eq/kWh (life cycle),Data Estimated,Data Estimation Method\n"
)


def nobody(question: Question) -> Answer:
    raise AssertionError(question)


def tables(zone: Zone, at_s: int) -> Choice | NoFactor:
    return choose_location(SHIPPED, zone_path(zone), at_s, (OFFICIAL,))


def year(zone: str = "FR", direct: Any = None, hours: int = 365 * 24) -> str:
    """Of 2025; by day three times as much as by night."""
    lines = []
    for number in range(hours):
        at = datetime.fromtimestamp(START_2025 + number * HOUR_S, UTC)
        value = (30 if 6 <= at.hour < 18 else 10) if direct is None else direct(at)
        lines.append(f"{at:%Y-%m-%d %H:%M:%S},X,X,{zone},{value},{60},false,\n")
    return HEADER + "".join(lines)


@pytest.fixture(scope="module")
def french(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("portal") / "FR_2025_hourly.csv"
    path.write_text(year(), encoding="utf-8")
    return path


def provider(path: Path | str = "", official: Official = tables, **settings: Any) -> ProfileProvider:
    return ProfileProvider(Options(path=str(path), **settings), nobody, official)


def read(one: ProfileProvider, zone: str, start_s: int, end_s: int) -> tuple[FactorRow, ...]:
    return one.read(by_name()[zone], start_s, end_s, NOW_S)


def constant(value: str, **changes: Any) -> Official:
    row = next(row for row in SHIPPED if row.zone == "FR" and row.quality_tier == OFFICIAL)
    row = replace(row, value_printed=value, unit_printed="g/kWh", **changes)
    return lambda zone, at_s: Choice(zone.code, row)


def test_the_official_value_takes_the_shape_of_the_file(french: Path) -> None:
    """France's 50 g/kWh of the EEA: 25 by night and 75 by day, 50 over the year."""
    rows = read(provider(french), "FR", START_2026, START_2026 + DAY_S)
    assert [row.value_printed for row in rows] == ["25.000000"] * 6 + ["75.000000"] * 12 + ["25.000000"] * 6
    assert rows == screened_rows("profile", by_name()["FR"], START_2026, START_2026 + DAY_S, rows)


def test_a_row_says_where_value_and_shape_are_from(french: Path) -> None:
    official = tables(by_name()["FR"], START_2026)
    assert isinstance(official, Choice)
    row = read(provider(french), "FR", START_2026, START_2026 + 1)[0]
    assert (row.factor_id, row.quality_tier) == ("profile:FR:direct:2026-01-01T00:00:00Z", 3)
    assert (row.valid_from_s, row.valid_to_s, row.unit_printed) == (START_2026, START_2026 + HOUR_S, "g/kWh")
    assert (row.factor_type, row.gases, row.basis) == (FactorType.DIRECT, official.row.gases, official.row.basis)
    assert official.row.source in row.source
    assert "spread in the shape of Electricity Maps, Data Portal" in row.source
    assert f"{french}, sha256 {row.origin.raw_sha256[:16]}" in row.source
    assert row.licence.endswith("shape: ODbL 1.0")
    assert "Electricity Maps Data Portal (ODbL)" in row.attribution
    assert (row.origin.provider, row.origin.is_estimated) == ("profile", True)
    assert row.origin.estimation_method == "month-hour profile"
    assert "It is no measured value of this hour" in row.note
    assert "The shape is of" not in row.note


def test_a_shape_of_another_type_is_flagged(french: Path) -> None:
    """A life-cycle shape may be all there is; the value stays the direct one, and it is told."""
    row = read(provider(french, factor_type="lifecycle"), "FR", START_2026, START_2026 + 1)[0]
    assert (row.factor_type, row.value_printed) == (FactorType.DIRECT, "50.000000"), "that column is the same all day"
    assert "The shape is of lifecycle values, the annual value is direct." in row.note


def test_the_same_question_has_the_same_answer(french: Path) -> None:
    once = read(provider(french), "FR", START_2026, START_2026 + DAY_S)
    parts = provider(french)
    again = [
        row for hour in range(24) for row in read(parts, "FR", START_2026 + hour * HOUR_S, START_2026 + hour * 3600 + 1)
    ]
    assert list(once) == again
    assert [row.valid_from_s for row in read(parts, "FR", START_2026 + 1, START_2026 + 7200)] == [START_2026 + HOUR_S]


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.decimals("0.001", 900, places=3), st.sampled_from([2025, 2026, 2028]), st.integers(1, 40))
def test_the_mean_over_a_year_is_the_official_value(french: Path, annual: Decimal, of: int, swing: int) -> None:
    """To half of the last digit that is printed; the rest is rounding of single hours."""
    start_s, end_s = (int(datetime(each, 1, 1, tzinfo=UTC).timestamp()) for each in (of, of + 1))
    rows = read(provider(french, constant(str(annual))), "FR", start_s, end_s)
    assert len(rows) == (end_s - start_s) // HOUR_S
    mean = sum((Fraction(row.value_printed) for row in rows), Fraction(0)) / len(rows)
    assert abs(mean - Fraction(annual)) <= Fraction(1, 2_000_000)


def test_an_official_value_that_changes_at_new_year_changes_there(french: Path, tmp_path: Path) -> None:
    """Great Britain's factor fell by a quarter from 2025 to 2026: each hour is of its own year's edition."""
    path = tmp_path / "GB.csv"
    path.write_text(french.read_text("utf-8").replace(",FR,", ",GB,"), encoding="utf-8")
    before, after = read(provider(path), "GB", START_2026 - HOUR_S, START_2026 + HOUR_S)
    assert (before.value_printed, after.value_printed) == ("88.500000", "65.480000")
    assert before.edition != after.edition


def test_flat_is_the_official_value_itself_and_says_so() -> None:
    """China publishes no hourly intensity: 0.5306 kgCO2/kWh in every hour, as it is printed, and flagged."""
    rows = read(provider(shape="flat"), "CN", START_2026, START_2026 + DAY_S)
    assert {(row.value_printed, row.unit_printed) for row in rows} == {("0.5306", "kg/kWh")}
    first = rows[0]
    assert (first.quality_tier, first.origin.estimation_method, first.gases) == (3, "profile=flat", "CO2")
    assert "profile=flat" in first.note
    assert "profile=flat" in first.source
    assert len(read(provider(shape="flat"), "IN", START_2026, START_2026 + DAY_S)) == 24


def test_p11_without_an_official_factor_there_is_no_profile(french: Path) -> None:
    empty: Official = lambda zone, at_s: NoFactor("no table has a value for it")  # noqa: E731 - it is one
    with pytest.raises(NoData, match="no official factor of France to spread: no table has"):
        read(provider(french, empty), "FR", START_2026, START_2026 + DAY_S)
    late: Official = lambda zone, at_s: empty(zone, at_s) if at_s < START_2026 else tables(zone, at_s)  # noqa: E731 - so
    rows = read(provider(french, late), "FR", START_2026 - DAY_S, START_2026 + DAY_S)
    assert len(rows) == 24, "the hours without one are left out"


def test_a_subregion_takes_the_shape_of_its_market(tmp_path: Path) -> None:
    path = tmp_path / "PJM.csv"
    path.write_text(year("US-MIDA-PJM"), encoding="utf-8")
    own = read(provider(path), "aws:us-east-1".upper(), START_2026, START_2026 + HOUR_S)
    assert own[0].zone == "aws:us-east-1"
    with pytest.raises(NoData, match="Set shape_zone"):
        read(provider(path), "RFCE", START_2026, START_2026 + HOUR_S)
    told = read(provider(path, shape_zone="aws:us-east-1", zone="SRVC"), "SRVC", START_2026, START_2026 + HOUR_S)
    assert told[0].zone == "SRVC"
    assert not provider(path, zone="SRVC").covers(by_name()["FR"])
    assert provider(path).covers(by_name()["FR"])


@pytest.mark.parametrize(
    ("text", "said", "kind"),
    [
        (year(hours=100 * 24), "is no hourly year: month 4", BadAnswer),
        (year(direct=lambda at: 0), "is no hourly year: every value is 0", BadAnswer),
        (year(direct=lambda at: "" if at.month == 2 else 5), "is no hourly year: month 2", BadAnswer),
        (year("DE"), "has no rows of the zone FR; it has: DE", NoData),
        ("<html>", "has no column datetime \\(utc\\)", BadAnswer),
        (None, "cannot be read", Unreachable),
    ],
)
def test_what_is_no_year_gives_nothing(tmp_path: Path, text: str | None, said: str, kind: type[ProviderError]) -> None:
    path = tmp_path / "year.csv"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(kind, match=said):
        read(provider(path), "FR", START_2026, START_2026 + DAY_S)


def test_settings_that_contradict_each_other_are_refused_at_start() -> None:
    for options in ({}, {"path": "a", "shape": "flat"}):
        with pytest.raises(UsageError, match="needs a path, or no path and a flat shape"):
            provider(**options)  # type: ignore[arg-type] # by name
    with pytest.raises(UnknownZone):
        provider("a", zone="Atlantis")


def test_the_coming_day_is_known_in_advance(french: Path, tmp_path: Path) -> None:
    """From one reading to the next, and through a day without any, no hour falls back to the value of the year."""
    zone, now_s = by_name()["FR"], START_2027 - 4 * DAY_S + 9 * HOUR_S + 50 * 60
    with FactorStore(tmp_path / "factors.db") as store:
        (outcome,) = refresh({zone: [provider(french)]}, store, now_s)
        assert outcome.error is None
        records = store.records(("FR",), now_s - DAY_S, now_s + 2 * DAY_S)
        (later,) = refresh({zone: [provider(french)]}, store, now_s + HOUR_S)
    chain = ChainProvider(TablesProvider({}, "", now_s), tiers=(1, 2, 3, 4, 5), chain=("profile",), hourly=True)
    chain.learn(records)
    found = [chain.factor("FR", at_s) for at_s in range(now_s, now_s + DAY_S + 600, 300)]
    assert {factor.tier for factor in found} == {3}
    assert {factor.intensity_mg_per_kwh for factor in found} == {25_000, 75_000}, "by night and by day"
    assert chain.factor("FR", now_s + DAY_S + HOUR_S).tier == 4
    assert chain.live_state(now_s) is None, "it is the value of no service"
    assert (later.fetched.new, later.fetched.changed) == (1, 0), "what is read again is no news"
