"""Forecasts as series with few label values: what is expected in so many hours, and when a job would weigh least.

Finding the greenest window takes milliseconds, so it is done once for a forecast and slot, not for every scrape.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

from tracker.core.forecast import Forecast
from tracker.core.greenest import greenest
from tracker.core.snapshot import Snapshot
from tracker.core.units import SLOT_S

HORIZONS_H = (0, 1, 2, 3, 6, 12, 24)
LENGTHS_H = (1, 4, 8)
#: Windows are looked for in the day to come: that far a grid operator's forecast is worth something.
WITHIN_S = 24 * 3600
_H = 3600
#: A node has one zone, with an average and a margin of a provider or two.
_FORECASTS = 8

Row = tuple[tuple[str, ...], int | float]


@dataclass(frozen=True, slots=True)
class _Outlook:
    expected_mg: tuple[tuple[str, int], ...]  # by horizon
    starts_s: tuple[tuple[str, int], ...]  # by length in hours


def expected(snapshot: Snapshot) -> Iterator[Row]:
    for names, outlook in _outlooks(snapshot):
        for horizon, mg_per_kwh in outlook.expected_mg:
            yield (*names, horizon), mg_per_kwh


def greenest_start(snapshot: Snapshot) -> Iterator[Row]:
    for names, outlook in _outlooks(snapshot):
        for hours, start_s in outlook.starts_s:
            yield (*names, hours), start_s


def _outlooks(snapshot: Snapshot) -> Iterator[tuple[tuple[str, str, str], _Outlook]]:
    """One for each zone, provider and scheme; of several (direct, life-cycle) the first: they cannot be added."""
    seen = set()
    for forecast in snapshot.forecast:
        names = (forecast.zone, forecast.provider, forecast.scheme.value)
        if names not in seen:
            seen.add(names)
            yield names, _look(forecast, int(snapshot.tick_wall_s) // SLOT_S * SLOT_S)


@functools.lru_cache(maxsize=_FORECASTS)
def _look(forecast: Forecast, now_s: int) -> _Outlook:
    points = forecast.points
    known = []
    for hours in HORIZONS_H:
        at_s = now_s + hours * _H
        known += [(f"{hours}h", round(p.g_per_kwh * 1000)) for p in points if p.start_s <= at_s < p.end_s]
    windows = [(str(hours), greenest(points, now_s, now_s + WITHIN_S, hours * _H)) for hours in LENGTHS_H]
    starts_s = tuple((hours, window.start_s) for hours, window in windows if window is not None)
    return _Outlook(tuple(known), starts_s)
