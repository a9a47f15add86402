"""What energy weighs in carbon: exact integers, with the fraction that does not fit carried to the next booking.

    emissions_ug = energy_uj / (3.6e12 µJ/kWh) x intensity_mg_per_kwh x (pue_permille / 1000) x (1000 µg/mg)
                 = energy_uj x intensity_mg_per_kwh x pue_permille / 3.6e12

The two thousands cancel, so the only division is by ``UJ_PER_KWH``. Its remainder (in units of 1/3.6e12 µg) is handed
back to the caller, who passes it to the next call: however often a workload is booked, the sum of the parts is the
value of the sum, less a final remainder below 1 µg. The remainder keeps its unit when the factor or the PUE changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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


def weigh(
    entries: Iterable[Entry], factor: Factor, pue_permille: int, remainders: Mapping[Workload, int]
) -> tuple[tuple[EmissionEntry, ...], dict[Workload, int]]:
    """Emission rows for what is about to be booked: one per slot and workload, devices and methods together.

    Returns the rows and the remainders to pass next time (those given, updated; the caller may drop workloads that
    ended). A factor without a value gives no rows: their absence says "unknown", while a row of 0 µg says "little".
    """
    energies: dict[tuple[int, Workload], int] = {}
    for entry in entries:
        key = (entry.slot_start_s, entry.workload)
        energies[key] = energies.get(key, 0) + entry.energy_uj
    carried = dict(remainders)
    rows: list[EmissionEntry] = []
    for (slot_start_s, workload), energy_uj in energies.items():
        weight_ug, rest = emissions_ug(energy_uj, factor.intensity_mg_per_kwh, pue_permille, carried.get(workload, 0))
        if weight_ug is None:
            continue
        carried[workload] = rest
        rows.append(EmissionEntry(slot_start_s, workload, factor.basis, factor.factor_id, pue_permille, weight_ug))
    return tuple(rows), carried
