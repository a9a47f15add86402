"""The months before: what a reader compares a statement with.

Closed months say what they were closed with. Months that nobody closed are composed as they are known now, in drafts
only: what is sealed must not depend on books that may still change.
"""

from __future__ import annotations

import msgspec

from tracker.books.interface import BookStore
from tracker.books.versions import decoded, folder, sha256, versions
from tracker.config import Config
from tracker.core.closing import Manifest
from tracker.core.errors import WattledgerError
from tracker.core.period import months_before
from tracker.core.statement import Amounts, Line, Statement
from tracker.finance.compose import NoData, compose

MONTHS = 12
#: Open months of larger fleets are left out beyond so many files: their trend begins when months are closed.
_FILES = 10_000


class _Head(msgspec.Struct):
    """Of a sealed statement, what the trend needs."""

    total: Line


def trend_of(
    config: Config, store: BookStore, statement: Statement, *, open_months: bool
) -> tuple[tuple[str, Amounts], ...]:
    """For ``Statement.months``: totals of up to twelve months before, the oldest first, those without any left out. Of
    a closed month the version that was the last at ``as_of_s``. Raises BooksUnavailable."""
    found: dict[str, Amounts] = {}
    files = 0
    for month in reversed(months_before(statement.period.month, MONTHS)):
        manifest = _closed(store, month, statement.as_of_s)
        if manifest is not None:
            found[month] = _sealed(store, manifest)
        elif open_months:
            files += _count(store, month)
            if files <= _FILES:
                found |= _draft(config, store, month, statement)
    return tuple(sorted(found.items()))


def _closed(store: BookStore, month: str, as_of_s: int) -> Manifest | None:
    sealed = [each.manifest for each in versions(store, month) if each.manifest is not None]
    return max((each for each in sealed if each.closed_at_s <= as_of_s), key=lambda each: each.version, default=None)


def _sealed(store: BookStore, manifest: Manifest) -> Amounts:
    """Raises WattledgerError if it was altered."""
    name = f"{folder(manifest.month, manifest.version)}/{manifest.statement.name}"
    content = store.read(name)
    if content is None or sha256(content) != manifest.statement.sha256:
        raise WattledgerError(f"{name} is not what was sealed.", "Look: wattledger verify --books URL")
    return decoded(name, content, _Head).total.amounts


def _draft(config: Config, store: BookStore, month: str, statement: Statement) -> dict[str, Amounts]:
    try:
        draft = compose(
            config,
            store,
            month,
            as_of_s=statement.as_of_s,
            group_by=("site",),
            filters=statement.filters,
            method=statement.location_method,
        )
    except NoData:
        return {}
    return {month: draft.total.amounts}


def _count(store: BookStore, month: str) -> int:
    return sum(1 for _ in store.names(f"entries/month={month}/"))
