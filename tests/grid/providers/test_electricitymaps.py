"""Electricity Maps: the right zone, the right kind of factor, and a plan that lacks something is no bad key."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from tests.fakes.gridserver import GridServer
from tests.grid.providers.electricitymaps_case import (
    CASE,
    END_S,
    FORECAST,
    HISTORY,
    NOW_S,
    PAST,
    START_S,
    TOKEN,
    VALUES,
    answer,
    at,
    item,
    items,
)
from tests.grid.providers.played import FETCHED_S, Played
from tracker.core.errors import UsageError
from tracker.core.factors import Basis, FactorRow, FactorType, Scheme
from tracker.core.forecast import Expected
from tracker.core.rereads import begin_of_last_day
from tracker.grid.catalogue import zones
from tracker.grid.electricitymaps import FREE_PLAN, ElectricityMapsProvider, Options, place_of
from tracker.grid.fetch_range import fetch
from tracker.grid.http import HttpAsk
from tracker.grid.interface import BadAnswer, Denied, NoData, NotInPlan, ProviderError, UnknownZone
from tracker.grid.store import FactorStore
from tracker.grid.zones import find_zone

DE = find_zone("DE")
DAY_S = 86_400
GOOD = CASE.good[HISTORY]
#: Documented answers of a plan without the past, and of a token that is not known.
NOT_IN_PLAN = json.dumps({
    "error": "Request unauthorized for zoneKey=DE,requestType=past,dataType=carbon-intensity.",
    "message": "You do not have access to this specific endpoint for this specific zone.",
}).encode()  # fmt: skip
BAD_TOKEN = b'{"error":"Invalid auth-token"}'


def provider(played: Played, options: Options | None = None) -> ElectricityMapsProvider:
    return ElectricityMapsProvider(options or Options(token=TOKEN), played)


def read(body: bytes, options: Options | None = None, path: str = HISTORY) -> tuple[FactorRow, ...]:
    return provider(Played({path: [(200, body)]}), options).read(DE, START_S, END_S, NOW_S)


def test_an_hour_keeps_its_value_and_all_that_an_auditor_asks_for() -> None:
    first, *_, last = read(GOOD)
    assert first.factor_id == "electricitymaps:DE:direct:2026-10-03T10:00:00Z"
    assert (first.zone, first.zone_printed, first.zone_system) == ("DE", "DE", "em")
    assert (first.value_printed, first.unit_printed, first.gases) == ("302", "g/kWh", "CO2e")
    assert (first.factor_type, first.basis, first.scheme) == (FactorType.DIRECT, Basis.CONSUMPTION, Scheme.AVERAGE)
    assert (first.valid_from_s, first.valid_to_s) == (START_S, START_S + 3600)
    assert (first.quality_tier, first.data_year, first.edition) == (1, "2026", "API v4")
    assert (first.publisher, first.licence) == ("Electricity Maps", "by contract with Electricity Maps")
    assert first.source == "Electricity Maps, API v4: carbon intensity of DE from 2026-10-03T10:00:00Z"
    origin = first.origin
    assert (origin.provider, origin.api_version, origin.fetched_at_s) == ("electricitymaps", "v4", FETCHED_S)
    assert (origin.is_estimated, origin.estimation_method) == (False, "")
    assert (origin.created_at_s, origin.updated_at_s) == (START_S - 86_400, START_S + 5400)
    assert origin.endpoint.startswith("https://api.electricitymaps.com/v4/carbon-intensity/history?zone=DE")
    assert len(origin.raw_sha256) == 64
    assert (last.quality_tier, last.origin.is_estimated) == (2, True)
    assert last.origin.estimation_method == "TIME_SLICER_AVERAGE"


def test_values_are_kept_as_printed_and_a_measured_zero_is_a_value() -> None:
    assert [row.value_printed for row in read(GOOD)] == ["302", "298.5", "0", "310", "325", "331"]
    assert read(GOOD)[1].value_g_per_kwh == Decimal("298.5")


def test_every_question_forbids_the_callers_place_and_asks_for_direct_factors() -> None:
    played = Played({HISTORY: [(200, GOOD)], FORECAST: [(200, answer([], "forecast"))]})
    provider(played).read(DE, START_S, END_S, NOW_S)
    provider(played).forecast(DE, NOW_S)
    for question in played.asked:
        assert question.query["zone"] == "DE"
        assert question.query["disableCallerLookup"] == "true"
        assert question.query["emissionFactorType"] == "direct"
        assert question.headers == {"auth-token": TOKEN}
        assert "disableEstimations" not in question.query


def test_options_reach_the_question() -> None:
    played = Played({"/v3/carbon-intensity/history": [(200, answer(items(VALUES, emissionFactorType="lifecycle")))]})
    options = Options(
        token=TOKEN,
        base_url="https://grid.test/",
        api_version="v3",
        factor_type="lifecycle",
        disable_estimations=True,
        granularity="15_minutes",
    )
    rows = provider(played, options).read(DE, START_S, END_S, NOW_S)
    question = played.asked[0]
    assert question.url == "https://grid.test/v3/carbon-intensity/history"
    assert question.query["disableEstimations"] == "true"
    assert question.query["emissionFactorType"] == "lifecycle"
    assert question.query["temporalGranularity"] == "15_minutes"
    assert rows[0].factor_id == "electricitymaps:DE:lifecycle:2026-10-03T10:00:00Z"
    assert rows[0].factor_type is FactorType.LIFECYCLE


def test_the_list_may_have_either_name_and_one_interval_may_stand_alone() -> None:
    values = [row.value_printed for row in read(GOOD)]
    assert [row.value_printed for row in read(answer(items(VALUES), key="history"))] == values
    assert [row.value_printed for row in read(answer(item(START_S, 302), zone=None))] == ["302"]


def test_v3_tells_neither_length_nor_tracing_nor_the_zone_twice() -> None:
    silent = ("zone", "temporalGranularity", "flowTraced")
    hours = [{key: value for key, value in one.items() if key not in silent} for one in items(VALUES)]
    body = json.dumps({"zone": "DE", "history": hours}).encode()
    assert [(row.valid_from_s, row.valid_to_s) for row in read(body)][:2] == [
        (START_S, START_S + 3600),
        (START_S + 3600, START_S + 7200),
    ]
    quarter = read(body, Options(token=TOKEN, granularity="15_minutes"))[0]
    assert (quarter.valid_to_s - quarter.valid_from_s, quarter.factor_id[-6:]) == (900, ":PT15M")


@pytest.mark.parametrize(("told", "length_s", "suffix"), [("15_minutes", 900, ":PT15M"), ("5_minutes", 300, ":PT5M")])
def test_shorter_intervals_end_when_they_say(told: str, length_s: int, suffix: str) -> None:
    (row,) = read(answer([item(START_S, 302, temporalGranularity=told)]))
    assert row.valid_to_s - row.valid_from_s == length_s
    assert row.factor_id == f"electricitymaps:DE:direct:2026-10-03T10:00:00Z{suffix}"


def test_an_answer_that_does_not_say_what_it_counts_is_not_taken_for_direct() -> None:
    (row,) = read(answer([item(START_S, 302, emissionFactorType=None)]))
    assert row.factor_type is FactorType.UNSPECIFIED


def test_what_is_not_said_to_be_measured_is_an_estimate_and_production_is_told() -> None:
    (row,) = read(answer([item(START_S, 302, isEstimated=None, flowTraced=False)]))
    assert (row.quality_tier, row.origin.is_estimated, row.basis) == (2, None, Basis.PRODUCTION)


def test_intervals_outside_of_the_range_and_in_the_future_are_left_out() -> None:
    played = Played({HISTORY: [(200, GOOD)]})
    rows = provider(played).read(DE, START_S + 3600, END_S, START_S + 3 * 3600 + 60)
    assert [row.valid_from_s - START_S for row in rows] == [3600, 7200, 10_800]


def test_the_hour_that_comes_twice_when_summer_time_ends_is_two_hours() -> None:
    night_s = 1_792_886_400  # 2026-10-25T00:00:00Z, 02:00 in Berlin for the first time
    hours = [
        item(0, 100, datetime="2026-10-25T02:00:00+02:00"),
        item(0, 200, datetime="2026-10-25T02:00:00+01:00"),
        item(0, 300, datetime="2026-10-25T03:00:00+01:00"),
    ]
    played = Played({HISTORY: [(200, answer(hours))]})
    rows = provider(played).read(DE, night_s, night_s + 4 * 3600, night_s + 5 * 3600)
    assert [(row.valid_from_s - night_s, row.value_printed) for row in rows] == [
        (0, "100"),
        (3600, "200"),
        (7200, "300"),
    ]


def test_the_last_day_is_read_from_history_and_earlier_ones_from_the_past() -> None:
    played = Played({HISTORY: [(200, GOOD)], PAST: [(200, GOOD)]})
    service = provider(played)
    service.read(DE, begin_of_last_day(NOW_S), NOW_S, NOW_S)
    service.read(DE, START_S, END_S, START_S + 2 * DAY_S)
    assert played.paths == [HISTORY, PAST]
    assert played.asked[1].query["start"] == "2026-10-03T10:00:00Z"
    assert played.asked[1].query["end"] == "2026-10-03T16:00:00Z"
    assert ElectricityMapsProvider.max_range_s == 10 * DAY_S


def test_a_plan_without_the_past_still_gets_the_last_day_of_a_longer_range() -> None:
    """Else a free plan, whose re-reads go back 48 hours, would never read anything."""
    played = Played({HISTORY: [(200, GOOD)], PAST: [(401, NOT_IN_PLAN)]})
    rows = provider(played).read(DE, NOW_S - 2 * DAY_S, END_S, NOW_S)
    assert played.paths == [PAST, HISTORY]
    assert [row.valid_from_s for row in rows] == [START_S + hour * 3600 for hour in range(6)]


def test_a_plan_without_the_past_is_no_bad_token_and_says_what_to_do() -> None:
    played = Played({PAST: [(401, NOT_IN_PLAN)]})
    with pytest.raises(NotInPlan, match="You do not have access to this specific endpoint") as caught:
        provider(played).read(DE, START_S, END_S, NOW_S + 2 * DAY_S)
    assert caught.value.remedy == FREE_PLAN
    only_error = json.dumps({"error": "Request unauthorized for zoneKey=DE,requestType=latest."}).encode()
    with pytest.raises(NotInPlan):
        provider(Played({HISTORY: [(401, only_error)]})).read(DE, START_S, END_S, NOW_S)


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (401, BAD_TOKEN, Denied, "Invalid auth-token"),
        (401, b"<html>Sign in</html>", Denied, "does not accept the token"),
        (403, b"Access denied", Denied, "Access denied"),
        (404, b'{"status": "error", "message": "No data for zone"}', NoData, "No data for zone"),
        (400, b'{"error": "Missing or invalid date parameter \\"start\\""}', BadAnswer, 'parameter "start"'),
        (422, b'{"message": "line one\\nline\\u0007two' + b"x" * 500 + b'"}', BadAnswer, "line one line two"),
        (410, b"", BadAnswer, "status 410"),
    ],
)
def test_refusals_are_told_apart_in_one_clean_sentence(
    status: int, body: bytes, kind: type[ProviderError], words: str
) -> None:
    with pytest.raises(kind) as caught:
        provider(Played({HISTORY: [(status, body)]})).read(DE, START_S, END_S, NOW_S)
    assert type(caught.value) is kind
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("name", CASE.bad)
def test_nothing_of_a_wrong_answer_is_used(name: str) -> None:
    with pytest.raises(BadAnswer, match="Electricity Maps"):
        read(CASE.bad[name])


def test_holes_stay_holes_and_order_does_not_matter() -> None:
    assert CASE.holes is not None
    assert CASE.shuffled is not None
    assert [row.value_printed for row in read(CASE.holes)] == ["302", "", "", "310", "325", "331"]

    def what(rows: tuple[FactorRow, ...]) -> list[FactorRow]:
        return [replace(row, origin=replace(row.origin, raw_sha256="")) for row in rows]

    assert what(read(CASE.shuffled)) == what(read(GOOD))
    assert read(answer([])) == ()


def test_a_zone_is_sent_only_if_it_is_known_there() -> None:
    assert place_of(DE) == "DE"
    assert place_of(find_zone("aws:eu-central-1")) == "DE"
    assert place_of(find_zone("US-CAL-CISO")) == "US-CAL-CISO"
    assert place_of(find_zone("CN-BJ")) == "CN"
    for several_grids in ("US", "AU", "JP", "IN", "IT", "CA", "SE", "WORLD", "CAMX"):
        assert place_of(find_zone(several_grids)) == "", several_grids
    service = provider(Played({}))
    assert service.covers(DE)
    assert not service.covers(find_zone("US"))
    with pytest.raises(NoData, match="US"):
        service.read(find_zone("US"), START_S, END_S, NOW_S)
    split = {zone.country for zone in zones() if zone.kind == "em"}
    assert not any(place_of(find_zone(country)) for country in split)


@pytest.mark.parametrize(
    ("zone", "place"),
    [
        ("NO-NO2", "NO-NO2"),
        ("DK-DK1", "DK-DK1"),
        ("CA-ON", "CA-ON"),
        ("AU-WA-SWIS", "AU-WA"),
        ("NYISO", "US-NY-NYIS"),
        ("aws:eu-south-1", "IT-NO"),
        ("azure:norwayeast", "NO-NO1"),
    ],
)
def test_parts_of_countries_are_known_by_their_names_there(zone: str, place: str) -> None:
    assert place_of(find_zone(zone)) == place


def test_who_knows_better_names_the_zone_himself() -> None:
    options = Options(token=TOKEN, zones={"us-ca": "US-CAL-CISO"})
    played = Played({HISTORY: [(200, answer(items(VALUES, zone="US-CAL-CISO"), zone="US-CAL-CISO"))]})
    service = provider(played, options)
    assert service.covers(find_zone("US-CA"))
    row = service.read(find_zone("US-CA"), START_S, END_S, NOW_S)[0]
    assert (row.zone, row.zone_printed) == ("US-CA", "US-CAL-CISO")
    with pytest.raises(UnknownZone):
        provider(played, Options(token=TOKEN, zones={"US-CALI": "US-CAL-CISO"}))
    with pytest.raises(UsageError, match="US-CA = 'FR', which is no place in US"):
        provider(played, Options(token=TOKEN, zones={"US-CA": "FR"}))


def test_a_free_plan_says_which_part_it_refused_whatever_the_minute(tmp_path: Path) -> None:
    """Half of two days without a word was what a fetch at 20:17 gave."""
    now_s = NOW_S // 3600 * 3600 + 17 * 60
    hours = [item(now_s // 3600 * 3600 - hour * 3600, 50) for hour in range(23)]
    played = Played({HISTORY: [(200, answer(hours))] * 4, PAST: [(401, NOT_IN_PLAN)] * 4})
    with FactorStore(tmp_path / "factors.db") as store:
        outcome = fetch(provider(played), DE, now_s - 48 * 3600, now_s, store, now_s)
    assert isinstance(outcome.error, NotInPlan)
    assert 20 < outcome.fetched.rows < 25


def test_rows_bear_the_zone_of_the_catalogue_and_say_what_was_asked() -> None:
    played = Played({HISTORY: [(200, answer(items(VALUES, zone="CN"), zone="CN"))]})
    row = provider(played).read(find_zone("CN-BJ"), START_S, END_S, NOW_S)[0]
    assert (row.zone, row.zone_printed) == ("CN-BJ", "CN")
    assert row.factor_id == "electricitymaps:CN-BJ:direct:2026-10-03T10:00:00Z"


def test_a_forecast_is_an_average_of_what_is_not_over() -> None:
    hours: list[tuple[int, float | None]] = [(1, 305.5), (0, 302), (2, None), (-6, 1)]
    listed = [{"carbonIntensity": value, "datetime": at(END_S + hour * 3600)} for hour, value in hours]
    body = json.dumps({"zone": "DE", "forecast": listed, "updatedAt": at(END_S - 300)}).encode()
    played = Played({FORECAST: [(200, body)]})
    forecast = provider(played, Options(token=TOKEN, forecast_hours=48)).forecast(DE, NOW_S)
    assert played.asked[0].query["horizonHours"] == "48"
    assert (forecast.zone, forecast.provider, forecast.scheme) == ("DE", "electricitymaps", Scheme.AVERAGE)
    assert (forecast.factor_type, forecast.gases) == (FactorType.DIRECT, "CO2e")
    assert forecast.generated_at_s == END_S - 300
    assert forecast.points == (
        Expected(END_S, END_S + 3600, Decimal(302)),
        Expected(END_S + 3600, END_S + 7200, Decimal("305.5")),
    )


@pytest.mark.parametrize(
    "body",
    [
        answer(items(VALUES, zone="ES"), "forecast", zone="ES"),
        answer(items([-1]), "forecast"),
        answer([item(START_S, 1), item(START_S, 2)], "forecast"),
        answer([], "hours"),
    ],
)
def test_a_wrong_forecast_is_none(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        provider(Played({FORECAST: [(200, body)]})).forecast(DE, NOW_S)


def test_a_token_is_read_from_its_file_when_it_is_used(tmp_path: Path) -> None:
    """So that one that was replaced works without a restart."""
    file = tmp_path / "token"
    played = Played({HISTORY: [(200, GOOD)]})
    service = provider(played, Options(token_file=str(file)))
    with pytest.raises(Denied, match=r"token cannot be read \(No such file or directory\)"):
        service.read(DE, START_S, END_S, NOW_S)
    for text in ("first-token\n", "second-token\n"):
        file.write_text(text)
        service.read(DE, START_S, END_S, NOW_S)
    assert [question.headers["auth-token"] for question in played.asked] == ["first-token", "second-token"]


@pytest.mark.parametrize("content", [b"", b" \n", b"two\nlines", b"\xff\xfe"])
def test_a_file_without_a_token_is_an_error_that_names_the_setting(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(Denied, match=r"grid\.electricitymaps\.token"):
        provider(Played({}), Options(token_file=str(file))).read(DE, START_S, END_S, NOW_S)
    with pytest.raises(Denied, match="needs a key"):
        provider(Played({}), Options()).read(DE, START_S, END_S, NOW_S)


def test_the_token_is_shown_nowhere() -> None:
    """Against a service that repeats what it was sent."""
    options = Options(token=TOKEN)
    assert TOKEN not in repr(options)
    assert "base_url='https://api.electricitymaps.com'" in repr(options)
    ask = HttpAsk("0", now_s=lambda: NOW_S)
    with GridServer(CASE.good) as server:
        service = CASE.make(server.url, ask)
        assert TOKEN not in repr(service.read(DE, START_S, END_S, NOW_S))
        assert server.requests[0].headers["auth-token"] == TOKEN
        for status in ("400", "401", "403", "404", "422"):
            server.play(HISTORY, status)
            with pytest.raises(ProviderError) as caught:
                service.read(DE, START_S, END_S, NOW_S)
            assert TOKEN not in str(caught.value)
    ask.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_url": "https://user:secret@grid.test"},
        {"base_url": "ftp://grid.test"},
        {"factor_type": "marginal"},
        {"granularity": "daily"},
        {"api_version": "v2"},
        {"forecast_hours": 12},
        {"tokens": "x"},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, Options)
