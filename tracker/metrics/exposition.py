"""The exposition: Prometheus text 0.0.4 and OpenMetrics 1.0.0, written once per snapshot.

Why not prometheus_client's writer alone: it validates and escapes every label of every series on every scrape, 8 to
11 ms for 1,000 series, twice the scrape budget. Label sets hardly change from one snapshot to the next, so each
sample's text up to its value is kept here, and a scrape only writes numbers. Which format a scraper gets is decided by
prometheus_client's own chooser, and a test holds the two writers to the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import Lock

from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, choose_encoder, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST as CONTENT_TYPE_OPENMETRICS
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from tracker.core.snapshot import Snapshot
from tracker.metrics.families import FAMILIES, exported
from tracker.metrics.family import Family
from tracker.metrics.labels import braced

_number: Callable[[float], str] = floatToGoString


def wants_openmetrics(accept: str) -> bool:
    """Whether a scraper with this Accept header gets OpenMetrics. A header that makes no sense gets text."""
    try:
        return choose_encoder(accept)[1].startswith("application/openmetrics-text")
    except (TypeError, ValueError):  # the chooser compares the "abc" of "version=abc" with a number
        return False


class Renderer:
    """Renders snapshots; any number of threads may call it.

    ``process``: a collector of the daemon's own cost, read once per snapshot (``prometheus_client.PROCESS_COLLECTOR``).
    """

    def __init__(self, process: Collector | None = None) -> None:
        self._process = process
        self._lock = Lock()
        self._snapshot: Snapshot | None = None
        self._blocks: list[tuple[Family, str]] = []
        self._own: _Fixed = _Fixed(())
        self._done: dict[bool, bytes] = {}
        self._writers = {family.name: _Writer(family) for family in FAMILIES}

    def render(self, snapshot: Snapshot, accept: str = "") -> tuple[bytes, str]:
        """The exposition of a snapshot and its content type. The same snapshot gives the same bytes, however often and
        by however many it is asked for (P6)."""
        openmetrics = wants_openmetrics(accept)
        with self._lock:
            if snapshot is not self._snapshot:
                self._take(snapshot)
            if openmetrics not in self._done:
                self._done[openmetrics] = self._openmetrics() if openmetrics else self._text()
            return self._done[openmetrics], CONTENT_TYPE_OPENMETRICS if openmetrics else CONTENT_TYPE_PLAIN_0_0_4

    def _take(self, snapshot: Snapshot) -> None:
        """Both formats write samples alike: that part is done once."""
        blocks = ((family, self._writers[family.name].write(snapshot)) for family in exported(snapshot))
        self._blocks = [(family, block) for family, block in blocks if block]
        self._own = _Fixed(() if self._process is None else self._process.collect())
        self._done = {}
        self._snapshot = snapshot

    def _text(self) -> bytes:
        parts: list[str] = []
        for family, block in self._blocks:
            name = family.sample_name
            kind = "gauge" if family.kind == "info" else family.kind
            parts += (f"# HELP {name} {family.help}\n# TYPE {name} {kind}\n", block)
        return "".join(parts).encode() + generate_latest(self._own)

    def _openmetrics(self) -> bytes:
        parts: list[str] = []
        for family, block in self._blocks:
            name = family.family_name
            unit = f"# UNIT {name} {family.unit}\n" if family.unit else ""
            parts += (f"# HELP {name} {family.help}\n# TYPE {name} {family.kind}\n{unit}", block)
        own: bytes = generate_openmetrics(self._own)  # type: ignore[no-untyped-call] # prometheus_client leaves it bare
        return "".join(parts).encode() + own


class _Writer:
    """Writes the samples of one family, and remembers their text up to the value from one snapshot to the next."""

    def __init__(self, family: Family) -> None:
        self._family = family
        self._heads: dict[tuple[str, ...], str] = {}

    def write(self, snapshot: Snapshot) -> str:
        """One line per label set; rows whose labels are the same once cleaned are added up as integers."""
        family = self._family
        heads: dict[tuple[str, ...], str] = {}
        sums: dict[str, int | float] = {}
        for values, amount in family.rows(snapshot):
            head = self._heads.get(values)
            if head is None:
                head = f"{family.sample_name}{braced(family.labels, values)} "
            heads[values] = head
            sums[head] = sums.get(head, 0) + amount
        self._heads = heads  # only what is still shown: memory follows the snapshot
        value = family.value
        return "".join([f"{head}{_number(value(amount))}\n" for head, amount in sums.items()])


class _Fixed(Collector):
    """Metrics that were collected before, so that both formats show the same."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = tuple(metrics)

    def collect(self) -> Iterable[Metric]:
        return self._metrics
