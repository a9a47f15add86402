"""Which GPUs there are and what each can tell. Healthy ones are kept when one fails; a known one is never forgotten.

Enumeration goes index by index: nvmlDeviceGetCount counts GPUs that cannot be opened too, and the order of indices
is not stable (nvml.h), so a GPU is its UUID. A MIG parent is one GPU; its instances have no power of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from tracker.core.model import Component, GapReason, Method, Sensor
from tracker.core.units import NS_PER_S
from tracker.sources.nvml_codes import Answer, Reaction, answer_of
from tracker.sources.nvml_driver import Driver, Handle, NvmlError
from tracker.sources.nvml_mig import GA100, Partition, partition_of, sm_total

T = TypeVar("T")

PREFERENCE = 100  # a GPU's own counter: the best there is for a GPU
#: Where no limit can be read; also the least for a module. Above any board sold (B200: 1000 W).
CEILING_MW = 1_500_000

#: Codes that are about the session or the process, not about one GPU.
FATAL = (Reaction.REOPEN, Reaction.ABSENT, Reaction.RESTART)


@dataclass(frozen=True, slots=True)
class Facts:
    """What never changes while the driver is loaded: asked once per GPU. None: the driver would not say."""

    model: str
    averaged: bool  # GetPowerUsage is a mean over 1 s
    highest_limit_mw: int | None
    is_module: bool  # Grace-Hopper: the counter covers CPU and LPDDR too
    module_id: int | None
    cores: int | None
    capability: tuple[int, int] | None  # of CUDA
    persistent: bool | None


@dataclass(slots=True)
class Gpu:
    """One physical GPU: what it is, how to ask it, and why it does not answer when it does not."""

    uuid: str
    index: int
    handle: Handle | None
    facts: Facts
    counter: bool = True  # capabilities: False once the driver has said "not supported"
    power: bool = True
    lists: bool = True
    lists_denied: bool = False
    utilisation: bool = True
    partition: Partition | None = None  # None: MIG is off
    mig_capable: bool = True
    sensor: Sensor | None = None  # None: it gives neither energy nor power
    listed: bool = True  # False: the driver does not count it any more
    stale: bool = False  # what it offers has changed since its sensor was described
    rest_until_ns: int = 0  # boot time; not asked before
    gap: GapReason = GapReason.ERROR  # why the last reading is missing
    detail: str = ""  # the same in words, "": it is not

    @property
    def whole_module(self) -> bool:
        """Whether what is read covers a Grace-Hopper module (see ``sensor_of``)."""
        return self.facts.is_module and self.counter

    def rest(self, answer: Answer, boot_ns: int) -> None:
        """Remember why it does not answer, and do not ask again before it may."""
        self.gap, self.detail = answer.gap, f"{answer.meaning} ({answer.name})"
        if answer.rest_s:
            self.rest_until_ns = boot_ns + round(answer.rest_s * NS_PER_S)
        if answer.rest_s or answer.reaction is Reaction.REENUMERATE:
            self.handle = None  # only an enumeration gives it a new one

    def wants_handle(self, boot_ns: int) -> bool:
        """Whether an enumeration now could bring it back."""
        return self.handle is None and self.listed and boot_ns >= self.rest_until_ns


@dataclass(slots=True)
class Inventory:
    """All GPUs ever seen by this source, and which indices would not open at the last enumeration."""

    gpus: dict[str, Gpu] = field(default_factory=dict)
    failed: dict[int, Answer] = field(default_factory=dict)
    count: int = 0

    def refresh(self, driver: Driver, boot_ns: int, *, anew: bool = False) -> None:
        """Enumerate. Facts and capabilities are asked for GPUs that are new, or for all (``anew``: after init).

        Raises NvmlError only where the whole session is void.
        """
        self.count = driver.count()
        self.failed = {}
        seen = set()
        for index in range(self.count):
            gpu = self._at(index)
            if gpu is None or boot_ns >= gpu.rest_until_ns:
                gpu = self._open(driver, index, boot_ns, anew=anew)
            if gpu is not None:
                seen.add(gpu.uuid)
        for uuid in self.gpus.keys() - seen:
            gone = self.gpus[uuid]
            gone.handle, gone.listed = None, False
            gone.gap, gone.detail = GapReason.LOST, "the driver no longer lists it"
        self.describe()

    def drop_handles(self) -> None:
        """The session is about to end: no handle is good any more."""
        for gpu in self.gpus.values():
            gpu.handle, gpu.rest_until_ns = None, 0

    def sensors(self) -> tuple[Sensor, ...]:
        if any(gpu.stale for gpu in self.gpus.values()):
            self.describe()
        return tuple(gpu.sensor for gpu in self.gpus.values() if gpu.sensor is not None)

    def _at(self, index: int) -> Gpu | None:
        return next((gpu for gpu in self.gpus.values() if gpu.listed and gpu.index == index), None)

    def _open(self, driver: Driver, index: int, boot_ns: int, *, anew: bool) -> Gpu | None:
        """The GPU at an index, with a fresh handle where it can be opened; None when it never could be."""
        try:
            handle = driver.handle(index)
            uuid = driver.uuid(handle)
        except NvmlError as error:
            return self._failed(index, error, boot_ns)
        gpu = self.gpus.get(uuid)
        if gpu is None or anew:
            gpu = self.gpus[uuid] = Gpu(uuid, index, handle, facts_of(driver, handle))
            gpu.counter = _offers(driver.counter_uj, handle)
            gpu.power = _offers(driver.module_power_mw if gpu.whole_module else driver.power_mw, handle)
        gpu.index, gpu.handle, gpu.listed, gpu.rest_until_ns = index, handle, True, 0
        if gpu.mig_capable:
            gpu.mig_capable, gpu.partition = partition_of(driver, handle, _sms(gpu.facts))
        return gpu

    def _failed(self, index: int, error: NvmlError, boot_ns: int) -> Gpu | None:
        answer = answer_of(error.code)
        if answer.reaction in FATAL:
            raise error
        self.failed[index] = answer
        gpu = self._at(index)
        if gpu is not None:
            gpu.rest(answer, boot_ns)
            gpu.handle = None
        return gpu

    def describe(self) -> None:
        """Bring every sensor up to date with what its GPU offers. One that did not change stays the same object."""
        modules = sorted(
            (gpu for gpu in self.gpus.values() if gpu.whole_module),
            key=lambda gpu: (gpu.index if gpu.facts.module_id is None else gpu.facts.module_id, gpu.index),
        )
        for gpu in self.gpus.values():
            socket = None
            if gpu in modules:
                # Module ids may count from 0 or 1: their rank is the socket, unless one of them was never seen.
                socket = modules.index(gpu) if len(self.gpus) >= self.count else gpu.index
            sensor = sensor_of(gpu, socket)
            gpu.stale = False
            if sensor != gpu.sensor:
                gpu.sensor = sensor


def facts_of(driver: Driver, handle: Handle) -> Facts:
    """Ask once for everything static. What one driver will not say never costs the rest."""
    is_module = _maybe(driver.is_module, handle) or False
    limits_mw = (_maybe(driver.highest_limit_mw, handle), _maybe(driver.enforced_limit_mw, handle))
    capability = _maybe(driver.capability, handle)
    return Facts(
        model=_maybe(driver.model, handle) or "",
        capability=capability,
        # nvml.h, nvmlDeviceGetPowerUsage: a mean over 1 s on Ampere (except GA100) or newer, else an instant.
        averaged=capability is not None and capability > GA100,
        highest_limit_mw=max(limit_mw or 0 for limit_mw in limits_mw) or None,
        is_module=is_module,
        module_id=_maybe(driver.module_id, handle) if is_module else None,
        cores=_maybe(driver.cores, handle),
        persistent=_maybe(driver.persistent, handle),
    )


def _sms(facts: Facts) -> int:
    return sm_total(facts.model, facts.cores, facts.capability)


def _maybe(call: Callable[[Handle], T], handle: Handle) -> T | None:
    """The answer, or None where this GPU does not give one."""
    try:
        return call(handle)
    except NvmlError as error:
        if answer_of(error.code).reaction in FATAL:
            raise
        return None


def _offers(call: Callable[[Handle], int], handle: Handle) -> bool:
    """Whether the driver offers a reading. Any other failure than "not supported" says nothing about that."""
    try:
        call(handle)
    except NvmlError as error:
        reaction = answer_of(error.code).reaction
        if reaction in FATAL:
            raise
        return reaction is not Reaction.UNSUPPORTED
    return True


def sensor_of(gpu: Gpu, socket: int | None) -> Sensor | None:
    """The sensor of a GPU, or None when it gives neither energy nor power.

    Grace-Hopper (``socket`` not None): the total-energy counter is reported, by users of such machines, to cover the
    whole module: GPU, Grace CPU and LPDDR. NVIDIA does not document it and it has not been verified here. Claiming CPU
    and memory too keeps the cover from booking Grace's own sensors a second time.
    """
    if not (gpu.counter or gpu.power):
        return None
    facts = gpu.facts
    scopes: tuple[str, ...] = (f"node/gpu/{gpu.uuid}",)
    limit_mw = facts.highest_limit_mw or CEILING_MW
    if socket is not None:
        scopes += (f"node/cpu/{socket}", f"node/dram/{socket}")
        limit_mw = max(limit_mw, CEILING_MW)
    return Sensor(
        key=gpu.uuid,
        source="nvml",
        component=Component.GPU,
        scopes=scopes,
        preference=PREFERENCE,
        method=Method.MEASURED,
        sensor="nvml-total-energy" if gpu.counter else "nvml-power",
        max_power_mw=limit_mw,
        averaged=facts.averaged,
        vendor="NVIDIA",
        model=facts.model,
        index=str(gpu.index),
    )
