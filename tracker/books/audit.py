"""Prove that the lake is whole and counts nothing twice, or say exactly where it is not.

Every file is read once, from the store. A bad file is a finding and is left out of the checks that look at rows
together, so that it hides no other. Days go one by one: memory does not grow with the fleet's months.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tracker.books.audit_files import Reader
from tracker.books.audit_papers import papers
from tracker.books.audit_rows import DAY_CHECKS, ROW_KINDS, forget, missing_hours, namesakes, prepare, take
from tracker.books.engine import connect
from tracker.books.finding import BooksFinding, ranges, shortened, some
from tracker.books.interface import BookStore
from tracker.books.names import KINDS, LakeFile, day_prefix, parse_name, prefixes, select, without_entries
from tracker.books.schema import Row
from tracker.core.model import Level

#: Files that are looked at together: so many, or of so many bytes.
_BATCH = 64
_BATCH_BYTES = 4 * 1024 * 1024
#: Done, of how many, and what is looked at.
Tell = Callable[[int, int, str], object]


def _silent(_done: int, _all: int, _what: str) -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True)
class LakeAudit:
    findings: tuple[BooksFinding, ...]
    files: int = 0
    size_bytes: int = 0
    node_hours: int = 0

    @property
    def ok(self) -> bool:
        return all(each.level is not Level.FAIL for each in self.findings)


def audit_lake(
    store: BookStore,
    *,
    as_of_s: int,
    start_s: int | None = None,
    end_s: int | None = None,
    retired: Mapping[str, int] | None = None,
    tell: Tell = _silent,
) -> LakeAudit:
    """Check the hours [start_s, end_s), both None: all there are. ``as_of_s``: now. ``retired``: hostname -> since when
    it is not expected. Raises BooksUnavailable if the store is out of reach."""
    files, strangers = _listed(store, start_s, end_s)
    findings = [*strangers, *_conflicts(store, start_s, end_s), *papers(store)]
    # files are small: more threads only wait for one another
    with tempfile.TemporaryDirectory(prefix="wattledger-") as folder, connect(threads=1) as connection:
        connection.execute("SET memory_limit = '512MiB'")
        connection.execute("SET temp_directory = $1", [folder])
        prepare(connection)
        reader = Reader(store, connection, Path(folder))
        findings += _by_day(reader, files, as_of_s, tell)
        findings += namesakes(connection)
        until_s = as_of_s if end_s is None else min(end_s, as_of_s)
        findings += missing_hours(connection, until_s, dict(retired or {}))
        node_hours = connection.execute("SELECT count(*) FROM known").fetchone()
    return LakeAudit(
        shortened(findings), len(files), sum(file.size_bytes for file in files), node_hours[0] if node_hours else 0
    )


def _listed(store: BookStore, start_s: int | None, end_s: int | None) -> tuple[list[LakeFile], list[BooksFinding]]:
    """The lake's files, and those that are none."""
    files, strangers = [], []
    for kind in KINDS:
        tops = [f"{kind}/"] if start_s is None or end_s is None else prefixes(kind, start_s, end_s)
        for name, size_bytes in (each for top in tops for each in store.names(top)):
            file = parse_name(name, size_bytes)
            if file is None:
                message = "This is no file of the books by its name; nobody reads it."
                strangers.append(BooksFinding(Level.WARN, "stranger", name, message, "Move it out of the books."))
            elif _within(file, start_s, end_s):
                files.append(file)
    return files, strangers


def _within(file: LakeFile, start_s: int | None, end_s: int | None) -> bool:
    return start_s is None or end_s is None or (file.start_s < end_s and start_s < file.end_s)


def _conflicts(store: BookStore, start_s: int | None, end_s: int | None) -> Iterator[BooksFinding]:
    """What nodes shipped that contradicts what was there before."""
    for name, _ in store.names("conflicts/"):
        file = parse_name(name.removeprefix("conflicts/"))
        if file is not None and not _within(file, start_s, end_s):
            continue
        message = "A node shipped these hours again with other content; the first is in the books, this was set aside."
        remedy = (
            "Compare both, and where they differ (wattledger verify on the node). Keep the one that is right under its "
            "name without conflicts/ and remove the other."
        )
        yield BooksFinding(Level.FAIL, "conflict", name, message, remedy)


