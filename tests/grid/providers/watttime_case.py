"""WattTime: half an hour of California's average signal on 3 October 2026. The service's end is inclusive."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

from tests.grid.providers.case import Case
from tracker.grid.watttime import Options, WattTimeProvider

START_S = 1_791_021_600  # 2026-10-03T10:00:00Z
END_S = START_S + 1800
NOW_S = END_S + 3600
USER, PASSWORD, TOKEN = "plant", "wt-secret-Pässword", "eyJhbGciOiJ.fake.token"
BASIC = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
LOGIN, HISTORICAL, FORECAST = "/login", "/v3/historical", "/v3/forecast"
VALUES: list[float | None] = [870, 871.25, 0, 868, 866, 865]


def point(start_s: int, value: float | str | None, **other: object) -> dict[str, object]:
    """As the service prints an interval."""
    return {
        "point_time": datetime.fromtimestamp(start_s, UTC).isoformat(),
        "value": value,
        "imputed_data_used": start_s == START_S + 300,
        "last_updated": datetime.fromtimestamp(start_s + 600, UTC).isoformat(),
    } | other


def points(values: list[float | None], **other: object) -> list[dict[str, object]]:
    """Five minutes each, from 10:00 UTC."""
    return [point(START_S + number * 300, value, **other) for number, value in enumerate(values)]


def answer(data: object, **meta: object) -> bytes:
    """The body around the points."""
    about = {
        "data_point_period_seconds": 300,
        "model": {"date": "2026-03-01", "type": "heat_rate"},
        "region": "CAISO",
        "signal_type": "co2_aoer",
        "units": "lbs_co2_per_mwh",
        "warnings": [],
    }
    return json.dumps({"data": data, "meta": about | meta}).encode()


def token(text: object = TOKEN) -> bytes:
    return json.dumps({"token": text}).encode()


_POINTS = points([*VALUES, 864])  # the last one begins at the end of the range
REGIONS = {"US-CAL-CISO": "CAISO"}
MOER_REGIONS = {"US-CAL-CISO": "CAISO_NORTH"}

CASE = Case(
    name="watttime",
    make=lambda base_url, ask: WattTimeProvider(
        Options(base_url=base_url, username=USER, password=PASSWORD, regions=REGIONS, moer_regions=MOER_REGIONS), ask
    ),
    zone="US-CAL-CISO",
    start_s=START_S,
    end_s=END_S,
    now_s=NOW_S,
    good={LOGIN: token(), HISTORICAL: answer(_POINTS)},
    data_path=HISTORICAL,
    bad={
        "wrong zone": answer(_POINTS, region="ISONE"),
        "the marginal signal": answer(_POINTS, signal_type="co2_moer"),
        "percentiles": answer(_POINTS, units="percentile"),
        "other units": answer(_POINTS, units="kg_co2_per_mwh"),
        "negative": answer(points([870, -0.5])),
        "absurd": answer(points([870, 4410])),
        "not a number": answer([point(START_S, "NaN")]),
        "contradicting times": answer([*_POINTS, point(START_S, 900)]),
        "overlapping intervals": answer([*_POINTS, point(START_S + 100, 870)]),
        "times without offset": answer(points(VALUES, point_time="2026-10-03T10:00:00")),
        "intervals of no length": answer(_POINTS, data_point_period_seconds=0),
        "days": answer(_POINTS, data_point_period_seconds=86_400),
        "no meta": json.dumps({"data": _POINTS}).encode(),
        "no data": answer(None),
        "an error with 200": b'{"error": "Something went wrong"}',
    },
    holes=answer(points([870, None, None, 868, 866, 865])),
    shuffled=answer([*reversed(_POINTS), _POINTS[2]]),
    secrets=(PASSWORD, TOKEN, BASIC),
)
