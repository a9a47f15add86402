"""What the conditions for closing look at beside the statement: gathered from the books and the configuration."""

from __future__ import annotations

from collections.abc import Callable

from tracker.books.audit import audit_lake
from tracker.books.finding import BooksFinding
from tracker.books.interface import BookStore
from tracker.books.names import parse_name, select, shipped_until_s, without_entries
from tracker.config import Config
from tracker.config.pue import midnight_s, zone_of
from tracker.core.conditions import Evidence
from tracker.core.model import Level
from tracker.core.statement import Period, Statement

#: Checks of the audit that are a condition of their own: the conditions overlap and unshipped.
_OF_OVERLAP, _OF_SHIPPING = {"overlap", "conflict"}, {"entries"}

Tell = Callable[[int, int, str], object]


def evidence_of(config: Config, store: BookStore, statement: Statement, now_s: int, tell: Tell) -> Evidence:
    """Raises BooksUnavailable, and UsageError for a time zone that is not known here."""
    period = statement.period
    audit = audit_lake(store, as_of_s=now_s, start_s=period.start_s, end_s=period.end_s, tell=tell)
    broken = [each for each in audit.findings if each.level is Level.FAIL]
    others = (each for each in broken if each.check not in _OF_OVERLAP | _OF_SHIPPING)
    return Evidence(
        unshipped=_unshipped(config, statement),
        conflicts=tuple(_subject(each) for each in broken if each.check in _OF_OVERLAP and _concerns(each, period)),
        findings=tuple(f"{each.check} {_subject(each)}" for each in others),
    )


def _subject(finding: BooksFinding) -> str:
    return finding.subject or finding.message


def _concerns(finding: BooksFinding, period: Period) -> bool:
    """Files that nodes could not ship (conflicts/<name>) are listed for all months."""
    file = parse_name(finding.subject.removeprefix("conflicts/"))
    return file is None or (file.start_s < period.end_s and period.start_s < file.end_s)


def _unshipped(config: Config, statement: Statement) -> tuple[str, ...]:
    """Nodes that were expected in the month and whose files end before it does, or lack the energy of some hours. A
    file of coverage alone says that a node was read, and not what."""
    period, zone = statement.period, zone_of(config.books.timezone)
    files = [file for each in statement.inputs if (file := parse_name(each.name)) is not None]
    coverage, entries = (select(file for file in files if file.kind == kind).files for kind in ("coverage", "entries"))
    until_s = shipped_until_s(coverage, entries)
    missing = {
        hostname
        for (hostname, _), hours_s in without_entries(coverage, entries).items()
        if any(period.start_s <= hour_s < period.end_s for hour_s in hours_s)
    }
    for line in statement.coverage:
        retired = config.books.retired.get(line.hostname)
        last_s = period.end_s if retired is None else min(period.end_s, midnight_s(retired, zone))
        if line.expected_h and until_s.get(line.hostname, 0) < last_s:
            missing.add(line.hostname)
    return tuple(sorted(missing))
