"""What was known about a factor, and when: records that are only ever added.

Rules of this file:
1. A factor has an identity (``factor_id``) and any number of records; a corrected value is a new record that names the
   one before it. Nothing is changed, nothing is taken away.
2. ``valid_from_s`` and ``valid_to_s`` say when a value holds in the world, ``recorded_at_s`` since when it is known
   here. A question as of an instant sees what was recorded up to that instant, and never what came later.
3. Reading the same thing again is no news. What differs from reading to reading (the address with the range that was
   asked for, the checksum of the answer, when it was read or last touched at the source) does not make a value new.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from tracker.core.factors import FactorRow


@dataclass(frozen=True, slots=True)
class FactorRecord:
    """A row and when it was learnt (UTC seconds). ``number`` grows with every record of a store; ``supersedes`` is the
    number of the record of the same ``factor_id`` before it, None for the first."""

    row: FactorRow
    recorded_at_s: int
    number: int
    supersedes: int | None = None


def is_news(newest: FactorRecord | None, row: FactorRow) -> bool:
    """Whether ``row`` says something that the newest record of its factor_id does not say."""
    return newest is None or not same_content(newest.row, row)


def is_news_from_elsewhere(history: Iterable[FactorRecord], row: FactorRow) -> bool:
    """The same for a row out of a file that may be old: what was said before, or read at the source before the newest
    record was, must not undo what was learnt since. ``history``: all records of its factor_id."""
    newest = None
    for record in history:
        if same_content(record.row, row):
            return False
        newest = record if newest is None or record.number > newest.number else newest
    if newest is None:
        return True
    known_s, fetched_s = newest.row.origin.fetched_at_s, row.origin.fetched_at_s
    return known_s is None or fetched_s is None or fetched_s >= known_s


def same_content(one: FactorRow, other: FactorRow) -> bool:
    """Equal in everything that does not differ from reading to reading (rule 3)."""
    return one == other or _content(one) == _content(other)


def _content(row: FactorRow) -> FactorRow:
    return replace(row, origin=replace(row.origin, endpoint="", fetched_at_s=None, updated_at_s=None, raw_sha256=""))


def best_known(records: Iterable[FactorRecord], as_of_s: int | None = None) -> tuple[FactorRecord, ...]:
    """The newest record of each factor_id among those recorded up to ``as_of_s`` (None: all), in the order of the
    intervals. Of two that were recorded in one second the higher number is the newer."""
    newest: dict[str, FactorRecord] = {}
    for record in records:
        if as_of_s is not None and record.recorded_at_s > as_of_s:
            continue
        best = newest.get(record.row.factor_id)
        if best is None or _age(record) > _age(best):
            newest[record.row.factor_id] = record
    return tuple(sorted(newest.values(), key=_place))


def superseded(record: FactorRecord, history: Iterable[FactorRecord]) -> tuple[FactorRecord, ...]:
    """What ``record`` took the place of, the one just before it first, back to the first value that was known.
    A record that is missing in ``history`` ends the chain."""
    by_number = {each.number: each for each in history}
    chain: list[FactorRecord] = []
    at = record
    while at.supersedes is not None and at.supersedes < at.number and at.supersedes in by_number:
        at = by_number[at.supersedes]
        chain.append(at)
    return tuple(chain)


def next_record(newest: FactorRecord | None, row: FactorRow, recorded_at_s: int, number: int) -> FactorRecord:
    """The record that ``row`` becomes behind the newest one of its factor_id. A clock that stepped back does not put it
    before what it supersedes."""
    if newest is None:
        return FactorRecord(row, recorded_at_s, number)
    return FactorRecord(row, max(recorded_at_s, newest.recorded_at_s), number, newest.number)


def _age(record: FactorRecord) -> tuple[int, int]:
    return record.recorded_at_s, record.number


def _place(record: FactorRecord) -> tuple[str, int, int, str]:
    row = record.row
    return row.zone, row.valid_from_s, row.valid_to_s, row.factor_id
