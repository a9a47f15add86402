"""The child that composes drafts, as the portal starts it: real books, every format, and its end with the portal."""

from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec
import pytest

from tests.finance import portal_books
from tests.finance.portal_books import FACILITY_WH, NOW_S
from tracker.books.interface import BookStore
from tracker.core.errors import WattledgerError
from tracker.finance.portal_child import Job
from tracker.finance.portal_composer import COMMAND, Composer
from tracker.finance.portal_figures import read_figures
from tracker.registry import EXPORTS
from tracker.web.portal.interface import Missing


@pytest.fixture
def store(tmp_path: Path) -> BookStore:
    return portal_books.make(tmp_path / "books")


CONFIG = '[site.par1]\nzone = "FR"\npue = 1.21\npue_source = "operator"\n[books]\nentity = "Example SA"\n'


def job(tmp_path: Path, store: BookStore, **changed: str) -> Job:
    config = tmp_path / "config.toml"
    config.write_text(CONFIG, encoding="utf-8")
    folder = tmp_path / "out"
    folder.mkdir(exist_ok=True)
    made = Job(
        config=str(config),
        flags={"node.state_dir": str(tmp_path / "state")},
        books=store.url,
        month="2026-10",
        as_of_s=NOW_S,
        folder=str(folder),
    )
    return msgspec.structs.replace(made, **changed)


def test_a_draft_is_written_in_every_format(tmp_path: Path, store: BookStore) -> None:
    """With the configuration of whoever serves."""
    asked = job(tmp_path, store)
    Composer()(asked)
    files = {path.name: path.read_bytes() for path in Path(asked.folder).iterdir()}
    assert set(files) == set(EXPORTS)
    assert all(files.values())
    assert b"Example SA" in files["csv"]
    figures = read_figures(files["json"], "json").figures
    assert figures.energy_facility_wh == FACILITY_WH
    assert figures.coverage_ppm == 96_774  # three of 31 days


def test_what_cannot_be_composed_is_a_sentence(tmp_path: Path, store: BookStore) -> None:
    with pytest.raises(Missing, match="have nothing of 2026-02"):
        Composer()(job(tmp_path, store, month="2026-02"))
    with pytest.raises(WattledgerError, match="There is no folder"):
        Composer()(job(tmp_path, store, books=str(tmp_path / "absent")))
    with pytest.raises(WattledgerError, match=r"cannot be written: No such file or directory\. Free space"):
        Composer()(job(tmp_path, store, folder=str(tmp_path / "gone")))


def test_it_ends_with_the_portal() -> None:
    """Also one that waits for its job, or is in the middle of it: its standard input ends."""
    child = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    child.communicate(timeout=30)
    assert child.returncode != 0
