"""Charts as SVG without style attributes (the page's content policy forbids them): classes colour, attributes place.

A plot is stretched to the width of the page while its labels keep their size: the lines are in an inner ``svg`` with
its own coordinates, the words are outside of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tracker.core.snapshot import PowerPoint
from tracker.web.node import figures
from tracker.web.node.markup import text

WIDTH = 1000  # inner units of the time axis
HEIGHT = 160  # px of the plot
TOP = 8  # px above it, for half of the uppermost label
_POINTS = 180  # a phone has not many more pixels
_SPARK_POINTS = 60
_BREAK = 2.5  # a pause this many times the usual step is a hole, not a line


@dataclass(frozen=True, slots=True)
class Band:
    """One layer of a stack: its class, and at each point its power in mW (None: no reading)."""

    css: str
    power_mw: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Axis:
    """The horizontal place of each point, and the runs of points without a hole between them."""

    x: tuple[int, ...]
    runs: tuple[tuple[int, int], ...]  # [first, last)


def thin(history: Sequence[PowerPoint], limit: int = _POINTS) -> tuple[PowerPoint, ...]:
    """At most about ``limit`` points: neighbours are averaged where they have readings."""
    size = -(-len(history) // limit) if history else 1
    if size == 1:
        return tuple(history)
    return tuple(_mean(history[start : start + size]) for start in range(0, len(history), size))


def _mean(points: Sequence[PowerPoint]) -> PowerPoint:
    total: dict[str, int] = {}
    count: dict[str, int] = {}
    for point in points:
        for key, power_mw in point.power_mw.items():
            total[key] = total.get(key, 0) + power_mw
            count[key] = count.get(key, 0) + 1
    return PowerPoint(points[-1].wall_s, {key: value // count[key] for key, value in total.items()})


def axis(times_s: Sequence[float]) -> Axis:
    """Places by time. Where the clock was set back, evenly: a chart must not run backwards."""
    steps = [after - before for before, after in pairwise(times_s)]
    if not steps or min(steps) <= 0:
        last = max(1, len(times_s) - 1)
        return Axis(tuple(WIDTH * index // last for index in range(len(times_s))), ((0, len(times_s)),))
    usual_s = sorted(steps)[len(steps) // 2]
    cuts = [0, *(i + 1 for i, step in enumerate(steps) if step > _BREAK * usual_s), len(times_s)]
    span_s = times_s[-1] - times_s[0]
    x = tuple(round(WIDTH * (time_s - times_s[0]) / span_s) for time_s in times_s)
    return Axis(x, tuple(pairwise(cuts)))


def nice_step(highest: int) -> int:
    """The distance of grid lines: 1, 2 or 5 times a power of ten, so that two to five of them reach ``highest``."""
    step = 1
    while step * 5 < highest:
        step = step * 5 // 2 if str(step)[0] == "2" else step * 2
    return step


def stacked(bands: Sequence[Band], times_s: Sequence[float], holes: Sequence[bool], words: Mapping[str, str]) -> str:
    """The chart of total power. ``holes``: points at which a device had no reading. ``words``: "title", "start",
    "end"."""
    places = axis(times_s)
    base = [0] * len(times_s)
    tops: list[tuple[str, list[int], list[int]]] = []
    for band in bands:
        top = [low + (power_mw or 0) for low, power_mw in zip(base, band.power_mw, strict=True)]
        tops.append((band.css, base, top))
        base = top
    step = nice_step(max(1, *base))
    ceiling = step * -(-max(1, *base) // step)
    drawn = "".join(_band(css, low, top, places, ceiling) for css, low, top in tops)
    drawn += "".join(_hole(places.x, first, last) for first, last in _stretches(holes))
    levels = [(TOP + round(HEIGHT - HEIGHT * value / ceiling), value) for value in range(0, ceiling + 1, step)]
    labels = "".join(f'<text x="100%" y="{y + 4}" text-anchor="end">{_tick(value)}</text>' for y, value in levels)
    lines = "".join(f'<line x1="0" x2="100%" y1="{y}" y2="{y}"/>' for y, _ in levels)
    foot = TOP + HEIGHT + 18
    return (
        f'<div class="chart"><svg class="scale" height="{foot + 4}" aria-hidden="true">{labels}</svg>'
        f'<svg class="plot" height="{foot + 4}" role="img" aria-labelledby="chart-title">'
        f'<title id="chart-title">{text(words["title"])}</title>'
        f'<svg y="{TOP}" width="100%" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none">'
        f'{drawn}</svg><g class="grid">{lines}</g>'
        f'<text x="0" y="{foot}">{text(words["start"])}</text>'
        f'<text x="100%" y="{foot}" text-anchor="end">{text(words["end"])}</text></svg></div>'
    )


def _band(css: str, low: Sequence[int], top: Sequence[int], places: Axis, ceiling: int) -> str:
    area, line = [], []
    for first, last in places.runs:
        there = [f"{places.x[i]} {_y(top[i], ceiling)}" for i in range(first, last)]
        back = [f"{places.x[i]} {_y(low[i], ceiling)}" for i in reversed(range(first, last))]
        area.append(f"M{'L'.join(there)}L{'L'.join(back)}Z")
        line.append(f"M{'L'.join(there)}")
    return f'<path class="area {css}" d="{"".join(area)}"/><path class="line {css}" d="{"".join(line)}"/>'


def _y(power_mw: int, ceiling: int) -> str:
    return f"{HEIGHT - HEIGHT * power_mw / ceiling:.1f}".removesuffix(".0")


def _tick(power_mw: int) -> str:
    """A round value without the zeros that three digits would bring."""
    shown = figures.power(power_mw)
    number = shown.number.rstrip("0").rstrip(".") if "." in shown.number else shown.number
    return str(figures.Figure(number, shown.unit))


def _stretches(flags: Sequence[bool]) -> list[tuple[int, int]]:
    """First and last index of each run of True."""
    found: list[tuple[int, int]] = []
    for index, flag in enumerate(flags):
        if flag and found and found[-1][1] == index - 1:
            found[-1] = (found[-1][0], index)
        elif flag:
            found.append((index, index))
    return found


def _hole(x: Sequence[int], first: int, last: int) -> str:
    start = x[max(0, first - 1)]
    return f'<rect class="hole" x="{start}" y="{HEIGHT - 4}" width="{max(4, x[last] - start)}" height="4"/>'


def spark(history: Sequence[PowerPoint], key: str, limit_mw: int) -> str:
    """A device's power as a small line between 0 and its limit, broken where there was no reading."""
    parts: list[str] = []
    run: list[str] = []
    places = axis([point.wall_s for point in history])
    top = max([limit_mw, 1, *(point.power_mw.get(key, 0) for point in history)])
    starts = {first for first, _ in places.runs}
    for index, point in enumerate(history):
        power_mw = point.power_mw.get(key)
        if (power_mw is None or index in starts) and run:
            parts.append("M" + "L".join(run))
            run = []
        if power_mw is not None:
            run.append(f"{places.x[index] // 10} {23 - 22 * power_mw / top:.1f}")
    if run:
        parts.append("M" + "L".join(run))
    lines = "".join(parts)
    return (
        '<svg class="spark" viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true">'
        f'<path class="base" d="M0 23.5H100"/><path class="line" d="{lines}"/></svg>'
    )


def bar(parts: Sequence[tuple[int, str]], whole: int) -> str:
    """A horizontal bar: (amount, class) one after the other, of ``whole``. The numbers are beside it."""
    pieces, at = [], 0
    for amount, css in parts:
        if amount > 0 and whole > 0:
            start, width = 100 * at / whole, 100 * amount / whole
            pieces.append(f'<rect class="{css}" x="{start:.2f}%" width="{width:.2f}%" height="100%"/>')
        at += amount
    return f'<svg class="bar" width="100%" aria-hidden="true">{"".join(pieces)}</svg>'
