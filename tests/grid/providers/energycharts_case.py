"""Energy-Charts: quarters of an hour of Germany on 12 July 2026, known ones and expected ones."""

from __future__ import annotations

from collections.abc import Sequence

from tests.grid.providers.case import Case
from tests.grid.providers.replay import body
from tracker.grid.energycharts import EnergyCharts, Options

START_S = 1_783_893_600  # 2026-07-12T22:00:00Z
END_S = START_S + 3600
NOW_S = START_S + 50 * 60
PATH = "/co2eq"
KNOWN: list[object] = [491.5, 497.4, 502.6, None, None]
EXPECTED: list[object] = [None, None, None, 505.0, 508.25]


def series(
    known: Sequence[object], expected: Sequence[object] | None = None, step_s: int = 900, **other: object
) -> dict[str, object]:
    return {
        "unix_seconds": [START_S + number * step_s for number in range(len(known))],
        "co2eq": list(known),
        "co2eq_forecast": list(expected if expected is not None else [None] * len(known)),
        "substitute": False,
        "deprecated": False,
        **other,
    }


_GOOD = series(KNOWN, EXPECTED)
_TIMES = [START_S + number * 900 for number in (2, 0, 1, 0)]

CASE = Case(
    name="energycharts",
    make=lambda base_url, ask: EnergyCharts(Options(base_url=base_url), ask),
    zone="DE",
    start_s=START_S,
    end_s=END_S,
    now_s=NOW_S,
    good={PATH: body(_GOOD)},
    data_path=PATH,
    bad={
        "negative": body(series([-1.0, 400.0])),
        "absurd": body(series([491_500, 497_400])),
        "no number": body(series(["NaN", 400.0])),
        "contradicting quarters": body(series([491.5, 400.0], unix_seconds=[START_S, START_S])),
        "more times than values": body({**_GOOD, "co2eq": KNOWN[:-1]}),
        "more forecasts than times": body({**_GOOD, "co2eq_forecast": [*EXPECTED, 1.0]}),
        "milliseconds": body(series([1.0, 2.0], unix_seconds=[START_S * 1000, START_S * 1000 + 900])),
        "a step of ten minutes": body(series([1.0, 2.0], step_s=600)),
        "off the clock": body(series([1.0, 2.0], unix_seconds=[START_S + 60, START_S + 960])),
        "times as text": body(series([1.0], unix_seconds=["2026-07-12T22:00"])),
        "no times": body({"co2eq": [1.0]}),
    },
    holes=body(series([491.5, None, 502.6, None, None])),
    shuffled=body(series([502.6, 491.5, 497.4, 491.5], unix_seconds=_TIMES)),
)
