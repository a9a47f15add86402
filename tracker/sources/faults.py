"""What a failed read of a kernel file means for a sensor."""

from __future__ import annotations

import errno

from tracker.core.model import GapReason

#: The device behind the file is gone. ENODEV: the zone was unregistered under an open descriptor (fs/kernfs/file.c);
#: ESRCH: the same of a /proc folder; ENXIO: the driver let go of it; ENOENT and ENOTDIR: it is not there to be opened.
_LOST = frozenset({errno.ENODEV, errno.ENXIO, errno.ESRCH, errno.ENOENT, errno.ENOTDIR})
_PERMISSION = frozenset({errno.EACCES, errno.EPERM})


def reason_of(error: OSError | ValueError) -> GapReason:
    """Why there is no reading. A ``ValueError`` is content that is not what the kernel documents."""
    if not isinstance(error, OSError):
        return GapReason.ERROR
    if error.errno in _LOST:
        return GapReason.LOST
    if error.errno in _PERMISSION:
        return GapReason.PERMISSION
    return GapReason.ERROR


def detail_of(error: OSError | ValueError) -> str:
    """The same in words, without the path (the sensor is named beside it)."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error)
