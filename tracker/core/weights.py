"""What weighs an hour of a place: integers that are multiplied with energy, and the denominators of what comes out.

    facility   = energy_uj x pue_permille                                 in nJ
    emissions  = energy_uj x pue_permille x ng_per_kwh                    / G   grams
    cost       = energy_uj x pue_permille x price_micro_per_kwh           / HUNDREDTH
    embodied   = held_ms x fg_per_ms                                      / EMBODIED_G grams

Each rate is rounded once, half to even, to its integer: a nanogram per kWh is a gram in a billion kWh. From there on
everything is exact: sums over a fleet and a month stay below 2^127 (a terawatt-hour at 10^12 ng/kWh is 3.6e33).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from tracker.core.accounting import PERMILLE, LossForm, grid_loss_g, upstream
from tracker.core.embodied import MS_PER_H
from tracker.core.factors import FactorRow, FactorType
from tracker.core.footing import half_even
from tracker.core.pairing import Pair
from tracker.core.units import UJ_PER_KWH

NG_PER_G = 10**9
FG_PER_G = 10**15
MICRO = 10**6  # prices are in millionths of the currency per kWh
#: Of sums of energy_uj, of energy_uj x pue_permille, of held_ms: what makes one Wh, or a thousandth of a device-hour.
WH = UJ_PER_KWH // 1000
FACILITY_WH = WH * PERMILLE
DEVICE_MH = MS_PER_H // 1000
G = UJ_PER_KWH * PERMILLE * NG_PER_G
HUNDREDTH = UJ_PER_KWH * PERMILLE * MICRO // 100
EMBODIED_G = FG_PER_G


@dataclass(frozen=True, slots=True)
class Place:
    """A site and grid zone as rows of the lake name them, and what they mean. ``zone_assumed``: nobody set one.
    ``scope``, ``category``: of its electricity; ``overhead_…``: of what the building adds, where that is booked apart,
    and "" where it is not."""

    site: str
    zone_written: str
    zone: str
    zone_assumed: bool
    control: str
    scope: str
    category: str
    overhead_scope: str = ""
    overhead_category: str = ""


@dataclass(frozen=True, slots=True)
class Weight:
    """Of one place and one hour (start in UTC seconds). None: not known, never 0. ``…_estimated``: the factor is
    neither a measured nor an official one."""

    site: str
    zone_written: str
    hour_s: int
    pue_permille: int
    annual_ng_per_kwh: int | None = None
    hourly_ng_per_kwh: int | None = None
    market_ng_per_kwh: int | None = None
    upstream_ng_per_kwh: int | None = None
    price_micro_per_kwh: int | None = None
    annual_estimated: bool = False
    hourly_estimated: bool = False


def ng_per_kwh(g_per_kwh: Decimal | Fraction) -> int:
    """Rounded half to even. Raises ValueError for a negative rate."""
    exact = Fraction(g_per_kwh) * NG_PER_G
    if exact < 0:
        raise ValueError("a rate is never negative")
    return half_even(exact.numerator, exact.denominator)


def fg_per_ms(kgco2e: Decimal, lifetime_h: int, parts: int = 1) -> int:
    """The making of a device over its life, by held time; ``parts`` devices share one figure. Rounded half to even."""
    exact = Fraction(kgco2e) * 1000 * FG_PER_G / (lifetime_h * MS_PER_H * parts)
    return half_even(exact.numerator, exact.denominator)


@dataclass(frozen=True, slots=True)
class Loss:
    """Losses between power station and meter, as somebody stated them."""

    ratio: Decimal
    form: LossForm
    source: str = ""


@dataclass(frozen=True, slots=True)
class UpstreamRate:
    """Scope 3.3 of a kilowatt-hour. ``ng_per_kwh`` None: not known, and ``flags`` say why."""

    ng_per_kwh: int | None
    flags: tuple[str, ...] = ()


NO_DIRECT = "The location-based factor is not a direct one: what is upstream of it is in it already, or not known."
NO_LIFECYCLE = "No direct and life-cycle factor of one place, within a year of each other, are known."
CLAMPED = "The life-cycle factor lies below the direct one: counted as 0, not as a credit."
LOSS_INCLUDED = "Grid losses are in the factor already; none are added."
LOSS_NOT_STATED = "Whether grid losses are in the factor is not stated; none are added."
NO_LOSS = "No grid losses are configured; none are added."


def upstream_rate(located: Sequence[FactorRow], pairs: Sequence[Pair], loss: Loss | None) -> UpstreamRate:
    """Supply of the fuel, as ``pairs`` say, and grid losses of the factors in use, ``located``, where they are stated
    and not in them already. The parts of an hour count alike; it is rounded once."""
    values = [row.value_g_per_kwh if row.factor_type is FactorType.DIRECT else None for row in located]
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return UpstreamRate(None, (NO_DIRECT,))
    supplies = [upstream(UJ_PER_KWH, lifecycle.value_g_per_kwh, direct.value_g_per_kwh) for direct, lifecycle in pairs]
    grams = [supply.emissions_g for supply in supplies if supply.emissions_g is not None]
    if not grams or len(grams) < len(supplies):
        return UpstreamRate(None, (NO_LIFECYCLE,))
    flags = [CLAMPED] if any(supply.clamped for supply in supplies) else []
    lost = Fraction(0)
    for row, value in zip(located, known, strict=True):
        part, flag = _lost(row, value, loss)
        lost += part
        flags.append(flag)
    rate = sum(grams, Fraction(0)) / len(grams) + lost / len(known)
    return UpstreamRate(ng_per_kwh(rate), tuple(dict.fromkeys(filter(None, flags))))


def _lost(row: FactorRow, value_g_per_kwh: Decimal, loss: Loss | None) -> tuple[Fraction, str]:
    """Grid losses of a kilowatt-hour in grams, and what to know of them."""
    if loss is None:
        return Fraction(0), NO_LOSS
    lost = grid_loss_g(UJ_PER_KWH, value_g_per_kwh, loss.ratio, loss.form, includes_td=row.includes_td)
    if lost is None:
        return Fraction(0), LOSS_NOT_STATED
    return lost, LOSS_INCLUDED if row.includes_td else ""
