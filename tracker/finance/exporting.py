"""What an export writes: a closed month's sealed bytes, or a draft that is composed for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO, Protocol

from tracker.books.interface import BookStore
from tracker.books.versions import Version, latest_closed, read_output, statement_of, versions
from tracker.config import Config
from tracker.core.errors import UsageError
from tracker.core.statement import Reconciled, Statement
from tracker.exports.interface import Options
from tracker.finance.closing import with_corrections
from tracker.finance.compose import NoData, Tell, compose
from tracker.finance.trend import with_trend
from tracker.registry import EXPORTS


class Beside(Protocol):
    """What others counted of the month, in hours that are over at ``as_of_s``."""

    def __call__(self, *, as_of_s: int) -> tuple[Reconciled, ...]: ...


@dataclass(frozen=True, slots=True)
class View:
    """How somebody wants to see a month; all empty: as it is closed or would be. ``version``: this sealed one."""

    group_by: tuple[str, ...] = ()
    filters: tuple[tuple[str, str], ...] = ()
    method: str = ""
    as_of_s: int | None = None
    hand_on_idle: bool = False
    version: int | None = None

    @property
    def is_own(self) -> bool:
        """Whether it is another one than that which is closed."""
        return self != View(version=self.version)


@dataclass(frozen=True, slots=True)
class Document:
    """A file to write. ``write`` may take long and may be called once."""

    format: str
    name: str
    write: Callable[[BinaryIO], object]


@dataclass(frozen=True, slots=True)
class Exported:
    """``closed``: the version whose sealed bytes these are, None: a draft. ``also_closed``: the month is closed, and
    this is another view of it."""

    statement: Statement
    documents: tuple[Document, ...]
    closed: int | None
    also_closed: int | None = None


def formats_of(text: str) -> tuple[str, ...]:
    """Raises UsageError."""
    names = tuple(dict.fromkeys(filter(None, (part.strip() for part in text.split(",")))))
    unknown = [name for name in names if name not in EXPORTS]
    if unknown or not names:
        raise UsageError(f"There is no format {(unknown or [''])[0][:40]!r}.", f"There are: {', '.join(EXPORTS)}.")
    return names


def export(
    config: Config,
    store: BookStore,
    month: str,
    formats: Sequence[str],
    view: View,
    *,
    now_s: int,
    beside: Beside | None = None,
    tell: Tell | None = None,
) -> Exported:
    """``beside``: what others counted until ``as_of_s``; sealed files have what they were sealed with.
    Raises UsageError, NoData, BooksUnavailable, BooksDamaged."""
    found = versions(store, month)
    closed = _wanted_version(found, month, view, compared=beside is not None)
    options = Options(csv_bom=config.books.csv_bom)
    if closed is not None and not view.is_own and beside is None:
        return _sealed(store, closed, formats, options)
    statement = _draft(config, store, month, view, now_s, tell)
    if beside is not None:
        statement = replace(statement, reconciliation=beside(as_of_s=statement.as_of_s))
    documents = tuple(_rendered(statement, name, f"wattledger-{month}-draft", options) for name in formats)
    return Exported(statement, documents, None, None if closed is None else closed.number)


def _wanted_version(found: Sequence[Version], month: str, view: View, *, compared: bool) -> Version | None:
    if view.version is None:
        return latest_closed(found)
    if view.is_own or compared:
        raise UsageError("A sealed version is as it was sealed.", "Leave the other options out, or --version.")
    sealed = [each.number for each in found if each.manifest]
    if view.version not in sealed:
        have = ", ".join(map(str, sealed)) if sealed else "none"
        raise UsageError(f"{month} has no closed version {view.version}.", f"Closed are: {have}.")
    return next(each for each in found if each.number == view.version)


def _sealed(store: BookStore, version: Version, formats: Sequence[str], options: Options) -> Exported:
    statement = statement_of(store, version)
    stem = f"wattledger-{version.month}-v{version.number}"
    documents = []
    for name in formats:
        content = read_output(store, version, name)
        documents.append(_rendered(statement, name, stem, options) if content is None else _kept(name, stem, content))
    return Exported(statement, tuple(documents), version.number)


def _draft(config: Config, store: BookStore, month: str, view: View, now_s: int, tell: Tell | None) -> Statement:
    as_of_s = now_s if view.as_of_s is None else min(view.as_of_s, now_s)
    statement = compose(
        config,
        store,
        month,
        as_of_s=as_of_s,
        group_by=view.group_by,
        filters=view.filters,
        method=view.method,
        hand_on_idle=view.hand_on_idle,
        tell=tell,
    )
    if view.filters and not statement.rows:  # a name that is mistyped has not used 0 kWh
        told = ", ".join(f"{name}={pattern}" for name, pattern in view.filters)
        raise NoData(f"Nothing of {month} is of {told[:100]}.", "Look at the rows of an export without --where.")
    if not view.filters:  # what was posted for other months is not told apart by labels that are no column
        statement, _ = with_corrections(store, statement)
    return with_trend(config, store, statement, open_months=True)


def _kept(name: str, stem: str, content: bytes) -> Document:
    return Document(name, f"{stem}.{EXPORTS[name].extension}", lambda out: out.write(content))


def _rendered(statement: Statement, name: str, stem: str, options: Options) -> Document:
    exporter = EXPORTS[name](options)
    return Document(name, f"{stem}.{exporter.extension}", lambda out: exporter.render(statement, out))
