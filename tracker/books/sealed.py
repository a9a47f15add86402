"""What a closed month was made from, to be looked at again."""

from __future__ import annotations

from collections.abc import Iterator

from tracker.books.closing import KEPT
from tracker.books.finding import BooksFinding
from tracker.books.interface import BookStore
from tracker.books.names import parse_name
from tracker.books.sealed_inputs import SealedInputs
from tracker.books.versions import folder, sha256
from tracker.core.closing import Claim
from tracker.core.model import Level
from tracker.core.statement import Input


class SealedBooks(SealedInputs):
    """The inputs of a claim, and beside them the coverage from before ``start_s``, when the month began: by it a
    statement knows which nodes were there already, and takes nothing else from it."""

    def __init__(self, store: BookStore, claim: Claim, start_s: int) -> None:
        super().__init__(store, claim)
        self._all, self._start_s = store, start_s

    def names(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        found = dict(super().names(prefix))
        if prefix.startswith("coverage/"):
            found |= {name: size for name, size in self._all.names(prefix) if self._is_before(name)}
        yield from sorted(found.items())

    def read(self, name: str) -> bytes | None:
        return self._all.read(name) if self._is_before(name) else super().read(name)

    def _is_before(self, name: str) -> bool:
        file = parse_name(name)
        return file is not None and file.kind == "coverage" and file.end_s <= self._start_s


def inputs_changed(store: BookStore, claim: Claim) -> Iterator[BooksFinding]:
    """Inputs that are gone, or are not what the statement was made from. Every one is read. Raises BooksUnavailable."""
    for each in claim.inputs:
        place = f"{folder(claim.month, claim.version)}/{KEPT}/{each.name}" if each.name in claim.kept else each.name
        problem = _problem(each, store.read(place))
        if problem:
            month = f"{claim.month} v{claim.version}"
            message = f"{place} {problem}; {month} was made from it."
            remedy = f"Restore the file with sha256 {each.sha256} from a copy of the books."
            yield BooksFinding(Level.FAIL, "sealed_input", month, message, remedy)


def _problem(of: Input, content: bytes | None) -> str:
    if content is None:
        return "is gone"
    return "" if sha256(content) == of.sha256 else "was altered since"
