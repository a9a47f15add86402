"""A service by a script: hours that it knows, and errors that it answers with instead."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal

from tests.grid.hours import hour
from tracker.core.factors import FactorRow, FactorType, Scheme
from tracker.core.forecast import Expected, Forecast
from tracker.grid.catalogue import Zone
from tracker.grid.interface import LiveProvider

HOUR_S = 3600

#: From a range to what goes wrong with it, None: nothing.
Fault = Callable[[int, int], Exception | None]


class Scripted(LiveProvider):
    """Every hour has the value 50, those of ``values`` (by start) another one. ``asked``: the ranges that were read."""

    name = "scripted"
    max_range_s = 10 * 24 * HOUR_S

    def __init__(self, name: str = "scripted", *, forecasts: bool = False) -> None:
        self.name = name  # type: ignore[misc] # several of one class play different services here
        self.values: Mapping[int, str] = {}
        self.known_to_s = 1 << 40
        self.fault: Fault = lambda _start_s, _end_s: None
        self.change: Callable[[FactorRow], FactorRow] = lambda row: row
        self.forecast_fault: Exception | None = None
        self.forecast_values = ("60", "70")
        self.asked: list[tuple[int, int]] = []
        self.forecasts_asked = 0
        self._forecasts = forecasts

    def covers(self, zone: Zone) -> bool:
        return zone.code != "DE"

    def read(self, zone: Zone, start_s: int, end_s: int, now_s: int) -> tuple[FactorRow, ...]:
        self.asked.append((start_s, end_s))
        error = self.fault(start_s, end_s)
        if error is not None:
            raise error
        starts = range(-(-start_s // HOUR_S) * HOUR_S, min(end_s, self.known_to_s), HOUR_S)
        return tuple(self.change(self._row(zone, at_s)) for at_s in starts)

    def _row(self, zone: Zone, start_s: int) -> FactorRow:
        row = hour(0, self.values.get(start_s, "50"), self.name, zone=zone.code)
        return replace(
            row, factor_id=f"{self.name}:{zone.code}:{start_s}", valid_from_s=start_s, valid_to_s=start_s + HOUR_S
        )

    def forecast(self, zone: Zone, now_s: int) -> Forecast | None:
        self.forecasts_asked += 1
        if self.forecast_fault is not None:
            raise self.forecast_fault
        if not self._forecasts:
            return None
        start_s = now_s // HOUR_S * HOUR_S
        points = tuple(
            Expected(start_s + number * HOUR_S, start_s + (number + 1) * HOUR_S, Decimal(value))
            for number, value in enumerate(self.forecast_values)
        )
        return Forecast(zone.code, self.name, Scheme.AVERAGE, FactorType.DIRECT, "CO2", now_s, points)
