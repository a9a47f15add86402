"""Being less than root, for tests of file permissions that root would pass.

``drop_dac`` sets aside the two capabilities that let root read any file, in this thread only; ``regain_dac`` takes them
up again. Without privileges both do nothing, and nothing is needed.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

_VERSION_3 = 0x20080522  # linux/capability.h
_DAC_OVERRIDE, _DAC_READ_SEARCH = 1, 2


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Data(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def drop_dac() -> None:
    """File modes apply to this thread from now on."""
    _set_effective(drop=1 << _DAC_OVERRIDE | 1 << _DAC_READ_SEARCH)


def regain_dac() -> None:
    """Everything permitted is effective again."""
    _set_effective(drop=0)


@contextmanager
def without_dac() -> Iterator[None]:
    drop_dac()
    try:
        yield
    finally:
        regain_dac()


def may_read_search() -> bool:
    """Whether CAP_DAC_READ_SEARCH is there to be kept; root in a container often lacks it."""
    return bool(_capabilities()[0].permitted & 1 << _DAC_READ_SEARCH)


def become_nobody(*, keep_read_search: bool = False) -> None:
    """Turn this process into user 65534, for good: for a child process, after its imports.

    ``keep_read_search``: with CAP_DAC_READ_SEARCH, as systemd's ``AmbientCapabilities=`` gives it to a service.
    """
    if keep_read_search:
        ctypes.CDLL(None).prctl(8, 1, 0, 0, 0)  # PR_SET_KEEPCAPS: permitted capabilities survive the change of user
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)
    kept = 1 << _DAC_READ_SEARCH if keep_read_search else 0
    _call("capset", (_Data * 2)(_Data(kept, kept, 0), _Data(0, 0, 0)))


def _set_effective(drop: int) -> None:
    data = _capabilities()
    data[0].effective = data[0].permitted & ~drop
    _call("capset", data)


def _capabilities() -> ctypes.Array[_Data]:
    """Of this thread. Capabilities above 31 are in the second element."""
    data = (_Data * 2)()
    _call("capget", data)
    return data


def _call(name: str, data: ctypes.Array[_Data]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(ctypes.byref(_Header(_VERSION_3, 0)), data) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
