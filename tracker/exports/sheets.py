"""The data sheets of the workbook: one header, one line for each item, totals as values with a check below them.

Text is written as text, never as a formula or a link. No cell is merged. A number that is not known is an empty cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tracker.core.statement import Statement
from tracker.exports import head, table
from tracker.exports.columns import ADDITIVE, NUMBERS, amount_cells
from tracker.exports.summary import total

CHECK_OK, CHECK_BAD = "OK", "DOES NOT FOOT"
CHECK_LABEL = "Check: sum of the lines above"
_TEXT_LIMIT = 32_767  # characters of a cell, by Excel
_WIDEST, _NARROWEST, _SAMPLE = 60, 8, 500
_FORMATS = {0: "#,##0", 2: "#,##0.00", 3: "#,##0.000", 6: "0.000000"}


@dataclass(slots=True)
class Book:
    """A workbook with the formats that its sheets share."""

    made: Any  # xlsxwriter.Workbook, which has no types
    formats: dict[object, Any] = field(default_factory=dict)

    def style(self, **properties: object) -> Any:
        key = tuple(sorted(properties.items()))
        if key not in self.formats:
            self.formats[key] = self.made.add_format({"font_name": "Calibri", "font_size": 10, **properties})
        return self.formats[key]

    def header(self, *, right: bool) -> Any:
        look: dict[str, object] = {"align": "right"} if right else {}
        return self.style(bold=True, bottom=1, bg_color="#E8ECEA", text_wrap=True, valign="top", **look)

    def number(self, places: int, **properties: object) -> Any:
        return self.style(num_format=_FORMATS[places], **properties)


class DataSheet:
    """Lines go in from the top, as a workbook that keeps nothing in memory wants them."""

    def __init__(self, book: Book, name: str, columns: Sequence[str], places: dict[str, int]) -> None:
        self.book, self.columns = book, tuple(columns)
        self._sums = dict.fromkeys((place for place, column in enumerate(columns) if column in ADDITIVE), 0)
        self.sheet = book.made.add_worksheet(name)
        self._places = [places.get(column) for column in columns]
        self._text = book.style()
        self._numbers = [None if each is None else book.number(each) for each in self._places]
        self._widths = [len(column) for column in columns]
        self.lines = 0
        self.sheet.freeze_panes(1, 0)
        self.sheet.repeat_rows(0)
        printable(self.sheet, page=False)
        for column, title in enumerate(columns):
            self.sheet.write_string(0, column, title, book.header(right=title in places))

    def add(self, cells: Sequence[str | None]) -> None:
        """Numbers as text with their decimals, so that every format of a statement prints the same digits."""
        self.lines += 1
        for column in self._sums:
            self._sums[column] += _scaled(cells[column])
        self._write(self.lines, cells, self._text, self._numbers)

    def _write(self, row: int, cells: Sequence[str | None], text: Any, numbers: Sequence[Any]) -> None:
        measure = row <= _SAMPLE
        sheet, widths = self.sheet, self._widths
        for column, cell in enumerate(cells):
            if not cell:
                continue
            number = numbers[column]
            if number is None:
                sheet.write_string(row, column, cell[:_TEXT_LIMIT], text)
            else:
                sheet.write_number(row, column, float(cell), number)
            if measure and len(cell) >= widths[column]:
                widths[column] = len(cell) + (len(cell) // 4 if number is not None else 0)

    def close(self) -> None:
        """Filter and widths, for sheets without totals."""
        if self.columns:
            self.sheet.autofilter(0, 0, max(self.lines, 1), len(self.columns) - 1)
        for column, width in enumerate(self._widths):
            self.sheet.set_column(column, column, min(max(width, _NARROWEST), _WIDEST) + 2)

    def totals(self, label: str, cells: Sequence[str | None]) -> None:
        """A line of values, and below it a check for each column that may be summed."""
        row = self.lines + 2
        bold = [None if places is None else self.book.number(places, bold=True, top=1) for places in self._places]
        self._write(row, [label, *cells[1:]], self.book.style(bold=True, top=1), bold)
        self.sheet.write_string(row + 1, 0, CHECK_LABEL, self._text)
        self._widths[0] = max(self._widths[0], len(CHECK_LABEL))
        for column, summed in self._sums.items():
            name = _letters(column)
            area = f"{name}2:{name}{max(self.lines, 1) + 1}"
            formula = f'=IF(ABS(SUM({area})-{name}{row + 1})<0.0005,"{CHECK_OK}","{CHECK_BAD}")'
            found = CHECK_OK if summed == _scaled(cells[column]) else CHECK_BAD
            self.sheet.write_formula(row + 1, column, formula, self.book.style(align="right"), found)


def printable(sheet: Any, *, page: bool = True) -> None:
    """A4, landscape, numbered. ``page``: made for reading, so without grid lines and no wider than the paper."""
    sheet.hide_gridlines(2 if page else 1)
    sheet.set_landscape()
    sheet.set_paper(9)
    if page:
        sheet.fit_to_pages(1, 0)
    sheet.set_footer("&L&A&RPage &P of &N")


def _scaled(cell: str | None) -> int:
    """As an integer of the last printed place."""
    return int(cell.replace(".", "")) if cell else 0


def _letters(column: int) -> str:
    """0 is A, 26 is AA."""
    text = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        text = chr(ord("A") + rest) + text
    return text


def rows(book: Book, statement: Statement) -> None:
    columns = (*table.columns(statement), "row_sha256")
    sheet = DataSheet(book, "Rows", columns, NUMBERS)
    for row in table.rows(statement, (table.ROW,)):
        sheet.add([*row.cells, row.sha256])
    (whole,) = table.rows(statement, (table.TOTAL,))
    sheet.totals("Total", [*whole.cells, whole.sha256])
    sheet.close()


def daily(book: Book, statement: Statement) -> None:
    sheet = DataSheet(book, "Daily", ("date", *ADDITIVE), NUMBERS)
    for day in statement.days:
        sheet.add([day.date, *amount_cells(day.amounts)])
    if statement.days:
        sheet.totals("Total", ["", *amount_cells(statement.total.amounts)])
    sheet.close()


def corrections(book: Book, statement: Statement) -> None:
    columns = (*table.columns(statement), "row_sha256")
    sheet = DataSheet(book, "Corrections", columns, NUMBERS)
    for row in table.rows(statement, (table.CORRECTION,)):
        sheet.add([*row.cells, row.sha256])
    summed = total(each.line.amounts for each in statement.corrections)
    if summed is not None:
        cells = dict(zip(ADDITIVE, amount_cells(summed), strict=True))
        sheet.totals("Total of corrections", [cells.get(name, "") for name in columns])
    sheet.close()


def factors(book: Book, statement: Statement) -> None:
    _objects(book, "Factors", head.factors(statement), {"energy_kwh": 3, "tier": 0})


def coverage(book: Book, statement: Statement) -> None:
    places = {"expected_hours": 0, "present_hours": 0, "covered_ratio": 6}
    _objects(book, "Coverage", head.coverage(statement), places)


def sites(book: Book, statement: Statement) -> None:
    _objects(book, "Sites", head.sites(statement), {"pue": 3, "hours": 0, "energy_it_kwh": 3})


def reconciliation(book: Book, statement: Statement) -> None:
    lines = [
        {**each, "difference_kwh": _difference(each["ours_kwh"], each["theirs_kwh"])}
        for each in head.reconciliation(statement)
    ]
    _objects(book, "Reconciliation", lines, {"ours_kwh": 3, "theirs_kwh": 3, "difference_kwh": 3})


def _difference(ours: Decimal | None, theirs: Decimal | None) -> Decimal | None:
    return None if ours is None or theirs is None else ours - theirs


def _objects(book: Book, name: str, lines: Sequence[dict[str, Any]], places: dict[str, int]) -> None:
    """A line for each object, with its members as columns."""
    columns = tuple(lines[0]) if lines else ("none",)
    sheet = DataSheet(book, name, columns, places)
    for line in lines:
        sheet.add([_cell(value) for value in line.values()])
    sheet.close()


def _cell(value: object) -> str | None:
    match value:
        case None:
            return None
        case Decimal():
            return f"{value:f}"
        case list() | tuple():
            return "; ".join(_cell(each) or "" for each in value)
        case dict():
            return " ".join(_cell(each) or "" for each in value.values())
        case _:
            return str(value)


def manifest(book: Book, statement: Statement, digest: str) -> None:
    """``digest``: of the statement, as its other formats carry it."""
    sheet = DataSheet(book, "Manifest", ("name", "sha256", "size_bytes"), {"size_bytes": 0})
    sheet.add([f"statement {statement.statement_id} version {statement.version}", digest, None])
    for each in statement.inputs:
        sheet.add([each.name, each.sha256, str(each.size_bytes)])
    sheet.close()
