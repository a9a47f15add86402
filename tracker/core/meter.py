"""From counter readings to energy: first, step, wrap, reset, glitch, ambiguous and suspend are named cases of one type.

Rules of this file:
1. A delta is energy only when it is plausible: 0 <= delta <= max power x elapsed x 1.2 (P5). Elapsed is the time since
   the counter last moved: one that publishes late or in coarse steps loses nothing when it catches up. A wrap gets no
   such credit: after a long standstill nearly any fall would pass for one.
2. What is not plausible is never booked at once and never forgotten at once: the reading becomes a *candidate*, and the
   next reading decides. If it continues the old counter, the odd reading was a glitch and nothing is lost; if it
   continues the candidate and has moved, the counter did start anew there, and the time up to it is a gap. A value that
   only repeats itself decides nothing: counters move, sentinels stay.
3. A counter that can wrap is unwrapped once. After so long that a whole range more would be plausible too, the delta
   is ambiguous whatever its sign: a gap, not a guess.
4. A fall across a suspend or a new epoch is a new counter, never a wrap. (RAPL registers restart in S3; NVML's counter
   restarts with the driver: nvml.h, "since the driver was last reloaded".)
5. A reading that is not later than the last one says nothing and changes nothing.

The functions take the state and a reading and return the new state and the case. No clock, no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tracker.core.model import Gap, GapReason, Reading, Sensor, Span
from tracker.core.units import NS_PER_S, energy_of

#: A sensor publishes in steps (NVML 20-100 ms, RAPL 1 ms): a read may catch up this much more than was used in between.
SENSOR_STEP_NS = NS_PER_S // 4
#: BOOTTIME running ahead of MONOTONIC by more than this means that the machine slept.
SUSPEND_NS = NS_PER_S


@dataclass(frozen=True, slots=True)
class Mark:
    """A position of a counter. ``still_ns``: for how long it has stood there without moving."""

    counter_uj: int
    mono_ns: int
    boot_ns: int
    epoch: str
    still_ns: int = 0


@dataclass(frozen=True, slots=True)
class CounterState:
    """Where the booked energy ends, and an odd reading that waits for the next one to decide about it."""

    mark: Mark
    candidate: Mark | None = None


@dataclass(frozen=True, slots=True)
class First:
    """The first reading: a baseline, no energy."""


@dataclass(frozen=True, slots=True)
class Step:
    """The counter went on."""

    span: Span


@dataclass(frozen=True, slots=True)
class Wrap:
    """The counter passed its range once."""

    span: Span


@dataclass(frozen=True, slots=True)
class Held:
    """Nothing can be said yet: an odd reading waits for the next one to decide, or the reading was not later."""


@dataclass(frozen=True, slots=True)
class Reset:
    """The counter started anew: unknown up to the gap's end, energy since then in ``span`` (None: none yet)."""

    gap: Gap
    span: Span | None


