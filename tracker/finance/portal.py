"""What the portal serves, from the books: the months, their closed versions as they were sealed, and drafts.

What is slow is made in the background, by one thread at a time, and kept: listing a bucket, reading what was sealed,
composing. The page shows what is known by now.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from tracker.books import versions
from tracker.books.interface import BookStore, BooksUnavailable
from tracker.books.versions import Version
from tracker.core.closing import Output
from tracker.core.errors import WattledgerError
from tracker.core.statement import Status
from tracker.exports.interface import Exporter
from tracker.finance.portal_drafts import Draft, Drafts
from tracker.finance.portal_kept import Kept
from tracker.finance.portal_months import recent
from tracker.finance.portal_shelf import Sealed, Shelf, Shelves
from tracker.web.portal.interface import (
    Busy,
    Document,
    Edition,
    Figures,
    Format,
    Missing,
    Month,
    Overview,
    Unavailable,
    Wanted,
)

SHELF_S = 30.0  # how long the list of months is kept
PAGE_WAIT_S = 5.0  # how long a page waits for the first list
#: So many requests ask the store at once, and the others wait for so long: a bucket that does not answer must not take
#: all of the server's sixteen connections.
MOST_ASKING, ASK_WAIT_S = 8, 10.0
#: Of open months the newest are composed for the page; older ones only if these say nothing of them, and so many.
NEWEST, MOST = 2, 12
#: A browser shows these; the others are saved.
_VIEWABLE = ("html", "json")
_FIRST = "html"


class BooksOffice:
    """``web.portal.interface.Office`` over a store. ``place``: its address without secrets."""

    def __init__(
        self,
        store: BookStore,
        drafts: Drafts,
        exporters: Mapping[str, type[Exporter]],
        *,
        entity: str,
        timezone: str,
        place: str,
        now_s: Callable[[], int],
        mono_s: Callable[[], float],
    ) -> None:
        self._store, self._drafts, self._exporters = store, drafts, exporters
        self._now_s = now_s
        self._entity, self._timezone, self.place = entity, timezone, place
        self._asking = threading.Semaphore(MOST_ASKING)
        shelves = Shelves(store)
        self._shelf = Kept(
            lambda: shelves.look(now_s()),
            keep_s=SHELF_S,
            mono_s=mono_s,
            sentence="The books are being looked through.",
            retry_after_s=5,
        )

    @property
    def formats(self) -> tuple[Format, ...]:
        names = sorted(self._exporters, key=lambda name: name != _FIRST)
        return tuple(Format(name, name in _VIEWABLE) for name in names)

    def overview(self) -> Overview:
        with _told():
            try:
                shelf = self._shelf.get(PAGE_WAIT_S, stale=True)
            except Busy:
                return Overview(self._entity, self._timezone, self.place, (), pending=True)
        drafts = {month: self._peek(month) for month in shelf.open[:NEWEST]}
        trend = _trend(shelf, drafts)
        if not any(isinstance(draft, Busy) for draft in drafts.values()):
            drafts |= {month: self._peek(month) for month in shelf.open[NEWEST:MOST] if month not in trend}
        pending = any(isinstance(draft, Busy) for draft in drafts.values())
        months = [_closed(month, sealed) for month, sealed in shelf.sealed.items() if sealed.latest is not None]
        months += [_open(month, shelf.sealed.get(month), drafts.get(month), trend.get(month)) for month in shelf.open]
        newest_first = sorted(months, key=lambda each: each.month, reverse=True)
        return Overview(self._entity, self._timezone, self.place, tuple(newest_first), pending=pending)

    def document(self, month: str, form: str, version: int | Wanted) -> Document:
        if month > recent(self._now_s())[0]:
            raise Missing(f"There is nothing of {month} yet.", "Ask for a month that has begun.")
        with self._turn(), _told():
            found = versions.versions(self._store, month)
        match version:
            case Wanted.LATEST:
                closed = versions.latest_closed(found)
            case Wanted.DRAFT:
                closed = None
            case number:
                closed = next((each for each in found if each.number == number and each.manifest), None)
                if closed is None:
                    numbers = ", ".join(str(each.number) for each in found if each.manifest) or "none"
                    raise Missing(f"There is no closed version {number} of {month}.", f"Closed versions: {numbers}.")
        if closed is not None:
            return self._sealed(closed, form)
        reviewed = any(each.status is Status.REVIEWED for each in found)
        return self._draft(month, form, Status.REVIEWED if reviewed else Status.DRAFT)

    def _sealed(self, version: Version, form: str) -> Document:
        """Its bytes are compared with the manifest whenever they are read."""
        outputs = () if version.manifest is None else version.manifest.outputs
        output = next((each for each in outputs if each.format == form), None)
        if output is None:
            raise Missing(
                f"There is no {form} of version {version.number} of {version.month}.",
                f"It was closed with: {', '.join(version.formats)}.",
            )
        return Document(
            name=f"wattledger-{version.month}-v{version.number}.{self._exporters[form].extension}",
            media_type=output.media_type,
            month=version.month,
            status=Status.CLOSED,
            version=version.number,
            sha256=output.sha256,
            size_bytes=output.size_bytes,
            read=lambda: self._read(version, output),
        )

    def _read(self, version: Version, output: Output) -> bytes:
        with self._turn(), _told():
            content = versions.read_output(self._store, version, output.format)
        return b"" if content is None else content

    def _draft(self, month: str, form: str, status: Status) -> Document:
        with _told():
            draft = self._drafts.get(month)
        file = draft.files[form]
        exporter = self._exporters[form]

        def read() -> bytes:
            try:
                return file.path.read_bytes()
            except OSError:  # a newer draft took its place just now
                raise Busy("A newer draft has just been put together.", "Ask again.", retry_after_s=1) from None

        return Document(
            name=f"wattledger-{month}-draft.{exporter.extension}",
            media_type=exporter.media_type,
            month=month,
            status=status,
            version=None,
            sha256=file.sha256,
            size_bytes=file.size_bytes,
            read=read,
        )

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._asking.acquire(timeout=ASK_WAIT_S):
            raise Busy("The books are slow to answer, and many ask.", "Ask again in a moment.")
        try:
            yield
        finally:
            self._asking.release()

    def _peek(self, month: str) -> Draft | WattledgerError:
        try:
            return self._drafts.peek(month)
        except WattledgerError as error:
            return error


@contextmanager
def _told() -> Iterator[None]:
    """The store's word for books that cannot be reached, as the portal's."""
    try:
        yield
    except BooksUnavailable as error:
        raise Unavailable(error.sentence, error.remedy) from error


def _closed(month: str, sealed: Sealed) -> Month:
    closed = [each for each in reversed(sealed.versions) if each.manifest is not None]
    editions = tuple(
        Edition(each.number, each.formats, each.manifest.closed_at_s, each.manifest.preparer, each.manifest.approver)
        for each in closed
        if each.manifest is not None
    )
    figures = None if sealed.read is None else sealed.read.figures
    return Month(month, Status.CLOSED, figures, editions=editions, note=sealed.note)


def _open(month: str, sealed: Sealed | None, draft: Draft | WattledgerError | None, trend: Figures | None) -> Month:
    versions_of, damage = ((), "") if sealed is None else (sealed.versions, sealed.note)
    status = Status.REVIEWED if any(each.status is Status.REVIEWED for each in versions_of) else Status.DRAFT
    match draft:
        case Draft():
            return Month(month, status, draft.read.figures, as_of_s=draft.read.as_of_s, note=damage)
        case Busy():
            return Month(month, status, trend, note=damage or "Its figures are being put together.")
        case WattledgerError():
            return Month(month, status, trend, note=damage or str(draft))
        case None:
            return Month(month, status, trend, note=damage)


def _trend(shelf: Shelf, drafts: Mapping[str, Draft | WattledgerError]) -> dict[str, Figures]:
    """What statements say of the months before them; the newest statement counts."""
    reads = {month: draft.read for month, draft in drafts.items() if isinstance(draft, Draft)}
    reads |= {month: sealed.read for month, sealed in shelf.sealed.items() if sealed.read is not None}
    trend: dict[str, Figures] = {}
    for month in sorted(reads):
        trend |= reads[month].trend
    return trend
