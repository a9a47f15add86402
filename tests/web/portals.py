"""An office with literal months and files, and the portal served over it."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tests.web.serving import Log, Running
from tracker.core.errors import WattledgerError
from tracker.core.statement import Status
from tracker.web.portal.interface import Document, Edition, Figures, Format, Missing, Month, Overview, Wanted
from tracker.web.portal.routes import Portal
from tracker.web.portal.server import PortalServer
from tracker.web.portal.tokens import TokenFile
from tracker.web.server import Options

FORMATS = tuple(
    Format(name, name in {"html", "json"}) for name in ("html", "csv", "xlsx", "json", "parquet", "focus", "codecarbon")
)
NAMES = tuple(form.name for form in FORMATS)
FIRST = Edition(1, NAMES, 1793000000, "a.martin", "b.durand")
SECOND = Edition(2, NAMES, 1793606400, "a.martin", "c.moreau")


def _closed(number: int) -> Month:
    year, month = divmod(2025 * 12 + 10 + number, 12)
    energy_wh = 1_100_000_000 + 37_000_123 * ((number * 5) % 7)
    grams = energy_wh // 1000 * (160 - 4 * number)
    figures = Figures(energy_wh, grams, grams - grams // 4, 991_234 + number)
    return Month(f"{year}-{month + 1:02}", Status.CLOSED, figures, editions=(FIRST,))


#: November 2025 to November 2026: the last one goes on, October was closed twice.
YEAR = (
    Month("2026-11", Status.DRAFT, Figures(812_345_678, 95_678_901, None, 402_119), 1793635200),
    *(
        replace(month, editions=(SECOND, FIRST)) if month.month == "2026-10" else month
        for month in reversed([_closed(number) for number in range(12)])
    ),
)
OVERVIEW = Overview("Example SA", "Europe/Paris", "s3://carbon-books/prod", YEAR)
EMPTY = Overview("", "UTC", "/srv/books", ())
NASTY = "<script>window.hacked=1</script>\"'><img src=x onerror=alert(1)>\u202eevil"
HOSTILE = Overview(
    NASTY,
    "UTC",
    NASTY,
    (
        Month(
            "2026-10", Status.CLOSED, Figures(0, None, 0), editions=(replace(FIRST, preparer=NASTY, approver=NASTY),)
        ),
        Month("2026-09", Status.DRAFT, None, note=NASTY),
    ),
)
WAITING = replace(
    OVERVIEW,
    pending=True,
    months=(Month("2026-11", Status.DRAFT, None, note="Its figures are being put together."), *YEAR[1:]),
)


@dataclass
class Desk:
    """An office: an overview, and the content of each file by (month, format, version); None is the draft."""

    shown: Overview | WattledgerError = OVERVIEW
    files: dict[tuple[str, str, int | None], bytes] | None = None
    formats: tuple[Format, ...] = FORMATS
    trouble: WattledgerError | None = None
    reads: int = 0

    def overview(self) -> Overview:
        if isinstance(self.shown, WattledgerError):
            raise self.shown
        return self.shown

    def document(self, month: str, form: str, version: int | Wanted) -> Document:
        if self.trouble is not None:
            raise self.trouble
        files = self.files or {}
        closed = sorted(number for at, kind, number in files if (at, kind) == (month, form) and number is not None)
        wanted: int | None
        match version:
            case Wanted.LATEST:
                wanted = closed[-1] if closed else None
            case Wanted.DRAFT:
                wanted = None
            case number:
                wanted = number
        content = files.get((month, form, wanted))
        if content is None:
            raise Missing(f"There is no {form} of {month}.", "See the list of months.")

        def read() -> bytes:
            self.reads += 1
            return content

        label = "draft" if wanted is None else f"v{wanted}"
        return Document(
            name=f"wattledger-{month}-{label}.{form}",
            media_type="text/csv; charset=utf-8",
            month=month,
            status=Status.DRAFT if wanted is None else Status.CLOSED,
            version=wanted,
            sha256=hashlib.sha256(content).hexdigest(),
            size_bytes=len(content),
            read=read,
        )


@contextlib.contextmanager
def portal(
    desk: Desk | None = None,
    tokens: Path | None = None,
    options: Options | None = None,
    clock: Callable[[], float] = lambda: 0.0,
) -> Iterator[Running]:
    """The portal on a free port of the loopback interface."""
    log = Log()
    bearer = None if tokens is None else TokenFile(tokens, log, clock)
    routes = Portal(desk or Desk(), log)
    server = PortalServer(options or Options(listen="127.0.0.1:0"), routes, log, bearer)
    server.start()
    try:
        yield Running(server, log)
    finally:
        server.close()
