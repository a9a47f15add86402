"""What a node weighs with is what is known now: a value that was taken back is not."""

from __future__ import annotations

from tests.grid.hours import HOUR_S, NOON_S, hour
from tracker.core.known import FactorRecord
from tracker.grid.learnt import learnt_from


def test_a_value_that_its_source_took_back_weighs_nothing_from_then_on() -> None:
    """Nor does it stand in as the newest one for a later time."""
    before = learnt_from([FactorRecord(hour(0, "60"), NOON_S, 1), FactorRecord(hour(1, "999"), NOON_S, 2)])
    assert [row.value_printed for row in before.near(NOON_S + HOUR_S)] == ["999", "999"]
    now = learnt_from([FactorRecord(hour(0, "60"), NOON_S, 1), FactorRecord(hour(1, ""), NOON_S + 9, 3, 2)])
    assert [row.value_printed for row in now.near(NOON_S + HOUR_S)] == ["60"]
