"""Tier 3: the official annual value, spread over the year in the shape of a downloaded hourly one.

    [grid.profile]
    path = "/srv/grid/FR_2025_hourly.csv"   # Electricity Maps Data Portal, or another preset of the file provider

Where no hourly data are public (China, India), ``shape = "flat"`` is the official value itself in every hour, and says
so: hourly figures can then be made everywhere, and nobody takes them for measured ones.

What is spread stays what it was: type, gases and basis are the official factor's, and where the shape was of another
type, the note tells.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import ClassVar, Literal

import msgspec

from tracker.core.accounting import printed
from tracker.core.errors import UsageError
from tracker.core.factors import PROFILE, Choice, FactorRow, NoFactor, Origin
from tracker.core.profiles import Profile, profile_of, shares
from tracker.grid import file
from tracker.grid.catalogue import Zone
from tracker.grid.interface import Ask, BadAnswer, LiveProvider, NoData
from tracker.grid.keyless import factor_id
from tracker.grid.layouts import Facts
from tracker.grid.opened import opened
from tracker.grid.tabular import csv_table, parse
from tracker.grid.zones import find_zone

HOUR_S, DAY_S = 3600, 86_400
PLACES = 6  # decimals in g/kWh: the mean of a year is the official value to half a millionth of a gram
_ANY_YEAR = (0, 4_102_444_800)  # 1970 to 2100: whatever year the shape is of

#: The official annual factor of a zone at an instant (UTC seconds).
Official = Callable[[Zone, int], Choice | NoFactor]


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of the profile provider."""

    #: An hourly year that was downloaded.
    path: str = ""
    preset: Literal["em-portal", "oge", "neso-history"] = "em-portal"
    #: Which column of the portal's file gives the shape.
    factor_type: Literal["direct", "lifecycle"] = "direct"
    #: "flat": no shape is known; the official value in every hour, flagged.
    shape: Literal["file", "flat"] = "file"
    #: The zone that it is for; "": every zone that the file has rows of.
    zone: str = ""
    #: The zone of the file's rows, where it is not the same: a subregion's market at Electricity Maps.
    shape_zone: str = ""


@dataclass(slots=True)
class Shape:
    """How an annual value is spread, and where that is from. ``profile`` None: not at all."""

    profile: Profile | None = None
    facts: Facts | None = None
    name: str = ""
    sha256: str = ""
    _shares: dict[int, Mapping[tuple[int, int], Fraction]] = field(default_factory=dict)

    @property
    def source(self) -> str:
        if self.facts is None:
            return "the annual value in every hour (profile=flat)"
        of_file = f"{self.name}, sha256 {self.sha256[:16]}"
        return f"spread in the shape of {self.facts.publisher}, {self.facts.edition} ({of_file})"

    def spread(self, official: FactorRow, at_s: int) -> str:
        """The value of the hour, as it is printed: in g/kWh, or flat as it is."""
        annual = official.value_g_per_kwh
        if self.profile is None or annual is None:
            return official.value_printed
        at = datetime.fromtimestamp(at_s, UTC)
        if at.year not in self._shares:
            self._shares[at.year] = shares(self.profile, at.year)
        return f"{printed(Fraction(annual) * self._shares[at.year][at.month, at.hour], PLACES):f}"

    def note(self, official: FactorRow) -> str:
        """What to know of such a value."""
        if self.facts is None:
            return "profile=flat: no hourly data are at hand, it is the annual value in every hour."
        note = "It is no measured value of this hour: an annual value, spread in the shape of another year."
        of_shape, of_value = self.facts.factor_type, official.factor_type
        if of_shape is not of_value:
            note += f" The shape is of {of_shape.value} values, the annual value is {of_value.value}."
        return note


FLAT = Shape()


