"""Rounding a column so that it foots: one rounding of the exact sum, and rows that add up to it (P9).

Unlike ``rounding.apportion``, which shares out an integer, this takes exact rows (integers over one denominator, of any
sign) and prints each as an integer beside the printed total. Largest remainder: every row is rounded down, and what is
then missing goes to the rows that lost most; of equal ones to the earlier. Give rows in the order of their keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf


def half_even(numerator: int, denominator: int) -> int:
    """The quotient to the nearest integer, ties to the even one. ``denominator`` > 0."""
    whole, rest = divmod(numerator, denominator)
    twice = 2 * rest - denominator
    return whole + (1 if twice > 0 or (twice == 0 and whole % 2) else 0)


def foot(
    exact: Sequence[int],
    denominator: int,
    *,
    total: int | None = None,
    at_least: Sequence[int] | None = None,
    at_most: Sequence[int] | None = None,
) -> tuple[int, list[int]]:
    """The printed total and rows of ``exact[i] / denominator``. Without a total every row that is 0 is printed as 0;
    without bounds, too, it is within one unit of its exact value.

    ``at_least``, ``at_most``: bounds of each row from a column beside this one, so that a difference of two printed
    columns is not negative where the exact one is not (for columns without values below zero).
    ``total``: what the rows have to add up to, where it is printed already (days beside rows): ``at_least`` and the 0
    of what is 0 give way to it as far as they must. None: the exact sum, rounded half to even, and moved by as much as
    the bounds leave no room for.
    Raises ValueError for a ``total`` above the sum of ``at_most``.
    """
    low: Sequence[float] = [-inf] * len(exact) if at_least is None else at_least
    high: Sequence[float] = [inf] * len(exact) if at_most is None else at_most
    low = [max(least, 0) if value == 0 else least for value, least in zip(exact, low, strict=True)]
    high = [max(least, 0) if value == 0 else most for value, least, most in zip(exact, low, high, strict=True)]
    if total is None:
        rounded = half_even(sum(exact), denominator)
        total = int(min(max(rounded, sum(low)), sum(high)))
    printed = [int(min(max(v // denominator, a), b)) for v, a, b in zip(exact, low, high, strict=True)]
    left = _spread(printed, exact, denominator, total - sum(printed), low, high)
    if left:
        low = [-inf if at_least is None else 0] * len(exact)
        high = [inf] * len(exact) if at_most is None else at_most
        left = _spread(printed, exact, denominator, left, low, high)
    if left:
        raise ValueError("rows cannot add up to this total within their bounds")
    return total, printed


def _spread(
    printed: list[int],
    exact: Sequence[int],
    denominator: int,
    left: int,
    low: Sequence[float],
    high: Sequence[float],
) -> int:
    """Give ``left`` units to rows (or take them), to those that lost most first; returns what nobody has room for."""
    step, bounds = (1, high) if left > 0 else (-1, low)
    while left:
        movable = [i for i, value in enumerate(printed) if step * (bounds[i] - value) > 0]
        if not movable:
            break
        # sorted() is stable: of equal rows the earlier one comes first
        movable.sort(key=lambda i: step * (printed[i] * denominator - exact[i]))
        moved = movable[: abs(left)]
        for i in moved:
            printed[i] += step
        left -= step * len(moved)
    return left
