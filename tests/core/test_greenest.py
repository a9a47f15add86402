"""The greenest window: what somebody who waits for it would lose if it were wrong."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from tracker.core.forecast import Expected
from tracker.core.greenest import Window, greenest, mean_over

HOUR = 3600


def hours(*values: str | None, start_s: int = 0) -> list[Expected]:
    """One interval an hour; None is a hole."""
    return [
        Expected(start_s + n * HOUR, start_s + (n + 1) * HOUR, Decimal(value))
        for n, value in enumerate(values)
        if value is not None
    ]


def test_the_lowest_hours_in_a_row_win() -> None:
    points = hours("50", "40", "10", "20", "60")
    assert greenest(points, 0, 5 * HOUR, 2 * HOUR) == Window(2 * HOUR, 4 * HOUR, Fraction(15))


def test_of_equals_the_earliest_is_taken() -> None:
    points = hours("50", "20", "90", "20")
    assert greenest(points, 0, 4 * HOUR, HOUR) == Window(HOUR, 2 * HOUR, Fraction(20))
    assert greenest(hours("7", "7", "7"), 100, 3 * HOUR, HOUR) == Window(100, 100 + HOUR, Fraction(7))


def test_a_hole_is_never_bridged() -> None:
    """The two lowest hours are not neighbours: nobody knows what is between them."""
    points = hours("50", "1", None, "1", "60", "70")
    assert greenest(points, 0, 6 * HOUR, 2 * HOUR) == Window(0, 2 * HOUR, Fraction(51, 2))
    assert greenest(points, 0, 6 * HOUR, 4 * HOUR) is None
    assert mean_over(points, HOUR, 3 * HOUR) is None


def test_a_window_may_begin_and_end_inside_intervals() -> None:
    """90 minutes of which the best hour is one: the other half hour is taken where it is cheaper."""
    points = hours("30", "10", "20")
    assert greenest(points, 0, 3 * HOUR, 5400) == Window(HOUR, HOUR + 5400, Fraction(40, 3))
    points = hours("20", "10", "30")
    assert greenest(points, 0, 3 * HOUR, 5400) == Window(1800, 2 * HOUR, Fraction(40, 3))


def test_nothing_before_now_or_beyond_the_horizon_is_offered() -> None:
    """The current interval has begun, and the last one is cut by the horizon."""
    points = hours("1", "50", "40", "2")
    assert greenest(points, 1800, 3 * HOUR + 1800, HOUR) == Window(2 * HOUR + 1800, 3 * HOUR + 1800, Fraction(21))
    assert greenest(points, 1800, 3 * HOUR + 1799, 3 * HOUR) is None, "a second too short"


def test_the_mean_from_now_on_is_exact() -> None:
    points = hours("0.1", "0.2", "0.4")
    assert mean_over(points, 1800, 1800 + HOUR) == Fraction(3, 20)
    assert mean_over(points, 0, 3 * HOUR) == Fraction(7, 30), "no float could say so"
    assert mean_over(points, 0, 3 * HOUR + 1) is None
    assert mean_over([], 0, HOUR) is None


@st.composite
def forecasts(draw: st.DrawFn) -> Sequence[Expected]:
    """Intervals of several lengths with holes between some."""
    points, at_s = [], 0
    for _ in range(draw(st.integers(0, 6))):
        at_s += draw(st.sampled_from([0, 0, 0, 3]))
        end_s = at_s + draw(st.integers(1, 6))
        points.append(Expected(at_s, end_s, draw(st.decimals(0, 9, places=1))))
        at_s = end_s
    return points


@given(forecasts(), st.integers(0, 10), st.integers(0, 30), st.integers(1, 12))
def test_it_is_what_trying_every_second_finds(
    points: Sequence[Expected], from_s: int, lasting_s: int, length_s: int
) -> None:
    second = {at_s: Fraction(point.g_per_kwh) for point in points for at_s in range(point.start_s, point.end_s)}
    spans = [range(start_s, start_s + length_s) for start_s in range(from_s, from_s + lasting_s - length_s + 1)]
    tried = [
        Window(span.start, span.stop, sum((second[at_s] for at_s in span), Fraction(0)) / length_s)
        for span in spans
        if second.keys() >= set(span)
    ]
    best = min(tried, key=lambda window: (window.g_per_kwh, window.start_s), default=None)
    assert greenest(points, from_s, from_s + lasting_s, length_s) == best
