"""The one place where shares become integers: what is handed out is what there was, to the last unit."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.thorough import thorough
from tracker.core.rounding import apportion

totals = st.integers(0, 10**30)
weight_lists = st.lists(st.integers(0, 10**20) | st.integers(0, 5), min_size=1, max_size=30).filter(any)


@pytest.mark.parametrize(
    ("total", "weights", "parts"),
    [
        (100, [1, 1, 1], [34, 33, 33]),  # ties go to the earlier position
        (2, [1, 1, 1], [1, 1, 0]),
        (10, [6, 3, 1], [6, 3, 1]),
        (7, [5, 3, 2], [4, 2, 1]),  # exact shares 3.5, 2.1, 1.4: the one unit left goes to the largest remainder
        (1, [0, 0, 1], [0, 0, 1]),
        (5, [0, 3], [0, 5]),
        (0, [2, 1], [0, 0]),
        (0, [0, 0], [0, 0]),
        (0, [], []),
        (10**30 + 1, [10**25, 10**25], [5 * 10**29 + 1, 5 * 10**29]),  # no float on the way
        (8_675_309, [60, 32, 16, 16, 8], [3_943_322, 2_103_105, 1_051_553, 1_051_553, 525_776]),  # MIG of 132 SMs
    ],
)
def test_p1_known_shares(total: int, weights: list[int], parts: list[int]) -> None:
    assert apportion(total, weights) == parts


@pytest.mark.parametrize(("total", "weights"), [(-1, [1]), (1, [2, -1]), (0, [-1]), (1, []), (1, [0, 0])])
def test_what_cannot_be_shared_is_refused(total: int, weights: list[int]) -> None:
    """Energy without anybody to give it to must not vanish silently."""
    with pytest.raises(ValueError, match="apportion"):
        apportion(total, weights)


@thorough
@given(totals, weight_lists)
def test_p1_p9_parts_sum_to_the_total_and_each_is_within_one_unit(total: int, weights: list[int]) -> None:
    parts = apportion(total, weights)
    assert sum(parts) == total
    assert len(parts) == len(weights)
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - Fraction(total * weight, sum(weights))) < 1
        assert part >= 0
        assert weight or not part  # nothing for a weight of 0


@thorough
@given(totals, weight_lists)
def test_a_larger_weight_never_gets_less(total: int, weights: list[int]) -> None:
    shares = sorted(zip(weights, apportion(total, weights), strict=True))
    for (lighter, less), (heavier, more) in pairwise(shares):
        assert less <= more or lighter == heavier


@thorough
@given(totals, weight_lists, st.data())
def test_who_weighs_more_than_before_never_gets_less(total: int, weights: list[int], data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(weights) - 1))
    raised = list(weights)
    raised[position] += data.draw(st.integers(1, 10**20))
    assert apportion(total, raised)[position] >= apportion(total, weights)[position]


@thorough
@given(totals, weight_lists, st.randoms(use_true_random=False))
def test_the_order_of_workloads_moves_at_most_one_unit(total: int, weights: list[int], random: Random) -> None:
    order = list(range(len(weights)))
    random.shuffle(order)
    before = apportion(total, weights)
    after = apportion(total, [weights[i] for i in order])
    assert sum(after) == total
    for position, part in zip(order, after, strict=True):
        assert abs(part - before[position]) <= 1


@thorough
@given(totals, weight_lists, st.integers(1, 10**9))
def test_only_the_proportion_of_weights_matters(total: int, weights: list[int], factor: int) -> None:
    """CPU time in ns shares like CPU time in µs."""
    assert apportion(total, [weight * factor for weight in weights]) == apportion(total, weights)


@thorough
@given(totals, weight_lists)
def test_the_same_input_gives_the_same_parts_and_is_left_alone(total: int, weights: list[int]) -> None:
    """A restated month must not shuffle units between workloads."""
    before = list(weights)
    first = apportion(total, weights)
    assert apportion(total, tuple(weights)) == first
    assert weights == before
