"""Reviewing and closing a month: the statement is composed, judged, kept as reviewed, and sealed as it was reviewed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from tracker import registry
from tracker.books import closing as books
from tracker.books.interface import BookStore
from tracker.books.store import require_create_only
from tracker.books.versions import Version, corrections_in, latest_closed, versions, working
from tracker.config import Config
from tracker.core.closing import (
    Claim,
    Manifest,
    NotClosable,
    Review,
    Waiver,
    all_waivers,
    check_unchanged,
    in_the_way,
    may_close,
    waived,
)
from tracker.core.conditions import PPM, Limits, conditions
from tracker.core.restating import by_group
from tracker.core.statement import DEFAULT_GROUP, Check, Input, Reconciled, Statement, Status
from tracker.finance.compose import compose
from tracker.finance.evidence import Tell, evidence_of
from tracker.finance.keeping import as_closed
from tracker.finance.method import settings_of
from tracker.finance.sealing import options_of, renderers
from tracker.finance.trend import with_trend


def _silent(_done: int, _all: int, _what: str) -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True)
class Prospect:
    """A month as it would be closed. ``posted``: names of the corrections in it. ``review``: the one that it is closed
    on; None: it is about to be reviewed. ``options``: the settings that decided. ``settings``: of another version,
    those that differ from what the month was closed with, in words; None: it is the first."""

    version: int
    statement: Statement
    draft: books.Draft
    posted: tuple[str, ...]
    checks: tuple[Check, ...]
    waivers: tuple[Waiver, ...]
    review: Review | None
    options: tuple[tuple[str, str], ...]
    settings: tuple[str, ...] | None

    @property
    def in_the_way(self) -> tuple[Check, ...]:
        return in_the_way(self.checks)


def open_to_work(found: tuple[Version, ...], month: str) -> int:
    """The version that is to be reviewed or closed. Raises NotClosable if there is none."""
    number = working(found)
    if number is None:
        last = latest_closed(found)
        who = "" if last is None or last.manifest is None else f" by {last.manifest.approver} (v{last.number})"
        raise NotClosable(f"{month} is closed already{who}.", f"To restate it: wattledger restate {month}")
    return number


def to_review(
    config: Config,
    store: BookStore,
    month: str,
    waivers: tuple[Waiver, ...],
    *,
    now_s: int,
    as_of_s: int,
    beside: tuple[Reconciled, ...] = (),
    tell: Tell = _silent,
) -> Prospect:
    """What a preparer would put their name to. ``beside``: what others counted, sealed as it was then. Of another
    version, what the configuration does not state is as the month was closed with (``keeping.py``).
    Raises NotClosable, BooksUnavailable, BooksDamaged, UsageError."""
    found = versions(store, month)
    number = open_to_work(found, month)
    _refuse_claimed(found)
    with in_its_terms(config, store, found) as (kept, settings):
        group_by = kept.books.group_by or DEFAULT_GROUP
        statement, posted = _composed(kept, store, month, number, as_of_s, group_by, beside)
        checks = _judged(kept, store, statement, waivers, now_s, tell)
        options = options_of(kept)
    if not in_the_way(checks):
        books.prove(statement, renderers(kept))
    draft = books.draft_of(statement)
    return Prospect(number, statement, draft, posted, checks, waivers, None, options, settings)


@contextmanager
def in_its_terms(
    config: Config, store: BookStore, found: tuple[Version, ...]
) -> Iterator[tuple[Config, tuple[str, ...] | None]]:
    """The settings for the version that is open, and how they differ from those that its month was closed with; None of
    a first version. Raises UsageError, BooksDamaged, BooksUnavailable (``keeping.as_closed``)."""
    closed = latest_closed(found)
    if closed is None or working(found) is None:
        yield config, None
        return
    opened = found[-1].restated
    with as_closed(config, store, closed, None if opened is None else opened.reason) as kept:
        yield kept


def review(store: BookStore, prospect: Prospect, preparer: str, *, now_s: int) -> Review:
    """Keep it as reviewed. Raises NotClosable where a condition is in the way, BooksUnavailable."""
    _refuse_failed(prospect)
    return books.keep_review(
        store,
        prospect.draft,
        Review(
            month=prospect.statement.period.month,
            version=prospect.version,
            number=1,
            preparer=preparer,
            reviewed_at_s=now_s,
            as_of_s=prospect.statement.as_of_s,
            group_by=prospect.statement.group_by,
            filters=prospect.statement.filters,
            software=prospect.statement.software,
            statement_sha256=prospect.draft.sha256,
            inputs_sha256=prospect.draft.inputs_sha256,
            waivers=prospect.waivers,
        ),
    )


def unfinished(store: BookStore, month: str, approver: str) -> Claim | None:
    """What this approver began to close and did not finish. Raises NotClosable if it is somebody else's."""
    claim = next((each.closing for each in versions(store, month) if each.closing), None)
    if claim is not None:
        books.check_claimant(claim, approver)
    return claim


