"""Grid factors in the books: factors/<sha16>.json, each a bundle of records that some node has learnt.

What a bundle looks like is known to ``tracker/grid/bundle.py`` alone; here it is bytes with a name made of them. The
same value from many nodes does no harm: a factor has an identity, and records are only ever added.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from tracker.books.interface import BooksDamaged, BookStore

FOLDER = "factors/"


def record_factors(store: BookStore, bundle: bytes) -> str | None:
    """Add a bundle. Its name, or None if it is there already. Raises BooksUnavailable."""
    name = f"{FOLDER}{hashlib.sha256(bundle).hexdigest()[:16]}.json"
    return name if store.create(name, bundle) else None


def factor_files(store: BookStore) -> list[str]:
    """Names of all bundles, in order. Raises BooksUnavailable."""
    return [name for name, _ in store.names(FOLDER) if name.endswith(".json")]


def read_factors(store: BookStore) -> Iterator[tuple[str, bytes]]:
    """Names and contents of all bundles, in order. Raises BooksUnavailable, BooksDamaged."""
    names = factor_files(store)
    for name, path in zip(names, store.local(names), strict=True):
        yield name, _checked(path, name)


def _checked(path: Path, name: str) -> bytes:
    content = path.read_bytes()
    if f"{FOLDER}{hashlib.sha256(content).hexdigest()[:16]}.json" != name:
        raise BooksDamaged(f"{name} was altered: its content is not what its name was made of.", "Move it aside.")
    return content
