"""What the counters of a Prometheus-compatible server say of a month, to be compared with the books."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tracker.books.prometheus_api import PrometheusApi, one_of, selector
from tracker.core.hours import HOUR_S
from tracker.core.model import GapReason
from tracker.core.telescoping import Limits, Sample, Step, cut, steps
from tracker.core.units import MS_PER_S, UJ_PER_J

COUNTER = "wattledger_device_energy_joules_total"


@dataclass(frozen=True, slots=True)
class Counted:
    """What the counters of a server say of [start_s, end_s): µJ by node and hour. ``resets``: series that began anew,
    whose last energy before it is not known. ``late``: nodes with series that begin inside it, of which the energy
    before the first sample is not counted."""

    energy_uj: Mapping[tuple[str, int], int]
    resets: int = 0
    late: tuple[str, ...] = ()


Key = tuple[str, ...]
_KEY = ("hostname", "component", "device", "method")


def counted(
    api: PrometheusApi,
    start_s: int,
    end_s: int,
    matchers: str = "",
    tell: Callable[[int, int], object] = lambda _done, _all: None,
) -> Counted:
    """Differences of each counter between hours, from its last sample in each hour: they add up to its last value less
    its first. Copies of a series (replicas, another instance label) count once. A fall is looked at sample by sample.
    Raises HistoryUnavailable, HistoryRefused."""
    query = selector(COUNTER, matchers)
    edges = range(start_s, end_s + 1, HOUR_S)
    series: dict[Key, list[Sample]] = {}
    for number, edge_s in enumerate(edges):
        tell(number, len(edges))
        for key, value in _last_values(api, query, edge_s * MS_PER_S).items():
            series.setdefault(key, []).append((edge_s * MS_PER_S, value))
    tell(len(edges), len(edges))
    energy_uj: dict[tuple[str, int], int] = {}
    resets = 0
    for key, samples in series.items():
        for step in _steps(api, query, key, samples):
            resets += step.reason is GapReason.RESET
            for hour_s, amount_uj, _ in cut(step):
                energy_uj[key[0], hour_s] = energy_uj.get((key[0], hour_s), 0) + amount_uj
    late = {key[0] for key, samples in series.items() if samples[0][0] > start_s * MS_PER_S}
    return Counted(energy_uj, resets, tuple(sorted(late)))


def _last_values(api: PrometheusApi, query: str, at_ms: int) -> dict[Key, int]:
    values: dict[Key, int] = {}
    for each in api.last_before(query, at_ms, HOUR_S, UJ_PER_J):
        key = tuple(each.labels.get(name, "") for name in _KEY)
        values[key] = max(values.get(key, 0), each.samples[-1][1])
    return values


def _steps(api: PrometheusApi, query: str, key: Key, samples: Sequence[Sample]) -> Iterator[Step]:
    """A fall from one hour to the next in steps of the samples between."""
    values = dict(samples)
    for step in steps(samples, Limits()):
        if step.reason is None:
            yield step
        else:
            begin = (step.start_ms, values[step.start_ms])
            yield from steps(_between(api, query, key, begin, step.end_ms), Limits())


def _between(api: PrometheusApi, query: str, key: Key, begin: Sample, end_ms: int) -> list[Sample]:
    """Every sample of one counter from a value that is known to a later time."""
    exact = ",".join(one_of(name, [value]) for name, value in zip(_KEY, key, strict=True))
    asked = f"{query[:-1]},{exact}}}".replace("{,", "{")
    merged = dict([begin])
    for each in api.samples(asked, begin[0], end_ms, UJ_PER_J):
        for at_ms, value in each.samples:
            merged[at_ms] = max(merged.get(at_ms, 0), value)
    return sorted(merged.items())
