"""The vocabulary: frozen data that travels from a sensor to the ledger and to /metrics.

Read this file first. A ``Sensor`` is something that can be read; a booked sensor is a *device* of the
ledger. A ``Reading`` becomes a ``Span`` of energy (``meter.py``), spans become ``Charge``s (``split.py``), charges
become
``Entry`` rows of a slot (``slots.py``), and a ``Booking`` commits them together with the ``Cursor`` they reach.

Time: ``boot_ns`` is CLOCK_BOOTTIME (runs through suspend, comparable between processes of one boot),
``mono_ns`` is CLOCK_MONOTONIC (stops in suspend), ``wall_ns`` is UTC since 1970 (may step).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Component(StrEnum):
    """The one non-overlapping dimension of a node: summing over it gives the node."""

    GPU = "gpu"
    CPU = "cpu"
    DRAM = "dram"
    OTHER = "other"


class Method(StrEnum):
    """How sure a joule is. Anything that no sensor measured is modelled; a demo is simulated."""

    MEASURED = "measured"
    MODELLED = "modelled"
    SIMULATED = "simulated"


class Kind(StrEnum):
    """What a workload is. The remainders of a split have names too (P1)."""

    POD = "pod"
    SLURM = "slurm"
    CONTAINER = "container"
    UNIT = "unit"
    USER = "user"
    RUN = "run"
    IDLE = "idle"  # below the idle floor and held by nobody
    UNALLOCATED = "unallocated"  # a part of a partitioned device that belongs to nobody (free MIG SMs)
    SYSTEM = "system"  # the operating system and everything that is no workload
    UNATTRIBUTED = "unattributed"  # used, but the owner could not be observed
    OTHER = "other"  # on /metrics only: the workloads beyond the configured number of series


class GapReason(StrEnum):
    """Why a device has no reading for a while (P3). Values are the ``reason`` label of ``gap_seconds_total``."""

    START = "start"  # before the first baseline of a new device
    RECOVERED = "recovered"  # the daemon was down; the counter ran on and nothing was lost
    DOWNTIME = "downtime"  # the daemon was down and the energy cannot be known (reboot, driver reload)
    RESET = "reset"  # the counter started anew (GPU reset, driver reload)
    IMPLAUSIBLE = "implausible"  # quarantined: more than max power x elapsed x 1.2, a sentinel (P5)
    AMBIGUOUS_WRAP = "ambiguous_wrap"  # so long without a reading that the counter may have wrapped twice
    SUSPEND = "suspend"  # the machine slept
    CLOCK_STEP = "clock_step"  # the wall clock jumped over this time; it never was
    LOST = "lost"  # the device fell off the bus or its sensor vanished
    ERROR = "error"  # the driver or kernel answered with an error
    PERMISSION = "permission"
    HANG = "hang"  # the driver call did not return
    RELEASED = "released"  # the operator asked to let go of the driver
    MISSED = "missed"  # power samples too far apart to integrate
    COVERED = "covered"  # another sensor was booked for this part of the node
    OTHERS = "others"  # as a sidecar: the part of the time in which others held the device; not ours to book
    SETTLING = "settling"  # watched before use: could be a mirror of another counter


#: Gaps during which the daemon booked no held time at all; in all other gaps held time goes on.
DARK_GAPS = frozenset({GapReason.DOWNTIME, GapReason.CLOCK_STEP, GapReason.START, GapReason.COVERED, GapReason.OTHERS})


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant on the three clocks."""

    mono_ns: int
    boot_ns: int
    wall_ns: int


@dataclass(frozen=True, slots=True)
class Sensor:
    """Something that yields energy or power. ``key`` is stable over restarts and is the ``device`` label.

    ``scopes`` are the parts of the node it covers, as paths: ``node/cpu/0`` contains ``node/cpu/0/core``; two sensors
    overlap when a path of one is a prefix of, or equal to, a path of the other. Of overlapping sensors only
    the most preferred is booked (``cover.py``).
    """

    key: str
    source: str
    component: Component
    scopes: tuple[str, ...]
    preference: int
    method: Method
    sensor: str  # what is read, for people: "nvml-total-energy", "rapl package-0"
    max_power_mw: int  # plausibility bound (P5): power limit, TDP, or a generous ceiling
    counter_range_uj: int | None = None  # a counter that wraps adds this; None: 64 bit, never wraps
    averaged: bool = False  # power_mw is the mean of the time before the reading, not an instant
    vendor: str = ""
    model: str = ""
    index: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """One successful read of one sensor. At least one of ``counter_uj`` and ``power_mw`` is given.

    ``epoch`` names the life of the counter where the source knows it (driver version, pm_counters startup): another
    epoch is another counter.
    """

    sensor: str
    mono_ns: int
    boot_ns: int
    counter_uj: int | None = None
    power_mw: int | None = None
    epoch: str = ""


