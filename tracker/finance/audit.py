"""The closed months of the books: every statement is made again from what was sealed, and compared.

For each version that is closed: its files are what the manifest says; its inputs are what they were; its files are what
this version of wattledger makes of the sealed statement; and the statement is what the inputs, the sealed options and
``as_of_s`` give.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from tracker import __version__
from tracker.books.closing import Renderer, draft_of
from tracker.books.finding import BooksFinding, some
from tracker.books.interface import BooksDamaged, BookStore
from tracker.books.sealed import inputs_changed
from tracker.books.sealed_inputs import SealedInputs
from tracker.books.versions import (
    ROOT,
    Version,
    claim_of,
    folder,
    months,
    posting_names,
    posting_of,
    sha256,
    statement_of,
    versions,
)
from tracker.config import Config
from tracker.core.closing import Claim, Output
from tracker.core.errors import WattledgerError
from tracker.core.model import Level
from tracker.core.restating import by_group
from tracker.core.statement import Statement, Status
from tracker.finance.compose import compose
from tracker.finance.sealing import renderers, with_options
from tracker.finance.trend import with_trend

Tell = Callable[[int, int, str], object]
_RESTORE = "Restore the file with sha256 {sha256} from a copy of the books."


def _silent(_done: int, _all: int, _what: str) -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True)
class ClosedAudit:
    """``verified``: the versions that were looked at, as "2026-10 v1"."""

    findings: tuple[BooksFinding, ...]
    verified: tuple[str, ...]


def audit_closed(config: Config, store: BookStore, month: str | None = None, *, tell: Tell = _silent) -> ClosedAudit:
    """All closed versions, or those of a month. A damaged one hides no other. Raises BooksUnavailable."""
    wanted = [each for each in months(store) if month in (None, each)]
    findings = [*_corrections(store, month)]
    verified: list[str] = []
    for number, each in enumerate(wanted):
        tell(number, len(wanted), each)
        try:
            found = versions(store, each)
        except BooksDamaged as error:
            findings.append(BooksFinding(Level.FAIL, "record", each, error.sentence, error.remedy))
            continue
        for version in found:
            findings += _version(config, store, version)
            if version.manifest is not None:
                verified.append(_name(version))
    tell(len(wanted), len(wanted), "")
    return ClosedAudit(tuple(findings), tuple(verified))


def _corrections(store: BookStore, month: str | None) -> Iterator[BooksFinding]:
    """Postings that are not what was posted: of all months, or those in one."""
    for name in posting_names(store):
        if month is not None and not name.startswith(f"{ROOT}/{month}/"):
            continue
        try:
            posting_of(store, name)
        except BooksDamaged as error:
            yield BooksFinding(Level.FAIL, "correction", name, error.sentence, error.remedy)


def _version(config: Config, store: BookStore, version: Version) -> Iterator[BooksFinding]:
    if version.closing is not None:
        message = f"{version.closing.approver} began to close it and did not finish."
        remedy = f"Finish it: wattledger close {version.month} --as {version.closing.approver}"
        yield BooksFinding(Level.WARN, "unfinished", _name(version), message, remedy)
    if version.manifest is None:
        return
    changed = list(_files_changed(store, version))
    yield from changed
    try:
        claim, statement = claim_of(store, version), statement_of(store, version)
    except BooksDamaged as error:
        if not changed:
            yield BooksFinding(Level.FAIL, "sealed_file", _name(version), error.sentence, error.remedy)
        return
    stale = list(inputs_changed(store, claim))
    yield from stale
    yield from _made_again(with_options(config, claim), version, statement, claim)
    if not stale:
        yield from _recomputed(config, store, version, claim)


def _files_changed(store: BookStore, version: Version) -> Iterator[BooksFinding]:
    """Sealed files that are gone or altered."""
    manifest = version.manifest
    for output in () if manifest is None else (manifest.inputs, manifest.statement, *manifest.outputs):
        name = f"{folder(version.month, version.number)}/{output.name}"
        content = store.read(name)
        if content is None or sha256(content) != output.sha256:
            message = f"{name} {'is gone' if content is None else 'was altered since it was sealed'}."
            remedy = _RESTORE.format(sha256=output.sha256)
            yield BooksFinding(Level.FAIL, "sealed_file", _name(version), message, remedy)


def _made_again(config: Config, version: Version, statement: Statement, claim: Claim) -> Iterator[BooksFinding]:
    """Sealed files that the sealed statement does not give here."""
    makers = {maker.format: maker for maker in renderers(config)}
    outputs = () if version.manifest is None else version.manifest.outputs
    differing = [each.name for each in outputs if not _gives(makers.get(each.format), statement, each)]
    if differing:
        yield _differs("rendering", version, claim, f"{some(differing)} are not what its statement gives here.")


def _gives(maker: Renderer | None, statement: Statement, output: Output) -> bool:
    if maker is None:
        return False
    out = io.BytesIO()
    maker.render(statement, out)
    return sha256(out.getvalue()) == output.sha256


def _recomputed(config: Config, store: BookStore, version: Version, claim: Claim) -> Iterator[BooksFinding]:
    """The statement from its inputs, as it was reviewed."""
    try:
        again = recompute(config, store, claim)
    except WattledgerError as error:
        yield BooksFinding(Level.FAIL, "recompute", _name(version), error.sentence, error.remedy)
        return
    # What others counted is no input: it is told as it was when the month was reviewed.
    again = replace(again, reconciliation=statement_of(store, version).reconciliation)
    if draft_of(again).sha256 == claim.statement_sha256:
        return
    what = _first_difference(statement_of(store, version), again)
    yield _differs("recompute", version, claim, f"Made again from its inputs it has other {what}.")


def recompute(config: Config, store: BookStore, claim: Claim) -> Statement:
    """A closed month from its sealed inputs and options. Raises WattledgerError."""
    with tempfile.TemporaryDirectory(prefix="wattledger-") as contracts:
        statement = compose(
            with_options(config, claim, Path(contracts)),
            SealedInputs(store, claim),
            claim.month,
            as_of_s=claim.as_of_s,
            group_by=claim.group_by,
            filters=claim.filters,
            version=claim.version,
            status=Status.CLOSED,
            hash_inputs=True,
        )
    posted = [posting_of(store, name) for name in claim.corrections]
    corrections = tuple(each for one in posted for each in by_group(one, claim.group_by))
    return replace(with_trend(config, store, statement, recorded=claim.inputs), corrections=corrections)


def _first_difference(one: Statement, other: Statement) -> str:
    """The names of the parts that differ, the amounts first."""
    names = ("total", "rows", *(name for name in Statement.__slots__ if name not in {"total", "rows"}))
    ignored = {"status", "statement_id", "preparer", "approver", "checks"}
    one = replace(one, method=one.method[: len(other.method)])  # closing adds who approved it
    differing = [name for name in names if name not in ignored and _plain(one, name) != _plain(other, name)]
    return some(differing) or "bytes"


def _plain(statement: Statement, name: str) -> object:
    return msgspec.to_builtins(getattr(statement, name))


def _differs(check: str, version: Version, claim: Claim, message: str) -> BooksFinding:
    """Another version of wattledger may write other bytes; the same one must not."""
    if claim.software != __version__:
        remedy = f"It was sealed by wattledger {claim.software}; this is {__version__}. Verify it with that version."
        return BooksFinding(Level.WARN, check, _name(version), message, remedy)
    remedy = "Keep the books as they are and report this as a bug of wattledger."
    return BooksFinding(Level.FAIL, check, _name(version), message, remedy)


def _name(version: Version) -> str:
    return f"{version.month} v{version.number}"


def is_ok(findings: Iterable[BooksFinding]) -> bool:
    return all(each.level is not Level.FAIL for each in findings)
