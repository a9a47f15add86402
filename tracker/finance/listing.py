"""What weighed the energy of a statement: its factor page, and its sites with their PUE."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tracker.core.accounting import Pue
from tracker.core.chain import INTERVAL_TIERS
from tracker.core.embodied import Device
from tracker.core.factors import Choice, FactorRow
from tracker.core.footing import foot
from tracker.core.instruments import Instrument
from tracker.core.rounding import apportion
from tracker.core.statement import FactorUse, SiteUse
from tracker.core.units import UJ_PER_KWH
from tracker.core.weights import WH
from tracker.finance.factors import Answer
from tracker.finance.uses import Uses, flags_of
from tracker.finance.weights import Weighing, ZoneWeight
from tracker.grid.catalogue import WORLD
from tracker.grid.zones import find_zone


@dataclass(frozen=True, slots=True)
class Used:
    """Energy of a statement (as filtered) at a place in an hour."""

    site: str
    zone_written: str
    zone: str
    hour_s: int
    facility_nj: int
    it_uj: int


def factor_uses(used: Sequence[Used], weighing: Weighing) -> tuple[FactorUse, ...]:
    """Every factor that weighed something, and every instrument."""
    uses = Uses()
    energy_nj: dict[tuple[str, int], int] = {}
    for each in used:
        at = (each.zone, each.hour_s)
        energy_nj[at] = energy_nj.get(at, 0) + each.facility_nj
    assumed = {place.zone for place in weighing.terms.places.values() if place.zone_assumed}
    for (zone, hour_s), nj in sorted(energy_nj.items()):
        weight = weighing.of(zone, hour_s)
        _answers(uses, "location_annual", zone, (weight.annual,), nj, weighing, assumed=zone in assumed)
        _answers(uses, "location_hourly", zone, weight.hourly, nj, weighing, assumed=zone in assumed)
        _market(uses, zone, hour_s, weight, nj, weighing)
        _supply(uses, zone, weight, nj, weighing)
    return (*uses.listed(), *_instruments(energy_nj, weighing))


def _answers(
    uses: Uses,
    basis: str,
    zone: str,
    answers: Sequence[Answer],
    energy_nj: int,
    weighing: Weighing,
    *,
    assumed: bool = False,
    note: str = "",
) -> None:
    parts = apportion(energy_nj, [1] * len(answers))
    for answer, part_nj in zip(answers, parts, strict=True):
        if isinstance(answer, Choice):
            flags = (*((note,) if note else ()), *flags_of(answer, assumed=assumed))
            uses.add(basis, zone, answer.row, part_nj, weighing.book.since(answer.row), flags)


def _market(uses: Uses, zone: str, hour_s: int, weight: ZoneWeight, energy_nj: int, weighing: Weighing) -> None:
    """What no instrument covers, of the energy that is listed."""
    covers = weighing.markets.covered.get((zone, hour_s), ())
    rest_uj = weighing.markets.uncovered_uj[zone, hour_s]
    whole_uj = rest_uj + sum(cover.energy_uj for cover in covers)
    rest_nj = energy_nj * rest_uj // whole_uj if whole_uj else energy_nj
    if rest_nj and weight.rest.answers:
        _answers(uses, "market", zone, weight.rest.answers, rest_nj, weighing, note=weight.rest.note)


def _supply(uses: Uses, zone: str, weight: ZoneWeight, energy_nj: int, weighing: Weighing) -> None:
    pairs = weight.supply.pairs
    if not pairs:
        return
    for (direct, lifecycle), part_nj in zip(pairs, apportion(energy_nj, [1] * len(pairs)), strict=True):
        of_hour = direct.quality_tier in INTERVAL_TIERS
        what = "the direct value of the same time" if of_hour else f"{direct.factor_id}, {_printed(direct)}"
        less = f"Less {what}."
        flags = (less, *weight.supply.rate.flags)
        uses.add("upstream", zone, lifecycle, part_nj, weighing.book.since(lifecycle), flags)


def _printed(row: FactorRow) -> str:
    return f"{row.value_printed} {row.unit_printed}"


def _instruments(energy_nj: Mapping[tuple[str, int], int], weighing: Weighing) -> list[FactorUse]:
    """Certificates, contracts and tariffs, with the energy that they covered."""
    covered_nj: dict[tuple[str, str], int] = {}
    for at, covers in weighing.markets.covered.items():
        whole_uj = weighing.markets.uncovered_uj[at] + sum(cover.energy_uj for cover in covers)
        for cover in covers:
            key = (at[0], cover.key)
            part_nj = energy_nj.get(at, 0) * cover.energy_uj // whole_uj
            covered_nj[key] = covered_nj.get(key, 0) + part_nj
    claims = {claim.instrument.key: claim.instrument for claim in weighing.terms.claims}
    keys = sorted(covered_nj)
    _, energies_wh = foot([covered_nj[key] for key in keys], WH * 1000)
    cautions = weighing.terms.cautions
    return [
        _instrument(zone, claims[key], wh, (*cautions.get(key, ()), *_unused(weighing.markets.unused_uj.get(key, 0))))
        for (zone, key), wh in zip(keys, energies_wh, strict=True)
    ]


def _unused(energy_uj: int) -> tuple[str, ...]:
    kwh = Decimal(energy_uj) / UJ_PER_KWH
    return (f"{kwh:.3f} kWh of its part of this month are unused: less was consumed.",) if energy_uj else ()


def _instrument(zone: str, one: Instrument, energy_wh: int, cautions: tuple[str, ...]) -> FactorUse:
    return FactorUse(
        basis="market",
        zone=zone,
        factor_id=f"{one.kind.value}:{one.key}",
        value=f"{one.g_per_kwh:f}",
        unit="g/kWh",
        value_g_per_kwh=one.g_per_kwh,
        factor_type="unspecified",
        gases="unspecified",
        gwp_set="unspecified",
        tier=4,
        edition=f"match={one.match.value}",
        data_year="unspecified",
        publisher="instruments file",
        source=one.source,
        url="",
        licence="own contract",
        attribution="",
        recorded_at_s=one.valid_from_s,
        raw_sha256="",
        energy_wh=energy_wh,
        flags=cautions,
    )


def embodied_uses(devices: Iterable[tuple[Device, str]], lifetime_h: int) -> tuple[FactorUse, ...]:
    """The figures of hardware that was held. They are of devices, not of energy. Each with a note on how it is used."""
    return tuple(
        FactorUse(
            basis="embodied",
            zone="",
            factor_id=f"embodied:{device.name}",
            value="" if device.kgco2e is None else f"{device.kgco2e:f}",
            unit=f"kgCO2e per {device.unit}",
            value_g_per_kwh=None,
            factor_type="cradle-to-gate",
            gases="CO2e",
            gwp_set="unspecified",
            tier=0,
            edition=f"over {lifetime_h} h of held time",
            data_year="unspecified",
            publisher=device.publisher,
            source=device.source_ref,
            url="",
            licence=device.licence,
            attribution="",
            recorded_at_s=0,
            raw_sha256="",
            energy_wh=0,
            flags=tuple(filter(None, (note, device.note))),
        )
        for device, note in devices
    )


def _country(zone: str) -> str:
    iso3 = find_zone(zone).iso3
    return "" if iso3 == WORLD.iso3 else iso3


def site_uses(used: Sequence[Used], weighing: Weighing) -> tuple[SiteUse, ...]:
    """Places, each for the time in which one PUE held."""
    hours: dict[tuple[str, str, bool, str, Pue], set[int]] = {}
    energy_uj: dict[tuple[str, str, bool, str, Pue], int] = {}
    for each in used:
        place = weighing.terms.places[each.site, each.zone_written]
        key = (each.site, place.zone, place.zone_assumed, place.control, weighing.pue(each.site, each.hour_s))
        hours.setdefault(key, set()).add(each.hour_s)
        energy_uj[key] = energy_uj.get(key, 0) + each.it_uj
    keys = sorted(hours, key=lambda key: (*key[:4], min(hours[key])))
    _, energies_wh = foot([energy_uj[key] for key in keys], WH)
    return tuple(
        SiteUse(
            site, zone, assumed, control, pue.permille, pue.source, pue.assumed, len(hours[key]), wh, _country(zone)
        )
        for key, wh in zip(keys, energies_wh, strict=True)
        for site, zone, assumed, control, pue in (key,)
    )
