"""What is known of a node's zone, so arranged that the value of an instant is found at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tracker.core.chain import LATEST, may_be_used
from tracker.core.factors import PROFILE, FactorRow
from tracker.core.known import FactorRecord

HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class Learnt:
    """Rows by the hours that they touch, the ``newest`` ones of each service, and since when each is known."""

    by_hour: Mapping[int, tuple[FactorRow, ...]] = field(default_factory=dict)
    newest: tuple[FactorRow, ...] = ()
    recorded_at_s: Mapping[str, int] = field(default_factory=dict)

    def near(self, at_s: int) -> tuple[FactorRow, ...]:
        """All that can weigh an instant."""
        return (*self.by_hour.get(at_s // HOUR_S, ()), *self.newest)

    def since(self, row: FactorRow) -> int | None:
        """None: it is of the tables."""
        return self.recorded_at_s.get(row.factor_id.removesuffix(LATEST))


def learnt_from(records: Iterable[FactorRecord]) -> Learnt:
    by_hour: dict[int, tuple[FactorRow, ...]] = {}
    newest: dict[str, list[FactorRow]] = {}
    recorded: dict[str, int] = {}
    for record in records:
        row = record.row
        if not may_be_used(row):
            continue
        recorded[row.factor_id] = record.recorded_at_s
        for hour in range(row.valid_from_s // HOUR_S, (row.valid_to_s - 1) // HOUR_S + 1):
            by_hour[hour] = (*by_hour.get(hour, ()), row)
        if row.quality_tier == PROFILE:  # it is known in advance, and of no service
            continue
        best = newest.setdefault(row.origin.provider, [])
        if best and best[0].valid_to_s < row.valid_to_s:
            best.clear()
        if not best or best[0].valid_to_s == row.valid_to_s:
            best.append(row)
    return Learnt(by_hour, tuple(row for rows in newest.values() for row in rows), recorded)
