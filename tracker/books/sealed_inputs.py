"""The books as a closer saw them: the inputs of a claim and nothing that came later. From it a closed statement can be
derived again, also after its pieces were replaced by day files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from tracker.books.closing import KEPT
from tracker.books.interface import BooksDamaged, BookStore
from tracker.books.versions import folder
from tracker.core.closing import Claim


class SealedInputs(BookStore):
    """Read-only. An input that is neither in its place nor kept is BooksDamaged when it is listed."""

    def __init__(self, store: BookStore, claim: Claim) -> None:
        self.url = store.url
        self._store = store
        kept = f"{folder(claim.month, claim.version)}/{KEPT}"
        self._places = {
            each.name: f"{kept}/{each.name}" if each.name in claim.kept else each.name for each in claim.inputs
        }
        self._sizes = {each.name: each.size_bytes for each in claim.inputs}

    def names(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        yield from sorted((name, size) for name, size in self._sizes.items() if name.startswith(prefix))

    def read(self, name: str) -> bytes | None:
        return self._store.read(self._places[name]) if name in self._places else None

    def create(self, name: str, content: bytes) -> bool:  # noqa: ARG002 - the interface's
        raise BooksDamaged(f"{name} was to be written among sealed inputs.", "This is a bug: please report it.")

    def remove(self, name: str) -> None:
        raise BooksDamaged(f"{name} was to be removed from sealed inputs.", "This is a bug: please report it.")

    def local(self, names: Sequence[str]) -> list[Path]:
        return self._store.local([self._places.get(name, name) for name in names])
