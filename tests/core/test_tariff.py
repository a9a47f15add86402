"""What a kilowatt-hour costs: by site, period, weekday and time of day, by the site's own clocks."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from tracker.core.tariff import Tariff, Window, price_at

PARIS = ZoneInfo("Europe/Paris")
NIGHT = Window(120_000, 22 * 60, 6 * 60)
WEEKEND = Window(100_000, 0, 24 * 60, frozenset({5, 6}))


def _at(text: str, zone: ZoneInfo = PARIS) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp())


def test_a_flat_tariff_holds_at_every_hour() -> None:
    assert price_at([Tariff(180_000)], "par1", _at("2026-10-03T14:00"), PARIS) == 180_000


@pytest.mark.parametrize(
    ("local", "price"),
    [
        ("2026-10-05T21:00", 180_000),
        ("2026-10-05T22:00", 120_000),
        ("2026-10-06T05:00", 120_000),
        ("2026-10-06T06:00", 180_000),
        ("2026-10-25T02:00", 120_000),  # clocks go back at three
    ],
)
def test_a_window_runs_past_midnight_by_local_time(local: str, price: int) -> None:
    assert price_at([Tariff(180_000, windows=(NIGHT,))], "par1", _at(local), PARIS) == price


def test_a_night_belongs_to_the_weekday_on_which_it_starts() -> None:
    friday_night = Tariff(180_000, windows=(Window(90_000, 22 * 60, 6 * 60, frozenset({4})),))
    saturday_03 = _at("2026-10-03T03:00")
    assert price_at([friday_night], "", saturday_03, PARIS) == 90_000
    assert price_at([friday_night], "", saturday_03 + 86_400, PARIS) == 180_000


def test_the_first_window_that_holds_wins() -> None:
    saturday = _at("2026-10-03T23:00")
    assert price_at([Tariff(1, windows=(WEEKEND, NIGHT))], "", saturday, PARIS) == 100_000
    assert price_at([Tariff(1, windows=(NIGHT, WEEKEND))], "", saturday, PARIS) == 120_000


def test_a_sites_own_tariff_comes_before_a_general_one_and_the_last_before_earlier_ones() -> None:
    tariffs = [Tariff(1, "par1"), Tariff(2), Tariff(3, "par1"), Tariff(4)]
    assert price_at(tariffs, "par1", 0, UTC) == 3
    assert price_at(tariffs, "fra1", 0, UTC) == 4


def test_outside_its_period_a_tariff_says_nothing() -> None:
    """No price is no cost, which is not a cost of nothing."""
    tariff = Tariff(5, valid_from_s=100, valid_to_s=200)
    assert [price_at([tariff], "", at_s, UTC) for at_s in (99, 100, 199, 200)] == [None, 5, 5, None]
    assert price_at([], "", 0, UTC) is None
