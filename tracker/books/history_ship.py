"""Hours from a Prometheus-compatible server into the same books, as whole days that are six hours old.

What a node has shipped itself, or another exporter has told of the same node, hour and component, is there already and
stays; nothing is counted twice, whoever comes first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tracker.books.history import REACH_S, Host, Wanted, hosts, ledger_of, place_of, read_hours
from tracker.books.interface import BookStore
from tracker.books.lake import SCHEMAS, Row, rows_in
from tracker.books.names import LakeFile, date_of, day_prefix, parse_name, select
from tracker.books.prometheus_api import HistoryRefused, PrometheusApi
from tracker.books.shelf import DAY_S
from tracker.books.shipping import Hours, Shipped, ship
from tracker.core.hours import NodeFacts

_EVER_S = 2**62
_COLUMNS = [name for name, _ in SCHEMAS["entries"]]
_HOUR, _CLUSTER, _COMPONENT = (_COLUMNS.index(name) for name in ("hour_s", "cluster", "component"))

Tell = Callable[[int, int], object]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the nodes stand; empty: as they say themselves."""

    site: str = ""
    zone: str = ""
    version: str = ""


def last_final_day_s(now_s: int) -> int:
    """The end of the last UTC day whose hours are final."""
    return (now_s - REACH_S) // DAY_S * DAY_S


def ship_history(
    store: BookStore,
    api: PrometheusApi,
    wanted: Wanted,
    place: Place,
    start_s: int,
    end_s: int,
    *,
    tell: Tell = lambda _done, _all: None,
) -> Shipped:
    """The UTC days of [start_s, end_s), which must be final, of all nodes. Raises BooksUnavailable, HistoryUnavailable,
    HistoryRefused; what is shipped then stays, and the next run goes on from there."""
    listed = _Listed(store)
    found: dict[tuple[str, str], dict[int, Host]] = defaultdict(dict)
    for day_s in range(start_s, end_s, DAY_S):
        # A silence that ends within the reach after this day weighs on it too.
        for host in hosts(api, wanted, day_s, day_s + DAY_S + REACH_S):
            found[host.cluster, host.hostname][day_s] = host
    if not found:
        raise HistoryRefused(
            f"{api.name} has no series of {wanted.name} from {date_of(start_s)} until {date_of(end_s)}.",
            "Check --exporter, --match and the days.",
        )
    done, whole, before = Shipped(until_s=end_s), sum(map(len, found.values())), 0
    for (cluster, name), days in sorted(found.items()):
        try:
            site, zone = place_of(api, wanted, [*days.values()][-1], end_s)
            ledger = ledger_of(wanted.name, name, cluster)
            node = NodeFacts(name, ledger, cluster, place.site or site, place.zone or zone, place.version)
            reader = _Days(listed, api, wanted, node, days)
            on = partial(_tell_on, tell, before, whole)
            part = ship(listed, node, [*days], end_s, reader.read, check_from_s=_EVER_S, tell=on)
            part.notes = reader.notes
            part.conflicts += filter(None, (counted_twice(listed, node, date_of(day_s)) for day_s in days))
            _add(done, part)
        except HistoryRefused as error:  # of this node; the others are not held up
            done.conflicts.append(f"{name}: {error}")
        before += len(days)
    tell(whole, whole)
    return done


def _tell_on(tell: Tell, before: int, whole: int, number: int, _of_node: int) -> None:
    tell(before + number, whole)


def _add(done: Shipped, part: Shipped) -> None:
    done.created += part.created
    done.removed += part.removed
    done.conflicts += part.conflicts
    done.damaged += part.damaged
    done.notes += part.notes


class _Days:
    """What ``ship`` asks of one node."""

    def __init__(
        self, store: BookStore, api: PrometheusApi, wanted: Wanted, node: NodeFacts, days: dict[int, Host]
    ) -> None:
        self._store, self._api, self._wanted, self._node, self._days = store, api, wanted, node, days
        self.notes: list[str] = []

    def read(self, start_s: int, end_s: int) -> Hours:
        """Of one day."""
        hours = read_hours(self._api, self._wanted, self._days[start_s], start_s, end_s)
        self.notes += hours.notes
        taken = taken_hours(self._store, self._node, date_of(start_s))
        entries = [each for each in hours.entries if (each.hour_s, str(each.component)) not in taken]
        states = [each for each in hours.states if (each.hour_s, str(each.component)) not in taken]
        left_out = {(each.hour_s, each.component) for each in hours.entries} - {
            (each.hour_s, each.component) for each in entries
        }
        if left_out:
            self.notes.append(
                f"{self._node.hostname}: {len(left_out)} hours of {date_of(start_s)} are in the books already, shipped "
                "by the node itself or read from another exporter; those stay."
            )
        return entries, states, ()


def taken_hours(store: BookStore, node: NodeFacts, date: str) -> set[tuple[int, str]]:
    """(hour_s, component) that another ledger of this node has entries of."""
    taken: set[tuple[int, str]] = set()
    for file in select(_files(store, node, date, own=False)).files:
        rows = _rows(store, file)
        # A node and its Prometheus need not both know the cluster; two that they name differently are two nodes.
        here = {"", node.cluster} if node.cluster else {row[_CLUSTER] for row in rows}
        taken |= {(row[_HOUR], row[_COMPONENT]) for row in rows if row[_CLUSTER] in here}
    return taken


def counted_twice(store: BookStore, node: NodeFacts, date: str) -> str:
    """A sentence, if the node has shipped hours itself after they had been read from Prometheus; else ""."""
    taken = taken_hours(store, node, date)
    files = _files(store, node, date, own=True) if taken else []
    own = {(row[_HOUR], row[_COMPONENT]) for file in files for row in _rows(store, file)}
    twice = {hour_s for hour_s, _ in own & taken}
    if not twice:
        return ""
    names = ", ".join(file.name for file in files)
    return (
        f"{node.hostname}: {len(twice)} hours of {date} are in the books twice, read from Prometheus first and shipped "
        f"by the node or read from another exporter later. Move {names} and its coverage out of the books and run "
        "this again: it then leaves out those hours."
    )


def _files(store: BookStore, node: NodeFacts, date: str, *, own: bool) -> list[LakeFile]:
    """Entries of this node's hostname, of this ledger or of the others."""
    listed = (parse_name(name, size) for name, size in store.names(day_prefix("entries", date)))
    return [
        file for file in listed if file and file.hostname == node.hostname and (file.ledger == node.ledger[:8]) is own
    ]


def _rows(store: BookStore, file: LakeFile) -> list[Row]:
    content = store.read(file.name)
    return rows_in("entries", content, file.name) if content is not None else []


class _Listed(BookStore):
    """Lists each folder once: nobody else writes the files of these ledgers, and a fleet has very many."""

    def __init__(self, store: BookStore) -> None:
        self.url = store.url
        self._store = store
        self._names: dict[str, list[tuple[str, int]]] = {}

    def names(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        if prefix not in self._names:
            self._names[prefix] = [*self._store.names(prefix)]
        yield from self._names[prefix]

    def read(self, name: str) -> bytes | None:
        return self._store.read(name)

    def create(self, name: str, content: bytes) -> bool:
        return self._store.create(name, content)

    def remove(self, name: str) -> None:
        self._store.remove(name)

    def local(self, names: Sequence[str]) -> list[Path]:
        return self._store.local(names)
