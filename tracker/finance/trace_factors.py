"""The factors behind a traced row: what was printed where, since when it is known, and what it took the place of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal

from tracker.books.factorfiles import factor_files
from tracker.books.interface import BookStore
from tracker.books.trace import HourSum
from tracker.core.errors import WattledgerError
from tracker.core.factors import Choice, FactorRow
from tracker.core.known import FactorRecord
from tracker.finance.factors import Answer
from tracker.finance.uses import flags_of
from tracker.finance.weights import Weighing, ZoneWeight
from tracker.grid.bundle import parse_bundle

TARIFF = "tariff (books.tariffs)"


@dataclass(frozen=True, slots=True)
class OtherValue:
    """Another value of the same factor_id, and since when it is known."""

    value: str
    unit: str
    recorded_at_s: int


@dataclass(frozen=True, slots=True)
class FactorDetail:
    """A factor or an instrument. ``hours`` of the row that it has a part in, the first ``first_s``. ``notes``: what it
    is less than was asked for, and what else to know."""

    basis: str
    zone: str
    factor_id: str
    value: str
    unit: str
    value_g_per_kwh: Decimal | None
    factor_type: str
    tier: int
    edition: str
    data_year: str
    publisher: str
    source: str
    url: str
    licence: str
    provider: str
    recorded_at_s: int
    raw_sha256: str
    hours: int
    first_s: int
    former: tuple[OtherValue, ...] = ()  # what it took the place of, the newest first
    later: tuple[OtherValue, ...] = ()  # what took its place after the statement's time of knowledge
    notes: tuple[str, ...] = ()


def source_names(basis: str, weighing: Weighing, hour: HourSum) -> tuple[str, ...]:
    """What the rate of a basis is from in an hour: ids, or why there is none."""
    weight = weighing.of(hour.zone, hour.hour_s)
    match basis:
        case "location_annual":
            return _ids((weight.annual,))
        case "location_hourly":
            return _ids(weight.hourly)
        case "market":
            covers = weighing.markets.covered.get((hour.zone, hour.hour_s), ())
            rest = _ids(weight.rest.answers) if weighing.markets.uncovered_uj[hour.zone, hour.hour_s] else ()
            note = (weight.rest.note,) if weight.rest.note and not weight.rest.answers else ()
            return (*dict.fromkeys(f"instrument:{cover.key}" for cover in covers), *rest, *note)
        case "upstream":
            pairs = weight.supply.pairs
            names = tuple(f"{life.factor_id} less {direct.factor_id}" for direct, life in pairs)
            return names or weight.supply.rate.flags
        case _:
            return (TARIFF,) if hour.price_micro is not None else ("no tariff is stated",)


def _ids(answers: Iterable[Answer]) -> tuple[str, ...]:
    names = (answer.row.factor_id if isinstance(answer, Choice) else answer.reason for answer in answers)
    return tuple(dict.fromkeys(names))


def factor_details(
    hours: Sequence[HourSum], weighing: Weighing, known: Mapping[str, Sequence[FactorRecord]], as_of_s: int
) -> tuple[FactorDetail, ...]:
    """Every factor and instrument that has a part in the row, in the order of basis, zone and time. ``known``: all
    records of the books, by factor_id; ``as_of_s``: what is younger was not used."""
    seen: dict[tuple[str, str, str], list[int]] = {}
    found: dict[tuple[str, str, str], tuple[FactorRow, tuple[str, ...]]] = {}
    claims: dict[tuple[str, str, str], list[int]] = {}
    for each in hours:
        weight = weighing.of(each.zone, each.hour_s)
        for basis, row, notes in _used(weight):
            key = (basis, each.zone, row.factor_id)
            seen.setdefault(key, []).append(each.hour_s)
            found[key] = (row, notes)
        for cover in weighing.markets.covered.get((each.zone, each.hour_s), ()):
            claims.setdefault(("market", each.zone, cover.key), []).append(each.hour_s)
    details = [
        _with_history(_detail(key, *found[key], sorted(set(those)), weighing), known.get(key[2], ()), as_of_s)
        for key, those in seen.items()
    ]
    details += [_claim(key, sorted(set(those)), weighing) for key, those in claims.items()]
    return tuple(sorted(details, key=lambda one: (one.basis, one.zone, one.first_s, one.factor_id)))


def _used(weight: ZoneWeight) -> Iterator[tuple[str, FactorRow, tuple[str, ...]]]:
    bases: tuple[tuple[str, tuple[Answer, ...]], ...] = (
        ("location_annual", (weight.annual,)),
        ("location_hourly", weight.hourly),
        ("market", weight.rest.answers),
    )
    for basis, answers in bases:
        for answer in answers:
            if isinstance(answer, Choice):
                own = (weight.rest.note,) if basis == "market" and weight.rest.note else ()
                yield basis, answer.row, (*own, *flags_of(answer))
    for direct, lifecycle in weight.supply.pairs:
        yield "upstream", lifecycle, weight.supply.rate.flags
        yield "upstream", direct, ("It is taken off the life-cycle value.",)


def _detail(
    key: tuple[str, str, str],
    row: FactorRow,
    notes: tuple[str, ...],
    hours_s: Sequence[int],
    weighing: Weighing,
) -> FactorDetail:
    return FactorDetail(
        basis=key[0],
        zone=key[1],
        factor_id=row.factor_id,
        value=row.value_printed,
        unit=row.unit_printed,
        value_g_per_kwh=row.value_g_per_kwh,
        factor_type=row.factor_type.value,
        tier=row.quality_tier,
        edition=row.edition,
        data_year=row.data_year,
        publisher=row.publisher,
        source=row.source,
        url=row.publisher_url,
        licence=row.licence,
        provider=row.origin.provider,
        recorded_at_s=weighing.book.since(row),
        raw_sha256=row.origin.raw_sha256,
        hours=len(hours_s),
        first_s=hours_s[0],
        notes=tuple(dict.fromkeys(notes)),
    )


def _with_history(detail: FactorDetail, records: Sequence[FactorRecord], as_of_s: int) -> FactorDetail:
    """With the other values of its records before and after ``as_of_s``, each when it was first known."""
    since_s: dict[tuple[str, str], int] = {}
    for each in records:
        value = (each.row.value_printed, each.row.unit_printed)
        since_s[value] = min(each.recorded_at_s, since_s.get(value, each.recorded_at_s))
    since_s.pop((detail.value, detail.unit), None)
    others = [OtherValue(value, unit, at_s) for (value, unit), at_s in since_s.items()]
    others.sort(key=lambda one: (-one.recorded_at_s, one.value))
    former = tuple(one for one in others if one.recorded_at_s <= as_of_s)
    return replace(detail, former=former, later=tuple(one for one in others if one.recorded_at_s > as_of_s))


def _claim(key: tuple[str, str, str], hours_s: Sequence[int], weighing: Weighing) -> FactorDetail:
    one = next(claim.instrument for claim in weighing.terms.claims if claim.instrument.key == key[2])
    return FactorDetail(
        basis=key[0],
        zone=key[1],
        factor_id=f"instrument:{one.key}",
        value=f"{one.g_per_kwh:f}",
        unit="g/kWh",
        value_g_per_kwh=one.g_per_kwh,
        factor_type="unspecified",
        tier=0,
        edition=f"{one.kind.value}, match={one.match.value}",
        data_year="unspecified",
        publisher="instruments file",
        source=one.source,
        url="",
        licence="own contract",
        provider="instruments",
        recorded_at_s=one.valid_from_s,
        raw_sha256="",
        hours=len(hours_s),
        first_s=hours_s[0],
        notes=tuple(weighing.terms.cautions.get(one.key, ())),
    )


def histories(store: BookStore) -> dict[str, list[FactorRecord]]:
    """Every record of the books, by factor_id. What is damaged is left out: it says nothing about the row."""
    found: dict[str, list[FactorRecord]] = {}
    for name in factor_files(store):
        with suppress(WattledgerError):
            for record in parse_bundle(store.read(name) or b"", name):
                found.setdefault(record.row.factor_id, []).append(record)
    return found
