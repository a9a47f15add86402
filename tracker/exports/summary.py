"""What fits on one page of a statement: sums of its printed rows by scope, by team and by month.

Sums of integers that are printed already; nothing is rounded here but tonnes, whose columns foot by ``core.footing``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tracker.core import percent
from tracker.core.footing import foot, half_even
from tracker.core.statement import Amounts, Statement
from tracker.exports.columns import added, fixed

NOT_DECLARED = "(not declared)"
NOT_KNOWN = "not known"
THOUSAND, PPM = 1000, 1_000_000
TREND_MONTHS = 12


@dataclass(frozen=True, slots=True)
class Part:
    name: str
    amounts: Amounts


def by_scope(statement: Statement) -> list[Part]:
    """Electricity by the scope in which it is booked; supply of fuel and grid losses are in ``upstream_g``."""
    parts: dict[tuple[str, str], Amounts] = {}
    for row in statement.rows:
        key = (row.scope, row.category)
        parts[key] = added(parts.get(key), row.amounts)
    return [Part(scope_name(*key), parts[key]) for key in sorted(parts)]


def scope_name(scope: str, category: str) -> str:
    return f"Scope {scope}, category {category}" if category else f"Scope {scope}"


def team_dimension(statement: Statement) -> str:
    """What the page tells apart: teams, or whatever comes first in the grouping."""
    return "team" if "team" in statement.group_by else (*statement.group_by, "team")[0]


def by_team(statement: Statement, limit: int = 12) -> list[Part]:
    """The largest by energy; where there are more than ``limit``, the last part is all others."""
    dimension = team_dimension(statement)
    place = statement.group_by.index(dimension) if dimension in statement.group_by else None
    parts: dict[str, Amounts] = {}
    for row in statement.rows:
        name = row.key[place] if place is not None else ""
        parts[name] = added(parts.get(name), row.amounts)
    ordered = sorted(parts, key=lambda name: (-parts[name].energy_facility_wh, name))
    shown = ordered if len(ordered) <= limit else ordered[: limit - 1]
    named = [Part(printed(name), parts[name]) for name in shown]
    others = ordered[len(shown) :]
    rest = total(parts[name] for name in others)
    return named if rest is None else [*named, Part(f"{len(others)} others", rest)]


def printed(name: str) -> str:
    """A label in one line, without what turns the direction of writing or rings a bell."""
    return " ".join("".join(each if each.isprintable() else " " for each in name).split()) or NOT_DECLARED


def total(each: Iterable[Amounts]) -> Amounts | None:
    """None: of nothing."""
    summed: Amounts | None = None
    for amounts in each:
        summed = added(summed, amounts)
    return summed


def trend(statement: Statement) -> list[Part]:
    """Up to twelve months, this one the last."""
    before = [Part(month, amounts) for month, amounts in sorted(statement.months) if month < statement.period.month]
    return [*before[-(TREND_MONTHS - 1) :], Part(statement.period.month, statement.total.amounts)]


def footed(values: Sequence[int | None], whole: int | None) -> tuple[int | None, list[int | None]]:
    """The total and its parts in thousands (g as kg, which are thousandths of a tonne; Wh as kWh), adding up. None
    stays None."""
    known = [value for value in values if value is not None]
    if whole is None:
        return None, [None] * len(values)
    if sum(known) != whole:  # parts that are no partition of the total have nothing to add up to
        return half_even(whole, THOUSAND), [None if value is None else half_even(value, THOUSAND) for value in values]
    printed_total, printed_parts = foot(known, THOUSAND)
    rest = iter(printed_parts)
    return printed_total, [None if value is None else next(rest) for value in values]


def shares(parts: Sequence[int], whole: int) -> list[str]:
    """Of a whole that they add up to, in per cent that add up to 100.0 %."""
    if whole <= 0 or sum(parts) != whole:
        return [percent.nearest(part, whole) or NOT_KNOWN for part in parts]
    return [percent.tenths(each) for each in foot([part * THOUSAND for part in parts], whole)[1]]


def ppm(part: int, whole: int) -> int | None:
    """Rounded half to even. None: nothing to divide by."""
    return half_even(part * PPM, whole) if whole > 0 else None


def cut_ppm(part: int, whole: int) -> int | None:
    """Of what is to be whole, and so never rounded up."""
    return part * PPM // whole if whole > 0 else None


#: What has no column of its own for the energy that is not in it.
_SUMS = {
    "annual": "location-based emissions by yearly factors",
    "hourly": "location-based emissions by factors of the hour",
    "market": "market-based emissions",
    "upstream": "upstream emissions",
}


def unknown(statement: Statement) -> list[tuple[str, int]]:
    """Sums that do not have all energy in them, and how much facility energy (Wh) is not. Of the location-based sum and
    of the cost the columns unweighed and unpriced say it, row by row."""
    return [
        (_SUMS[basis], energy_wh)
        for basis, energy_wh in statement.unknown_wh
        if energy_wh and basis in _SUMS and basis != statement.location_method
    ]


def unknown_text(statement: Statement) -> str:
    """As "market-based emissions: 1.000 kWh; upstream emissions: 2.000 kWh"; "": all energy is in all of them."""
    return "; ".join(f"{name}: {fixed(energy_wh, 3)} kWh" for name, energy_wh in unknown(statement))


def is_priced(statement: Statement) -> bool:
    """Whether there is any cost that energy could be missing in."""
    return statement.total.amounts.cost_hundredths is not None
