"""Exact differences of a counter that somebody else has sampled, hour by hour.

The energy between two samples is the difference of their values, no more: nothing is extrapolated before the first
sample or after the last. A difference that straddles an hour's edge is divided in proportion to time with one rounding
per edge, so that the parts of a counter's life add up to its last value less its first, to the unit.

Hours must come out the same whichever stretch of samples was looked at. So a difference reaches back from its later
sample by at most ``REACH_MS``: an hour is final once that much time has passed since its end, and what was counted
during a longer silence is put into the end of that silence, where no hour is final yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tracker.core.hours import HOUR_S
from tracker.core.model import GapReason
from tracker.core.units import MS_PER_S

HOUR_MS = HOUR_S * MS_PER_S
REACH_MS = 6 * HOUR_MS
#: Samples further apart than this are no scraping but a silence: the energy is known, its hours are not.
SILENCE_MS = 10 * 60 * MS_PER_S
#: A float64 has 15.9 digits, and stores that keep decimals round the last ones: a fall this small is no reset.
_ROUNDING = 10**12

#: When and what the counter read, as an integer of its small unit (µJ, ms).
Sample = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Limits:
    """What can be true of a counter. ``per_s``: the most that it rises in a second (0: not known); ``ranges``: values
    at which such counters wrap, ascending."""

    per_s: int = 0
    ranges: tuple[int, ...] = ()

    def allow(self, amount: int, elapsed_ms: int) -> bool:
        """With the tolerance of the meter: a fifth more, and a second for the jitter of the clocks."""
        return not self.per_s or 5 * MS_PER_S * amount <= 6 * self.per_s * (elapsed_ms + MS_PER_S)


@dataclass(frozen=True, slots=True)
class Step:
    """From one sample to the next. ``reason`` None: a plain difference. RESET: the counter started anew in between;
    ``amount`` is what it has counted since, and what it had counted before is not known. IMPLAUSIBLE: nothing can be
    said, the amount is 0."""

    start_ms: int
    end_ms: int
    amount: int
    reason: GapReason | None = None


def thin(samples: Sequence[Sample], limits: Limits) -> list[Sample]:
    """Without the samples in the middle of an hour that change no hour's sum: most of them, and most of the work."""
    kept: list[Sample] = []
    last = len(samples) - 1
    per_ms, firm = 6 * limits.per_s, False
    for number, (at_ms, value) in enumerate(samples):
        if number == last:
            kept.append((at_ms, value))
            break
        next_ms, after = samples[number + 1]
        pause_ms, rise = next_ms - at_ms, after - value
        smooth = (
            at_ms // HOUR_MS == next_ms // HOUR_MS
            and pause_ms <= SILENCE_MS
            and rise >= 0
            and (not per_ms or 5 * MS_PER_S * rise <= per_ms * pause_ms)
        )
        if not (firm and smooth):
            kept.append((at_ms, value))
        firm = smooth
    return kept


def steps(samples: Sequence[Sample], limits: Limits, *, early: bool = False) -> Iterator[Step]:
    """Of samples in the order of time. ``early``: the first is older than it says, by nobody knows how much."""
    if not samples:
        return
    start_ms, before = samples[0]
    highest = before
    for at_ms, value in samples[1:]:
        if value >= before:
            known = not early or start_ms != samples[0][0]
            plain = not known or limits.allow(value - before, at_ms - start_ms)
            yield Step(start_ms, at_ms, value - before if plain else 0, None if plain else GapReason.IMPLAUSIBLE)
        elif before - value <= before // _ROUNDING + 1:
            yield Step(start_ms, at_ms, 0)
            value = before  # noqa: PLW2901 - so that the rise back to it is not counted twice
        else:
            yield _fall(start_ms, at_ms, (before, value), highest, limits)
        highest = max(highest, value)
        start_ms, before = at_ms, value


def _fall(start_ms: int, end_ms: int, values: tuple[int, int], highest: int, limits: Limits) -> Step:
    """A wrap, if one of the known ranges explains it with energy that can have been used; else a new life, whose first
    value is energy only if it can have been used: a failed read, then the lifetime value again, is none."""
    before, after = values
    fits = next((each for each in limits.ranges if each >= highest), 0)
    # Only a counter that was near its range can have wrapped; anywhere else a reboot is likelier.
    if fits and 10 * before >= 9 * fits and limits.allow(fits - before + after, end_ms - start_ms):
        return Step(start_ms, end_ms, fits - before + after)
    if limits.allow(after, end_ms - start_ms):
        return Step(start_ms, end_ms, after, GapReason.RESET)
    return Step(start_ms, end_ms, 0, GapReason.IMPLAUSIBLE)


def cut(step: Step, since_ms: int = 0) -> Iterator[tuple[int, int, int]]:
    """(start of the hour in s, amount, duration in ms) of each hour of a step, with the amounts adding up to its own.
    ``since_ms``: nothing of it was before."""
    at_ms = max(step.start_ms, step.end_ms - REACH_MS, min(since_ms, step.end_ms))
    start_ms, length_ms, before = at_ms, step.end_ms - at_ms, 0
    if not length_ms:
        yield (step.end_ms - 1) // HOUR_MS * HOUR_S, step.amount, 0
        return
    while at_ms < step.end_ms:
        hour = at_ms // HOUR_MS
        until_ms = min((hour + 1) * HOUR_MS, step.end_ms)
        mark = step.amount * (until_ms - start_ms) // length_ms
        yield hour * HOUR_S, mark - before, until_ms - at_ms
        at_ms, before = until_ms, mark
