"""The fleet's books. Read this before any other file of this folder.

Books are a folder or a bucket of files that are created once and never changed:

    entries/month=2026-10/day=03/<hostname>-<ledger8>-<span>-<sha16>.parquet   hour x device x workload x method
    coverage/…  emissions/…                                                    the same names, one file each
    factors/<sha16>.json                                                       factor records (bundle format)
    sites/<site>/<sha16>.json                                                  zone, PUE periods, control, time zone
    statements/2026-10/v1/…                                                    sealed

``<span>`` is ``day`` for all 24 hours (UTC) of a day, or ``h07_11`` for the hours 07, 08, 09 and 10 of a day that is
still going on. A day file takes the place of the pieces of its day. ``<sha16>`` names the content (rows, not bytes of
the file format), so that shipping twice gives the same name whatever wrote it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path

from tracker.core.errors import UsageError, WattledgerError


class BooksUnavailable(WattledgerError):
    """The store cannot be reached, is full or read-only now; nothing was half written under a final name."""


class BooksRefused(UsageError):
    """The store's address is wrong, or what is there are no books of a version that is known."""


class BooksDamaged(WattledgerError):
    """A file is truncated or altered, or two files contradict each other. Both are kept."""


class BookStore(ABC):
    """Files by name ("entries/…/x.parquet"). Every method raises BooksUnavailable."""

    url: str

    @abstractmethod
    def names(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        """Names and sizes below a prefix, in order."""

    @abstractmethod
    def read(self, name: str) -> bytes | None:
        """The content; None: there is no such file."""

    @abstractmethod
    def create(self, name: str, content: bytes) -> bool:
        """Create a file with this content, all of it or nothing. False: the name is taken; nothing was changed."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Only for pieces that a day file has replaced."""

    def replace(self, name: str, content: bytes) -> None:
        """Put this content in the place of what is there. For drafts that were delivered, never for books. Folders and
        buckets do it at once; any other store has none for a moment."""
        self.remove(name)
        self.create(name, content)

    @abstractmethod
    def local(self, names: Sequence[str]) -> list[Path]:
        """Paths at which a query engine can read these files: the files themselves, or copies in a cache."""
