"""Charts: where lines break, how axes are cut, and that a long history stays small."""

from __future__ import annotations

import pytest

from tracker.core.snapshot import PowerPoint
from tracker.web.node import charts


def points(*powers_mw: int | None, step_s: float = 5.0) -> list[PowerPoint]:
    return [PowerPoint(1000.0 + step_s * i, {} if mw is None else {"gpu": mw}) for i, mw in enumerate(powers_mw)]


def test_a_missing_reading_breaks_the_line() -> None:
    """Absence is never drawn as zero."""
    drawn = charts.spark(points(50, 100, None, 100, 50), "gpu", 100)
    assert 'd="M0 12.0L25 1.0M75 1.0L100 12.0"' in drawn


def test_time_without_points_is_a_hole() -> None:
    """The daemon was down for a while: two runs."""
    assert charts.axis([0, 5, 10, 100, 105]) == charts.Axis((0, 48, 95, 952, 1000), ((0, 3), (3, 5)))


@pytest.mark.parametrize("times_s", [[], [7.0], [10, 5, 0], [5, 5, 5]])
def test_a_clock_that_was_set_back_does_not_turn_the_chart(times_s: list[float]) -> None:
    """Points are then placed evenly."""
    places = charts.axis(times_s)
    assert list(places.x) == sorted(places.x)
    assert places.runs == ((0, len(times_s)),)


@pytest.mark.parametrize(("highest", "step"), [(1, 1), (5, 1), (6, 2), (3_877_750, 1_000_000), (700_000, 200_000)])
def test_grid_lines_are_round(highest: int, step: int) -> None:
    """1, 2 or 5 times a power of ten; at most five of them."""
    assert charts.nice_step(highest) == step


def test_a_long_history_is_thinned() -> None:
    """A day of ticks is as small as ten minutes; means of what there is."""
    history = points(*([100, 300, None] * 6000))
    thinned = charts.thin(history)
    assert len(thinned) <= 180
    assert {point.power_mw["gpu"] for point in thinned} <= {198, 199, 200, 201, 202}


def test_a_point_without_readings_stays_without() -> None:
    """A mean of nothing is nothing."""
    assert charts.thin(points(None, None, 5, 5), 2)[0].power_mw == {}


def test_bars_never_leave_their_box() -> None:
    """More than the whole is cut by the picture's edge; nothing of nothing is empty."""
    assert charts.bar([(5, "a")], 0) == '<svg class="bar" width="100%" aria-hidden="true"></svg>'
    assert '<rect class="b" x="25.00%" width="75.00%" height="100%"/>' in charts.bar([(1, "a"), (3, "b")], 4)
