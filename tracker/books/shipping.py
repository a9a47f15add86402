"""Closed hours of a node's ledger into the books. Shipping twice changes nothing, and a run that was killed is
completed by the next one.

A day that is over becomes one file of each kind. Hours of a day that goes on become pieces, one a run; the day file
takes their place once it is there and has all of their rows. Coverage and emissions go before entries, so that no
energy is in the books without its coverage; until they are there too, their hours are missing for every reader
(``names.without_entries``). What was shipped stays: if the ledger says something else about the same hours now, that is
kept under ``conflicts/`` and told, and nothing in the books changes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tracker.books.interface import BooksDamaged, BookStore, BooksUnavailable
from tracker.books.lake import file_for, rows_in, to_parquet
from tracker.books.names import LakeFile, date_of
from tracker.books.schema import SCHEMAS, Row, content_sha256, coverage_rows, emission_rows, entry_rows
from tracker.books.shelf import DAY_S, Shelf, look, missing
from tracker.core.hours import HOUR_S, HourEmission, HourEntry, HourState, NodeFacts

#: Entries last: where they are, the rest is.
ORDER = ("coverage", "emissions", "entries")
CONFLICTS = "conflicts/"
#: What a node is called and where it stands: said at the time of shipping. It may be said otherwise later, and does not
#: contradict what was measured.
_SAID = frozenset({"hostname", "cluster", "site", "grid_zone", "device_model"})

Hours = tuple[Iterable[HourEntry], Iterable[HourState], Iterable[HourEmission]]
ReadHours = Callable[[int, int], Hours]
Tell = Callable[[int, int], object]


@dataclass(slots=True)
class Shipped:
    """What a run did. ``conflicts`` and ``damaged`` are sentences about files that need somebody; ``notes`` may be as
    they should. ``until_s``: every closed hour of the ledger before it is in the books, or is told of here. ``tidy``:
    pieces that a day file has replaced can be removed, as far as is known. ``factors``: grid factors in the created
    files."""

    until_s: int = 0
    created: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    tidy: bool = True
    factors: int = 0

    @property
    def ok(self) -> bool:
        return not self.conflicts and not self.damaged


def ship(
    store: BookStore,
    node: NodeFacts,
    days: Sequence[int],
    closed_s: int,
    read: ReadHours,
    *,
    check_from_s: int = 0,
    tell: Tell = lambda _done, _all: None,
) -> Shipped:
    """Put what is missing into the books. ``days``: starts of the UTC days of which the ledger has rows, in order;
    ``closed_s``: the end of its last closed hour; ``read``: all of the hours [start_s, end_s). Days that end after
    ``check_from_s`` are compared with the ledger even where nothing is missing. Raises BooksUnavailable; whatever is
    missing then is shipped by the next run.
    """
    done = Shipped(until_s=closed_s)
    days = [day_s for day_s in days if day_s + HOUR_S <= closed_s]
    shelf = look(store, node, days)
    done.notes += [_namesake(node, file) for file in shelf.strangers]
    for number, day_s in enumerate(days):
        tell(number, len(days))
        _Day(store, node, day_s, closed_s, shelf, done).ship(read, check=day_s + DAY_S > check_from_s)
    tell(len(days), len(days))
    return done


class _Day:
    """One UTC day of one ledger."""

    def __init__(
        self, store: BookStore, node: NodeFacts, day_s: int, closed_s: int, shelf: Shelf, done: Shipped
    ) -> None:
        self._store, self._node, self._done = store, node, done
        self._start_s = day_s
        self._end_s = min(day_s + DAY_S, closed_s)
        self._date = date_of(day_s)
        self._over = self._end_s == day_s + DAY_S
        self._files = {kind: sorted(shelf.files(kind, self._date)) for kind in ORDER}

    def ship(self, read: ReadHours, *, check: bool) -> None:
        if not check and all(self._complete(kind) for kind in ORDER):
            return
        compare = check or self._over
        start_s = self._start_s if compare else min(gap[0] for kind in ORDER for gap in self._missing(kind))
        rows = rows_of(self._node, read(start_s, self._end_s))
        if not any(rows.values()):
            return
        for kind in ORDER:
            shipped = self._compare(kind, rows[kind]) if compare else None
            if shipped is not None and self._over:
                self._finish(kind, rows[kind], shipped)
            else:
                for start_s, end_s in self._missing(kind):
                    self._create(kind, start_s, end_s, _within(start_s, end_s, rows[kind]), self._node)

    def _complete(self, kind: str) -> bool:
        if self._over:
            wholes = [file.whole for file in self._files[kind]]
            return any(wholes) if not self._done.tidy else wholes == [True]
        return not self._missing(kind)

    def _missing(self, kind: str) -> list[tuple[int, int]]:
        return missing(self._files[kind], self._date, (self._end_s - self._start_s) // HOUR_S)

    def _compare(self, kind: str, rows: Sequence[Row]) -> dict[LakeFile, list[Row]] | None:
        """What is in the books of this day. None: not all of it is sound, or it contradicts the ledger; that is told,
        and nothing there is changed."""
        shipped: dict[LakeFile, list[Row]] = {}
        sound = True
        for file in self._files[kind]:
            ours = _within(file.start_s, file.end_s, rows)
            try:
                shipped[file] = self._read(file)
            except BooksDamaged as error:
                self._done.damaged.append(str(error))
                sound = False
                continue
            if not self._agrees(kind, shipped[file], ours):
                self._keep(file, ours)
                sound = False
        return shipped if sound else None

    def _finish(self, kind: str, rows: Sequence[Row], shipped: Mapping[LakeFile, Sequence[Row]]) -> None:
        """The day is over: one file has it all, what was shipped as it was shipped."""
        whole = next((file for file in shipped if file.whole), None)
        if whole is None:
            fresh = [row for gap in self._missing(kind) for row in _within(*gap, rows)]
            rows = [*fresh, *{row for part in shipped.values() for row in part}]
            hostname = min((file.hostname for file in shipped), default=self._node.hostname)
            node = replace(self._node, hostname=hostname)
            whole = self._create(kind, self._start_s, self._start_s + DAY_S, rows, node)
        self._replace(whole, {file: part for file, part in shipped.items() if not file.whole})

    def _read(self, file: LakeFile) -> list[Row]:
        """Raises BooksDamaged if its rows are not those that its name was made of."""
        content = self._store.read(file.name)
        if content is None:
            raise BooksDamaged(f"{file.name} vanished while it was compared.", "Ship again.")
        rows = rows_in(file.kind, content, file.name)
        if content_sha256(file.kind, rows)[:16] != file.sha16:
            raise BooksDamaged(
                f"{file.name} was altered: its rows are not those that its name was made of.",
                "Move it aside and ship its hours again: wattledger ship",
            )
        return rows

    def _agrees(self, kind: str, shipped: Iterable[Row], rows: Iterable[Row]) -> bool:
        """About what was measured, as far as the ledger has closed these hours. Of time the ledger may know more than
        was shipped: a device that was away for days says so when it is back."""
        kept = [number for number, (name, _) in enumerate(SCHEMAS[kind]) if name not in _SAID]

        def measured(those: Iterable[Row]) -> Counter[Row]:
            return Counter(tuple(row[number] for number in kept) for row in those if row[0] < self._end_s)

        if kind == "coverage":
            return measured(shipped) <= measured(rows)
        return measured(shipped) == measured(rows)

    def _keep(self, file: LakeFile, rows: Sequence[Row]) -> None:
        """What the ledger says otherwise, out of the statement's sight."""
        sha256 = content_sha256(file.kind, rows)
        other = replace(file, sha16=sha256[:16])
        name = CONFLICTS + other.name
        if self._store.create(name, to_parquet(file.kind, self._node, rows, sha256)):
            self._done.created.append(name)
        self._done.conflicts.append(
            f"{file.name} says something else about its hours than the ledger does now. Both are kept, the ledger's as "
            f"{name}. Find out which is right (was the ledger restored from a copy?), move the other one aside and "
            "ship again."
        )

    def _create(self, kind: str, start_s: int, end_s: int, rows: Sequence[Row], node: NodeFacts) -> LakeFile:
        sha256 = content_sha256(kind, rows)
        file = file_for(kind, node, start_s, end_s, sha256)
        if self._store.create(file.name, to_parquet(kind, node, rows, sha256)):
            self._done.created.append(file.name)
        return file

    def _replace(self, whole: LakeFile, pieces: Mapping[LakeFile, Sequence[Row]]) -> None:
        """Remove pieces whose rows the day file has, as it is read back from the store."""
        if not pieces:
            return
        rows = set(self._read(whole))
        for piece, part in pieces.items():
            if rows.issuperset(part):
                self._remove(piece)
            else:
                self._done.conflicts.append(
                    f"{piece.name} has rows that {whole.name} lacks. Both are kept. Compare them, and move the wrong "
                    "one aside."
                )

    def _remove(self, piece: LakeFile) -> None:
        """What may not be removed is passed over by every reader: no reason to ship nothing more."""
        if not self._done.tidy:
            return
        try:
            self._store.remove(piece.name)
        except BooksUnavailable as error:
            self._done.tidy = False
            self._done.notes.append(f"Pieces stay beside their day files, and are counted by nobody: {error}")
        else:
            self._done.removed.append(piece.name)


def rows_of(node: NodeFacts, hours: Hours) -> dict[str, list[Row]]:
    """By kind, in the columns of the lake."""
    entries, states, emissions = hours
    return {
        "coverage": coverage_rows(node, states),
        "emissions": emission_rows(node, emissions),
        "entries": entry_rows(node, entries),
    }


def _within(start_s: int, end_s: int, rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if start_s <= row[0] < end_s]


def _namesake(node: NodeFacts, file: LakeFile) -> str:
    return (
        f"Another ledger ({file.ledger}) has shipped hours of {file.date} under the name {node.hostname}: this node "
        "was set up anew, or two nodes have one hostname. Both are counted; give each node its own node.hostname."
    )
