"""France: éCO2mix of the grid operator RTE, on the open-data portal ODRÉ. No key, 50,000 requests a month.

``GET /api/explore/v2.1/catalog/datasets/{dataset}/records`` of the Opendatasoft Explore API, at most 100 records::

    {"total_count": 2, "results": [{"date_heure": "2026-06-14T19:00:00+00:00", "heure": "21:00",
                                    "nature": "Données temps réel", "taux_co2": 15}]}

``taux_co2`` is g/kWh of CO2, direct, averaged over what is generated in France (without Corsica). RTE publishes three
times, each better than the one before: in real time (``eco2mix-national-tr``, quarters of an hour, telemetry completed
by estimates, about a month back), then consolidated, then definitive (both in ``eco2mix-national-cons-def``, which has
a record for each quarter but this value by the half hour). ``nature`` says which and is kept as the model version.

What follows from that here:

- The better dataset is asked first; real time fills only what it does not touch. No instant has two values.
- A quarter and a half hour are different intervals with names of their own: a half hour does not supersede two
  quarters, it is of tier 1 and they are of tier 2, so that it is chosen. Definitive values supersede consolidated ones.
- Records are made by local time. On the day on which the clock is put forward there are records of an hour that never
  was, on the day on which it is put back the hour that comes twice may be there once: ``_clock_changes``.
- A rate of 0 is no value: France always burns something, and the portal is known to print it where it has none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import groupby
from typing import Annotated, ClassVar

import msgspec

from tracker.core.factors import Basis, FactorRow, FactorType, Origin, Scheme
from tracker.grid.answers import decode, in_order, instant_s, iso, printed
from tracker.grid.catalogue import Zone
from tracker.grid.clients import ADDRESS
from tracker.grid.interface import Answer, Ask, BadAnswer, LiveProvider, Question
from tracker.grid.keyless import DAY_S, HALF_HOUR_S, HOUR_S, factor_id, judged, outward, place

SERVICE = "RTE éCO2mix"
GRID = "FR"
UNIT = "g/kWh"
FINAL, REAL_TIME = "eco2mix-national-cons-def", "eco2mix-national-tr"
QUARTER_S = 900
LONGEST_NATURE = 80
PAGE = 100  # the most that the portal gives at once
MARCH, OCTOBER, SUNDAY, LAST_WEEK = 3, 10, 6, 25  # where the clock changes in the European Union: at 01:00 UTC


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[grid.rte]``."""

    base_url: Annotated[str, msgspec.Meta(pattern=ADDRESS)] = "https://odre.opendatasoft.com"


class _Record(msgspec.Struct):
    date_heure: str
    taux_co2: Decimal | None = None
    heure: str | None = None
    nature: str | None = None


class _Page(msgspec.Struct):
    results: list[_Record]


@dataclass(frozen=True, slots=True)
class _Value:
    start_s: int
    value: str
    local: str  # the local time as printed, HH:MM
    nature: str
    answer: Answer


_ROW = FactorRow(
    factor_id="",
    zone=GRID,
    zone_printed="France",
    zone_system="rte",
    value_printed="",
    unit_printed=UNIT,
    gases="CO2",
    factor_type=FactorType.DIRECT,
    basis=Basis.PRODUCTION,
    scheme=Scheme.AVERAGE,
    quality_tier=1,
    valid_from_s=0,
    valid_to_s=0,
    edition="éCO2mix",
    data_year="",
    publisher="RTE",
    source_ref="",
    licence="Licence Ouverte 2.0",
    gwp_set="none",
    confidence="M",
    publisher_url="https://odre.opendatasoft.com/explore/dataset/eco2mix-national-tr/",
    note="CO2 only.",
    attribution="RTE, éCO2mix, Open Data Réseaux Énergies (ODRÉ), Licence Ouverte 2.0",
)


