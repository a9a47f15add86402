"""Power of CPU and memory where no sensor can be read: modelled from the processors' load and the memory's size.

It is always there on Linux and least preferred of all: it is booked only where nothing measures the same part, and then
its joules are labelled ``modelled``.

In a virtual machine the number stands for the visible vCPUs. The database knows the host processor's TDP, not which
part of it was rented, so no package is taken for more than ``cpu_w_per_thread`` for each of its visible threads; and
the memory is that of the machine, not of the host.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from tracker.core.model import Component, Finding, GapReason, Level, Method, Missing, Moment, Reading, Sensor
from tracker.core.units import MW_PER_W
from tracker.sources.cpuinfo import CpuModel, read_cpu_model, read_packages
from tracker.sources.estimate_model import (
    Curve,
    Tdp,
    Ticks,
    by_package,
    choose_tdp,
    cpu_power_mw,
    dram_power_mw,
    load_ppm,
    parse_curve,
    parse_memory_kib,
    parse_stat,
)
from tracker.sources.faults import detail_of, reason_of
from tracker.sources.interface import (
    Batch,
    Source,
    SourceAbsent,
    SourceContext,
    SourceDenied,
    SourceError,
    SourceFailed,
)
from tracker.sysfs import read_text

CURVE_FILE = Path(__file__).with_name("data") / "cpu_fallback_curve.csv"
#: Plausibility bound before the TDP or the size is known. The model cannot exceed its own formula.
_CEILING_MW = 20_000 * MW_PER_W
_REMEDY = "Mount the host's /proc read-only, such as at /host/proc, and use --path.procfs=/host/proc."

_Watts = Annotated[float, Meta(gt=0, le=10_000)]


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known better than by default."""

    cpu: bool = True
    dram: bool = True
    #: TDP of one package (socket) in W. Absent: from codecarbon's database of CPUs, else by threads.
    cpu_tdp_w: _Watts | None = None
    #: Of one hardware thread in W, where the CPU is in no database, and as upper bound in a virtual machine. 4 W is
    #: what codecarbon takes for an unknown CPU; current server parts have about 3 W.
    cpu_w_per_thread: _Watts = 4.0
    #: Cloud Carbon Footprint: 0.000392 kWh for each GB and hour (mean of two manufacturers' figures).
    dram_w_per_gb: _Watts = 0.392


