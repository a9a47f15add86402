"""Which months the books have hours of, found by listing as little as possible: a month of a large fleet is many
thousand names, a day of it a thousand."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from tracker.books.interface import BookStore
from tracker.books.names import day_prefix

#: How far back months are looked for that nobody closed.
LOOK_BACK = 24
#: Hours arrive in these; in older months that are empty, hardly ever.
_LIVELY = 3
_LOOK_AGAIN_S = 3600
_DAYS = 31
_LOOKERS = 12
#: What a statement is made of besides the hours of its month.
_BESIDE = ("factors/", "sites/", "statements/")


class Months:
    """Remembers what cannot change: a month that has hours keeps them."""

    def __init__(self, store: BookStore) -> None:
        self._store = store
        self._found: set[str] = set()
        self._looked_s: int | None = None  # for older months

    def look(self, now_s: int) -> tuple[str, ...]:
        """The months with hours, the newest first. Raises BooksUnavailable."""
        names = recent(now_s)
        again = self._looked_s is None or not 0 <= now_s - self._looked_s < _LOOK_AGAIN_S
        wanted = names if again else names[:_LIVELY]
        self._found |= {month for month in wanted if month not in self._found and has_entries(self._store, month)}
        if again:
            self._looked_s = now_s
        return tuple(month for month in names if month in self._found)


def recent(now_s: int) -> tuple[str, ...]:
    """Months up to the one that contains tomorrow (somewhere it has begun), the newest first."""
    last = datetime.fromtimestamp(now_s, UTC) + timedelta(days=1)
    at = last.year * 12 + last.month - 1
    return tuple(f"{n // 12:04}-{n % 12 + 1:02}" for n in range(at, at - LOOK_BACK, -1))


def with_energy(store: BookStore, now_s: int) -> tuple[str, ...]:
    """The months with hours, the oldest first: looked for at once, for somebody who waits. Raises BooksUnavailable."""
    names = recent(now_s)[::-1]
    with ThreadPoolExecutor(_LOOKERS) as pool:
        found = pool.map(lambda month: has_entries(store, month), names)
        return tuple(month for month, there in zip(names, found, strict=True) if there)


def has_entries(store: BookStore, month: str) -> bool:
    """Whether any hour of it was shipped. Raises BooksUnavailable."""
    days = (day_prefix("entries", f"{month}-{day:02}") for day in range(1, _DAYS + 1))
    return any(next(iter(store.names(day)), None) is not None for day in days)


def key_of(store: BookStore, month: str) -> str:
    """Another one when what a draft of the month is made of has changed. Files never change under their name. Raises
    BooksUnavailable."""
    digest = hashlib.sha256()
    for prefix in (f"entries/month={month}/", *_BESIDE):
        for name, size_bytes in store.names(prefix):
            digest.update(f"{name} {size_bytes}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()
