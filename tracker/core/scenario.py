"""The simulated node as a function of time: what its counters say and who holds what, for ``run --demo``.

Power is constant between two edges of whole milliseconds, and mW x ms is µJ, so the integral of any stretch is an
exact integer and a counter never falls. A window of the day always draws the same, so the counter after any number of
days is a multiple of one day, plus a sum over the windows since midnight, plus the begun window; the sums are kept.

Time is the machine's boot clock: within a boot a restarted daemon finds the counters where they must be.
"""

from __future__ import annotations

from dataclasses import dataclass

from tracker.core import demo_node
from tracker.core.demo_node import DAY_WINDOWS, SLOTS, WINDOW_MS, Segment, Slot
from tracker.core.model import SYSTEM, Component, Share, Workload
from tracker.core.units import NS_PER_MS

#: Another script is another counter: the ``epoch`` of a reading.
EDITION = "demo-1"
#: At boot it is nine o'clock on the node, so that a short look sees a working day.
BOOT_NS = 9 * 3600 * 1000 * NS_PER_MS
#: Observations look back no further: who held a GPU hours ago does not matter to a split.
MAX_LOOK_BACK_NS = 3600 * 1000 * NS_PER_MS


@dataclass(frozen=True, slots=True)
class Device:
    """A simulated sensor. ``number`` counts within its component."""

    key: str
    component: Component
    number: int
    max_power_mw: int


@dataclass(frozen=True, slots=True)
class Hold:
    """A workload on a GPU during an interval. ``sm_weight``: percent x ms, like a driver's summed samples."""

    workload: Workload
    pid: int
    sm_weight: int
    memory_bytes: int


