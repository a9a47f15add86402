"""The versions of a month's statement: what lies under ``statements/``, by whom, and its bytes.

    statements/2026-10/v1/review-001.json         a preparer's review (core/closing.py: Review)
    statements/2026-10/v1/reviewed-<sha16>.json   the statement that was reviewed, as data
    statements/2026-10/v1/inputs.json             the closer's claim (Claim)
    statements/2026-10/v1/inputs/…                copies of inputs whose originals may be replaced
    statements/2026-10/v1/statement.csv, …        the sealed files
    statements/2026-10/v1/manifest.json           hashes of all of them (Manifest); its presence means closed
    statements/2026-10/v2/restated.json           why there is a second version (core/restating.py: Restated)
    statements/2026-10/v2/withdrawn.json          that it is not wanted after all (Withdrawn): nothing is open then
    statements/2026-11/corrections/2026-10-v1-001.json   posted in November for October (Posting), with its hash

A closed month is read, never made again: what a reader gets are the sealed bytes, compared with their hash. A posting
is in no manifest until its month is closed: it carries its own hash. That is in it and not in its name, for the name
is what two people who restate a month at once cannot both create.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from tracker.books.interface import BooksDamaged, BookStore
from tracker.core.closing import Claim, Manifest, Output, Review, checked_month, sealed
from tracker.core.restating import Posting, Restated, Withdrawn
from tracker.core.statement import Statement, Status

ROOT = "statements"
MANIFEST, CLAIM, RESTATED, WITHDRAWN = "manifest.json", "inputs.json", "restated.json", "withdrawn.json"
_VERSIONED = re.compile(r"statements/(?P<month>\d{4}-\d\d)/v(?P<number>[1-9]\d{0,3})/(?P<file>.+)")
_POSTED = re.compile(r"statements/(?P<into>\d{4}-\d\d)/corrections/(?P<month>\d{4}-\d\d)-v\d+-\d+\.json")
_REVIEW = re.compile(r"review-\d{3}\.json")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Version:
    """``closing``: somebody claimed it and did not finish. ``withdrawn``: nobody shall close it; one that was claimed
    first is closed all the same. ``superseded_by``: the later version that closed."""

    month: str
    number: int
    status: Status
    review: Review | None = None
    closing: Claim | None = None
    manifest: Manifest | None = None
    restated: Restated | None = None
    withdrawn: Withdrawn | None = None
    superseded_by: int | None = None

    @property
    def formats(self) -> tuple[str, ...]:
        """What can be read of it."""
        return () if self.manifest is None else tuple(output.format for output in self.manifest.outputs)


def folder(month: str, number: int) -> str:
    return f"{ROOT}/{month}/v{number}"


def months(store: BookStore) -> tuple[str, ...]:
    """Months of which there is a version, in order."""
    return tuple(sorted({found["month"] for name, _ in store.names(f"{ROOT}/") if (found := _VERSIONED.match(name))}))


def versions(store: BookStore, month: str) -> tuple[Version, ...]:
    """The versions of a month, in order. Raises UsageError for no month, BooksDamaged."""
    files: dict[int, list[str]] = {}
    for name, _ in store.names(f"{ROOT}/{checked_month(month)}/"):
        if found := _VERSIONED.fullmatch(name):
            files.setdefault(int(found["number"]), []).append(found["file"])
    closed = [number for number, names in files.items() if MANIFEST in names]
    return tuple(
        _version(store, month, number, names, max((n for n in closed if n > number), default=None))
        for number, names in sorted(files.items())
    )


def _version(store: BookStore, month: str, number: int, names: list[str], superseded_by: int | None) -> Version:
    place = folder(month, number)
    reviews = sorted(name for name in names if _REVIEW.fullmatch(name))
    review = record(store, f"{place}/{reviews[-1]}", Review) if reviews else None
    manifest = record(store, f"{place}/{MANIFEST}", Manifest) if MANIFEST in names else None
    unfinished = CLAIM in names and manifest is None
    withdrawn = WITHDRAWN in names and CLAIM not in names and manifest is None
    status = Status.CLOSED if manifest else Status.REVIEWED if review and not withdrawn else Status.DRAFT
    return Version(
        month=month,
        number=number,
        status=status,
        review=review,
        closing=record(store, f"{place}/{CLAIM}", Claim) if unfinished else None,
        manifest=manifest,
        restated=record(store, f"{place}/{RESTATED}", Restated) if RESTATED in names else None,
        withdrawn=record(store, f"{place}/{WITHDRAWN}", Withdrawn) if withdrawn else None,
        superseded_by=superseded_by,
    )


def latest_closed(found: Iterable[Version]) -> Version | None:
    """The version that counts."""
    return max((each for each in found if each.manifest), key=lambda each: each.number, default=None)


def working(found: Iterable[Version]) -> int | None:
    """The number of the version that can be reviewed and closed; None: the last one is closed, nothing is open."""
    last = max((each for each in found if not each.withdrawn), key=lambda each: each.number, default=None)
    if last is None:
        return 1
    return None if last.manifest else last.number


def claim_of(store: BookStore, version: Version) -> Claim:
    """The claim of a closed version. Raises BooksDamaged if it is not what was sealed."""
    return decoded(CLAIM, _checked(store, version, _manifest(version).inputs), Claim)


def statement_of(store: BookStore, version: Version) -> Statement:
    """The statement of a closed version, as it was closed. Raises BooksDamaged if it is not what was sealed."""
    reviewed = _manifest(version).statement
    content = _checked(store, version, reviewed)
    return sealed(decoded(reviewed.name, content, Statement), claim_of(store, version))


def read_output(store: BookStore, version: Version, wanted: str) -> bytes | None:
    """The sealed bytes of a format of a closed version; None: that format was not sealed. Raises BooksDamaged if they
    are not what was sealed."""
    output = next((each for each in _manifest(version).outputs if each.format == wanted), None)
    return None if output is None else _checked(store, version, output)


class _Posted(msgspec.Struct, frozen=True):
    """The file of a posting. ``sha256``: of ``posting`` without any white space, as it stands here."""

    sha256: str
    posting: msgspec.Raw


def posting_name(posting: Posting) -> str:
    return f"{ROOT}/{posting.into}/corrections/{posting.month}-v{posting.version}-{posting.number:03}.json"


def posted(posting: Posting) -> bytes:
    """The content of its file."""
    said = msgspec.json.encode(posting, order="deterministic")
    return encoded(_Posted(sha256(said), msgspec.Raw(said)))


def posting_names(store: BookStore) -> tuple[str, ...]:
    """All corrections that were ever posted, in order of the month they went into."""
    return tuple(sorted(name for name, _ in store.names(f"{ROOT}/") if _POSTED.fullmatch(name)))


def posting_of(store: BookStore, name: str) -> Posting:
    """Raises BooksDamaged if it is not what was posted under this name."""
    file = record(store, name, _Posted)
    said = msgspec.json.format(bytes(file.posting), indent=-1)
    posting = decoded(name, said, Posting) if sha256(said) == file.sha256 else None
    if posting is None or posting_name(posting) != name:
        raise BooksDamaged(f"{name} is not what was posted.", "Restore it from a copy of the books.")
    return posting


def postings(store: BookStore) -> dict[str, Posting]:
    """Of ``posting_names``, by name. Raises BooksDamaged."""
    return {name: posting_of(store, name) for name in posting_names(store)}


def corrections_in(store: BookStore, month: str) -> dict[str, Posting]:
    """The corrections that belong to a month: posted in it or, where an earlier month closed without them, carried
    over; never those that another month closed with."""
    posted = {name: each for name, each in postings(store).items() if each.into <= month}
    if not posted:
        return {}
    first = min(each.into for each in posted.values())
    others = {other: versions(store, other) for other in months(store) if other >= first and other != month}
    elsewhere = {name for found in others.values() for version in found for name in _posted_with(version)}
    over = {month, *(other for other, found in others.items() if any(each.manifest or each.closing for each in found))}
    return {name: each for name, each in posted.items() if each.into in over and name not in elsewhere}


def _posted_with(version: Version) -> tuple[str, ...]:
    final = version.manifest or version.closing
    return () if final is None else final.corrections


def record(store: BookStore, name: str, kind: type[_T]) -> _T:
    """A JSON record of the books. Raises BooksDamaged."""
    content = store.read(name)
    if content is None:
        raise BooksDamaged(f"{name} is missing in {store.url}.", "Restore it from a copy of the books.")
    return decoded(name, content, kind)


def decoded(name: str, content: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.MsgspecError as error:
        raise BooksDamaged(
            f"{name} is not what was written: {error}.", "Restore it from a copy of the books; nothing was changed."
        ) from error


def encoded(of: object, *, indent: int = 2) -> bytes:
    """As JSON in the order of the fields: equal records have equal bytes."""
    return msgspec.json.format(msgspec.json.encode(of, order="deterministic"), indent=indent) + b"\n"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _manifest(version: Version) -> Manifest:
    if version.manifest is None:
        raise ValueError(f"{version.month} v{version.number} is not closed")
    return version.manifest


def _checked(store: BookStore, version: Version, output: Output) -> bytes:
    name = f"{folder(version.month, version.number)}/{output.name}"
    content = store.read(name)
    if content is None or sha256(content) != output.sha256:
        what = "is missing" if content is None else "was altered since it was sealed"
        raise BooksDamaged(f"{name} {what}.", f"Restore the file with sha256 {output.sha256} from a copy of the books.")
    return content
