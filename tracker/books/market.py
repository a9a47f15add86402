"""The market-based method over a fleet: instruments of several markets cover the hours of several zones.

A claim of a market may cover every zone that lies in it (a national certificate covers its subregions). Finer markets
come first, as they can go nowhere else; volumes come before suppliers' rates, which take whatever is left. A volume for
a longer period gives each month its part by time: what October is given does not change with November's consumption.
A month that used less than its part leaves the rest unused, and that is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction

from tracker.core.errors import UsageError
from tracker.core.instruments import Allocation, Instrument, OverAllocated, allocate
from tracker.core.rounding import apportion
from tracker.core.units import UJ_PER_KWH

#: A grid zone and the start of an hour.
ZoneHour = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Claimed:
    instrument: Instrument
    market: str


@dataclass(frozen=True, slots=True)
class Covered:
    """An instrument's energy in a zone and hour."""

    at: ZoneHour
    key: str
    energy_uj: int
    g_per_kwh: Decimal


@dataclass(frozen=True, slots=True)
class Markets:
    """Everything that was used: covered by instruments, or not."""

    covered: Mapping[ZoneHour, tuple[Covered, ...]]
    uncovered_uj: Mapping[ZoneHour, int]
    unused_uj: Mapping[str, int] = field(default_factory=dict)  # of parts of longer periods, by the instrument's key

    def rate(self, at: ZoneHour, residual_g_per_kwh: Fraction | None) -> Fraction | None:
        """Grams per kWh of what was used there; None: some of it has no rate."""
        covers, rest_uj = self.covered.get(at, ()), self.uncovered_uj[at]
        if rest_uj and residual_g_per_kwh is None:
            return None
        weighed = sum((cover.energy_uj * Fraction(cover.g_per_kwh) for cover in covers), Fraction(0))
        if residual_g_per_kwh is not None:
            weighed += rest_uj * residual_g_per_kwh
        used_uj = rest_uj + sum(cover.energy_uj for cover in covers)
        return weighed / used_uj if used_uj else residual_g_per_kwh


def allocate_markets(
    used_uj: Mapping[ZoneHour, int],
    claims: Sequence[Claimed],
    reach: Mapping[str, Sequence[str]],
    start_s: int,
    end_s: int,
) -> Markets:
    """Cover facility energy. ``reach``: the markets that each zone lies in. ``start_s``, ``end_s``: the time of which
    all of ``used_uj`` is. Raises UsageError for claims of more than was used."""
    left = dict(used_uj)
    covered: dict[ZoneHour, list[Covered]] = {}
    unused_uj: dict[str, int] = {}
    inside: dict[str, list[str]] = {}
    for zone in sorted({zone for zone, _ in used_uj}):
        for market in reach.get(zone, ()):
            inside.setdefault(market, []).append(zone)
    finest_first = sorted(inside, key=lambda market: (len(inside[market]), market))
    for rates in (False, True):
        for market in finest_first:
            own = [_part(one.instrument, start_s, end_s) for one in claims if one.market == market]
            ours = [one for one in own if one is not None and _is_rate(one) == rates]
            if ours:
                unused_uj |= _cover(market, ours, inside[market], left, covered)
    return Markets({at: tuple(covers) for at, covers in covered.items()}, left, unused_uj)


def _is_rate(one: Instrument) -> bool:
    return one.volume_uj is None and not one.hourly_uj


def _part(one: Instrument, start_s: int, end_s: int) -> Instrument | None:
    """What of an instrument falls into [start_s, end_s); None: nothing."""
    begin_s, until_s = max(one.valid_from_s, start_s), min(one.valid_to_s, end_s)
    if begin_s >= until_s:
        return None
    if one.hourly_uj:
        hours = {hour_s: uj for hour_s, uj in one.hourly_uj.items() if begin_s <= hour_s < until_s}
        return replace(one, hourly_uj=hours, valid_from_s=begin_s, valid_to_s=until_s) if hours else None
    if one.volume_uj is None:
        return replace(one, valid_from_s=begin_s, valid_to_s=until_s)
    whole_s = one.valid_to_s - one.valid_from_s
    before_uj = one.volume_uj * (begin_s - one.valid_from_s) // whole_s
    volume_uj = one.volume_uj * (until_s - one.valid_from_s) // whole_s - before_uj
    is_part = until_s - begin_s < whole_s
    return replace(one, volume_uj=volume_uj, valid_from_s=begin_s, valid_to_s=until_s, is_part=is_part)


def _cover(
    market: str,
    ours: Sequence[Instrument],
    zones: Sequence[str],
    left: dict[ZoneHour, int],
    covered: dict[ZoneHour, list[Covered]],
) -> Mapping[str, int]:
    """Allocate in the market as a whole, then share each hour's volume among its zones by what is uncovered there. What
    stays unused, by key."""
    pooled: dict[int, int] = {}
    for (zone, hour_s), uj in sorted(left.items()):
        if zone in zones:
            pooled[hour_s] = pooled.get(hour_s, 0) + uj
    allocation = _allocation(market, pooled, ours)
    for cover in allocation.covers:
        places = [(zone, cover.hour_s) for zone in zones if (zone, cover.hour_s) in left]
        for at, uj in zip(places, apportion(cover.energy_uj, [left[at] for at in places]), strict=True):
            if uj:
                left[at] -= uj
                one = cover.instrument
                covered.setdefault(at, []).append(Covered(at, one.key, uj, one.g_per_kwh))
    return allocation.unused_uj


def _allocation(market: str, pooled: Mapping[int, int], ours: Sequence[Instrument]) -> Allocation:
    try:
        return allocate(pooled, ours)
    except OverAllocated as error:
        claimed_uj = sum((one.volume_uj or 0) + sum(one.hourly_uj.values()) for one in ours)
        raise UsageError(
            f"Instruments of the market {market} claim {_kwh(claimed_uj)} kWh of this month, where "
            f"{_kwh(sum(pooled.values()))} kWh are uncovered ({error}).",
            "Certificates cannot cover more than was used: lower the volume, or state the period that it is for.",
        ) from error


def _kwh(energy_uj: int) -> str:
    return f"{Decimal(energy_uj) / UJ_PER_KWH:.3f}"
