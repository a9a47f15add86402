"""Processes that write into a folder of books: ``store_child.py VERB FOLDER``.

write   create files until killed; prints a dot before it begins
fill    create files until the disk is full, free a little, create one more; prints what it saw as JSON
try     create one file; prints the error
"""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path

from tracker.books.folder import STAGING, FolderStore
from tracker.books.interface import BooksUnavailable

SIZE = 300_000


def content_of(number: int) -> bytes:
    return number.to_bytes(4, "big") * (SIZE // 4)


def write(store: FolderStore) -> None:
    begin = sum(1 for _ in store.names())
    print(".", flush=True)
    for number in itertools.count(begin):
        assert store.create(f"entries/{number % 7}/{number:06}.parquet", content_of(number))


def fill(store: FolderStore) -> None:
    error = ""
    for number in itertools.count():
        try:
            store.create(f"entries/{number:06}.parquet", content_of(number))
        except BooksUnavailable as failure:
            error = str(failure)
            break
    files = list(store.names())
    store.remove(files[0][0])
    found = {
        "error": error,
        "files": len(files),
        "whole": all(store.read(name) == content_of(int(Path(name).stem)) for name, _ in files[1:]),
        "staging": [path.name for path in (Path(store.url) / STAGING).iterdir()],
        "again": store.create(f"entries/{len(files):06}.parquet", content_of(len(files))),
    }
    print(json.dumps(found))


def attempt(store: FolderStore) -> None:
    try:
        store.create("entries/x", b"content")
    except BooksUnavailable as failure:
        print(failure)


def main() -> None:
    verb, folder = sys.argv[1:]
    {"write": write, "fill": fill, "try": attempt}[verb](FolderStore(Path(folder)))


if __name__ == "__main__":
    main()