class EstimateSource(Source):
    """See the module."""

    name: ClassVar[str] = "estimate"
    period_s: float = 5.0

    def __init__(self, options: Options, context: SourceContext) -> None:
        self._options = options
        self._context = context
        self._procfs = context.roots.procfs
        self._curve = Curve(())
        self._cpu = CpuModel()
        self._packages: dict[int, int] = {}
        self._tdp = Tdp({}, "")
        self._ticks: dict[int, Ticks] = {}
        self._memory_mw = 0
        self._sensors: tuple[Sensor, ...] = ()

    def open(self) -> None:
        self.close()
        self._curve = parse_curve(CURVE_FILE.read_text(encoding="utf-8"))
        self._cpu = read_cpu_model(self._procfs)
        if not self._options.cpu and not self._options.dram:
            raise SourceAbsent("The estimate is switched off for both CPU and memory.")
        faults = self._faults()
        if len(faults) == self._options.cpu + self._options.dram:
            raise _error_of(*next(iter(faults.items())))

    def close(self) -> None:
        self._packages = {}
        self._ticks = {}
        self._sensors = ()

    def read(self) -> Batch:
        readings: list[Reading] = []
        missing: list[Missing] = []
        for key, wanted, power in (
            ("cpu", self._options.cpu, self._read_cpu),
            ("dram", self._options.dram, self._read_dram),
        ):
            if not wanted:
                continue
            before = self._context.clock()
            try:
                power_mw = power()
            except (OSError, ValueError) as error:
                missing.append(Missing(key, self._context.clock().boot_ns, reason_of(error), detail_of(error)))
            else:
                if power_mw is not None:
                    readings.append(_reading(key, power_mw, before, self._context.clock()))
        sensors = tuple(self._inventory())
        changed = sensors if sensors != self._sensors else None
        self._sensors = sensors
        return Batch(tuple(readings), tuple(missing), changed)

    def check(self) -> tuple[Finding, ...]:
        found: list[Finding] = []
        for name, wanted, look in (
            ("/proc/stat", self._options.cpu, self._check_cpu),
            ("/proc/meminfo", self._options.dram, self._check_dram),
        ):
            if wanted:
                try:
                    found.append(look())
                except (OSError, ValueError) as error:
                    sentence = f"{name} cannot be used ({detail_of(error)})."
                    found.append(Finding(Level.FAIL, self.name, sentence, _REMEDY))
        return tuple(found)

    def _read_cpu(self) -> int | None:
        """Mean power since the last read; None at the first one, which only begins to count."""
        times = parse_stat(read_text(self._procfs / "stat"))
        if times.keys() != self._packages.keys():  # the first read, or CPUs were switched on or off
            self._meet(times)
            return None
        ticks = by_package(times, self._packages)
        old, self._ticks = self._ticks, ticks
        loads = [(self._tdp.package_mw[package], load_ppm(old[package], new)) for package, new in ticks.items()]
        return cpu_power_mw(loads, self._curve)

    def _meet(self, times: Mapping[int, Ticks]) -> None:
        """Learn which CPUs there are and in which package, and begin to count."""
        self._packages = self._locate(times)
        self._tdp = self._choose_tdp(self._packages, self._cpu)
        self._ticks = by_package(times, self._packages)

    def _locate(self, times: Mapping[int, Ticks]) -> dict[int, int]:
        """The package of every CPU that has a line; 0 where the topology does not say."""
        known = read_packages(self._context.roots)
        return {cpu: known.get(cpu, 0) for cpu in times}

    def _choose_tdp(self, packages: Mapping[int, int], cpu: CpuModel) -> Tdp:
        options = self._options
        return choose_tdp(
            Counter(packages.values()),
            set_mw=None if options.cpu_tdp_w is None else round(options.cpu_tdp_w * MW_PER_W),
            known_mw=self._context.cpu_tdp_mw,
            per_thread_mw=round(options.cpu_w_per_thread * MW_PER_W),
            virtual=cpu.virtual,
        )

    def _read_dram(self) -> int:
        kib = parse_memory_kib(read_text(self._procfs / "meminfo"))
        self._memory_mw = dram_power_mw(kib, round(self._options.dram_w_per_gb * MW_PER_W))
        return self._memory_mw

    def _inventory(self) -> Iterator[Sensor]:
        if self._options.cpu:
            tdp_w = self._tdp.total_mw / MW_PER_W
            what = f"estimate from load and TDP ({tdp_w:g} W, {self._tdp.origin})" if tdp_w else "estimate from load"
            bound_mw = 2 * self._tdp.total_mw or _CEILING_MW
            yield replace(_sensor("cpu", Component.CPU, what, bound_mw), vendor=self._cpu.vendor, model=self._cpu.name)
        if self._options.dram:
            what = f"estimate from size ({self._options.dram_w_per_gb:g} W/GB)"
            yield _sensor("dram", Component.DRAM, what, 2 * self._memory_mw or _CEILING_MW)

    def _faults(self) -> dict[str, OSError | ValueError]:
        """The files that are wanted and cannot be used now."""
        faults: dict[str, OSError | ValueError] = {}
        for wanted, name, parse in (
            (self._options.cpu, "stat", parse_stat),
            (self._options.dram, "meminfo", parse_memory_kib),
        ):
            if wanted:
                try:
                    parse(read_text(self._procfs / name))
                except (OSError, ValueError) as error:
                    faults[f"/proc/{name}"] = error
        return faults

    def _check_cpu(self) -> Finding:
        cpu = read_cpu_model(self._procfs)
        packages = self._locate(parse_stat(read_text(self._procfs / "stat")))
        tdp = self._choose_tdp(packages, cpu)
        sockets = len(tdp.package_mw)
        text = (
            f"CPU power can be modelled from load: {tdp.total_mw / MW_PER_W:g} W TDP for {len(packages)} threads in "
            f"{sockets} package{'s' if sockets > 1 else ''}, {tdp.origin}."
        )
        if cpu.virtual:
            text += " In this virtual machine it stands for the threads seen here, not for the host."
        return Finding(Level.WARN if tdp.remedy else Level.OK, self.name, text, tdp.remedy)

    def _check_dram(self) -> Finding:
        watts = dram_power_mw(
            parse_memory_kib(read_text(self._procfs / "meminfo")), round(self._options.dram_w_per_gb * MW_PER_W)
        )
        text = (
            f"Memory power is modelled from its size: {watts / MW_PER_W:.1f} W at {self._options.dram_w_per_gb:g} W/GB."
        )
        return Finding(Level.OK, self.name, text)


def _sensor(key: str, component: Component, what: str, max_power_mw: int) -> Sensor:
    return Sensor(
        key=key,
        source=EstimateSource.name,
        component=component,
        scopes=(f"node/{key}",),
        preference=1,
        method=Method.MODELLED,
        sensor=what,
        max_power_mw=max_power_mw,
        averaged=True,
    )


def _reading(key: str, power_mw: int, before: Moment, after: Moment) -> Reading:
    """The instant of the value is between the two clock reads."""
    mono_ns = (before.mono_ns + after.mono_ns) // 2
    return Reading(key, mono_ns, (before.boot_ns + after.boot_ns) // 2, power_mw=power_mw)


def _error_of(name: str, error: OSError | ValueError) -> SourceError:
    match reason_of(error):
        case GapReason.LOST:
            return SourceAbsent(f"{name} is not there.", _REMEDY)
        case GapReason.PERMISSION:
            return SourceDenied(f"{name} may not be read.", _REMEDY)
        case _:
            return SourceFailed(f"{name} cannot be used ({detail_of(error)}).", _REMEDY)
