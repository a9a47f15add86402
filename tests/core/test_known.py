"""What is known about a factor only grows, and a question as of an instant never sees what came later."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.core.thorough import thorough
from tracker.core.factors import Basis, FactorRow, FactorType, Origin, Scheme
from tracker.core.known import (
    FactorRecord,
    best_known,
    is_news,
    is_news_from_elsewhere,
    lineage,
    next_record,
    read_last,
)

HOUR = 1_790_002_800  # 2026-09-21T15:00:00Z


def row(factor_id: str = "a", value: str = "56", fetched_at_s: int | None = HOUR, **other: object) -> FactorRow:
    base = FactorRow(
        factor_id=factor_id,
        zone="FR",
        zone_printed="FR",
        zone_system="em",
        value_printed=value,
        unit_printed="g/kWh",
        gases="CO2e",
        factor_type=FactorType.DIRECT,
        basis=Basis.CONSUMPTION,
        scheme=Scheme.AVERAGE,
        quality_tier=1,
        valid_from_s=HOUR,
        valid_to_s=HOUR + 3600,
        edition="v4",
        data_year="2026",
        publisher="somebody",
        source_ref="history",
        licence="contract",
        origin=Origin("electricitymaps", "https://x.test/history?to=15", fetched_at_s=fetched_at_s, raw_sha256="aa"),
    )
    return replace(base, **other)  # type: ignore[arg-type] # fields of FactorRow


#: (factor_id, value, when it was read); clocks step back.
Readings = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["56", "57", "57.0"]), st.integers(0, 50)))
Instants = st.integers(-1, 60)


def learn(readings: list[tuple[str, str, int]], known: tuple[FactorRecord, ...] = ()) -> tuple[FactorRecord, ...]:
    """What a store does with every reading, in order."""
    records = list(known)
    for factor_id, value, at_s in readings:
        read = row(factor_id, value, at_s)
        newest = next((each for each in reversed(records) if each.row.factor_id == factor_id), None)
        if is_news(newest, read):
            records.append(next_record(newest, read, at_s, len(records) + 1))
    return tuple(records)


@thorough
@given(readings=Readings, as_of_s=Instants)
def test_an_answer_as_of_an_instant_never_sees_the_future(readings: list[tuple[str, str, int]], as_of_s: int) -> None:
    records = learn(readings)
    answer = best_known(records, as_of_s)
    assert all(record.recorded_at_s <= as_of_s for record in answer)
    assert answer == best_known([each for each in records if each.recorded_at_s <= as_of_s])


@thorough
@given(readings=Readings, later=Readings, as_of_s=st.integers(0, 50))
def test_what_is_learnt_later_does_not_change_what_was_known(
    readings: list[tuple[str, str, int]], later: list[tuple[str, str, int]], as_of_s: int
) -> None:
    """An answer for an audit is the same today and in a year."""
    cut = [(factor_id, value, min(at_s, as_of_s)) for factor_id, value, at_s in readings]
    behind = [(factor_id, value, at_s + as_of_s + 1) for factor_id, value, at_s in later]
    records = learn(cut)
    assert best_known(learn(behind, records), as_of_s) == best_known(records, as_of_s) == best_known(records)


@thorough
@given(readings=Readings)
def test_a_later_value_supersedes_and_never_overwrites(readings: list[tuple[str, str, int]]) -> None:
    for count in range(len(readings)):
        before, after = learn(readings[:count]), learn(readings[: count + 1])
        assert after[: len(before)] == before
    records = learn(readings)
    for record in best_known(records):
        mine = [each for each in records if each.row.factor_id == record.row.factor_id]
        assert record == mine[-1]
        assert lineage(record, records) == tuple(reversed(mine))
        assert record.row.value_printed == next(v for f, v, _ in reversed(readings) if f == record.row.factor_id)


@thorough
@given(readings=Readings, at_s=st.integers(0, 99))
def test_reading_it_all_again_changes_nothing(readings: list[tuple[str, str, int]], at_s: int) -> None:
    records = learn(readings)
    again = [(each.row.factor_id, each.row.value_printed, at_s) for each in best_known(records)]
    assert learn(again, records) == records


def test_the_order_is_that_of_the_intervals_and_ties_go_to_the_later_number() -> None:
    second, first = row("z", valid_from_s=HOUR - 3600, valid_to_s=HOUR), row("b")
    records = [FactorRecord(first, 7, 1), FactorRecord(row("b", "58"), 7, 3, 1), FactorRecord(second, 7, 2)]
    assert [each.number for each in best_known(records)] == [2, 3]
    assert [each.number for each in best_known(records, 6)] == []


def test_how_and_when_it_was_read_is_no_news() -> None:
    """An hour that is read again in another range would otherwise be another correction every half an hour."""
    known = FactorRecord(row(), HOUR, 1)
    again = Origin(
        "electricitymaps", "https://x.test/history?to=16", fetched_at_s=HOUR + 1800, updated_at_s=HOUR, raw_sha256="bb"
    )
    assert not is_news(known, row(origin=again))
    assert is_news(known, row(origin=replace(again, is_estimated=True)))
    assert is_news(known, row(value="57"))
    assert is_news(known, row(value="56.0"))  # printed otherwise
    assert is_news(known, row(unit_printed="kg/MWh"))
    assert is_news(known, row(quality_tier=2))
    assert is_news(None, row())


def test_a_value_that_is_taken_back_is_news_and_one_that_never_was_is_none() -> None:
    """Services list hours before they know them: each would be a record."""
    known, gone = FactorRecord(row(), HOUR, 1), FactorRecord(row(value=""), HOUR, 2, 1)
    assert is_news(known, row(value=""))
    assert is_news(gone, row())
    assert not is_news(gone, row(value="", quality_tier=2))
    assert not is_news(None, row(value=""))
    assert is_news(None, row(value="", quality_tier=4)), "a table says so by rule"


def test_a_file_that_is_old_does_not_undo_what_was_learnt_since() -> None:
    first = FactorRecord(row(value="56", fetched_at_s=10), 10, 1)
    second = FactorRecord(row(value="57", fetched_at_s=20), 20, 2, 1)
    assert not is_news_from_elsewhere([first, second], row(value="56", fetched_at_s=10))  # superseded already
    assert not is_news_from_elsewhere([second, first], row(value="55", fetched_at_s=19))  # read before
    assert is_news_from_elsewhere([first, second], row(value="58", fetched_at_s=20))
    assert not is_news_from_elsewhere([first, second], row(value="57", fetched_at_s=20))  # imported again
    assert is_news_from_elsewhere([], row())


def test_a_value_that_is_back_to_what_it_was_comes_in_from_a_file() -> None:
    """50, then 60, then 50 again: a machine without a network would have weighed with 60 for ever."""
    known = [
        FactorRecord(row(value="50", fetched_at_s=10), 11, 1),
        FactorRecord(row(value="60", fetched_at_s=20), 21, 2, 1),
    ]
    assert is_news_from_elsewhere(known, row(value="50", fetched_at_s=30))


def test_where_nobody_says_when_it_was_read_what_was_said_before_is_no_news() -> None:
    first = FactorRecord(row(value="56", fetched_at_s=None), 10, 1)
    second = FactorRecord(row(value="57", fetched_at_s=20), 20, 2, 1)
    assert not is_news_from_elsewhere([first, second], row(value="56", fetched_at_s=None))
    assert is_news_from_elsewhere([first, second], row(value="58", fetched_at_s=None))
    assert not is_news_from_elsewhere([first], row(value="56", fetched_at_s=30))


def test_of_many_stores_what_was_read_at_the_source_last_counts() -> None:
    """A node that imports an old bundle late learns late what is old: the books would fall back to it."""
    old, new = row(value="50", fetched_at_s=10), row(value="60", fetched_at_s=20)
    records = [FactorRecord(new, 21, 1), FactorRecord(old, 99, 1)]
    assert [each.row.value_printed for each in best_known(records)] == ["50"]
    assert [each.row.value_printed for each in read_last(records)] == ["60"]
    assert read_last(records, 20) == ()
    silent = FactorRecord(row(value="70", fetched_at_s=None), 15, 1)
    assert [each.row.value_printed for each in read_last([silent, *records])] == ["60"]
    assert [each.row.value_printed for each in read_last([silent, records[1]])] == ["70"]


def test_a_clock_that_stepped_back_records_no_past() -> None:
    known = FactorRecord(row(), 500, 4)
    assert next_record(known, row(value="57"), 100, 9) == FactorRecord(row(value="57"), 500, 9, 4)
    assert next_record(None, row(), 100, 1) == FactorRecord(row(), 100, 1, None)


def test_the_chain_of_what_was_superseded_ends() -> None:
    """With the newest first; also where the history has holes or points to itself."""
    one, two = FactorRecord(row(value="1"), 1, 1), FactorRecord(row(value="2"), 2, 5, 1)
    three = FactorRecord(row(value="3"), 3, 9, 5)
    assert lineage(three, [one, two, three]) == (three, two, one)
    assert lineage(three, [one, three]) == (three,)
    assert lineage(one, [one]) == (one,)
    loop = FactorRecord(row(), 1, 1, 1)
    assert lineage(loop, [loop]) == (loop,)


def test_a_value_that_was_only_read_once_more_is_known_since_it_was_first_read() -> None:
    one, again = FactorRecord(row(value="1"), 1, 1), FactorRecord(row(value="1", fetched_at_s=HOUR + 9), 2, 2, 1)
    two, once_more = (
        FactorRecord(row(value="2"), 3, 3, 2),
        FactorRecord(row(value="2", fetched_at_s=HOUR + 10), 4, 4, 3),
    )
    assert lineage(once_more, [one, again, two, once_more]) == (two, one)
