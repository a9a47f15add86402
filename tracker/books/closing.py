"""Sealing a month: which files are written, in which order, and what a killed or a second closer finds.

    0. every format is rendered once, into nothing      what cannot be sealed cannot be reviewed (``prove``)
    1. reviewed-<sha16>.json, then review-001.json     the preparer's; a second review is review-002.json
    2. inputs/…                                        copies of inputs whose originals a later shipping replaces
    3. inputs.json                                     the claim: of all closers the one who creates it wins
    4. statement.csv, …                                rendered from the reviewed statement and the claim alone
    5. manifest.json                                   hashes of all of these; now the month is closed

Every file is created or was there with the same bytes; nothing is ever overwritten. Whoever was killed runs the same
command again: before step 3 nothing was decided, and from there on every byte follows from what is there.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import msgspec

from tracker.books.interface import BooksDamaged, BookStore
from tracker.books.names import parse_name
from tracker.books.versions import (
    CLAIM,
    MANIFEST,
    RESTATED,
    ROOT,
    WITHDRAWN,
    decoded,
    encoded,
    folder,
    posted,
    posting_name,
    posting_of,
    record,
    sha256,
)
from tracker.core.closing import Claim, Manifest, NotClosable, Output, Review, sealed
from tracker.core.errors import UsageError
from tracker.core.restating import Posting, Restated, Withdrawn
from tracker.core.statement import Input, Statement, Status

KEPT = "inputs"
_MOST_REVIEWS = 999


@dataclass(frozen=True, slots=True)
class Renderer:
    """What makes one of the sealed files. The same statement must give the same bytes."""

    format: str
    extension: str
    media_type: str
    render: Callable[[Statement, BinaryIO], None]


@dataclass(frozen=True, slots=True)
class Draft:
    """A statement as data, without who did what to it: equal statements have equal bytes."""

    content: bytes
    sha256: str
    inputs_sha256: str

    @property
    def name(self) -> str:
        return reviewed_name(self.sha256)


def reviewed_name(statement_sha256: str) -> str:
    return f"reviewed-{statement_sha256[:16]}.json"


def draft_of(statement: Statement) -> Draft:
    bare = replace(statement, status=Status.DRAFT, statement_id="", preparer="", approver="", checks=())
    content = msgspec.json.encode(bare, order="deterministic")
    return Draft(content, sha256(content), sha256(encoded(statement.inputs)))


def prove(statement: Statement, renderers: Iterable[Renderer]) -> None:
    """Render every format that is to be sealed, before anything is decided: a claim names them for good, and sealing
    gives the same bytes from the same statement and version. Raises NotClosable for one that cannot hold it."""
    month = statement.period.month
    with Path(os.devnull).open("wb") as nowhere:
        for renderer in renderers:
            try:
                renderer.render(statement, nowhere)
            except UsageError as error:
                raise NotClosable(
                    f"{month} cannot be sealed as {renderer.format}. {error.sentence}",
                    "Every format is sealed: group the rows by fewer dimensions (books.group_by), and review it again.",
                ) from error


def keep_review(store: BookStore, draft: Draft, review: Review) -> Review:
    """Record a review, under the next number. Raises BooksDamaged, BooksUnavailable."""
    place = folder(review.month, review.version)
    _put(store, f"{place}/{draft.name}", draft.content)
    for number in range(review.number, _MOST_REVIEWS + 1):
        numbered = replace(review, number=number)
        if store.create(f"{place}/review-{number:03}.json", encoded(numbered)):
            return numbered
    raise NotClosable(f"{review.month} v{review.version} was reviewed {_MOST_REVIEWS} times.", "Close it or let it be.")


def keep_pieces(store: BookStore, month: str, version: int, inputs: Iterable[Input]) -> tuple[str, ...]:
    """Copy the pieces of unfinished days among the inputs, which a day file will replace. Their names. Raises
    NotClosable where one changed or went meanwhile."""
    kept = []
    for each in inputs:
        file = parse_name(each.name)
        if file is None or file.whole:
            continue
        content = store.read(each.name)
        if content is None or sha256(content) != each.sha256:
            raise NotClosable(f"{each.name} changed while {month} was closed.", "Review it again.")
        _put(store, f"{folder(month, version)}/{KEPT}/{each.name}", content)
        kept.append(each.name)
    return tuple(kept)


def claim(store: BookStore, mine: Claim) -> Claim:
    """Take the version, or take up again what the same approver claimed before. Raises NotClosable if somebody else
    was first, and says who."""
    name = f"{folder(mine.month, mine.version)}/{CLAIM}"
    if store.create(name, encoded(mine)):
        return mine
    theirs = record(store, name, Claim)
    check_claimant(theirs, mine.approver)
    return theirs


def check_claimant(theirs: Claim, approver: str) -> None:
    """Raises NotClosable for anybody but the one who claimed it."""
    if theirs.approver != approver:
        raise NotClosable(
            f"{theirs.approver} is closing {theirs.month} v{theirs.version}.",
            f"If that was broken off: wattledger close {theirs.month} --as {theirs.approver}",
        )


def seal(
    store: BookStore, mine: Claim, renderers: Sequence[Renderer], tell: Callable[[str], object] = lambda _: None
) -> Manifest:
    """Write every file that follows from a claim, and the manifest last. Can be repeated at any time by anybody with
    the same version of wattledger. Raises BooksDamaged where other bytes are in the place of a file."""
    place = folder(mine.month, mine.version)
    content = _reviewed(store, mine)
    statement = sealed(decoded(place, content, Statement), mine)
    outputs = []
    for renderer in _chosen(mine, renderers):
        out = io.BytesIO()
        renderer.render(statement, out)
        output = _output(renderer.format, f"statement.{renderer.extension}", renderer.media_type, out.getvalue())
        _put(store, f"{place}/{output.name}", out.getvalue(), mine.software)
        outputs.append(output)
        tell(output.name)
    claimed = store.read(f"{place}/{CLAIM}") or encoded(mine)
    manifest = Manifest(
        month=mine.month,
        version=mine.version,
        status=Status.CLOSED,
        statement_id=statement.statement_id,
        preparer=mine.preparer,
        approver=mine.approver,
        closed_at_s=mine.closed_at_s,
        software=mine.software,
        inputs=_output("inputs", CLAIM, "application/json", claimed),
        statement=_output("statement", reviewed_name(mine.statement_sha256), "application/json", content),
        outputs=tuple(outputs),
        corrections=mine.corrections,
    )
    _put(store, f"{place}/{MANIFEST}", encoded(manifest), mine.software)
    return manifest


def reviewed_statement(store: BookStore, review: Review) -> Statement:
    """What a preparer put their name to. Raises BooksDamaged."""
    return decoded(reviewed_name(review.statement_sha256), _reviewed(store, review), Statement)


def _reviewed(store: BookStore, of: Review | Claim) -> bytes:
    """Raises BooksDamaged."""
    name = f"{folder(of.month, of.version)}/{reviewed_name(of.statement_sha256)}"
    content = store.read(name)
    if content is None or sha256(content) != of.statement_sha256:
        remedy = "Restore it from a copy of the books: the month cannot be closed without it."
        if isinstance(of, Review):
            remedy = f"Restore it from a copy of the books, or review {of.month} again."
        raise BooksDamaged(f"{name} is not what was reviewed.", remedy)
    return content


def _chosen(mine: Claim, renderers: Sequence[Renderer]) -> list[Renderer]:
    by_format = {renderer.format: renderer for renderer in renderers}
    unknown = [name for name in mine.formats if name not in by_format]
    if unknown:
        raise NotClosable(
            f"{mine.month} is to be sealed with {', '.join(unknown)}, which this version cannot make.",
            f"Finish it with wattledger {mine.software}.",
        )
    return [by_format[name] for name in mine.formats]


def post(store: BookStore, posting: Posting) -> str:
    """Post corrections. The name of the file. Raises NotClosable if somebody posted others of this number first."""
    name = posting_name(posting)
    if not store.create(name, posted(posting)):
        there = posting_of(store, name)
        if there.corrections != posting.corrections:
            raise NotClosable(
                f"{there.by} restated {posting.month} at the same time.", f"Run: wattledger restate {posting.month}"
            )
    return name


def open_version(store: BookStore, restated: Restated) -> Restated:
    """Begin another version of a closed month; if somebody did already, theirs."""
    name = f"{folder(restated.month, restated.version)}/{RESTATED}"
    return restated if store.create(name, encoded(restated)) else record(store, name, Restated)


def withdraw(store: BookStore, withdrawn: Withdrawn) -> str:
    """Leave a version that nobody reviewed. The name of the file; it may be there, of somebody else."""
    name = f"{folder(withdrawn.month, withdrawn.version)}/{WITHDRAWN}"
    store.create(name, encoded(withdrawn))
    return name


def open_month(store: BookStore, after: str) -> str:
    """The month that corrections go into: the one after the last that was closed, or is being closed."""
    taken = {after}
    for name, _ in store.names(f"{ROOT}/"):
        parts = name.split("/")
        if parts[-1] in {MANIFEST, CLAIM} and len(parts) == 4:  # noqa: PLR2004 - statements/<month>/v<N>/<file>
            taken.add(parts[1])
    year, month = map(int, max(taken).split("-"))
    return f"{year + month // 12:04}-{month % 12 + 1:02}"


def _output(kind: str, name: str, media_type: str, content: bytes) -> Output:
    return Output(kind, name, media_type, sha256(content), len(content))


def _put(store: BookStore, name: str, content: bytes, software: str = "") -> None:
    """Create a file, or find it as it is to be."""
    if store.create(name, content):
        return
    if store.read(name) != content:
        by = f" If it was made by wattledger {software}, finish with that version." if software else ""
        raise BooksDamaged(f"{name} is there with other content.", f"Nothing was overwritten: look at it.{by}")
