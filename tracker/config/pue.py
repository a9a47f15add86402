"""What a site says of its PUE, as statements with the time for which each holds."""

from __future__ import annotations

from datetime import UTC, date, datetime, tzinfo

from tracker.config.schema import Site
from tracker.core.accounting import ASSUMED_PUE, PERMILLE, Pue

INDUSTRY = ASSUMED_PUE  # as the configuration calls it
NO_SOURCE = "as configured; set pue_source"


def statements(site: Site) -> tuple[Pue, ...]:
    """For ``core.accounting.pue_at``: the last one that holds wins. ``INDUSTRY`` is first and always holds."""
    zone = zone_of(site.clock)
    said = [INDUSTRY]
    if site.pue is not None:
        since_s = 0 if site.pue_from is None else midnight_s(site.pue_from, zone)
        said.append(Pue(_permille(site.pue), site.pue_source or NO_SOURCE, since_s))
    for period in site.pue_periods:
        until_s = None if period.to is None else midnight_s(period.to, zone)
        said.append(Pue(_permille(period.pue), period.source, midnight_s(period.begin, zone), until_s))
    return tuple(said)


def midnight_s(day: date, zone: tzinfo) -> int:
    """When a day begins at the site, in UTC seconds."""
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())


def zone_of(name: str) -> tzinfo:
    """A site's time zone. UTC needs no database of zones (and no memory for it)."""
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - only for a node that is told its time zone

    return ZoneInfo(name)


def _permille(pue: float) -> int:
    return round(pue * PERMILLE)
