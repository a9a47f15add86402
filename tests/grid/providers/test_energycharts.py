"""Europe: life-cycle values by the quarter of an hour, known and expected ones kept apart."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec
import pytest

from tests.grid.providers.energycharts_case import CASE, END_S, NOW_S, PATH, START_S, series
from tests.grid.providers.replay import FETCHED_S, Replay, body
from tracker.core.factors import Basis, FactorRow, FactorType, Origin, Scheme
from tracker.grid.catalogue import zones
from tracker.grid.energycharts import COUNTRIES, EnergyCharts, Options
from tracker.grid.interface import BadAnswer, Denied, NoData, ProviderError
from tracker.grid.zones import find_zone

DE = find_zone("DE")


def charts(answer: bytes, status: int = 200) -> EnergyCharts:
    return EnergyCharts(Options(base_url="https://charts.test/"), Replay({PATH: answer}, status=status))


def read(answer: bytes, end_s: int = END_S) -> tuple[FactorRow, ...]:
    return charts(answer).read(DE, START_S, end_s, end_s)


def test_a_quarter_keeps_its_value_and_all_that_an_auditor_asks_for() -> None:
    row = read(CASE.good[PATH])[0]
    assert row.factor_id == "energycharts:DE:lifecycle:2026-07-12T22:00:00Z:PT15M"
    assert (row.zone, row.zone_printed, row.value_printed, row.unit_printed) == ("DE", "de", "491.5", "g/kWh")
    assert (row.factor_type, row.basis, row.scheme) == (FactorType.LIFECYCLE, Basis.PRODUCTION, Scheme.AVERAGE)
    assert (row.gases, row.includes_td, row.quality_tier, row.data_year) == ("CO2e", None, 2, "2026")
    assert (row.licence, row.confidence, row.note) == ("CC BY 4.0", "M", "")
    assert "Energy-Charts.info" in row.attribution
    assert row.source == "https://charts.test/co2eq?country=de&start=2026-07-12T22:00Z&end=2026-07-12T22:15Z"
    assert row.origin == Origin(
        provider="energycharts",
        endpoint=row.origin.endpoint,
        is_estimated=True,
        estimation_method="generation mix",
        fetched_at_s=FETCHED_S,
        raw_sha256=row.origin.raw_sha256,
    )
    assert row.origin.endpoint.startswith("https://charts.test/co2eq?country=de&start=")


def test_values_are_kept_as_printed_and_what_is_only_expected_is_no_row() -> None:
    rows = read(CASE.good[PATH])
    assert [row.value_printed for row in rows] == ["491.5", "497.4", "502.6", ""]
    assert [row.valid_from_s - START_S for row in rows] == [0, 900, 1800, 2700]


def test_the_question_is_in_utc_and_for_whole_hours() -> None:
    replay = Replay(CASE.good)
    EnergyCharts(Options(base_url="https://charts.test"), replay).read(DE, START_S + 60, END_S - 60, NOW_S)
    assert dict(replay.asked[0].query) == {"country": "de", "start": "2026-07-12T22:00Z", "end": "2026-07-12T23:00Z"}


def test_holes_stay_holes() -> None:
    assert CASE.holes is not None
    assert [(row.valid_from_s - START_S, row.value_printed) for row in read(CASE.holes)] == [
        (0, "491.5"),
        (900, ""),
        (1800, "502.6"),
        (2700, ""),
    ]


def test_order_and_repetition_do_not_matter() -> None:
    assert CASE.shuffled is not None
    good, shuffled = read(CASE.good[PATH]), read(CASE.shuffled)
    assert [(row.factor_id, row.value_printed) for row in good if row.value_printed] == [
        (row.factor_id, row.value_printed) for row in shuffled
    ]


@pytest.mark.parametrize("what", CASE.bad)
def test_nothing_of_a_bad_answer_is_used(what: str) -> None:
    with pytest.raises(BadAnswer):
        read(CASE.bad[what])


@pytest.mark.parametrize(("step_s", "name"), [(3600, "2026-07-12T22:00:00Z"), (1800, "2026-07-12T22:00:00Z:PT30M")])
def test_a_country_by_the_hour_has_hours(step_s: int, name: str) -> None:
    rows = read(body(series([300, 310], step_s=step_s)), START_S + 2 * 3600)
    assert [row.valid_to_s - row.valid_from_s for row in rows] == [step_s, step_s]
    assert rows[0].factor_id == f"energycharts:DE:lifecycle:{name}"


@pytest.mark.parametrize("known", [[491.5], [None]])
def test_a_single_time_is_a_quarter_as_documented(known: Sequence[object]) -> None:
    assert [row.valid_to_s - START_S for row in read(body(series(known)))] == [900]


def test_rows_lie_in_the_range_and_have_begun() -> None:
    rows = charts(body(series([1, 2, 3, 4, 5]))).read(DE, START_S + 900, START_S + 3600, START_S + 1800)
    assert [row.value_printed for row in rows] == ["2", "3"]


def test_a_guess_out_of_historic_data_says_so() -> None:
    assert read(body(series([400.0], substitute=True)))[0].origin.estimation_method == "substitute"


def test_the_announced_end_of_the_interface_is_told() -> None:
    assert "deprecated" in read(body(series([400.0], deprecated=True)))[0].note


def test_flags_that_are_missing_say_nothing() -> None:
    old = {"unix_seconds": [START_S], "co2eq": [400.0]}
    assert [(row.value_printed, row.note) for row in read(body(old))] == [("400.0", "")]


def test_the_forecast_is_what_is_expected_from_the_quarter_that_runs() -> None:
    answer = series([1.0, None, None, None, None], [800.0, 801.0, None, 505.0, 508.25])
    forecast = charts(body(answer)).forecast(DE, START_S + 1000)
    assert forecast is not None
    assert (forecast.zone, forecast.provider, forecast.gases) == ("DE", "energycharts", "CO2e")
    assert (forecast.scheme, forecast.factor_type) == (Scheme.AVERAGE, FactorType.LIFECYCLE)
    assert (forecast.generated_at_s, forecast.licence) == (FETCHED_S, "CC BY 4.0")
    assert [(point.start_s - START_S, point.end_s - START_S, point.g_per_kwh) for point in forecast.points] == [
        (900, 1800, Decimal(801)),
        (2700, 3600, Decimal(505)),
        (3600, 4500, Decimal("508.25")),
    ]


@pytest.mark.parametrize("expected", [[None], None])
def test_no_expected_value_is_no_forecast(expected: list[object] | None) -> None:
    answer = {**series([1.0]), "co2eq_forecast": expected}
    assert charts(body(answer)).forecast(DE, START_S) is None


def test_an_absurd_forecast_is_refused() -> None:
    with pytest.raises(BadAnswer):
        charts(body(series([None, None], [1.0, 9000.0]))).forecast(DE, START_S)


@pytest.mark.parametrize("answer", [{"unix_seconds": None, "co2eq": None}, {"unix_seconds": [START_S], "co2eq": None}])
def test_an_answer_without_lists_is_no_data(answer: dict[str, object]) -> None:
    with pytest.raises(NoData):
        read(body(answer))


def test_a_country_that_the_service_does_not_know_is_no_data() -> None:
    words = b"'de' is not the code for an available country. Please refer to the API doc"
    with pytest.raises(NoData, match="does not know the country DE"):
        charts(words, 400).read(DE, START_S, END_S, NOW_S)


@pytest.mark.parametrize(
    ("status", "kind"), [(400, BadAnswer), (401, Denied), (403, Denied), (404, NoData), (422, BadAnswer)]
)
def test_a_refusal_says_what_the_service_said(status: int, kind: type[ProviderError]) -> None:
    with pytest.raises(kind, match="Value is no time"):
        charts(body({"detail": "Value is no time"}), status).read(DE, START_S, END_S, NOW_S)


@pytest.mark.parametrize(
    ("zone", "covered"),
    [
        ("DE", True),
        ("EL", True),  # Greece
        ("aws:eu-central-1", True),
        ("SE", True),
        ("SE-SE3", False),  # a zone of a country is not the country
        ("GB", False),
        ("US", False),
        ("WORLD", False),
    ],
)
def test_it_covers_whole_countries(zone: str, *, covered: bool) -> None:
    assert charts(b"").covers(find_zone(zone)) is covered


def test_all_its_countries_are_in_the_catalogue() -> None:
    assert {zone.code for zone in zones() if zone.kind == "country"} >= COUNTRIES


def test_the_default_address_is_the_official_one_and_encrypted() -> None:
    assert Options().base_url == "https://api.energy-charts.info"


def test_an_address_with_a_password_is_refused_as_it_would_be_in_every_row() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"base_url": "https://me:secret@proxy.test"}, Options)
