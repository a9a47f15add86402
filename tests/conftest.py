"""Shared by all tests: the `needs` marker, and golden files.

`@pytest.mark.needs("chromium")` names a real part. A part that is absent skips the test with the reason, or fails it if
WATTLEDGER_NO_SKIP=1 (as in CI).

Properties are tried with other examples each time; under that variable always with the same ones, so that a change
fails for what it changes. How long an example takes fails nothing.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("exploring", deadline=None)
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady" if os.environ.get("WATTLEDGER_NO_SKIP") == "1" else "exploring")

REPO = Path(__file__).resolve().parent.parent

#: name -> (is it here?, how to get it)
PARTS: dict[str, tuple[Callable[[], bool], str]] = {
    "root": (lambda: os.geteuid() == 0, "run as root"),
    "gcc": (lambda: shutil.which("gcc") is not None, "apt-get install gcc libc6-dev"),
    "prometheus": (lambda: shutil.which("prometheus") is not None, "apt-get install prometheus"),
    "promtool": (lambda: shutil.which("promtool") is not None, "apt-get install prometheus"),
    "victoria-metrics": (
        lambda: shutil.which("victoria-metrics") is not None,
        "apt-get install victoria-metrics",
    ),
    "chromium": (lambda: shutil.which("chromium") is not None, "apt-get install chromium"),
    "soffice": (lambda: shutil.which("soffice") is not None, "apt-get install libreoffice-calc-nogui"),
    "system-python": (
        lambda: os.system("/usr/bin/python3 -c 'import ensurepip, sys; assert sys.version_info >= (3, 11)' 2>&-") == 0,
        "apt-get install python3-venv",
    ),
    "unshare": (lambda: shutil.which("unshare") is not None, "apt-get install util-linux"),
    "podman": (lambda: all(map(shutil.which, ("podman", "runc"))), "apt-get install podman runc"),
    "slurm": (lambda: shutil.which("slurmctld") is not None, "apt-get install slurmctld slurmd slurm-client munge"),
    "systemd": (
        lambda: all(map(shutil.which, ("systemd-analyze", "systemd-tmpfiles", "systemd-sysusers"))),
        "apt-get install systemd",
    ),
    "cgroups": (
        lambda: os.geteuid() == 0 and Path("/sys/fs/cgroup").is_dir() and os.access("/sys/fs/cgroup", os.W_OK),
        "run as root with a writable /sys/fs/cgroup",
    ),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite golden files instead of comparing")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        for part in marker.args:
            present, remedy = PARTS[part]
            if not present():
                text = f"needs {part}: {remedy}"
                if os.environ.get("WATTLEDGER_NO_SKIP") == "1":
                    pytest.fail(text, pytrace=False)
                pytest.skip(text)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare text with tests/fixtures/golden/NAME, or rewrite it under --update-golden."""

    def compare(name: str, text: str) -> None:
        path = REPO / "tests" / "fixtures" / "golden" / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8"), f"{name} changed; look, then: make golden"

    return compare
