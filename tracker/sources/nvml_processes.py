"""Who is on a GPU: process lists for presence and memory, utilisation samples for activity.

Asked at a slow pace, because a process list holds the driver's global lock for milliseconds. PIDs are reported as the
driver gives them: in a PID namespace, newer drivers list the namespace's PID and sample the host's, and joining the two
needs /proc, which is the workloads' part.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tracker.core.model import DeviceUse, Moment, ProcessUse
from tracker.core.units import NS_PER_US, US_PER_S
from tracker.sources.nvml_codes import Answer, Reaction, answer_of
from tracker.sources.nvml_driver import Driver, Handle, NvmlError, UtilSample
from tracker.sources.nvml_inventory import Gpu
from tracker.sources.nvml_mig import Partition

#: nvml.h: a utilisation sample covers 1/6 s to 1 s, depending on the product.
SAMPLER_PERIOD_US = US_PER_S
#: The wall clock ran apart from the boot clock by more than this: it was set.
CLOCK_STEP_US = US_PER_S // 2


@dataclass(slots=True)
class Watch:
    """When each GPU was last looked at, so that every sample is counted once and no old one ever."""

    last: dict[str, Moment] = field(default_factory=dict)
    newest_us: dict[str, int] = field(default_factory=dict)  # newest sample counted

    def since_us(self, device: str, now: Moment) -> int:
        """Samples after this instant (UTC, µs) are new. Samples published late get one sampler period of grace."""
        wall_us = now.wall_ns // NS_PER_US
        last = self.last.get(device)
        if last is None:
            return wall_us - SAMPLER_PERIOD_US
        elapsed_us = (now.boot_ns - last.boot_ns) // NS_PER_US
        last_wall_us = last.wall_ns // NS_PER_US
        if abs(wall_us - elapsed_us - last_wall_us) > CLOCK_STEP_US:
            return wall_us - elapsed_us  # the clock was set: count back on the new one
        return max(self.newest_us.get(device, 0), last_wall_us - SAMPLER_PERIOD_US)


def look(driver: Driver, gpu: Gpu, watch: Watch, now: Moment) -> DeviceUse | None:
    """Who is on this GPU. None: it cannot be told now (which is not the same as nobody)."""
    if gpu.handle is None or not gpu.lists:
        return None
    try:
        if gpu.partition is not None:
            use = _look_at_parts(driver, gpu, gpu.partition)
            gpu.lists_denied = False
            return use
        memory = driver.memory_by_pid(gpu.handle)
        weights = _weights(driver, gpu, gpu.handle, watch, now)
    except NvmlError as error:
        _note_failure(gpu, answer_of(error.code), now)
        return None
    gpu.lists_denied = False
    # A process that ended since the last look is in no list any more, but its samples are.
    processes = [ProcessUse(pid, weights.get(pid, 0), memory.get(pid, 0)) for pid in sorted(memory.keys() | weights)]
    return DeviceUse(gpu.uuid, tuple(processes), index=gpu.index)


def _note_failure(gpu: Gpu, answer: Answer, now: Moment) -> None:
    """What a failed list says for the next looks. That the GPU itself is in trouble is for the energy read to find."""
    if answer.reaction is Reaction.UNSUPPORTED:
        gpu.lists = False
    elif answer.reaction is Reaction.DENIED:
        gpu.lists_denied = True
    elif answer.reaction is Reaction.REENUMERATE:  # an instance was destroyed: look all handles up again
        gpu.rest(answer, now.boot_ns)


def _look_at_parts(driver: Driver, gpu: Gpu, partition: Partition) -> DeviceUse:
    """A MIG handle lists its own processes. Utilisation does not exist under MIG (nvml.h): the weight stays 0."""
    processes = [
        ProcessUse(pid, 0, memory, part.instance.key)
        for part in partition.parts
        for pid, memory in sorted(driver.memory_by_pid(part.handle).items())
    ]
    instances = tuple(part.instance for part in partition.parts)
    return DeviceUse(gpu.uuid, tuple(processes), instances, partition.sm_total, gpu.index)


def _weights(driver: Driver, gpu: Gpu, handle: Handle, watch: Watch, now: Moment) -> dict[int, int]:
    """SM weight by PID; empty where utilisation is not offered or failed: the lists alone still tell presence."""
    if not gpu.utilisation:
        return {}
    since_us = watch.since_us(gpu.uuid, now)
    watch.last[gpu.uuid] = now
    try:
        samples = driver.samples(handle, since_us)
    except NvmlError as error:
        gpu.utilisation = answer_of(error.code).reaction is not Reaction.UNSUPPORTED
        return {}
    until_us = now.wall_ns // NS_PER_US + SAMPLER_PERIOD_US
    # Empty slots of the driver's buffer have PID 0; 100 is the end of a percentage.
    fresh = [s for s in samples if s.pid and since_us < s.time_us <= until_us and s.sm_percent <= 100]  # noqa: PLR2004 - see above
    watch.newest_us[gpu.uuid] = max((s.time_us for s in fresh), default=since_us)
    return weigh(fresh, since_us)


def weigh(samples: Iterable[UtilSample], since_us: int) -> dict[int, int]:
    """Percent x ms of SM time by PID. A sample stands for the time since the one before, at most a sampler period."""
    total: dict[int, int] = {}
    last: dict[int, int] = {}
    for sample in sorted(samples, key=lambda s: s.time_us):
        covered_us = min(sample.time_us - last.get(sample.pid, since_us), SAMPLER_PERIOD_US)
        last[sample.pid] = sample.time_us
        total[sample.pid] = total.get(sample.pid, 0) + sample.sm_percent * covered_us
    return {pid: weight // 1000 for pid, weight in total.items()}
