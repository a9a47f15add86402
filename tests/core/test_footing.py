"""P9: every printed total equals the sum of its printed rows, which are rounded once."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.core.footing import foot, half_even

VALUES = st.lists(st.integers(-(10**30), 10**30), max_size=40)
DENOMINATORS = st.integers(1, 10**24)


def test_the_residual_goes_to_the_largest_remainder() -> None:
    assert foot([333, 333, 334], 100) == (10, [3, 3, 4])
    assert foot([250, 250, 250, 250], 100) == (10, [3, 3, 2, 2]), "of equal ones the earlier"


def test_rows_below_zero_foot_too() -> None:
    """Corrections are negative; rounding down alone would make them larger."""
    assert foot([-150, -150, -100], 100) == (-4, [-1, -2, -1])


def test_a_published_table_that_does_not_foot_would() -> None:
    """The Llama 2 paper prints 31.22 + 62.44 + 153.90 + 291.42 = 538.98 under a total of 539.00."""
    exact = [312238, 624476, 1539074, 2914222]
    total, rows = foot(exact, 100)
    assert (total, rows) == (53900, [3122, 6245, 15391, 29142])
    assert sum(rows) == total


def test_the_total_is_rounded_half_to_even() -> None:
    assert [foot([value], 10)[0] for value in (5, 15, 25, -5, -15, -25)] == [0, 2, 2, 0, -2, -2]


@given(VALUES, DENOMINATORS)
def test_p9_rows_add_up_and_lie_within_a_unit(exact: list[int], denominator: int) -> None:
    total, rows = foot(exact, denominator)
    assert sum(rows) == total
    assert abs(Fraction(sum(exact), denominator) - total) <= Fraction(1, 2)
    assert all(abs(Fraction(value, denominator) - row) < 1 for value, row in zip(exact, rows, strict=True))
    assert all(row == 0 for value, row in zip(exact, rows, strict=True) if value == 0), "nothing out of nothing"


@given(st.lists(st.tuples(st.integers(0, 10**20), st.integers(0, 10**20)), max_size=30), st.integers(1, 10**15))
def test_a_part_is_never_printed_larger_than_its_whole(pairs: list[tuple[int, int]], denominator: int) -> None:
    """Measured beside IT energy, IT beside facility: their difference is a printed column."""
    parts, wholes = [min(pair) for pair in pairs], [max(pair) for pair in pairs]
    whole_total, whole_rows = foot(wholes, denominator)
    total, rows = foot(parts, denominator, at_most=whole_rows)
    assert sum(rows) == total == half_even(sum(parts), denominator)
    assert all(part <= whole for part, whole in zip(rows, whole_rows, strict=True))
    part_total, part_rows = foot(parts, denominator)
    total, rows = foot(wholes, denominator, at_least=part_rows)
    assert sum(rows) == total == whole_total
    assert all(whole >= part for part, whole in zip(part_rows, rows, strict=True))
    assert part_total <= whole_total


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=30), st.integers(1, 10**9), st.integers(-3, 3))
def test_days_add_up_to_the_total_of_the_rows(exact: list[int], denominator: int, off: int) -> None:
    """The total is printed already, and may be a unit off what these would give by themselves."""
    wanted = half_even(sum(exact), denominator) + off
    total, days = foot(exact, denominator, total=wanted)
    assert total == wanted == sum(days)


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 9)), min_size=1, max_size=12), st.data())
def test_whatever_the_bounds_and_the_total_are_the_rows_are_the_total(
    lines: list[tuple[int, int]], data: st.DataObject
) -> None:
    exact, most = [line[0] for line in lines], [line[1] for line in lines]
    least = [data.draw(st.integers(0, each)) for each in most]
    wanted = data.draw(st.none() | st.integers(0, sum(most)))
    total, rows = foot(exact, 100, total=wanted, at_least=least, at_most=most)
    assert sum(rows) == total
    assert wanted in (None, total)
    assert all(0 <= row <= bound for row, bound in zip(rows, most, strict=True))
    if wanted is None:
        assert all(row >= bound for row, bound in zip(rows, least, strict=True))
        assert all(row == bound for row, bound, value in zip(rows, least, exact, strict=True) if value == 0)


def test_bounds_that_leave_no_room_move_the_total() -> None:
    assert foot([16, 16], 10, at_most=[1, 1]) == (2, [1, 1])
    assert foot([4, 4], 10, at_least=[1, 1]) == (2, [1, 1])
    assert foot([0, 14, 6], 10, at_most=[9, 1, 0]) == (1, [0, 1, 0]), "what is nothing takes nothing up"


def test_a_total_that_is_printed_already_is_never_moved() -> None:
    """Lower bounds give way to it, and at the last what would print nothing; the upper bounds hold."""
    assert foot([16, 16, 8], 10, total=2, at_least=[2, 2, 0], at_most=[2, 2, 2]) == (2, [1, 1, 0])
    assert foot([0, 16], 10, total=3, at_least=[0, 0], at_most=[9, 2]) == (3, [1, 2])
    assert foot([3, 3], 10, total=0, at_least=[0, 0], at_most=[1, 1]) == (0, [0, 0])
    with pytest.raises(ValueError, match="cannot add up"):
        foot([16, 16], 10, total=3, at_most=[1, 1])


def test_a_total_without_any_row_cannot_be_met() -> None:
    assert foot([], 7) == (0, [])
    with pytest.raises(ValueError, match="cannot add up"):
        foot([], 7, total=1)


@given(st.integers(-(10**40), 10**40), DENOMINATORS)
def test_half_even_is_the_one_of_decimal(numerator: int, denominator: int) -> None:
    exact = Fraction(numerator, denominator)
    nearest = half_even(numerator, denominator)
    assert abs(exact - nearest) <= Fraction(1, 2)
    if abs(exact - nearest) == Fraction(1, 2):
        assert nearest % 2 == 0


@given(st.integers(-(10**9), 10**9))
def test_tenths_round_as_decimal_does(tenths: int) -> None:
    assert half_even(tenths, 10) == int((Decimal(tenths) / 10).quantize(Decimal(1), ROUND_HALF_EVEN))
