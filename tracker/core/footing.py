"""Rounding a column so that it foots: one rounding of the exact sum, and rows that add up to it (P9).

Unlike ``rounding.apportion``, which shares out an integer, this takes exact rows (integers over one denominator, of any
sign) and prints each as an integer beside the printed total. Largest remainder: every row is rounded down, and what is
then missing goes to the rows that lost most; of equal ones to the earlier. Give rows in the order of their keys.
"""

from __future__ import annotations

from collections.abc import Sequence


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
    """The printed total and rows of ``exact[i] / denominator``. Without bounds every row is within one unit of its
    exact value.

    ``total``: what the rows have to add up to, where it is printed already (days beside rows); None: the exact sum,
    rounded half to even. ``at_least``, ``at_most``: bounds of each row from a column beside this one, so that a
    difference of two printed columns is not negative where the exact one is not; the total is moved by what they
    leave no room for, which is one unit where three rounded totals do not fit together.
    """
    target = half_even(sum(exact), denominator) if total is None else total
    if at_least is not None:
        target = max(target, sum(at_least))
    if at_most is not None:
        target = min(target, sum(at_most))
    printed = [value // denominator for value in exact]
    if at_least is not None:
        printed = [max(value, least) for value, least in zip(printed, at_least, strict=True)]
    if at_most is not None:
        printed = [min(value, most) for value, most in zip(printed, at_most, strict=True)]
    left = target - sum(printed)
    step, bounds = (1, at_most) if left > 0 else (-1, at_least)
    while left:
        movable = [i for i, value in enumerate(printed) if bounds is None or step * (bounds[i] - value) > 0]
        if not movable:
            raise ValueError("rows cannot add up to this total within their bounds")
        # sorted() is stable: of equal rows the earlier one comes first
        movable.sort(key=lambda i: step * (printed[i] * denominator - exact[i]))
        moved = movable[: abs(left)]
        for i in moved:
            printed[i] += step
        left -= step * len(moved)
    return target, printed
