"""From generation by type of plant to the direct intensity of the mix.

    g/kWh = sum of (power x factor) / sum of power, over the types whose factor is known

``data/psr_direct.csv`` has the factors: medians of direct emissions, IPCC AR5 WG III (2014), Annex III, Table A.III.2.
Types that are not listed there (oil, waste, "other" ...) have none: they are taken for the average of the rest while
they are little, and where they are more than 5 % the interval is left out. So is one in which types are missing that
have values around it: power plants report late, and what is there is then no mix. Storage is in neither sum.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal

from tracker.grid.catalogue import DATA
from tracker.grid.entsoe_document import Generated, Generation

PSR_CSV = DATA / "psr_direct.csv"
#: Share of an interval's generation that may be without a factor or missing.
MAX_UNKNOWN = Decimal("0.05")
_MILLIGRAM = Decimal("0.001")


@dataclass(frozen=True, slots=True)
class Factors:
    """``g_per_kwh`` by type of plant; types that are in neither have no factor."""

    g_per_kwh: Mapping[str, Decimal]
    storage: frozenset[str]


@dataclass(frozen=True, slots=True)
class Intensity:
    start_s: int
    end_s: int
    g_per_kwh: Decimal


def direct_factors() -> Factors:
    return parse_factors(PSR_CSV.read_text("utf-8"))


def parse_factors(text: str) -> Factors:
    rows = list(csv.DictReader(text.splitlines()))
    return Factors(
        {row["psr"]: Decimal(row["g_per_kwh"]) for row in rows if row["g_per_kwh"]},
        frozenset(row["psr"] for row in rows if row["role"] == "storage"),
    )


def intensities(generation: Generation, factors: Factors) -> tuple[Intensity, ...]:
    """In order. All types are brought to the longest interval that one of them has."""
    kinds = {kind: points for kind, points in generation.items() if kind not in factors.storage}
    step_s = max((each.length_s for points in kinds.values() for each in points.values()), default=0)
    mixes = {kind: _in_steps(points, step_s) for kind, points in kinds.items()}
    usual_mw = {kind: _mean(points.values()) for kind, points in kinds.items()}
    found = []
    for start_s in sorted({start_s for steps in mixes.values() for start_s in steps}):
        present = {kind: steps[start_s] for kind, steps in mixes.items() if start_s in steps}
        missing_mw = sum((mw for kind, mw in usual_mw.items() if kind not in present), Decimal(0))
        value = _intensity(present, missing_mw, factors)
        if value is not None:
            found.append(Intensity(start_s, start_s + step_s, value))
    return tuple(found)


def _in_steps(points: Mapping[int, Generated], step_s: int) -> dict[int, Decimal]:
    """Mean power of the steps that are there from end to end. Plants that take power generate none."""
    energy: dict[int, Decimal] = {}
    covered_s: dict[int, int] = {}
    for start_s, each in points.items():
        step = start_s // step_s * step_s
        energy[step] = energy.get(step, Decimal(0)) + max(each.power_mw, Decimal(0)) * each.length_s
        covered_s[step] = covered_s.get(step, 0) + each.length_s
    return {step: amount / step_s for step, amount in energy.items() if covered_s[step] == step_s}


def _mean(points: Collection[Generated]) -> Decimal:
    """Of what is there, in whole steps or not."""
    return sum((max(each.power_mw, Decimal(0)) for each in points), Decimal(0)) / max(len(points), 1)


def _intensity(present_mw: Mapping[str, Decimal], missing_mw: Decimal, factors: Factors) -> Decimal | None:
    """None: too little is known of what was generated."""
    known = {kind: mw for kind, mw in present_mw.items() if kind in factors.g_per_kwh}
    known_mw = sum(known.values(), Decimal(0))
    all_mw = sum(present_mw.values(), Decimal(0)) + missing_mw
    if not known_mw or all_mw - known_mw > all_mw * MAX_UNKNOWN:
        return None
    weight = sum((mw * factors.g_per_kwh[kind] for kind, mw in known.items()), Decimal(0))
    # What is not known of a mix emits something: 0 would say that nothing does.
    return (weight / known_mw).quantize(_MILLIGRAM) or None
