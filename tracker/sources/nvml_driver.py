"""A thin typed face of ``pynvml`` (the nvidia-ml-py distribution): values or ``NvmlError``, nothing decided here.

pynvml is imported by ``open``, so a node without GPUs does not pay for it. It loads ``libnvidia-ml.so.1`` once per
process and keeps that library for ever: after a driver upgrade only a new process gets the new one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tracker.core.units import UJ_PER_MJ
from tracker.sources.nvml_codes import UNINITIALIZED, UNKNOWN, Reaction, answer_of

#: An nvmlDevice_t: opaque, only good for handing back.
Handle = Any

_FI_POWER_AVERAGE = 185  # nvml.h: NVML_FI_DEV_POWER_AVERAGE, mW over 1 s, with a scope
_SCOPE_MODULE = 1  # nvml.h: NVML_POWER_SCOPE_MODULE, the whole Grace-Hopper module


class NvmlError(Exception):
    """A call that gave another code than SUCCESS."""

    def __init__(self, code: int, call: str) -> None:
        super().__init__(f"{call}: {answer_of(code).name}")
        self.code = code
        self.call = call


@dataclass(frozen=True, slots=True)
class UtilSample:
    """How busy a process kept the SMs during the sampler period that ended at ``time_us`` (UTC)."""

    time_us: int
    pid: int
    sm_percent: int


def text(value: bytes | str) -> str:
    """What pynvml gives as bytes or str, by its version. Garbage becomes replacement characters, never an error."""
    decoded = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return decoded.strip().strip("\0")


class Driver:
    """One session with the driver. Raises NvmlError from every call; a call may hang for ever."""

    def __init__(self) -> None:
        self._lib: Any = None
        self.opened = False

    def open(self) -> None:
        import pynvml  # noqa: PLC0415 - 4.5 MB that a node without GPUs must not pay

        self._lib = pynvml
        self.ask("nvmlInit")
        self.opened = True

    def close(self) -> None:
        """End the session, so that a GPU can be reset. Never raises."""
        if not self.opened:
            return
        self.opened = False
        try:
            self.ask("nvmlShutdown")
        except NvmlError:
            return  # void already: there is nothing left to let go of

    def ask(self, call: str, *args: Any) -> Any:
        """Any pynvml function by name. A binding without it answers as a driver without it."""
        if self._lib is None:
            raise NvmlError(UNINITIALIZED, call)
        function = getattr(self._lib, call, None)
        if function is None:
            raise NvmlError(self._lib.NVML_ERROR_FUNCTION_NOT_FOUND, call)
        try:
            return function(*args)
        except self._lib.NVMLError as error:
            raise NvmlError(int(error.value), call) from error
        except UnicodeDecodeError as error:
            raise NvmlError(UNKNOWN, call) from error  # it answered, but not with text

    # the node

    def version(self) -> str:
        return text(self.ask("nvmlSystemGetDriverVersion"))

    def count(self) -> int:
        """GPUs of the node, also those that this process cannot open."""
        return int(self.ask("nvmlDeviceGetCount"))

    def handle(self, index: int) -> Handle:
        return self.ask("nvmlDeviceGetHandleByIndex", index)

    # identity of a GPU

    def uuid(self, handle: Handle) -> str:
        uuid = text(self.ask("nvmlDeviceGetUUID", handle))
        if not uuid:
            raise NvmlError(UNKNOWN, "nvmlDeviceGetUUID")
        return uuid

    def model(self, handle: Handle) -> str:
        return text(self.ask("nvmlDeviceGetName", handle))

    def capability(self, handle: Handle) -> tuple[int, int]:
        major, minor = self.ask("nvmlDeviceGetCudaComputeCapability", handle)
        return int(major), int(minor)

    def module_id(self, handle: Handle) -> int:
        return int(self.ask("nvmlDeviceGetModuleId", handle))

    def is_module(self, handle: Handle) -> bool:
        """Whether the chip-to-chip link to a Grace CPU is on."""
        return bool(self.ask("nvmlDeviceGetC2cModeInfoV", handle).isC2cEnabled)

    def highest_limit_mw(self, handle: Handle) -> int:
        """The highest power limit that could ever be set: a bound that stays true when somebody raises the limit."""
        return int(self.ask("nvmlDeviceGetPowerManagementLimitConstraints", handle)[1])

    def enforced_limit_mw(self, handle: Handle) -> int:
        return int(self.ask("nvmlDeviceGetEnforcedPowerLimit", handle))

    def cores(self, handle: Handle) -> int:
        return int(self.ask("nvmlDeviceGetNumGpuCores", handle))

    def persistent(self, handle: Handle) -> bool:
        return bool(self.ask("nvmlDeviceGetPersistenceMode", handle))

    # what is read every second

    def counter_uj(self, handle: Handle) -> int:
        """Energy since the driver was loaded (nvml.h gives mJ)."""
        lib = self._lib
        try:
            return int(lib.nvmlDeviceGetTotalEnergyConsumption(handle)) * UJ_PER_MJ
        except lib.NVMLError as error:
            raise NvmlError(int(error.value), "nvmlDeviceGetTotalEnergyConsumption") from error

    def power_mw(self, handle: Handle) -> int:
        lib = self._lib
        try:
            return int(lib.nvmlDeviceGetPowerUsage(handle))
        except lib.NVMLError as error:
            raise NvmlError(int(error.value), "nvmlDeviceGetPowerUsage") from error

    def module_power_mw(self, handle: Handle) -> int:
        """Mean power of the last second of the whole module."""
        call = "nvmlDeviceGetFieldValues"
        field = self.ask(call, handle, [(_FI_POWER_AVERAGE, _SCOPE_MODULE)])[0]
        if field.nvmlReturn != 0:  # SUCCESS of the call says nothing about a single value
            raise NvmlError(int(field.nvmlReturn), call)
        return int(field.value.uiVal)

    # who runs on it

    def memory_by_pid(self, handle: Handle) -> dict[int, int]:
        """Processes with a compute or a graphics context and their memory in bytes (0: not known)."""
        memory: dict[int, int] = {}
        for call in ("nvmlDeviceGetComputeRunningProcesses", "nvmlDeviceGetGraphicsRunningProcesses"):
            for process in self._list(call, handle):
                # A process with both contexts stands in both lists with the same memory.
                memory[int(process.pid)] = max(memory.get(int(process.pid), 0), int(process.usedGpuMemory or 0))
        return memory

    def samples(self, handle: Handle, since_us: int) -> list[UtilSample]:
        """Utilisation samples after an instant (UTC, µs), in no order. The driver may send older ones all the same."""
        found = self._list("nvmlDeviceGetProcessUtilization", handle, since_us)
        return [UtilSample(int(s.timeStamp), int(s.pid), int(s.smUtil)) for s in found]

    def _list(self, call: str, *args: Any) -> Sequence[Any]:
        """A call of the two-call protocol: "none" is an empty list, a list that grew in between is asked for again."""
        for _ in range(3):
            try:
                found: Sequence[Any] = self.ask(call, *args)
            except NvmlError as error:
                reaction = answer_of(error.code).reaction
                if reaction is Reaction.EMPTY:
                    return ()
                if reaction is not Reaction.GROW:
                    raise
            else:
                return found
        raise NvmlError(UNKNOWN, call)

    # MIG

    def mig_enabled(self, handle: Handle) -> bool:
        return bool(self.ask("nvmlDeviceGetMigMode", handle)[0])

    def mig_slots(self, handle: Handle) -> int:
        return int(self.ask("nvmlDeviceGetMaxMigDeviceCount", handle))

    def mig_handle(self, handle: Handle, slot: int) -> Handle:
        return self.ask("nvmlDeviceGetMigDeviceHandleByIndex", handle, slot)

    def mig_sm_count(self, mig_handle: Handle) -> int:
        return int(self.ask("nvmlDeviceGetAttributes_v2", mig_handle).multiprocessorCount)
