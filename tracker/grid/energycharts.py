"""Europe: Energy-Charts of the Fraunhofer Institute for Solar Energy Systems (ISE). No key.

``GET /co2eq?country=de&start=2026-10-03T00:00Z&end=2026-10-04T00:00Z``::

    {"unix_seconds": [1790985600, ...], "co2eq": [491.5, null, ...], "co2eq_forecast": [null, 505.0, ...],
     "substitute": false, "deprecated": false}

Three lists of one length, g/kWh of CO2 equivalents, life cycle, of a country's own generation, by the start of each
quarter of an hour; a value is a number in ``co2eq`` or ``co2eq_forecast`` or in neither. ``substitute``: a guess out of
historic data because the usual source was silent. ``deprecated``: the interface ends, at the earliest six months later.

https://api.energy-charts.info/openapi.json says how times are written (ISO 8601 with a time zone is used here: a bare
date means the local day of the country), which countries there are, that requests are limited (2 a minute and address
as a rule) and that data are CC BY 4.0 unless stated otherwise. It links, as its licence, publishing notes that allow
personal use only: whoever passes values on should ask ISE first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, ClassVar

import msgspec

from tracker.core.factors import Basis, FactorRow, FactorType, Origin, Scheme
from tracker.core.forecast import Forecast
from tracker.grid.answers import decode, in_order, iso, printed
from tracker.grid.catalogue import Zone
from tracker.grid.clients import ADDRESS
from tracker.grid.interface import Answer, Ask, BadAnswer, LiveProvider, NoData, Question
from tracker.grid.keyless import DAY_S, HALF_HOUR_S, HOUR_S, as_forecast, factor_id, judged, minute, outward, place

SERVICE = "Energy-Charts"
UNIT = "g/kWh"
QUARTER_S = 900
LENGTHS_S = (QUARTER_S, HALF_HOUR_S, HOUR_S)
#: Out of the list in openapi.json. Left out is what could not be confirmed to have values here: the United Kingdom,
#: island grids, and neighbours of the European Union other than Switzerland, Norway and Serbia.
COUNTRIES = frozenset(
    {"AT", "BE", "BG", "CH", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU"}
    | {"IE", "IT", "LT", "LU", "LV", "NL", "NO", "PL", "PT", "RO", "RS", "SE", "SI", "SK"}
)
YEAR_2100_S = 4_102_444_800  # later "seconds" are milliseconds


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[grid.energycharts]``."""

    base_url: Annotated[str, msgspec.Meta(pattern=ADDRESS)] = "https://api.energy-charts.info"


class _Series(msgspec.Struct):
    unix_seconds: list[int] | None
    co2eq: list[Decimal | None] | None
    co2eq_forecast: list[Decimal | None] | None = None
    substitute: bool | None = None
    deprecated: bool | None = None


_ROW = FactorRow(
    factor_id="",
    zone="",
    zone_printed="",
    zone_system="iso2",
    value_printed="",
    unit_printed=UNIT,
    gases="CO2e",
    factor_type=FactorType.LIFECYCLE,
    basis=Basis.PRODUCTION,
    scheme=Scheme.AVERAGE,
    quality_tier=2,
    valid_from_s=0,
    valid_to_s=0,
    edition="Energy-Charts API",
    data_year="",
    publisher="Fraunhofer ISE",
    source_ref="",
    licence="CC BY 4.0",
    confidence="M",
    publisher_url="https://www.energy-charts.info",
    attribution="Energy-Charts.info (Fraunhofer ISE), CC BY 4.0",
)


