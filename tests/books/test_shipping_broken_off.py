"""A run that ends at any of its writes leaves books that are right as far as they go, and the next one completes
them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.books.shipments import Node, column, everything, lake_files, read_lake, spans, sums
from tracker.books.folder import FolderStore
from tracker.books.interface import BookStore, BooksUnavailable
from tracker.books.names import without_entries


class Failing(BookStore):
    """A folder whose connection breaks at the write with this number; ``written``: the write still got there."""

    def __init__(self, folder: FolderStore, at: int, *, written: bool) -> None:
        self.url = folder.url
        self._folder, self._left, self._written = folder, at, written

    def names(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        return self._folder.names(prefix)

    def read(self, name: str) -> bytes | None:
        return self._folder.read(name)

    def create(self, name: str, content: bytes) -> bool:
        if self._left == 0 and self._written:
            self._folder.create(name, content)
        self._count()
        return self._folder.create(name, content)

    def remove(self, name: str) -> None:
        if self._left == 0 and self._written:
            self._folder.remove(name)
        self._count()
        self._folder.remove(name)

    def local(self, names: Sequence[str]) -> list[Path]:
        return self._folder.local(names)

    def _count(self) -> None:
        if self._left == 0:
            raise BooksUnavailable("The connection broke.")
        self._left -= 1


def ship_all(folder: FolderStore, at: int | None, *, written: bool = False) -> bool:
    """Five hours, then the rest of the day and the beginning of the next one. Whether it came to its end."""
    node = Node(folder)
    node.run(5)
    node.ship()
    node.run(25)
    if at is not None:
        node.store = Failing(folder, at, written=written)
    try:
        node.ship()
    except BooksUnavailable:
        return False
    return True


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = FolderStore(tmp_path_factory.mktemp("whole"))
    assert ship_all(folder, None)
    return everything(Path(folder.url))


@pytest.mark.parametrize("written", [False, True], ids=["refused", "unanswered"])
@pytest.mark.parametrize("at", range(9))
def test_broken_off_at_any_write(tmp_path: Path, whole: dict[str, bytes], at: int, *, written: bool) -> None:
    folder = FolderStore(tmp_path)
    assert not ship_all(folder, at, written=written)

    covered = set(column("coverage", "hour_s", read_lake(folder, "coverage")))
    charged = column("entries", "hour_s", read_lake(folder, "entries"))
    assert set(charged) <= covered, "no energy without its coverage"
    lacking = without_entries(lake_files(folder, "coverage"), lake_files(folder, "entries"))
    assert covered <= {*charged, *lacking.get(("gpu-017", "ab12cd34"), [])}, "or known as lost"
    assert sums(folder)["held_ms"] == 3_600_000 * len(set(charged)), "no hour twice"

    ship_all(folder, None)
    assert everything(tmp_path) == whole
    assert without_entries(lake_files(folder, "coverage"), lake_files(folder, "entries")) == {}


def test_all_writes_were_tried(tmp_path: Path) -> None:
    assert ship_all(FolderStore(tmp_path), 9)


class NoDelete(FolderStore):
    """A bucket whose policy lets this node list, read and create. ``asked``: what it was to remove."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.asked: list[str] = []

    def remove(self, name: str) -> None:
        self.asked.append(name)
        raise BooksUnavailable(f"{name} cannot be removed at s3://books: access is denied.", "Allow removing.")


def test_days_are_shipped_where_nothing_may_be_removed(tmp_path: Path) -> None:
    """Pieces stay beside their day files, and every later day gets there all the same; a run asks once."""
    store = NoDelete(tmp_path)
    node = Node(store)
    for hours in (5, 19, 3, 21, 25):
        node.run(hours)
        done = node.ship()
        assert done.ok
    assert sums(store)["energy_uj"] == node.total_uj, "each hour is counted once"
    assert {*spans(store)["entries"]} == {"03 day", "03 h00_05", "04 day", "04 h00_03", "05 day", "06 h00_01"}
    assert len(store.asked) == 4, "once a run, from the first day on that is over"
    (note,) = done.notes
    assert note.startswith(
        "Pieces stay beside their day files, and are counted by nobody: coverage/month=2026-10/day=03/"
    )
    assert note.endswith(" cannot be removed at s3://books: access is denied. Allow removing.")
    assert done.removed == []

    node.store = FolderStore(tmp_path)
    assert len(node.ship().removed) == 6, "whoever may tidies up"
    assert spans(store)["entries"] == ["03 day", "04 day", "05 day", "06 h00_01"]


STEPS = st.lists(st.tuples(st.sampled_from(["run", "off", "ship", "break"]), st.integers(1, 20)), max_size=12)


@settings(max_examples=20, deadline=None)
@given(STEPS)
def test_any_history_ends_in_the_same_books(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    """However a node ran, was off, shipped and was broken off: the sums are the ledger's, and days that are over are
    the files of a node that shipped once."""
    node = Node(FolderStore(tmp_path_factory.mktemp("books")))
    folder = node.store
    assert isinstance(folder, FolderStore)
    for step, number in steps:
        match step:
            case "run":
                node.run(number)
            case "off":
                node.off(number)
            case _:
                node.store = folder if step == "ship" else Failing(folder, number % 9, written=number > 10)
                with suppress(BooksUnavailable):
                    node.ship()
                assert sums(folder)["energy_uj"] <= node.total_uj, "never twice"
    node.store = folder
    assert node.ship().ok
    assert sums(folder)["energy_uj"] == node.total_uj
    assert without_entries(lake_files(folder, "coverage"), lake_files(folder, "entries")) == {}

    once = FolderStore(tmp_path_factory.mktemp("once"))
    node.store = once
    node.ship()
    days = {name: content for name, content in everything(Path(once.url)).items() if "-day-" in name}
    assert {n: c for n, c in everything(Path(folder.url)).items() if "-day-" in n} == days
