"""From exact sums to what is printed: each column rounded once, so that rows, days and totals foot (P9)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from tracker.books.sums import NAMES, RowSums, Sums
from tracker.core.footing import foot, half_even
from tracker.core.statement import Amounts, Line, Ratios
from tracker.core.weights import DEVICE_MH, EMBODIED_G, FACILITY_WH, HUNDREDTH, WH, G

PPM = 1_000_000
NG_PER_MG = 1_000_000
#: The row of the whole statement.
TOTAL = "total"


@dataclass(frozen=True, slots=True)
class Printed:
    """Rows in the order in which they were given, and the total that they add up to."""

    rows: list[Amounts]
    total: Amounts


def added(sums: Iterable[Sums]) -> Sums:
    """The sum of each column; of what is known in part, the known part."""
    columns: list[int | None] = [0 if kind else None for kind in _ALWAYS]
    for each in sums:
        for n, name in enumerate(NAMES):
            value: int | None = getattr(each, name)
            if value is not None:
                columns[n] = (columns[n] or 0) + value
    return Sums(*columns)  # type: ignore[arg-type]  # _ALWAYS says which are never None


_KNOWN_OR_NOT = frozenset({"annual", "hourly", "market", "upstream", "cost", "embodied"})
_ALWAYS = tuple(name not in _KNOWN_OR_NOT for name in NAMES)


def print_columns(sums: Sequence[Sums], method: str, total: Amounts | None = None) -> Printed:
    """Round every column. ``method``: annual or hourly, which of the two is ``location_g``. ``total``: printed already,
    for days beside rows; None: the exact sums, rounded."""
    column = _Columns(sums, total)
    columns = {**_energies(column, method), **_emissions(column)}
    columns["location_g"] = columns[f"location_{method}_g"]
    names = [field.name for field in fields(Amounts)]
    rows = zip(*(columns[name][1] for name in names), strict=True)
    return Printed(
        [Amounts(**dict(zip(names, row, strict=True))) for row in rows],
        Amounts(**{name: columns[name][0] for name in names}),
    )


#: The printed total of a column, and its rows.
Column = tuple[Any, list[Any]]


def _energies(column: _Columns, method: str) -> dict[str, Column]:
    """IT energy is printed as the sum of what it is printed to be made of, and facility energy as IT energy with the
    overhead: so rows foot across, and what there is nothing of is 0 in rows and in days alike, under the same totals.
    What is idle, unweighed and unpriced cuts across them, and is bounded by them: there days give way by single Wh
    where the total of the rows leaves no other room."""
    (measured_wh, simulated_wh, modelled_wh), overhead_wh = column.parts()
    measured = column.whole("measured_uj", WH, measured_wh)
    simulated = column.whole("simulated_uj", WH, simulated_wh)
    modelled = column.whole("modelled_uj", WH, modelled_wh)
    it = _plus(_plus(measured, simulated), modelled)
    facility = _plus(it, column.whole("overhead_nj", FACILITY_WH, overhead_wh))
    none = [0] * len(it[1])
    return {
        "energy_it_wh": it,
        "energy_facility_wh": facility,
        "measured_wh": measured,
        "simulated_wh": simulated,
        "idle_wh": column.whole("idle_uj", WH, column.printed("idle_wh"), at_least=none, at_most=it[1]),
        "device_mh": column.whole("held_ms", DEVICE_MH, column.printed("device_mh")),
        "unweighed_wh": column.missing("unweighed_wh", method, facility[1]),
        "unpriced_wh": column.missing("unpriced_wh", "cost", facility[1]),
    }


def _plus(one: Column, other: Column) -> Column:
    return one[0] + other[0], [a + b for a, b in zip(one[1], other[1], strict=True)]


def _emissions(column: _Columns) -> dict[str, Column]:
    return {
        "location_annual_g": column.known("location_annual_g", "annual", G),
        "location_hourly_g": column.known("location_hourly_g", "hourly", G),
        "market_g": column.known("market_g", "market", G),
        "upstream_g": column.known("upstream_g", "upstream", G),
        "embodied_g": column.known("embodied_g", "embodied", EMBODIED_G),
        "cost_hundredths": column.known("cost_hundredths", "cost", HUNDREDTH),
    }


class _Columns:
    """One column after the other."""

    def __init__(self, sums: Sequence[Sums], total: Amounts | None) -> None:
        self._sums, self._total = sums, total

    def printed(self, name: str) -> int | None:
        """The total of a column, where it is printed already."""
        value: int | None = None if self._total is None else getattr(self._total, name)
        return value

    def parts(self) -> tuple[list[int], int]:
        """Totals of measured, simulated and modelled energy, which add up to that of IT energy, and of the overhead."""
        if self._total is not None:
            of = self._total
            return [of.measured_wh, of.simulated_wh, of.modelled_wh], of.energy_overhead_wh
        names = ("measured_uj", "simulated_uj", "modelled_uj")
        it_wh, parts = foot([sum(getattr(each, name) for each in self._sums) for name in names], WH)
        facility_wh = half_even(sum(each.facility_nj for each in self._sums), FACILITY_WH)
        return parts, facility_wh - it_wh

    def whole(
        self,
        of: str,
        denominator: int,
        total: int | None,
        *,
        at_least: Sequence[int] | None = None,
        at_most: Sequence[int] | None = None,
    ) -> Column:
        """A column that is always known."""
        exact = [getattr(each, of) for each in self._sums]
        return foot(exact, denominator, total=total, at_least=at_least, at_most=at_most)

    def missing(self, name: str, basis: str, facility_wh: Sequence[int]) -> Column:
        """Energy that is in none of a basis' known sums: none of a row of which all is known, and all of one of which
        nothing is. Of days, as far as the total that is printed already leaves room for it."""
        rows = zip(self._sums, facility_wh, strict=True)
        least = [wh if getattr(each, basis) is None else 0 for each, wh in rows]
        return self.whole(f"{basis}_unknown_nj", FACILITY_WH, self.printed(name), at_least=least, at_most=facility_wh)

    def known(self, name: str, of: str, denominator: int) -> Column:
        """A column that may be unknown, in a row or altogether."""
        values: list[int | None] = [getattr(each, of) for each in self._sums]
        exact = [value for value in values if value is not None]
        if not exact:
            return None, [None] * len(values)
        total, parts = foot(exact, denominator, total=self.printed(name))
        left = iter(parts)
        return total, [None if value is None else next(left) for value in values]


#: Covered over expected device time of a row, in ppm, by its key; None: not known.
CoverageOf = Callable[[tuple[str, ...]], int | None]


def lines_of(month: str, rows: Sequence[RowSums], method: str, coverage: CoverageOf) -> tuple[tuple[Line, ...], Line]:
    """The rows, in the order of their keys, and the total."""
    printed = print_columns([row.sums for row in rows], method)
    lines = tuple(
        Line(
            row_id(month, row.key, row.scope, row.category),
            row.key,
            amounts,
            ratios_of(row.sums, method, coverage(row.key)),
            row.scope,
            row.category,
        )
        for row, amounts in zip(rows, printed.rows, strict=True)
    )
    width = len(rows[0].key) if rows else 0
    whole = ratios_of(added(row.sums for row in rows), method, coverage(()))
    return lines, Line(TOTAL, ("",) * width, printed.total, whole, "", "")


def ratios_of(sums: Sums, method: str, coverage_ppm: int | None) -> Ratios:
    weighed_nj = sums.facility_nj - getattr(sums, f"{method}_unknown_nj")
    location: int | None = getattr(sums, method)
    if weighed_nj <= 0 or location is None:
        return Ratios(None, None, coverage_ppm)
    estimated_nj: int = getattr(sums, f"{method}_estimated_nj")
    return Ratios(half_even(location, weighed_nj * NG_PER_MG), half_even(estimated_nj * PPM, weighed_nj), coverage_ppm)


def row_id(month: str, key: Sequence[str], scope: str, category: str, kind: str = "") -> str:
    """The same for the same row of a month, whatever its amounts are."""
    named = json.dumps([month, *key, scope, category, *([kind] if kind else [])], ensure_ascii=False)
    return hashlib.sha256(named.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def merged(rows: Iterable[RowSums]) -> list[RowSums]:
    """Rows whose key and scope are the same, together: where nothing in it tells remainders from work. Where
    hardware is counted at all, what a building uses has none of it: 0, and not unknown."""
    found: dict[tuple[tuple[str, ...], str, str], RowSums] = {}
    for row in rows:
        place = (row.key, row.scope, row.category)
        other = found.get(place)
        found[place] = row if other is None else replace(other, remainder=False, sums=added((other.sums, row.sums)))
    if all(row.sums.embodied is None for row in found.values()):
        return list(found.values())
    return [
        replace(row, sums=replace(row.sums, embodied=0)) if _is_of_building(row.sums) else row for row in found.values()
    ]


def _is_of_building(sums: Sums) -> bool:
    """Nothing but overhead (``statement.py``): no computer took part."""
    return (sums.it_uj, sums.held_ms, sums.embodied) == (0, 0, None) and sums.overhead_nj > 0
