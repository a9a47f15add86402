"""A run that ends at any of its writes leaves books that are right as far as they go, and the next one completes
them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.books.shipments import Node, column, everything, read_lake, sums
from tracker.books.folder import FolderStore
from tracker.books.interface import BookStore, BooksUnavailable


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
    assert sums(folder)["held_ms"] == 3_600_000 * len(set(charged)), "no hour twice"

    ship_all(folder, None)
    assert everything(tmp_path) == whole


def test_all_writes_were_tried(tmp_path: Path) -> None:
    assert ship_all(FolderStore(tmp_path), 9)
