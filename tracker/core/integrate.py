"""From power readings to energy, where there is no counter: the trapezoid, or the rectangle for means.

Rules of this file: energy is only claimed between two readings that are close enough together; anything else is a gap.
A power above the plausible maximum is dropped as if it had not been read (P5), and so is a reading that is not later
than the last. Time asleep is never integrated.
"""

from __future__ import annotations

from dataclasses import dataclass

from tracker.core.meter import SUSPEND_NS
from tracker.core.model import Gap, GapReason, Reading, Sensor, Span
from tracker.core.units import energy_of


@dataclass(frozen=True, slots=True)
class PowerState:
    """The last believed power reading."""

    power_mw: int
    mono_ns: int
    boot_ns: int


@dataclass(frozen=True, slots=True)
class Baseline:
    """The first reading: no energy yet."""


@dataclass(frozen=True, slots=True)
class Integrated:
    """Energy between the last reading and this one."""

    span: Span


@dataclass(frozen=True, slots=True)
class Dropped:
    """An impossible power or time: ignored, the next reading is compared with the one before it."""


@dataclass(frozen=True, slots=True)
class Broken:
    """The two readings cannot be joined: too far apart, or the machine slept in between."""

    gap: Gap


PowerCase = Baseline | Integrated | Dropped | Broken


def integrate(
    state: PowerState | None, reading: Reading, sensor: Sensor, max_gap_ns: int
) -> tuple[PowerState | None, PowerCase]:
    """Take one reading that carries a power. ``max_gap_ns``: the longest time that two readings may be joined over.

    Instantaneous powers are joined by the trapezoid. A reading that is already the mean of the time before it counts
    as a right-aligned rectangle: a trapezoid would smear it a second time.
    """
    if reading.power_mw is None:
        raise ValueError(f"{sensor.key}: the power meter was given a reading without a power")
    if not 0 <= reading.power_mw <= sensor.max_power_mw * 6 // 5:
        return state, Dropped()
    new = PowerState(reading.power_mw, reading.mono_ns, reading.boot_ns)
    if state is None:
        return new, Baseline()
    elapsed_ns = new.boot_ns - state.boot_ns
    if elapsed_ns <= 0:
        return state, Dropped()
    if elapsed_ns - (new.mono_ns - state.mono_ns) > SUSPEND_NS:
        return new, Broken(Gap(state.boot_ns, new.boot_ns, GapReason.SUSPEND))
    if elapsed_ns > max_gap_ns:
        return new, Broken(Gap(state.boot_ns, new.boot_ns, GapReason.MISSED))
    if sensor.averaged:
        energy_uj = energy_of(new.power_mw, elapsed_ns)
    else:
        energy_uj = energy_of(state.power_mw + new.power_mw, elapsed_ns) // 2
    return new, Integrated(Span(state.boot_ns, new.boot_ns, energy_uj))