@dataclass(frozen=True, slots=True)
class Glitch:
    """The counter jumped ahead by more than is possible and stayed there: the jump is quarantined, the rest is
    energy."""

    gap: Gap
    span: Span


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Too long without a reading to say how often the counter wrapped."""

    gap: Gap


@dataclass(frozen=True, slots=True)
class Suspended:
    """The machine slept. ``span`` None: the counter did not survive it, and the gap covers the whole time."""

    gap: Gap
    span: Span | None


Case = First | Step | Wrap | Held | Reset | Glitch | Ambiguous | Suspended


def plausible(energy_uj: int, elapsed_ns: int, max_power_mw: int) -> bool:
    """Whether so much energy can have been used in that time (P5)."""
    return 0 <= energy_uj <= energy_of(max_power_mw * 6 // 5, elapsed_ns + SENSOR_STEP_NS)


def resume(counter_uj: int, boot_ns: int, epoch: str) -> CounterState:
    """The state that a stored cursor of the same boot stands for.

    No monotonic time: between two processes a suspend cannot be told apart from downtime, and need not be.
    """
    return CounterState(Mark(counter_uj, 0, boot_ns, epoch))


def advance(state: CounterState | None, reading: Reading, sensor: Sensor) -> tuple[CounterState, Case]:
    """Take one reading that carries a counter."""
    if reading.counter_uj is None:
        raise ValueError(f"{sensor.key}: the counter meter was given a reading without a counter")
    mark = Mark(reading.counter_uj, reading.mono_ns, reading.boot_ns, reading.epoch)
    if state is None:
        return CounterState(mark), First()
    if mark.boot_ns <= (state.candidate or state.mark).boot_ns:
        return state, Held()
    return _judge(state, mark, sensor)


def _judge(state: CounterState, mark: Mark, sensor: Sensor) -> tuple[CounterState, Case]:
    """The case of a position that is later than all before it."""
    old = state.mark
    if mark.epoch != old.epoch:
        return CounterState(mark), Reset(Gap(old.boot_ns, mark.boot_ns, GapReason.RESET), None)
    if old.mono_ns and mark.boot_ns - old.boot_ns - (mark.mono_ns - old.mono_ns) > SUSPEND_NS:
        return _after_suspend(old, mark, sensor)
    if _may_wrap_twice(old, mark, sensor):
        return CounterState(mark), Ambiguous(Gap(old.boot_ns, mark.boot_ns, GapReason.AMBIGUOUS_WRAP))
    case = _continue(old, mark, sensor)
    if case is None:
        return _decide(state, mark, sensor)
    if mark.counter_uj == old.counter_uj:
        mark = replace(mark, still_ns=old.still_ns + mark.boot_ns - old.boot_ns)
    return CounterState(mark), case


def _may_wrap_twice(old: Mark, new: Mark, sensor: Sensor) -> bool:
    if sensor.counter_range_uj is None:
        return False
    return plausible(sensor.counter_range_uj, new.boot_ns - old.boot_ns, sensor.max_power_mw)


def _rise(old: Mark, new: Mark, sensor: Sensor) -> Span | None:
    """The energy from ``old`` to ``new`` if that much can have been used since the counter last moved."""
    delta_uj = new.counter_uj - old.counter_uj
    if plausible(delta_uj, old.still_ns + new.boot_ns - old.boot_ns, sensor.max_power_mw):
        return Span(old.boot_ns, new.boot_ns, delta_uj)
    return None


def _continue(old: Mark, new: Mark, sensor: Sensor) -> Step | Wrap | None:
    """The energy from ``old`` to ``new`` if they are plausibly positions of one counter."""
    rise = _rise(old, new, sensor)
    if rise is not None:
        return Step(rise)
    if sensor.counter_range_uj is None:
        return None
    unwrapped_uj = new.counter_uj - old.counter_uj + sensor.counter_range_uj
    if plausible(unwrapped_uj, new.boot_ns - old.boot_ns, sensor.max_power_mw):
        return Wrap(Span(old.boot_ns, new.boot_ns, unwrapped_uj))
    return None


def _decide(state: CounterState, mark: Mark, sensor: Sensor) -> tuple[CounterState, Case]:
    """Ask whether ``mark``, which does not continue the booked counter, continues the odd reading before it."""
    old, candidate = state.mark, state.candidate
    if candidate is not None:
        if mark.counter_uj == candidate.counter_uj:
            return state, Held()
        case = _continue(candidate, mark, sensor)
        if case is not None:
            if candidate.counter_uj < old.counter_uj:
                return CounterState(mark), Reset(Gap(old.boot_ns, candidate.boot_ns, GapReason.RESET), case.span)
            gap = Gap(old.boot_ns, candidate.boot_ns, GapReason.IMPLAUSIBLE)
            return CounterState(mark), Glitch(gap, case.span)
    return replace(state, candidate=mark), Held()


def _after_suspend(old: Mark, new: Mark, sensor: Sensor) -> tuple[CounterState, Case]:
    """A counter that ran through the sleep is believed; one that fell, or may have wrapped, is a new baseline."""
    gap = Gap(old.boot_ns, new.boot_ns, GapReason.SUSPEND)
    span = None if _may_wrap_twice(old, new, sensor) else _rise(old, new, sensor)
    return CounterState(new), Suspended(gap, span)
