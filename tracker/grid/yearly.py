"""Yearly factors that somebody brought in (``wattledger grid import``) beside those of the tables that ship."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tracker.core.chain import INTERVAL_TIERS
from tracker.core.factors import FactorRow
from tracker.core.known import FactorRecord
from tracker.grid.shipped import collected_s


def is_yearly(row: FactorRow) -> bool:
    """Whether it stands beside tables: official and generic averages, the world's, residual mixes."""
    return row.quality_tier not in INTERVAL_TIERS


def with_learnt(tables: Iterable[FactorRow], records: Iterable[FactorRecord]) -> Iterator[FactorRow]:
    """The yearly factors among ``records`` and those of ``tables``, of each factor_id the one that was read last. Those
    of the records come first: where two are of one tier, place and period, what somebody brought in counts. One that
    was taken back (a record without a value) is as if it had never been brought in: the tables say what holds."""
    learnt = {record.row.factor_id: record for record in records if is_yearly(record.row) and record.row.value_printed}
    if not learnt:
        yield from tables  # one at a time: a daemon keeps those of its own zone
        return
    shipped = list(tables)
    newer = {row.factor_id for row in shipped if row.factor_id in learnt and _is_newer(row, learnt[row.factor_id])}
    yield from (record.row for factor_id, record in learnt.items() if factor_id not in newer)
    yield from (row for row in shipped if row.factor_id not in learnt or row.factor_id in newer)


def _is_newer(shipped: FactorRow, record: FactorRecord) -> bool:
    read_s = record.row.origin.fetched_at_s
    return collected_s(shipped) > (record.recorded_at_s if read_s is None else read_s)
