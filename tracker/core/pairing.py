"""Two factors whose difference is what lies upstream of a grid: both of one place, and of one year if there are any.

A grid changes from year to year by more than what is upstream of it: a life-cycle factor less the direct one of another
year mostly says how the grid has changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tracker.core.factors import FactorRow, FactorType, is_located, misfit

#: (direct, life-cycle)
Pair = tuple[FactorRow, FactorRow]
#: Of the beginnings of the two periods: a year, a leap one too.
FURTHEST_APART_S = 366 * 86_400


def choose_pair(rows: Iterable[FactorRow], zone: str, at_s: int, tiers: Sequence[int]) -> Pair | None:
    """Of the yearly factors of ``zone`` those two whose periods are nearest to each other; among several the better
    tiers, then what fits ``at_s``. None: there are no two within a year of each other."""
    usable = [row for row in rows if row.zone == zone and row.quality_tier in tiers and is_located(row)]
    dated = [row for row in usable if row.value_printed and row.valid_to_s]
    pairs = (
        (direct, lifecycle)
        for direct in dated
        if direct.factor_type is FactorType.DIRECT
        for lifecycle in dated
        if lifecycle.factor_type is FactorType.LIFECYCLE
    )
    best = min(pairs, key=lambda pair: _rank(pair, at_s, tiers), default=None)
    return None if best is None or _apart_s(best) > FURTHEST_APART_S else best


def pair_step(pair: Pair) -> str:
    """What is wrong with the periods; "": they are the same."""
    direct, lifecycle = pair
    if not _apart_s(pair):
        return ""
    years = f"The life-cycle factor is of {_period(lifecycle)}, the direct one of {_period(direct)}"
    return f"{years}: some of their difference is that of the years."


def _rank(pair: Pair, at_s: int, tiers: Sequence[int]) -> tuple[object, ...]:
    """The smaller the better."""
    return (
        _apart_s(pair),
        *(tiers.index(row.quality_tier) for row in pair),
        *(misfit(row, at_s) for row in pair),
    )


def _apart_s(pair: Pair) -> int:
    return abs(pair[0].valid_from_s - pair[1].valid_from_s)


def _period(row: FactorRow) -> str:
    return row.edition if row.data_year == "unspecified" else row.data_year
