"""Exact sums of a month, as the query gives them: integers over the denominators of ``core/weights.py``."""

from __future__ import annotations

from dataclasses import dataclass, fields

from tracker.core.accounting import PERMILLE


@dataclass(frozen=True, slots=True)
class Sums:
    """Of a row, a day or the whole month. None: nothing of it is known. ``…_unknown``: what is in none of the known
    sums; ``…_estimated``: what was weighed by a factor that is neither measured nor official."""

    it_uj: int
    facility_nj: int
    measured_uj: int
    simulated_uj: int
    idle_uj: int
    held_ms: int
    annual: int | None
    hourly: int | None
    market: int | None
    upstream: int | None
    cost: int | None
    embodied: int | None
    annual_unknown_nj: int
    hourly_unknown_nj: int
    market_unknown_nj: int
    upstream_unknown_nj: int
    cost_unknown_nj: int
    embodied_unknown_ms: int
    annual_estimated_nj: int
    hourly_estimated_nj: int

    @property
    def modelled_uj(self) -> int:
        return self.it_uj - self.measured_uj - self.simulated_uj

    @property
    def overhead_nj(self) -> int:
        """What the building adds, as ``FACILITY_WH`` counts it."""
        return self.facility_nj - self.it_uj * PERMILLE


@dataclass(frozen=True, slots=True)
class RowSums:
    """``key``: a value for each dimension asked for. ``remainder``: energy of no workload (idle, system, …)."""

    key: tuple[str, ...]
    scope: str
    category: str
    remainder: bool
    sums: Sums


NAMES = tuple(field.name for field in fields(Sums))


def _weighed(name: str, rate: str) -> dict[str, str]:
    return {
        name: f"sum(facility * {rate})",
        f"{name}_unknown_nj": f"coalesce(sum(facility) FILTER ({rate} IS NULL), 0)",
    }


#: How each is summed over the view ``weighed`` (``statement.py``). ``facility`` is a HUGEINT, and so are the sums; one
#: over nothing that is known is NULL.
SQL: dict[str, str] = {
    "it_uj": "coalesce(sum(it), 0)",
    "facility_nj": "coalesce(sum(facility), 0)",
    "measured_uj": "coalesce(sum(measured), 0)",
    "simulated_uj": "coalesce(sum(simulated), 0)",
    "idle_uj": "coalesce(sum(idle), 0)",
    "held_ms": "coalesce(sum(held), 0)",
    **_weighed("annual", "annual_ng"),
    **_weighed("hourly", "hourly_ng"),
    **_weighed("market", "market_ng"),
    **_weighed("upstream", "upstream_ng"),
    **_weighed("cost", "price_micro"),
    "embodied": "sum(held * making_fg)",
    "embodied_unknown_ms": "coalesce(sum(held) FILTER (making_fg IS NULL AND component IN ('gpu', 'cpu')), 0)",
    "annual_estimated_nj": "coalesce(sum(facility) FILTER (annual_estimated), 0)",
    "hourly_estimated_nj": "coalesce(sum(facility) FILTER (hourly_estimated), 0)",
}
SELECT = ", ".join(f"{SQL[name]} AS {name}" for name in NAMES)
