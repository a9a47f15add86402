"""A monthly statement as data: what ``books`` composes and ``exports`` renders.

Every printed quantity is an integer in its last printed place: Wh (kWh with three decimals), g (kg with three
decimals), milli-hours, hundredths of the currency. They are rounded once, by largest remainder, so that every total is
the sum of its rows and of its days (P9). What is 0 is printed as 0 in every row, and in every day too, but that single
Wh of idle, unweighed or unpriced energy may stand on other days where the printed total leaves no other room. IT energy
is printed as the sum of measured, modelled and simulated energy, and facility energy as that with the overhead, so that
rows foot across too. Ratios are parts per million and are never summed.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

#: What rows may be grouped and filtered by.
DIMENSIONS = (
    "entity",
    "cost_centre",
    "team",
    "project",
    "workload_kind",
    "phase",
    "site",
    "grid_zone",
    "component",
    "control",
    "cluster",
    "hostname",
    "workload",
    "name",
    "namespace",
    "user",
    "job",
    "queue",
    "run",
    "device_model",
)
DEFAULT_GROUP = ("cost_centre", "team", "project", "phase", "site", "component")


class Status(StrEnum):
    """In this order."""

    DRAFT = "draft"
    REVIEWED = "reviewed"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Period:
    """A calendar month in a declared time zone: hours that begin in [start_s, end_s) belong to it."""

    month: str  # 2026-10
    timezone: str
    start_s: int
    end_s: int


@dataclass(frozen=True, slots=True)
class Amounts:
    """The additive columns. None: not known (no factor, no tariff, no figure), never 0.

    energy_overhead = energy_facility - energy_it; modelled + simulated = energy_it - measured. ``unweighed_wh``:
    facility energy for which there was no location factor; it is not in ``location_g``. ``unpriced_wh``: for which
    there was no tariff; it is not in the cost. ``embodied_g`` is amortised and never added to scope 2.
    """

    energy_it_wh: int
    energy_facility_wh: int
    measured_wh: int
    simulated_wh: int
    idle_wh: int
    device_mh: int  # thousandths of a device-hour
    location_g: int | None
    location_annual_g: int | None
    location_hourly_g: int | None
    market_g: int | None
    upstream_g: int | None  # scope 3.3: supply of fuel, and grid losses
    embodied_g: int | None
    unweighed_wh: int = 0
    cost_hundredths: int | None = None
    unpriced_wh: int = 0

    @property
    def energy_overhead_wh(self) -> int:
        return self.energy_facility_wh - self.energy_it_wh

    @property
    def modelled_wh(self) -> int:
        return self.energy_it_wh - self.measured_wh - self.simulated_wh


@dataclass(frozen=True, slots=True)
class Ratios:
    """Non-additive columns in parts per million; None: nothing to divide by."""

    intensity_mg_per_kwh: int | None  # location-based grams over facility kWh
    estimated_factor_ppm: int | None  # share of energy weighed with a tier that is no measured or official factor
    coverage_ppm: int | None  # covered over expected device time of the row's site and component


@dataclass(frozen=True, slots=True)
class Line:
    """A row. ``key`` has a value for each name of ``Statement.group_by``, in that order. ``scope``/``category``: of
    its electricity, by who controls the hardware ("2", or "3" with a category)."""

    row_id: str  # stable name of the row: a hash of month and key
    key: tuple[str, ...]
    amounts: Amounts
    ratios: Ratios
    scope: str = "2"
    category: str = ""
    kind: str = "usage"  # usage | allocation: idle energy handed on to those who work; those rows net to zero


@dataclass(frozen=True, slots=True)
class Correction:
    """Posted in an open month for a closed one. Amounts may be negative."""

    restates_period: str
    reason: str  # factor_final | energy_late | method_change | error
    line: Line


@dataclass(frozen=True, slots=True)
class Day:
    """All rows of one local day."""

    date: str
    amounts: Amounts


@dataclass(frozen=True, slots=True)
class FactorUse:
    """A factor that weighed something, with what an auditor looks up."""

    basis: str  # location_annual | location_hourly | market | upstream | embodied
    zone: str
    factor_id: str
    value: str  # as printed, with its unit
    unit: str
    value_g_per_kwh: Decimal | None
    factor_type: str
    gases: str
    gwp_set: str
    tier: int
    edition: str
    data_year: str
    publisher: str
    source: str
    url: str
    licence: str
    attribution: str
    recorded_at_s: int
    raw_sha256: str
    energy_wh: int  # facility energy that it weighed
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SiteUse:
    """A place with what was assumed of it, for the time in which one PUE held. ``pue_assumed``, ``zone_assumed``:
    nobody stated it. ``country``: of the zone, by its alpha-3 code; "" for the world."""

    site: str
    zone: str
    zone_assumed: bool
    control: str
    pue_permille: int
    pue_source: str
    pue_assumed: bool
    hours: int
    energy_it_wh: int
    country: str = ""


@dataclass(frozen=True, slots=True)
class CoverageLine:
    """A node in the month. ``missing``: hours without any row, as ranges for people ("2026-10-03T04:00Z +3 h")."""

    site: str
    hostname: str
    expected_h: int
    present_h: int
    covered_ppm: int | None  # of its devices' time
    gaps_s: tuple[tuple[str, int], ...]  # by reason
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reconciled:
    """Our total beside somebody else's."""

    what: str
    ours_wh: int | None
    theirs_wh: int | None
    explanation: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """A condition for closing. ``waived``: the reason that somebody gave for going on all the same."""

    name: str  # coverage | zone | simulated | tier | unshipped | verify | unweighed | overlap
    passed: bool
    message: str
    remedy: str = ""
    waived: str = ""


@dataclass(frozen=True, slots=True)
class Input:
    """A file that the statement was made from."""

    name: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Statement:
    """Everything that a month says. The same inputs, options and ``as_of_s`` give the same statement."""

    period: Period
    status: Status
    version: int
    statement_id: str
    software: str  # version of wattledger
    entity: str
    currency: str
    group_by: tuple[str, ...]
    filters: tuple[tuple[str, str], ...]
    location_method: str  # annual | hourly: which of the two is location_g
    as_of_s: int  # nothing recorded later was used
    rows: tuple[Line, ...]
    total: Line
    days: tuple[Day, ...] = ()
    corrections: tuple[Correction, ...] = ()
    factors: tuple[FactorUse, ...] = ()
    coverage: tuple[CoverageLine, ...] = ()
    reconciliation: tuple[Reconciled, ...] = ()
    checks: tuple[Check, ...] = ()
    method: tuple[tuple[str, str], ...] = ()  # title, text
    inputs: tuple[Input, ...] = ()
    preparer: str = ""
    approver: str = ""
    months: tuple[tuple[str, Amounts], ...] = ()  # the trend: up to twelve months before, by month
    sites: tuple[SiteUse, ...] = ()
    unknown_wh: tuple[tuple[str, int], ...] = ()  # by basis: facility energy that is in none of its known sums
