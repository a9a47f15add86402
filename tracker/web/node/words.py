"""The words of the page for the named cases of ``core``: a person should not have to know our vocabulary."""

from __future__ import annotations

from collections.abc import Mapping

from tracker.core.model import Component, GapReason, Kind, Method

COMPONENT: Mapping[Component, str] = {
    Component.GPU: "GPU",
    Component.CPU: "CPU",
    Component.DRAM: "Memory",
    Component.OTHER: "Other",
}

METHOD: Mapping[Method, str] = {
    Method.MEASURED: "measured",
    Method.MODELLED: "modelled, not measured",
    Method.SIMULATED: "simulated",
}

KIND: Mapping[Kind, str] = {
    Kind.POD: "pod",
    Kind.SLURM: "Slurm job",
    Kind.CONTAINER: "container",
    Kind.UNIT: "system service",
    Kind.USER: "user session",
    Kind.RUN: "declared run",
    Kind.IDLE: "below the idle floor, held by nobody",
    Kind.UNALLOCATED: "parts of a partitioned GPU that belong to nobody",
    Kind.SYSTEM: "everything that is no workload",
    Kind.UNATTRIBUTED: "used, but the owner could not be observed",
}

GAP: Mapping[GapReason, str] = {
    GapReason.START: "before the first reading",
    GapReason.RECOVERED: "wattledger was down; the counter ran on and nothing was lost",
    GapReason.DOWNTIME: "wattledger was down and the energy cannot be known",
    GapReason.RESET: "the counter started anew (reset or driver reload)",
    GapReason.IMPLAUSIBLE: "the reading was impossible and was set aside",
    GapReason.AMBIGUOUS_WRAP: "so long without a reading that the counter may have wrapped twice",
    GapReason.SUSPEND: "the machine slept",
    GapReason.CLOCK_STEP: "the clock jumped over this time",
    GapReason.LOST: "the device or its sensor vanished",
    GapReason.ERROR: "the driver or kernel answered with an error",
    GapReason.PERMISSION: "reading is not permitted",
    GapReason.HANG: "the driver does not answer",
    GapReason.RELEASED: "the driver was released on request",
    GapReason.MISSED: "power samples were too far apart",
    GapReason.COVERED: "another sensor was booked for this part of the node",
    GapReason.OTHERS: "others held it; a sidecar books its own part only",
    GapReason.SETTLING: "watched before use: it could mirror another counter",
}

#: How sure a factor is, by tier.
TIER: Mapping[int, str] = {
    1: "measured for this hour",
    2: "estimated for this hour by the provider",
    3: "a typical profile, scaled to the official annual value",
    4: "the official annual average of this region",
    5: "a generic annual average of this country",
    6: "a world average, the last resort",
}
LAST_TIER = 6

FACTOR_TYPE: Mapping[str, str] = {
    "direct": "direct: what power stations emit",
    "unspecified": "direct or lifecycle: not stated where it was read",
    "lifecycle": "lifecycle: fuel supply and construction included",
}
