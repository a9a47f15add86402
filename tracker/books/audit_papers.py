"""What lies beside the hours: grid factors and what is known of sites. Both are named by their content."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from tracker.books.finding import BooksFinding
from tracker.books.interface import BookStore
from tracker.books.sites import read_sites
from tracker.core.model import Level

#: folder -> how a name ends in the hash of its content (``factorfiles.py``, ``sites.py``)
_HASHED = {
    "factors/": re.compile(r"factors/(?P<sha>[0-9a-f]{16})\.json"),
    "sites/": re.compile(r"sites/[^/]+/[0-9a-f]{8}(?P<sha>[0-9a-f]{8})\.json"),
}
_REMEDY = "Restore it from a copy of the books, or move it out of them: nodes ship what they know again."


def papers(store: BookStore) -> Iterator[BooksFinding]:
    """Files that are not what they were, and sites of which nodes say different things. Raises BooksUnavailable."""
    for folder, pattern in _HASHED.items():
        for name, _ in store.names(folder):
            found = pattern.fullmatch(name)
            if found is None:
                message = "This is no file of the books by its name; nobody reads it."
                yield BooksFinding(Level.WARN, "stranger", name, message, "Move it out of the books.")
            elif not hashlib.sha256(store.read(name) or b"").hexdigest().startswith(found["sha"]):
                yield BooksFinding(
                    Level.FAIL, "altered", name, "Its content is not what its name was made of.", _REMEDY
                )
    sites = read_sites(store)
    for sentence in sites.damaged:
        yield BooksFinding(Level.FAIL, "damaged", "sites", sentence, _REMEDY)
    for sentence in sites.contradictions:
        yield BooksFinding(
            Level.WARN, "sites", "sites", sentence, "Mend the configuration of the nodes that are wrong."
        )
