"""The market-based method: who supplied which kilowatt-hour.

    S2_MB = sum over hours of [ sum over i of E_i(h) x EF_i + E_uncovered(h) x EF_residual ]
    sum over i of E_i(h) + E_uncovered(h) = E_fac(h)

Volumes are integer microjoules and conserve in every hour. The order is that of the GHG Protocol's Scope 2 Guidance
(2015): certificates, contracts, the supplier's own rate, the residual mix, and at last the grid's average with a note.

Two ways to cover hours: *hourly*, by volumes stated hour by hour, and *flat*, one volume spread over what is still
uncovered in its period (``match=annual``). Whoever claims more than was used, in an hour or in a period, is refused:
certificates that exceed consumption cannot make it negative. What is only a part of a longer period covers what was
used in it, and its rest is told: less consumption in August is no claim of too much in the year.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise

from tracker.core.accounting import Weighed, weigh_parts
from tracker.core.rounding import apportion
from tracker.core.units import UJ_PER_KWH


class Kind(StrEnum):
    """In the order in which they cover."""

    CERTIFICATE = "certificate"  # GO, REC, I-REC, GEC: retired for the reporter
    CONTRACT = "contract"  # a power purchase agreement with its attributes
    SUPPLIER = "supplier"  # the supplier's rate for everything that it delivers


class Match(StrEnum):
    HOURLY = "hourly"
    ANNUAL = "annual"  # flat over its period


class OverAllocated(ValueError):
    """More was claimed than was used."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """Electricity with a rate of its own. Times are UTC seconds, ``valid_to_s`` exclusive.

    Exactly one of: ``volume_uj``, spread flat; ``hourly_uj``, by start of the hour; neither, for a supplier's rate,
    which takes whatever is left.
    """

    key: str
    kind: Kind
    g_per_kwh: Decimal
    valid_from_s: int
    valid_to_s: int
    volume_uj: int | None = None
    hourly_uj: Mapping[int, int] = field(default_factory=dict)
    source: str = ""
    is_part: bool = False  # of a longer period, cut out by time

    @property
    def match(self) -> Match:
        return Match.HOURLY if self.hourly_uj else Match.ANNUAL


@dataclass(frozen=True, slots=True)
class Cover:
    """A volume of an instrument in an hour."""

    hour_s: int
    instrument: Instrument
    energy_uj: int
    match: Match


@dataclass(frozen=True, slots=True)
class Allocation:
    """Every hour's energy: covered by instruments, or not."""

    covers: tuple[Cover, ...]
    uncovered_uj: Mapping[int, int]  # by start of the hour
    unused_uj: Mapping[str, int] = field(default_factory=dict)  # of parts of longer periods, by key


def allocate(used_uj: Mapping[int, int], instruments: Iterable[Instrument]) -> Allocation:
    """Cover facility energy by hour (start in UTC seconds -> µJ). All instruments are of the market that the hours
    are in.

    Hourly volumes go first, for they can go nowhere else; then flat ones; then the supplier's rate. Raises
    OverAllocated where more is claimed than was used, ValueError for an instrument that is not well formed or two
    rates for the same hours.
    """
    ordered = sorted(instruments, key=lambda one: (one.match is Match.ANNUAL, list(Kind).index(one.kind), one.key))
    left = dict(used_uj)
    covers: list[Cover] = []
    unused_uj: dict[str, int] = {}
    for instrument in ordered:
        _check(instrument)
        if instrument.hourly_uj:
            taken = dict(instrument.hourly_uj)
        elif instrument.volume_uj is not None:
            taken = _spread(instrument, instrument.volume_uj, left)
            if sum(taken.values()) < instrument.volume_uj:
                unused_uj[instrument.key] = instrument.volume_uj - sum(taken.values())
        else:
            continue
        covers += _take(instrument, taken, left)
    rates = [instrument for instrument in ordered if not instrument.hourly_uj and instrument.volume_uj is None]
    _check_rates(rates)
    for rate in rates:
        covers += _take(rate, _within(rate, left), left)
    return Allocation(tuple(covers), left, unused_uj)


def market_based(allocation: Allocation, residual_g_per_kwh: Mapping[int, Decimal | None]) -> Weighed:
    """Emissions; what no instrument covers by the residual mix of its hour (absent or None: unknown, not 0)."""
    covered = [(cover.energy_uj, cover.instrument.g_per_kwh) for cover in allocation.covers]
    rest = [(uj, residual_g_per_kwh.get(hour_s)) for hour_s, uj in allocation.uncovered_uj.items() if uj]
    return weigh_parts([*covered, *rest])


def _check(instrument: Instrument) -> None:
    both = instrument.volume_uj is not None and instrument.hourly_uj
    neither = instrument.volume_uj is None and not instrument.hourly_uj
    if both or (neither and instrument.kind is not Kind.SUPPLIER):
        raise ValueError(f"{instrument.key}: state one volume, or one by hour; only a supplier's rate has none")
    volumes = [instrument.volume_uj or 0, *instrument.hourly_uj.values()]
    if min(volumes) < 0 or instrument.g_per_kwh < 0:
        raise ValueError(f"{instrument.key}: volumes and rates must not be negative")
    outside = [hour for hour in instrument.hourly_uj if not instrument.valid_from_s <= hour < instrument.valid_to_s]
    if outside or instrument.valid_from_s >= instrument.valid_to_s:
        raise ValueError(f"{instrument.key}: its hours lie outside its own period")


def _check_rates(rates: Sequence[Instrument]) -> None:
    by_start = sorted(rates, key=lambda rate: rate.valid_from_s)
    for one, other in pairwise(by_start):
        if other.valid_from_s < one.valid_to_s:
            raise ValueError(f"{one.key} and {other.key} are both the supplier's rate of the same hours")


def _within(instrument: Instrument, left: Mapping[int, int]) -> dict[int, int]:
    """What is still uncovered in its period."""
    return {hour: uj for hour, uj in left.items() if instrument.valid_from_s <= hour < instrument.valid_to_s and uj}


def _spread(instrument: Instrument, volume_uj: int, left: Mapping[int, int]) -> dict[int, int]:
    """In proportion to what is uncovered: the same share of every hour, so that none gets more than it used."""
    open_uj = _within(instrument, left)
    room_uj = sum(open_uj.values())
    if volume_uj > room_uj and not instrument.is_part:
        raise OverAllocated(
            f"{instrument.key} claims {_kwh(volume_uj)} kWh where {_kwh(room_uj)} kWh of its period are uncovered"
        )
    return dict(zip(open_uj, apportion(min(volume_uj, room_uj), list(open_uj.values())), strict=True))


def _take(instrument: Instrument, taken: Mapping[int, int], left: dict[int, int]) -> list[Cover]:
    covers = []
    for hour_s, energy_uj in taken.items():
        if energy_uj > left.get(hour_s, 0):
            open_uj = left.get(hour_s, 0)
            raise OverAllocated(
                f"{instrument.key} claims {_kwh(energy_uj)} kWh in the hour from {_iso(hour_s)} where "
                f"{_kwh(open_uj)} kWh are uncovered"
            )
        if energy_uj:
            left[hour_s] -= energy_uj
            covers.append(Cover(hour_s, instrument, energy_uj, instrument.match))
    return covers


def _kwh(energy_uj: int) -> str:
    return f"{Decimal(energy_uj) / UJ_PER_KWH:.3f}"


def _iso(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%MZ")
