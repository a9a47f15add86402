"""Every metric of the exposition: its name, type, labels and help. One entry of FAMILIES each.

Names follow Prometheus's naming practice: base units, ``_total`` on counters only, and a sum over all labels means
something. A new metric costs one entry here and one function in ``rows.py``.
"""

from __future__ import annotations

from collections.abc import Iterator

from tracker.core.snapshot import Snapshot
from tracker.core.units import MS_PER_S, MW_PER_W, UG_PER_G, UJ_PER_J
from tracker.metrics import rows
from tracker.metrics.family import Family
from tracker.metrics.grid_families import GRID

PERMILLE = 1000


_DEVICE = ("hostname", "component", "device")
_WORK = ("workload", "kind", "team", "project", "phase")
_CHARGED = ("hostname", "component", *_WORK, "method")
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
        "CO2 equivalent by the factor known when it was booked, PUE included; embodied: making the hardware, by held "
        "time. Absent without a factor. Never add bases.",
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
        "workload_units_total",
        "counter",
        ("hostname", "workload", "unit"),
        "What a workload reported as done: tokens, steps, requests. Divide energy by it; never add different units. "
        "Processes of a run take steps and epochs together: nodes that work at the same time say the "
        "same ones, nodes that follow each other add up.",
        rows.workload_units,
    ),
    Family(
        "workload_info",
        "info",
        ("hostname", "workload", "kind", *_NAMES),
        "Names of a workload, one series each, to join by hostname, workload and kind.",
        rows.workload_info,
    ),
    *GRID,
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
        "ship_up",
        "gauge",
        (),
        "1 while closed hours get into the books, 0 when the last attempt failed. Absent where nothing is shipped.",
        rows.ship_up,
    ),
    Family(
        "ship_last_success_timestamp_seconds",
        "gauge",
        (),
        "When closed hours were last shipped to the books, in Unix time. Absent before the first success.",
        rows.ship_last_success,
        unit="seconds",
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
