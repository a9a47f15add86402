"""What energy weighs in carbon: exact integers, with the fraction that does not fit carried to the next booking.

    emissions_ug = energy_uj / (3.6e12 µJ/kWh) x intensity_mg_per_kwh x (pue_permille / 1000) x (1000 µg/mg)
                 = energy_uj x intensity_mg_per_kwh x pue_permille / 3.6e12

The two thousands cancel, so the only division is by ``UJ_PER_KWH``. Its remainder (in units of 1/3.6e12 µg) is handed
back to the caller, who passes it to the next call: however often a workload is booked, the sum of the parts is the
value of the sum, less a final remainder below 1 µg. The remainder keeps its unit when the factor or the PUE changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass

from tracker.core.model import EmissionEntry, Entry, Factor, Workload
from tracker.core.units import UJ_PER_KWH


@dataclass(frozen=True, slots=True)
class AnnualIntensity:
    """A yearly average of a country or the world, as a table prints it. ``year`` 0: the table does not say."""

    intensity_mg_per_kwh: int
    year: int
    factor_type: str  # direct | lifecycle
    source: str  # publisher and edition: where the number can be looked up


def emissions_ug(
    energy_uj: int, intensity_mg_per_kwh: int | None, pue_permille: int, remainder: int = 0
) -> tuple[int | None, int]:
    """Emissions in µg and the remainder to carry (0 <= remainder < 3.6e12, in 1/3.6e12 µg).

    ``pue_permille``: facility energy per IT energy x 1000. No intensity: None, never 0, and the remainder stays as it
    was. Raises ValueError for a negative argument: energy that was booked never is.
    """
    if intensity_mg_per_kwh is None:
        return None, remainder
    if min(energy_uj, intensity_mg_per_kwh, pue_permille, remainder) < 0:
        raise ValueError("energy, intensity, PUE and remainder must not be negative")
    return divmod(energy_uj * intensity_mg_per_kwh * pue_permille + remainder, UJ_PER_KWH)


def energies(entries: Iterable[Entry]) -> dict[int, dict[Workload, int]]:
    """Energy in µJ by slot and workload, devices and methods together."""
    slots: dict[int, dict[Workload, int]] = {}
    for entry in entries:
        slot = slots.setdefault(entry.slot_start_s, {})
        slot[entry.workload] = slot.get(entry.workload, 0) + entry.energy_uj
    return slots


def weigh(
    slot_start_s: int,
    energy_uj: Mapping[Workload, int],
    factor: Factor,
    pue_permille: int,
    remainders: MutableMapping[Workload, int],
    late_of_s: int | None = None,
) -> tuple[EmissionEntry, ...]:
    """Emission rows for what is about to be booked in a slot, one for each workload. ``late_of_s``: the slot in which
    the energy was used, if it is weighed late. ``remainders`` are brought up to date.

    A factor without a value gives no rows: their absence says "unknown", while a row of 0 µg says "little".
    """
    rows: list[EmissionEntry] = []
    for workload, amount_uj in energy_uj.items():
        rest = remainders.get(workload, 0)
        weight_ug, rest = emissions_ug(amount_uj, factor.intensity_mg_per_kwh, pue_permille, rest)
        if weight_ug is None:
            return ()
        remainders[workload] = rest
        weighed_uj = 0 if late_of_s is None else amount_uj
        key = (slot_start_s, workload, factor.basis, factor.factor_id, pue_permille)
        rows.append(EmissionEntry(*key, weight_ug, late_of_s, weighed_uj))
    return tuple(rows)
