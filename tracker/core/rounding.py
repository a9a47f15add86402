"""The one place where shares become integers. Nobody rounds anywhere else (P1, P9)."""

from __future__ import annotations

from collections.abc import Sequence


def apportion(total: int, weights: Sequence[int]) -> list[int]:
    """Split ``total`` >= 0 into integers proportional to ``weights``, summing to ``total`` exactly (largest remainder).

    Every part is within one unit of its exact share. Ties go to the earlier position, so the result is deterministic.
    Raises ValueError for a negative total or weight, or when there is no positive weight to give a positive total to.
    """
    weight_sum = sum(weights)
    if total < 0 or (weights and min(weights) < 0):
        raise ValueError("apportion takes a total and weights that are not negative")
    if weight_sum == 0:
        if total:
            raise ValueError("apportion needs a positive weight to give a positive total to")
        return [0] * len(weights)
    parts = [total * weight // weight_sum for weight in weights]
    left = total - sum(parts)
    if left:
        remainders = [total * weight % weight_sum for weight in weights]
        # sorted() is stable, also in reverse: equal remainders stay in their order
        by_remainder = sorted(range(len(weights)), key=remainders.__getitem__, reverse=True)
        for position in by_remainder[:left]:
            parts[position] += 1
    return parts
