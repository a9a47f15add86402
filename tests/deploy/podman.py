"""Real buildah and podman with storage of their own, shared by the processes of one test run.

Overlay where the kernel lets it be mounted. runc, because crun refuses hybrid cgroups; limits given, because a
container's root may not raise them. Host network: nothing is set up that would have to be taken down.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.image import REPO, download_wheels, make_pip, make_root

WATTLEDGER, RUN_BASE, BUILD_BASE = "localhost/wattledger:latest", "localhost/run:test", "localhost/build:test"
LIMITS = ("--ulimit=nofile=1024:4096", "--ulimit=nproc=1024:1024")
#: What the README asks operators for: nothing to write to but the volume, no capability, none to gain.
HARDENED = ("--read-only", "--read-only-tmpfs=false", "--cap-drop=ALL", "--security-opt=no-new-privileges")
_BASES = """\
FROM scratch AS run
COPY root /
ENV PATH=/usr/bin
FROM run AS build
COPY pip /pip
ENV PYTHONPATH=/pip
"""


def require(
    *programs: str, remedy: str = "apt-get install buildah podman runc docker-compose, and run as root"
) -> None:
    """Skip, or fail where nothing may be skipped, unless root has these programs."""
    absent = [name for name in programs if shutil.which(name) is None]
    if not absent and os.geteuid() == 0:
        return
    text = f"needs {', '.join(programs)}: {remedy}"
    if os.environ.get("WATTLEDGER_NO_SKIP") == "1":
        pytest.fail(text, pytrace=False)
    pytest.skip(text)


def until(condition: Callable[[], object], what: str, deadline_s: float = 60) -> None:
    """Wait for a condition with a bound, not for a time."""
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen within {deadline_s} s"
        time.sleep(0.05)


class Engine:
    """See the module. ``folder`` is short: podman takes no run root of more than 50 characters."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        driver = "overlay" if _overlay_works(folder) else "vfs"
        self.storage = (f"--storage-driver={driver}", f"--root={folder}/st", f"--runroot={folder}/rr")

    @property
    def podman_command(self) -> list[str]:
        """``--log-level=fatal``: there is no systemd whose timers could run health checks."""
        return ["podman", *self.storage, "--cgroup-manager=cgroupfs", "--runtime=runc", "--log-level=fatal"]

    def podman(self, *arguments: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        command = [*self.podman_command, *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)

    def ok(self, *arguments: str) -> str:
        done = self.podman(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def build(self, file: Path, context: Path, tag: str, *arguments: str) -> None:
        """``--format docker``: the OCI format has no HEALTHCHECK."""
        command = ["buildah", *self.storage, "build", "--format=docker", "--isolation=chroot", "--layers=false"]
        command += [f"--file={file}", f"--tag={tag}", *arguments, str(context)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]

    def inspect(self, image: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = json.loads(self.ok("image", "inspect", image))
        return found[0]

    def once(self, *arguments: str, flags: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        """Run wattledger to its end in a container that leaves nothing."""
        return self.podman("run", "--rm", "--network=host", *LIMITS, *HARDENED, *flags, WATTLEDGER, *arguments)

    @contextlib.contextmanager
    def started(self, image: str, *arguments: str, flags: Sequence[str] = ()) -> Iterator[str]:
        """A container in the background; its name."""
        name = f"t-{uuid.uuid4().hex[:10]}"
        try:
            self.ok("run", "--detach", f"--name={name}", "--network=host", *LIMITS, *flags, image, *arguments)
            yield name
        finally:
            self.podman("rm", "--force", "--time=0", "--volumes", name)

    def logs(self, name: str) -> str:
        done = self.podman("logs", name)
        return done.stdout + done.stderr

    @contextlib.contextmanager
    def volume(self) -> Iterator[str]:
        name = f"v-{uuid.uuid4().hex[:10]}"
        self.ok("volume", "create", name)
        try:
            yield name
        finally:
            self.podman("volume", "rm", "--force", name)


def _overlay_works(folder: Path) -> bool:
    lower, upper, work, merged = (folder / "probe" / name for name in ("l", "u", "w", "m"))
    for path in (lower, upper, work, merged):
        path.mkdir(parents=True, exist_ok=True)
    options = f"lowerdir={lower},upperdir={upper},workdir={work}"
    script = f"mount -t overlay probe -o {options} {merged}"
    done = subprocess.run(["unshare", "--mount", "sh", "-c", script], capture_output=True, timeout=20, check=False)
    return done.returncode == 0


def _build(engine: Engine, folder: Path) -> None:
    """Both bases, then the image as `make image` builds it, from wheels that lie here."""
    for name in ("root", "pip", "wheels"):  # what is left of a build that failed
        shutil.rmtree(folder / name, ignore_errors=True)
    make_root(folder / "root")
    make_pip(folder / "pip")
    (folder / "Bases").write_text(_BASES, encoding="utf-8")
    engine.build(folder / "Bases", folder, RUN_BASE, "--target=run")
    engine.build(folder / "Bases", folder, BUILD_BASE)
    download_wheels(folder / "wheels")
    given = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/wheels", "BUILD_BASE": BUILD_BASE, "RUN_BASE": RUN_BASE}
    arguments = [f"--build-arg={name}={value}" for name, value in given.items()]
    arguments += ["--isolation=chroot", "--layers=false", f"--volume={folder}/wheels:/wheels:ro"]
    buildah = folder / "buildah"
    buildah.write_text(f'#!/bin/sh\nexec buildah {" ".join(engine.storage)} "$@"\n', encoding="utf-8")
    buildah.chmod(0o755)
    done = subprocess.run(
        [REPO / "deploy" / "container" / "build.sh", *arguments],
        env={**os.environ, "WATTLEDGER_ENGINE": str(buildah)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    for name in ("root", "pip", "wheels"):
        shutil.rmtree(folder / name)


@contextlib.contextmanager
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine that has the image. The first process of a test run builds it, the last one takes everything away."""
    require("buildah", "podman", "runc")
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    key = hashlib.sha256(str(shared).encode()).hexdigest()[:8]
    folder = Path(tempfile.gettempdir()) / f"wl-img-{key}"
    with (shared / "image-use.lock").open("w") as use, (shared / "image-build.lock").open("w") as building:
        fcntl.flock(use, fcntl.LOCK_SH)
        fcntl.flock(building, fcntl.LOCK_EX)
        folder.mkdir(mode=0o711, exist_ok=True)
        engine = Engine(folder)
        try:
            if not (folder / "built").exists():
                _build(engine, folder)
                (folder / "built").touch()
            fcntl.flock(building, fcntl.LOCK_UN)
            yield engine
        finally:
            with contextlib.suppress(OSError):  # somebody else still uses it
                fcntl.flock(use, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _take_away(engine)


def _take_away(engine: Engine) -> None:
    engine.podman("rm", "--all", "--force", "--time=0")
    shutil.rmtree(engine.folder)
    for parent in Path("/sys/fs/cgroup").glob("*/libpod_parent"):
        for group in (parent / "conmon", parent):
            with contextlib.suppress(OSError):  # somebody else's containers are in it
                group.rmdir()
