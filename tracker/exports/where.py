"""Where a row's energy was used: the grid zones of its key, or those of its site, and their countries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tracker.core.statement import Statement


@dataclass(frozen=True, slots=True)
class Where:
    """Sorted, without doubles; a site in one zone has one of each. ``countries``: alpha-3 codes, as far as known."""

    zones: tuple[str, ...]
    countries: tuple[str, ...]


class Places:
    """Of one statement."""

    def __init__(self, statement: Statement) -> None:
        self._sites = statement.sites

    def of(self, key: Mapping[str, str]) -> Where:
        """``key``: of a row, by dimension. A row that names neither a site nor a zone may be of all of them."""
        site, zone = key.get("site"), key.get("grid_zone")
        found = [each for each in self._sites if site in {None, each.site} and zone in {None, each.zone}]
        zones = {each.zone for each in found} if zone is None else {zone}
        return Where(_told(zones), _told({each.country for each in found}))


def _told(names: set[str]) -> tuple[str, ...]:
    return tuple(sorted(names - {""}))
