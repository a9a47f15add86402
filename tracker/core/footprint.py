"""An estimate from device-hours or kilowatt-hours, before or without measuring: both Scope 2 methods and the hardware.

It counts the power that somebody named, for the time that somebody named: a lower bound unless that is all there is.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from tracker.core.accounting import emissions_g, facility_uj
from tracker.core.embodied import DEFAULT_LIFETIME_H, MS_PER_H, Device, acquisition_g, amortised_g
from tracker.core.factors import Choice, NoFactor
from tracker.core.units import UJ_PER_J

S_PER_H = 3600
NO_MARKET = "No contract and no residual mix is known. State a rate with --market-g-per-kwh."
NO_DEVICE = "No device was named. Name it with --device."
LOCATION_STANDS_IN = (
    "No residual mix is known for it: the location-based factor stands in, as the GHG Protocol allows when it is said."
)


@dataclass(frozen=True, slots=True)
class Hardware:
    """``held_ms``: summed over the devices, None: not stated. ``count``: how many were bought, None: not stated."""

    device: Device
    held_ms: int | None
    count: int | None = None
    lifetime_h: int = DEFAULT_LIFETIME_H


@dataclass(frozen=True, slots=True)
class Figure:
    """``emissions_g`` None: unknown, and ``note`` says why; else ``note`` says what it is less than was asked for.
    ``choice``: the factor, None: the rate was stated."""

    emissions_g: Fraction | None
    g_per_kwh: Decimal | None = None
    choice: Choice | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Footprint:
    """``acquisition`` is booked in the year of purchase, ``embodied`` by held time: never add the two."""

    energy_it_uj: int
    energy_facility_uj: int
    location: Figure
    market: Figure
    embodied: Figure
    acquisition: Figure


def energy_of_hours(device_hours: Decimal, watts: Decimal) -> int:
    """µJ, to the nearest one."""
    return round(Fraction(device_hours) * Fraction(watts) * S_PER_H * UJ_PER_J)


def footprint(
    energy_it_uj: int,
    pue_permille: int,
    location: Choice | NoFactor | Decimal,
    market: Choice | NoFactor | Decimal,
    hardware: Hardware | None = None,
) -> Footprint:
    """A Decimal is a rate in g/kWh that was stated, a Choice is from the tables. A PUE below 1 is a ValueError."""
    energy_uj = facility_uj(energy_it_uj, pue_permille)
    by_location = _figure(energy_uj, location)
    return Footprint(
        energy_it_uj,
        energy_uj,
        by_location,
        _market(energy_uj, by_location, market),
        _embodied(hardware),
        _acquisition(hardware),
    )


def _figure(energy_uj: int, found: Choice | NoFactor | Decimal) -> Figure:
    match found:
        case NoFactor(reason):
            return Figure(None, note=_sentence(reason))
        case Decimal():
            return Figure(emissions_g(energy_uj, found), found)
        case Choice(row=row):
            value = row.value_g_per_kwh
            if value is None:
                return Figure(None, note=row.source_ref)
            return Figure(emissions_g(energy_uj, value), value, found, found.note)


def _market(energy_uj: int, location: Figure, found: Choice | NoFactor | Decimal) -> Figure:
    """Where no residual mix is known, the grid's average stands in with a note; not where there is none by rule, and no
    rate that somebody stated for the location."""
    if not isinstance(found, NoFactor):
        return _figure(energy_uj, found)
    if found.by_rule:
        return Figure(None, note=f"{_sentence(found.reason)} State your supplier's rate with --market-g-per-kwh.")
    if location.choice is None:
        return Figure(None, note=NO_MARKET)
    return Figure(location.emissions_g, location.g_per_kwh, location.choice, LOCATION_STANDS_IN)


def _embodied(hardware: Hardware | None) -> Figure:
    if hardware is None:
        return Figure(None, note=NO_DEVICE)
    kgco2e = hardware.device.kgco2e
    if kgco2e is None:
        return Figure(None, note=_no_figure(hardware.device))
    if hardware.held_ms is None:
        return Figure(None, note="How long the devices were held was not stated. State it with --device-hours.")
    return Figure(amortised_g(kgco2e, hardware.held_ms, hardware.lifetime_h), note=_worn_out(hardware))


def _acquisition(hardware: Hardware | None) -> Figure:
    if hardware is None:
        return Figure(None, note=NO_DEVICE)
    if hardware.device.kgco2e is None:
        return Figure(None, note=_no_figure(hardware.device))
    if hardware.count is None:
        return Figure(None, note="How many devices were bought was not stated. State it with --devices.")
    return Figure(acquisition_g(hardware.device.kgco2e, hardware.count))


def _no_figure(device: Device) -> str:
    return f"There is no figure for {device.name}. {device.note}".strip()


def _worn_out(hardware: Hardware) -> str:
    """More time than the devices have: not refused, for lives differ, but said."""
    if hardware.count and hardware.held_ms and hardware.held_ms > hardware.count * hardware.lifetime_h * MS_PER_H:
        life = f"{hardware.lifetime_h} h x {hardware.count}"
        return f"The devices were held longer than they live ({life}): is the lifetime right?"
    return ""


def _sentence(reason: str) -> str:
    return f"{reason[:1].upper()}{reason[1:].rstrip('.')}."
