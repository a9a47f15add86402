"""Reading pseudo-files. The roots are parameters: in a container the host's are mounted elsewhere, in tests they are
folders.

Every wing may import this file; it knows no sensor. Failing reads raise OSError: the caller decides what absence means.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Roots:
    """Where the kernel's file systems are. cgroups are under ``<sysfs>/fs/cgroup``."""

    sysfs: Path = Path("/sys")
    procfs: Path = Path("/proc")


def read_text(path: Path | str, limit: int = 1 << 20) -> str:
    """The whole file in one read (pseudo-files must not be read in pieces), stripped. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, limit).decode("utf-8", "replace").strip()
    finally:
        os.close(fd)


class HeldFile:
    """A pseudo-file kept open and read from its start each time: ten times cheaper than opening it (hardware.md
    §16.2)."""

    __slots__ = ("_fd", "path")

    def __init__(self, path: Path | str) -> None:
        self.path = str(path)
        self._fd = -1

    def read(self, limit: int = 4096) -> bytes:
        """Its current content. Opens it when needed; after an error the next read opens it anew. Raises OSError."""
        try:
            if self._fd < 0:
                self._fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            return os.pread(self._fd, limit, 0)
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Close it; may be called twice."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)
