"""France: definitive before consolidated before real time, page by page, over both changes of the clock."""

from __future__ import annotations

import msgspec
import pytest

from tests.grid.providers.replay import FETCHED_S, Replay, body
from tests.grid.providers.rte_case import (
    CASE,
    CONSOLIDATED,
    DEFINITIVE,
    END_S,
    FINAL,
    NOW_S,
    REAL_TIME,
    START_S,
    page,
    record,
)
from tracker.core.factors import Basis, FactorRow, FactorType, Origin, Scheme, Step, choose_location
from tracker.grid.interface import BadAnswer, Denied, NoData, ProviderError
from tracker.grid.rte import Options, Rte
from tracker.grid.zones import find_zone

FR = find_zone("FR")
HALF_S, QUARTER_S = 1800, 900
NONE = page([])


def rte(replay: Replay) -> Rte:
    return Rte(Options(base_url="https://odre.test/"), replay)


def read(final: bytes, real_time: bytes = NONE, start_s: int = START_S, end_s: int = END_S) -> tuple[FactorRow, ...]:
    return rte(Replay({FINAL: final, REAL_TIME: real_time})).read(FR, start_s, end_s, end_s)


def values(rows: tuple[FactorRow, ...]) -> list[tuple[int, int, str]]:
    """Start in minutes of the range, length in minutes, value."""
    return [
        ((row.valid_from_s - START_S) // 60, (row.valid_to_s - row.valid_from_s) // 60, row.value_printed)
        for row in rows
    ]


def test_a_consolidated_half_hour_keeps_its_value_and_all_that_an_auditor_asks_for() -> None:
    replay = Replay(CASE.good)
    row = rte(replay).read(FR, START_S, END_S, NOW_S)[0]
    assert row.factor_id == "rte:FR:direct:2026-06-14T18:00:00Z:PT30M"
    assert (row.zone, row.zone_printed, row.value_printed, row.unit_printed) == ("FR", "France", "15", "g/kWh")
    assert (row.factor_type, row.basis, row.scheme) == (FactorType.DIRECT, Basis.PRODUCTION, Scheme.AVERAGE)
    assert (row.gases, row.includes_td, row.quality_tier, row.data_year) == ("CO2", None, 1, "2026")
    assert (row.gwp_set, row.note) == ("none", "CO2 only.")
    assert (row.licence, row.confidence) == ("Licence Ouverte 2.0", "M")
    assert "RTE" in row.attribution
    assert row.source == f"https://odre.test{FINAL}, taux_co2 of 2026-06-14T18:00:00Z"
    assert row.origin == Origin(
        provider="rte",
        endpoint=row.origin.endpoint,
        api_version="v2.1",
        model_version="Données consolidées",
        is_estimated=False,
        fetched_at_s=FETCHED_S,
        raw_sha256=row.origin.raw_sha256,
    )
    assert row.origin.endpoint.startswith(f"https://odre.test{FINAL}?")


def test_real_time_fills_what_is_not_consolidated_and_no_instant_has_two_values() -> None:
    rows = rte(Replay(CASE.good)).read(FR, START_S, END_S, NOW_S)
    assert values(rows) == [
        (0, 30, "15"),
        (30, 30, "16"),
        (60, 15, "17"),
        (75, 15, "18.5"),
        (90, 15, "19"),
        (105, 15, "20"),
    ]
    assert [row.quality_tier for row in rows] == [1, 1, 2, 2, 2, 2]
    late = rows[2]
    assert late.factor_id == "rte:FR:direct:2026-06-14T19:00:00Z:PT15M"
    assert (late.origin.is_estimated, late.origin.estimation_method) == (True, "real time")
    assert late.origin.model_version == "Données temps réel"


def test_the_question_names_the_time_in_utc_and_leaves_out_what_has_no_value_yet() -> None:
    replay = Replay(CASE.good)
    rte(replay).read(FR, START_S + 60, END_S, NOW_S)
    assert replay.paths == [FINAL, REAL_TIME]
    assert dict(replay.asked[0].query) == {
        "select": "date_heure,heure,nature,taux_co2",
        "where": "date_heure >= '2026-06-14T18:00:00Z' and date_heure < '2026-06-14T20:00:00Z'"
        " and taux_co2 is not null",
        "order_by": "date_heure",
        "limit": "100",
        "timezone": "UTC",
    }


def test_what_is_consolidated_whole_is_not_asked_for_in_real_time() -> None:
    replay = Replay({FINAL: page([record(START_S + number * HALF_S, 15, CONSOLIDATED) for number in range(4)])})
    assert len(rte(replay).read(FR, START_S, END_S, NOW_S)) == 4
    assert replay.paths == [FINAL]


def test_a_definitive_value_is_of_the_same_factor_as_the_consolidated_one_so_that_it_supersedes_it() -> None:
    before = read(page([record(START_S, 15, CONSOLIDATED)]))[0]
    after = read(page([record(START_S, 14, DEFINITIVE)]))[0]
    assert before.factor_id == after.factor_id == "rte:FR:direct:2026-06-14T18:00:00Z:PT30M"
    assert (before.value_printed, after.value_printed) == ("15", "14")
    assert (before.origin.model_version, after.origin.model_version) == (CONSOLIDATED, DEFINITIVE)


def test_of_quarters_and_the_half_hour_that_comes_later_the_half_hour_is_chosen() -> None:
    quarters = read(NONE, page([record(START_S, 17), record(START_S + QUARTER_S, 18)]))
    half = read(page([record(START_S, 15, CONSOLIDATED)]))
    choice = choose_location((*quarters, *half), (Step("FR"),), START_S + QUARTER_S + 60, (1, 2))
    assert getattr(choice, "row", None) == half[0]


def test_a_final_hour_by_quarters_is_one_of_quarters() -> None:
    """The half hours would reach over the quarters beside them."""
    by_quarter = [record(START_S + number * QUARTER_S, 10 + number, CONSOLIDATED) for number in range(4)]
    by_half = [record(START_S + 3600, 20, CONSOLIDATED)]
    assert values(read(page(by_quarter + by_half))) == [
        (0, 15, "10"),
        (15, 15, "11"),
        (30, 15, "12"),
        (45, 15, "13"),
        (60, 30, "20"),
    ]


def test_the_range_decides_by_the_start_of_intervals_and_what_has_not_begun_is_no_row() -> None:
    provider = rte(Replay(CASE.good))
    assert values(provider.read(FR, START_S + 60, END_S, START_S + 3600)) == [(30, 30, "16"), (60, 15, "17")]


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("holes", [(0, 30, "15"), (30, 30, "16"), (60, 15, "17"), (90, 15, "19")]),
        ("shuffled", values(rte(Replay(CASE.good)).read(FR, START_S, END_S, END_S))),
    ],
)
def test_holes_stay_holes_and_order_does_not_matter(what: str, expected: list[tuple[int, int, str]]) -> None:
    answer = getattr(CASE, what)
    assert values(read(CASE.good[FINAL], answer)) == expected


