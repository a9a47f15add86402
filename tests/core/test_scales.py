"""What is about to be booked is weighed by factors that the ledger can point to."""

from __future__ import annotations

from dataclasses import replace

from tracker.core.amortising import EmbodiedRates
from tracker.core.model import Entry, Factor, Kind, Method, UnweighedEntry, Workload
from tracker.core.scales import LOCATION, Scales, Weights
from tracker.core.units import SLOT_S, UJ_PER_KWH

HOUR = 3600
T = 1_790_000_000 // HOUR * HOUR
WORK = Workload("pod/a", Kind.POD)
FIRST = Factor(
    factor_id="rte:FR:direct:T",
    zone="FR",
    intensity_mg_per_kwh=30_000,
    factor_type="direct",
    basis=LOCATION,
    tier=1,
    provider="rte",
    source="RTE",
    valid_from_s=T,
    recorded_at_s=T,
    valid_to_s=T + HOUR,
)


def used(slot_start_s: int) -> Entry:
    return Entry(slot_start_s, "GPU-0", WORK, Method.MEASURED, UJ_PER_KWH, 0, 1000)


class Revised:
    """The hour has another value from the second question on: another thread has read the store in between."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, at_s: int) -> Factor:
        self.asked += 1
        return FIRST if self.asked == 1 else replace(FIRST, intensity_mg_per_kwh=40_000, recorded_at_s=at_s)


def booked(weights: Weights) -> set[tuple[int, int | None]]:
    """µg of each row, and what its factor says for the kWh in it."""
    return {
        (row.emissions_ug, weights.factors[row.factor_id, row.basis].intensity_mg_per_kwh) for row in weights.emissions
    }


def test_p7_a_value_that_is_revised_while_a_booking_is_made_waits_for_the_next_one() -> None:
    """Every gram points to a factor (P7): with two values of one name, one of them would point to the other's."""
    scales = Scales({LOCATION: Revised()}, lambda _: 1000, EmbodiedRates(), {})
    assert booked(scales.weigh([used(T), used(T + SLOT_S)], {}, T)) == {(30_000_000, 30_000)}
    assert booked(scales.weigh([used(T + 2 * SLOT_S)], {}, T)) == {(40_000_000, 40_000)}


def test_so_does_one_that_is_revised_before_what_waited_is_weighed() -> None:
    scales = Scales({LOCATION: Revised()}, lambda _: 1000, EmbodiedRates(), {LOCATION: [T]})
    weights = scales.weigh([used(T + SLOT_S)], {}, T)
    waits = {T: (UnweighedEntry(T, WORK, LOCATION, UJ_PER_KWH),)}
    scales.weigh_late(weights, T + SLOT_S, lambda slot_start_s, _: waits.get(slot_start_s, ()))
    assert [row.late_of_s for row in weights.emissions] == [None, T]
    assert booked(weights) == {(30_000_000, 30_000)}
