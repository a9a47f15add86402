"""Every format: the same statement gives the same bytes everywhere, and no format fails on an odd one."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest

from tests.exports.kit import rendered
from tests.fakes.statements import EMPTY, FULL, STATEMENT, line
from tests.fakes.statements import amounts as amounts_of
from tracker.core.statement import DIMENSIONS, Statement
from tracker.registry import EXPORTS

REPO = Path(__file__).resolve().parent.parent.parent
PROGRAM = """
import hashlib, json, os, sys
os.umask(int(sys.argv[1], 8))
from tests.exports.kit import rendered
from tests.fakes.statements import FULL, STATEMENT
from tracker.registry import EXPORTS
names = {name: hashlib.sha256(rendered(name, FULL) + rendered(name, STATEMENT)).hexdigest() for name in EXPORTS}
print(json.dumps(names))
"""
WORLDS = (
    {"PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C", "umask": "022"},
    {"PYTHONHASHSEED": "1", "TZ": "Pacific/Kiritimati", "LC_ALL": "C.UTF-8", "umask": "077"},
    {"PYTHONHASHSEED": "4242", "TZ": "America/St_Johns", "LC_ALL": "tr_TR.UTF-8", "umask": "002"},
)
GROUPED_BY_ALL = replace(
    STATEMENT,
    group_by=DIMENSIONS,
    rows=(line(DIMENSIONS, amounts_of(1_000)),),
    total=line(("",) * len(DIMENSIONS), amounts_of(1_000)),
    days=(),
    corrections=(),
)
NOT_GROUPED = replace(
    STATEMENT, group_by=(), rows=(line((), amounts_of(1_000)),), total=line((), amounts_of(1_000)), corrections=()
)


def test_every_format_has_a_name_a_file_of_its_own_and_a_type() -> None:
    assert set(EXPORTS) == {"csv", "xlsx", "json", "parquet", "html", "focus", "codecarbon"}
    assert all(name == exporter.name for name, exporter in EXPORTS.items())
    assert len({exporter.extension for exporter in EXPORTS.values()}) == len(EXPORTS)
    assert all("/" in exporter.media_type for exporter in EXPORTS.values())


@pytest.mark.parametrize("name", EXPORTS)
@pytest.mark.parametrize("statement", [STATEMENT, FULL, EMPTY, GROUPED_BY_ALL, NOT_GROUPED])
def test_every_statement_can_be_rendered(name: str, statement: Statement) -> None:
    """A month without rows, every dimension at once, or none: nobody loses a format over it."""
    assert rendered(name, statement)


@pytest.mark.parametrize("name", EXPORTS)
def test_a_format_needs_no_seekable_file(name: str) -> None:
    """It may be written into a socket or a pipe."""

    class Pipe(BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: int) -> int:
            raise OSError("not seekable")

        tell = seek

    pipe = Pipe()
    EXPORTS[name]().render(STATEMENT, pipe)
    assert pipe.getvalue() == rendered(name, STATEMENT)


def test_the_bytes_depend_on_nothing_but_the_statement(tmp_path: Path) -> None:
    """A closed month is sealed by hashes: another host, folder, time zone, locale, umask or seed changes no byte."""
    seen = []
    for world in WORLDS:
        variables = {name: value for name, value in world.items() if name != "umask"}
        command = [sys.executable, "-c", PROGRAM, world["umask"]]
        environment = {**os.environ, **variables, "PYTHONPATH": str(REPO), "PYTHONDONTWRITEBYTECODE": "1"}
        ran = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, check=True)
        seen.append(json.loads(ran.stdout))
    assert seen[0] == seen[1] == seen[2]


@pytest.mark.parametrize(
    ("name", "sha256"),
    [
        ("csv", "bc9da9360f4586f0e7a8654e3323d44bea2d147468bfa3c3331ba3b6dbda72c9"),
        ("json", "68ec3644a8ff0e4fb70a973ee0eb943e18c57f195ac6df53a36b9f425398b042"),
        ("focus", "d149ad879974ba8eff98041f2265628745fffcce370c78728e1ecaff8da70c3b"),
        ("codecarbon", "9600c85b18d8915ce8aa9e2c8208aeba64978343140f7e4bb6f488249fcc0e68"),
    ],
)
def test_golden_bytes_of_a_closed_month(name: str, sha256: str) -> None:
    """A release that changes these changes what closed months would look like when they are written again: it needs a
    new name of the layout, and a line in the changelog."""
    assert hashlib.sha256(rendered(name, FULL)).hexdigest() == sha256


def test_listing_the_formats_loads_nothing_that_a_format_needs() -> None:
    """The daemon lists them and has 36 MiB for everything."""
    program = (
        "import sys; import tracker.registry; "
        "heavy = ('duckdb', 'xlsxwriter', 'jinja2', 'csv', 'tracker.exports.table', 'tracker.exports.head'); "
        "print([name for name in heavy if name in sys.modules and name not in sys.argv[1:]])"
    )
    before = subprocess.run(
        [sys.executable, "-c", "import sys, tracker.grid.interface; print(*sys.modules)"],
        cwd=REPO,
        capture_output=True,
        check=True,
        text=True,
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, *before.stdout.split()], cwd=REPO, capture_output=True, check=True, text=True
    )
    assert ran.stdout.strip() == "[]"
