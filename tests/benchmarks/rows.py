"""What a benchmark says: rows with a number, its budget where there is one, and how it was taken."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

HEADER = ("metric", "measured", "budget", "verdict", "how")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. ``value`` None: it could not be measured, and ``how`` says why."""

    section: str
    metric: str
    value: float | None
    unit: str
    budget: float | None = None
    how: str = ""

    @property
    def measured(self) -> str:
        return "-" if self.value is None else quantity(self.value, self.unit)

    @property
    def limit(self) -> str:
        return "" if self.budget is None else f"<= {quantity(self.budget, self.unit)}"

    @property
    def verdict(self) -> str:
        if self.value is None:
            return "not measured"
        if self.budget is None:
            return ""
        return "under" if self.value <= self.budget else "over"

    def cells(self) -> tuple[str, ...]:
        return (self.metric, self.measured, self.limit, self.verdict, self.how)

    def as_dict(self) -> dict[str, object]:
        return {
            "section": self.section,
            "metric": self.metric,
            "value": self.value,
            "unit": self.unit,
            "budget": self.budget,
            "verdict": self.verdict,
            "how": self.how,
        }


def quantity(value: float, unit: str) -> str:
    """Three significant figures; whole numbers as they are: "0.0521 CPU-s/min", "0 µJ", "1240 series"."""
    if value == int(value) and abs(value) < 10**15:
        return f"{int(value)} {unit}"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{min(decimals, 6)}f} {unit}"


def percentile(values: Sequence[float], percent: float) -> float:
    """Nearest rank: the smallest value that ``percent`` of the values do not exceed. Raises ValueError when empty."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def median(values: Sequence[float]) -> float:
    return percentile(values, 50)


def text_table(rows: Sequence[Row]) -> str:
    """Aligned columns, with a line for each section."""
    lines = [HEADER, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADER) - 1)]
    printed = [_aligned(HEADER, widths), "-" * (sum(widths) + 2 * len(widths) + 20)]
    section = ""
    for row in rows:
        if row.section != section:
            section = row.section
            printed.append(f"[{section}]")
        printed.append(_aligned(row.cells(), widths))
    return "\n".join(printed) + "\n"


def markdown_table(rows: Sequence[Row]) -> str:
    lines = [f"| {' | '.join(HEADER)} |", f"|{'---|' * len(HEADER)}"]
    for row in rows:
        cells = " | ".join(cell.replace("|", "/") for cell in row.cells())
        lines.append(f"| {cells} |")
    return "\n".join(lines) + "\n"


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=False)]
    return "  ".join([*padded, cells[-1]]).rstrip()
