"""The files that a month is made of, and which nodes were expected to ship some."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, tzinfo
from pathlib import Path

import msgspec

from tracker.books.coverage import Expected, Presence
from tracker.books.interface import BookStore, BooksUnavailable
from tracker.books.names import LakeFile, parse_name, prefixes, select, without_entries
from tracker.books.sites import FOLDER
from tracker.config.pue import midnight_s
from tracker.core.hours import HOUR_S
from tracker.core.period import hours_of, months_before
from tracker.core.statement import Input, Period

_HASHERS = 4
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class MonthFiles:
    """``before``: the last coverage file of each node that has some in the month before. ``conflicts``: pairs of files
    that contradict each other; the first of each is read. ``lost``: hours with coverage whose energy did not come."""

    entries: tuple[LakeFile, ...]
    coverage: tuple[LakeFile, ...]
    before: Mapping[str, LakeFile]
    conflicts: tuple[tuple[LakeFile, LakeFile], ...]
    lost: Mapping[tuple[str, str], Sequence[int]]

    def last_of_absent(self, presence: Presence) -> list[LakeFile]:
        """By hostname, the last coverage file of each node of which no hour is there."""
        last = dict(self.before)
        for file in sorted(self.coverage, key=lambda each: each.end_s):
            if file.hostname in presence.lost:
                last[file.hostname] = file
        return [file for host, file in sorted(last.items()) if host not in presence.hours]


def find_files(store: BookStore, period: Period) -> MonthFiles:
    """By their names. Raises BooksUnavailable."""
    entries = select(_listed(store, "entries", period.start_s, period.end_s))
    coverage = select(_listed(store, "coverage", period.start_s, period.end_s))
    (month,) = months_before(period.month, 1)
    before: dict[str, LakeFile] = {}
    for name, size_bytes in store.names(f"coverage/month={month}/"):
        file = parse_name(name, size_bytes)
        if file is not None and file.start_s < period.start_s:
            last = before.get(file.hostname)
            before[file.hostname] = file if last is None or last.end_s < file.end_s else last
    lost = without_entries(coverage.files, entries.files)
    return MonthFiles(entries.files, coverage.files, before, (*entries.conflicts, *coverage.conflicts), lost)


def _listed(store: BookStore, kind: str, start_s: int, end_s: int) -> Iterable[LakeFile]:
    for prefix in prefixes(kind, start_s, end_s):
        for name, size_bytes in store.names(prefix):
            file = parse_name(name, size_bytes)
            if file is not None and file.start_s < end_s and start_s < file.end_s:
                yield file


def local(store: BookStore, files: Sequence[LakeFile]) -> list[Path]:
    return store.local([file.name for file in files])


def expected_nodes(
    files: MonthFiles,
    presence: Presence,
    last_sites: Mapping[str, str],
    period: Period,
    as_of_s: int,
    retired: Mapping[str, date],
    zone: tzinfo,
) -> list[Expected]:
    """By hostname. Hours that are not over at ``as_of_s`` are expected of nobody."""
    hours = hours_of(period)
    over_s = min(hours.stop, as_of_s // HOUR_S * HOUR_S)
    found = []
    for hostname in sorted({*files.before, *presence.hours, *presence.lost}):
        own = sorted({*presence.hours.get(hostname, ()), *presence.lost.get(hostname, ())})
        start_s = hours.start if hostname in files.before else own[0]
        until = retired.get(hostname)
        end_s = over_s if until is None else min(over_s, midnight_s(until, zone))
        if own:
            end_s = max(end_s, own[-1] + HOUR_S) if until is None else end_s
        if start_s < end_s or own:
            found.append(Expected(hostname, start_s, max(start_s, end_s), last_sites.get(hostname, "")))
    return found


def inputs_of(store: BookStore, names: Mapping[str, int | None], *, hashed: bool) -> tuple[Input, ...]:
    """By name. ``names``: with sizes, None: not known yet. ``hashed``: sha256 of the bytes; a draft leaves it out, for
    names of lake files carry a hash of their rows already."""
    ordered = sorted(names)
    asked = [name for name in ordered if hashed or names[name] is None]
    paths = dict(zip(asked, store.local(asked), strict=True))
    hashes: dict[str, str] = {}
    if hashed:
        with ThreadPoolExecutor(_HASHERS) as pool:
            hashes = dict(zip(asked, pool.map(_sha256, paths.values()), strict=True))
    return tuple(Input(name, hashes.get(name, ""), _known_size(names[name], paths.get(name))) for name in ordered)


def _known_size(size_bytes: int | None, path: Path | None) -> int:
    if size_bytes is not None:
        return size_bytes
    return 0 if path is None else _size(path)


class _Recorded(msgspec.Struct):
    recorded_at_s: int = 0


def site_files(store: BookStore, as_of_s: int) -> tuple[str, ...]:
    """What nodes had said of their sites by then. One that cannot be read says nothing."""
    names = [name for name, _ in store.names(FOLDER) if name.endswith(".json")]
    found = []
    for name, path in zip(names, store.local(names), strict=True):
        with suppress(OSError, msgspec.MsgspecError):
            if msgspec.json.decode(path.read_bytes(), type=_Recorded).recorded_at_s <= as_of_s:
                found.append(name)
    return tuple(found)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise BooksUnavailable(f"{path} cannot be read: {error.strerror}.", "Try again.") from error
    return digest.hexdigest()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise BooksUnavailable(f"{path} cannot be read: {error.strerror}.", "Try again.") from error
