"""Factors as their publishers print them, and which one weighs a place and a time.

Rules of this file:
1. A value is kept as printed with its unit; it is converted exactly and rounded once, where it leaves this file.
2. An edition is chosen by the period it is for, never because it is the latest.
3. A step down (a worse tier, another factor type, another zone, another period) is never silent: it is named in
   ``Choice.steps``.
4. No value is ``NoFactor`` with a reason, never 0 (P11).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact
from enum import StrEnum

from tracker.core.model import Factor

#: What one unit is in g/kWh. The pound is exactly 0.45359237 kg (international yard and pound agreement, 1959).
UNITS = {
    "g/kWh": Decimal(1),
    "kg/MWh": Decimal(1),
    "kg/kWh": Decimal(1000),
    "t/MWh": Decimal(1000),
    "lb/MWh": Decimal("0.45359237"),
    "lb/kWh": Decimal("453.59237"),
}
_EXACT = Context(prec=60, traps=[Inexact])
YEAR_S = 31_556_952  # the mean Gregorian year
#: Official tables come out one to three years after the year they describe; an older one is a step down.
USUAL_LAG_YEARS = 3
MEASURED, ESTIMATED, PROFILE, OFFICIAL, GENERIC, LAST_RESORT = 1, 2, 3, 4, 5, 6
#: Without being asked, nobody is given the world's average (P11).
DEFAULT_TIERS = (OFFICIAL, GENERIC)


class FactorType(StrEnum):
    """What is counted. Scope 2 wants direct. In the order in which a location-based figure prefers them."""

    DIRECT = "direct"  # at the point of combustion
    UNSPECIFIED = "unspecified"  # not stated where it was read
    LIFECYCLE = "lifecycle"  # with the supply of fuel and the building of plants


class Basis(StrEnum):
    """Which electricity is averaged."""

    PRODUCTION = "production"
    PRODUCTION_WITH_IMPORTS = "production_with_imports"
    CONSUMPTION = "consumption"
    RESIDUAL = "residual"  # what is left when claimed electricity is taken out: market-based only
    UNSPECIFIED = "unspecified"


class Scheme(StrEnum):
    """Averages belong into an inventory; margins say what one kWh more would cause and never do."""

    AVERAGE = "average"
    OPERATING_MARGIN = "operating_margin"
    BUILD_MARGIN = "build_margin"
    COMBINED_MARGIN = "combined_margin"


@dataclass(frozen=True, slots=True)
class Origin:
    """How the answer of a live service came to be. Times are UTC seconds, None: not told."""

    provider: str = "tables"
    endpoint: str = ""  # the address asked, without anything secret
    api_version: str = ""
    model_version: str = ""
    is_estimated: bool | None = None
    estimation_method: str = ""
    imputed: bool | None = None
    created_at_s: int | None = None  # at the source
    updated_at_s: int | None = None  # at the source
    fetched_at_s: int | None = None
    raw_sha256: str = ""  # of the answer as it was received


TABLES = Origin()


@dataclass(frozen=True, slots=True)
class FactorRow:
    """One printed factor with its provenance. ``zone`` is the catalogue's code of ``zone_printed``.

    ``value_printed`` "": the publisher says that there is none, and ``source_ref`` why. ``valid_to_s`` is exclusive;
    both 0: undated. ``includes_td``: whether grid losses are in it already; None: not stated.
    """

    factor_id: str
    zone: str
    zone_printed: str
    zone_system: str
    value_printed: str
    unit_printed: str
    gases: str
    factor_type: FactorType
    basis: Basis
    scheme: Scheme
    quality_tier: int
    valid_from_s: int
    valid_to_s: int
    edition: str
    data_year: str
    publisher: str
    source_ref: str
    licence: str
    gwp_set: str = "unspecified"
    includes_td: bool | None = None
    confidence: str = "untagged"
    note: str = ""
    publisher_url: str = ""
    attribution: str = ""
    origin: Origin = TABLES

    @property
    def value_g_per_kwh(self) -> Decimal | None:
        """Exact; None: there is no value."""
        return g_per_kwh(Decimal(self.value_printed), self.unit_printed) if self.value_printed else None

    @property
    def source(self) -> str:
        """Where the number can be looked up."""
        if self.publisher in self.source_ref or "://" in self.source_ref:
            return self.source_ref
        return f"{self.publisher}, {self.edition}: {self.source_ref}"


def g_per_kwh(printed: Decimal, unit: str) -> Decimal:
    """A printed value in g/kWh, exactly. Raises KeyError for an unknown unit."""
    return _EXACT.multiply(printed, UNITS[unit])


@dataclass(frozen=True, slots=True)
class Step:
    """A zone whose factor may stand for the one that was asked for. ``reason`` says why, and "" that it is no step
    down; ``caution`` is what to know about it."""

    zone: str
    reason: str = ""
    caution: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """The factor to use for ``zone``. ``steps``: what it is less than was asked for, in sentences; empty: nothing.
    ``cautions``: what else to know."""

    zone: str
    row: FactorRow
    steps: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()

    @property
    def note(self) -> str:
        return " ".join((*self.steps, *self.cautions))

    def as_factor(self, provider: str, recorded_at_s: int, *, assumed: bool = False, note: str = "") -> Factor:
        """For a booking: the value rounded to mg/kWh once, and an id of its own where one zone stands for another."""
        value = self.row.value_g_per_kwh
        foreign = "" if self.row.zone == self.zone else f"@{self.zone}"
        return Factor(
            factor_id=self.row.factor_id + foreign,
            zone=self.zone,
            intensity_mg_per_kwh=None if value is None else round(value * 1000),
            factor_type=self.row.factor_type.value,
            basis="location",
            tier=self.row.quality_tier,
            provider=provider,
            source=self.row.source,
            valid_from_s=self.row.valid_from_s,
            recorded_at_s=recorded_at_s,
            assumed=assumed,
            note=f"{note} {self.note}".strip(),
            valid_to_s=self.row.valid_to_s,
            flagged=bool(self.steps),
        )


@dataclass(frozen=True, slots=True)
class NoFactor:
    """There is no value, and why. Emissions are then unknown, not zero. ``by_rule``: the publisher says that there is
    none, so that nothing else may stand in."""

    reason: str
    by_rule: bool = False


def choose_location(
    rows: Iterable[FactorRow], path: Sequence[Step], at_s: int, tiers: Sequence[int] = DEFAULT_TIERS
) -> Choice | NoFactor:
    """The factor of a location-based figure for the zone ``path[0]`` at ``at_s``: the first tier of ``tiers`` that
    has a value, in it the nearest zone of the path, in that a direct factor before others, in those the right period.
    """
    distance = {step.zone: place for place, step in reversed(list(enumerate(path)))}
    usable = [row for row in rows if row.zone in distance and row.quality_tier in tiers and is_located(row)]
    kinds = list(FactorType)
    valued = [row for row in usable if row.value_printed]
    if not valued:
        reasons = [row.note for row in usable if row.note]
        return NoFactor(reasons[0] if reasons else "no table has a value for it")
    best = min(
        valued,
        key=lambda row: (
            tiers.index(row.quality_tier),
            distance[row.zone],
            kinds.index(row.factor_type),
            misfit(row, at_s),
        ),
    )
    return _chosen(best, path, at_s, tiers)


def choose_residual(rows: Iterable[FactorRow], path: Sequence[Step], at_s: int) -> Choice | NoFactor:
    """What weighs electricity that no contract covers, in the market-based method. A market that has none by its rules
    (full disclosure) is NoFactor with that reason."""
    distance = {step.zone: place for place, step in reversed(list(enumerate(path)))}
    usable = [row for row in rows if row.zone in distance and row.basis is Basis.RESIDUAL]
    if not usable:
        return NoFactor("the tables have no residual mix for it")
    best = min(usable, key=lambda row: (distance[row.zone], misfit(row, at_s)))
    if not best.value_printed:
        return NoFactor(f"{best.edition}: {best.source_ref}", by_rule=True)
    return _chosen(best, path, at_s, (best.quality_tier,))


def ladder(rows: Sequence[FactorRow], path: Sequence[Step], at_s: int) -> dict[int, Choice | NoFactor]:
    """What each tier by itself would say, the world's too."""
    world = (*path, Step("WORLD"))
    return {
        tier: choose_location(rows, world if tier == LAST_RESORT else path, at_s, (tier,))
        for tier in (OFFICIAL, GENERIC, LAST_RESORT)
    }