@dataclass(frozen=True, slots=True)
class Missing:
    """One failed read of one sensor: a gap with a reason, never a zero."""

    sensor: str
    boot_ns: int
    reason: GapReason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ProcessUse:
    """A process on a GPU. ``sm_weight`` is its SM utilisation summed over time (percent x ms) since the last report."""

    pid: int
    sm_weight: int
    memory_bytes: int
    instance: str = ""  # MIG instance it runs in, "" on a whole GPU


@dataclass(frozen=True, slots=True)
class Instance:
    """A MIG instance: a part of a GPU with its own holder. ``key`` is the MIG UUID."""

    key: str
    sm_count: int  # 0: unknown, the split falls back to equal parts


@dataclass(frozen=True, slots=True)
class DeviceUse:
    """Who is on a GPU. ``sm_total`` 0: unknown or not partitioned. ``index``: in the driver's order; -1: unknown."""

    device: str
    processes: tuple[ProcessUse, ...] = ()
    instances: tuple[Instance, ...] = ()
    sm_total: int = 0
    index: int = -1


@dataclass(frozen=True, slots=True)
class Workload:
    """One distinct label set. ``key`` is the identity of the work ("pod/<uid>", "container/<id>", "unit/nginx.service",
    "user/1000", "slurm/211"); the rest are labels that rules and resolvers fill. All values are cleaned text."""

    key: str
    kind: Kind
    name: str = ""
    namespace: str = ""
    pod: str = ""
    container: str = ""
    user: str = ""
    job: str = ""
    queue: str = ""
    cost_centre: str = ""
    run: str = ""
    team: str = ""
    project: str = ""
    phase: str = ""

    def __hash__(self) -> int:
        """By the identity alone: fourteen texts cost ten times as much, a thousand times a tick. Few share a key."""
        return hash(self.key)


IDLE = Workload("idle", Kind.IDLE, "idle")
UNALLOCATED = Workload("unallocated", Kind.UNALLOCATED, "unallocated")
SYSTEM = Workload("system", Kind.SYSTEM, "system")
UNATTRIBUTED = Workload("unattributed", Kind.UNATTRIBUTED, "unattributed")
OTHER = Workload("other", Kind.OTHER, "other")


@dataclass(frozen=True, slots=True)
class Share:
    """A workload's weight in one component (CPU time in µs, memory in bytes). Weights are >= 0."""

    workload: Workload
    weight: int


@dataclass(frozen=True, slots=True)
class Holder:
    """A workload on a GPU: by activity (``sm_weight``), by memory, and by the capacity it holds (``sm_count``,
    0 when the GPU is not partitioned)."""

    workload: Workload
    sm_weight: int = 0
    memory_weight: int = 0
    sm_count: int = 0


@dataclass(frozen=True, slots=True)
class GpuHolding:
    """Who holds a GPU during a tick. ``instance_sms``: SMs of all instances (0: not partitioned); ``sm_total``: of the
    whole GPU. Instances without a holder are idle, SMs in no instance are unallocated."""

    holders: tuple[Holder, ...] = ()
    instance_sms: int = 0
    sm_total: int = 0


@dataclass(frozen=True, slots=True)
class Own:
    """As a sidecar: what is booked, by workload key; everything else is somebody else's to book. ``gpu_parts``: how
    many pods share each of its GPUs without being seen here."""

    keys: frozenset[str]
    gpu_parts: int = 1


@dataclass(frozen=True, slots=True)
class Observation:
    """Who used the node during a tick, as weights. CPU and DRAM shares need not exhaust the capacity."""

    cpu: tuple[Share, ...] = ()  # CPU time in µs, the operating system's own share included as SYSTEM
    cpu_capacity_us: int = 0  # CPUs x elapsed
    dram: tuple[Share, ...] = ()  # bytes
    dram_capacity_bytes: int = 0
    gpu: Mapping[str, GpuHolding] = field(default_factory=dict)  # by device key; absent: nobody is known to hold it
    joined_processes: int = 0  # GPU processes whose cgroup could be read
    unjoined_processes: int = 0
    own: Own | None = None  # None: the whole node is booked


