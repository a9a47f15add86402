"""What of one ledger is in the books already, found by listing: a node needs no memory of its own to know it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tracker.books.interface import BookStore
from tracker.books.lake import about_content
from tracker.books.names import KINDS, LakeFile, date_of, day_prefix, day_start_s, parse_name, prefixes
from tracker.core.hours import HOUR_S, NodeFacts

DAY_S = 24 * HOUR_S
#: Up to so many days are listed one by one; a month of a large fleet is many thousand names.
_FEW_DAYS = 10


@dataclass(slots=True)
class Shelf:
    """Files of this ledger by kind and date, and what others have shipped under the same hostname."""

    own: dict[tuple[str, str], list[LakeFile]] = field(default_factory=dict)
    strangers: tuple[LakeFile, ...] = ()  # one of each ledger

    def files(self, kind: str, date: str) -> list[LakeFile]:
        return self.own.get((kind, date), [])


def look(store: BookStore, node: NodeFacts, days: Sequence[int]) -> Shelf:
    """``days``: starts of UTC days. Raises BooksUnavailable, BooksDamaged."""
    wanted = {date_of(day_s) for day_s in days}
    shelf, strangers = Shelf(), dict[str, LakeFile]()
    names_of_ours = {node.hostname}
    for file in _listed(store, days):
        if file.date not in wanted:
            continue
        if file.ledger != node.ledger[:8]:
            if file.hostname == node.hostname:
                strangers.setdefault(file.ledger, file)
            continue
        # The node may have had another name when it shipped; of eight digits two ledgers may share by chance.
        if file.hostname not in names_of_ours:
            content = store.read(file.name)
            if content is None or about_content(content, file.name).get("wattledger.ledger") != node.ledger:
                continue
            names_of_ours.add(file.hostname)
        shelf.own.setdefault((file.kind, file.date), []).append(file)
    shelf.strangers = tuple(strangers.values())
    return shelf


def _listed(store: BookStore, days: Sequence[int]) -> Iterable[LakeFile]:
    if not days:
        return
    for kind in KINDS:
        if len(days) <= _FEW_DAYS:
            tops = [day_prefix(kind, date_of(day_s)) for day_s in days]
        else:
            tops = [*prefixes(kind, days[0], days[-1] + DAY_S)]
        for top in tops:
            for name, size_bytes in store.names(top):
                file = parse_name(name, size_bytes)
                if file is not None:
                    yield file


def missing(files: Iterable[LakeFile], date: str, to_h: int) -> list[tuple[int, int]]:
    """Ranges of hours [from_s, to_s) of a day, up to its hour ``to_h``, that no file has."""
    have = {hour for file in files for hour in range(file.from_h, file.to_h)}
    start_s, ranges = day_start_s(date), list[tuple[int, int]]()
    for hour in range(to_h):
        at_s = start_s + hour * HOUR_S
        if hour in have:
            continue
        if ranges and ranges[-1][1] == at_s:
            ranges[-1] = (ranges[-1][0], at_s + HOUR_S)
        else:
            ranges.append((at_s, at_s + HOUR_S))
    return ranges
