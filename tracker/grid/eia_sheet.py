"""Reads a workbook of the EIA's Hourly Electric Grid Monitor. Imported only where one is read: it loads openpyxl.

Sheet "Published Hourly Data", one line for each hour, a title above each column. Three columns are used:

``BA``                                                  the balancing authority
``UTC time``                                            the end of the hour
``CO2 Emissions Intensity for Consumed Electricity``    lb/kWh; blank where something is missing

https://www.eia.gov/electricity/gridmonitor/about says how CO2 is computed.
"""

from __future__ import annotations

import calendar
import io
import warnings
import zipfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import openpyxl  # type: ignore[import-untyped] # it ships no types

from tracker.grid.interface import BadAnswer

SERVICE = "EIA-930"
SHEET = "Published Hourly Data"
BA, TIME, VALUE = "BA", "UTC time", "CO2 Emissions Intensity for Consumed Electricity"
#: Unpacked. A workbook of 20 MB is 200 MB of XML; what is not in sheets is held in memory, and is little.
MAX_UNPACKED, MAX_HELD = 1 << 30, 32 << 20
_HALF_A_SECOND = timedelta(milliseconds=500)


def read_sheet(body: bytes) -> list[tuple[str, int, Decimal | None]]:
    """Authority, end of the hour in UTC seconds, and value of each line. Raises BadAnswer."""
    try:
        _check_size(body)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # styles and extensions that it does not know
            book = openpyxl.load_workbook(io.BytesIO(body), read_only=True, data_only=True)
            try:
                return list(_lines(book[SHEET].iter_rows(values_only=True)))
            finally:
                book.close()
    except BadAnswer:
        raise
    except Exception as error:  # what a damaged workbook makes of the reader is not documented
        looks = "HTML" if body.lstrip()[:1] == b"<" else f"no workbook with {SHEET!r} ({type(error).__name__})"
        raise BadAnswer(f"{SERVICE} answered with something that is {looks}.", "Try again later.") from error


def _check_size(body: bytes) -> None:
    """What a file of the archive says of its size is kept to by ``zipfile``."""
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        parts = archive.infolist()
    held = sum(part.file_size for part in parts if not part.filename.startswith("xl/worksheets/"))
    if sum(part.file_size for part in parts) > MAX_UNPACKED or held > MAX_HELD:
        raise BadAnswer(f"{SERVICE} answered with a workbook that is too large when it is unpacked.")


def _lines(rows: Iterator[tuple[Any, ...]]) -> Iterator[tuple[str, int, Decimal | None]]:
    titles = [str(title).strip() if title is not None else "" for title in next(rows, ())]
    missing = [title for title in (BA, TIME, VALUE) if title not in titles]
    if missing:
        raise BadAnswer(f"{SERVICE} has no column {missing[0]!r} any more.", "Please report this.")
    at = [titles.index(title) for title in (BA, TIME, VALUE)]
    for row in rows:
        ba, end, value = (row[column] if column < len(row) else None for column in at)
        if ba is not None or end is not None or value is not None:
            yield str(ba).strip(), _instant_s(end), _number(value)


def _instant_s(end: object) -> int:
    """Excel keeps a time as a fraction of a day: the nearest second is meant."""
    if not isinstance(end, datetime):
        raise BadAnswer(f"{SERVICE} answered with the time {str(end)[:40]!r}, which is none.")
    return calendar.timegm((end + _HALF_A_SECOND).timetuple())


def _number(value: object) -> Decimal | None:
    """The shortest decimal that is the number in the cell; None: the cell is blank."""
    text = str(value).strip() if value is not None and not isinstance(value, bool) else ""
    if isinstance(value, bool):
        raise BadAnswer(f"{SERVICE} answered with {value}, which is no number.")
    try:
        return Decimal(text) if text else None
    except InvalidOperation as error:
        raise BadAnswer(f"{SERVICE} answered with {text[:40]!r}, which is no number.") from error
