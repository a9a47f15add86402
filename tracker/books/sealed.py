"""The books as they were when a month was closed: its inputs and nothing that came later, to be read only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from tracker.books.closing import KEPT
from tracker.books.finding import BooksFinding
from tracker.books.interface import BooksRefused, BookStore
from tracker.books.versions import ROOT, folder, sha256
from tracker.core.closing import Claim
from tracker.core.model import Level
from tracker.core.statement import Input


class SealedStore(BookStore):
    """``store`` narrowed to the inputs of a claim. Inputs of which closing kept a copy are read from the copy; what was
    sealed before (``statements/``) is there too."""

    def __init__(self, store: BookStore, claim: Claim) -> None:
        self.url = store.url
        self._store = store
        self._sizes = {each.name: each.size_bytes for each in claim.inputs}
        self._places = {name: kept_place(claim, name) for name in claim.kept}

    def names(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        if prefix.startswith(f"{ROOT}/"):
            yield from self._store.names(prefix)
        else:
            yield from sorted((name, size) for name, size in self._sizes.items() if name.startswith(prefix))

    def read(self, name: str) -> bytes | None:
        if name not in self._sizes and not name.startswith(f"{ROOT}/"):
            return None
        return self._store.read(self._places.get(name, name))

    def local(self, names: Sequence[str]) -> list[Path]:
        return self._store.local([self._places.get(name, name) for name in names])

    def create(self, name: str, content: bytes) -> bool:
        raise BooksRefused(f"{name} cannot be written: these are the books of a closed month ({len(content)} bytes).")

    def remove(self, name: str) -> None:
        raise BooksRefused(f"{name} cannot be removed: these are the books of a closed month.")


def kept_place(claim: Claim, name: str) -> str:
    """Where closing kept its copy of an input."""
    return f"{folder(claim.month, claim.version)}/{KEPT}/{name}"


def inputs_changed(store: BookStore, claim: Claim) -> Iterator[BooksFinding]:
    """Inputs that are gone, or are not what the statement was made from. Every one is read. Raises BooksUnavailable."""
    for each in claim.inputs:
        place = kept_place(claim, each.name) if each.name in claim.kept else each.name
        content = store.read(place)
        problem = _problem(each, content)
        if problem:
            month = f"{claim.month} v{claim.version}"
            message = f"{place} {problem}; {month} was made from it."
            remedy = f"Restore the file with sha256 {each.sha256} from a copy of the books."
            yield BooksFinding(Level.FAIL, "sealed_input", month, message, remedy)


def _problem(of: Input, content: bytes | None) -> str:
    if content is None:
        return "is gone"
    return "" if sha256(content) == of.sha256 else "was altered since"
