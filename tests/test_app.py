"""The calendar day of the node page."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from tracker.app import day_of

PARIS = ZoneInfo("Europe/Paris")
HOUR = 3600


@pytest.mark.parametrize(
    ("wall_s", "zone", "begin_s", "hours"),
    [
        (1_790_000_000, ZoneInfo("UTC"), 1_789_948_800, 24),
        (1_774_747_800, PARIS, 1_774_738_800, 23),  # 2026-03-29: the clock springs forward
        (1_792_891_800, PARIS, 1_792_879_200, 25),  # 2026-10-25: the clock falls back
    ],
)
def test_a_day_is_a_calendar_day_of_the_site(wall_s: int, zone: ZoneInfo, begin_s: int, hours: int) -> None:
    assert day_of(wall_s, zone) == (begin_s, begin_s + hours * HOUR)
