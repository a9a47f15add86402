"""One broken promise of the ledger, and how a check hands over the first of many."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass

from tracker.core.model import Level

#: Places shown for each kind of failure.
SHOWN = 20

BUG = "Keep a copy of the ledger and report this as a bug of wattledger."
TAMPERED = (
    "Keep a copy of the ledger and check the disk (kernel log); if it is sound, something else wrote into the file."
)


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """One broken promise. ``slot_start_s`` None and ``device`` "": it concerns the whole ledger or a workload."""

    level: Level
    check: str
    message: str
    remedy: str
    slot_start_s: int | None = None
    device: str = ""


Check = Callable[[sqlite3.Connection], list[AuditFinding]]


def places(
    connection: sqlite3.Connection, statement: str, to_finding: Callable[..., AuditFinding]
) -> list[AuditFinding]:
    """The first rows of a statement as findings, and a note if there are more. Raises sqlite3.Error."""
    rows = connection.execute(f"{statement} LIMIT {SHOWN + 1}").fetchall()
    findings = [to_finding(*row) for row in rows[:SHOWN]]
    if len(rows) > SHOWN:
        last = findings[-1]
        note = f"There are more places like these; the first {SHOWN} are shown."
        findings.append(AuditFinding(last.level, last.check, note, last.remedy))
    return findings


def utc(time_s: int) -> str:
    """The time for people; a number that is no time as it is."""
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time_s))
    except (OverflowError, ValueError, OSError):
        return str(time_s)
