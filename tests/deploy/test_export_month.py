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


def restate(store: BookStore) -> None:
    """A second version of October, with another PUE."""
    config = months.with_pue(2.4)  # what was 1.21
    found, _ = months.restate(store, config)
    assert found.decision.outcome is Outcome.NEW_VERSION
    months.review(store, config=config, now_s=months.NOW_S + 7200)
    months.close(store, config=config, now_s=months.NOW_S + 7200)


def close(store: BookStore) -> None:
    months.review(store)
    months.close(store)


def test_what_is_closed_late_and_what_is_restated_comes_too(tmp_path: Path, store: BookStore) -> None:
    """By whichever run is the next, though another month has ended since. In the month's folder is what is valid."""
    close(store)
    run(tmp_path, "--format=csv")  # the month that ended last may have nothing, which it says and exits with
    assert delivered(tmp_path) == ["2026-10/wattledger-2026-10-v1.csv"]
    first = open_store(str(tmp_path / "finance")).read("2026-10/wattledger-2026-10-v1.csv")
    restate(store)
    for _ in range(2):
        run(tmp_path, "--format=csv")
        assert delivered(tmp_path) == [
            "2026-10/wattledger-2026-10-v2.csv",
            "superseded/2026-10/wattledger-2026-10-v1.csv",
        ]
    assert open_store(str(tmp_path / "finance")).read("superseded/2026-10/wattledger-2026-10-v1.csv") == first


def test_a_version_that_was_superseded_before_it_was_delivered_stays_in_the_books(
    tmp_path: Path, store: BookStore
) -> None:
    """A new destination gets what is valid, not what was valid years ago."""
    close(store)
    restate(store)
    run(tmp_path, "--format=csv")
    assert delivered(tmp_path) == ["2026-10/wattledger-2026-10-v2.csv"]


def test_what_a_loader_has_taken_away_does_not_come_again(tmp_path: Path, store: BookStore) -> None:
    """The destination may be an inbox. A new version comes, and so does a format that is newly wanted."""
    finance = tmp_path / "finance"

    def taken() -> list[str]:
        found = delivered(tmp_path)
        for name in found:
            (finance / name).unlink()
        return found

    close(store)
    run(tmp_path, "--format=csv")
    assert taken() == ["2026-10/wattledger-2026-10-v1.csv"]
    run(tmp_path, "--format=csv")
    assert taken() == []
    run(tmp_path, "--format=csv,json")
    assert taken() == ["2026-10/wattledger-2026-10-v1.json"]
    restate(store)
    run(tmp_path, "--format=csv")
    assert taken() == ["2026-10/wattledger-2026-10-v2.csv"]
    run(tmp_path, "--format=csv", "--month=2026-10")
    assert taken() == ["2026-10/wattledger-2026-10-v2.csv"], "who asks for a month gets it"


def test_a_sealed_file_that_says_something_else_is_never_replaced(tmp_path: Path, store: BookStore) -> None:
    months.review(store)
    months.close(store)
    mine = open_store(str(tmp_path / "finance"), create=True)
    mine.create("2026-10/wattledger-2026-10-v1.csv", b"mine")
    done = run(tmp_path, "--month=2026-10", "--format=csv,json")
    assert (done.returncode, "says something else" in done.stderr) == (1, True)
    assert mine.read("2026-10/wattledger-2026-10-v1.csv") == b"mine"
