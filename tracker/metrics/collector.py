"""A snapshot as a prometheus_client collector."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from tracker.core.snapshot import Snapshot
from tracker.metrics.families import exported
from tracker.metrics.labels import braced, clean


class SnapshotCollector(Collector):
    """One snapshot for any prometheus_client registry. ``/metrics`` goes by the faster ``exposition.py``, which a test
    holds to the same bytes."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        for family in exported(self._snapshot):
            metric = Metric(family.family_name, family.help, family.kind, family.unit)
            sums: dict[str, tuple[dict[str, str], int | float]] = {}
            for values, amount in family.rows(self._snapshot):
                labels = {name: clean(value) for name, value in zip(family.labels, values, strict=True)}
                identity = braced(family.labels, values)
                sums[identity] = (labels, sums.get(identity, (labels, 0))[1] + amount)
            for labels, amount in sums.values():
                metric.add_sample(family.sample_name, labels, family.value(amount))
            if metric.samples:
                yield metric
