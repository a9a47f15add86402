"""The immutable picture the agent publishes after each tick. /metrics, the node page and the API render it, and
nothing else.

Counters in it are *committed* ledger totals (so that they never fall, not even after ``kill -9``); powers and health
are
of the last tick. One object is swapped by reference: any number of readers see the same values (P6).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tracker.core.forecast import Forecast
from tracker.core.model import Component, Factor, Finding, GapReason, Method, Sensor, Workload


@dataclass(frozen=True, slots=True)
class DeviceState:
    """A sensor now. ``energy_uj`` is its booked total; for a sensor that is not booked, what was seen of it."""

    sensor: Sensor
    booked: bool
    energy_uj: int
    power_mw: int | None  # mean over the last tick; None: no reading
    gap: GapReason | None = None  # why there is no reading now


@dataclass(frozen=True, slots=True)
class Tally:
    """A workload's committed totals in one component and method. ``idle_uj`` is contained in ``energy_uj``."""

    component: Component
    method: Method
    energy_uj: int
    idle_uj: int
    held_ms: int


@dataclass(frozen=True, slots=True)
class WorkloadState:
    """A workload that is live or ended less than 15 minutes ago. ``emissions_ug`` by basis; absent: no factor, not 0.
    ``units``: what it reported, by unit."""

    workload: Workload
    live: bool
    tallies: tuple[Tally, ...]
    emissions_ug: Mapping[str, int]
    power_mw: int  # mean over the last tick
    units: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SourceState:
    """Health of a source. ``up`` False: its thread hangs, failed or is stale."""

    name: str
    up: bool
    errors: Mapping[str, int]  # by kind
    last_success_wall_s: float | None
    read_s: float
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class GapState:
    """Committed time without a reading."""

    device: str
    component: Component
    reason: GapReason
    duration_ms: int


@dataclass(frozen=True, slots=True)
class LedgerHealth:
    """``ok`` False: booking stopped (full disk, I/O error), measuring goes on; ``message`` says what to do."""

    ok: bool
    commit_wall_s: float | None
    size_bytes: int
    message: str = ""


@dataclass(frozen=True, slots=True)
class PowerPoint:
    """A point of the node page's chart: mean power of a tick by device key (absent: no reading)."""

    wall_s: float
    power_mw: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ProviderState:
    """Health of a service of the grid. ``up`` False: its last answers were of no use, and ``error`` says why."""

    name: str
    up: bool
    last_ok_wall_s: float | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class EmbodiedState:
    """What the making of ``count`` devices weighs in an hour of held time, together."""

    name: str
    count: int
    ug_per_h: int
    source: str


@dataclass(frozen=True, slots=True)
class ShipState:
    """How closed hours get into the books. ``up`` False: the last attempt failed; the hours wait in the ledger."""

    up: bool
    last_ok_wall_s: float | None  # None: none since the daemon started


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything a reader may ask for. ``ready`` is False until the first complete tick has been committed."""

    hostname: str
    version: str
    ready: bool
    tick_wall_s: float
    ticks_missed: int
    devices: tuple[DeviceState, ...]
    workloads: tuple[WorkloadState, ...]
    sources: tuple[SourceState, ...]
    gaps: tuple[GapState, ...]
    factor: Factor | None
    site: str
    pue_permille: int
    pue_source: str  # "" or "assumed: ...": nobody set it
    conservation_error_uj: int
    ledger: LedgerHealth
    history: tuple[PowerPoint, ...] = ()
    joined_processes: int = 0
    unjoined_processes: int = 0
    crosscheck_permille: Mapping[str, int] | None = None  # counter / integrated power, by device
    market: Factor | None = None  # of the market-based method; None: nothing is known of any contract
    embodied: tuple[EmbodiedState, ...] = ()
    providers: tuple[ProviderState, ...] = ()
    forecast: tuple[Forecast, ...] = ()
    shipping: ShipState | None = None  # None: this daemon does not ship

    @property
    def pue_assumed(self) -> bool:
        """Nobody said what the PUE is: ``pue_source`` is empty, or says "assumed: ..."."""
        return not self.pue_source or self.pue_source.startswith("assumed")
