"""What Electricity Maps answers, as factor rows and forecasts.

Documented at app.electricitymaps.com/docs. Lists are called ``history`` (v3) or ``data`` (v4, where one interval may
stand alone instead of in a list); v3 tells neither the length of an interval nor whether imports are traced.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from tracker.core.factors import ESTIMATED, MEASURED, Basis, FactorRow, FactorType, Origin, Scheme
from tracker.core.forecast import Expected, Forecast
from tracker.grid.answers import decode, instant_s, iso, printed
from tracker.grid.catalogue import Zone
from tracker.grid.clients import in_time
from tracker.grid.interface import Answer, BadAnswer
from tracker.grid.keyless import HOUR_S, factor_id

NAME = "electricitymaps"
SERVICE = "Electricity Maps"
UNIT = "g/kWh"
LICENCE = "by contract with Electricity Maps"
_LENGTHS_S = {"hourly": HOUR_S, "15_minutes": 900, "5_minutes": 300}
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Asked:
    """What the answer has to be about. ``place``: the zone as the service calls it."""

    zone: Zone
    place: str
    factor_type: str
    granularity: str
    api_version: str


class _Item(msgspec.Struct, rename="camel"):
    datetime: str  # the start of the interval
    carbon_intensity: Decimal | None
    zone: str | None = None
    emission_factor_type: str | None = None
    is_estimated: bool | None = None
    estimation_method: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    temporal_granularity: str | None = None
    flow_traced: bool | None = None


class _Body(msgspec.Struct, rename="camel"):
    zone: str | None = None
    history: list[_Item] | None = None
    data: list[_Item] | _Item | None = None
    forecast: list[_Item] | None = None
    updated_at: str | None = None
    emission_factor_type: str | None = None
    temporal_granularity: str | None = None
    flow_traced: bool | None = None


def parse_rows(answer: Answer, asked: Asked) -> Iterator[FactorRow]:
    """The intervals of an answer, in its order, also those without a value. Raises BadAnswer."""
    body = decode(SERVICE, answer, _Body)
    for item in _checked(body, body.history, asked):
        yield _row(item, body, asked, answer)


def parse_forecast(answer: Answer, asked: Asked, now_s: int) -> Forecast:
    """The intervals of a forecast that are not over; its factor type is the one asked for, as the answer does not
    repeat it. Raises BadAnswer."""
    body = decode(SERVICE, answer, _Body)
    points: list[Expected] = []
    for item in _checked(body, body.forecast, asked):
        if item.carbon_intensity is not None:
            start_s = instant_s(SERVICE, item.datetime)
            value = Decimal(printed(SERVICE, item.carbon_intensity, UNIT))
            points.append(Expected(start_s, start_s + _length_s(item, body, asked), value))
    return Forecast(
        zone=asked.zone.code,
        provider=NAME,
        scheme=Scheme.AVERAGE,
        factor_type=FactorType(asked.factor_type),
        gases="CO2e",
        generated_at_s=instant_s(SERVICE, body.updated_at) if body.updated_at else answer.fetched_at_s,
        points=tuple(point for point in in_time(SERVICE, points) if point.end_s > now_s),
        licence=LICENCE,
        raw_sha256=answer.sha256,
    )


def _checked(body: _Body, listed: list[_Item] | None, asked: Asked) -> list[_Item]:
    """The intervals, ``listed`` or else under ``data``, if they are about the zone and of the factor type that were
    asked for. Raises BadAnswer."""
    data = [body.data] if isinstance(body.data, _Item) else body.data
    items = data if listed is None else listed
    if items is None:
        raise BadAnswer(f"{SERVICE} answered without a list of intervals.", "Try again later.")
    told = {zone for zone in (body.zone, *(item.zone for item in items)) if zone}
    if told != {asked.place}:
        whose = f"about {min(told - {asked.place})[:_SHOWN]!r}" if told else "without saying about which zone"
        raise BadAnswer(f"{SERVICE} was asked about {asked.place} and answered {whose}.", "Nothing of it is used.")
    for kind in (body.emission_factor_type, *(item.emission_factor_type for item in items)):
        if kind and kind != asked.factor_type:
            raise BadAnswer(f"{SERVICE} was asked for {asked.factor_type} factors and answered with {kind[:_SHOWN]!r}.")
    return items


def _length_s(item: _Item, body: _Body, asked: Asked) -> int:
    """Of the interval. v3 does not tell it: then it is as asked."""
    told = item.temporal_granularity or body.temporal_granularity or asked.granularity
    if told not in _LENGTHS_S:
        raise BadAnswer(f"{SERVICE} answered with {told[:_SHOWN]!r} intervals, which were not asked for.")
    return _LENGTHS_S[told]


def _row(item: _Item, body: _Body, asked: Asked, answer: Answer) -> FactorRow:
    start_s = instant_s(SERVICE, item.datetime)
    length_s = _length_s(item, body, asked)
    told = item.emission_factor_type or body.emission_factor_type
    # An answer that does not say what it counts is not taken for what was asked: it may be the service's default.
    kind = FactorType(told) if told else FactorType.UNSPECIFIED
    flow_traced = body.flow_traced if item.flow_traced is None else item.flow_traced
    return FactorRow(
        factor_id=factor_id(NAME, asked.zone.code, kind, start_s, start_s + length_s),
        zone=asked.zone.code,
        zone_printed=asked.place,
        zone_system="em",
        value_printed="" if item.carbon_intensity is None else printed(SERVICE, item.carbon_intensity, UNIT),
        unit_printed=UNIT,
        gases="CO2e",
        factor_type=kind,
        basis=Basis.PRODUCTION if flow_traced is False else Basis.CONSUMPTION,
        scheme=Scheme.AVERAGE,
        quality_tier=MEASURED if item.is_estimated is False else ESTIMATED,
        valid_from_s=start_s,
        valid_to_s=start_s + length_s,
        edition=f"API {asked.api_version}",
        data_year=str(datetime.fromtimestamp(start_s, UTC).year),
        publisher=SERVICE,
        source_ref=f"carbon intensity of {asked.place} from {iso(start_s)}",
        licence=LICENCE,
        confidence="V",
        publisher_url="https://www.electricitymaps.com",
        attribution="Electricity Maps.",
        origin=_origin(item, asked, answer),
    )


def _origin(item: _Item, asked: Asked, answer: Answer) -> Origin:
    return Origin(
        provider=NAME,
        endpoint=answer.endpoint,
        api_version=asked.api_version,
        is_estimated=item.is_estimated,
        estimation_method=(item.estimation_method or "")[:_SHOWN],  # an open set
        created_at_s=instant_s(SERVICE, item.created_at) if item.created_at else None,
        updated_at_s=instant_s(SERVICE, item.updated_at) if item.updated_at else None,
        fetched_at_s=answer.fetched_at_s,
        raw_sha256=answer.sha256,
    )
