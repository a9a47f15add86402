"""The window in which a job of a given length would weigh least. Advice for planning, never part of an inventory.

Exact: values are fractions until somebody prints them. A hole in a forecast is never bridged: a window lies wholly in
intervals that are known.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate

from tracker.core.forecast import Expected


@dataclass(frozen=True, slots=True)
class Window:
    """UTC seconds, the end exclusive. ``g_per_kwh`` is the mean over the time in it, for a steady load."""

    start_s: int
    end_s: int
    g_per_kwh: Fraction


def greenest(points: Sequence[Expected], from_s: int, until_s: int, length_s: int) -> Window | None:
    """The window of ``length_s`` > 0 within [from_s, until_s] with the lowest mean, the earliest of equals; None: the
    forecast covers no such window. ``points`` are in order and do not overlap."""
    windows = (window for run in _runs(points, from_s, until_s) for window in run.windows(length_s))
    return min(windows, key=lambda window: (window.g_per_kwh, window.start_s), default=None)


def mean_over(points: Sequence[Expected], start_s: int, end_s: int) -> Fraction | None:
    """The mean of [start_s, end_s), not empty; None: the forecast does not cover all of it."""
    window = greenest(points, start_s, end_s, end_s - start_s)
    return None if window is None else window.g_per_kwh


@dataclass(frozen=True, slots=True)
class _Run:
    """Intervals without a hole between them: one more edge than intensities."""

    edges_s: list[int]
    intensities: list[Fraction]
    sums: list[Fraction]  # g/kWh x s from the first edge to each edge

    def windows(self, length_s: int) -> Iterator[Window]:
        """All that can have the lowest mean. The mean of a sliding window changes linearly until one of its ends meets
        an edge, so that its lowest values lie where one does."""
        first_s, last_s = self.edges_s[0], self.edges_s[-1] - length_s
        starts_s = {edge_s - shift_s for edge_s in self.edges_s for shift_s in (0, length_s)}
        for start_s in starts_s:
            if first_s <= start_s <= last_s:
                end_s = start_s + length_s
                yield Window(start_s, end_s, (self._sum_until(end_s) - self._sum_until(start_s)) / length_s)

    def _sum_until(self, at_s: int) -> Fraction:
        place = min(bisect_right(self.edges_s, at_s), len(self.intensities)) - 1
        return self.sums[place] + (at_s - self.edges_s[place]) * self.intensities[place]


def _runs(points: Sequence[Expected], from_s: int, until_s: int) -> Iterator[_Run]:
    """The intervals between two instants, in runs without a hole."""
    edges_s: list[int] = []
    intensities: list[Fraction] = []
    for point in points:
        start_s, end_s = max(point.start_s, from_s), min(point.end_s, until_s)
        if start_s >= end_s:
            continue
        if edges_s and edges_s[-1] != start_s:
            yield _run(edges_s, intensities)
            edges_s, intensities = [], []
        if not edges_s:
            edges_s.append(start_s)
        edges_s.append(end_s)
        intensities.append(Fraction(point.g_per_kwh))
    if edges_s:
        yield _run(edges_s, intensities)


def _run(edges_s: list[int], intensities: list[Fraction]) -> _Run:
    pieces = ((end_s - start_s) * g for start_s, end_s, g in zip(edges_s, edges_s[1:], intensities, strict=False))
    return _Run(edges_s, intensities, list(accumulate(pieces, initial=Fraction(0))))
