"""Yearly averages of countries and of the world, as the installed codecarbon bundles them.

They are generic (tier 5; the world is tier 6): good enough to show grams from the first day, marked so that nobody
takes them for the official factor of a statement. Country values are life-cycle averages of the production mix; the
world's is IEA's CO2 per kWh generated, so its factor type is direct.
"""

from __future__ import annotations

import calendar
from collections.abc import Mapping

from tracker.core.carbon import AnnualIntensity
from tracker.core.model import Factor, Finding, Level
from tracker.grid.interface import GridProvider
from tracker.grid.zones import WORLD, Zone, find_zone

#: No grid in the bundled tables lies above 1,306 g/kWh; twice the intensity of lignite is a mistake, not a grid.
MAX_INTENSITY_MG_PER_KWH = 2_000_000
SET_ZONE = 'Set zone = "<ISO country code>" in the [site.<name>] section of the configuration.'


class TablesProvider(GridProvider):
    """``countries``: by alpha-3 code and WORLD. ``edition`` begins every factor id ("codecarbon-3.3.2").

    ``now_s`` is when the tables were read. ``assumed``: nobody set a zone, so that WORLD is flagged. ``note``: why
    ``countries`` lacks something.
    """

    name = "tables"

    def __init__(
        self,
        countries: Mapping[str, AnnualIntensity],
        edition: str,
        now_s: int,
        *,
        assumed: bool = False,
        note: str = "",
    ) -> None:
        self._countries = countries
        self._edition = edition
        self._now_s = now_s
        self._assumed = assumed
        self._note = note

    def factor(self, zone: str, at_s: int) -> Factor:  # noqa: ARG002 - one value per zone, whatever the instant
        """The zone's yearly average, whatever ``at_s``: its id and note name the year. Raises UnknownZone."""
        found = find_zone(zone)
        annual = self._countries.get(found.iso3)
        problem = _problem(annual)
        year = (annual.year if annual else 0) or "undated"
        return Factor(
            factor_id=f"{self._edition}:{found.iso3}:{year if not problem else 'none'}",
            zone=found.code,
            intensity_mg_per_kwh=annual.intensity_mg_per_kwh if annual and not problem else None,
            factor_type=annual.factor_type if annual else "lifecycle",
            basis="location",
            tier=6 if found is WORLD else 5,
            provider=self.name,
            source=annual.source if annual else "",
            valid_from_s=calendar.timegm((annual.year, 1, 1, 0, 0, 0)) if annual and annual.year else 0,
            recorded_at_s=self._now_s,
            assumed=self._assumed and found is WORLD,
            note=self._nothing(found, problem) if problem else _caution(found, year, assumed=self._assumed),
        )

    def check(self) -> tuple[Finding, ...]:
        """Whether the tables are there, and whether somebody said where the node is."""
        findings: list[Finding] = []
        count = sum(1 for code, annual in self._countries.items() if code != WORLD.iso3 and not _problem(annual))
        if count:
            message = f"{self._edition}: yearly averages of {count} countries (tier 5, generic)."
            findings.append(Finding(Level.OK, "grid", message))
        else:
            message = f"No country factors: {self._note or 'the table is empty'}. Energy is booked without emissions."
            findings.append(Finding(Level.FAIL, "grid", message, "Reinstall wattledger with codecarbon >= 3.2."))
        if self._assumed:
            message = "Nobody set a grid zone: the world average is used, flagged assumed, and no month can be closed."
            findings.append(Finding(Level.WARN, "grid", message, SET_ZONE))
        return tuple(findings)

    def _nothing(self, zone: Zone, problem: str) -> str:
        because = f" ({self._note})" if self._note else ""
        return (
            f"No emissions for {zone.name}: {self._edition} {problem}{because}. "
            "Set another zone, or a provider that knows this one, in the configuration."
        )


def _problem(annual: AnnualIntensity | None) -> str:
    """Why an entry gives no factor; "" if it does. A life-cycle average of 0 is a missing value in disguise."""
    if annual is None:
        return "has no value for it"
    if not 0 < annual.intensity_mg_per_kwh <= MAX_INTENSITY_MG_PER_KWH:
        return f"says {annual.intensity_mg_per_kwh / 1000:g} g/kWh, which no grid has"
    return ""


def _caution(zone: Zone, year: int | str, *, assumed: bool) -> str:
    """What to know before using the value."""
    if zone is WORLD:
        nobody = f"Nobody set a zone. {SET_ZONE} " if assumed else ""
        return f"{nobody}World average of {year}: last resort; a month that uses it cannot be closed."
    return f"Generic life-cycle average of {year}, production mix; not an official Scope 2 factor."
