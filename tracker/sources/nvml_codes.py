"""What NVML's return codes mean for a daemon (nvml.h, nvmlReturn_enum): one table, looked up by every caller.

The same code asks for the same reaction wherever it comes from, so nothing here depends on the call that gave it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tracker.core.model import GapReason


class Reaction(StrEnum):
    """What to do about an answer."""

    EMPTY = "empty"  # there is nothing to list: no error
    GROW = "grow"  # the list grew between two calls: ask again
    UNSUPPORTED = "unsupported"  # this device will never answer this: do not ask again
    REENUMERATE = "reenumerate"  # the handle is stale
    REST = "rest"  # this device has a gap; ask again after ``rest_s``
    DENIED = "denied"  # this device may not be opened by this process
    REOPEN = "reopen"  # the session with the driver is void
    ABSENT = "absent"  # there is no driver
    RESTART = "restart"  # only a new process can load the library that fits the driver


@dataclass(frozen=True, slots=True)
class Answer:
    """A row of the table. ``gap``: the reason a device's missing reading is given."""

    name: str
    reaction: Reaction
    meaning: str
    gap: GapReason = GapReason.ERROR
    rest_s: float = 0.0


#: Devices that fell off the bus or lack power do not come back in seconds, and asking them can hang the driver.
LOST_REST_S = 180.0
SICK_REST_S = 60.0

UNINITIALIZED = 1
NOT_SUPPORTED = 3
FUNCTION_NOT_FOUND = 13
UNKNOWN = 999

_REST = Reaction.REST
_ANSWERS = {
    0: Answer("SUCCESS", Reaction.EMPTY, "there is nothing to list"),
    UNINITIALIZED: Answer("UNINITIALIZED", Reaction.REOPEN, "the session with the driver is void (driver reload)"),
    2: Answer("INVALID_ARGUMENT", Reaction.REENUMERATE, "the handle is stale (GPU reset or MIG re-partitioned)"),
    NOT_SUPPORTED: Answer("NOT_SUPPORTED", Reaction.UNSUPPORTED, "this GPU does not offer it"),
    4: Answer("NO_PERMISSION", Reaction.DENIED, "this process may not open it", GapReason.PERMISSION, SICK_REST_S),
    6: Answer("NOT_FOUND", Reaction.EMPTY, "there is none"),
    7: Answer("INSUFFICIENT_SIZE", Reaction.GROW, "the list grew while it was read"),
    8: Answer("INSUFFICIENT_POWER", _REST, "its external power cables are not attached", rest_s=SICK_REST_S),
    9: Answer("DRIVER_NOT_LOADED", Reaction.ABSENT, "the NVIDIA kernel driver is not loaded"),
    10: Answer("TIMEOUT", _REST, "the driver did not answer in time", rest_s=10.0),
    11: Answer("IRQ_ISSUE", _REST, "the kernel has an interrupt problem with it", rest_s=SICK_REST_S),
    12: Answer("LIBRARY_NOT_FOUND", Reaction.ABSENT, "libnvidia-ml.so.1 was not found"),
    FUNCTION_NOT_FOUND: Answer("FUNCTION_NOT_FOUND", Reaction.UNSUPPORTED, "this driver does not have the function"),
    14: Answer("CORRUPTED_INFOROM", _REST, "its infoROM is corrupted", rest_s=SICK_REST_S),
    15: Answer("GPU_IS_LOST", _REST, "it fell off the bus", GapReason.LOST, LOST_REST_S),
    16: Answer("RESET_REQUIRED", _REST, "it needs a reset", GapReason.RESET, 10.0),
    17: Answer("OPERATING_SYSTEM", _REST, "the operating system blocked the request", rest_s=10.0),
    18: Answer("LIB_RM_VERSION_MISMATCH", Reaction.RESTART, "the driver was upgraded under the loaded library"),
    19: Answer("IN_USE", _REST, "it is in use"),
    20: Answer("MEMORY", _REST, "the driver is out of memory"),
    21: Answer("NO_DATA", _REST, "it has no data now"),
    23: Answer("INSUFFICIENT_RESOURCES", _REST, "the driver is out of resources"),
    25: Answer("ARGUMENT_VERSION_MISMATCH", Reaction.UNSUPPORTED, "this driver wants another version of the call"),
    26: Answer("DEPRECATED", Reaction.UNSUPPORTED, "this driver no longer has the function"),
    27: Answer("NOT_READY", _REST, "it is not ready yet"),
    28: Answer("GPU_NOT_FOUND", _REST, "the driver no longer finds it", GapReason.LOST, LOST_REST_S),
    29: Answer("INVALID_STATE", _REST, "it is in a state that forbids this"),
    30: Answer("RESET_TYPE_NOT_SUPPORTED", _REST, "it cannot be reset this way"),
    UNKNOWN: Answer("UNKNOWN", _REST, "the driver met an unknown error (see XID messages in the kernel log)"),
}


def answer_of(code: int) -> Answer:
    """The row of a code; one that is not in the table yet is a gap, tried again at the next read."""
    return _ANSWERS.get(code) or Answer(f"code {code}", Reaction.REST, "the driver met an error")
