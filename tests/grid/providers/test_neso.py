"""Great Britain by the half hour: what was measured, what is only expected, and what is not known."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from tests.grid.providers.neso_case import CASE, END_S, NOW_S, PATH, START_S, periods
from tests.grid.providers.replay import FETCHED_S, Replay, body
from tracker.core.factors import Basis, FactorType, Origin, Scheme
from tracker.grid.interface import BadAnswer, Denied, NoData, ProviderError
from tracker.grid.neso import Neso, Options
from tracker.grid.zones import find_zone

GB = find_zone("GB")
HALF_S = 1800


def neso(replay: Replay, region: int | None = None) -> Neso:
    return Neso(Options(base_url="https://grid.test/", region=region), replay)


def test_a_measured_half_hour_keeps_its_value_and_all_that_an_auditor_asks_for() -> None:
    row = neso(Replay(CASE.good)).read(GB, START_S, END_S, NOW_S)[0]
    assert row.factor_id == "neso:GB:direct:2026-10-03T10:00:00Z:PT30M"
    assert (row.zone, row.zone_printed, row.value_printed, row.unit_printed) == ("GB", "GB", "149", "g/kWh")
    assert row.value_g_per_kwh == 149
    assert (row.factor_type, row.basis, row.scheme) == (FactorType.DIRECT, Basis.CONSUMPTION, Scheme.AVERAGE)
    assert (row.gases, row.includes_td, row.quality_tier, row.data_year) == ("CO2", True, 1, "2026")
    assert (row.valid_from_s, row.valid_to_s) == (START_S, START_S + HALF_S)
    assert (row.licence, row.confidence, row.gwp_set, row.note) == ("CC BY 4.0", "V", "none", "CO2 only.")
    assert "NESO" in row.attribution
    assert row.source == "https://grid.test/intensity/2026-10-03T10:00Z/2026-10-03T10:30Z"
    assert row.origin == Origin(
        provider="neso",
        endpoint="https://grid.test/intensity/2026-10-03T10:00Z/2026-10-03T13:00Z",
        is_estimated=False,
        fetched_at_s=FETCHED_S,
        raw_sha256=row.origin.raw_sha256,
    )
    assert len(row.origin.raw_sha256) == 64


def test_a_half_hour_without_an_actual_is_an_estimate_and_the_future_is_no_row() -> None:
    rows = neso(Replay(CASE.good)).read(GB, START_S, END_S, NOW_S)
    assert [(row.value_printed, row.quality_tier, row.origin.estimation_method) for row in rows] == [
        ("149", 1, ""),
        ("147", 1, ""),
        ("0", 1, ""),  # a measured 0 is a value
        ("140", 2, "forecast"),
        ("138", 2, "forecast"),  # 12:00, which runs; 12:30 is the future
    ]
    assert [row.origin.is_estimated for row in rows] == [False, False, False, True, True]


def test_the_actual_that_comes_later_is_of_the_same_factor_so_that_it_supersedes_the_forecast() -> None:
    def read(values: list[tuple[int | None, int | None]]) -> tuple[str, str, int]:
        row = neso(Replay({PATH: body({"data": periods(values, START_S)})})).read(GB, START_S, END_S, NOW_S)[0]
        return row.factor_id, row.value_printed, row.quality_tier

    name = "neso:GB:direct:2026-10-03T10:00:00Z:PT30M"
    assert read([(152, None)]) == (name, "152", 2)
    assert read([(152, 149)]) == (name, "149", 1)


def test_the_half_hour_before_the_range_is_left_out_and_unknown_ones_are_holes() -> None:
    assert CASE.holes is not None
    rows = neso(Replay({PATH: CASE.holes})).read(GB, START_S, END_S, NOW_S)
    assert [row.valid_from_s for row in rows] == [START_S + number * HALF_S for number in range(5)]
    assert [row.value_printed for row in rows][:2] == ["", "147"]


def test_order_and_repetition_of_an_answer_do_not_matter() -> None:
    assert CASE.shuffled is not None
    one = neso(Replay(CASE.good)).read(GB, START_S, END_S, NOW_S)
    other = neso(Replay({PATH: CASE.shuffled})).read(GB, START_S, END_S, NOW_S)
    assert [(row.factor_id, row.value_printed) for row in one] == [(row.factor_id, row.value_printed) for row in other]


@pytest.mark.parametrize("what", CASE.bad)
def test_nothing_of_a_bad_answer_is_used(what: str) -> None:
    with pytest.raises(BadAnswer):
        neso(Replay({PATH: CASE.bad[what]})).read(GB, START_S, END_S, NOW_S)


@pytest.mark.parametrize(
    ("day", "start_s", "after"),
    [
        ("2026-03-29", 1_774_742_400, "2026-03-30"),  # the clock is put forward: 46 settlement periods
        ("2026-10-25", 1_792_886_400, "2026-10-26"),  # and back: 50
    ],
)
def test_the_day_of_a_clock_change_has_48_half_hours_in_utc(day: str, start_s: int, after: str) -> None:
    values: list[tuple[int | None, int | None]] = [(100 + number, 200 + number) for number in range(48)]
    replay = Replay({f"/intensity/{day}T00:00Z/{after}T00:00Z": body({"data": periods(values, start_s)})})
    rows = neso(replay).read(GB, start_s, start_s + 86_400, start_s + 200_000)
    assert [row.value_printed for row in rows] == [str(200 + number) for number in range(48)]
    assert len({row.factor_id for row in rows}) == 48
    assert all(row.valid_to_s - row.valid_from_s == HALF_S for row in rows)
    assert rows[-1].valid_to_s == start_s + 86_400


def test_a_range_off_the_half_hour_is_asked_for_whole_and_stays_within_what_the_service_allows() -> None:
    replay = Replay({"/intensity/2026-10-03T10:00Z/2026-10-16T10:30Z": body({"data": periods([(1, 2)] * 3, START_S)})})
    provider = neso(replay)
    rows = provider.read(GB, START_S + 60, START_S + 60 + provider.max_range_s, END_S + 10**7)
    assert [row.valid_from_s for row in rows] == [START_S + HALF_S, START_S + 2 * HALF_S]


def test_the_forecast_is_an_average_for_48_hours_from_the_half_hour_that_runs() -> None:
    path = "/intensity/2026-10-03T12:00Z/fw48h"
    values: list[tuple[int | None, int | None]] = [(140, 139), (138, None), (None, None), (136, None)]
    forecast = neso(Replay({path: body({"data": periods(values, START_S + 3 * HALF_S)})})).forecast(GB, NOW_S)
    assert forecast is not None
    assert (forecast.zone, forecast.provider, forecast.gases) == ("GB", "neso", "CO2")
    assert (forecast.scheme, forecast.factor_type) == (Scheme.AVERAGE, FactorType.DIRECT)
    assert forecast.generated_at_s == FETCHED_S
    assert [(point.start_s - START_S, point.end_s - START_S, point.g_per_kwh) for point in forecast.points] == [
        (7200, 9000, Decimal(138)),
        (10_800, 12_600, Decimal(136)),
    ]


def test_no_expected_value_is_no_forecast() -> None:
    assert neso(Replay({"/intensity/2026-10-03T12:00Z/fw48h": body({"data": []})})).forecast(GB, NOW_S) is None


REGIONAL = "/regional/intensity/2026-10-03T10:00Z/2026-10-03T13:00Z/regionid/13"
LONDON = {"regionid": 13, "shortname": "London", "data": periods([(77, None), (78, 12), (None, None)], START_S)}


@pytest.mark.parametrize("data", [LONDON, [LONDON]], ids=["object", "list"])
def test_a_region_has_forecasts_only_so_its_values_are_estimates_with_names_of_their_own(data: object) -> None:
    rows = neso(Replay({REGIONAL: body({"data": data})}), region=13).read(GB, START_S, END_S, NOW_S)
    assert [(row.value_printed, row.quality_tier, row.origin.estimation_method) for row in rows] == [
        ("77", 2, "forecast"),
        ("78", 2, "forecast"),
        ("", 2, "forecast"),
    ]
    assert rows[0].factor_id == "neso:GB/region-13:direct:2026-10-03T10:00:00Z:PT30M"
    assert (rows[0].zone, rows[0].zone_printed, rows[0].zone_system) == ("GB", "13", "neso-region")
    assert rows[0].source.endswith("/regional/intensity/2026-10-03T10:00Z/2026-10-03T10:30Z/regionid/13")


def test_the_answer_for_another_region_is_refused() -> None:
    provider = neso(Replay({REGIONAL.replace("/13", "/14"): body({"data": LONDON})}), region=14)
    with pytest.raises(BadAnswer, match="another region than 14"):
        provider.read(GB, START_S, END_S, NOW_S)


@pytest.mark.parametrize("region", [0, 18, "London"])
def test_a_region_that_does_not_exist_is_no_option(region: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"region": region}, Options)


@pytest.mark.parametrize(
    ("status", "kind"), [(400, BadAnswer), (401, Denied), (403, Denied), (404, NoData), (410, NoData), (422, BadAnswer)]
)
def test_a_refusal_says_what_the_service_said(status: int, kind: type[ProviderError]) -> None:
    error = {"error": {"code": "400 Bad Request", "message": "Please enter a valid start date.\u0007"}}
    with pytest.raises(kind, match="Please enter a valid start date") as caught:
        neso(Replay({PATH: body(error)}, status=status)).read(GB, START_S, END_S, NOW_S)
    assert str(caught.value).isprintable()


def test_an_error_page_is_not_printed_and_a_long_text_is_cut() -> None:
    with pytest.raises(BadAnswer) as page:
        neso(Replay({PATH: b"<html>gateway</html>"}, status=400)).read(GB, START_S, END_S, NOW_S)
    assert "html" not in str(page.value)
    with pytest.raises(BadAnswer) as text:
        neso(Replay({PATH: b"x" * 5000}, status=400)).read(GB, START_S, END_S, NOW_S)
    assert len(str(text.value)) < 300


@pytest.mark.parametrize(
    ("zone", "covered"),
    [("GB", True), ("aws:eu-west-2", True), ("azure:ukwest", True), ("IE", False), ("FR", False), ("CAMX", False)],
)
def test_it_covers_great_britain_and_the_cloud_regions_there(zone: str, *, covered: bool) -> None:
    assert neso(Replay()).covers(find_zone(zone)) is covered


def test_a_cloud_region_gets_rows_of_its_own_name() -> None:
    row = neso(Replay(CASE.good)).read(find_zone("aws:eu-west-2"), START_S, END_S, NOW_S)[0]
    assert (row.zone, row.zone_printed) == ("aws:eu-west-2", "GB")
    assert row.factor_id.startswith("neso:aws:eu-west-2:direct:")


def test_the_default_address_is_the_official_one_and_encrypted() -> None:
    assert Options().base_url == "https://api.carbonintensity.org.uk"


def test_an_address_with_a_password_is_refused_as_it_would_be_in_every_row() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"base_url": "https://me:secret@proxy.test"}, Options)
