"""A counter of a sensor that misbehaves by script, beside the energy that was truly used.

Every move ends in one reading. The true energy is kept as a plain sum; the register is what the hardware would show: it
starts anew on a reset, is rounded down to its quantum and wraps at its range.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import assert_never

from hypothesis import strategies as st

from tracker.core import meter
from tracker.core.meter import Case, CounterState
from tracker.core.model import Component, Gap, GapReason, Method, Reading, Sensor, Span
from tracker.core.units import NS_PER_S, energy_of

#: A GPU of 700 W and a package of 300 W whose 32-bit register wraps every 262 kJ.
GPU = Sensor("GPU-1", "nvml", Component.GPU, ("node/gpu/GPU-1",), 100, Method.MEASURED, "nvml-total-energy", 700_000)
PACKAGE = Sensor(
    "rapl:0", "rapl", Component.CPU, ("node/cpu/0",), 100, Method.MEASURED, "rapl package-0", 300_000, 262_143_328_850
)
#: Values far from one another and from any true counter: no two of them pass for positions of one counter.
SENTINELS = (0, 2**53, 2**63, (2**64 - 1) * 1000)
#: Above the sentinel 0, the second and below the third.
LARGE_UJ = 2**58


@dataclass(frozen=True, slots=True)
class Move:
    """One thing that happens, named by its kind.

    step, stale (the sensor repeats its last value), glitch (a sentinel), duplicate (no time passes), backwards (an old
    reading arrives late), reset (the register starts anew inside the interval), epoch (the same, and the source knows),
    sleep (the register runs through a suspend), restart (it starts anew in a suspend).
    """

    kind: str
    elapsed_ns: int
    power_mw: int
    sentinel: int = 0
    asleep_ns: int = 0


@dataclass(slots=True)
class Counter:
    """The sensor and the truth."""

    sensor: Sensor
    base_uj: int
    quantum_uj: int = 1
    mono_ns: int = 1_000 * NS_PER_S
    boot_ns: int = 2_000 * NS_PER_S
    epoch: int = 0
    true_uj: int = 0  # used since the first reading
    register_uj: int = field(init=False)
    shown_uj: int = field(init=False)

    def __post_init__(self) -> None:
        self.register_uj = self.base_uj
        self.shown_uj = self._show()

    def _show(self) -> int:
        counter_uj = self.register_uj // self.quantum_uj * self.quantum_uj
        return counter_uj % self.sensor.counter_range_uj if self.sensor.counter_range_uj else counter_uj

    def reading(self, counter_uj: int | None = None, back_ns: int = 0) -> Reading:
        """What the source hands on now."""
        return Reading(
            self.sensor.key,
            self.mono_ns - back_ns,
            self.boot_ns - back_ns,
            self.shown_uj if counter_uj is None else counter_uj,
            None,
            str(self.epoch),
        )

    def play(self, move: Move) -> Reading:
        """Let it happen; the reading at its end."""
        match move.kind:
            case "duplicate":
                return self.reading()
            case "backwards":
                return self.reading(move.sentinel, back_ns=move.elapsed_ns)
            case _:
                self._pass_time(move)
        if move.kind == "glitch":
            return self.reading(move.sentinel)
        if move.kind != "stale":
            self.shown_uj = self._show()
        return self.reading()

    def _pass_time(self, move: Move) -> None:
        self.mono_ns += move.elapsed_ns
        self.boot_ns += move.elapsed_ns + move.asleep_ns
        used_uj = energy_of(move.power_mw, move.elapsed_ns)
        self.true_uj += used_uj
        if move.kind in {"reset", "epoch", "restart"}:
            used_uj //= 3  # the rest was used before the register started anew
            self.register_uj = 0
        self.epoch += move.kind == "epoch"
        self.register_uj += used_uj


def intervals(case: Case) -> tuple[Span | Gap, ...]:  # noqa: PLR0911 - one return per case
    """What a case says about time, each instant once. Exhaustive: a new case is a type error here."""
    match case:
        case meter.First() | meter.Held():
            return ()
        case meter.Step(span) | meter.Wrap(span):
            return (span,)
        case meter.Reset(gap, span):
            assert gap.reason is GapReason.RESET
            return (gap,) if span is None else (gap, span)
        case meter.Glitch(gap, span):
            assert gap.reason is GapReason.IMPLAUSIBLE
            return (gap, span)
        case meter.Ambiguous(gap):
            assert gap.reason is GapReason.AMBIGUOUS_WRAP
            return (gap,)
        case meter.Suspended(gap, span):
            assert gap.reason is GapReason.SUSPEND
            if span is None:
                return (gap,)
            # the gap says why this energy is less sure; it is the same time
            assert (gap.start_boot_ns, gap.end_boot_ns) == (span.start_boot_ns, span.end_boot_ns)
            return (span,)
        case _:
            assert_never(case)


@dataclass(slots=True)
class Book:
    """Plays readings through the meter and checks what must hold after each of them."""

    sensor: Sensor
    state: CounterState | None = None
    booked_uj: int = 0
    until_boot_ns: int | None = None
    cases: list[Case] = field(default_factory=list)

    def take(self, reading: Reading) -> Case:
        """One reading: energy is never negative, and every instant is in exactly one span or gap."""
        self.state, case = meter.advance(self.state, reading, self.sensor)
        self.cases.append(case)
        if self.until_boot_ns is None:
            self.until_boot_ns = reading.boot_ns
        for interval in intervals(case):
            assert interval.start_boot_ns == self.until_boot_ns, "a hole, or time told twice"
            assert interval.end_boot_ns > interval.start_boot_ns, "no time: its energy would have no slot"
            self.until_boot_ns = interval.end_boot_ns
            if isinstance(interval, Span):
                assert interval.energy_uj >= 0
                self.booked_uj += interval.energy_uj
        assert self.state.mark.boot_ns == self.until_boot_ns, "the cursor is not where the booked time ends"
        if not isinstance(case, meter.Held):
            assert self.state.candidate is None
        return case


def moves(kinds: tuple[str, ...], max_power_mw: int) -> st.SearchStrategy[list[Move]]:
    """Scripts of these kinds, up to the device's full power."""
    asleep = {"sleep", "restart"}
    move = st.sampled_from(kinds).flatmap(
        lambda kind: st.builds(
            Move,
            kind=st.just(kind),
            elapsed_ns=st.sampled_from([NS_PER_S // 10, NS_PER_S, 5 * NS_PER_S]) | st.integers(1, 10 * NS_PER_S),
            power_mw=st.sampled_from([0, max_power_mw]) | st.integers(0, max_power_mw),
            sentinel=st.sampled_from(SENTINELS[1:] if kind == "glitch-up" else SENTINELS),
            asleep_ns=st.integers(2 * NS_PER_S, 3600 * NS_PER_S) if kind in asleep else st.just(0),
        )
    )
    return st.lists(move, max_size=40)
