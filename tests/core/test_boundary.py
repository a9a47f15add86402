"""The scope and category of every part, by who controls the hardware."""

from __future__ import annotations

import pytest

from tracker.core.boundary import COLO_OVERHEADS, Booked, Control, Part, booked_as


@pytest.mark.parametrize(
    ("control", "electricity", "overhead", "supply", "hardware"),
    [
        (Control.OWNED, (2, None), (2, None), (3, 3), (3, 2)),
        (Control.COLO, (2, None), (2, None), (3, 3), (3, 2)),
        (Control.LEASED, (2, None), (2, None), (3, 3), (3, 8)),
        (Control.CLOUD, (3, 1), (3, 1), (3, 1), (3, 1)),
    ],
)
def test_who_books_what(
    control: Control,
    electricity: tuple[int, int | None],
    overhead: tuple[int, int | None],
    supply: tuple[int, int | None],
    hardware: tuple[int, int | None],
) -> None:
    """Energy of a cloud instance is not one's own Scope 2."""
    parts = (Part.IT_ELECTRICITY, Part.OVERHEAD, Part.ENERGY_SUPPLY, Part.HARDWARE)
    booked = [booked_as(control, part) for part in parts]
    assert booked == [Booked(*place) for place in (electricity, overhead, supply, hardware)]


def test_a_lease_without_operational_control_is_category_8() -> None:
    assert {booked_as(Control.LEASED, part, operational_control=False) for part in Part} == {Booked(3, 8)}


@pytest.mark.parametrize("overhead", COLO_OVERHEADS)
def test_the_overhead_of_a_colocation_follows_its_contract(overhead: Booked) -> None:
    assert booked_as(Control.COLO, Part.OVERHEAD, colo_overhead=overhead) == overhead
    assert booked_as(Control.COLO, Part.IT_ELECTRICITY, colo_overhead=overhead) == Booked(2)


def test_another_place_for_the_overhead_is_refused() -> None:
    with pytest.raises(ValueError, match="by contract"):
        booked_as(Control.COLO, Part.OVERHEAD, colo_overhead=Booked(3, 3))
