"""Is the energy counter right? Power is integrated beside it, and the two are compared.

Counters are reported stuck, or far from the integral of power, on some boards (hardware facts: counter below integral
by 26 to
43 % on single boards). The ratio is published. Only a disagreement that lasts, in three windows in a row of a minute
each,
changes what is booked, in both directions; a window of energy is never booked from both.
"""

from __future__ import annotations

from dataclasses import dataclass

from tracker.core.units import NS_PER_S

WINDOW_NS = 60 * NS_PER_S
WINDOWS = 3
LOW_PERMILLE, HIGH_PERMILLE = 700, 1430


@dataclass(frozen=True, slots=True)
class CheckState:
    """Energies of the window that runs, and how many windows in a row spoke against the method in use."""

    counter_uj: int = 0
    power_uj: int = 0
    elapsed_ns: int = 0
    against: int = 0
    use_power: bool = False
    ratio_permille: int | None = None  # of the last complete window: counter / integrated power


def compare(state: CheckState, counter_uj: int, power_uj: int, elapsed_ns: int) -> CheckState:
    """Add energies of the same time by both methods; ``use_power`` of the result says which one to book from now on."""
    state = CheckState(  # not ``replace``: this runs for every reading
        counter_uj=state.counter_uj + counter_uj,
        power_uj=state.power_uj + power_uj,
        elapsed_ns=state.elapsed_ns + elapsed_ns,
        against=state.against,
        use_power=state.use_power,
        ratio_permille=state.ratio_permille,
    )
    if state.elapsed_ns < WINDOW_NS:
        return state
    if not state.power_uj:  # no power reading to compare with: the counter stands
        return CheckState(use_power=state.use_power, ratio_permille=state.ratio_permille)
    ratio_permille = state.counter_uj * 1000 // state.power_uj
    agree = LOW_PERMILLE <= ratio_permille <= HIGH_PERMILLE
    against = state.against + 1 if agree == state.use_power else 0
    if against == WINDOWS:
        return CheckState(use_power=not state.use_power, ratio_permille=ratio_permille)
    return CheckState(against=against, use_power=state.use_power, ratio_permille=ratio_permille)
