"""What the portal's page is made of: the versions of each month with the figures of the latest, and the open months."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tracker.books import versions
from tracker.books.interface import BooksDamaged, BookStore
from tracker.books.versions import Version, latest_closed
from tracker.finance.portal_figures import Read, read_figures
from tracker.finance.portal_months import Months


@dataclass(frozen=True, slots=True)
class Sealed:
    """A month of which there are versions. ``read``: the latest closed one; None: there is none, or ``note`` says why
    it cannot be read."""

    versions: tuple[Version, ...]
    read: Read | None = None
    note: str = ""

    @property
    def latest(self) -> Version | None:
        return latest_closed(self.versions)


@dataclass(frozen=True, slots=True)
class Shelf:
    """``open``: months with hours, or a review, and without a closed version; the newest first."""

    sealed: Mapping[str, Sealed]
    open: tuple[str, ...]


class Shelves:
    """Reads a closed version once, and all of it again only when another file was written. Used by one thread."""

    def __init__(self, store: BookStore) -> None:
        self._store = store
        self._months = Months(store)
        self._listed: tuple[tuple[str, int], ...] | None = None
        self._sealed: dict[str, Sealed] = {}
        self._reads: dict[str, Read] = {}  # by the sha256 of the JSON that was sealed

    def look(self, now_s: int) -> Shelf:
        """Raises BooksUnavailable, BooksDamaged."""
        listed = tuple(self._store.names(f"{versions.ROOT}/"))
        if listed != self._listed:
            self._sealed = {month: self._read(month) for month in versions.months(self._store)}
            self._listed = listed
        with_hours = self._months.look(now_s)
        known = {*with_hours, *self._sealed}
        open_ = [month for month in known if month not in self._sealed or self._sealed[month].latest is None]
        return Shelf(self._sealed, tuple(sorted(open_, reverse=True)))

    def _read(self, month: str) -> Sealed:
        try:
            found = versions.versions(self._store, month)
            latest = latest_closed(found)
        except BooksDamaged as error:
            return Sealed((), note=str(error))
        if latest is None or latest.manifest is None:
            return Sealed(found)
        output = next((each for each in latest.manifest.outputs if each.format == "json"), None)
        if output is None:
            return Sealed(found, note="It was closed without the JSON that its figures are read from.")
        try:
            if output.sha256 not in self._reads:
                content = versions.read_output(self._store, latest, "json") or b""
                self._reads[output.sha256] = read_figures(content, f"{month} version {latest.number}")
        except BooksDamaged as error:
            return Sealed(found, note=str(error))
        return Sealed(found, self._reads[output.sha256])
