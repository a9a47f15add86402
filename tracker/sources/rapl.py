"""Energy of CPU packages and memory from the kernel's RAPL counters (``/sys/class/powercap/intel-rapl*``).

Intel since Sandy Bridge, AMD since Zen (package and one core, no memory). Every documented zone is read; which of the
overlapping ones is booked follows from scopes and preference (``rapl_zones.py``). Counters are cumulative µJ that wrap
after 65 to 262 kJ, minutes at full load: read every second, and unwrapped by the meter.

``energy_uj`` is readable by root only since CVE-2020-8694 (a side channel): this needs CAP_DAC_READ_SEARCH, not root.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import msgspec

from tracker.core.model import Finding, GapReason, Method, Missing, Moment, Reading, Sensor
from tracker.core.units import NS_PER_S
from tracker.sources import rapl_check
from tracker.sources.cpuinfo import CpuModel, read_cpu_model
from tracker.sources.faults import detail_of, reason_of
from tracker.sources.interface import Batch, Source, SourceContext, SourceFailed
from tracker.sources.rapl_mirrors import MirrorOf, Own, Sample, Settling, Twins, Verdict
from tracker.sources.rapl_scan import Scan, Zone, scan
from tracker.sources.rapl_zones import COUNTER_BYTES, Domain, parse_counter
from tracker.sysfs import HeldFile

#: Zones come and go with sockets and drivers: looked for this often, and sooner while one is lost.
RESCAN_NS = 60 * NS_PER_S
RESCAN_LOST_NS = 10 * NS_PER_S


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """RAPL has nothing to set: ``rapl = {}`` only says that it is wanted."""


@dataclass(slots=True)
class _Held:
    """A zone and its open file. ``lost``: its file is gone; not read again before a scan has found it by name, because
    the same path may be another zone after the driver was loaded anew."""

    zone: Zone
    file: HeldFile
    verdict: Verdict
    twins: Twins | None
    lost: bool = False
    failing: bool = False


class RaplSource(Source):
    """See the module."""

    name: ClassVar[str] = "rapl"
    #: Counters do not alias: reading more often than the tick would change nothing. The shortest wrap is 131 s.
    period_s: float = 5.0

    def __init__(self, options: Options, context: SourceContext) -> None:
        self._options = options
        self._context = context
        self._held: dict[str, _Held] = {}
        self._twins: dict[tuple[str, Domain, int | None], Twins] = {}
        self._cpu = CpuModel()
        self._sensors: tuple[Sensor, ...] = ()
        self._announce = True
        self._next_scan_ns = 0

    def open(self) -> None:
        self.close()
        found = rapl_check.require(self._context)
        self._cpu = read_cpu_model(self._context.roots.procfs)
        self._adopt(found)
        self._next_scan_ns = self._context.clock().mono_ns + RESCAN_NS

    def close(self) -> None:
        for held in self._held.values():
            held.file.close()
        self._held = {}
        self._twins = {}
        self._sensors = ()

    def check(self) -> tuple[Finding, ...]:
        return rapl_check.findings(self._context)

    def read(self) -> Batch:
        before = self._context.clock()
        if before.mono_ns >= self._next_scan_ns:
            self._rescan(before)
        readings: list[Reading] = []
        missing: list[Missing] = []
        dies: list[Sample] = []
        for key, held in self._held.items():
            outcome = self._read_zone(held)
            after = self._context.clock()
            # The instant of the value is between the two clock reads. A slow read is not thrown away: the energy is
            # exact whenever it was taken, only its time is uncertain by half the call.
            boot_ns = (before.boot_ns + after.boot_ns) // 2
            if isinstance(outcome, int):
                readings.append(Reading(key, (before.mono_ns + after.mono_ns) // 2, boot_ns, outcome))
                if held.twins is not None:
                    dies.append(_sample(held.zone, outcome, before, after))
            else:
                missing.append(self._failed(held, outcome, boot_ns))
            before = after
        if dies:
            readings = self._hold_back(readings, missing, dies)
        return Batch(tuple(readings), tuple(missing), self._inventory())

    def _read_zone(self, held: _Held) -> int | OSError | ValueError | None:
        """The counter, or why there is none (None: the zone is lost)."""
        if held.lost:
            return None
        try:
            counter_uj = parse_counter(held.file.read(COUNTER_BYTES), held.zone.range_uj)
        except (OSError, ValueError) as error:
            return error
        held.failing = False
        return counter_uj

    def _failed(self, held: _Held, error: OSError | ValueError | None, boot_ns: int) -> Missing:
        """The gap of one zone; the others go on. The first failure has the zones looked for at the next read."""
        key = held.zone.plan.key
        if error is None:
            return Missing(key, boot_ns, GapReason.LOST, "the zone is gone")
        reason = reason_of(error)
        held.file.close()
        held.lost = reason is GapReason.LOST
        if not held.failing and reason is not GapReason.PERMISSION:
            self._next_scan_ns = 0
        held.failing = True
        return Missing(key, boot_ns, reason, detail_of(error))

    def _rescan(self, now: Moment) -> None:
        try:
            found = scan(self._context.roots.sysfs, self._context.cpu_tdp_mw)
        except OSError as error:
            raise SourceFailed(f"The powercap zones cannot be listed: {detail_of(error)}.") from error
        if not found.zones:
            raise SourceFailed("All RAPL zones have gone.", "Load the driver again: modprobe intel_rapl_msr")
        self._adopt(found)
        lost = any(held.lost for held in self._held.values())
        self._next_scan_ns = now.mono_ns + (RESCAN_LOST_NS if lost else RESCAN_NS)

    def _adopt(self, found: Scan) -> None:
        """Take up zones that are new, moved or back. One that is gone keeps its place, as lost."""
        zones = {zone.plan.key: zone for zone in found.zones}
        for key, zone in zones.items():
            held = self._held.get(key)
            if held is not None and held.zone == zone:
                held.lost = False
                continue
            if held is not None:
                held.file.close()
            twins = self._twins_of(zone)
            self._held[key] = _Held(zone, HeldFile(zone.counter_file), Own() if twins is None else Settling(), twins)
            self._announce = True
        for key, held in self._held.items():
            if key not in zones:
                held.file.close()
                held.lost = True

    def _twins_of(self, zone: Zone) -> Twins | None:
        """The watch over the dies of one package; None: the zone is no die's."""
        plan = zone.plan
        if plan.die is None:
            return None
        return self._twins.setdefault((plan.control, plan.domain, plan.package), Twins())

    def _hold_back(self, readings: list[Reading], missing: list[Missing], dies: list[Sample]) -> list[Reading]:
        """Keep what may be a mirror out of the readings, so that it is never booked twice, not even for a second."""
        for twins in self._twins.values():
            verdicts = twins.judge([sample for sample in dies if self._held[sample.key].twins is twins])
            for key, verdict in verdicts.items():
                self._announce |= verdict != self._held[key].verdict
                self._held[key].verdict = verdict
        kept = []
        for reading in readings:
            if isinstance(self._held[reading.sensor].verdict, Settling):
                detail = "watched: it may show the counter of another die"
                missing.append(Missing(reading.sensor, reading.boot_ns, GapReason.SETTLING, detail))
            else:
                kept.append(reading)
        return kept

    def _inventory(self) -> tuple[Sensor, ...] | None:
        """All sensors if they are new or have changed."""
        if not self._announce:
            return None
        self._announce = False
        sensors = tuple(self._sensor(held) for held in self._held.values())
        if sensors == self._sensors:
            return None
        self._sensors = sensors
        return sensors

    def _sensor(self, held: _Held) -> Sensor:
        plan = held.zone.plan
        scopes, preference, what = plan.scopes, plan.preference, f"rapl {plan.key}"
        owner = self._held.get(plan.owner)
        if owner is not None and isinstance(owner.verdict, MirrorOf):
            # The cores of a mirrored die are in the package's one counter too.
            scopes = (f"{self._held[owner.verdict.key].zone.plan.scopes[0]}/{plan.domain}",)
        if isinstance(held.verdict, MirrorOf):
            # The same joules as the other die's: its scope, and less preferred, so that only one of them is booked.
            scopes = self._held[held.verdict.key].zone.plan.scopes
            preference, what = plan.preference // 2, f"rapl {plan.key}, mirror of {held.verdict.key}"
        return Sensor(
            key=plan.key,
            source=self.name,
            component=plan.component,
            scopes=scopes,
            preference=preference,
            method=Method.MEASURED,
            sensor=what,
            max_power_mw=held.zone.max_power_mw,
            counter_range_uj=held.zone.range_uj,
            vendor=self._cpu.vendor,
            model=self._cpu.name,
            index="" if plan.package is None else str(plan.package),
        )


def _sample(zone: Zone, counter_uj: int, before: Moment, after: Moment) -> Sample:
    return Sample(zone.plan.key, counter_uj, before.boot_ns, after.boot_ns, zone.range_uj, zone.max_power_mw)
