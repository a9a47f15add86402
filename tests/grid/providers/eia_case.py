"""EIA-930: hours of the California ISO on the evening of 3 October 2026; the newest one has no value yet."""

from __future__ import annotations

from tests.grid.providers.case import Case
from tests.grid.providers.workbooks import TITLES, line, workbook
from tracker.grid.eia import Eia, Options

START_S = 1_791_050_400  # 2026-10-03T18:00:00Z
END_S = START_S + 4 * 3600
PATH = "/electricity/gridmonitor/knownissues/xls/CISO.xlsx"
HOUR_S = 3600

#: By the end of the hour: the first one is of the hour before the range.
_GOOD = [line(START_S + number * HOUR_S, value) for number, value in enumerate((0.5, 0.31, 0.42, 0.55, None))]

CASE = Case(
    name="eia",
    make=lambda base_url, ask: Eia(Options(base_url=base_url), ask),
    zone="US-CAL-CISO",
    start_s=START_S,
    end_s=END_S,
    now_s=START_S + 5 * HOUR_S,
    good={PATH: workbook(_GOOD)},
    data_path=PATH,
    bad={
        "wrong zone": workbook([*_GOOD, line(START_S + 5 * HOUR_S, 0.4, ba="PJM")]),
        "no zone": workbook([*_GOOD, line(START_S + 5 * HOUR_S, 0.4, ba=None)]),
        "negative": workbook([*_GOOD, line(START_S + 5 * HOUR_S, -0.1)]),
        "absurd": workbook([*_GOOD, line(START_S + 5 * HOUR_S, 455.0)]),  # lb/MWh
        "contradicting hours": workbook([*_GOOD, line(START_S + HOUR_S, 0.7)]),
        "half hours": workbook([*_GOOD, line(START_S + 1800, 0.7)]),
        "times as text": workbook([["CISO", "2026-10-03 19:00", None, 12, 0.3, 0.4]]),
        "no times": workbook([["CISO", None, None, 12, 0.3, 0.4]]),
        "text for a number": workbook([line(START_S + HOUR_S, "many")]),
        "true for a number": workbook([line(START_S + HOUR_S, value=True)]),
        "other columns": workbook(_GOOD, titles=[*TITLES[:-1], "CO2 Intensity"]),
        "no titles": workbook([], titles=[]),
        "another sheet": workbook(_GOOD, sheet="Published Daily Data"),
    },
    holes=workbook([_GOOD[0], _GOOD[1], line(START_S + 2 * HOUR_S, None), _GOOD[3]]),
    shuffled=workbook([_GOOD[3], _GOOD[1], _GOOD[4], _GOOD[1], _GOOD[0], _GOOD[2]]),
)