def test_a_rate_of_zero_is_no_value() -> None:
    assert values(read(NONE, page([record(START_S, 0), record(START_S + QUARTER_S, 17)]))) == [(15, 15, "17")]


@pytest.mark.parametrize("path", [FINAL, REAL_TIME])
@pytest.mark.parametrize("what", CASE.bad)
def test_nothing_of_a_bad_answer_is_used(what: str, path: str) -> None:
    with pytest.raises(BadAnswer):
        rte(Replay({**CASE.good, path: CASE.bad[what]})).read(FR, START_S, END_S, NOW_S)


def test_three_pages_are_read_by_the_date_where_the_one_before_ended() -> None:
    records = [record(START_S + number * HALF_S, 10 + number, CONSOLIDATED) for number in range(250)]
    pages = [page(records[:100]), page(records[99:199]), page(records[198:])]
    end_s = START_S + 250 * HALF_S
    replay = Replay({REAL_TIME: NONE}, {FINAL: pages})
    rows = rte(replay).read(FR, START_S, end_s, end_s)
    assert [row.value_printed for row in rows] == [str(10 + number) for number in range(250)]
    starts = [str(question.query["where"]).split("'")[1] for question in replay.asked]
    assert starts == ["2026-06-14T18:00:00Z", "2026-06-16T19:30:00Z", "2026-06-18T21:00:00Z"]
    assert len({row.origin.raw_sha256 for row in rows}) == 3


def test_a_portal_that_repeats_a_page_is_not_asked_for_ever() -> None:
    same = page([record(START_S + number * HALF_S, 15, CONSOLIDATED) for number in range(100)])
    replay = Replay({FINAL: same, REAL_TIME: NONE})
    with pytest.raises(BadAnswer, match="same page"):
        rte(replay).read(FR, START_S, START_S + 7 * 86_400, NOW_S)
    assert len(replay.asked) == 2


