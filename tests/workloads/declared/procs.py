"""A scripted /proc for what real processes do not do on command."""

from __future__ import annotations

from pathlib import Path


class Proc:
    """A folder that stands for /proc."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(
        self,
        pid: int,
        parent: int = 1,
        *,
        start: int = 100,
        own: int = 0,
        reaped: int = 0,
        pages: int = 256,
        cgroup: str = "/x.service",
    ) -> None:
        """Times in clock ticks, memory in pages."""
        place = self.folder / str(pid)
        place.mkdir(exist_ok=True)
        fields = ["S", str(parent), *["0"] * 9, str(own), "0", str(reaped), "0", "20", "0", "1", "0", str(start)]
        (place / "stat").write_text(f"{pid} (a) b) {' '.join(fields)} 0 {pages} {' '.join(['0'] * 20)}\n")
        (place / "cgroup").write_text(f"0::{cgroup}\n")

    def drop(self, pid: int) -> None:
        for file in (self.folder / str(pid)).iterdir():
            file.unlink()
        (self.folder / str(pid)).rmdir()