class Rte(LiveProvider):
    """Consolidated or definitive half hours of France (tier 1), real-time quarters where those are not out (tier 2)."""

    name: ClassVar[str] = "rte"
    #: 4 pages of half hours and 7 of quarters.
    max_range_s: ClassVar[int] = 7 * DAY_S

    def __init__(self, options: Options, ask: Ask) -> None:
        self._catalogue = f"{options.base_url.rstrip('/')}/api/explore/v2.1/catalog/datasets"
        self._ask = ask

    def covers(self, zone: Zone) -> bool:
        return place(zone) == GRID

    def read(self, zone: Zone, start_s: int, end_s: int, now_s: int) -> tuple[FactorRow, ...]:
        """Intervals that have begun. Whole hours are asked for: only they tell halves from quarters."""
        first_s, last_s = outward(start_s, end_s, HOUR_S)
        final = self._rows(zone, FINAL, first_s, last_s)
        taken = {at_s for row in final for at_s in range(row.valid_from_s, row.valid_to_s, QUARTER_S)}
        rows = list(final)
        if len(taken) * QUARTER_S < last_s - first_s:
            real_time = self._rows(zone, REAL_TIME, first_s, last_s)
            rows += [row for row in real_time if row.valid_from_s not in taken]
        begun = (row for row in rows if start_s <= row.valid_from_s < end_s and row.valid_from_s <= now_s)
        return in_order(SERVICE, begun)

    def _rows(self, zone: Zone, dataset: str, start_s: int, end_s: int) -> tuple[FactorRow, ...]:
        values = list(_clock_changes(self._values(dataset, start_s, end_s)))
        by_quarters = {value.start_s // HOUR_S for value in values if value.start_s % HALF_HOUR_S}
        rows = []
        for value in values:
            short = dataset == REAL_TIME or value.start_s // HOUR_S in by_quarters
            rows.append(self._row(zone, dataset, value, QUARTER_S if short else HALF_HOUR_S))
        return in_order(SERVICE, rows)

    def _values(self, dataset: str, start_s: int, end_s: int) -> Iterator[_Value]:
        """All records of [start, end), page by page: each page begins where the one before ended, because records may
        be added meanwhile and pages by number would then leave some out."""
        at_s = start_s
        while True:
            answer = judged(SERVICE, self._ask(self._question(dataset, at_s, end_s)))
            page = decode(SERVICE, answer, _Page).results
            found = [value for record in page if (value := _value(record, answer)) and start_s <= value.start_s < end_s]
            yield from found
            if len(page) < PAGE:
                return
            last_s = max((instant_s(SERVICE, record.date_heure) for record in page), default=at_s)
            if last_s <= at_s:
                raise BadAnswer(f"{SERVICE} answers with the same page again and again.")
            at_s = last_s

    def _question(self, dataset: str, start_s: int, end_s: int) -> Question:
        return Question(
            f"{self._catalogue}/{dataset}/records",
            {
                "select": "date_heure,heure,nature,taux_co2",
                # Records of the future are there before their values are.
                "where": f"date_heure >= '{iso(start_s)}' and date_heure < '{iso(end_s)}' and taux_co2 is not null",
                "order_by": "date_heure",
                "limit": str(PAGE),
                "timezone": "UTC",
            },
        )

    def _row(self, zone: Zone, dataset: str, value: _Value, length_s: int) -> FactorRow:
        start_s, end_s = value.start_s, value.start_s + length_s
        estimated = dataset == REAL_TIME
        return replace(
            _ROW,
            factor_id=factor_id(self.name, zone.code, FactorType.DIRECT, start_s, end_s),
            zone=zone.code,
            value_printed=value.value,
            quality_tier=2 if estimated else 1,
            valid_from_s=start_s,
            valid_to_s=end_s,
            data_year=iso(start_s)[:4],
            source_ref=f"{self._catalogue}/{dataset}/records, taux_co2 of {iso(start_s)}",
            origin=Origin(
                provider=self.name,
                endpoint=value.answer.endpoint,
                api_version="v2.1",
                model_version=value.nature,
                is_estimated=estimated,
                estimation_method="real time" if estimated else "",
                fetched_at_s=value.answer.fetched_at_s,
                raw_sha256=value.answer.sha256,
            ),
        )


def _value(record: _Record, answer: Answer) -> _Value | None:
    start_s = instant_s(SERVICE, record.date_heure)
    if start_s % QUARTER_S or start_s < 0:
        raise BadAnswer(f"{SERVICE} answered with the time {record.date_heure[:40]!r}, which is no quarter of an hour.")
    if record.taux_co2 is None:
        return None
    value = printed(SERVICE, record.taux_co2, UNIT)
    nature = (record.nature or "")[:LONGEST_NATURE]
    return _Value(start_s, value, record.heure or "", nature, answer) if Decimal(value) else None


def _clock_changes(values: Iterable[_Value]) -> Iterator[_Value]:
    """Without what the change of the clock makes of records by local time. Where records contradict each other about
    an instant of those days, the ones of the local hour from 02:00 go: in March it never was, and in October it was
    twice, and which is which cannot be told. On every other day a contradiction stays one."""
    for start_s, same in groupby(sorted(values, key=lambda value: value.start_s), key=lambda value: value.start_s):
        found = list(same)
        contradicting = len({value.value for value in found}) > 1
        if contradicting and _clock_changes_on(start_s):
            found = [value for value in found if not value.local.startswith("02:")]
        yield from found


def _clock_changes_on(at_s: int) -> bool:
    """Whether the clock changes on this UTC day: the last Sunday of March or October (Directive 2000/84/EC)."""
    day = datetime.fromtimestamp(at_s, UTC)
    return day.month in {MARCH, OCTOBER} and day.weekday() == SUNDAY and day.day >= LAST_WEEK
