"""The columns that a statement's rows have in every format, in their order, and how an integer is written in them.

Additive columns may be summed, ratios may not. A column without a unit in its name is text, a ratio between 0 and 1, or
``cost``, whose unit is in the column ``currency``.
"""

from __future__ import annotations

from operator import attrgetter

from tracker.core.statement import Amounts, Ratios

#: column -> (name in ``Amounts``, decimals): Wh are printed as kWh, grams as kg, thousandths of an hour as hours.
ADDITIVE: dict[str, tuple[str, int]] = {
    "energy_it_kwh": ("energy_it_wh", 3),
    "energy_overhead_kwh": ("energy_overhead_wh", 3),
    "energy_facility_kwh": ("energy_facility_wh", 3),
    "measured_kwh": ("measured_wh", 3),
    "modelled_kwh": ("modelled_wh", 3),
    "simulated_kwh": ("simulated_wh", 3),
    "idle_kwh": ("idle_wh", 3),
    "unweighed_kwh": ("unweighed_wh", 3),
    "unpriced_kwh": ("unpriced_wh", 3),
    "device_hours": ("device_mh", 3),
    "location_kgco2e": ("location_g", 3),
    "location_annual_kgco2e": ("location_annual_g", 3),
    "location_hourly_kgco2e": ("location_hourly_g", 3),
    "market_kgco2e": ("market_g", 3),
    "upstream_kgco2e": ("upstream_g", 3),
    "embodied_kgco2e": ("embodied_g", 3),
    "cost": ("cost_hundredths", 2),
}
#: column -> (name in ``Ratios``, decimals): mg/kWh are printed as g/kWh, parts per million as ratios.
RATIOS: dict[str, tuple[str, int]] = {
    "intensity_g_per_kwh": ("intensity_mg_per_kwh", 3),
    "estimated_factor_ratio": ("estimated_factor_ppm", 6),
    "coverage_ratio": ("coverage_ppm", 6),
}
NUMBERS: dict[str, int] = {name: places for name, (_, places) in (ADDITIVE | RATIOS).items()}

_SHORT = 10**9  # larger values have digits enough: most of the time goes into this function
_additive = attrgetter(*(name for name, _ in ADDITIVE.values()))
_ratios = attrgetter(*(name for name, _ in RATIOS.values()))
_ADDITIVE_PLACES = tuple(places for _, places in ADDITIVE.values())
_RATIO_PLACES = tuple(places for _, places in RATIOS.values())


def fixed(value: int, places: int) -> str:
    """``value`` x 10^-places with exactly that many decimals: (-1, 3) is "-0.001"."""
    digits = str(value) if value > _SHORT else f"{value:0{places + (1 if value >= 0 else 2)}d}"
    return f"{digits[:-places]}.{digits[-places:]}"


def amount_cells(amounts: Amounts) -> list[str | None]:
    """For ``ADDITIVE``; None: not known."""
    return [
        None if value is None else fixed(value, places)
        for value, places in zip(_additive(amounts), _ADDITIVE_PLACES, strict=True)
    ]


def ratio_cells(ratios: Ratios) -> list[str | None]:
    """For ``RATIOS``; None: nothing to divide by."""
    return [
        None if value is None else fixed(value, places)
        for value, places in zip(_ratios(ratios), _RATIO_PLACES, strict=True)
    ]


def added(first: Amounts | None, second: Amounts) -> Amounts:
    """The sum of printed integers, column by column; of what is known only in part, the known part."""
    if first is None:
        return second
    pairs = ((name, getattr(first, name), getattr(second, name)) for name in Amounts.__slots__)
    return Amounts(**{name: b if a is None else a if b is None else a + b for name, a, b in pairs})
