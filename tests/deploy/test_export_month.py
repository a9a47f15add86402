"""What finance finds in its bucket, from the first draft over the closing to a restatement, by the CronJob's script."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPO
from tests.deploy import helm
from tests.finance import months
from tracker.books.interface import BookStore
from tracker.books.store import open_store
from tracker.core.restating import Outcome

SCRIPT = helm.CHART / "files" / "jobs" / "export_month.py"


@pytest.fixture
def store(tmp_path: Path) -> BookStore:
    return open_store(str(months.make(tmp_path / "books")))


def run(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    config = tmp_path / "config.toml"
    config.write_text(
        f'[books]\nurl = "{tmp_path / "books"}"\nentity = "Example SA"\n[site.par1]\nzone = "FR"\n', "utf-8"
    )
    command = [sys.executable, str(SCRIPT), f"--config={config}", f"--destination={tmp_path / 'finance'}", *arguments]
    return subprocess.run(
        command,
        cwd=REPO,
        env={"PYTHONPATH": str(REPO), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def delivered(tmp_path: Path) -> list[str]:
    return [name for name, _ in open_store(str(tmp_path / "finance")).names()]


def test_a_sealed_month_takes_the_place_of_its_draft(tmp_path: Path, store: BookStore) -> None:
    """Whoever loads 2026-10/*.csv must not count the month twice."""
    flags = ("--month=2026-10", "--format=csv,json", "--", "--group-by", "team")
    done = run(tmp_path, *flags)
    assert done.returncode == 0, done.stderr
    assert delivered(tmp_path) == [f"2026-10/wattledger-2026-10-draft.{kind}" for kind in ("csv", "json")]
    months.review(store)
    months.close(store)
    done = run(tmp_path, *flags)
    assert done.returncode == 0, done.stderr
    assert delivered(tmp_path) == [f"2026-10/wattledger-2026-10-v1.{kind}" for kind in ("csv", "json")]
    sealed = open_store(str(tmp_path / "finance")).read("2026-10/wattledger-2026-10-v1.csv")
    assert sealed == store.read("statements/2026-10/v1/statement.csv"), "as it was closed, whatever flags drafts have"
    again = run(tmp_path, *flags)
    assert (again.returncode, "written" in again.stdout, "removed" in again.stdout) == (0, False, False)


def test_what_is_closed_late_and_what_is_restated_comes_too(tmp_path: Path, store: BookStore) -> None:
    """By whichever run is the next, though another month has ended since."""
    months.review(store)
    months.close(store)
    config = months.with_pue(2.4)  # what was 1.21
    found, _ = months.restate(store, config)
    assert found.decision.outcome is Outcome.NEW_VERSION
    months.review(store, config=config, now_s=months.NOW_S + 7200)
    months.close(store, config=config, now_s=months.NOW_S + 7200)
    run(tmp_path, "--format=csv")  # the month that ended last may have nothing, which it says and exits with
    assert delivered(tmp_path) == [f"2026-10/wattledger-2026-10-v{number}.csv" for number in (1, 2)]


def test_a_sealed_file_that_says_something_else_is_never_replaced(tmp_path: Path, store: BookStore) -> None:
    months.review(store)
    months.close(store)
    mine = open_store(str(tmp_path / "finance"), create=True)
    mine.create("2026-10/wattledger-2026-10-v1.csv", b"mine")
    done = run(tmp_path, "--month=2026-10", "--format=csv,json")
    assert (done.returncode, "says something else" in done.stderr) == (1, True)
    assert mine.read("2026-10/wattledger-2026-10-v1.csv") == b"mine"
