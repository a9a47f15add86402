"""Electricity Maps: Germany in the six hours before 16:00 UTC on 3 October 2026; the last one is still an estimate."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from tests.grid.providers.case import Case
from tracker.grid.electricitymaps import ElectricityMapsProvider, Options

START_S = 1_791_021_600  # 2026-10-03T10:00:00Z
END_S = START_S + 6 * 3600
NOW_S = END_S + 600
TOKEN = "em-0123456789abcdef"
HISTORY = "/v4/carbon-intensity/history"
PAST = "/v4/carbon-intensity/past-range"
FORECAST = "/v4/carbon-intensity/forecast"
VALUES: list[float | None] = [302, 298.5, 0, 310, 325, 331]


def at(at_s: int) -> str:
    """As the service prints it."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def item(start_s: int, value: float | str | None, **other: object) -> dict[str, object]:
    """An interval in the shape of v4."""
    estimated = start_s == END_S - 3600
    return {
        "zone": "DE",
        "carbonIntensity": value,
        "datetime": at(start_s),
        "updatedAt": at(start_s + 5400),
        "createdAt": at(start_s - 86_400),
        "emissionFactorType": "direct",
        "isEstimated": estimated,
        "estimationMethod": "TIME_SLICER_AVERAGE" if estimated else None,
        "temporalGranularity": "hourly",
        "flowTraced": True,
    } | other


def items(values: list[float | None], **other: object) -> list[dict[str, object]]:
    """Hours from 10:00 UTC."""
    return [item(START_S + number * 3600, value, **other) for number, value in enumerate(values)]


def answer(listed: object, key: str = "data", zone: str | None = "DE", **other: object) -> bytes:
    """The body around a list."""
    return json.dumps({"zone": zone, key: listed, "temporalGranularity": "hourly"} | other).encode()


_HOURS = items(VALUES)
_NO_VALUE = {key: value for key, value in _HOURS[0].items() if key != "carbonIntensity"}

CASE = Case(
    name="electricitymaps",
    make=lambda base_url, ask: ElectricityMapsProvider(Options(base_url=base_url, token=TOKEN), ask),
    zone="DE",
    start_s=START_S,
    end_s=END_S,
    now_s=NOW_S,
    good={HISTORY: answer(_HOURS)},
    data_path=HISTORY,
    bad={
        "wrong zone": answer(items(VALUES, zone="ES"), zone="ES"),
        "one hour of another zone": answer([*_HOURS, item(START_S, 302, zone="ES")]),
        "no zone": answer(items(VALUES, zone=None), zone=None),
        "an empty list of another zone": answer([], zone="ES"),
        "other factor type": answer(items(VALUES, emissionFactorType="lifecycle")),
        "negative": answer(items([302, -1])),
        "absurd": answer(items([302, 2000.5])),
        "infinite": answer([item(START_S, "Infinity")]),
        "contradicting hours": answer([*_HOURS, item(START_S, 303)]),
        "overlapping intervals": answer([*_HOURS, item(START_S + 900, 302)]),
        "times without offset": answer(items(VALUES, datetime="2026-10-03T10:00:00")),
        "no time": answer(items(VALUES, datetime="today")),
        "days": answer(items(VALUES, temporalGranularity="daily")),
        "text for a number": answer([item(START_S, "many")]),
        "no value at all": answer([_NO_VALUE]),
        "no list": answer(_HOURS, key="hours"),
        "an error with 200": b'{"error": "Something went wrong"}',
        "a list": b"[]",
    },
    holes=answer(items([302, None, None, 310, 325, 331])),
    shuffled=answer([*reversed(_HOURS), _HOURS[2]]),
    secrets=(TOKEN,),
)
