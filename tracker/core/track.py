"""One sensor through time: readings and failures in, spans of energy and gaps out, every instant in exactly one of
them.

The counter is booked where there is one; power is integrated beside it for comparison, and booked where there is no
counter or where the two disagree for long (``crosscheck.py``). Both end at the same reading whenever the method
changes,
so no time is booked twice. A gap that was reported while a sensor was silent may later be bridged by its counter: the
energy is then known although the gap, and its reason, stay on record.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import assert_never

from tracker.core import crosscheck, integrate, meter
from tracker.core.crosscheck import CheckState
from tracker.core.integrate import PowerCase, PowerState
from tracker.core.meter import CounterState
from tracker.core.model import Cursor, Gap, GapReason, Missing, Reading, Sensor, Span
from tracker.core.units import NS_PER_S

Event = Span | Gap

#: Two power readings may be joined over this many periods: one read missed, and some lateness.
JOIN_PERIODS = 3
#: A sensor is overdue after this many periods, and a grace, without a good reading.
OVERDUE_PERIODS = 3
GRACE_NS = 2 * NS_PER_S
#: No counter stands this high (2^62 µJ are 1.3 GWh): a sentinel, and more than the ledger can hold.
MAX_COUNTER_UJ = 1 << 62


@dataclass(frozen=True, slots=True)
class Track:
    """State of one sensor.

    Time is known (energy or gap) up to ``seen_boot_ns``; gaps were reported up to ``gap_boot_ns`` while it was silent.
    """

    sensor: Sensor
    period_ns: int
    seen_boot_ns: int
    gap_boot_ns: int
    counter: CounterState | None = None
    power: PowerState | None = None
    check: CheckState = field(default_factory=CheckState)
    trouble: GapReason | None = GapReason.START
    recovering: bool = False  # the first delta runs from the cursor of an earlier process


def begin(sensor: Sensor, period_ns: int, boot_ns: int) -> Track:
    """A sensor seen for the first time at this instant."""
    return Track(sensor, period_ns, boot_ns, boot_ns)


def resume(sensor: Sensor, period_ns: int, cursor: Cursor, counter_uj: int, booked_boot_ns: int) -> Track:
    """A sensor whose counter was booked up to ``cursor`` by an earlier process of the same boot.

    ``booked_boot_ns``: up to here that process has also recorded the gaps.
    """
    counter = meter.resume(counter_uj, cursor.boot_ns, cursor.epoch)
    gap_boot_ns = max(cursor.boot_ns, booked_boot_ns)
    return Track(sensor, period_ns, cursor.boot_ns, gap_boot_ns, counter=counter, recovering=True)


def prefer_power(track: Track) -> Track:
    """Book integrated power from the start: the counter was found wrong before."""
    return replace(track, check=CheckState(use_power=True))


def rename(track: Track, sensor: Sensor) -> Track:
    """The same sensor, described anew (another limit, or it turned out to mirror another one)."""
    return replace(track, sensor=sensor)


def fail(track: Track, missing: Missing) -> Track:
    """Take one failed read: the reason for the gap that may follow."""
    return replace(track, trouble=missing.reason)


def take(track: Track, reading: Reading) -> tuple[Track, tuple[Event, ...]]:
    """Take one good reading. A reading that does not move forward in time is ignored."""
    if track.power is not None and reading.boot_ns <= track.power.boot_ns:
        return track, ()
    if track.counter is not None and reading.boot_ns <= track.counter.mark.boot_ns:
        return track, ()
    if reading.counter_uj is not None and reading.counter_uj > MAX_COUNTER_UJ:
        return replace(track, trouble=GapReason.IMPLAUSIBLE), ()
    power, by_power = _take_power(track, reading)
    counter, by_counter = _take_counter(track, reading)
    check = _compare(track.check, by_counter, by_power)
    use_counter = counter is not None and not track.check.use_power
    undecided = counter.candidate is not None if use_counter and counter else power is track.power and not use_counter
    events = by_counter or () if use_counter else by_power
    if use_counter and track.counter is None:  # a baseline only: power, if it was booked so far, covers the time to it
        events = by_power
    known = () if undecided else _complete(track, events, reading)
    reached_ns = track.seen_boot_ns if undecided else reading.boot_ns
    now = Track(  # not ``replace``, which would cost half of all this, for every reading
        sensor=track.sensor,
        period_ns=track.period_ns,
        seen_boot_ns=max(track.seen_boot_ns, reached_ns),
        gap_boot_ns=max(track.gap_boot_ns, reached_ns),
        counter=counter,
        power=power,
        check=check,
        trouble=GapReason.IMPLAUSIBLE if undecided else None,
        recovering=track.recovering and undecided,
    )
    return now, known


def overdue(track: Track, now_boot_ns: int, reason: GapReason | None) -> tuple[Track, Gap | None]:
    """The time without a reading up to now, if it has become long enough to be a gap. ``reason``: of the whole
    source."""
    if now_boot_ns - track.seen_boot_ns <= OVERDUE_PERIODS * track.period_ns + GRACE_NS:
        return track, None
    start = max(track.seen_boot_ns, track.gap_boot_ns)
    if start >= now_boot_ns:
        return track, None
    gap = Gap(start, now_boot_ns, reason or track.trouble or GapReason.ERROR)
    return replace(track, gap_boot_ns=now_boot_ns), gap


def cursor_of(track: Track, boot_id: str, offset_ns: int) -> Cursor:
    """Where the energy that was handed out so far ends. ``offset_ns`` = wall - boot."""
    mark = None if track.counter is None or track.check.use_power else track.counter.mark
    boot_ns = track.seen_boot_ns if mark is None else mark.boot_ns
    counter_uj = None if mark is None else mark.counter_uj
    return Cursor(
        track.sensor.key, boot_id, boot_ns, boot_ns + offset_ns, counter_uj, "" if mark is None else mark.epoch
    )


def _take_power(track: Track, reading: Reading) -> tuple[PowerState | None, tuple[Event, ...]]:
    if reading.power_mw is None:
        return None, ()
    state, case = integrate.integrate(track.power, reading, track.sensor, JOIN_PERIODS * track.period_ns)
    return state, _power_events(case)


def _power_events(case: PowerCase) -> tuple[Event, ...]:
    match case:
        case integrate.Integrated(span):
            return (span,)
        case integrate.Broken(gap):
            return (gap,)
        case integrate.Baseline() | integrate.Dropped():
            return ()
        case _:
            assert_never(case)


def _take_counter(track: Track, reading: Reading) -> tuple[CounterState | None, tuple[Event, ...]]:
    if reading.counter_uj is None:
        return None, ()
    state, case = meter.advance(track.counter, reading, track.sensor)
    match case:
        case meter.Step(span) | meter.Wrap(span):
            return state, (span,)
        case meter.Reset(gap, None) | meter.Suspended(gap, None) | meter.Ambiguous(gap):
            return state, (gap,)
        case meter.Reset(gap, span) | meter.Glitch(gap, span):
            return state, (gap, span) if span is not None else (gap,)
        case meter.Suspended(_, span):
            return state, (span,) if span is not None else ()
        case meter.First() | meter.Held():
            return state, ()
        case _:
            assert_never(case)


def _compare(check: CheckState, by_counter: tuple[Event, ...], by_power: tuple[Event, ...]) -> CheckState:
    """Only energies of exactly the same time can be compared."""
    match by_counter, by_power:
        case ((Span() as counted,), (Span() as integrated,)) if counted.start_boot_ns == integrated.start_boot_ns:
            elapsed_ns = counted.end_boot_ns - counted.start_boot_ns
            return crosscheck.compare(check, counted.energy_uj, integrated.energy_uj, elapsed_ns)
        case _:
            return check


def _complete(track: Track, events: tuple[Event, ...], reading: Reading) -> tuple[Event, ...]:
    """Fill what is between the time known so far and the events, and leave out gaps that were reported already."""
    at = track.seen_boot_ns
    match events:  # nearly always one span, with nothing before it and nothing after it
        case (Span(start_boot_ns=start, end_boot_ns=end),) if start <= at and reading.boot_ns <= end:
            if not track.recovering:
                return events
        case _:
            pass
    known: list[Event] = []
    for event in (*events, Gap(reading.boot_ns, reading.boot_ns, GapReason.ERROR)):
        if event.start_boot_ns > at:
            known.append(Gap(at, event.start_boot_ns, track.trouble or GapReason.MISSED))
        known.append(event)
        at = max(at, event.end_boot_ns)
    if track.recovering and any(isinstance(event, Span) for event in known):
        known.insert(0, Gap(track.seen_boot_ns, reading.boot_ns, GapReason.RECOVERED))
    return tuple(event for event in (_unreported(event, track.gap_boot_ns) for event in known) if event is not None)


def _unreported(event: Event, reported_boot_ns: int) -> Event | None:
    if isinstance(event, Span):
        return event
    start = max(event.start_boot_ns, reported_boot_ns)
    return Gap(start, event.end_boot_ns, event.reason) if start < event.end_boot_ns else None
