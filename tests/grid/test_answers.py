"""What a service may answer in the place of a value or a time."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tracker.grid.answers import instant_s, printed
from tracker.grid.interface import BadAnswer


@pytest.mark.parametrize("value", ["-0.1", "2000.1", "NaN", "Infinity", "1e400", "0." + "1" * 90])
def test_no_grid_has_such_a_value(value: str) -> None:
    with pytest.raises(BadAnswer, match="no grid has"):
        printed("The service", Decimal(value), "g/kWh")


def test_a_value_is_kept_as_it_was_printed() -> None:
    assert printed("The service", Decimal("430.10"), "lb/MWh") == "430.10"
    assert printed("The service", 0, "g/kWh") == "0"


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-10-03T14:00:00", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00"]
)
def test_it_says_no_instant(text: str) -> None:
    with pytest.raises(BadAnswer, match="says no instant"):
        instant_s("The service", text)


def test_offsets_are_counted() -> None:
    assert instant_s("The service", "2026-10-25T02:30:00+02:00") == 1_792_888_200
    assert instant_s("The service", "2026-10-25T02:30:00+01:00") == 1_792_888_200 + 3600