def _by_day(reader: Reader, files: Iterable[LakeFile], as_of_s: int, tell: Tell) -> Iterator[BooksFinding]:
    days: dict[str, list[LakeFile]] = {}
    for file in sorted(files):
        days.setdefault(file.date, []).append(file)
    total, done = sum(map(len, days.values())), 0
    for date in sorted(days):
        chosen = select(days[date])
        wanted, beside = set(chosen.files), _beside(days[date])
        rows: dict[LakeFile, list[Row]] = {}
        alone: list[LakeFile] = []
        for batch in _batches(wanted - beside):
            tell(done, total, date)
            if _taken(reader, batch):
                done += len(batch)
            else:
                alone += batch
        for file in sorted({*alone, *(set(days[date]) - wanted), *beside}):
            tell(done, total, date)
            done += 1
            found = list(reader.check(file))
            yield from found
            if any(each.level is Level.FAIL for each in found):
                continue
            if file in wanted and file.kind in ROW_KINDS:
                take(reader.connection, file.kind)
            if file in beside:
                rows[file] = reader.rows()
        yield from _overlaps(chosen.conflicts)
        yield from _lost(reader.store, date, chosen.files)
        yield from _left_over(rows)
        for check in DAY_CHECKS:
            yield from check(reader.connection, as_of_s)
        forget(reader.connection)
    tell(total, total, "")


def _taken(reader: Reader, batch: list[LakeFile]) -> bool:
    """Whether all of them are sound; then their rows are taken."""
    if not reader.sound(batch):
        return False
    if batch[0].kind in ROW_KINDS:
        take(reader.connection, batch[0].kind)
    return True


def _batches(files: Iterable[LakeFile]) -> Iterator[list[LakeFile]]:
    """Of one kind each, and no larger than memory should hold at once."""
    batch: list[LakeFile] = []
    size_bytes = 0
    for file in sorted(files):
        if batch and (
            file.kind != batch[0].kind or len(batch) >= _BATCH or size_bytes + file.size_bytes > _BATCH_BYTES
        ):
            yield batch
            batch, size_bytes = [], 0
        batch.append(file)
        size_bytes += file.size_bytes
    if batch:
        yield batch


def _beside(files: Iterable[LakeFile]) -> set[LakeFile]:
    """Day files with pieces beside them, and those pieces."""
    groups: dict[tuple[str, str, str], list[LakeFile]] = {}
    for file in files:
        groups.setdefault(_whose(file), []).append(file)
    mixed = (group for group in groups.values() if len({file.whole for file in group}) > 1)
    return {file for group in mixed for file in group}


def _overlaps(conflicts: Iterable[tuple[LakeFile, LakeFile]]) -> Iterator[BooksFinding]:
    for read, unread in conflicts:
        message = f"It has hours that {read.name} has too; only that one is read, and nothing is counted twice."
        remedy = f"Compare both with the ledger of {read.hostname} and move the wrong one out of the books."
        yield BooksFinding(Level.FAIL, "overlap", unread.name, message, remedy)


def _lost(store: BookStore, date: str, files: Iterable[LakeFile]) -> Iterator[BooksFinding]:
    """Hours of which there is coverage and no energy, while nothing was missed: they look measured and say nothing."""
    coverage = [file for file in files if file.kind == "coverage"]
    if not without_entries(coverage, (file for file in files if file.kind == "entries")):
        return
    # Coverage is shipped first and was listed last: what has come since is there.
    listed = (parse_name(name) for name, _ in store.names(day_prefix("entries", date)))
    for (hostname, _), hours_s in without_entries(coverage, filter(None, listed)).items():
        message = f"There is coverage of {some(ranges(hours_s))} and no energy: these hours count as missing, not as 0."
        remedy = (
            f"Ship them again from {hostname}: wattledger ship. If nobody can any more, move their coverage out of the "
            "books too: without it the hours are missing like any other."
        )
        yield BooksFinding(Level.FAIL, "entries", hostname, message, remedy)


def _left_over(rows: Mapping[LakeFile, list[Row]]) -> Iterator[BooksFinding]:
    """Pieces of a day that its day file has replaced: the day file is read."""
    for piece in (file for file in rows if not file.whole):
        of_day = [file for file in rows if file.whole and _whose(file) == _whose(piece)]
        for day in of_day:
            if set(rows[day]).issuperset(rows[piece]):
                message = f"The day file {day.name} has all of its rows; shipping did not come to remove it."
                remedy = f"Nothing is counted twice. Ship again from {piece.hostname} to tidy up: wattledger ship"
                yield BooksFinding(Level.WARN, "left_over", piece.name, message, remedy)
            else:
                message = f"It has rows that the day file {day.name} lacks; the day file is read."
                remedy = f"Compare both with the ledger of {piece.hostname} and move the wrong one out of the books."
                yield BooksFinding(Level.FAIL, "piece", piece.name, message, remedy)


def _whose(file: LakeFile) -> tuple[str, str, str]:
    """Of one day."""
    return file.kind, file.hostname, file.ledger
