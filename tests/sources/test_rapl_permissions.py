"""RAPL read by a real unprivileged process: counters are 0400 root, as the kernel has them since CVE-2020-8694."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.machine import Machine
from tests.fakes.unprivileged import may_read_search

REPO = Path(__file__).resolve().parents[2]
#: Everything is imported as root, because the repository need not be readable by others.
PROGRAM = """
import sys
from pathlib import Path
from tests.fakes.unprivileged import become_nobody
from tracker.clock import now
from tracker.sources.interface import SourceContext, SourceError
from tracker.sources.rapl import Options, RaplSource
from tracker.sysfs import Roots

root = Path(sys.argv[1])
source = RaplSource(Options(), SourceContext(Roots(root / "sys", root / "proc"), now))
become_nobody(keep_read_search=sys.argv[2] == "keep")
try:
    source.open()
    batch = source.read()
    print(len(batch.readings), "readings", len(batch.missing), "missing")
except SourceError as error:
    print(type(error).__name__, error)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that everybody may enter; pytest's own are closed to others."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def run_as_nobody(folder: Path, mode: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder), mode],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.needs("root")
def test_without_privileges_the_counters_are_denied_and_the_remedy_is_named(folder: Path) -> None:
    Machine.xeon(folder).close()
    answer = run_as_nobody(folder, "drop")
    assert answer.startswith(
        "SourceDenied This process may not read the RAPL energy counters. systemd: let the group wattledger read them"
    )


@pytest.mark.needs("root")
def test_the_remedy_works(folder: Path) -> None:
    """CAP_DAC_READ_SEARCH alone is enough: no root, no privileged container."""
    if not may_read_search():
        pytest.skip("root lacks CAP_DAC_READ_SEARCH in this container: run with --cap-add DAC_READ_SEARCH")
    Machine.xeon(folder).close()
    assert run_as_nobody(folder, "keep") == "6 readings 0 missing"


@pytest.mark.needs("root")
def test_counters_opened_to_everybody_need_no_capability(folder: Path) -> None:
    machine = Machine.xeon(folder)
    for name in ("package-0", "package-0/dram"):
        machine.powercap.zone(name).energy_file.chmod(0o444)
    machine.close()
    assert run_as_nobody(folder, "drop") == "2 readings 4 missing"