MARCH_S = 1_774_742_400  # 2026-03-29T00:00:00Z; at 01:00 the clock goes from 02:00 to 03:00
OCTOBER_S = 1_792_886_400  # 2026-10-25T00:00:00Z; at 01:00 the clock goes from 03:00 to 02:00


def test_the_hour_that_never_was_is_no_hour() -> None:
    """Records of 02:00 and 02:30 of that day fall on the instants of 03:00 and 03:30."""
    real = [
        record(MARCH_S + number * HALF_S, 20 + number, CONSOLIDATED, 1 if number < 2 else 2) for number in range(48)
    ]
    never = [
        record(MARCH_S + 3600 + number * HALF_S, 99, CONSOLIDATED, local=f"02:{number * 30:02}") for number in (0, 1)
    ]
    rows = read(page(real[:2] + never + real[2:]), NONE, MARCH_S, MARCH_S + 86_400)
    assert [row.value_printed for row in rows] == [str(20 + number) for number in range(48)]
    assert rows[2].factor_id == "rte:FR:direct:2026-03-29T01:00:00Z:PT30M"


def test_the_hour_that_comes_twice_is_kept_where_it_is_there_twice() -> None:
    twice = [
        record(OCTOBER_S + number * HALF_S, 20 + number, CONSOLIDATED, 2 if number < 2 else 1) for number in range(50)
    ]
    assert [str(one["heure"]) for one in twice[:5]] == ["02:00", "02:30", "02:00", "02:30", "03:00"]
    rows = read(page(twice), NONE, OCTOBER_S, OCTOBER_S + 25 * 3600)
    assert [row.value_printed for row in rows] == [str(20 + number) for number in range(50)]
    assert rows[-1].valid_to_s == OCTOBER_S + 25 * 3600


def test_the_hour_that_comes_twice_is_a_hole_where_it_is_missing_or_cannot_be_told_apart() -> None:
    once = [record(OCTOBER_S + number * HALF_S, 20 + number, CONSOLIDATED) for number in (2, 3, 4)]
    missing = read(page(once), NONE, OCTOBER_S, OCTOBER_S + 86_400)
    assert [row.valid_from_s - OCTOBER_S for row in missing] == [3600, 5400, 7200]
    both = [record(OCTOBER_S + 3600, value, CONSOLIDATED, local="02:00") for value in (30, 31)]
    rows = read(page([*both, record(OCTOBER_S + 5400, 32, CONSOLIDATED)]), NONE, OCTOBER_S, OCTOBER_S + 86_400)
    assert [(row.valid_from_s - OCTOBER_S, row.value_printed) for row in rows] == [(5400, "32")]


def test_a_contradiction_on_any_other_day_stays_one() -> None:
    both = [record(START_S, value, CONSOLIDATED, local="02:00") for value in (30, 31)]
    with pytest.raises(BadAnswer, match="contradicts itself"):
        read(page(both))


@pytest.mark.parametrize(
    ("status", "kind"), [(400, BadAnswer), (401, Denied), (403, Denied), (404, NoData), (422, BadAnswer)]
)
def test_a_refusal_says_what_the_portal_said(status: int, kind: type[ProviderError]) -> None:
    error = body({"error_code": "ODSQLError", "message": "ODSQL query is malformed"})
    with pytest.raises(kind, match="ODSQL query is malformed"):
        rte(Replay({FINAL: error}, status=status)).read(FR, START_S, END_S, NOW_S)


@pytest.mark.parametrize(
    ("zone", "covered"), [("FR", True), ("aws:eu-west-3", True), ("RE", False), ("GB", False), ("WORLD", False)]
)
def test_it_covers_france_and_the_cloud_regions_there_but_no_island(zone: str, *, covered: bool) -> None:
    assert rte(Replay()).covers(find_zone(zone)) is covered


def test_it_forecasts_nothing() -> None:
    assert rte(Replay()).forecast(FR, NOW_S) is None


def test_the_default_address_is_the_official_one_and_encrypted() -> None:
    assert Options().base_url == "https://odre.opendatasoft.com"


def test_an_address_with_a_password_is_refused_as_it_would_be_in_every_row() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"base_url": "https://me:secret@proxy.test"}, Options)
