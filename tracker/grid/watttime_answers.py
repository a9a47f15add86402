"""What WattTime answers, as factor rows (averages) and forecasts (margins).

Documented at docs.watttime.org, ``/v3/historical`` and ``/v3/forecast``: pounds of CO2 per MWh, at the point of
combustion; ``point_time`` is the start of an interval of ``data_point_period_seconds``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from tracker.core.factors import ESTIMATED, MEASURED, Basis, FactorRow, FactorType, Origin, Scheme, g_per_kwh
from tracker.core.forecast import Expected, Forecast
from tracker.grid.answers import decode, instant_s, iso, printed
from tracker.grid.catalogue import Zone
from tracker.grid.clients import in_time
from tracker.grid.interface import Answer, BadAnswer
from tracker.grid.keyless import HOUR_S, factor_id

NAME = "watttime"
SERVICE = "WattTime"
AVERAGE = "co2_aoer"
MARGINAL = "co2_moer"
UNIT = "lb/MWh"
LICENCE = "by contract with WattTime"
API = "v3"
_UNITS = "lbs_co2_per_mwh"
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Asked:
    """What the answer has to be about."""

    zone: Zone
    region: str
    signal: str


class _Point(msgspec.Struct):
    point_time: str
    value: Decimal | None
    imputed_data_used: bool | None = None
    last_updated: str | None = None


class _Model(msgspec.Struct):
    date: str | None = None


class _Meta(msgspec.Struct):
    region: str
    signal_type: str
    units: str
    data_point_period_seconds: int
    model: _Model | None = None
    generated_at: str | None = None


class _Body(msgspec.Struct):
    data: list[_Point]
    meta: _Meta


def parse_rows(answer: Answer, asked: Asked) -> Iterator[FactorRow]:
    """The intervals of an answer with averages, in its order, also those without a value. Raises BadAnswer."""
    body = _checked(answer, asked)
    for point in body.data:
        yield _row(point, body.meta, asked, answer)


def parse_forecast(answer: Answer, asked: Asked, now_s: int) -> Forecast:
    """The intervals of a forecast of the margin that are not over. Raises BadAnswer."""
    body = _checked(answer, asked)
    points: list[Expected] = []
    for point in body.data:
        if point.value is not None:
            start_s = instant_s(SERVICE, point.point_time)
            value = g_per_kwh(Decimal(printed(SERVICE, point.value, UNIT)), UNIT)
            points.append(Expected(start_s, start_s + body.meta.data_point_period_seconds, value))
    told = body.meta.generated_at
    return Forecast(
        zone=asked.zone.code,
        provider=NAME,
        scheme=Scheme.OPERATING_MARGIN,
        factor_type=FactorType.DIRECT,
        gases="CO2",
        generated_at_s=instant_s(SERVICE, told) if told else answer.fetched_at_s,
        points=tuple(point for point in in_time(SERVICE, points) if point.end_s > now_s),
        licence=LICENCE,
        raw_sha256=answer.sha256,
    )


def _checked(answer: Answer, asked: Asked) -> _Body:
    """An answer about the region and signal that were asked for, in pounds per MWh. Raises BadAnswer."""
    body = decode(SERVICE, answer, _Body)
    meta = body.meta
    if "percent" in meta.units:
        raise BadAnswer(
            f"{SERVICE} answered with percentiles, which rank hours and say nothing of grams.",
            "Nothing of the answer is used.",
        )
    if (meta.region, meta.signal_type) != (asked.region, asked.signal):
        told = f"{meta.signal_type[:_SHOWN]!r} of {meta.region[:_SHOWN]!r}"
        raise BadAnswer(f"{SERVICE} was asked for {asked.signal} of {asked.region} and answered with {told}.")
    if meta.units != _UNITS:
        raise BadAnswer(f"{SERVICE} answered in {meta.units[:_SHOWN]!r}, not in {_UNITS}.")
    if meta.data_point_period_seconds not in range(60, HOUR_S + 1, 60):
        raise BadAnswer(f"{SERVICE} answered with intervals of {meta.data_point_period_seconds} seconds.")
    return body


def _row(point: _Point, meta: _Meta, asked: Asked, answer: Answer) -> FactorRow:
    start_s = instant_s(SERVICE, point.point_time)
    length_s = meta.data_point_period_seconds
    return FactorRow(
        factor_id=factor_id(NAME, asked.zone.code, FactorType.DIRECT, start_s, start_s + length_s),
        zone=asked.zone.code,
        zone_printed=asked.region,
        zone_system="wt",
        value_printed="" if point.value is None else printed(SERVICE, point.value, UNIT),
        unit_printed=UNIT,
        gases="CO2",
        factor_type=FactorType.DIRECT,
        basis=Basis.UNSPECIFIED,  # whether imports are in the average is not on its pages
        scheme=Scheme.AVERAGE,
        # Whether a point is imputed has to be said; where it is not, it may be.
        quality_tier=MEASURED if point.imputed_data_used is False else ESTIMATED,
        valid_from_s=start_s,
        valid_to_s=start_s + length_s,
        edition=f"API {API}",
        data_year=str(datetime.fromtimestamp(start_s, UTC).year),
        publisher=SERVICE,
        source_ref=f"{asked.signal} of {asked.region} from {iso(start_s)}",
        licence=LICENCE,
        gwp_set="none",
        confidence="V",
        publisher_url="https://watttime.org",
        attribution="WattTime.",
        origin=_origin(point, meta, answer),
    )


def _origin(point: _Point, meta: _Meta, answer: Answer) -> Origin:
    return Origin(
        provider=NAME,
        endpoint=answer.endpoint,
        api_version=API,
        model_version=((meta.model and meta.model.date) or "")[:_SHOWN],
        is_estimated=point.imputed_data_used,
        estimation_method="imputed" if point.imputed_data_used else "",
        imputed=point.imputed_data_used,
        updated_at_s=instant_s(SERVICE, point.last_updated) if point.last_updated else None,
        fetched_at_s=answer.fetched_at_s,
        raw_sha256=answer.sha256,
    )
