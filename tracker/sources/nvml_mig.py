"""MIG: the instances of a partitioned GPU and how many of its SMs each holds.

A handle of an instance becomes invalid when the instance is destroyed, and its value is used again, so all of them are
looked up anew at every enumeration.
"""

from __future__ import annotations

from dataclasses import dataclass

from tracker.core.model import Instance
from tracker.sources.nvml_codes import Reaction, answer_of
from tracker.sources.nvml_driver import Driver, Handle, NvmlError

#: Compute capability of GA100 (A100, A30); other Ampere and everything newer is above.
GA100 = (8, 0)
#: CUDA cores of one SM (CUDA programming guide, compute capabilities): 64 on GA100, 128 on every later GPU with MIG.
_CORES_PER_SM_GA100 = 64
_CORES_PER_SM = 128

#: SMs of a whole GPU by product, where the driver does not tell its cores (NVIDIA's architecture white papers).
_SMS_BY_MODEL = (
    ("A100", 108), ("A800", 108), ("A30", 56),
    ("H100 PCIE", 114), ("H100", 132), ("H800", 132), ("H200", 132), ("GH200", 132),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    """An instance and how to ask about it."""

    instance: Instance
    handle: Handle


@dataclass(frozen=True, slots=True)
class Partition:
    """How a GPU is partitioned. ``sm_total`` 0: not known. ``hidden``: instances that this process may not see."""

    parts: tuple[Part, ...]
    sm_total: int
    hidden: int = 0


def partition_of(driver: Driver, handle: Handle, sms: int) -> tuple[bool, Partition | None]:
    """(can it be partitioned at all, how it is partitioned now; None: not). Never fails on a broken instance."""
    try:
        if not driver.mig_enabled(handle):
            return True, None
        slots = driver.mig_slots(handle)
    except NvmlError as error:
        return answer_of(error.code).reaction is not Reaction.UNSUPPORTED, None
    parts, hidden = [], 0
    for slot in range(slots):
        try:
            mig_handle = driver.mig_handle(handle, slot)
            parts.append(Part(Instance(driver.uuid(mig_handle), _sm_count(driver, mig_handle)), mig_handle))
        except NvmlError as error:
            hidden += answer_of(error.code).reaction is Reaction.DENIED
    return True, Partition(tuple(parts), sms, hidden)


def _sm_count(driver: Driver, mig_handle: Handle) -> int:
    try:
        return driver.mig_sm_count(mig_handle)
    except NvmlError:
        return 0


def sm_total(model: str, cores: int | None, capability: tuple[int, int] | None) -> int:
    """SMs of a whole GPU that can be partitioned, from its cores or else its name; 0: not known."""
    if cores and capability and capability >= GA100:
        return cores // (_CORES_PER_SM_GA100 if capability == GA100 else _CORES_PER_SM)
    name = model.upper()
    return next((sms for known, sms in _SMS_BY_MODEL if known in name), 0)
