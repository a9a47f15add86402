"""What was known about a factor, and when: records that are only ever added.

Rules of this file:
1. A factor has an identity (``factor_id``) and any number of records; a corrected value is a new record that names the
   one before it. Nothing is changed, nothing is taken away.
2. ``valid_from_s`` and ``valid_to_s`` say when a value holds in the world, ``recorded_at_s`` since when it is known
   here. A question as of an instant sees what was recorded up to that instant, and never what came later.
3. A value that its source takes back is superseded by a record without one.
4. Reading the same thing again is no news. What differs from reading to reading (the address with the range that was
   asked for, the checksum of the answer, when it was read or last touched at the source) does not make a value new.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from tracker.core.factors import ESTIMATED, MEASURED, PROFILE, FactorRow

_OF_HOURS = (MEASURED, ESTIMATED, PROFILE)


@dataclass(frozen=True, slots=True)
class FactorRecord:
    """A row and when it was learnt (UTC seconds). ``number`` grows with every record of a store; ``supersedes`` is the
    number of the record of the same ``factor_id`` before it, None for the first."""

    row: FactorRow
    recorded_at_s: int
    number: int
    supersedes: int | None = None


def is_news(newest: FactorRecord | None, row: FactorRow) -> bool:
    """Whether ``row`` says something that the newest record of its factor_id does not say. That an interval has no
    value is news where it had one: its source takes that back."""
    if newest is None:
        return row.value_printed != "" or row.quality_tier not in _OF_HOURS
    if row.value_printed == newest.row.value_printed == "":
        return False
    return not same_content(newest.row, row)


def is_news_from_elsewhere(history: Iterable[FactorRecord], row: FactorRow) -> bool:
    """Whether to add a row out of a file that may be old. ``history``: all records of its factor_id.

    What was read at the source last counts: a value that is back to what it was before is news, one that was read
    before the newest record is none. The same value read later is added too: from now on, what was read in between is
    old. Where nobody says when it was read, whatever was said before is no news.
    """
    known = sorted(history, key=lambda record: record.number)
    if not known:
        return True
    known_s, fetched_s = known[-1].row.origin.fetched_at_s, row.origin.fetched_at_s
    if known_s is None or fetched_s is None:
        return not any(same_content(record.row, row) for record in known)
    if fetched_s == known_s:
        same_second = (record for record in known if record.row.origin.fetched_at_s == fetched_s)
        return not any(same_content(record.row, row) for record in same_second)
    return fetched_s > known_s


def same_content(one: FactorRow, other: FactorRow) -> bool:
    """Equal in everything that does not differ from reading to reading (rule 4)."""
    return one == other or _content(one) == _content(other)


def _content(row: FactorRow) -> FactorRow:
    return replace(row, origin=replace(row.origin, endpoint="", fetched_at_s=None, updated_at_s=None, raw_sha256=""))


def other_identity(known: FactorRow, row: FactorRow) -> str:
    """What ``known`` is a factor of, where ``row`` with its factor_id is one of something else; "" where both are the
    same one's. The id of an interval of hours is made by this program and says what it is: of those the zone counts."""
    if known.zone == row.zone and (
        (known.quality_tier in _OF_HOURS and row.quality_tier in _OF_HOURS) or _kind(known) == _kind(row)
    ):
        return ""
    period = f"{_day(known.valid_from_s)} to {_day(known.valid_to_s)}" if known.valid_to_s else "undated"
    return f"{known.zone} ({known.factor_type}, {known.basis}, {period})"


def _kind(row: FactorRow) -> tuple[object, ...]:
    return row.factor_type, row.basis, row.valid_from_s, row.valid_to_s


def _day(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).date().isoformat()


def best_known(records: Iterable[FactorRecord], as_of_s: int | None = None) -> tuple[FactorRecord, ...]:
    """The newest record of each factor_id among those of one store that were recorded up to ``as_of_s`` (None: all), in
    the order of the intervals. Of two that were recorded in one second the higher number is the newer."""
    return _newest(records, as_of_s, _age)


def read_last(records: Iterable[FactorRecord], as_of_s: int | None = None) -> tuple[FactorRecord, ...]:
    """The same of records out of many stores: of each factor_id the one that was read at the source last. A store
    learns late what comes in a file. What does not say when it was read was read when it was recorded."""
    return _newest(records, as_of_s, _reading)


def _newest(
    records: Iterable[FactorRecord], as_of_s: int | None, age: Callable[[FactorRecord], tuple[int, ...]]
) -> tuple[FactorRecord, ...]:
    newest: dict[str, FactorRecord] = {}
    for record in records:
        if as_of_s is not None and record.recorded_at_s > as_of_s:
            continue
        best = newest.get(record.row.factor_id)
        if best is None or age(record) > age(best):
            newest[record.row.factor_id] = record
    return tuple(sorted(newest.values(), key=_place))


def lineage(record: FactorRecord, history: Iterable[FactorRecord]) -> tuple[FactorRecord, ...]:
    """``record`` and what it took the place of, back to the first value that was known. A value that was only read once
    more took the place of nothing: of neighbours that say the same, the one that said it first is here. A record that
    is missing in ``history`` ends the chain."""
    by_number = {each.number: each for each in history}
    chain, at = [record], record
    while at.supersedes is not None and at.supersedes < at.number and at.supersedes in by_number:
        at = by_number[at.supersedes]
        if same_content(at.row, chain[-1].row):
            chain.pop()
        chain.append(at)
    return tuple(chain)


def next_record(newest: FactorRecord | None, row: FactorRow, recorded_at_s: int, number: int) -> FactorRecord:
    """The record that ``row`` becomes behind the newest one of its factor_id. A clock that stepped back does not put it
    before what it supersedes."""
    if newest is None:
        return FactorRecord(row, recorded_at_s, number)
    return FactorRecord(row, max(recorded_at_s, newest.recorded_at_s), number, newest.number)


def _age(record: FactorRecord) -> tuple[int, ...]:
    return record.recorded_at_s, record.number


def _reading(record: FactorRecord) -> tuple[int, ...]:
    fetched_at_s = record.row.origin.fetched_at_s
    return record.recorded_at_s if fetched_at_s is None else fetched_at_s, *_age(record)


def _place(record: FactorRecord) -> tuple[str, int, int, str]:
    row = record.row
    return row.zone, row.valid_from_s, row.valid_to_s, row.factor_id
