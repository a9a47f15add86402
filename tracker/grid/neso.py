"""Great Britain: the Carbon Intensity API of the National Energy System Operator (NESO). No key, CC BY 4.0.

https://carbon-intensity.github.io/api-definitions/ says: half hours in UTC, g/kWh, CO2 of generation only (direct),
with imports and with transmission and distribution losses. The whole of Great Britain has a ``forecast`` and, hours
later, an ``actual``; its 17 regions have a forecast only.

``GET /intensity/{from}/{to}``, at most 14 days::

    {"data": [{"from": "2018-01-20T12:00Z", "to": "2018-01-20T12:30Z",
               "intensity": {"forecast": 266, "actual": 263, "index": "moderate"}}]}

``GET /regional/intensity/{from}/{to}/regionid/{1..17}``: ``data`` is ``{"regionid": 13, "data": [...]}`` or a list
with one such. The first half hour of an answer may begin before ``from``. As everything is UTC, the day of a clock
change is as long as any other here: the numbers of settlement periods (46 or 50 on a local day) are not used.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Annotated, ClassVar

import msgspec

from tracker.core.factors import Basis, FactorRow, FactorType, Origin, Scheme
from tracker.core.forecast import Forecast
from tracker.grid.answers import decode, in_order, instant_s, iso, printed
from tracker.grid.catalogue import Zone
from tracker.grid.clients import ADDRESS
from tracker.grid.interface import Answer, Ask, BadAnswer, LiveProvider, Question
from tracker.grid.keyless import DAY_S, HALF_HOUR_S, as_forecast, factor_id, judged, minute, outward, place

SERVICE = "The Carbon Intensity API of NESO"
GRID = "GB"  # Northern Ireland is on another grid
UNIT = "g/kWh"


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[grid.neso]``. ``region``: one of the service's 17 regions instead of all of Great Britain (13 is London);
    regions are forecasts only, so their values are estimates."""

    base_url: Annotated[str, msgspec.Meta(pattern=ADDRESS)] = "https://api.carbonintensity.org.uk"
    region: Annotated[int, msgspec.Meta(ge=1, le=17)] | None = None


class _Intensity(msgspec.Struct):
    forecast: Decimal | None = None
    actual: Decimal | None = None


class _Period(msgspec.Struct, rename={"start": "from", "end": "to"}):
    start: str
    end: str
    intensity: _Intensity


class _National(msgspec.Struct):
    data: list[_Period]


class _Region(msgspec.Struct):
    regionid: int
    data: list[_Period]


class _Regional(msgspec.Struct):
    data: _Region | list[_Region]


_ROW = FactorRow(
    factor_id="",
    zone=GRID,
    zone_printed="GB",
    zone_system="iso2",
    value_printed="",
    unit_printed=UNIT,
    gases="CO2",
    factor_type=FactorType.DIRECT,
    basis=Basis.CONSUMPTION,
    scheme=Scheme.AVERAGE,
    quality_tier=1,
    valid_from_s=0,
    valid_to_s=0,
    edition="Carbon Intensity API",
    data_year="",
    publisher="NESO",
    source_ref="",
    licence="CC BY 4.0",
    gwp_set="none",
    includes_td=True,
    confidence="V",
    publisher_url="https://carbonintensity.org.uk",
    note="CO2 only.",
    attribution="National Energy System Operator (NESO), Carbon Intensity API, CC BY 4.0",
)


