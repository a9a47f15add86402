"""What weighs an hour of a place: integers that are multiplied with energy, and the denominators of what comes out.

    facility   = energy_uj x pue_permille                                 in nJ
    emissions  = energy_uj x pue_permille x ng_per_kwh                    / G   grams
    cost       = energy_uj x pue_permille x price_micro_per_kwh           / HUNDREDTH
    embodied   = held_ms x fg_per_ms                                      / EMBODIED_G grams

Each rate is rounded once, half to even, to its integer: a nanogram per kWh is a gram in a billion kWh. From there on
everything is exact: sums over a fleet and a month stay below 2^127 (a terawatt-hour at 10^12 ng/kWh is 3.6e33).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from tracker.core.accounting import PERMILLE, LossForm
from tracker.core.embodied import MS_PER_H
from tracker.core.factors import FactorRow, FactorType
from tracker.core.footing import half_even
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
    ``scope``, ``category``: of its electricity."""

    site: str
    zone_written: str
    zone: str
    zone_assumed: bool
    control: str
    scope: str
    category: str


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

    @property
    def share(self) -> Fraction:
        """Of the factor, what is added in Scope 3.3 (``accounting.grid_loss_g``)."""
        loss = Fraction(self.ratio)
        return loss if self.form is LossForm.OF_DELIVERED else loss / (1 - loss)


@dataclass(frozen=True, slots=True)
class UpstreamRate:
    """Scope 3.3 of a kilowatt-hour. ``ng_per_kwh`` None: not known, and ``flags`` say why."""

    ng_per_kwh: int | None
    flags: tuple[str, ...] = ()


NO_DIRECT = "The location-based factor is not a direct one: what is upstream of it is in it already, or not known."
NO_LIFECYCLE = "No life-cycle factor of this zone is known."
CLAMPED = "The life-cycle factor lies below the direct one: counted as 0, not as a credit."
LOSS_INCLUDED = "Grid losses are in the factor already; none are added."
LOSS_NOT_STATED = "Whether grid losses are in the factor is not stated; none are added."
NO_LOSS = "No grid losses are configured; none are added."


def upstream_rate(direct: FactorRow, lifecycle: FactorRow | None, loss: Loss | None) -> UpstreamRate:
    """Supply of the fuel (``accounting.upstream``), and grid losses where they are stated and not in it already."""
    value = direct.value_g_per_kwh
    if value is None or direct.factor_type is not FactorType.DIRECT:
        return UpstreamRate(None, (NO_DIRECT,))
    whole = None if lifecycle is None else lifecycle.value_g_per_kwh
    if whole is None:
        return UpstreamRate(None, (NO_LIFECYCLE,))
    flags = [CLAMPED] if whole < value else []
    rate = max(Fraction(0), Fraction(whole) - Fraction(value))
    if loss is None:
        flags.append(NO_LOSS)
    elif direct.includes_td is None:
        flags.append(LOSS_NOT_STATED)
    elif direct.includes_td:
        flags.append(LOSS_INCLUDED)
    else:
        rate += Fraction(value) * loss.share
    return UpstreamRate(ng_per_kwh(rate), tuple(flags))
