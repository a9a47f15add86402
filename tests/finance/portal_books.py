"""Small books for the portal: three days of one node, and October reviewed or sealed as the fixture's statement."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.books import closing_child
from tests.books.small_lake import day, put
from tracker.books.closing import claim, seal
from tracker.books.interface import BookStore
from tracker.books.names import day_start_s
from tracker.books.store import open_store
from tracker.config import Config
from tracker.finance.sealing import renderers
from tracker.registry import EXPORTS

MONTH = "2026-10"
NOW_S = day_start_s("2026-11-11")
DAYS = 3
#: 700 W for three days at a PUE of 1.21.
FACILITY_WH = 700 * 24 * DAYS * 121 // 100


def open_books(folder: Path) -> BookStore:
    return open_store(str(folder), create=True)


def make(folder: Path) -> BookStore:
    store = open_books(folder)
    fill(store, MONTH)
    return store


def fill(store: BookStore, month: str, first: int = 1, days: int = DAYS) -> None:
    for number in range(first, first + days):
        put(store, f"{month}-{number:02}", day(f"{month}-{number:02}"))


def review(store: BookStore) -> None:
    closing_child.review(store)


def close(store: BookStore) -> None:
    """In every format, by bob; alice prepared it."""
    review(store)
    claimed = claim(store, replace(closing_child.claim_for(store, "bob"), formats=tuple(EXPORTS)))
    seal(store, claimed, renderers(Config()))
