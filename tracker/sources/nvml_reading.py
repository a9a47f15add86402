"""Energy and power of one GPU, once a second. The hot path: two driver calls, two looks at the clock, one object."""

from __future__ import annotations

from tracker.core.model import GapReason, Missing, Moment, Reading
from tracker.sources.interface import Clock
from tracker.sources.nvml_codes import Reaction, answer_of
from tracker.sources.nvml_driver import Driver, Handle, NvmlError
from tracker.sources.nvml_inventory import FATAL, Gpu

#: nvml.h, NVML_VALUE_NOT_AVAILABLE: all ones (in mJ, as the driver counts).
_NO_COUNTER_UJ = (2**64 - 1) * 1000
_NO_POWER_MW = 2**32 - 1


class _Placeholder(Exception):
    """The driver answered SUCCESS with a number that stands for "no value"."""


def read_gpu(driver: Driver, gpu: Gpu, clock: Clock, limit_ns: int, epoch: str) -> Reading | Missing:
    """Stamped with the middle of the time the driver took; of no use when that was more than ``limit_ns``.

    The counter and the power that goes with it stand for the same part of the node. Where there is a counter, a reading
    has it or is missing: power alone would be taken for the same energy twice. Raises NvmlError only where the whole
    session is void.
    """
    before = clock()
    handle = gpu.handle
    if handle is None:
        return _missing(gpu, before, gpu.gap, gpu.detail)
    try:
        counter_uj = _counter_uj(driver, gpu, handle) if gpu.counter else None
        power_mw = _power_mw(driver, gpu, handle, needed=counter_uj is None) if gpu.power else None
    except NvmlError as error:
        answer = answer_of(error.code)
        if answer.reaction in FATAL:
            raise
        gpu.rest(answer, before.boot_ns)
        return _missing(gpu, before, gpu.gap, gpu.detail)
    except _Placeholder:
        return _missing(gpu, before, GapReason.IMPLAUSIBLE, "the driver answered a placeholder")
    after = clock()
    if after.mono_ns - before.mono_ns > limit_ns:
        return _missing(gpu, after, GapReason.HANG, "the driver took too long to answer")
    if counter_uj is None and power_mw is None:
        return _missing(gpu, after, GapReason.ERROR, "the driver no longer offers energy or power")
    gpu.detail = ""
    mono_ns = (before.mono_ns + after.mono_ns) // 2
    return Reading(gpu.uuid, mono_ns, (before.boot_ns + after.boot_ns) // 2, counter_uj, power_mw, epoch)


def _missing(gpu: Gpu, at: Moment, gap: GapReason, detail: str) -> Missing:
    gpu.gap, gpu.detail = gap, detail
    return Missing(gpu.uuid, at.boot_ns, gap, detail)


def _counter_uj(driver: Driver, gpu: Gpu, handle: Handle) -> int | None:
    """None: the driver said that this GPU has no counter, and it is not asked again."""
    try:
        counter_uj = driver.counter_uj(handle)
    except NvmlError as error:
        if answer_of(error.code).reaction is not Reaction.UNSUPPORTED:
            raise
        gpu.counter, gpu.stale = False, True
        return None
    if counter_uj == _NO_COUNTER_UJ:
        raise _Placeholder
    return counter_uj


def _power_mw(driver: Driver, gpu: Gpu, handle: Handle, *, needed: bool) -> int | None:
    """None: not offered, or failed where the counter (``needed`` False) gave the energy all the same."""
    try:
        power_mw = driver.module_power_mw(handle) if gpu.whole_module else driver.power_mw(handle)
    except NvmlError as error:
        reaction = answer_of(error.code).reaction
        if reaction is Reaction.UNSUPPORTED:
            gpu.power, gpu.stale = False, True
        elif needed:
            raise
        return None
    if power_mw != _NO_POWER_MW:
        return power_mw
    if needed:
        raise _Placeholder
    return None
