"""The arithmetic of the estimate: load from ``/proc/stat``, power from load. Pure; parsers take text.

CPU: TDP x a share that depends on the load, linear between the points of ``data/cpu_fallback_curve.csv`` (12, 32, 75
and 102 % of TDP at a load of 0, 10, 50 and 100 %). The curve bends, so it is applied to each package: one busy and one
idle socket draw less than two half-busy ones would by it.

DRAM: proportional to its size, so that more memory never draws less; guessing modules from the size breaks that.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from tracker.core.units import MW_PER_W

PPM = 1_000_000
#: Columns of a cpu line (Documentation/filesystems/proc.rst): user nice system idle iowait irq softirq steal. The two
#: that follow, guest and guest_nice, are contained in user and nice already.
_COLUMNS = 8
_BUSY = (0, 1, 2, 5, 6)
_MEM_TOTAL = re.compile(r"^MemTotal:\s+(\d+) kB$", re.MULTILINE)

#: Ticks of one package since boot, by column.
Ticks = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Curve:
    """(load, share of TDP) in millionths, ascending by load."""

    points: tuple[tuple[int, int], ...]

    def share_ppm(self, load_ppm: int) -> int:
        """Share of TDP at this load; the load is kept within the curve's ends."""
        first, last = self.points[0], self.points[-1]
        if load_ppm <= first[0]:
            return first[1]
        for (x0, y0), (x1, y1) in pairwise(self.points):
            if load_ppm <= x1:
                return y0 + (y1 - y0) * (load_ppm - x0) // (x1 - x0)
        return last[1]


def parse_curve(text: str) -> Curve:
    """The data file: load_percent, tdp_fraction, where from. Raises ValueError, KeyError."""
    rows = csv.DictReader(text.splitlines())
    return Curve(
        tuple(sorted((int(row["load_percent"]) * PPM // 100, round(float(row["tdp_fraction"]) * PPM)) for row in rows))
    )


def parse_stat(text: str) -> dict[int, Ticks]:
    """Ticks by CPU number, from the "cpuN" lines of ``/proc/stat``. Raises ValueError."""
    times: dict[int, Ticks] = {}
    for line in text.partition("\nintr")[0].split("\n"):  # the lines after it are long and not needed
        name, *columns = line.split() or ("",)
        if name != "cpu" and name.startswith("cpu"):
            ticks = tuple(map(int, columns[:_COLUMNS]))
            if len(ticks) < _COLUMNS:
                raise ValueError(f"a cpu line of /proc/stat has {len(ticks)} columns")
            times[int(name[3:])] = ticks
    if not times:
        raise ValueError("/proc/stat has no line of a CPU")
    return times


def parse_memory_kib(text: str) -> int:
    """MemTotal of ``/proc/meminfo``. Raises ValueError."""
    match = _MEM_TOTAL.search(text)
    if match is None or int(match[1]) == 0:
        raise ValueError("/proc/meminfo has no MemTotal")
    return int(match[1])


def by_package(times: Mapping[int, Ticks], packages: Mapping[int, int]) -> dict[int, Ticks]:
    """Ticks summed over the CPUs of each package. A CPU whose package is not known counts to package 0."""
    sums: dict[int, list[Ticks]] = {}
    for cpu, ticks in times.items():
        sums.setdefault(packages.get(cpu, 0), []).append(ticks)
    return {package: tuple(map(sum, zip(*rows, strict=True))) for package, rows in sums.items()}


def load_ppm(old: Ticks, new: Ticks) -> int:
    """Busy share of the time between two reads of a package, in millionths. Raises ValueError when no time passed.

    Busy: user, nice, system, irq, softirq. Waiting for I/O is idle time. Steal is neither: the hypervisor ran somebody
    else on the processor then, whose energy is not this machine's; it counts as time in which this machine drew only
    its idle share. Idle and iowait may run backwards by a tick (proc.rst), hence never below zero.
    """
    passed = [max(0, b - a) for a, b in zip(old, new, strict=True)]
    total = sum(passed)
    if total == 0:
        raise ValueError("/proc/stat did not advance")
    return sum(passed[column] for column in _BUSY) * PPM // total


def cpu_power_mw(loads: Iterable[tuple[int, int]], curve: Curve) -> int:
    """Power of all packages, given (TDP in mW, load in millionths) of each."""
    return sum(tdp_mw * curve.share_ppm(load) for tdp_mw, load in loads) // PPM


def dram_power_mw(memory_kib: int, mw_per_gib: int) -> int:
    """Power of the memory; whole mW."""
    return memory_kib * mw_per_gib // (1 << 20)


@dataclass(frozen=True, slots=True)
class Tdp:
    """TDP by package, where it is from, and what to do if that is only a guess ("": it is not)."""

    package_mw: Mapping[int, int]
    origin: str
    remedy: str = ""

    @property
    def total_mw(self) -> int:
        return sum(self.package_mw.values())


def choose_tdp(
    threads: Mapping[int, int], *, set_mw: int | None, known_mw: int | None, per_thread_mw: int, virtual: bool
) -> Tdp:
    """The TDP of each package: as set by the operator, else as known from a database, else by threads.

    ``threads``: visible ones by package. ``set_mw``, ``known_mw``: of one package. In a virtual machine the known one
    is the host's, of which the visible threads are an unknown part: it is only an upper bound there.
    """
    if set_mw is not None:
        return Tdp(dict.fromkeys(threads, set_mw), "set by cpu_tdp_w")
    by_threads = {package: number * per_thread_mw for package, number in threads.items()}
    per_thread = f"{per_thread_mw / MW_PER_W:g} W for each thread"
    remedy = "Set the TDP of one package in the configuration: [sources] estimate = { cpu_tdp_w = 350 }"
    if known_mw is None:
        return Tdp(by_threads, f"{per_thread}, as the CPU is in no database", remedy)
    if virtual:
        capped = {package: min(known_mw, power_mw) for package, power_mw in by_threads.items()}
        return Tdp(capped, f"from codecarbon's CPU database, but at most {per_thread} seen here", remedy)
    return Tdp(dict.fromkeys(threads, known_mw), "from codecarbon's CPU database")
