"""Emissions as an inventory states them. Exact: energy in integer microjoules, factors in Decimal, results in
Fractions of a gram that are rounded once, by ``printed``, where they leave.

    location   = sum over hours of E_fac(h) x EF(h)                    GHG Protocol Scope 2 Guidance (2015)
    market     = the same with contracts: ``instruments.py``
    upstream   = E_fac x (EF_lifecycle - EF_direct)                    Scope 3 category 3, fuel- and energy-related
    grid loss  = E_fac x EF x L, or x L / (1 - L)                      Scope 3 category 3
    E_fac      = E_it x PUE
    SCI        = ((E x I) + M) / R                                     ISO/IEC 21031:2024

A part is not the whole: where some energy has no factor, the sum is None and the parts are told apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from enum import StrEnum
from fractions import Fraction
from typing import assert_never

from tracker.core.units import UJ_PER_KWH

PERMILLE = 1000
G_PER_KG = 1000


def emissions_g(energy_uj: int, value_g_per_kwh: Decimal) -> Fraction:
    """Exact. Raises ValueError for a negative energy or factor."""
    if energy_uj < 0 or value_g_per_kwh < 0:
        raise ValueError("energy and factor must not be negative")
    return Fraction(energy_uj, UJ_PER_KWH) * Fraction(value_g_per_kwh)


def printed(value: Fraction, places: int) -> Decimal:
    """Rounded to ``places`` decimals, half to even: the last step, done once."""
    scaled = value * 10**places
    whole, rest = divmod(scaled.numerator, scaled.denominator)
    twice = 2 * rest - scaled.denominator
    rounded = whole + (1 if twice > 0 or (twice == 0 and whole % 2) else 0)
    return Decimal(rounded).scaleb(-places, Context(prec=max(28, len(str(rounded)) + 2), rounding=ROUND_HALF_EVEN))


@dataclass(frozen=True, slots=True)
class Weighed:
    """A sum of emissions. ``emissions_g`` None: ``unknown_uj`` of the energy has no factor, so there is no sum;
    ``known_g`` is the part that has one."""

    emissions_g: Fraction | None
    known_g: Fraction
    unknown_uj: int


def weigh_parts(parts: Iterable[tuple[int, Decimal | None]]) -> Weighed:
    """Energies in µJ, each with its own factor in g/kWh or None: hours, zones or contracts."""
    known_g, unknown_uj = Fraction(0), 0
    for energy_uj, value in parts:
        if value is None:
            unknown_uj += energy_uj
        else:
            known_g += emissions_g(energy_uj, value)
    return Weighed(None if unknown_uj else known_g, known_g, unknown_uj)


@dataclass(frozen=True, slots=True)
class Pue:
    """Facility energy per IT energy x 1000, who says so, and when it holds (``valid_to_s`` exclusive, None: still).
    ``assumed``: nobody said."""

    permille: int
    source: str
    valid_from_s: int = 0
    valid_to_s: int | None = None
    assumed: bool = False


#: The Uptime Institute's average of data centres in its yearly survey. Nobody states it for this site, so it is flagged
#: wherever it is shown: leaving the building out (1.0) would understate it for certain.
ASSUMED_PUE = Pue(1560, "assumed: industry average, set pue and pue_source", assumed=True)


def pue_at(statements: Sequence[Pue], at_s: int) -> Pue:
    """The statement that holds at ``at_s``, the last one given where several do; none: ``ASSUMED_PUE``."""
    for pue in reversed(statements):
        if pue.valid_from_s <= at_s and (pue.valid_to_s is None or at_s < pue.valid_to_s):
            return pue
    return ASSUMED_PUE


def facility_uj(energy_it_uj: int, pue_permille: int) -> int:
    """Energy of the whole building for this IT energy, to the nearest µJ. A PUE below 1 is a ValueError."""
    if pue_permille < PERMILLE:
        raise ValueError("a PUE below 1 is impossible: the building uses what its computers use")
    return (2 * energy_it_uj * pue_permille + PERMILLE) // (2 * PERMILLE)


@dataclass(frozen=True, slots=True)
class Upstream:
    """Scope 3.3, supply of the fuel. ``clamped``: the life-cycle value lay below the direct one (they are of different
    boundaries), which says 0 and not a credit."""

    emissions_g: Fraction | None
    clamped: bool = False


def upstream(energy_fac_uj: int, lifecycle: Decimal | None, direct: Decimal | None) -> Upstream:
    """From a life-cycle and a direct factor in g/kWh of the same zone and time. One missing: unknown, not 0."""
    if lifecycle is None or direct is None:
        return Upstream(None)
    if lifecycle < direct:
        return Upstream(Fraction(0), clamped=True)
    return Upstream(emissions_g(energy_fac_uj, lifecycle - direct))


class LossForm(StrEnum):
    """What a loss ratio L is a share of. The two differ by L squared: 4.1 % is 4.10 % or 4.28 % of the factor."""

    OF_DELIVERED = "of_delivered"  # E x EF x L, the form of the GHG Protocol's Scope 3 guidance
    OF_GENERATED = "of_generated"  # E x EF x L / (1 - L): a share of generation, as in eGRID's grid gross loss


def grid_loss_g(
    energy_fac_uj: int, value_g_per_kwh: Decimal, loss_ratio: Decimal, form: LossForm, *, includes_td: bool | None
) -> Fraction | None:
    """Scope 3.3, losses in the grid. Nothing is added where the factor includes them already; where that is not stated
    (None), the answer is unknown. Raises ValueError for a ratio outside 0 to 1."""
    if not 0 <= loss_ratio < 1:
        raise ValueError("a loss ratio is at least 0 and below 1")
    if includes_td is None:
        return None
    if includes_td:
        return Fraction(0)
    loss = Fraction(loss_ratio)
    match form:
        case LossForm.OF_DELIVERED:
            share = loss
        case LossForm.OF_GENERATED:
            share = loss / (1 - loss)
        case _:
            assert_never(form)
    return emissions_g(energy_fac_uj, value_g_per_kwh) * share


@dataclass(frozen=True, slots=True)
class Sci:
    """A Software Carbon Intensity score: grams per ``unit``."""

    g_per_unit: Fraction
    unit: str


def sci(operational_g: Fraction, embodied_g: Fraction, units: int | Decimal, unit: str) -> Sci:
    """((E x I) + M) / R. ``operational_g`` is location-based (or marginal: say which): market-based figures and offsets
    are no part of a score. Raises ValueError without a declared unit or a positive number of them."""
    if not unit.strip():
        raise ValueError("a score needs its unit: GPU-hour, 1e6 tokens, request, training run")
    if units <= 0:
        raise ValueError(f"a score per {unit} needs a positive number of them")
    return Sci((operational_g + embodied_g) / Fraction(units), unit.strip())
