"""Tells whether the dies of one package have counters of their own or all show the same one.

On AMD parts with several dies, kernels before 6.9 register ``package-0-die-0``, ``package-0-die-1`` ... although the
package has one energy register: each zone reads it, and adding them multiplies the energy. Reading one counter twice
gives two values that differ by what was used in between, which is nearly nothing; two counters that have run since boot
differ by kilojoules. So the raw values decide, at once for real dies, and a zone under suspicion is held back.

Only dies of one package are compared, never two sockets: sockets do have their own registers, however alike they tick.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tracker.core.units import NS_PER_MS, energy_of

#: Reads that decide: so many alike make a mirror, so many in a row apart acquit a suspect.
READS_TO_DECIDE = 3
#: Registers are renewed about every millisecond, at an unpredictable moment; an order of magnitude more is allowed.
RENEWAL_NS = 20 * NS_PER_MS


@dataclass(frozen=True, slots=True)
class Sample:
    """One counter read between two instants (CLOCK_BOOTTIME)."""

    key: str
    counter_uj: int
    before_ns: int
    after_ns: int
    range_uj: int | None
    max_power_mw: int


@dataclass(frozen=True, slots=True)
class Own:
    """A counter of its own."""


@dataclass(frozen=True, slots=True)
class Settling:
    """Not known yet: to be held back."""


@dataclass(frozen=True, slots=True)
class MirrorOf:
    """The same counter as that of another die."""

    key: str


Verdict = Own | Settling | MirrorOf


@dataclass(slots=True)
class _Pair:
    """What was seen of two zones. A mirror stays under observation: two real counters may have started alike."""

    alike: int = 0
    apart_in_a_row: int = 0

    @property
    def acquitted(self) -> bool:
        return self.apart_in_a_row >= (READS_TO_DECIDE if self.alike else 1)


class Twins:
    """The dies of one package. ``judge`` is told every read of them."""

    def __init__(self) -> None:
        self._own: list[str] = []
        self._pairs: dict[tuple[str, str], _Pair] = {}
        self._verdicts: dict[str, Verdict] = {}

    def judge(self, samples: Sequence[Sample]) -> dict[str, Verdict]:
        """The verdict on each zone read now. Whoever is judged ``Own`` stays so."""
        now = {sample.key: sample for sample in samples}
        for sample in samples:
            if sample.key not in self._own:
                self._suspect(sample, now)
        return {sample.key: self._verdicts[sample.key] for sample in samples}

    def _suspect(self, sample: Sample, now: dict[str, Sample]) -> None:
        """Compare with every zone that has a counter of its own and was read now."""
        for own in self._own:
            pair = self._pairs.setdefault((own, sample.key), _Pair())
            if own not in now or pair.acquitted:
                continue
            if alike(now[own], sample):
                pair.alike, pair.apart_in_a_row = pair.alike + 1, 0
            else:
                pair.apart_in_a_row += 1
        open_pairs = {own: pair for own in self._own if not (pair := self._pairs[own, sample.key]).acquitted}
        mirrored = [own for own, pair in open_pairs.items() if pair.alike >= READS_TO_DECIDE]
        if not open_pairs:
            self._own.append(sample.key)
            self._verdicts[sample.key] = Own()
        else:
            self._verdicts[sample.key] = MirrorOf(mirrored[0]) if mirrored else Settling()


def alike(a: Sample, b: Sample) -> bool:
    """Whether the two values can be one counter read twice, one before or after a wrap included."""
    if a.range_uj != b.range_uj:
        return False
    apart_uj = abs(a.counter_uj - b.counter_uj)
    if a.range_uj is not None:
        apart_uj = min(apart_uj, a.range_uj - apart_uj)
    elapsed_ns = max(a.after_ns, b.after_ns) - min(a.before_ns, b.before_ns)
    return apart_uj <= energy_of(max(a.max_power_mw, b.max_power_mw), elapsed_ns + RENEWAL_NS)
