"""NESO: half hours of Great Britain on the morning of 3 October 2026, of which the last ones have no actual yet."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.grid.providers.case import Case
from tests.grid.providers.replay import body
from tracker.grid.neso import Neso, Options

START_S = 1_791_021_600  # 2026-10-03T10:00:00Z
END_S = START_S + 3 * 3600
NOW_S = START_S + 2 * 3600 + 600  # 12:10
PATH = "/intensity/2026-10-03T10:00Z/2026-10-03T13:00Z"
#: forecast, actual; from 09:30, since the service begins one half hour early
VALUES: list[tuple[int | None, int | None]] = [
    (150, 148),
    (152, 149),
    (151, 147),
    (149, 0),
    (140, None),
    (138, None),
    (137, None),
]


def periods(values: list[tuple[int | None, int | None]], start_s: int) -> list[dict[str, object]]:
    """As the service prints them: forecast and actual of half hours from ``start_s``."""
    return [
        {
            "from": _minute(start_s + number * 1800),
            "to": _minute(start_s + number * 1800 + 1800),
            "intensity": {"forecast": forecast, "actual": actual, "index": "moderate"},
        }
        for number, (forecast, actual) in enumerate(values)
    ]


def _minute(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%MZ")


_PERIODS = periods(VALUES, START_S - 1800)
_OTHER_VALUE = periods([(152, 200)], START_S)[0]
_NAIVE = {**_PERIODS[1], "from": "2026-10-03T10:00"}
_HOUR = {**_PERIODS[1], "to": "2026-10-03T11:00Z"}

CASE = Case(
    name="neso",
    make=lambda base_url, ask: Neso(Options(base_url=base_url), ask),
    zone="GB",
    start_s=START_S,
    end_s=END_S,
    now_s=NOW_S,
    good={PATH: body({"data": _PERIODS})},
    data_path=PATH,
    bad={
        "negative": body({"data": periods([(-1, -1)], START_S)}),
        "absurd": body({"data": periods([(150_000, None)], START_S)}),
        "contradicting half hours": body({"data": [*_PERIODS, _OTHER_VALUE]}),
        "times without offset": body({"data": [_NAIVE]}),
        "another length": body({"data": [_HOUR]}),
        "before 1970": body({"data": periods([(150, 148)], -1800)}),
        "text for a number": body({"data": [{**_PERIODS[1], "intensity": {"forecast": "many"}}]}),
        "no data": body({"data": None}),
        "an error with 200": body({"error": {"code": "500 Internal Server Error", "message": "Something went wrong"}}),
    },
    holes=body({"data": periods([(150, 148), (None, None), *VALUES[2:]], START_S - 1800)}),
    shuffled=body({"data": [*reversed(_PERIODS), _PERIODS[2]]}),
)