class Neso(LiveProvider):
    """Half hours of Great Britain: tier 1 where the service has an actual value, else its forecast as tier 2."""

    name: ClassVar[str] = "neso"
    #: 14 days are allowed; bounds that are no half hours are rounded outward, so a day is kept in hand.
    max_range_s: ClassVar[int] = 13 * DAY_S

    def __init__(self, options: Options, ask: Ask) -> None:
        self._base_url = options.base_url.rstrip("/")
        self._region = options.region
        self._ask = ask

    def covers(self, zone: Zone) -> bool:
        return place(zone) == GRID

    def read(self, zone: Zone, start_s: int, end_s: int, now_s: int) -> tuple[FactorRow, ...]:
        """Half hours that have begun; those that are only forecast are no rows."""
        first_s, last_s = outward(start_s, end_s, HALF_HOUR_S)
        answer = self._answer(f"{minute(first_s)}/{minute(last_s)}")
        rows = self._rows(zone, answer, forecast_only=self._region is not None)
        return in_order(
            SERVICE, (row for row in rows if start_s <= row.valid_from_s < end_s and row.valid_from_s <= now_s)
        )

    def forecast(self, zone: Zone, now_s: int) -> Forecast | None:
        """The half hour that runs and the 48 hours after it."""
        answer = self._answer(f"{minute(now_s // HALF_HOUR_S * HALF_HOUR_S)}/fw48h")
        rows = self._rows(zone, answer, forecast_only=True)
        expected = (row for row in rows if row.value_printed and row.valid_to_s > now_s)
        return as_forecast(in_order(SERVICE, expected), answer)

    def _answer(self, span: str) -> Answer:
        question = Question(self._address(span), headers={"Accept": "application/json"})
        return judged(SERVICE, self._ask(question))

    def _address(self, span: str) -> str:
        if self._region is None:
            return f"{self._base_url}/intensity/{span}"
        return f"{self._base_url}/regional/intensity/{span}/regionid/{self._region}"

    def _periods(self, answer: Answer) -> list[_Period]:
        if self._region is None:
            return decode(SERVICE, answer, _National).data
        found = decode(SERVICE, answer, _Regional).data
        regions = [found] if isinstance(found, _Region) else found
        if any(region.regionid != self._region for region in regions):
            raise BadAnswer(f"{SERVICE} answered for another region than {self._region}.")
        return [period for region in regions for period in region.data]

    def _rows(self, zone: Zone, answer: Answer, *, forecast_only: bool) -> list[FactorRow]:
        """The periods, also those without a value."""
        rows = []
        for period in self._periods(answer):
            actual = None if forecast_only else period.intensity.actual
            value = period.intensity.forecast if actual is None else actual
            start_s = _start_s(period)
            told = "" if value is None else printed(SERVICE, value, UNIT)
            rows.append(self._row(zone, start_s, told, answer, estimated=actual is None))
        return rows

    def _row(self, zone: Zone, start_s: int, value: str, answer: Answer, *, estimated: bool) -> FactorRow:
        end_s = start_s + HALF_HOUR_S
        where = zone.code if self._region is None else f"{zone.code}/region-{self._region}"
        return replace(
            _ROW,
            factor_id=factor_id(self.name, where, FactorType.DIRECT, start_s, end_s),
            zone=zone.code,
            zone_printed=GRID if self._region is None else str(self._region),
            zone_system="iso2" if self._region is None else "neso-region",
            value_printed=value,
            quality_tier=2 if estimated else 1,
            valid_from_s=start_s,
            valid_to_s=end_s,
            data_year=iso(start_s)[:4],
            source_ref=self._address(f"{minute(start_s)}/{minute(end_s)}"),
            origin=Origin(
                provider=self.name,
                endpoint=answer.endpoint,
                is_estimated=estimated,
                estimation_method="forecast" if estimated else "",
                fetched_at_s=answer.fetched_at_s,
                raw_sha256=answer.sha256,
            ),
        )


def _start_s(period: _Period) -> int:
    start_s, end_s = instant_s(SERVICE, period.start), instant_s(SERVICE, period.end)
    if end_s - start_s != HALF_HOUR_S or start_s % HALF_HOUR_S or start_s < 0:
        raise BadAnswer(f"{SERVICE} answered with {period.start[:40]!r} to {period.end[:40]!r}, which is no half hour.")
    return start_s
