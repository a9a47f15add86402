"""Every metric of the exposition: its name, type, labels and help. One entry of FAMILIES each.

Names follow Prometheus's naming practice: base units, ``_total`` on counters only, and a sum over all labels means
something. A new metric costs one entry here and one function in ``rows.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from tracker.core.snapshot import Snapshot
from tracker.core.units import MS_PER_S, MW_PER_W, UG_PER_G, UJ_PER_J
from tracker.metrics import rows
from tracker.metrics.labels import braced, clean

PREFIX = "wattledger_"
PERMILLE = 1000
MG_PER_G = 1000


@dataclass(frozen=True, slots=True)
class Family:
    """One metric family. ``name`` is that of its samples, without the prefix."""

    name: str
    kind: str  # counter | gauge | info
    labels: tuple[str, ...]
    help: str
    rows: rows.Rows
    per: int = 1  # amounts in one base unit: 1,000,000 µJ in a joule
    unit: str = ""  # for OpenMetrics: the last words of the family's name
    always: bool = False  # about the daemon itself: exported before the first complete tick, too

    @property
    def sample_name(self) -> str:
        return PREFIX + self.name

    @property
    def family_name(self) -> str:
        """OpenMetrics names a family without the suffix that its type gives to its samples."""
        return self.sample_name.removesuffix({"counter": "_total", "info": "_info"}.get(self.kind, ""))

    def value(self, amount: float) -> float:
        """The one conversion to a float. An info metric is 1, however many rows fell together."""
        return 1.0 if self.kind == "info" else amount / self.per


_DEVICE = ("hostname", "component", "device")
_WORK = ("workload", "kind", "team", "project", "phase")
_CHARGED = ("hostname", "component", *_WORK, "method")
_FACTOR = ("zone", "basis", "factor_type", "tier", "provider")
_NAMES = ("name", "namespace", "pod", "container", "user", "job", "queue", "cost_centre", "run")

FAMILIES: tuple[Family, ...] = (
    Family(
        "device_energy_joules_total",
        "counter",
        (*_DEVICE, "method"),
        "Energy booked to the ledger. The sum over all labels is the node.",
        rows.device_energy,
        UJ_PER_J,
        "joules",
    ),
    Family(
        "device_power_watts",
        "gauge",
        _DEVICE,
        "Mean power over the last tick. Absent while there is no reading.",
        rows.device_power,
        MW_PER_W,
        "watts",
    ),
    Family(
        "device_info",
        "info",
        (*_DEVICE, "index", "vendor", "model", "sensor"),
        "What a device is and which sensor measures it.",
        rows.device_info,
    ),
    Family(
        "sensor_energy_joules_total",
        "counter",
        ("hostname", "sensor", "device"),
        "Energy seen by a sensor that overlaps a booked device. Never add it to device energy.",
        rows.sensor_energy,
        UJ_PER_J,
        "joules",
    ),
    Family(
        "sensor_crosscheck_ratio",
        "gauge",
        ("device",),
        "Energy by the device's counter over energy by its integrated power: 1 when they agree.",
        rows.sensor_crosscheck,
        PERMILLE,
        "ratio",
    ),
    Family(
        "gap_seconds_total",
        "counter",
        ("component", "device", "reason"),
        "Time for which a device has no reading, by reason.",
        rows.gaps,
        MS_PER_S,
        "seconds",
    ),
    Family(
        "workload_energy_joules_total",
        "counter",
        _CHARGED,
        "Energy charged to a workload, to idle or to another named remainder. Its sum is that of the devices.",
        rows.workload_energy,
        UJ_PER_J,
        "joules",
    ),
    Family(
        "workload_idle_energy_joules_total",
        "counter",
        _CHARGED,
        "The part of workload energy below the device's idle floor. Contained in it: never add the two.",
        rows.workload_idle_energy,
        UJ_PER_J,
        "joules",
    ),
    Family(
        "workload_emissions_grams_total",
        "counter",
        ("hostname", *_WORK, "basis"),
        "CO2 equivalent by the grid factor known when the energy was booked, PUE included. Absent without a factor.",
        rows.workload_emissions,
        UG_PER_G,
        "grams",
    ),
    Family(
        "workload_held_seconds_total",
        "counter",
        ("hostname", "component", *_WORK),
        "Device-seconds that a workload held, used or not.",
        rows.workload_held,
        MS_PER_S,
        "seconds",
    ),
    Family(
        "workload_info",
        "info",
        ("hostname", "workload", "kind", *_NAMES),
        "Names of a workload, one series each, to join by hostname, workload and kind.",
        rows.workload_info,
    ),
    Family(
        "grid_intensity_grams_per_kwh",
        "gauge",
        _FACTOR,
        "CO2 equivalent per kWh of the grid factor in use. Absent when there is none.",
        rows.grid_intensity,
        MG_PER_G,
        "grams_per_kwh",
    ),
    Family(
        "grid_intensity_timestamp_seconds",
        "gauge",
        _FACTOR,
        "Start of the time that the grid factor in use describes, in Unix time.",
        rows.grid_timestamp,
        unit="seconds",
    ),
    Family(
        "pue_ratio",
        "gauge",
        ("site",),
        "Power usage effectiveness in use: facility energy over IT energy.",
        rows.pue,
        PERMILLE,
        "ratio",
    ),
    Family(
        "conservation_error_joules",
        "gauge",
        ("hostname",),
        "Device energy minus charged energy. Anything but 0 is a defect: please report it.",
        rows.conservation_error,
        UJ_PER_J,
        "joules",
    ),
    Family(
        "gpu_processes",
        "gauge",
        ("joined",),
        "Processes on GPUs in the last tick, by whether their workload could be found.",
        rows.gpu_processes,
    ),
    Family(
        "source_up",
        "gauge",
        ("source",),
        "1 while a source answers in time; 0 when it failed, hangs or is stale.",
        rows.source_up,
        always=True,
    ),
    Family(
        "source_errors_total",
        "counter",
        ("source", "kind"),
        "Failed reads since the daemon started.",
        rows.source_errors,
        always=True,
    ),
    Family(
        "source_last_success_timestamp_seconds",
        "gauge",
        ("source",),
        "When a source was last read, in Unix time. Absent before the first success.",
        rows.source_last_success,
        unit="seconds",
        always=True,
    ),
    Family(
        "source_read_seconds",
        "gauge",
        ("source",),
        "How long the last successful read took.",
        rows.source_read,
        unit="seconds",
        always=True,
    ),
    Family(
        "tick_timestamp_seconds",
        "gauge",
        (),
        "When the last tick was completed, in Unix time. Absent before the first.",
        rows.tick_timestamp,
        unit="seconds",
        always=True,
    ),
    Family(
        "ticks_missed_total",
        "counter",
        (),
        "Ticks that came too late to be taken since the daemon started.",
        rows.ticks_missed,
        always=True,
    ),
    Family(
        "ledger_commit_timestamp_seconds",
        "gauge",
        (),
        "When the ledger was last committed, in Unix time. It stands still while booking fails.",
        rows.ledger_commit,
        unit="seconds",
        always=True,
    ),
    Family(
        "ledger_size_bytes",
        "gauge",
        (),
        "Size of the ledger on disk, write-ahead log included.",
        rows.ledger_size,
        unit="bytes",
        always=True,
    ),
    Family("build_info", "info", ("version",), "The version that runs.", rows.build_info, always=True),
)


def exported(snapshot: Snapshot) -> Iterator[Family]:
    """The families that may be shown. Before the first complete tick only those about the daemon itself: a counter that
    starts low and then jumps to its stored total would read as an enormous rate (P2)."""
    return (family for family in FAMILIES if snapshot.ready or family.always)


class SnapshotCollector(Collector):
    """One snapshot for any prometheus_client registry. ``/metrics`` goes by the faster ``exposition.py``, which a test
    holds to the same bytes."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        for family in exported(self._snapshot):
            metric = Metric(family.family_name, family.help, family.kind, family.unit)
            sums: dict[str, tuple[dict[str, str], int | float]] = {}
            for values, amount in family.rows(self._snapshot):
                labels = {name: clean(value) for name, value in zip(family.labels, values, strict=True)}
                identity = braced(family.labels, values)
                sums[identity] = (labels, sums.get(identity, (labels, 0))[1] + amount)
            for labels, amount in sums.values():
                metric.add_sample(family.sample_name, labels, family.value(amount))
            if metric.samples:
                yield metric
