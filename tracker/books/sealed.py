"""What a closed month was made from, to be looked at again."""

from __future__ import annotations

from collections.abc import Iterator

from tracker.books.closing import KEPT
from tracker.books.finding import BooksFinding
from tracker.books.interface import BookStore
from tracker.books.versions import folder, sha256
from tracker.core.closing import Claim
from tracker.core.model import Level
from tracker.core.statement import Input


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