def to_close(
    config: Config,
    store: BookStore,
    month: str,
    approver: str,
    waivers: tuple[Waiver, ...],
    *,
    now_s: int,
    tell: Tell = _silent,
) -> Prospect:
    """What an approver would seal: the reviewed statement, composed once more and found the same. Raises NotClosable
    without a review, for its preparer, or where something changed since; and as ``to_review``."""
    found = versions(store, month)
    number = open_to_work(found, month)
    last = found[-1].review if found else None
    reviewed = may_close(last, approver, month=month, same_person=config.books.same_person)
    then = books.reviewed_statement(store, reviewed)  # with what others counted, and the months before, as it was then
    known = (then.reconciliation, then.inputs)
    together = all_waivers(reviewed.waivers, waivers)
    with in_its_terms(config, store, found) as (kept, settings):
        statement, posted = _composed(kept, store, month, number, reviewed.as_of_s, reviewed.group_by, *known)
        draft = books.draft_of(statement)
        same_settings = settings_of(statement.method) == settings_of(then.method)
        check_unchanged(reviewed, draft.sha256, draft.inputs_sha256, same_settings=same_settings)
        checks = _judged(kept, store, statement, together, now_s, tell)
        options = options_of(kept)
    return Prospect(number, statement, draft, posted, checks, together, reviewed, options, settings)


def close(store: BookStore, prospect: Prospect, approver: str, *, now_s: int) -> Claim:
    """Claim the version. Raises NotClosable where a condition is in the way or somebody else was first, BooksRefused
    for a store that writes over what is there."""
    _refuse_failed(prospect)
    require_create_only(store)
    reviewed = prospect.review
    if reviewed is None:
        raise ValueError("close takes what to_close gave")
    month, inputs = reviewed.month, prospect.statement.inputs
    return books.claim(
        store,
        Claim(
            month=month,
            version=prospect.version,
            approver=approver,
            preparer=reviewed.preparer,
            closed_at_s=now_s,
            same_person=reviewed.preparer.casefold() == approver.casefold(),
            as_of_s=reviewed.as_of_s,
            group_by=reviewed.group_by,
            filters=reviewed.filters,
            options=prospect.options,
            software=reviewed.software,
            statement_sha256=prospect.draft.sha256,
            inputs_sha256=prospect.draft.inputs_sha256,
            checks=prospect.checks,
            waivers=tuple(each for each in prospect.waivers if _was_needed(each, prospect.checks)),
            corrections=prospect.posted,
            formats=tuple(registry.EXPORTS),
            inputs=inputs,
            kept=books.keep_pieces(store, month, prospect.version, inputs),
        ),
    )


def with_corrections(store: BookStore, statement: Statement) -> tuple[Statement, tuple[str, ...]]:
    """With what was posted in its month; and the names of those postings."""
    posted = corrections_in(store, statement.period.month)
    corrections = tuple(each for one in posted.values() for each in by_group(one, statement.group_by))
    return replace(statement, corrections=corrections), tuple(posted)


def _composed(
    config: Config,
    store: BookStore,
    month: str,
    number: int,
    as_of_s: int,
    group_by: tuple[str, ...],
    beside: tuple[Reconciled, ...],
    recorded: tuple[Input, ...] | None = None,
) -> tuple[Statement, tuple[str, ...]]:
    statement = compose(
        config,
        store,
        month,
        as_of_s=as_of_s,
        group_by=group_by,
        filters=(),
        version=number,
        status=Status.CLOSED,
        hash_inputs=True,
    )
    statement = with_trend(config, store, statement, recorded=recorded)  # without months that may still change
    return with_corrections(store, replace(statement, reconciliation=beside))


def _judged(
    config: Config, store: BookStore, statement: Statement, waivers: tuple[Waiver, ...], now_s: int, tell: Tell
) -> tuple[Check, ...]:
    limits = Limits(round(config.books.coverage_threshold * PPM), round(config.books.tier5_threshold * PPM))
    evidence = evidence_of(config, store, statement, now_s, tell)
    return waived(conditions(statement, evidence, limits), waivers)


def _was_needed(waiver: Waiver, checks: tuple[Check, ...]) -> bool:
    return any(check.name == waiver.check and not check.passed for check in checks)


def _refuse_failed(prospect: Prospect) -> None:
    if prospect.in_the_way:
        names = ", ".join(check.name for check in prospect.in_the_way)
        raise NotClosable(
            f"{prospect.statement.period.month} does not meet: {names}.",
            'Mend it, or say why it may go on all the same: --waive NAME="reason"',
        )


def _refuse_claimed(found: tuple[Version, ...]) -> None:
    if found and found[-1].closing:
        claim = found[-1].closing
        raise NotClosable(
            f"{claim.approver} is closing {claim.month} v{claim.version}.",
            f"If that was broken off: wattledger close {claim.month} --as {claim.approver}",
        )


def closed_by(found: tuple[Version, ...], approver: str) -> Manifest | None:
    """Of a month that this approver closed already, and of which nothing is open."""
    last = latest_closed(found)
    if last is None or working(found) is not None or last.manifest is None:
        return None
    return last.manifest if last.manifest.approver == approver else None
