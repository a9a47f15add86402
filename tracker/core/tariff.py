"""What a kilowatt-hour costs: one price, or prices by local weekday and time of day. Integers in millionths of the
currency, so that sums are exact. Energy of an hour is priced at the hour's start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

#: Monday is 0, as in ``datetime.weekday``.
EVERY_DAY = frozenset(range(7))
DAY_MIN = 24 * 60


@dataclass(frozen=True, slots=True)
class Window:
    """A time of day with a price of its own: minutes since local midnight, ``to_min`` exclusive. One that ends at or
    before its start runs past midnight and belongs to the weekday on which it starts."""

    price_micro_per_kwh: int
    from_min: int
    to_min: int
    weekdays: frozenset[int] = EVERY_DAY

    def holds(self, weekday: int, minute: int) -> bool:
        if self.from_min < self.to_min:
            return weekday in self.weekdays and self.from_min <= minute < self.to_min
        late = weekday in self.weekdays and minute >= self.from_min
        return late or ((weekday - 1) % 7 in self.weekdays and minute < self.to_min)


@dataclass(frozen=True, slots=True)
class Tariff:
    """``site`` "": of every site that has none of its own. ``price_micro_per_kwh`` holds outside the windows, of which
    the first that holds wins. Times are UTC seconds, ``valid_to_s`` exclusive, None: until further notice."""

    price_micro_per_kwh: int
    site: str = ""
    valid_from_s: int = 0
    valid_to_s: int | None = None
    windows: tuple[Window, ...] = ()
    source: str = ""


def price_at(tariffs: Sequence[Tariff], site: str, at_s: int, zone: tzinfo) -> int | None:
    """The price at a site, whose clocks show ``zone``: its own tariff before a general one, of several the last. None:
    nobody stated one, and there is no cost, which is not 0."""
    holding = [one for one in tariffs if one.valid_from_s <= at_s and (one.valid_to_s is None or at_s < one.valid_to_s)]
    own = [one for one in holding if one.site == site] or [one for one in holding if not one.site]
    if not own:
        return None
    tariff = own[-1]
    local = datetime.fromtimestamp(at_s, zone)
    weekday, minute = local.weekday(), local.hour * 60 + local.minute
    prices = (one.price_micro_per_kwh for one in tariff.windows if one.holds(weekday, minute))
    return next(prices, tariff.price_micro_per_kwh)
