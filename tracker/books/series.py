"""Series that are one counter, put together: replicas of a pair of servers, targets whose address changed, label sets
that changed while the counter went on.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tracker.books.prometheus_api import HistoryRefused, Series
from tracker.core.model import Workload
from tracker.core.telescoping import SILENCE_MS, Sample

#: Of a replica nothing is taken this close to samples of another one: their clocks may differ.
_CLOCKS_MS = 30_000


@dataclass(frozen=True, slots=True)
class Part:
    """A series and who held the device while it had these labels."""

    series: Series
    holder: Workload | None = None


@dataclass(slots=True)
class Counter:
    """One counter over time. ``holders``: who held it at a sample, where that is known."""

    samples: list[Sample] = field(default_factory=list)
    holders: dict[int, tuple[Workload, ...]] = field(default_factory=dict)

    def holder(self, at_ms: int) -> Workload | None:
        """None: nobody is known, or several are, whose parts nobody has measured."""
        held = self.holders.get(at_ms, ())
        return held[0] if len(held) == 1 else None


def join(parts: Iterable[Part], own: Collection[str], replica: Collection[str]) -> Counter:
    """Series of one counter. ``own``: labels of the counter itself, that may differ among them; ``replica``: labels
    that tell the servers of a pair apart. Any other label is of the target: two targets that export one counter at
    the same time are two machines of one name, or are scraped twice. Raises HistoryRefused."""
    targets: dict[tuple[tuple[str, str], ...], list[Part]] = defaultdict(list)
    for part in parts:
        labels = part.series.labels
        free = {"__name__", *own, *replica}
        targets[tuple(sorted((name, value) for name, value in labels.items() if name not in free))].append(part)
    lives = sorted((_one_target(each, replica) for each in targets.values()), key=lambda each: each.samples[0])
    whole = Counter()
    for life in lives:
        if whole.samples and life.samples[0][0] <= whole.samples[-1][0]:
            raise _twice([dict(each) for each in targets])
        whole.samples += life.samples
        whole.holders |= life.holders
    return whole


def _one_target(parts: Sequence[Part], replica: Collection[str]) -> Counter:
    replicas: dict[tuple[str, ...], list[Part]] = defaultdict(list)
    for part in parts:
        replicas[tuple(part.series.labels.get(name, "") for name in sorted(replica))].append(part)
    counters = [_union(replicas[key]) for key in sorted(replicas)]
    first = counters[0]  # by name, so that every run takes the same one
    for other in counters[1:]:
        first = _filled(first, other)
    return first


def _union(parts: Sequence[Part]) -> Counter:
    """Scraped together: at one time the rows of a device repeat one value."""
    values: dict[int, int] = {}
    holders: dict[int, set[Workload]] = defaultdict(set)
    for part in parts:
        for at_ms, value in part.series.samples:
            values[at_ms] = max(value, values.get(at_ms, value))
            if part.holder is not None:
                holders[at_ms].add(part.holder)
    ordered = {at_ms: tuple(sorted(held, key=lambda each: each.key)) for at_ms, held in holders.items()}
    return Counter(sorted(values.items()), ordered)


def _filled(first: Counter, other: Counter) -> Counter:
    """Where one replica was silent the other one speaks. Mixed sample by sample, two clocks could make it fall."""
    times = [at_ms for at_ms, _ in first.samples]
    extra: list[Sample] = []
    for at_ms, value in other.samples:
        after = bisect_right(times, at_ms)
        before_ms = times[after - 1] if after else None
        next_ms = times[after] if after < len(times) else None
        silent = before_ms is None or next_ms is None or next_ms - before_ms > SILENCE_MS
        apart = (before_ms is None or at_ms - before_ms >= _CLOCKS_MS) and (
            next_ms is None or next_ms - at_ms >= _CLOCKS_MS
        )
        if silent and apart:
            extra.append((at_ms, value))
    held = {at_ms: other.holders[at_ms] for at_ms, _ in extra if at_ms in other.holders}
    return Counter(sorted([*first.samples, *extra]), {**first.holders, **held})


def _twice(targets: Sequence[Mapping[str, str]]) -> HistoryRefused:
    names = sorted({name for each in targets for name in each})
    differing = [name for name in names if len({each.get(name, "") for each in targets}) > 1]
    said = ", ".join(
        f"{name}={' and '.join(sorted({each.get(name, '') for each in targets})[:3])}" for name in differing
    )
    return HistoryRefused(
        f"Several series claim to be one counter at the same time, with {said}.",
        f"If it is scraped twice: --dedupe-label {differing[0]}. If two machines have one name: choose with --match.",
    )
