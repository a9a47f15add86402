"""Closing by real processes: the same bytes everywhere and always, one winner, and nothing half done for good."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.s3 import s3_server
from tests.finance.months import close, copied, make, make_closed, review
from tracker.books.store import open_store
from tracker.books.versions import statement_of, versions

REPO = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "tracker.cli"]
CONFIG = """
[node]
site = "par1"
[site.par1]
zone = "FR"
pue = 1.21
pue_source = "operator, 2026-Q3"
[books]
entity = "Example SA"
"""
#: What must make no difference: environment, CPUs that may be used, and a folder to stand in.
ELSEWHERE = [
    ({"TZ": "Asia/Kathmandu", "LC_ALL": "tr_TR.UTF-8", "PYTHONHASHSEED": "1"}, {0}),
    ({"TZ": "America/St_Johns", "LC_ALL": "C", "PYTHONHASHSEED": "4711", "PYTHONUTF8": "0"}, None),
]


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("lake") / "books")


def config(folder: Path) -> list[str]:
    path = folder / "config.toml"
    path.write_text(CONFIG, "utf-8")
    return ["--config", str(path), "--state-dir", str(folder), "--books", str(folder / "books")]


def run(folder: Path, *arguments: str, env: dict[str, str] | None = None, cpus: set[int] | None = None) -> str:
    done = subprocess.run(
        [*COMMAND, *arguments, *config(folder)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPO), **(env or {})},
        preexec_fn=None if cpus is None else lambda: os.sched_setaffinity(0, cpus),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def sealed(folder: Path) -> dict[str, bytes]:
    """All but the records that say when somebody did what."""
    place = folder / "books" / "statements" / "2026-10" / "v1"
    files = {path.name: path.read_bytes() for path in place.iterdir()}
    return {name: content for name, content in files.items() if name.startswith(("statement.", "reviewed-"))}


def closed_in(folder: Path, lake: Path, env: dict[str, str], cpus: set[int] | None) -> dict[str, bytes]:
    folder.mkdir()
    shutil.copytree(lake, folder / "books")
    as_of = ("--as-of", "2026-11-11T00:00Z")
    run(folder, "close", "2026-10", "--review", "--as", "alice", *as_of, env=env, cpus=cpus)
    run(folder, "close", "2026-10", "--as", "bob", env=env, cpus=cpus)
    return sealed(folder)


def test_a_closed_month_is_the_same_bytes_in_every_zone_locale_and_process(lake: Path, tmp_path: Path) -> None:
    here = closed_in(tmp_path / "here", lake, {}, None)
    assert len(here) == 8
    for number, (env, cpus) in enumerate(ELSEWHERE):
        there = closed_in(tmp_path / f"elsewhere-{number}", lake, env, cpus)
        assert sorted(there) == sorted(here)
        for name, content in here.items():
            assert there[name] == content, name


def test_a_bucket_gets_the_same_bytes_as_a_folder(lake: Path, tmp_path: Path) -> None:
    here = closed_in(tmp_path / "here", lake, {}, None)
    with s3_server() as server:
        env = {**os.environ, **server.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONPATH": str(REPO)}
        url = server.bucket("books")
        there = tmp_path / "there"
        there.mkdir()
        common = [*config(there)[:-1], url]
        for command in (
            [sys.executable, "-m", "tests.e2e.copy_child", str(lake), url],
            [*COMMAND, "close", "2026-10", "--review", "--as", "alice", "--as-of", "2026-11-11T00:00Z", *common],
            [*COMMAND, "close", "2026-10", "--as", "bob", *common],
            [sys.executable, "-m", "tests.e2e.copy_child", url, str(there / "books")],
        ):
            subprocess.run(command, cwd=REPO, env=env, timeout=120, check=True, capture_output=True)
    assert sealed(there) == here


def test_of_two_who_close_at_once_one_wins_and_the_other_says_who(lake: Path, tmp_path: Path) -> None:
    store = copied(lake, tmp_path / "books")
    review(store)
    arguments = config(tmp_path)
    people = ["bob", "carol"]
    closers = [
        subprocess.Popen(
            [*COMMAND, "close", "2026-10", "--as", who, *arguments],
            cwd=REPO,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for who in people
    ]
    ended = {who: (*each.communicate(timeout=120), each.returncode) for who, each in zip(people, closers, strict=True)}
    (version,) = versions(store, "2026-10")
    winner = statement_of(store, version).approver
    (loser,) = {*people} - {winner}
    assert ended[winner][2] == 0
    assert ended[loser][2] == 1
    assert winner in ended[loser][1]


@pytest.mark.parametrize("after", [1, 2, 3, 6, 10])
def test_a_killed_closer_is_followed_by_the_same_bytes(lake: Path, tmp_path: Path, after: int) -> None:
    """Killed after the statement was kept, the review, the claim, some outputs, all outputs."""
    clean = make_closed(lake, tmp_path / "clean")
    url = str(tmp_path / "books")
    shutil.copytree(lake, url)
    command = [sys.executable, "-m", "tests.e2e.close_child", url, str(after)]
    killed = subprocess.run(command, cwd=REPO, capture_output=True, timeout=120, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    store = open_store(url)
    assert not any(version.manifest for version in versions(store, "2026-10"))
    if after < 3:
        review(store)
    close(store)
    there = {path.name: path.read_bytes() for path in (tmp_path / "books/statements/2026-10/v1").iterdir()}
    for path in (clean / "statements/2026-10/v1").iterdir():
        assert there[path.name] == path.read_bytes(), path.name