def is_located(row: FactorRow) -> bool:
    """Whether it may weigh a location-based figure at all."""
    return row.scheme is Scheme.AVERAGE and row.basis is not Basis.RESIDUAL


def misfit(row: FactorRow, at_s: int) -> tuple[int, int]:
    """How badly an edition fits: made for this time, else the last one before it, else the first one after it."""
    if row.valid_from_s <= at_s < row.valid_to_s:
        return 0, 0
    if row.valid_to_s <= at_s:
        return 1, at_s - row.valid_to_s
    return 2, row.valid_from_s - at_s


def _chosen(row: FactorRow, path: Sequence[Step], at_s: int, tiers: Sequence[int]) -> Choice:
    step = next(step for step in path if step.zone == row.zone)
    steps = (
        _tier_step(row.quality_tier, tiers),
        step.reason,
        "" if row.basis is Basis.RESIDUAL else _TYPE_STEPS.get(row.factor_type, ""),
        _period_step(row, at_s),
    )
    cautions = (step.caution, _period_caution(row, at_s), row.note)
    return Choice(path[0].zone, row, tuple(filter(None, steps)), tuple(filter(None, cautions)))


_TYPE_STEPS = {
    FactorType.LIFECYCLE: "It is a life-cycle value: it counts fuel supply and construction, which Scope 2 leaves out.",
    FactorType.UNSPECIFIED: "Whether it is direct or life-cycle is not stated where it was read.",
}


def _tier_step(tier: int, tiers: Sequence[int]) -> str:
    if tier == LAST_RESORT:
        return "This is the world's average, the last resort: a month that uses it cannot be closed."
    if tier == tiers[0]:
        return ""
    return "There is no official factor: a generic annual average stands in."


def _period_step(row: FactorRow, at_s: int) -> str:
    """What is wrong with the period. A table that describes a year is used until the next one is out; one that is made
    for a period (DESNZ, NGA) is not meant for another."""
    if row.valid_from_s <= at_s < row.valid_to_s:
        return ""
    if not row.valid_to_s:
        return "It is undated."
    made_for_a_period = row.data_year == "unspecified"
    if at_s < row.valid_from_s or made_for_a_period:
        when = "a later" if at_s < row.valid_from_s else "an earlier"
        return f"{row.edition} is of {when} period: the edition for the time asked for is not among the tables."
    if at_s - row.valid_to_s > USUAL_LAG_YEARS * YEAR_S:
        return f"It describes {row.data_year}, more than {USUAL_LAG_YEARS} years before the time asked for."
    return ""


def _period_caution(row: FactorRow, at_s: int) -> str:
    usual = row.valid_to_s <= at_s <= row.valid_to_s + USUAL_LAG_YEARS * YEAR_S
    return f"It describes {row.data_year}." if usual and row.data_year != "unspecified" else ""
