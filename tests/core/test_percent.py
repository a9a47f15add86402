"""A share looks the same wherever it is printed."""

from __future__ import annotations

import pytest

from tracker.core.percent import cut, nearest, tenths


@pytest.mark.parametrize(
    ("ppm", "said"), [(0, "0.00 %"), (999_999, "99.99 %"), (999_650, "99.96 %"), (1_000_000, "100.00 %")]
)
def test_what_is_to_be_whole_is_never_rounded_up(ppm: int, said: str) -> None:
    assert cut(ppm) == said


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [
        (217_994, 1_000_000, "21.8 %"),
        (5375, 10_000, "53.8 %"),
        (1, 2000, "0.0 %"),
        (3, 2000, "0.2 %"),
        (-1, 1000, "-0.1 %"),
        (5, 0, None),
    ],
)
def test_a_share_is_rounded_half_to_even(part: int, whole: int, said: str | None) -> None:
    assert nearest(part, whole) == said


def test_tenths_of_a_per_cent() -> None:
    assert [tenths(each) for each in (0, 7, 1000, -15)] == ["0.0 %", "0.7 %", "100.0 %", "-1.5 %"]
