"""Reads intensities from a table: CSV, row by row, or a JSON list of objects with the same names.

A row that is wrong refuses the whole table and names its line: with half of a table nobody knows what is missing. A
value that is missing is a hole, and takes back what was there before.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import BinaryIO, NoReturn

from tracker.core.factors import g_per_kwh
from tracker.grid.answers import MAX_G_PER_KWH, iso
from tracker.grid.interface import BadAnswer
from tracker.grid.layouts import MIB, Layout

MAX_JSON_BYTES = 16 * MIB  # JSON has to be in memory as a whole
_MAX_INTERVAL_S = 32 * 86_400
_NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?([eE][-+]?[0-9]{1,2})?")
_DECIMAL_COMMA = re.compile(r"-?[0-9]{1,20},[0-9]{1,20}")
_TRUE = frozenset({"true", "1", "yes"})
_SHOWN = 40
_FEW = 2  # rows from which nobody can tell how far apart they are
_HEAD_BYTES = 4096
_NOTHING = "Nothing of it is used: mend it."

#: Cells in this order: start, end, value, zone, estimated, method. "": there is none.
_Cells = Sequence[str]


@dataclass(frozen=True, slots=True)
class Interval:
    """A row. ``printed`` "": it says that there is no value. ``estimated`` None: the table does not tell."""

    start_s: int
    end_s: int
    printed: str
    unit: str
    zone: str
    estimated: bool | None
    method: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows to come: each with where it stands, for errors, and its cells."""

    name: str
    unit: str
    rows: Iterator[tuple[str, _Cells]]


def is_json(raw: BinaryIO) -> bool:
    """By its first character; leaves ``raw`` at its start."""
    head = raw.read(_HEAD_BYTES)
    raw.seek(0)
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in {b"[", b"{"}


def parse(
    table: Table, layout: Layout, wants: Callable[[str], bool], start_s: int, end_s: int
) -> tuple[list[Interval], set[str]]:
    """The intervals that begin in [start_s, end_s) of the rows whose zone is wanted, in order, and the zones that the
    table has. Raises BadAnswer.

    All rows are checked, not only those that are given.
    """
    spacing = _Spacing(layout)
    found: list[Interval] = []
    zones: set[str] = set()
    for line, cells in table.rows:
        interval = _interval(line, cells, table.unit, layout)
        zones.add(interval.zone)
        if not wants(interval.zone):
            continue
        spacing.see(interval.start_s)
        if start_s <= interval.start_s < end_s:
            found.append(interval)
    spacing.check(table.name)
    return _in_order(table.name, found), zones


class _Spacing:
    """Notices that rows are farther apart than their interval is said to be long: a table of days read as one of hours
    would give an hour of each day and look like holes."""

    def __init__(self, layout: Layout) -> None:
        self._interval_s = layout.interval_s
        self._starts: set[int] = set()  # until two are an interval apart: in a table of hours, the first two
        self._fits = bool(layout.end)

    def see(self, start_s: int) -> None:
        if not self._fits:
            self._fits = bool({start_s - self._interval_s, start_s + self._interval_s} & self._starts)
            self._starts.add(start_s)

    def check(self, name: str) -> None:
        if not self._fits and len(self._starts) > _FEW:
            step_s = min(late - early for early, late in pairwise(sorted(self._starts)))
            raise BadAnswer(
                f"{name}: its rows are {step_s} s apart, but an interval is said to have {self._interval_s} s.",
                "Set interval to what it is.",
            )


def _interval(line: str, cells: _Cells, unit: str, layout: Layout) -> Interval:
    start, end, value, zone, estimated, method = cells
    start_s = _instant_s(line, start, layout)
    end_s = _instant_s(line, end, layout) if layout.end else start_s + layout.interval_s
    if layout.at_end and not layout.end:
        start_s, end_s = start_s - layout.interval_s, start_s
    if not 0 < end_s - start_s <= _MAX_INTERVAL_S:
        _refuse(line, f"the interval ends at {end!r}")
    flag = estimated.casefold() in _TRUE if estimated else None
    return Interval(start_s, end_s, _printed(line, value, unit), unit, zone, flag, method)


def _instant_s(line: str, text: str, layout: Layout) -> int:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        _refuse(line, f"{text[:_SHOWN]!r} is no time")
    if at.tzinfo is None:
        if not layout.utc:
            _refuse(line, f"the time {text[:_SHOWN]!r} does not say its offset")
        at = at.replace(tzinfo=UTC)
    return int(at.timestamp())


def _printed(line: str, text: str, unit: str) -> str:
    """As it is written; "": there is none."""
    if not text:
        return ""
    if not _NUMBER.fullmatch(text):
        if _DECIMAL_COMMA.fullmatch(text):
            _refuse(line, f"{text[:_SHOWN]!r} is no number: it has a decimal comma, write a point")
        _refuse(line, f"{text[:_SHOWN]!r} is no number")
    if not 0 <= g_per_kwh(Decimal(text), unit) <= MAX_G_PER_KWH:
        _refuse(line, f"{text} {unit} is a value that no grid has")
    return text


