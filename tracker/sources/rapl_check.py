"""Says whether RAPL can be read here, and if not, the exact step that would mend it."""

from __future__ import annotations

from collections import Counter

from tracker.core.model import Component, Finding, GapReason, Level
from tracker.sources.faults import detail_of, reason_of
from tracker.sources.interface import SourceAbsent, SourceContext, SourceDenied, SourceError, SourceFailed
from tracker.sources.rapl_scan import Scan, Zone, read_once, scan
from tracker.sources.rapl_zones import Domain

SUBJECT = "rapl"
_ABSENT = "There are no RAPL energy counters here: a virtual machine, a CPU without them, or the driver is not loaded."
_ABSENT_REMEDY = (
    "On bare metal load the driver: modprobe intel_rapl_msr (it also serves AMD). In a container mount the host's /sys "
    "and name it: --path.sysfs=/host/sys. In a virtual machine the CPU is estimated from its load instead."
)
_MASKED = "The container runtime hides the RAPL counters (/sys/devices/virtual/powercap)."
_MASKED_REMEDY = "Mount the host's /sys read-only at another place, such as /host/sys, and use --path.sysfs=/host/sys."
_DENIED_REMEDY = (
    "systemd: let the group wattledger read them, as make install does (deploy/systemd/wattledger.tmpfiles.conf): "
    "systemd-tmpfiles --create; or AmbientCapabilities=CAP_DAC_READ_SEARCH. Container: run as user 0, with every "
    "capability dropped, the host's /sys mounted at /host/sys and --path.sysfs=/host/sys. By hand, after every boot: "
    "find /sys/devices/virtual/powercap -name energy_uj -exec chgrp wattledger {} + -exec chmod 0440 {} +"
)
_BROKEN_REMEDY = (
    "See dmesg for errors of intel_rapl and load the driver again: modprobe -r intel_rapl_msr; modprobe intel_rapl_msr"
)


def require(context: SourceContext) -> Scan:
    """The zones, if at least one of them can be read. Raises SourceAbsent, SourceDenied or SourceFailed."""
    found = _scan(context)
    _require_one(found, _faults(found.zones))
    return found


def findings(context: SourceContext) -> tuple[Finding, ...]:
    """What ``wattledger check`` prints. Reads every counter once, with files of its own; never raises."""
    try:
        found = _scan(context)
        faults = _faults(found.zones)
        _require_one(found, faults)
    except SourceError as error:
        level = Level.WARN if isinstance(error, SourceAbsent) else Level.FAIL
        return (Finding(level, SUBJECT, error.sentence, error.remedy),)
    good = [zone for zone in found.zones if zone.plan.key not in faults]
    lines = [Finding(Level.OK, SUBJECT, f"Energy counters of {_count(good)} can be read.")]
    lines += [_fault(key, error) for key, error in faults.items()]
    lines += [_no_range(zone) for zone in good if zone.range_uj is None]
    if found.unknown:
        text = f"Zones of unknown kind are not read: {', '.join(found.unknown)}."
        lines.append(Finding(Level.WARN, SUBJECT, text, "Report their names, so that they can be booked rightly."))
    return tuple(lines)


def _scan(context: SourceContext) -> Scan:
    try:
        found = scan(context.roots.sysfs, context.cpu_tdp_mw)
    except PermissionError as error:
        raise SourceDenied("The powercap folder of sysfs may not be listed.", _MASKED_REMEDY) from error
    except OSError as error:
        raise SourceFailed(
            f"The powercap folder of sysfs cannot be listed ({detail_of(error)}).", _BROKEN_REMEDY
        ) from error
    if found.masked:
        raise SourceDenied(_MASKED, _MASKED_REMEDY)
    if not found.zones:
        raise SourceAbsent(_ABSENT, _ABSENT_REMEDY)
    return found


def _require_one(found: Scan, faults: dict[str, OSError | ValueError]) -> None:
    if len(faults) < len(found.zones):
        return
    if all(reason_of(error) is GapReason.PERMISSION for error in faults.values()):
        raise SourceDenied("This process may not read the RAPL energy counters.", _DENIED_REMEDY)
    error = next(iter(faults.values()))
    raise SourceFailed(f"No RAPL energy counter can be read ({detail_of(error)}).", _BROKEN_REMEDY)


def _faults(zones: tuple[Zone, ...]) -> dict[str, OSError | ValueError]:
    """The zones that cannot be read now, by key."""
    faults: dict[str, OSError | ValueError] = {}
    for zone in zones:
        try:
            read_once(zone)
        except (OSError, ValueError) as error:
            faults[zone.plan.key] = error
    return faults


def _fault(key: str, error: OSError | ValueError) -> Finding:
    denied = reason_of(error) is GapReason.PERMISSION
    remedy = _DENIED_REMEDY if denied else _BROKEN_REMEDY
    return Finding(Level.FAIL, SUBJECT, f"{key} cannot be read ({detail_of(error)}).", remedy)


def _no_range(zone: Zone) -> Finding:
    text = f"{zone.plan.key} does not say where its counter wraps; a second is lost at each wrap."
    return Finding(Level.WARN, SUBJECT, text, f"Look at max_energy_range_uj beside {zone.counter_file}.")


def _count(zones: list[Zone]) -> str:
    """Such as: 2 packages, 2 memories, 5 other zones."""
    kinds = Counter(_kind(zone) for zone in zones)
    words = {"package": "packages", "memory": "memories", "other zone": "other zones"}
    return ", ".join(f"{n} {kind if n == 1 else words[kind]}" for kind in words if (n := kinds[kind]))


def _kind(zone: Zone) -> str:
    if zone.plan.domain is Domain.PACKAGE:
        return "package"
    return "memory" if zone.plan.component is Component.DRAM else "other zone"