class EnergyCharts(LiveProvider):
    """Life-cycle averages of European countries; tier 2, as they are computed from the generation mix."""

    name: ClassVar[str] = "energycharts"
    #: No limit is documented; the number of requests is, so that few long ranges are better.
    max_range_s: ClassVar[int] = 31 * DAY_S

    def __init__(self, options: Options, ask: Ask) -> None:
        self._base_url = options.base_url.rstrip("/")
        self._ask = ask

    def covers(self, zone: Zone) -> bool:
        return place(zone) in COUNTRIES

    def read(self, zone: Zone, start_s: int, end_s: int, now_s: int) -> tuple[FactorRow, ...]:
        """Intervals that have begun and are in ``co2eq``."""
        answer, series = self._series(zone, start_s, end_s)
        rows = self._rows(zone, answer, series, series.co2eq or [])
        begun = (row for row in rows if start_s <= row.valid_from_s < end_s and row.valid_from_s <= now_s)
        return in_order(SERVICE, begun)

    def forecast(self, zone: Zone, now_s: int) -> Forecast | None:
        """What ``co2eq_forecast`` has for the interval that runs and later ones of 48 hours."""
        answer, series = self._series(zone, now_s, now_s + 2 * DAY_S)
        rows = self._rows(zone, answer, series, series.co2eq_forecast or [None] * len(series.unix_seconds or []))
        expected = (row for row in rows if row.value_printed and row.valid_to_s > now_s)
        return as_forecast(in_order(SERVICE, expected), answer)

    def _series(self, zone: Zone, start_s: int, end_s: int) -> tuple[Answer, _Series]:
        first_s, last_s = outward(start_s, end_s, HOUR_S)  # several intervals, so that their length can be told
        span = {"start": minute(first_s), "end": minute(last_s)}
        question = Question(f"{self._base_url}/co2eq", {"country": place(zone).lower(), **span})
        answer = self._ask(question)
        if answer.status == 400 and b"not the code for an available country" in answer.body:  # noqa: PLR2004 - HTTP
            raise NoData(f"{SERVICE} does not know the country {place(zone)}.")
        series = decode(SERVICE, judged(SERVICE, answer), _Series)
        times, known, expected = series.unix_seconds, series.co2eq, series.co2eq_forecast
        if times is None or known is None:
            raise NoData(f"{SERVICE} has nothing for {place(zone)} from {iso(start_s)} to {iso(end_s)}.")
        if len(known) != len(times) or (expected is not None and len(expected) != len(times)):
            raise BadAnswer(
                f"{SERVICE} answered with lists of different lengths: values cannot be told to their times."
            )
        return answer, series

    def _rows(self, zone: Zone, answer: Answer, series: _Series, values: Sequence[Decimal | None]) -> list[FactorRow]:
        times = series.unix_seconds or []
        length_s = interval_length_s(times)
        country = place(zone).lower()
        origin = Origin(
            provider=self.name,
            endpoint=answer.endpoint,
            is_estimated=True,
            estimation_method="substitute" if series.substitute else "generation mix",
            fetched_at_s=answer.fetched_at_s,
            raw_sha256=answer.sha256,
        )
        template = replace(
            _ROW,
            zone=zone.code,
            zone_printed=country,
            note="The service announces the end of this interface (deprecated)." if series.deprecated else "",
            origin=origin,
        )
        return [
            self._row(template, start_s, start_s + length_s, "" if value is None else printed(SERVICE, value, UNIT))
            for start_s, value in zip(times, values, strict=True)
        ]

    def _row(self, template: FactorRow, start_s: int, end_s: int, value: str) -> FactorRow:
        span = f"start={minute(start_s)}&end={minute(end_s)}"
        return replace(
            template,
            factor_id=factor_id(self.name, template.zone, FactorType.LIFECYCLE, start_s, end_s),
            value_printed=value,
            valid_from_s=start_s,
            valid_to_s=end_s,
            data_year=iso(start_s)[:4],
            source_ref=f"{self._base_url}/co2eq?country={template.zone_printed}&{span}",
        )


def interval_length_s(times: Sequence[int]) -> int:
    """The answer does not say how long an interval is: it is the smallest step between two of them, and a quarter of
    an hour, as documented, where there is only one. Raises BadAnswer for times that are no starts of intervals."""
    starts = sorted(set(times))
    length_s = min((later - earlier for earlier, later in pairwise(starts)), default=QUARTER_S)
    off = any(start_s % length_s or not 0 <= start_s < YEAR_2100_S for start_s in starts)
    if off or length_s not in LENGTHS_S:
        raise BadAnswer(f"{SERVICE} answered with times that are {length_s} seconds apart or off the clock.")
    return length_s