def _in_order(name: str, found: list[Interval]) -> list[Interval]:
    """A value says more than none about the same time."""
    ordered: list[Interval] = []
    for one in sorted(found, key=lambda one: (one.start_s, one.printed == "")):
        if not ordered or one.start_s >= ordered[-1].end_s:
            ordered.append(one)
        elif not one.printed:
            continue
        elif not ordered[-1].printed:
            ordered[-1] = one
        elif one != ordered[-1]:
            raise BadAnswer(
                f"{name}: two rows contradict each other about {iso(one.start_s)}.",
                "Nothing of it is used. If the intervals are shorter, set interval to what they are.",
            )
    return ordered


def csv_table(name: str, raw: BinaryIO, layout: Layout) -> Table:
    """Reads the header now and the rows as they are asked for. Raises BadAnswer."""
    reader = csv.reader(_lines(raw))

    def refused(error: Exception) -> BadAnswer:
        return BadAnswer(f"{name}, line {reader.line_num + 1} is no CSV in UTF-8: {error}.", _NOTHING)

    try:
        header = [title.strip().casefold() for title in next(reader, [])]
    except (csv.Error, UnicodeDecodeError) as error:
        raise refused(error) from error
    if len(header) == 1 and ";" in header[0]:
        raise BadAnswer(f"{name} separates its columns by semicolons.", "Separate them by commas.")
    names = _columns(name, header, layout)
    places = [header.index(title) if title else -1 for title in names]

    def rows() -> Iterator[tuple[str, _Cells]]:
        try:
            for row in reader:
                if not row:
                    continue
                line = f"{name}, line {reader.line_num}"
                if len(row) != len(header):
                    _refuse(line, f"it has {len(row)} columns and the first line {len(header)}")
                yield line, ["" if place < 0 else row[place].strip() for place in places]
        except (csv.Error, UnicodeDecodeError) as error:
            raise refused(error) from error

    return Table(name, layout.value[names[2]], rows())


def _lines(raw: BinaryIO) -> Iterator[str]:
    """One at a time; the mark that some editors put at the start of a file is no part of it."""
    encoding = "utf-8-sig"
    for line in raw:
        yield line.decode(encoding)
        encoding = "utf-8"


def json_table(name: str, document: object, layout: Layout) -> Table:
    """Of what ``load_json`` gave. Raises BadAnswer."""
    if not isinstance(document, list) or not all(isinstance(row, dict) for row in document):
        raise BadAnswer(f"{name} is no list of objects.", 'Write [{"datetime": "…", "g_per_kwh": …}, …].')
    tables = [{title.strip().casefold(): cell for title, cell in row.items()} for row in document]
    names = _columns(name, list(dict.fromkeys(title for table in tables for title in table)), layout)

    def rows() -> Iterator[tuple[str, _Cells]]:
        for number, table in enumerate(tables, start=1):
            yield f"{name}, row {number}", [_text(table.get(title)) for title in names]

    return Table(name, layout.value[names[2]], rows())


def load_json(name: str, raw: BinaryIO) -> tuple[bytes, object]:
    """What was read, and what it says, with numbers as the texts that they are written as. Raises BadAnswer."""
    content = raw.read(MAX_JSON_BYTES + 1)
    if len(content) > MAX_JSON_BYTES:
        raise BadAnswer(f"{name} is JSON of more than {MAX_JSON_BYTES // MIB} MiB.", "Write it as CSV, or cut it.")
    try:
        return content, json.loads(content.decode("utf-8-sig"), parse_float=str, parse_int=str)
    except (ValueError, RecursionError) as error:
        raise BadAnswer(f"{name} is no valid JSON: {error}.", _NOTHING) from error


def _text(cell: object) -> str:
    match cell:
        case None:
            return ""
        case bool():
            return str(cell).casefold()
        case _:
            return str(cell).strip()


def _columns(name: str, header: Sequence[str], layout: Layout) -> list[str]:
    """The title of each cell's column; "" for those that a table need not have."""
    wanted = (layout.start, layout.end, tuple(layout.value), layout.zone, layout.estimated, layout.method)
    titles = [next((title for title in choice if title in header), "") for choice in wanted]
    for choice, title in zip(wanted[:4], titles[:4], strict=True):
        if choice and not title:
            there = ", ".join(header)[: 4 * _SHOWN] or "nothing"
            raise BadAnswer(f"{name} has no column {' or '.join(choice)}; it has: {there}.", "Name its columns.")
    return titles


def _refuse(line: str, what: str) -> NoReturn:
    raise BadAnswer(f"{line}: {what}.", _NOTHING)