class ProfileProvider(LiveProvider):
    """Needs no network. Rows are of tier 3. Raises UsageError for options that contradict each other, UnknownZone."""

    name: ClassVar[str] = "profile"
    max_range_s: ClassVar[int] = 366 * DAY_S
    #: Else the hour that has begun would have no value until the next reading.
    ahead_s: ClassVar[int] = DAY_S

    def __init__(self, options: Options, ask: Ask, official: Official) -> None:
        if (options.shape == "file") != bool(options.path):
            raise UsageError(
                "The profile provider needs a path, or no path and a flat shape.",
                'Set path = "…_hourly.csv" or shape = "flat" in [grid.profile].',
            )
        self._options = options
        self._ask = ask
        self._official = official
        self._zone = find_zone(options.zone) if options.zone else None
        self._shape_zone = find_zone(options.shape_zone) if options.shape_zone else None
        self._shapes: dict[str, Shape] = {}

    def covers(self, zone: Zone) -> bool:
        return self._zone is None or zone.code == self._zone.code

    def read(self, zone: Zone, start_s: int, end_s: int, now_s: int) -> tuple[FactorRow, ...]:
        """A row for every hour that begins in the range and has an official factor. Raises BadAnswer for a file that
        is no year, NoData where no hour has an official factor, Unreachable."""
        shape = FLAT if self._options.shape == "flat" else self._shape(zone, now_s)
        rows: list[FactorRow] = []
        choice: Choice | NoFactor | None = None
        for at_s in range(-(-start_s // HOUR_S) * HOUR_S, end_s, HOUR_S):
            if choice is None or at_s % DAY_S == 0:  # official factors change at midnight
                choice = self._official(zone, at_s)
            if isinstance(choice, Choice) and choice.row.value_printed:
                rows.append(_row(choice, zone, shape, at_s, now_s))
        if isinstance(choice, NoFactor) and not rows:
            raise NoData(f"There is no official factor of {zone.name} to spread: {choice.reason.rstrip('.')}.")
        return tuple(rows)

    def _shape(self, zone: Zone, now_s: int) -> Shape:
        """Of the file, read once: shapes are of past years and are not revised."""
        known = self._shapes.get(zone.code)
        if known is None:
            known = self._shapes[zone.code] = self._read_shape(self._shape_zone or zone, now_s)
        return known

    def _read_shape(self, zone: Zone, now_s: int) -> Shape:
        settings = file.Options(
            path=self._options.path, preset=self._options.preset, factor_type=self._options.factor_type
        )
        layout, facts = file.layout_of(settings)
        with opened(settings, layout.max_bytes, self._ask, now_s) as source:
            wants = file.wanted(zone, layout)
            table = csv_table(source.name, source.raw, layout)
            intervals, zones = parse(table, layout, wants, *_ANY_YEAR)
        if zones and not any(map(wants, zones)):
            has = ", ".join(sorted(zones)[:10])
            raise NoData(
                f"{source.name} has no rows of the zone {zone.code}; it has: {has[:200]}.",
                "Set shape_zone in [grid.profile], or another path.",
            )
        try:
            profile = profile_of((one.start_s, Decimal(one.printed)) for one in intervals if one.printed)
        except ValueError as error:
            raise BadAnswer(f"{source.name} is no hourly year: {error}.", "Download a whole year of hours.") from error
        return Shape(profile, facts, source.name, source.sha256)


def _row(choice: Choice, zone: Zone, shape: Shape, at_s: int, now_s: int) -> FactorRow:
    official = choice.row
    return replace(
        official,
        factor_id=factor_id("profile", zone.code, official.factor_type, at_s, at_s + HOUR_S),
        zone=zone.code,
        value_printed=shape.spread(official, at_s),
        unit_printed="g/kWh" if shape.profile else official.unit_printed,
        quality_tier=PROFILE,
        valid_from_s=at_s,
        valid_to_s=at_s + HOUR_S,
        source_ref=f"{official.source}; {shape.source}",
        licence=f"{official.licence}; shape: {shape.facts.licence}" if shape.facts else official.licence,
        attribution=f"{official.attribution} {shape.facts.attribution}".strip()
        if shape.facts
        else official.attribution,
        note=" ".join(filter(None, (shape.note(official), choice.note))),
        origin=Origin(
            provider="profile",
            endpoint=shape.name,
            is_estimated=True,
            estimation_method="month-hour profile" if shape.profile else "profile=flat",
            fetched_at_s=now_s,
            raw_sha256=shape.sha256,
        ),
    )
