"""Units and exact conversions.

Every quantity inside wattledger is an integer that carries its unit as the last word of its name:
``energy_uj``, ``power_mw``, ``duration_ns``, ``held_ms``, ``intensity_mg_per_kwh``, ``emissions_ug``,
``pue_permille``. Floats exist at the edges only (Prometheus base units, the printed export).
"""

from __future__ import annotations

US_PER_S = 1_000_000
MS_PER_S = 1_000
NS_PER_US = 1_000
NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
UJ_PER_MJ = 1_000  # one millijoule, the unit of NVML's counter
UJ_PER_J = 1_000_000
UJ_PER_KWH = 3_600_000_000_000
MW_PER_W = 1_000
UG_PER_G = 1_000_000
SLOT_S = 300  # length of a ledger slot; slots are aligned to UTC
SLOT_MS = SLOT_S * MS_PER_S
SLOT_NS = SLOT_S * NS_PER_S


def energy_of(power_mw: int, duration_ns: int) -> int:
    """Energy in µJ of a constant power: mW x ns is pJ, a millionth of a µJ. Rounds down."""
    return power_mw * duration_ns // 1_000_000


def power_of(energy_uj: int, duration_ns: int) -> int:
    """Mean power in mW of an energy over a duration > 0. Rounds down."""
    return energy_uj * 1_000_000 // duration_ns
