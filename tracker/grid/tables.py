"""Yearly factors from tables: the official ones, which ship (tier 4), Ember's and codecarbon's averages of countries
and cloud regions (tier 5), the world's (tier 6).

The official direct factor of the zone and the time is used where there is one. Where there is none, a generic average
stands in and says so: its tier, its type and its note tell that it is no official Scope 2 factor. The world's average
is used for the zone WORLD only: nobody is given it for a place that has no factor (P11).
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from tracker.core.carbon import AnnualIntensity
from tracker.core.factors import (
    DEFAULT_TIERS,
    GENERIC,
    LAST_RESORT,
    OFFICIAL,
    Basis,
    Choice,
    FactorRow,
    FactorType,
    NoFactor,
    Scheme,
    choose_location,
)
from tracker.core.known import FactorRecord
from tracker.core.model import Factor, Finding, Level
from tracker.core.printed import PrintedIntensity
from tracker.grid.catalogue import WORLD, Zone, by_name
from tracker.grid.interface import GridProvider
from tracker.grid.publications import publication_of
from tracker.grid.shipped import read_factors
from tracker.grid.yearly import is_yearly, with_learnt
from tracker.grid.zones import find_zone, zone_path

#: No grid in the bundled tables lies above 1,306 g/kWh; twice the intensity of lignite is a mistake, not a grid.
MAX_INTENSITY_MG_PER_KWH = 2_000_000
SET_ZONE = 'Set zone = "<ISO country code>" in the [site.<name>] section of the configuration.'
DAY_S = 86_400


def generic_rows(countries: Mapping[str, AnnualIntensity], edition: str) -> Iterator[FactorRow]:
    """What codecarbon says, as factor rows. A value that no grid has (0 is a missing one in disguise) becomes a
    row without value, whose note says so. Places that are in no catalogue are left out, and so are cloud regions about
    whose grid public tables disagree."""
    for code, annual in countries.items():
        zone = by_name().get(code.upper())
        if zone is None or zone.choices:
            continue
        problem, year = _problem(annual), annual.year
        value, unit = _as_printed(annual)
        publication = publication_of(annual.source)
        yield FactorRow(
            factor_id=f"{edition}:{code}:{year or 'undated'}",
            zone=zone.code,
            zone_printed=code,
            zone_system="cloud" if zone.kind == "cloud" else "iso3",
            value_printed="" if problem else value,
            unit_printed=unit,
            gases=publication.gases,
            factor_type=FactorType(annual.factor_type),
            basis=Basis.UNSPECIFIED if zone.kind == "cloud" else Basis.PRODUCTION,
            scheme=Scheme.AVERAGE,
            quality_tier=LAST_RESORT if zone is WORLD else GENERIC,
            valid_from_s=calendar.timegm((year, 1, 1, 0, 0, 0)) if year else 0,
            valid_to_s=calendar.timegm((year + 1, 1, 1, 0, 0, 0)) if year else 0,
            edition=f"{edition} ({year or 'undated'})",
            data_year=str(year or "unspecified"),
            publisher=publication.publisher,
            source_ref=annual.source,
            licence=publication.licence,
            gwp_set=publication.gwp_set,
            includes_td=None,
            confidence=publication.confidence,
            note=f"{edition} {problem}." if problem else publication.note,
            publisher_url=publication.url,
            attribution=publication.attribution,
        )


def _as_printed(annual: AnnualIntensity) -> tuple[str, str]:
    """Value and unit."""
    if isinstance(annual, PrintedIntensity):
        return annual.value_printed, annual.unit_printed
    return f"{annual.intensity_mg_per_kwh // 1000}.{annual.intensity_mg_per_kwh % 1000:03}", "g/kWh"


@dataclass(slots=True)
class _Known:
    """What somebody brought in, and what was chosen with it. Taken away as a whole when something is learnt, so that a
    thread that is choosing meanwhile keeps its answer to itself."""

    records: tuple[FactorRecord, ...] = ()
    near: tuple[str, tuple[FactorRow, ...]] = ("", ())
    day: dict[tuple[str, int], Factor] = field(default_factory=dict)


class TablesProvider(GridProvider):
    """``countries``: codecarbon's, by alpha-3 code, WORLD, and regions by their code. ``edition`` begins the ids
    of those ("codecarbon-3.3.2").

    ``now_s`` is when the tables were read. ``assumed``: nobody set a zone, so that WORLD is flagged. ``note``: why
    ``countries`` lacks something. ``rows``: the tables that ship. ``tiers``: which kinds of factor may be used, in this
    order; with 6 in it, the world's average stands in where nothing else is known.
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
        rows: Sequence[FactorRow] | None = None,
        tiers: Sequence[int] = DEFAULT_TIERS,
    ) -> None:
        self._shipped = rows
        self._countries = countries
        self._edition = edition
        self._now_s = now_s
        self._assumed = assumed
        self.note = note
        self._tiers = tuple(tiers)
        self._known = _Known()

    def learn(self, records: Iterable[FactorRecord]) -> bool:
        """Yearly factors of the store, which stand beside the tables; of others nothing is taken. They take the place
        of what was learnt before; may be called from another thread. Whether something changed."""
        yearly = tuple(record for record in records if is_yearly(record.row))
        if yearly == self._known.records:
            return False
        self._known = _Known(yearly)
        return True

    def rows(self) -> Iterator[FactorRow]:
        """What was learnt, and of all tables the ones that ship first."""
        return self._rows(self._known)

    def since(self, row: FactorRow) -> int:
        """Since when a row is known: that of a table since it was read."""
        known = (record.recorded_at_s for record in self._known.records if record.row == row)
        return next(known, self._now_s)

    def _rows(self, known: _Known) -> Iterator[FactorRow]:
        shipped = read_factors() if self._shipped is None else self._shipped
        return with_learnt(chain(shipped, generic_rows(self._countries, self._edition)), known.records)

    def choose(self, zone: Zone, at_s: int) -> Choice | NoFactor:
        """The factor of a location-based figure, or why there is none."""
        return self._choose(self._known, zone, at_s)

    def _choose(self, known: _Known, zone: Zone, at_s: int) -> Choice | NoFactor:
        path, tiers = zone_path(zone), self._tiers
        if zone is WORLD:
            tiers = (LAST_RESORT,)
        elif LAST_RESORT in tiers:
            path = (*path, *zone_path(WORLD))
        if known.near[0] != zone.code:
            places = {step.zone for step in path}
            known.near = (zone.code, tuple(row for row in self._rows(known) if row.zone in places))
        return choose_location(known.near[1], path, at_s, tiers)

    def factor(self, zone: str, at_s: int) -> Factor:
        """The zone's factor of the period that ``at_s`` is in. Raises UnknownZone."""
        key, known = (zone, at_s // DAY_S), self._known
        found = known.day.get(key)
        if found is None:
            if len(known.day) > 31:  # noqa: PLR2004 - a month of days; a daemon that runs for years asks for each once
                known.day.clear()
            found = known.day[key] = self._factor(known, find_zone(zone), at_s)
        return found

    def _factor(self, known: _Known, zone: Zone, at_s: int) -> Factor:
        assumed = self._assumed and zone is WORLD
        match self._choose(known, zone, at_s):
            case NoFactor(reason):
                return self._nothing(zone, reason, assumed=assumed)
            case Choice() as choice:
                nobody = f"Nobody set a zone. {SET_ZONE}" if assumed else ""
                row = choice.row
                return choice.as_factor(row.origin.provider, self.since(row), assumed=assumed, note=nobody)

    def _nothing(self, zone: Zone, reason: str, *, assumed: bool) -> Factor:
        because = f" ({self.note})" if self.note else ""
        return Factor(
            factor_id=f"{self._edition}:{zone.code}:none",
            zone=zone.code,
            intensity_mg_per_kwh=None,
            factor_type=FactorType.DIRECT.value,
            basis="location",
            tier=LAST_RESORT if zone is WORLD else GENERIC,
            provider=self.name,
            source="",
            valid_from_s=0,
            recorded_at_s=self._now_s,
            assumed=assumed,
            note=f"No emissions for {zone.name}: {reason.rstrip('.')}{because}. "
            "Set another zone, or a provider that knows this one, in the configuration.",
        )

    def check(self) -> tuple[Finding, ...]:
        """Whether the tables are there, and whether somebody said where the node is."""
        rows = [row for row in self.rows() if row.value_printed and row.basis is not Basis.RESIDUAL]
        findings = [
            _check_tier(rows, OFFICIAL, "Official yearly factors"),
            _check_tier(rows, GENERIC, "Generic averages"),
        ]
        if self.note:
            message = f"Countries without a factor of their own get none: {self.note}."
            findings.append(Finding(Level.WARN, "grid", message, "Reinstall wattledger with codecarbon >= 3.2."))
        if self._assumed:
            message = "Nobody set a grid zone: the world average is used, flagged assumed, and no month can be closed."
            findings.append(Finding(Level.WARN, "grid", message, SET_ZONE))
        return tuple(findings)


def _check_tier(rows: Sequence[FactorRow], tier: int, what: str) -> Finding:
    found = [row for row in rows if row.quality_tier == tier]
    if not found:
        return Finding(Level.FAIL, "grid", f"{what}: there are none (tier {tier}).", "Reinstall wattledger.")
    zones, publishers = len({row.zone for row in found}), len({row.publisher for row in found})
    return Finding(Level.OK, "grid", f"{what} of {zones} zones, from {publishers} publishers (tier {tier}).")


def _problem(annual: AnnualIntensity) -> str:
    """Why an entry gives no factor; "" if it does."""
    if not 0 < annual.intensity_mg_per_kwh <= MAX_INTENSITY_MG_PER_KWH:
        return f"says {annual.intensity_mg_per_kwh / 1000:g} g/kWh, which no grid has"
    return ""
