"""Shares for people, from parts per million: one rule for every table, page and sentence."""

from __future__ import annotations

from tracker.core.footing import half_even

_HUNDREDTH_PPM = 100  # parts per million in a hundredth of a per cent
_TENTHS = 1000  # of a per cent, in the whole


def cut(ppm: int) -> str:
    """Two decimals, cut and never rounded up: of what is to be whole, 99.999 % is not 100 %. "99.99 %"."""
    hundredths = ppm // _HUNDREDTH_PPM
    return f"{hundredths // 100}.{hundredths % 100:02} %"


def nearest(part: int, whole: int) -> str | None:
    """One decimal, rounded half to even; None: nothing to divide by. "21.8 %", and "-0.1 %" below zero."""
    return None if whole <= 0 else tenths(half_even(part * _TENTHS, whole))


def tenths(permille: int) -> str:
    """218 -> "21.8 %"."""
    return f"{'-' if permille < 0 else ''}{abs(permille) // 10}.{abs(permille) % 10} %"
