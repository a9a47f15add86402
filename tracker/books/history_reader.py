"""One node and one stretch of time: its series put together to counters, and their steps added up."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tracker.books.history_tally import Sums, Tally
from tracker.books.prometheus_api import PrometheusApi, Series, one_of, selector
from tracker.books.series import Counter, Part, join
from tracker.books.series_map import (
    Exporter,
    Labels,
    SeriesSpec,
    component_of,
    method_of,
    moved_labels,
    workload_of,
)
from tracker.core.model import UNATTRIBUTED, Component, GapReason, Method, Workload
from tracker.core.telescoping import SILENCE_MS, Limits, Step, steps, thin
from tracker.core.units import MS_PER_S, UJ_PER_J

#: How far back the last value of a series is looked for.
BACK_S = 30 * 86_400
_TIME = Limits(per_s=MS_PER_S)  # a gap cannot grow faster than time
_TOLD = ("name", "namespace", "pod", "container", "user", "job", "queue", "cost_centre", "run")


@dataclass(frozen=True, slots=True)
class Wanted:
    """``match``: matchers that every series must have. ``replica``: labels that tell the servers of a pair apart."""

    name: str
    exporter: Exporter
    match: str = ""
    replica: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Host:
    """``matchers``: each finds a part of its series; ``targets``: the instances that its devices were scraped from."""

    hostname: str
    cluster: str
    matchers: tuple[str, ...]
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    """A series; ``early``: the last value before the stretch, and nothing else."""

    series: Series
    labels: Labels
    early: bool


@dataclass(frozen=True, slots=True)
class _Life:
    """A counter over the stretch; ``before``: what it last read before, if it did."""

    counter: Counter
    before: int | None


class Reader:
    """``read`` raises HistoryUnavailable, HistoryRefused."""

    def __init__(self, api: PrometheusApi, wanted: Wanted, host: Host, start_ms: int, end_ms: int) -> None:
        self._api, self._wanted, self._host = api, wanted, host
        self._exporter = wanted.exporter
        self._start_ms, self._end_ms = start_ms, end_ms
        # A node that tells its own gaps was not blind because nobody scraped it.
        tells_gaps = bool(self._exporter.specs("gap") and host.targets)
        self._tally = Tally(silence_ms=1 << 62 if tells_gaps else SILENCE_MS)
        self._scrapes: list[int] = []
        self._known = False  # the node had been scraped before the stretch
        self._jobs: set[str] = set()  # of the scrapes
        self._names: dict[tuple[str, str], list[tuple[int, tuple[str, ...]]]] = defaultdict(list)

    def read(self) -> Tally:
        self._models()
        self._devices()
        if self._scrapes:
            self._told()
            self._workloads("workload", self._tally.energy)
            self._workloads("idle", self._tally.idle)
            self._workloads("held", self._tally.held)
            self._gaps()
        return self._tally

    def _devices(self) -> None:
        for spec in self._exporter.specs("device"):
            groups: dict[tuple[Component, str, Method], list[_Found]] = defaultdict(list)
            for found in self._series(spec):
                labels, key = found.labels, _device_key(spec, found.labels)
                self._jobs.add(labels.all.get("job", ""))
                groups[component_of(spec, labels), key, method_of(spec, labels)].append(found)
                if spec.model:
                    self._tally.models[component_of(spec, labels), key] = labels.fill(spec.model)
            for (component, key, method), those in sorted(groups.items()):
                life = self._life(spec, those)
                if life is None:
                    continue
                self._known = self._known or life.before is not None
                self._scrapes += [at_ms for at_ms, _ in life.counter.samples]
                for step in self._steps(spec, life):
                    # Who held it when a step began used it, if nobody else is known to have.
                    holder = life.counter.holder(step.start_ms) or life.counter.holder(step.end_ms) or UNATTRIBUTED
                    self._tally.add_device(step, (component, key), method, holder)
        self._scrapes = sorted(set(self._scrapes))

    def _workloads(self, role: str, sums: Sums) -> None:
        for spec in self._exporter.specs(role):
            groups: dict[tuple[str, ...], list[_Found]] = defaultdict(list)
            for found in self._series(spec):
                labels = found.labels
                work = workload_of(self._exporter, spec, labels)
                # Names may change while the counter goes on; another team or project has another counter.
                same = (work.key, work.kind, work.team, work.project, work.phase, *map(labels.get, spec.parts))
                groups[component_of(spec, labels), method_of(spec, labels), *same].append(found)
            for _, those in sorted(groups.items()):
                life = self._life(spec, those)
                if life is None:
                    continue
                newest = max((each for each in those if not each.early), key=lambda each: each.series.samples[-1])
                labels = newest.labels
                component, method = component_of(spec, labels), method_of(spec, labels)
                work = workload_of(self._exporter, spec, labels)
                for step, maybe in self._charged_steps(spec, life):
                    since_ms = self._scrape_before(step.end_ms)
                    key = component, self._named(work, step.end_ms), method
                    sums.add(step, since_ms, key, maybe=maybe)
                    if spec.idle:
                        self._tally.idle.add(step, since_ms, key, maybe=maybe)

    def _charged_steps(self, spec: SeriesSpec, life: _Life) -> Iterator[tuple[Step, bool]]:
        """Steps, and whether each may be something else than energy: the first value of a counter that was not there
        in the scrape before, and of one that started anew."""
        first_ms, first = life.counter.samples[0]
        since_ms = self._scrape_before(first_ms)
        if life.before is None and first and since_ms and _limits(spec).allow(first, first_ms - since_ms):
            yield Step(since_ms, first_ms, first), True
        for step in self._steps(spec, life):
            if step.amount:
                yield step, step.reason is GapReason.RESET

    def _gaps(self) -> None:
        for spec in self._exporter.specs("gap"):
            if not self._host.targets:
                self._tally.notes["its series have no instance label, so that its own gaps are not known"] += 1
                continue
            groups: dict[tuple[Component, str, str], list[_Found]] = defaultdict(list)
            for found in self._series(spec):
                labels = found.labels
                groups[component_of(spec, labels), _device_key(spec, labels), labels.get("reason")].append(found)
            for (component, key, reason), those in sorted(groups.items()):
                life = self._life(spec, those)
                for step, _ in self._charged_steps(spec, life) if life else ():
                    self._tally.add_gap(step, self._scrape_before(step.end_ms), (component, key), reason)

    def _told(self) -> None:
        """Names of workloads over time."""
        for spec in self._exporter.specs("info"):
            for found in self._series(spec, early=False):
                told = tuple(self._own(found.labels, name) for name in _TOLD)
                key = found.labels.get("workload"), found.labels.get("kind")
                self._names[key] += [(at_ms, told) for at_ms, _ in found.series.samples]
        for times in self._names.values():
            times.sort()

    def _own(self, labels: Labels, name: str) -> str:
        """Every series has a label "job" of its scrape; a job of the workload is beside it or in its place."""
        text = labels.get(name)
        return "" if name == "job" and text in self._jobs else text

    def _named(self, workload: Workload, at_ms: int) -> Workload:
        """By what was told last; before anything was told, by what was told first."""
        times = self._names.get((workload.key, str(workload.kind)))
        if not times:
            return workload
        after = bisect_right(times, at_ms, key=lambda each: each[0])
        told: dict[str, Any] = dict(zip(_TOLD, times[max(after - 1, 0)][1], strict=True))
        return replace(workload, **told)

    def _models(self) -> None:
        for spec in self._exporter.specs("model"):
            for found in self._series(spec, early=False):
                key = component_of(spec, found.labels), _device_key(spec, found.labels)
                self._tally.models[key] = found.labels.fill(spec.model)

    def _series(self, spec: SeriesSpec, *, early: bool = True) -> list[_Found]:
        found: list[tuple[Series, bool]] = []
        for which in selectors(self._wanted, self._host, spec):
            found += ((s, False) for s in self._api.samples(which, self._start_ms, self._end_ms, spec.per_unit))
            if early:
                before = self._api.last_before(which, self._start_ms, BACK_S, spec.per_unit)
                found += ((s, True) for s in before)
        moved = moved_labels([series.labels for series, _ in found])
        return [_Found(series, Labels(series.labels, moved), early) for series, early in found]

    def _life(self, spec: SeriesSpec, those: Sequence[_Found]) -> _Life | None:
        """None: there is no sample in the stretch."""
        fresh = sorted((each for each in those if not each.early), key=lambda each: each.series.samples[0])
        if not fresh:
            return None
        early = [each.series for each in those if each.early]
        # The target may have got another address meanwhile; of several old ones the counter has grown beyond all.
        same = [each for each in early if each.labels == fresh[0].series.labels] or early
        before = max((each.samples[0][1] for each in same), default=None)
        holds = spec.role == "device" and not self._exporter.charges
        parts = [Part(each.series, self._holder(spec, each.labels) if holds else None) for each in fresh]
        own = {*self._exporter.merge, *self._exporter.host} - {"instance"}
        counter = join(parts, own, self._wanted.replica)
        if spec.role != "device":  # the samples of those are the times of the scrapes
            counter.samples = thin(counter.samples, _limits(spec))
        return _Life(counter, before)

    def _holder(self, spec: SeriesSpec, labels: Labels) -> Workload | None:
        work = workload_of(self._exporter, spec, labels)
        return None if work is UNATTRIBUTED else work

    def _steps(self, spec: SeriesSpec, life: _Life) -> Iterator[Step]:
        samples = life.counter.samples
        if life.before is not None:
            samples = [(self._start_ms, life.before), *samples]
        return steps(samples, _limits(spec), early=life.before is not None)

    def _scrape_before(self, at_ms: int) -> int:
        """When the node was last scraped before; 0: never, as far as is known."""
        after = bisect_left(self._scrapes, at_ms)
        return self._scrapes[after - 1] if after else self._start_ms if self._known else 0


def selectors(wanted: Wanted, host: Host, spec: SeriesSpec) -> list[str]:
    """What finds a node's series of this kind."""
    matchers = (one_of("instance", [*host.targets]),) if spec.by_target else host.matchers
    cluster = one_of("cluster", [host.cluster])
    return [selector(spec.metric, spec.where, wanted.match, cluster, each) for each in matchers]


def _device_key(spec: SeriesSpec, labels: Labels) -> str:
    return "/".join(text for text in map(labels.get, spec.device) if text)


def _limits(spec: SeriesSpec) -> Limits:
    if spec.role == "gap":
        return _TIME
    return Limits(per_s=spec.most_w * UJ_PER_J, ranges=spec.wraps_uj)
