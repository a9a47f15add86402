"""How a month becomes final: draft -> reviewed -> closed, and who may take which step.

A preparer reviews: the composed statement is kept as it is, with hashes of it and of its inputs. An approver closes:
the same statement is composed once more, and only if nothing changed since the review it is sealed, under both names.
They are two people, unless the books say that they may be one, and then the claim says so too.

The records of this file lie in ``statements/<month>/v<N>/`` as JSON (``books/versions.py``); none is ever changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tracker.core.errors import UsageError, WattledgerError
from tracker.core.statement import Check, Input, Statement, Status

_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")


class NotClosable(WattledgerError):
    """A step that may not be taken now. The remedy says what to do first."""


@dataclass(frozen=True, slots=True)
class Waiver:
    """Somebody goes on although a condition is not met."""

    check: str  # Check.name
    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class Review:
    """What a preparer looked at. ``statement_sha256`` is that of ``reviewed-<its first 16 digits>.json`` beside it."""

    month: str
    version: int
    number: int  # of this version's reviews, from 1; the last one counts
    preparer: str
    reviewed_at_s: int
    as_of_s: int  # nothing recorded later was used; closing uses the same
    group_by: tuple[str, ...]
    filters: tuple[tuple[str, str], ...]
    software: str
    statement_sha256: str
    inputs_sha256: str
    waivers: tuple[Waiver, ...] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """Everything that the sealed files are made from: ``inputs.json``. Whoever creates it is the closer."""

    month: str
    version: int
    approver: str
    preparer: str
    closed_at_s: int
    same_person: bool  # allowed, and the case
    as_of_s: int
    group_by: tuple[str, ...]
    filters: tuple[tuple[str, str], ...]
    options: tuple[tuple[str, str], ...]  # the books' settings that decided, by dotted name
    software: str
    statement_sha256: str
    inputs_sha256: str
    checks: tuple[Check, ...]
    waivers: tuple[Waiver, ...]
    corrections: tuple[str, ...]  # names of the corrections that are posted with it
    formats: tuple[str, ...]  # what is sealed
    inputs: tuple[Input, ...]
    kept: tuple[str, ...] = ()  # inputs of which there is a copy in ``inputs/``: their originals may go


@dataclass(frozen=True, slots=True)
class Output:
    """A sealed file."""

    format: str
    name: str  # below statements/<month>/v<N>/
    media_type: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is sealed. It is written last: its presence means closed."""

    month: str
    version: int
    status: Status
    statement_id: str
    preparer: str
    approver: str
    closed_at_s: int
    software: str
    inputs: Output  # of inputs.json
    statement: Output  # the statement as data, from which every output is made
    outputs: tuple[Output, ...]
    corrections: tuple[str, ...] = ()


def checked_month(text: str) -> str:
    """Raises UsageError for anything but 2026-10."""
    if not _MONTH.fullmatch(text):
        raise UsageError(f"{text[:40]!r} is no month.", "Write it like 2026-10.")
    return text


def checked_person(text: str) -> str:
    """A name as it goes into the records. Raises UsageError for none, or one that cannot be printed on a line."""
    name = " ".join(text.split())
    if not name or len(name) > 100 or not name.isprintable():  # noqa: PLR2004 - a name, not a text
        raise UsageError("Nobody is named.", "Say who you are: --as NAME (up to 100 printable letters).")
    return name


def parse_waivers(given: Iterable[str], by: str, known: Sequence[str]) -> tuple[Waiver, ...]:
    """Of ``name=reason`` texts. Raises UsageError for a condition that there is not, or a missing reason."""
    waivers = {}
    for text in given:
        name, _, reason = text.partition("=")
        name, reason = name.strip(), " ".join(reason.split())
        if name not in known:
            raise UsageError(f"There is no condition {name[:40]!r}.", f"Waive one of: {', '.join(known)}.")
        if not reason:
            raise UsageError(f"Why is {name} waived?", f'Give the reason, which is sealed: --waive {name}="…"')
        waivers[name] = Waiver(name, reason, by)
    return tuple(waivers.values())


def all_waivers(*groups: Iterable[Waiver]) -> tuple[Waiver, ...]:
    """One for each condition, by name; what was said last counts."""
    by_name = {waiver.check: waiver for group in groups for waiver in group}
    return tuple(by_name[name] for name in sorted(by_name))


def waived(checks: Iterable[Check], waivers: Iterable[Waiver]) -> tuple[Check, ...]:
    """The conditions with what was said of those that are not met. A waiver that nothing needed leaves no trace."""
    said = {waiver.check: f"{waiver.reason} ({waiver.by})" for waiver in waivers}
    return tuple(check if check.passed else replace(check, waived=said.get(check.name, "")) for check in checks)


def in_the_way(checks: Iterable[Check]) -> tuple[Check, ...]:
    """The conditions that are neither met nor waived."""
    return tuple(check for check in checks if not check.passed and not check.waived)


def may_close(review: Review | None, approver: str, *, month: str, same_person: bool) -> Review:
    """The review to close on. Raises NotClosable without one, or for a preparer who would approve."""
    if review is None:
        raise NotClosable(
            f"{month} was not reviewed yet.", f"Have it reviewed first: wattledger close {month} --review --as PREPARER"
        )
    if review.preparer.casefold() == approver.casefold() and not same_person:
        raise NotClosable(
            f"{approver} prepared {month} and cannot approve it too.",
            f"Let somebody else close it: wattledger close {month} --as APPROVER "
            "(or set books.same_person = true, which the statement will say).",
        )
    return review


def check_unchanged(review: Review, statement_sha256: str, inputs_sha256: str, *, same_settings: bool = True) -> None:
    """Raises NotClosable where the month is no longer what was reviewed. ``same_settings``: whether the configuration
    is the one that it was reviewed with; by another one, other files may be inputs."""
    if (statement_sha256, inputs_sha256) == (review.statement_sha256, review.inputs_sha256):
        return
    if not same_settings:
        raise NotClosable(
            f"This configuration is not the one that {review.preparer} reviewed {review.month} with.",
            "Close it with that one; or review it again with this one: "
            f"wattledger close {review.month} --review --as {review.preparer}",
        )
    if inputs_sha256 != review.inputs_sha256:
        what = f"The inputs of {review.month} changed"
    else:
        what = f"What is made of the inputs of {review.month} changed (corrections, or another version of wattledger)"
    raise NotClosable(
        f"{what} since {review.preparer} reviewed it.",
        f"Review it again: wattledger close {review.month} --review --as {review.preparer}",
    )


def sealed(statement: Statement, claim: Claim) -> Statement:
    """The reviewed statement as it is closed: all that its files are rendered from."""
    return replace(
        statement,
        status=Status.CLOSED,
        version=claim.version,
        statement_id=f"{claim.month}-v{claim.version}-{claim.statement_sha256[:16]}",
        preparer=claim.preparer,
        approver=claim.approver,
        checks=claim.checks,
        method=(*statement.method, ("Approval", _approval(claim))),
    )


def _approval(claim: Claim) -> str:
    text = f"Prepared by {claim.preparer}, approved by {claim.approver}."
    if claim.same_person:
        text += " One person did both: the books allow it (books.same_person)."
    return " ".join([text, *(f"{w.by} waived {w.check}: {w.reason}." for w in claim.waivers)])
