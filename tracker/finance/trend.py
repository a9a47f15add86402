"""The months before: what a reader compares a statement with.

Closed months say what they were closed with, and their sealed statements are inputs of this one: which they were is
recorded, so that it can be made again whatever is closed or finished later. Months that nobody closed are composed as
they are known now, in drafts only: what is sealed must not depend on books that may still change.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

import msgspec

from tracker.books.interface import BookStore
from tracker.books.versions import decoded, folder, sha256, versions
from tracker.config import Config
from tracker.core.errors import WattledgerError
from tracker.core.period import months_before
from tracker.core.statement import Amounts, Input, Line, Statement
from tracker.finance.compose import NoData, compose

MONTHS = 12
#: Open months of larger fleets are left out beyond so many files: their trend begins when months are closed.
_FILES = 10_000
_SEALED = re.compile(r"statements/(?P<month>\d{4}-\d\d)/v\d+/reviewed-[0-9a-f]{16}\.json")


class _Head(msgspec.Struct):
    """Of a sealed statement, what the trend needs."""

    total: Line


def with_trend(
    config: Config,
    store: BookStore,
    statement: Statement,
    *,
    open_months: bool = False,
    recorded: Iterable[Input] | None = None,
) -> Statement:
    """With the totals of up to twelve months before, those without any left out, and what they were read from.
    ``recorded``: inputs that name the sealed statements to read; by default of each month the version that was the last
    one at ``as_of_s``. Raises BooksUnavailable, and WattledgerError for one that was altered."""
    earlier = months_before(statement.period.month, MONTHS)
    sealed = _recorded(recorded) if recorded is not None else _closed(store, earlier, statement.as_of_s)
    found = {month: _read(store, each) for month, each in sealed.items()}
    files = 0
    for month in reversed(earlier) if open_months else ():
        if month not in found:
            of_month = _count(store, month)
            files += of_month
            if of_month and files <= _FILES:
                found |= _draft(config, store, month, statement)
    inputs = sorted((*statement.inputs, *sealed.values()), key=lambda each: each.name)
    return replace(statement, months=tuple(sorted(found.items())), inputs=tuple(inputs))


def _recorded(inputs: Iterable[Input]) -> dict[str, Input]:
    return {match["month"]: each for each in inputs if (match := _SEALED.fullmatch(each.name))}


def _closed(store: BookStore, earlier: Iterable[str], as_of_s: int) -> dict[str, Input]:
    found = {}
    for month in earlier:
        manifests = (each.manifest for each in versions(store, month))
        then = (each for each in manifests if each is not None and each.closed_at_s <= as_of_s)
        last = max(then, key=lambda each: each.version, default=None)
        if last is not None:
            output = last.statement
            name = f"{folder(month, last.version)}/{output.name}"
            found[month] = Input(name, output.sha256, output.size_bytes)
    return found


def _read(store: BookStore, of: Input) -> Amounts:
    content = store.read(of.name)
    if content is None or sha256(content) != of.sha256:
        raise WattledgerError(f"{of.name} is not what was sealed.", "Look: wattledger verify --books URL")
    return decoded(of.name, content, _Head).total.amounts


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