class Scenario:
    """Answers for one seed; two of the same seed answer the same for ever. Not for two threads at once."""

    def __init__(self, seed: int = 1) -> None:
        self.devices = _devices(seed)
        self._seed = seed
        self._sums: dict[str, list[int]] = {}  # by device: µJ from midnight to the start of each window; last: the day
        self._recent: dict[str, tuple[int, tuple[Segment, ...]]] = {}  # by device: its last window

    def counter_uj(self, device: Device, boot_ns: int) -> int:
        """Energy since the scenario began: the exact integral, in whole µJ."""
        window, into_ns = divmod(BOOT_NS + boot_ns, WINDOW_MS * NS_PER_MS)
        days, of_day = divmod(window, DAY_WINDOWS)
        sums = self._sums_of(device)
        energy_uj = days * sums[-1] + sums[of_day]
        for segment in self._trace(device, window):
            length_ns = segment.duration_ms * NS_PER_MS
            if into_ns < length_ns:
                return energy_uj + segment.power_mw * into_ns // NS_PER_MS
            energy_uj += segment.power_mw * segment.duration_ms
            into_ns -= length_ns
        return energy_uj

    def power_mw(self, device: Device, boot_ns: int) -> int:
        """What it draws at this instant."""
        window, into_ns = divmod(BOOT_NS + boot_ns, WINDOW_MS * NS_PER_MS)
        for segment in self._trace(device, window):
            into_ns -= segment.duration_ms * NS_PER_MS
            if into_ns < 0:
                break
        return segment.power_mw

    def holds(self, device: Device, start_boot_ns: int, end_boot_ns: int) -> tuple[Hold, ...]:
        """Who held a GPU in [start, end): everybody who did for at least a millisecond, and who does at its end."""
        start_ms, end_ms = _interval_ms(start_boot_ns, end_boot_ns)
        weights: dict[tuple[Slot, int], int] = {}
        for window in range(start_ms // WINDOW_MS, end_ms // WINDOW_MS + 1):
            begin_ms = window * WINDOW_MS
            for segment in self._trace(device, window):
                until_ms = begin_ms + segment.duration_ms
                if begin_ms <= end_ms and until_ms > start_ms:
                    length_ms = max(0, min(end_ms, until_ms) - max(start_ms, begin_ms))
                    for slot, percent in segment.loads:
                        run = (slot, window // slot.run_windows)
                        weights[run] = weights.get(run, 0) + percent * length_ms
                begin_ms = until_ms
        return tuple(self._hold(device, slot, run, weight) for (slot, run), weight in weights.items())

    def cpu_us(self, start_boot_ns: int, end_boot_ns: int) -> tuple[Share, ...]:
        """CPU time in µs by workload, the system's own included."""
        start_ms, end_ms = _interval_ms(start_boot_ns, end_boot_ns)
        stays = self._stays(start_ms, end_ms)
        used = [Share(workload, slot.cores_permille * ms) for slot, workload, ms in stays if ms]
        return (*used, Share(SYSTEM, demo_node.SYSTEM_CORES_PERMILLE * (end_ms - start_ms)))

    def dram_bytes(self, boot_ns: int) -> tuple[Share, ...]:
        """Memory by workload, the system's own included."""
        now_ms = (BOOT_NS + boot_ns) // NS_PER_MS
        stays = self._stays(now_ms, now_ms + 1)
        held = [Share(workload, slot.dram_bytes) for slot, workload, ms in stays if ms]
        return (*held, Share(SYSTEM, demo_node.SYSTEM_DRAM_BYTES))

    def _stays(self, start_ms: int, end_ms: int) -> list[tuple[Slot, Workload, int]]:
        """How many ms of the interval each workload was there."""
        lengths: dict[tuple[Slot, int], int] = {}
        for window in range(start_ms // WINDOW_MS, end_ms // WINDOW_MS + 1):
            midpoint_ms = window * WINDOW_MS
            for slot in SLOTS:
                first_ms, last_ms = demo_node.presence(slot, window, self._seed)
                overlap_ms = min(end_ms, midpoint_ms + last_ms) - max(start_ms, midpoint_ms + first_ms)
                run = (slot, window // slot.run_windows)
                lengths[run] = lengths.get(run, 0) + max(0, overlap_ms)
        return [(slot, self._workload(slot, run), ms) for (slot, run), ms in lengths.items()]

    def _workload(self, slot: Slot, run: int) -> Workload:
        return demo_node.workload_of(slot, run * slot.run_windows, self._seed)

    def _hold(self, device: Device, slot: Slot, run: int, weight: int) -> Hold:
        pid = 20_000 + demo_node.mix(self._seed, slot.number, run) % 1_000_000 * demo_node.GPUS + device.number
        return Hold(self._workload(slot, run), pid % (1 << 22), weight, slot.gpu_memory_bytes)

    def _trace(self, device: Device, window: int) -> tuple[Segment, ...]:
        of_day = window % DAY_WINDOWS
        recent = self._recent.get(device.key)
        if recent is None or recent[0] != of_day:
            recent = (of_day, _trace(device, of_day, self._seed))
            self._recent[device.key] = recent
        return recent[1]

    def _sums_of(self, device: Device) -> list[int]:
        if device.key not in self._sums:
            sums = [0]
            for window in range(DAY_WINDOWS):
                segments = _trace(device, window, self._seed)
                sums.append(sums[-1] + sum(segment.power_mw * segment.duration_ms for segment in segments))
            self._sums[device.key] = sums
        return self._sums[device.key]


def _trace(device: Device, of_day: int, seed: int) -> tuple[Segment, ...]:
    match device.component:
        case Component.GPU:
            return demo_node.gpu_trace(device.number, of_day, seed)
        case Component.DRAM:
            return demo_node.dram_trace(device.number, of_day, seed)
        case _:
            return demo_node.cpu_trace(device.number, of_day, seed)


def _devices(seed: int) -> tuple[Device, ...]:
    """H100 SXM at 700 W, two packages at 350 W with their memory."""
    tail = f"{demo_node.mix(seed):016x}"
    gpus = [Device(f"GPU-demo-{n:04x}-{tail[:4]}-{tail[4:]}", Component.GPU, n, 700_000) for n in range(demo_node.GPUS)]
    cpus = [Device(f"demo-package-{n}", Component.CPU, n, 350_000) for n in range(demo_node.PACKAGES)]
    drams = [Device(f"demo-dram-{n}", Component.DRAM, n, 90_000) for n in range(demo_node.PACKAGES)]
    return (*gpus, *cpus, *drams)


def _interval_ms(start_boot_ns: int, end_boot_ns: int) -> tuple[int, int]:
    """The interval in scenario milliseconds, not longer than ``MAX_LOOK_BACK_NS``."""
    start_ns = max(start_boot_ns, end_boot_ns - MAX_LOOK_BACK_NS)
    return (BOOT_NS + start_ns) // NS_PER_MS, (BOOT_NS + end_boot_ns) // NS_PER_MS
