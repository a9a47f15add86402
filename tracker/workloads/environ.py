"""The environment a process was started with, from ``/proc/PID/environ`` (proc_pid_environ(5)).

To read that of other users' processes takes CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH. A process may write what it likes
into the environment of its children: it is a hint, not an authority.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

MAX_BYTES = 256 << 10
MAX_VALUE = 4096


def read_environ(procfs: Path, pid: int) -> bytes:
    """Up to 256 KiB of it. Raises OSError: PermissionError, or FileNotFoundError and ESRCH when it has exited."""
    fd = os.open(f"{procfs}/{pid}/environ", os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts: list[bytes] = []
        size = 0
        while size < MAX_BYTES and (part := os.read(fd, MAX_BYTES - size)):
            parts.append(part)
            size += len(part)
        return b"".join(parts)
    finally:
        os.close(fd)


def parse_environ(data: bytes, prefixes: tuple[bytes, ...]) -> Mapping[str, str]:
    """The variables whose names begin so; of a name that occurs twice the first, as getenv(3) does."""
    found: dict[str, str] = {}
    for item in data.split(b"\0"):
        if not item.startswith(prefixes):
            continue
        name, equals, value = item.partition(b"=")
        if equals:
            found.setdefault(name.decode("utf-8", "replace"), value[:MAX_VALUE].decode("utf-8", "replace"))
    return found
