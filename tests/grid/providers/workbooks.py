"""Workbooks as the EIA lays them out, a few columns of them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, datetime

import xlsxwriter  # type: ignore[import-untyped] # it ships no types

TITLES = [
    "BA",
    "UTC time",
    "Local date",
    "Hour",
    "CO2 Emissions Intensity for Generated Electricity",
    "CO2 Emissions Intensity for Consumed Electricity",
]


def line(end_s: int, value: object, ba: object = "CISO") -> list[object]:
    """``end_s``: the end of the hour."""
    end = datetime.fromtimestamp(end_s, UTC).replace(tzinfo=None)
    return [ba, end, end.replace(hour=0), end.hour, 0.9, value]


def workbook(
    lines: Sequence[Sequence[object]], titles: Sequence[str] = TITLES, sheet: str = "Published Hourly Data"
) -> bytes:
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream, {"default_date_format": "m/d/yyyy h:mm"}) as book:
        book.add_worksheet("Region Info").write(0, 0, "California ISO")
        page = book.add_worksheet(sheet)
        for number, cells in enumerate([titles, *lines]):
            page.write_row(number, 0, cells)
    return stream.getvalue()
