"""Column charts over months as geometry: integers in tenths of a pixel, so that every machine draws the same.

The template only places what stands here. Each chart has an axis with round steps, a name at every month, and a text
that says the same to those who do not see it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tracker.exports.columns import fixed

WIDTH, HEIGHT = 6800, 2100
LEFT, RIGHT, TOP, BOTTOM = 620, 60, 120, 260
_STEPS = 5  # at most, on the axis
_GAP_PERCENT = 28  # of a month's place
_WIDEST = 700  # where there are few months


@dataclass(frozen=True, slots=True)
class Rect:
    """``says``: its value for a person."""

    x: int
    y: int
    width: int
    height: int
    series: int
    says: str


@dataclass(frozen=True, slots=True)
class Tick:
    y: int
    label: str


@dataclass(frozen=True, slots=True)
class Label:
    x: int
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    name: str  # unique on the page
    title: str
    unit: str
    says: str
    series: tuple[str, ...]
    ticks: tuple[Tick, ...]
    rects: tuple[Rect, ...]
    labels: tuple[Label, ...]

    @property
    def drawn(self) -> bool:
        """Whether there is anything to see."""
        return any(rect.height for rect in self.rects)


@dataclass(frozen=True, slots=True)
class Month:
    """``values``: one for each series, in millionths of the chart's unit; None: not known."""

    name: str
    values: tuple[int | None, ...]


def columns(
    name: str, title: str, unit: str, series: tuple[str, ...], months: Sequence[Month], *, stacked: bool
) -> Chart:
    """``stacked``: the series of a month on top of one another, else beside one another. Values below zero (which no
    month has that was measured) are drawn as nothing and said."""
    sizes = [[max(value or 0, 0) for value in month.values] for month in months]
    top = max((sum(each) if stacked else max(each) for each in sizes), default=0)
    step = round_step(top)
    highest = max(step * -(-top // step), step)
    rects: list[Rect] = []
    labels: list[Label] = []
    place = (WIDTH - LEFT - RIGHT) // max(len(months), 1)
    inner = min(place * (100 - _GAP_PERCENT) // 100, _WIDEST)
    for number, (month, heights) in enumerate(zip(months, sizes, strict=True)):
        x = LEFT + number * place + (place - inner) // 2
        labels.append(Label(LEFT + number * place + place // 2, month.name))
        rects += _of_month(month, heights, series, unit, x, inner, highest, stacked=stacked)
    ticks = tuple(Tick(_y(value, highest), amount(value)) for value in range(0, highest + 1, step))
    says = f"{title}, {unit}. " + " ".join(f"{each.name}: {_said(each, series, unit)}." for each in months)
    return Chart(name, title, unit, says, series, ticks, tuple(rects), tuple(labels))


def _of_month(
    month: Month,
    heights: Sequence[int],
    series: Sequence[str],
    unit: str,
    x: int,
    inner: int,
    highest: int,
    *,
    stacked: bool,
) -> list[Rect]:
    rects, below = [], 0
    width = inner if stacked else inner // len(series)
    for place, (height, value) in enumerate(zip(heights, month.values, strict=True)):
        foot_y, top_y = _y(below, highest), _y(below + height, highest)
        says = f"{month.name}, {series[place]}: {_value(value, unit)}"
        left = x if stacked else x + place * width
        rects.append(Rect(left, top_y, width, foot_y - top_y, place, says))
        below += height if stacked else 0
    return rects


def _y(value: int, highest: int) -> int:
    return HEIGHT - BOTTOM - value * (HEIGHT - TOP - BOTTOM) // highest


def round_step(top: int) -> int:
    """1, 2 or 5 times a power of ten, so that at most ``_STEPS`` of them reach ``top``."""
    step = 1
    while True:
        for factor in (1, 2, 5):
            if factor * step * _STEPS >= top:
                return factor * step
        step *= 10


def amount(value: int) -> str:
    """Millionths as a decimal without zeros at its end."""
    whole, _, rest = fixed(value, 6).partition(".")
    return f"{int(whole):,}" + (f".{rest.rstrip('0')}" if rest.strip("0") else "")


def _value(value: int | None, unit: str) -> str:
    return "not known" if value is None else f"{fixed(value // 1000, 3)} {unit}"


def _said(month: Month, series: Sequence[str], unit: str) -> str:
    return ", ".join(f"{name} {_value(value, unit)}" for name, value in zip(series, month.values, strict=True))
