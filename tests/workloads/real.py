"""Real cgroups: uniquely named, removed afterwards, and children that burn a known amount of CPU time in them."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tracker.clock import now
from tracker.core.model import DeviceUse, Observation
from tracker.sysfs import Roots
from tracker.workloads.observer import CgroupObserver

CGROUPS = Path("/sys/fs/cgroup")
BURN = "import time\nwhile time.process_time() < {seconds}: pass"
HOLD = "import sys\nheld = bytearray({size})\nprint('held', flush=True)\nsys.stdin.read()"
DEADLINE_S = 20.0


class Groups:
    """One cgroup tree of our own in some hierarchies, below ``name``."""

    def __init__(self, hierarchies: Sequence[Path], name: str) -> None:
        self._hierarchies = hierarchies
        self.name = name

    def make(self, path: str) -> str:
        """Create ``/<name>/<path>`` in every hierarchy."""
        for root in self._hierarchies:
            (root / self.name / path).mkdir(parents=True, exist_ok=True)
        return path

    def run(self, path: str, seconds: float) -> int:
        """A child uses so much CPU time inside and exits. Returns what it really used, in µs."""
        before = _children_us()
        child = self.start(path, BURN.format(seconds=seconds))
        child.communicate(timeout=DEADLINE_S)
        assert child.returncode == 0
        return _children_us() - before

    def start(self, path: str, code: str) -> subprocess.Popen[str]:
        """A child that runs Python code inside."""
        joins = "".join(f"echo $$ > '{root / self.name / path}/cgroup.procs' && " for root in self._hierarchies)
        return subprocess.Popen(
            ["sh", "-c", f'{joins} exec "$0" -S -c "$1"', sys.executable, code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def view(self, folder: Path) -> Roots:
        """Roots that show this tree as the only one: what else runs on the machine is not in it."""
        sysfs = folder / "sys"
        (sysfs / "fs").mkdir(parents=True)
        if (self._hierarchies[0] / "cgroup.controllers").exists():
            (sysfs / "fs" / "cgroup").symlink_to(self._hierarchies[0] / self.name)
        else:
            (sysfs / "fs" / "cgroup").mkdir()
            for root in self._hierarchies:
                (sysfs / "fs" / "cgroup" / root.name).symlink_to(root / self.name)
        (sysfs / "devices").symlink_to("/sys/devices")
        return Roots(sysfs)

    def remove(self, path: str = "") -> None:
        """Remove it with all below. A cgroup stays busy for a moment after its last process was reaped."""
        for root in self._hierarchies:
            top = root / self.name / path
            for folder, _, _ in os.walk(top, topdown=False):
                _remove_folder(Path(folder))


def _remove_folder(folder: Path) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while True:
        try:
            folder.rmdir()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _children_us() -> int:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return round((usage.ru_utime + usage.ru_stime) * 1e6)


@contextmanager
def groups(hierarchies: Sequence[Path]) -> Iterator[Groups]:
    """A tree of our own."""
    made = Groups(hierarchies, f"wattledger-{uuid.uuid4().hex[:12]}.slice")
    made.make("")
    try:
        yield made
    finally:
        made.remove()


def container() -> tuple[str, str]:
    """(folder, workload key) of a new container."""
    identifier = uuid.uuid4().hex + uuid.uuid4().hex
    return f"docker-{identifier}.scope", f"container/{identifier}"


def observe(observer: CgroupObserver, uses: dict[str, DeviceUse] | None = None) -> Observation:
    return observer.observe(now(), uses or {})


def close_to(share_us: int, used_us: int) -> bool:
    """The shell that joins the cgroup uses some ms before it is inside."""
    return used_us - 30_000 <= share_us <= used_us + 2_000
