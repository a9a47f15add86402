"""A file behind an address: hours of France on the morning of 3 October 2026, from an energy office's own books."""

from __future__ import annotations

from tests.grid.providers.case import Case
from tests.grid.providers.replay import body
from tracker.grid.file import FileProvider, Options

START_S = 1_791_021_600  # 2026-10-03T10:00:00Z
END_S = START_S + 3 * 3600
PATH = "/intensity.json"
TOKEN = "file-token-4711"
QUERY_KEY = "query-key-0815"


def row(hour: int, value: object = 23.45, *, offset: str = "+02:00") -> dict[str, object]:
    """``hour``: of Paris, two hours ahead of UTC that day."""
    return {"datetime": f"2026-10-03T{hour:02}:00:00{offset}", "g_per_kwh": value}


_GOOD = [row(11, 20), row(12, 21.5), row(13, 0), row(14, "22.10"), row(15, 25)]

CASE = Case(
    name="file",
    make=lambda base_url, ask: FileProvider(
        Options(
            url=f"{base_url}{PATH}?key={QUERY_KEY}",
            token=TOKEN,
            zone="FR",
            publisher="ACME energy office",
            factor_type="direct",
            gases="CO2e",
        ),
        ask,
    ),
    zone="FR",
    start_s=START_S,
    end_s=END_S,
    now_s=START_S + 4 * 3600,
    good={PATH: body(_GOOD)},
    data_path=PATH,
    bad={
        "negative": body([*_GOOD, row(16, -1)]),
        "absurd": body([*_GOOD, row(16, 2001)]),
        "contradicting hours": body([*_GOOD, row(12, 22)]),
        "overlapping hours": body([*_GOOD, {"datetime": "2026-10-03T12:30:00+02:00", "g_per_kwh": 22}]),
        "times without offset": body([*_GOOD, row(16, 30, offset="")]),
        "no time": body([*_GOOD, row(16) | {"datetime": "yesterday"}]),
        "text for a number": body([*_GOOD, row(16, "many")]),
        "not a number": b'[{"datetime": "2026-10-03T12:00:00+02:00", "g_per_kwh": NaN}]',
        "true for a number": body([*_GOOD, row(16, value=True)]),
        "other columns": body([{"time": "2026-10-03T12:00:00+02:00", "g_per_kwh": 3}]),
        "no list": body({"data": _GOOD}),
        "a list of numbers": body([1, 2]),
        "days as hours": body([{"datetime": f"2026-10-{day:02}T10:00:00Z", "g_per_kwh": 30} for day in (1, 2, 3, 4)]),
    },
    holes=body([row(12, 21.5), row(13, None), row(14, "22.10"), row(15, "")]),
    shuffled=body([_GOOD[3], _GOOD[1], _GOOD[2], _GOOD[1], _GOOD[0], _GOOD[4]]),
    secrets=(TOKEN, QUERY_KEY),
)