@dataclass(frozen=True, slots=True)
class Span:
    """Energy between two instants, measured as the sensor's method says."""

    start_boot_ns: int
    end_boot_ns: int
    energy_uj: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Time for which a device has no energy, and why."""

    start_boot_ns: int
    end_boot_ns: int
    reason: GapReason


@dataclass(frozen=True, slots=True)
class Charge:
    """A workload's part of a device in a piece of time. ``idle_uj`` is the part of ``energy_uj`` below the idle
    floor."""

    workload: Workload
    energy_uj: int
    idle_uj: int
    held_ms: int


@dataclass(frozen=True, slots=True)
class Entry:
    """An increment of the ledger: added to the row (slot, device, workload, method)."""

    slot_start_s: int
    device: str
    workload: Workload
    method: Method
    energy_uj: int
    idle_uj: int
    held_ms: int


@dataclass(frozen=True, slots=True)
class GapEntry:
    """An increment of the row (slot, device, reason)."""

    slot_start_s: int
    device: str
    reason: GapReason
    duration_ms: int


@dataclass(frozen=True, slots=True)
class EmissionEntry:
    """An increment of the row (slot, workload, basis, factor, pue): energy weighed when it was booked, or the making of
    a device for the time that it was held.

    ``late_of_s``: the slot of the energy that had to wait for its factor, and ``energy_uj`` how much of it is weighed;
    None: energy of this very booking.
    """

    slot_start_s: int
    workload: Workload
    basis: str  # location | market | embodied
    factor_id: str
    pue_permille: int
    emissions_ug: int
    late_of_s: int | None = None
    energy_uj: int = 0  # told for late ones only


@dataclass(frozen=True, slots=True)
class UnweighedEntry:
    """An increment of energy that is booked while no factor of this basis has a value for its slot: it waits."""

    slot_start_s: int
    workload: Workload
    basis: str  # location | market
    energy_uj: int


@dataclass(frozen=True, slots=True)
class UnitEntry:
    """An increment of the row (slot, workload, unit): what a workload says it got done (tokens, steps, requests)."""

    slot_start_s: int
    workload: Workload
    unit: str
    amount: int


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a sensor's energy is booked: where the next delta starts, also after a crash.

    Valid only in the same boot and epoch. ``counter_uj`` None: the sensor has no counter (power is integrated), only
    the time is known.
    """

    sensor: str
    boot_id: str
    boot_ns: int
    wall_ns: int
    counter_uj: int | None
    epoch: str = ""


@dataclass(frozen=True, slots=True)
class Factor:
    """A grid factor in use. ``intensity_mg_per_kwh`` None: there is no value, and ``note`` says why (never 0 g)."""

    factor_id: str
    zone: str
    intensity_mg_per_kwh: int | None
    factor_type: str  # direct | lifecycle
    basis: str  # location | market | embodied (no intensity: the figure is in ``note``)
    tier: int  # 1 measured … 5 generic annual, 6 world
    provider: str
    source: str  # publisher, edition: where the number can be looked up
    valid_from_s: int
    recorded_at_s: int
    assumed: bool = False  # nobody set this zone
    note: str = ""
    valid_to_s: int = 0  # exclusive; 0: until further notice
    flagged: bool = False  # less than was asked for; ``note`` says what


@dataclass(frozen=True, slots=True)
class Booking:
    """Everything one ledger transaction commits: increments AND the position they reach."""

    entries: tuple[Entry, ...]
    gaps: tuple[GapEntry, ...]
    emissions: tuple[EmissionEntry, ...]
    cursors: tuple[Cursor, ...]
    sensors: tuple[Sensor, ...]  # sensors seen for the first time or changed
    factors: tuple[Factor, ...]  # factors used by these emissions, if new
    booked_until_ms: int  # wall time; slots that end at or before it are closed
    meta: Mapping[str, str] = field(default_factory=dict)  # small state: learned idle floors
    units: tuple[UnitEntry, ...] = ()
    unweighed: tuple[UnweighedEntry, ...] = ()


class Level(StrEnum):
    """How a finding of ``wattledger check`` stands."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of ``wattledger check``: what was found and the exact step that would mend it."""

    level: Level
    subject: str
    message: str
    remedy: str = ""
