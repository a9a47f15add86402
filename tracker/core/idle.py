"""The idle floor of a device: configured, or learned while nobody uses it.

Learned as a low quantile that follows slowly upwards: one unused tick with less power lowers it at once, more power
raises it by 1/720 of the difference per tick (an hour at 5 s). A tick without any energy teaches nothing: a counter
that stood still would wipe out the floor. Until a device has been seen unused its floor is 0: all its energy is
dynamic, nothing is invented.
"""

from __future__ import annotations

from tracker.core.units import energy_of

_RISE = 720


def learn(floor_mw: int | None, power_mw: int, *, used: bool) -> int | None:
    """The new floor after a tick of mean power ``power_mw``."""
    if used or power_mw <= 0:
        return floor_mw
    if floor_mw is None or power_mw <= floor_mw:
        return power_mw
    return floor_mw + (power_mw - floor_mw) // _RISE


def idle_energy(energy_uj: int, floor_mw: int | None, duration_ns: int) -> int:
    """The part of an energy that the device would have used anyway, at most all of it."""
    if not floor_mw:
        return 0
    return min(energy_uj, energy_of(floor_mw, duration_ns))
