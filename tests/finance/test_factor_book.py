"""What the books know of a factor, out of what many nodes have said about it."""

from __future__ import annotations

from dataclasses import replace

from tests.grid.hours import NOON_S, hour
from tracker.core.factors import Choice, NoFactor
from tracker.core.known import FactorRecord
from tracker.finance.factors import Policy, factor_book

TIERS = {"FR": Policy((1, 2, 4, 5))}


def test_an_old_bundle_that_a_node_imported_late_changes_nothing_in_the_books() -> None:
    """60 corrected 50 at its source. That somebody learnt of 50 only afterwards makes it no newer."""
    row = hour(0)
    new = replace(row, value_printed="60", origin=replace(row.origin, fetched_at_s=NOON_S + 7200))
    old = replace(row, value_printed="50", origin=replace(row.origin, fetched_at_s=NOON_S + 3600))
    records = [FactorRecord(new, NOON_S + 7200, 1), FactorRecord(old, NOON_S + 90_000, 1)]
    (answer,) = factor_book((), records, TIERS, NOON_S + 100_000).hourly("FR", NOON_S)
    assert isinstance(answer, Choice)
    assert (answer.row.value_printed, factor_book((), records, TIERS, 2**40).since(answer.row)) == ("60", NOON_S + 7200)


def test_a_value_that_its_source_took_back_weighs_nothing() -> None:
    """The next tier stands in; what was known before it was taken back still answers a question as of then."""
    row = hour(0)
    gone = replace(row, value_printed="", origin=replace(row.origin, fetched_at_s=NOON_S + 7200))
    records = [FactorRecord(row, NOON_S + 3600, 1), FactorRecord(gone, NOON_S + 7200, 1)]
    (now,) = factor_book((), records, TIERS, NOON_S + 7200).hourly("FR", NOON_S)
    (before,) = factor_book((), records, TIERS, NOON_S + 7199).hourly("FR", NOON_S)
    assert isinstance(now, NoFactor)
    assert isinstance(before, Choice)
