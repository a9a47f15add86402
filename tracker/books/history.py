"""A node's hours out of a Prometheus-compatible server: what its exporter's counters say, exactly, and no more.

    label sets --hosts--> Host --samples of each metric--> Counter (series.py) --steps (core/telescoping.py)--> Tally

An hour needs the samples of the six hours around it and the last value before them. So it is final six hours after its
end, and comes out the same whichever run reads it.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass

from tracker.books.history_reader import BACK_S, Host, Reader, Wanted, selectors
from tracker.books.history_tally import entries_by_device, entries_by_workload, states_by_component, states_by_device
from tracker.books.prometheus_api import PrometheusApi, one_of, selector
from tracker.books.series_map import Labels, host_of
from tracker.core.hours import HourEntry, HourState
from tracker.core.telescoping import REACH_MS
from tracker.core.units import MS_PER_S

__all__ = ["Host", "Wanted"]

REACH_S = REACH_MS // MS_PER_S
#: Identities of what was read out of Prometheus begin so: in a file's name one sees it.
_MARK = "feed"


@dataclass(frozen=True, slots=True)
class HistoryHours:
    entries: tuple[HourEntry, ...]
    states: tuple[HourState, ...]
    notes: tuple[str, ...]


def ledger_of(exporter: str, hostname: str, cluster: str) -> str:
    """The identity of what an exporter says of a node; of the server's address nothing is in it."""
    return _MARK + hashlib.sha256(f"{exporter}\n{cluster}\n{hostname}".encode("utf-8", "surrogatepass")).hexdigest()[4:]


def is_history(ledger: str) -> bool:
    """Whether a ledger, by its first digits, is not a node's own. By chance one in 65,536 of those looks so too."""
    return ledger.startswith(_MARK)


def hosts(api: PrometheusApi, wanted: Wanted, start_s: int, end_s: int) -> list[Host]:
    """The nodes that have a device's series in this time, by cluster and name."""
    exporter = wanted.exporter
    # Without a label of their own the workloads' series may name the node by another one than the devices'.
    roles = ("device", "workload") if exporter.charges and len(exporter.host) > 1 else ("device",)
    found: dict[tuple[str, str], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    targets: dict[tuple[str, str], set[str]] = defaultdict(set)
    for spec in exporter.specs(*roles):
        for labels in api.label_sets(selector(spec.metric, spec.where, wanted.match), start_s, end_s):
            name, label, value = host_of(exporter, Labels(labels))
            host = labels.get("cluster", ""), name
            found[host][label].add(value)
            targets[host].add(labels.get("instance", ""))
    return [
        Host(name, cluster, tuple(one_of(label, [*values]) for label, values in sorted(by.items())), (*sorted(at),))
        for (cluster, name), by in sorted(found.items())
        for at in [targets[cluster, name] - {""}]
        if name
    ]


def place_of(api: PrometheusApi, wanted: Wanted, host: Host, at_s: int) -> tuple[str, str]:
    """The site and the grid zone that the node itself told last; "": none, or more than one."""
    said: dict[str, set[str]] = {"site": set(), "zone": set()}
    for spec in wanted.exporter.specs("site", "zone") if host.targets else ():
        for which in selectors(wanted, host, spec):
            for series in api.last_before(which, at_s * MS_PER_S, BACK_S, spec.per_unit):
                said[spec.role].add(Labels(series.labels).fill(spec.says))
    site, zone = (next(iter(found)) if len(found) == 1 else "" for found in (said["site"], said["zone"]))
    return site, zone


def read_hours(api: PrometheusApi, wanted: Wanted, host: Host, start_s: int, end_s: int) -> HistoryHours:
    """The hours [start_s, end_s), which must be six hours old. Raises HistoryUnavailable, HistoryRefused."""
    reader = Reader(api, wanted, host, start_s * MS_PER_S - REACH_MS, end_s * MS_PER_S + REACH_MS)
    tally = reader.read()
    charges = wanted.exporter.charges
    entries = entries_by_workload(tally) if charges else entries_by_device(tally)
    states = states_by_component(tally) if charges else states_by_device(tally)
    return HistoryHours(
        tuple(each for each in entries if start_s <= each.hour_s < end_s),
        tuple(each for each in states if start_s <= each.hour_s < end_s),
        tuple(
            f"{host.hostname}: {text}{f' ({count} times)' if count > 1 else ''}."
            for text, count in sorted(tally.notes.items())
        ),
    )
