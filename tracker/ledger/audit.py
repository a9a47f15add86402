"""``wattledger verify`` on a node: prove the ledger's promises, or say exactly where one is broken.

Read-only, within one read transaction, beside a running daemon. The checks are SQL that scans and groups; Python sees
only the places that fail, and at most ``SHOWN`` of each kind.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from tracker.core.model import Level
from tracker.ledger.check_rows import booked_time, ranges, references, structure
from tracker.ledger.check_time import SPANS, held_time, plausible, unexplained
from tracker.ledger.check_totals import conservation, totals
from tracker.ledger.check_weights import weighed, weighed_late
from tracker.ledger.failures import is_damage
from tracker.ledger.finding import AuditFinding, Check
from tracker.ledger.readonly import ask

__all__ = ["Audit", "AuditFinding", "audit"]

#: In this order: a later check may rely on what an earlier one has looked at.
CHECKS: tuple[Check, ...] = (
    structure,
    ranges,
    references,
    booked_time,
    weighed,
    weighed_late,
    totals,
    conservation,
    held_time,
    unexplained,
    plausible,
)

_COUNTS = """SELECT (SELECT count(*) FROM entry), (SELECT count(*) FROM gap), (SELECT count(*) FROM emission),
    (SELECT count(*) FROM device), (SELECT count(*) FROM workload), (SELECT count(*) FROM factor),
    (SELECT min(slot_start_s) FROM entry), (SELECT max(slot_start_s) FROM entry), booked_until_ms,
    (SELECT coalesce(sum(energy_uj), 0) FROM device_total), (SELECT coalesce(sum(energy_uj), 0) FROM workload_total)
    FROM head"""
_SIMULATED = "SELECT coalesce(sum(energy_uj), 0) FROM device_total WHERE method = 'simulated'"
_ASSUMED = "SELECT DISTINCT zone FROM factor WHERE assumed = 1 ORDER BY zone"
_PUES = "SELECT DISTINCT pue_permille FROM emission WHERE basis <> 'embodied' ORDER BY pue_permille"
_EMISSIONS = "SELECT basis, sum(emissions_ug) FROM emission_total GROUP BY basis"
_GAPS = "SELECT reason, sum(duration_ms) FROM gap_total GROUP BY reason"


@dataclass(frozen=True, slots=True)
class Audit:
    """What was found. Counts are rows; totals are what the ledger hands to a restarting daemon."""

    findings: tuple[AuditFinding, ...]
    emissions_ug: Mapping[str, int] = field(default_factory=dict)  # by basis
    gaps_ms: Mapping[str, int] = field(default_factory=dict)  # by reason
    entries: int = 0
    gaps: int = 0
    emissions: int = 0
    devices: int = 0
    workloads: int = 0
    factors: int = 0
    first_slot_s: int | None = None
    last_slot_s: int | None = None
    booked_until_ms: int | None = None
    energy_uj: int = 0  # by devices
    charged_energy_uj: int = 0  # by workloads
    simulated_uj: int = 0  # of energy_uj: invented by a demonstration
    assumed_zones: tuple[str, ...] = ()  # whose factors stand in where nobody said the zone
    pues_permille: tuple[int, ...] = ()  # that emissions were weighed with

    @property
    def ok(self) -> bool:
        return all(finding.level is not Level.FAIL for finding in self.findings)


def audit(path: Path) -> Audit:
    """Check everything. A damaged file is a finding, not an error. Raises LedgerUnavailable if it cannot be read."""
    return ask(path, _audit)


def _audit(connection: sqlite3.Connection) -> Audit:
    findings: list[AuditFinding] = []
    try:
        connection.execute(SPANS)
        for check in CHECKS:
            findings += check(connection)
        counts = connection.execute(_COUNTS).fetchone()
        emissions_ug = dict(connection.execute(_EMISSIONS))
        gaps_ms = dict(connection.execute(_GAPS))
        simulated_uj = connection.execute(_SIMULATED).fetchone()[0]
        zones, pues = (tuple(value for (value,) in connection.execute(query)) for query in (_ASSUMED, _PUES))
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        return Audit((*findings, _damaged(error)))
    whole = Audit(tuple(findings), emissions_ug, gaps_ms, *counts)
    return replace(whole, simulated_uj=simulated_uj, assumed_zones=zones, pues_permille=pues)


def _damaged(error: sqlite3.Error) -> AuditFinding:
    return AuditFinding(
        Level.FAIL,
        "structure",
        f"The file is damaged and cannot be read in full: {error}.",
        "Keep a copy, check the disk, and restart the daemon: it sets the file aside and begins a new one.",
    )
