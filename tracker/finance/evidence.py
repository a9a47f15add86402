"""What the conditions for closing look at beside the statement: gathered from the books and the configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tracker.books.audit import audit_lake
from tracker.books.finding import BooksFinding
from tracker.books.interface import BookStore
from tracker.books.names import LakeFile, parse_name, prefixes
from tracker.config import Config
from tracker.config.pue import midnight_s, zone_of
from tracker.core.conditions import Evidence
from tracker.core.model import Level
from tracker.core.statement import Period, Statement

#: Checks of the audit that are a condition of their own.
_OF_OVERLAP = {"overlap", "conflict"}

Tell = Callable[[int, int, str], object]


def evidence_of(config: Config, store: BookStore, statement: Statement, now_s: int, tell: Tell) -> Evidence:
    """Raises BooksUnavailable, and UsageError for a time zone that is not known here."""
    period = statement.period
    audit = audit_lake(store, as_of_s=now_s, start_s=period.start_s, end_s=period.end_s, tell=tell)
    broken = [each for each in audit.findings if each.level is Level.FAIL]
    return Evidence(
        unshipped=_unshipped(config, store, statement),
        conflicts=tuple(_subject(each) for each in broken if each.check in _OF_OVERLAP and _concerns(each, period)),
        findings=tuple(f"{each.check} {_subject(each)}" for each in broken if each.check not in _OF_OVERLAP),
    )


def _subject(finding: BooksFinding) -> str:
    return finding.subject or finding.message


def _concerns(finding: BooksFinding, period: Period) -> bool:
    """Files that nodes could not ship (conflicts/<name>) are listed for all months."""
    file = parse_name(finding.subject.removeprefix("conflicts/"))
    return file is None or (file.start_s < period.end_s and period.start_s < file.end_s)


def _unshipped(config: Config, store: BookStore, statement: Statement) -> tuple[str, ...]:
    """Nodes that were expected in the month and whose files end before it does."""
    period, zone = statement.period, zone_of(config.books.timezone)
    until_s: dict[str, int] = {}
    for file in _shipped(store, period):
        until_s[file.hostname] = max(file.end_s, until_s.get(file.hostname, 0))
    missing = []
    for line in statement.coverage:
        retired = config.books.retired.get(line.hostname)
        last_s = period.end_s if retired is None else min(period.end_s, midnight_s(retired, zone))
        if line.expected_h and until_s.get(line.hostname, 0) < last_s:
            missing.append(line.hostname)
    return tuple(sorted(set(missing)))


def _shipped(store: BookStore, period: Period) -> Iterable[LakeFile]:
    for prefix in prefixes("coverage", period.start_s, period.end_s):
        for name, size_bytes in store.names(prefix):
            file = parse_name(name, size_bytes)
            if file is not None and file.start_s < period.end_s:
                yield file
