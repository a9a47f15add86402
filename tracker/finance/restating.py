"""Restating a closed month: composed again with what is known now, compared, and posted or opened anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from tracker.books import closing as books
from tracker.books.interface import BookStore
from tracker.books.store import require_create_only
from tracker.books.versions import (
    RESTATED,
    Version,
    folder,
    latest_closed,
    postings,
    statement_of,
    versions,
    working,
)
from tracker.config import Config
from tracker.core.closing import NotClosable
from tracker.core.conditions import PPM
from tracker.core.restating import Decision, Outcome, Posting, Reason, Restated, Withdrawn, decide
from tracker.core.statement import Statement, Status
from tracker.finance.compose import compose
from tracker.finance.keeping import as_closed


@dataclass(frozen=True, slots=True)
class Shadow:
    """A closed month beside what is known of it now. ``into``: the month that corrections would go into; ``next``: the
    number of another version. ``settings``: those of here that differ from what it was closed with, in words."""

    closed: Version
    reported: Statement
    posted: tuple[Posting, ...]
    best: Statement
    decision: Decision
    into: str
    next: int
    settings: tuple[str, ...] = ()


def shadow(config: Config, store: BookStore, month: str, *, as_of_s: int, reason: Reason | None = None) -> Shadow:
    """Nothing is written. What the configuration does not state is as it was when the month was closed, so that a
    machine without finance's settings finds no change in them. Raises NotClosable for a month that is not closed or of
    which another version is open already, BooksDamaged, BooksUnavailable, UsageError, also for another time zone,
    currency or method than the month was closed with, unless the reason is ``method_change``."""
    found = versions(store, month)
    closed = latest_closed(found)
    if closed is None:
        raise NotClosable(
            f"{month} is not closed: there is nothing to restate.", f"wattledger export --month {month} is up to date."
        )
    number = working(found)
    if number is not None:
        opened = found[-1].restated
        who = f" {opened.by} opened it ({opened.reason})." if opened else ""
        raise NotClosable(
            f"{month} has an open v{number} already.{who}",
            f"Review and close it: wattledger close {month} --review --as PREPARER; or, before it is reviewed, take it "
            f"back: wattledger restate {month} --withdraw",
        )
    reported = statement_of(store, closed)
    with as_closed(config, store, closed, reason) as (kept, settings):
        best = compose(
            kept,
            store,
            month,
            as_of_s=as_of_s,
            group_by=reported.group_by,
            filters=reported.filters,
            version=number,
            status=Status.DRAFT,
        )
    mine = tuple(p for p in postings(store).values() if (p.month, p.version) == (month, closed.number))
    ppm = round(kept.books.materiality * PPM)
    decision = decide(reported, mine, best, materiality_ppm=ppm, reason=reason)
    number = max(each.number for each in found) + 1
    return Shadow(closed, reported, mine, best, decision, books.open_month(store, month), number, settings)


def withdraw(store: BookStore, month: str, who: str, *, now_s: int, note: str = "") -> str:
    """Leave the version that somebody opened and nobody reviewed. The name of the file that says so. Raises NotClosable
    where there is none."""
    found = versions(store, month)
    number = working(found)
    if number is None or not found or found[-1].restated is None:
        raise NotClosable(f"{month} has no version that could be withdrawn.", f"See: wattledger close --status {month}")
    if found[-1].review is not None or found[-1].closing is not None:
        raise NotClosable(
            f"{month} v{number} was reviewed already and cannot be withdrawn.",
            f"Close it: wattledger close {month} --as APPROVER",
        )
    return books.withdraw(store, Withdrawn(month, number, who, now_s, note))


def carry_out(store: BookStore, of: Shadow, who: str, *, now_s: int, note: str = "") -> str:
    """Do what was decided. The name of the file that says so, "" where there is nothing to do. Raises NotClosable if
    somebody else restated the month at the same time, BooksRefused for a store that writes over what is there."""
    if of.decision.outcome is not Outcome.NOTHING:
        require_create_only(store)
        _refuse_stale(store, of)
    match of.decision.outcome:
        case Outcome.NOTHING:
            return ""
        case Outcome.POST:
            return books.post(store, _posting(of, who, now_s, note))
        case Outcome.NEW_VERSION:
            return _open(store, of, who, now_s, note)
        case _:
            assert_never(of.decision.outcome)


def _refuse_stale(store: BookStore, of: Shadow) -> None:
    """Composing takes a while, in which others post, and close the month that this was to go into."""
    month = of.closed.month
    posted = [
        each.number for each in postings(store).values() if (each.month, each.version) == (month, of.closed.number)
    ]
    if sorted(posted) != sorted(each.number for each in of.posted) or books.open_month(store, month) != of.into:
        raise NotClosable(
            f"{month} was restated, or {of.into} was closed, meanwhile.", f"Look again: wattledger restate {month}"
        )


def _posting(of: Shadow, who: str, now_s: int, note: str) -> Posting:
    return Posting(
        month=of.closed.month,
        version=of.closed.number,
        number=max((each.number for each in of.posted), default=0) + 1,
        into=of.into,
        by=who,
        posted_at_s=now_s,
        as_of_s=of.best.as_of_s,
        group_by=of.best.group_by,
        corrections=of.decision.corrections,
        note=note,
    )


def _open(store: BookStore, of: Shadow, who: str, now_s: int, note: str) -> str:
    number = of.next
    restated = Restated(
        month=of.closed.month,
        version=number,
        supersedes=of.closed.number,
        reason=of.decision.reason or Reason.ERROR,
        by=who,
        restated_at_s=now_s,
        as_of_s=of.best.as_of_s,
        moved=of.decision.moved,
        note=note,
        settings=of.settings,
    )
    first = books.open_version(store, restated)
    if first != restated:
        raise NotClosable(
            f"{first.by} opened v{number} of {first.month} at the same time.",
            f"Review and close it: wattledger close {first.month} --review --as PREPARER",
        )
    return f"{folder(first.month, number)}/{RESTATED}"
