"""What a grid is expected to weigh: advice for planning, never part of an inventory."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from tracker.core.factors import FactorType, Scheme


@dataclass(frozen=True, slots=True)
class Expected:
    """Mean intensity of an interval, UTC seconds, the end exclusive."""

    start_s: int
    end_s: int
    g_per_kwh: Decimal


@dataclass(frozen=True, slots=True)
class Forecast:
    """An answer of a provider. ``points`` are in order and do not overlap; there may be holes between them.

    ``scheme`` AVERAGE: what a kWh is expected to weigh; a margin: what one kWh more would cause. The two are never
    compared with each other.
    """

    zone: str
    provider: str
    scheme: Scheme
    factor_type: FactorType
    gases: str
    generated_at_s: int
    points: tuple[Expected, ...]
    licence: str = ""
    raw_sha256: str = ""
