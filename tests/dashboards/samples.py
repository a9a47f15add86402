"""Series with a past, in memory, and the way into a server: Prometheus's remote write, which both servers take.

The wire format is https://prometheus.io/docs/specs/prw/remote_write_spec/ (protobuf, snappy); 40 lines are less than
the libraries for it. OpenMetrics text through promtool would be ten times as large for the same day.
"""

from __future__ import annotations

import re
import struct
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

#: What Prometheus writes when a series leaves an exposition (model/value in its source).
STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
#: A server takes samples in the order of time: all series of one slice, then the next.
SLICE_S = 3600
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

Labels = tuple[tuple[str, str], ...]


@dataclass
class Series:
    times_s: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)


class Samples:
    """Scraped expositions, by series."""

    def __init__(self) -> None:
        self.series: dict[Labels, Series] = {}

    def add(self, name: str, labels: Mapping[str, str], at_s: int, value: float) -> None:
        self.put(tuple(sorted({"__name__": name, **labels}.items())), at_s, value)

    def put(self, labels: Labels, at_s: int, value: float) -> None:
        series = self.series.get(labels)
        if series is None:
            series = self.series[labels] = Series()
        series.times_s.append(at_s)
        series.values.append(value)

    def names(self) -> set[str]:
        return {dict(labels)["__name__"] for labels in self.series}


class Target:
    """One scraped address: what a scraper makes of its expositions, ``honor_labels: true`` as in deploy/."""

    def __init__(self, samples: Samples, labels: Mapping[str, str]) -> None:
        self.samples, self.labels = samples, labels
        self._known: dict[str, Labels] = {}
        self._before: set[str] = set()

    def scrape(self, text: str, at_s: int) -> None:
        """Take an exposition (text 0.0.4). What was there before and is not any more gets a staleness marker."""
        heads: set[str] = set()
        for line in text.splitlines():
            if line.startswith("#"):
                continue
            head, _, value = line.rpartition(" ")
            labels = self._known.get(head)
            if labels is None:
                labels = self._known[head] = self._scraped(head)
            heads.add(head)
            self.samples.put(labels, at_s, float(value))
        for head in self._before - heads:
            self.samples.put(self._known[head], at_s, STALE)
        self._before = heads
        self.samples.add("up", self.labels, at_s, 1)
        self.samples.add("scrape_duration_seconds", self.labels, at_s, 0.004)
        self.samples.add("scrape_samples_scraped", self.labels, at_s, len(heads))

    def fail(self, at_s: int) -> None:
        """It does not answer."""
        for head in self._before:
            self.samples.put(self._known[head], at_s, STALE)
        self._before = set()
        self.samples.add("up", self.labels, at_s, 0)

    def _scraped(self, head: str) -> Labels:
        """As Prometheus keeps them: the exposition's own labels take the place of the target's, and none is empty, so
        that an empty one takes the target's away (scrape.go, mutateSampleLabels)."""
        name, _, inner = head.partition("{")
        labels = {"__name__": name, **self.labels, **dict(_LABEL.findall(inner))}
        return tuple(sorted((key, text) for key, text in labels.items() if text))


def send(url: str, samples: Samples) -> None:
    """Write everything to ``url`` (``…/api/v1/write``), slice by slice."""
    for body in _slices(samples):
        headers = {
            "Content-Encoding": "snappy",
            "Content-Type": "application/x-protobuf",
            "X-Prometheus-Remote-Write-Version": "0.1.0",
        }
        request = urllib.request.Request(url, body, headers, method="POST")
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert answer.status in {200, 204}


def _slices(samples: Samples) -> Iterator[bytes]:
    slices: dict[int, list[bytes]] = {}
    for labels, series in samples.series.items():
        head = b"".join(_field(1, _field(1, key.encode()) + _field(2, text.encode())) for key, text in labels)
        parts: dict[int, list[bytes]] = {}
        for at_s, value in zip(series.times_s, series.values, strict=True):
            parts.setdefault(at_s // SLICE_S, []).append(_sample(at_s, value))
        for number, encoded in parts.items():
            slices.setdefault(number, []).append(_field(1, head + b"".join(encoded)))
    for number in sorted(slices):
        yield _snappy(b"".join(slices[number]))


def _sample(at_s: int, value: float) -> bytes:
    inner = b"\x09" + struct.pack("<d", value) + b"\x10" + _varint(at_s * 1000)
    return b"\x12" + bytes((len(inner),)) + inner


def _field(number: int, inner: bytes) -> bytes:
    return bytes((number << 3 | 2,)) + _varint(len(inner)) + inner


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _snappy(data: bytes) -> bytes:
    """The block format with literals only: valid, not smaller (https://github.com/google/snappy)."""
    chunks: Sequence[bytes] = [data[at : at + 65536] for at in range(0, len(data), 65536)]
    literals = (b"\xf4" + struct.pack("<H", len(chunk) - 1) + chunk for chunk in chunks)
    return _varint(len(data)) + b"".join(literals)
