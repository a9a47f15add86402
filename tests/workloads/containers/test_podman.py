"""A real Podman: its API names the container whose real cgroup the tick has met."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.workloads.real import CGROUPS
from tests.workloads.world import cpu
from tracker import clock
from tracker.core.model import Level
from tracker.sysfs import Roots
from tracker.workloads.containers import EnginesResolver, Options
from tracker.workloads.observer import CgroupObserver

pytestmark = pytest.mark.needs("cgroups", "gcc", "podman")
#: Counts for a while, then sleeps: an image needs nothing else.
PROGRAM = "#include <unistd.h>\nint main(){for(volatile long i=0;i<400000000;i++);for(;;)pause();}\n"


def until(condition: Callable[[], object], what: str, deadline_s: float = 30) -> None:
    end_s = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end_s, f"{what} did not happen within {deadline_s} s"
        time.sleep(0.02)


class Podman:
    """Storage of its own; runc, because crun refuses hybrid cgroups; limits given, because a container's root may not
    raise them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.socket = folder, folder / "p.sock"
        self._command = ["podman", "--storage-driver=vfs", f"--root={folder}/storage", f"--runroot={folder}/run"]
        self._command += ["--cgroup-manager=cgroupfs", "--runtime=runc"]

    def run(self, *arguments: str) -> str:
        done = subprocess.run([*self._command, *arguments], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def image(self) -> None:
        """An image of one static program."""
        root = self.folder / "rootfs"
        root.mkdir()
        compile_ = ["gcc", "-static", "-O1", "-x", "c", "-", "-o", str(root / "burn")]
        subprocess.run(compile_, input=PROGRAM, text=True, check=True, timeout=60)
        archive = shutil.make_archive(str(self.folder / "image"), "tar", root)
        self.run("import", "--quiet", '--change=CMD ["/burn"]', archive, "localhost/work:1")

    @contextlib.contextmanager
    def service(self) -> Iterator[None]:
        command = [*self._command, "system", "service", "--time=60", f"unix://{self.socket}"]
        with (self.folder / "service.log").open("wb") as log:
            service = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            until(self.socket.exists, "the service listened")
            yield
        finally:
            service.terminate()
            service.wait(20)


@pytest.fixture
def podman() -> Iterator[Podman]:
    with tempfile.TemporaryDirectory(prefix="wl-pod-") as folder:  # its paths may have 50 characters
        made = Podman(Path(folder))
        made.image()
        try:
            yield made
        finally:
            made.run("rm", "--all", "--force", "--time=0")
            for parent in CGROUPS.glob("*/libpod_parent"):
                with contextlib.suppress(OSError):  # somebody else's containers are in it
                    parent.rmdir()


def test_a_real_container_is_named(podman: Podman) -> None:
    limits = ("--ulimit=nofile=1024:4096", "--ulimit=nproc=1024:1024", "--network=none")
    with podman.service():
        resolver = EnginesResolver(Options(sockets=(str(podman.socket),)), clock.now)
        observer = CgroupObserver(Roots(), resolvers=[resolver])
        observer.observe(clock.now(), {})
        identifier = podman.run("run", "--detach", "--name=web", "--label=team=nlp", *limits, "localhost/work:1")
        key = f"container/{identifier}"
        until(lambda: cpu(observer.observe(clock.now(), {})).get(key, 0) > 0, "its CPU time was seen")
        resolver.turn(clock.now())
        seen = {share.workload.key: share.workload for share in observer.observe(clock.now(), {}).dram}
        assert (seen[key].name, seen[key].container) == ("web", "web")
        assert resolver.attributes(key) == {"image": "localhost/work:1", "label:team": "nlp"}
        assert [finding.level for finding in resolver.check()] == [Level.OK]
        observer.close()
