"""WattTime: averages become rows, margins only advice, percentiles nothing; and the token is renewed in time."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from tests.fakes.gridserver import GridServer
from tests.grid.providers.played import FETCHED_S, Played
from tests.grid.providers.watttime_case import (
    BASIC,
    CASE,
    END_S,
    FORECAST,
    HISTORICAL,
    LOGIN,
    MOER_REGIONS,
    NOW_S,
    PASSWORD,
    REGIONS,
    START_S,
    TOKEN,
    USER,
    answer,
    point,
    points,
    token,
)
from tracker.core.factors import Basis, FactorRow, FactorType, Scheme
from tracker.core.forecast import Expected
from tracker.grid.http import HttpAsk
from tracker.grid.interface import BadAnswer, Denied, NoData, NotInPlan, ProviderError, UnknownZone
from tracker.grid.watttime import Options, WattTimeProvider
from tracker.grid.zones import find_zone

CISO = find_zone("US-CAL-CISO")
GOOD = CASE.good[HISTORICAL]
MINUTE_S = 60
OPTIONS = Options(username=USER, password=PASSWORD, regions=REGIONS, moer_regions=MOER_REGIONS)


def played(*historical: tuple[int, bytes], logins: list[tuple[int, bytes]] | None = None) -> Played:
    return Played({LOGIN: logins or [(200, token())], HISTORICAL: list(historical) or [(200, GOOD)]})


def read(body: bytes) -> tuple[FactorRow, ...]:
    return WattTimeProvider(OPTIONS, played((200, body))).read(CISO, START_S, END_S, NOW_S)


def forecast(body: bytes, now_s: int = START_S) -> tuple[Expected, ...]:
    service = WattTimeProvider(OPTIONS, Played({LOGIN: [(200, token())], FORECAST: [(200, body)]}))
    found = service.forecast(CISO, now_s)
    assert found is not None
    return found.points


def moer(values: list[float | None], **meta: object) -> bytes:
    return answer(points(values), **{"region": "CAISO_NORTH", "signal_type": "co2_moer", **meta})


def test_five_minutes_keep_their_value_and_all_that_an_auditor_asks_for() -> None:
    first, imputed, *_ = read(GOOD)
    assert first.factor_id == "watttime:US-CAL-CISO:direct:2026-10-03T10:00:00Z:PT5M"
    assert (first.zone, first.zone_printed, first.zone_system) == ("US-CAL-CISO", "CAISO", "wt")
    assert (first.value_printed, first.unit_printed, first.gases) == ("870", "lb/MWh", "CO2")
    assert first.value_g_per_kwh == Decimal("394.62536190")  # 870 x 0.45359237
    assert (first.factor_type, first.basis, first.scheme) == (FactorType.DIRECT, Basis.UNSPECIFIED, Scheme.AVERAGE)
    assert (first.valid_from_s, first.valid_to_s) == (START_S, START_S + 300)
    assert (first.quality_tier, first.data_year, first.licence) == (1, "2026", "by contract with WattTime")
    assert first.source == "WattTime, API v3: co2_aoer of CAISO from 2026-10-03T10:00:00Z"
    origin = first.origin
    assert (origin.provider, origin.api_version, origin.model_version) == ("watttime", "v3", "2026-03-01")
    assert (origin.imputed, origin.is_estimated, origin.updated_at_s) == (False, False, START_S + 600)
    assert (origin.fetched_at_s, len(origin.raw_sha256)) == (FETCHED_S, 64)
    assert (imputed.quality_tier, imputed.origin.imputed, imputed.origin.estimation_method) == (2, True, "imputed")
    assert imputed.value_printed == "871.25"


def test_the_inclusive_end_gives_no_interval_too_many() -> None:
    ask = played()
    rows = WattTimeProvider(OPTIONS, ask).read(CISO, START_S, END_S, NOW_S)
    assert [row.valid_from_s - START_S for row in rows] == [0, 300, 600, 900, 1200, 1500]
    question = ask.asked[1]
    assert question.url == "https://api.watttime.org/v3/historical"
    assert question.query == {
        "region": "CAISO",
        "signal_type": "co2_aoer",
        "start": "2026-10-03T10:00:00+00:00",
        "end": "2026-10-03T10:29:59+00:00",
        "include_imputed_marker": "true",
    }
    assert WattTimeProvider.max_range_s < 32 * 86_400


def test_what_has_not_begun_is_no_row() -> None:
    rows = WattTimeProvider(OPTIONS, played()).read(CISO, START_S, END_S, START_S + 650)
    assert [row.valid_from_s - START_S for row in rows] == [0, 300, 600]


def test_a_point_that_does_not_say_whether_it_is_imputed_may_be() -> None:
    row = read(answer([point(START_S, 870, imputed_data_used=None)], model=None))[0]
    assert (row.quality_tier, row.origin.imputed, row.origin.model_version) == (2, None, "")


@pytest.mark.parametrize("name", CASE.bad)
def test_nothing_of_a_wrong_answer_is_used(name: str) -> None:
    with pytest.raises(BadAnswer, match="WattTime"):
        read(CASE.bad[name])


def test_percentiles_are_refused_with_the_reason() -> None:
    """The index of 0 to 100 looks like a plausible intensity and is none."""
    with pytest.raises(BadAnswer, match="rank hours and say nothing of grams"):
        read(CASE.bad["percentiles"])
    with pytest.raises(BadAnswer, match="rank hours"):
        forecast(moer([50], units="percentile"))


def test_holes_stay_holes_and_order_does_not_matter() -> None:
    assert CASE.holes is not None
    assert CASE.shuffled is not None
    assert [row.value_printed for row in read(CASE.holes)] == ["870", "", "", "868", "866", "865"]

    def what(rows: tuple[FactorRow, ...]) -> list[FactorRow]:
        return [replace(row, origin=replace(row.origin, raw_sha256="")) for row in rows]

    assert what(read(CASE.shuffled)) == what(read(GOOD))
    assert read(answer([])) == ()


def test_a_margin_is_advice_and_never_a_row() -> None:
    ask = Played({LOGIN: [(200, token())], FORECAST: [(200, moer([870, None, 1000], generated_at=at(9, 55)))]})
    only_margin = WattTimeProvider(Options(username=USER, password=PASSWORD, moer_regions=MOER_REGIONS), ask)
    assert only_margin.covers(CISO)
    assert only_margin.read(CISO, START_S, END_S, NOW_S) == ()
    assert ask.asked == []  # nothing is asked whose answer could not be used
    found = only_margin.forecast(CISO, START_S + 60)
    assert found is not None
    assert (found.scheme, found.factor_type, found.gases) == (Scheme.OPERATING_MARGIN, FactorType.DIRECT, "CO2")
    assert (found.zone, found.provider, found.generated_at_s) == ("US-CAL-CISO", "watttime", START_S - 300)
    assert found.points == (
        Expected(START_S, START_S + 300, Decimal("394.62536190")),
        Expected(START_S + 600, START_S + 900, Decimal("453.59237000")),
    )
    question = ask.asked[1]
    assert question.query == {"region": "CAISO_NORTH", "signal_type": "co2_moer", "horizon_hours": "24"}


def at(hour: int, minute: int) -> str:
    return f"2026-10-03T{hour:02}:{minute:02}:00+00:00"


def test_a_forecast_leaves_out_what_is_over_and_refuses_another_signal() -> None:
    assert [one.start_s for one in forecast(moer([870, 871]), START_S + 301)] == [START_S + 300]
    for wrong in (moer([870], signal_type="co2_aoer"), moer([870], region="CAISO"), moer([-1])):
        with pytest.raises(BadAnswer):
            forecast(wrong)


def test_no_region_is_ever_guessed() -> None:
    service = WattTimeProvider(OPTIONS, Played({}))
    assert service.covers(CISO)
    assert not service.covers(find_zone("CAMX"))
    with pytest.raises(NoData, match=r"Set FR = \"<region>\" in \[grid.watttime.regions\]"):
        service.read(find_zone("FR"), START_S, END_S, NOW_S)
    assert service.forecast(find_zone("FR"), NOW_S) is None
    with pytest.raises(UnknownZone, match="KALIFORNIA"):
        WattTimeProvider(Options(regions={"KALIFORNIA": "CAISO"}), Played({}))
    assert WattTimeProvider(Options(regions={"us-cal-ciso": "CAISO"}), Played({})).covers(CISO)


def test_the_token_is_fetched_once_and_renewed_before_it_ends() -> None:
    ask = played(logins=[(200, token("one")), (200, token("two"))])
    service = WattTimeProvider(OPTIONS, ask)
    for minutes in (0, 24, 25, 26):
        service.read(CISO, START_S, END_S, NOW_S + minutes * MINUTE_S)
    assert ask.paths == [LOGIN, HISTORICAL, HISTORICAL, LOGIN, HISTORICAL, HISTORICAL]
    assert ask.asked[0].headers == {"Authorization": f"Basic {BASIC}"}
    assert [question.headers["Authorization"] for question in ask.asked if question.url.endswith("historical")] == [
        "Bearer one",
        "Bearer one",
        "Bearer two",
        "Bearer two",
    ]


def test_a_clock_that_steps_back_does_not_keep_a_token_for_ever() -> None:
    ask = played()
    service = WattTimeProvider(OPTIONS, ask)
    service.read(CISO, START_S, END_S, NOW_S + 86_400)
    service.read(CISO, START_S, END_S, NOW_S)
    assert ask.paths == [LOGIN, HISTORICAL, LOGIN, HISTORICAL]


def test_a_token_that_ends_on_the_way_is_replaced_once() -> None:
    ask = played((200, GOOD), (401, b'{"error": "expired"}'), (200, GOOD))
    service = WattTimeProvider(OPTIONS, ask)
    service.read(CISO, START_S, END_S, NOW_S)
    assert len(service.read(CISO, START_S, END_S, NOW_S + 60)) == 6
    assert ask.paths == [LOGIN, HISTORICAL, HISTORICAL, LOGIN, HISTORICAL]


def test_a_revoked_account_is_denied_and_not_asked_again_and_again() -> None:
    ask = played((200, GOOD), (401, b""), logins=[(200, token()), (401, b'{"error": "bad password"}')])
    service = WattTimeProvider(OPTIONS, ask)
    service.read(CISO, START_S, END_S, NOW_S)
    with pytest.raises(Denied, match="does not accept the user name and password"):
        service.read(CISO, START_S, END_S, NOW_S + 60)
    assert ask.paths == [LOGIN, HISTORICAL, HISTORICAL, LOGIN]
    fresh = played((401, b'{"error": "no"}'))
    with pytest.raises(Denied, match="does not accept a new token: no"):
        WattTimeProvider(OPTIONS, fresh).read(CISO, START_S, END_S, NOW_S)
    assert fresh.paths == [LOGIN, HISTORICAL]


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (403, NotInPlan, "The plan with WattTime does not have co2_aoer of CAISO: no such luck"),
        (404, NoData, "no such luck"),
        (400, BadAnswer, "status 400: no such luck"),
        (422, BadAnswer, "status 422: no such luck"),
    ],
)
def test_refusals_are_told_apart(status: int, kind: type[ProviderError], words: str) -> None:
    ask = played((status, b'{"error": "no such luck"}'))
    service = WattTimeProvider(OPTIONS, ask)
    with pytest.raises(kind) as caught:
        service.read(CISO, START_S, END_S, NOW_S)
    assert type(caught.value) is kind
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (403, b"", Denied),
        (400, b'{"error": "what?"}', BadAnswer),
        (200, b"<html>Sign in</html>", BadAnswer),
        (200, b'{"ok": true}', BadAnswer),
        (200, token(""), BadAnswer),
        (200, token("two\nlines"), BadAnswer),
    ],
)
def test_a_login_that_gives_no_token_is_an_error(status: int, body: bytes, kind: type[ProviderError]) -> None:
    with pytest.raises(kind):
        WattTimeProvider(OPTIONS, played(logins=[(status, body)])).read(CISO, START_S, END_S, NOW_S)


def test_an_account_is_needed_and_the_password_may_come_from_a_file(tmp_path: Path) -> None:
    with pytest.raises(Denied, match=r"grid\.watttime\.username"):
        WattTimeProvider(Options(regions=REGIONS), played()).read(CISO, START_S, END_S, NOW_S)
    with pytest.raises(Denied, match=r"grid\.watttime\.password_file"):
        WattTimeProvider(Options(username=USER, regions=REGIONS), played()).read(CISO, START_S, END_S, NOW_S)
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n", encoding="utf-8")
    ask = played()
    options = Options(username=USER, password_file=str(file), regions=REGIONS)
    WattTimeProvider(options, ask).read(CISO, START_S, END_S, NOW_S)
    assert ask.asked[0].headers["Authorization"] == f"Basic {BASIC}"


def test_neither_password_nor_token_is_shown_anywhere() -> None:
    """Against a service that repeats what it was sent."""
    assert PASSWORD not in repr(OPTIONS)
    ask = HttpAsk("0", now_s=lambda: NOW_S)
    with GridServer(CASE.good) as server:
        service = CASE.make(server.url, ask)
        rows = service.read(CISO, START_S, END_S, NOW_S)
        shown = [repr(rows)]
        assert server.asked(HISTORICAL)[0].query["start"] == "2026-10-03T10:00:00+00:00"
        assert server.asked(HISTORICAL)[0].headers["authorization"] == f"Bearer {TOKEN}"
        for path in (HISTORICAL, LOGIN):
            for status in ("400", "401", "403", "404", "422"):
                server.play(path, status)
                with pytest.raises(ProviderError) as caught:
                    CASE.make(server.url, ask).read(CISO, START_S, END_S, NOW_S)
                shown.append(str(caught.value))
    ask.close()
    assert not [text for text in shown for secret in CASE.secrets if secret in text]


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_url": "https://user:secret@grid.test"},
        {"forecast_hours": 73},
        {"signal": "signal-index"},
        {"regions": {"FR": 1}},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, Options)
