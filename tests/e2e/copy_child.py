"""Copies books from one address to another: python -m tests.e2e.copy_child FROM TO."""

from __future__ import annotations

import sys

from tracker.books.store import open_store

if __name__ == "__main__":
    source, target = open_store(sys.argv[1]), open_store(sys.argv[2], create=True)
    for name, _ in source.names():
        target.create(name, source.read(name) or b"")
