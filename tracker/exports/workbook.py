"""The workbook for finance, written with XlsxWriter.

Sheets: README, Summary (tonnes and charts), then data in kWh and kg. The bytes depend on the statement alone: the
creation date is the end of the period, and the files inside the archive have a fixed time, order and mode.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from tracker.core.errors import UsageError
from tracker.core.statement import Statement
from tracker.exports import sheets, summary_sheet, table
from tracker.exports.sheets import Book

MOST_ROWS = 1_048_000  # a sheet has 1,048,576, by Excel; the header, the total and its check want a few
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that the format can say
_OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}


def write(statement: Statement, out: BinaryIO) -> None:
    """Raises UsageError where a sheet cannot hold the rows."""
    longest = max(len(statement.rows), len(statement.corrections))
    if longest > MOST_ROWS:
        raise UsageError(
            f"A sheet holds {MOST_ROWS:,} rows and the statement has {longest:,}.",
            "Use the formats csv or parquet, or group by fewer dimensions.",
        )
    with tempfile.TemporaryDirectory(prefix="wattledger-export-") as folder:
        raw, made = Path(folder, "raw.xlsx"), Path(folder, "made.xlsx")
        _make(statement, raw, folder)
        _settle(raw, made)
        with made.open("rb") as content:
            shutil.copyfileobj(content, out)


def _make(statement: Statement, path: Path, folder: str) -> None:
    import xlsxwriter  # type: ignore[import-untyped] # it ships no types # noqa: PLC0415 - heavy

    made = xlsxwriter.Workbook(str(path), {**_OPTIONS, "tmpdir": folder})
    made.set_properties(
        {
            "title": f"Energy and carbon statement {statement.period.month}",
            "author": f"wattledger {statement.software}",
            "comments": f"{statement.statement_id}, version {statement.version}, {statement.status.value}",
            "created": datetime.fromtimestamp(statement.period.end_s, UTC).replace(tzinfo=None),
        }
    )
    book = Book(made)
    digest = table.digest(statement)
    summary_sheet.readme(book, statement)
    summary_sheet.summary(book, statement)
    sheets.rows(book, statement)
    sheets.daily(book, statement)
    sheets.corrections(book, statement)
    sheets.factors(book, statement)
    sheets.coverage(book, statement)
    sheets.sites(book, statement)
    sheets.reconciliation(book, statement)
    summary_sheet.method(book, statement)
    sheets.manifest(book, statement, digest)
    made.close()


def _settle(raw: Path, made: Path) -> None:
    """The same archive without the time, the file modes and the folder in which it was made."""
    with zipfile.ZipFile(raw) as before, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as after:
        for entry in before.infolist():
            info = zipfile.ZipInfo(entry.filename, _ZIP_TIME)
            info.compress_type, info.external_attr, info.create_system = zipfile.ZIP_DEFLATED, 0o600 << 16, 3
            with before.open(entry) as source, after.open(info, "w", force_zip64=False) as target:
                shutil.copyfileobj(source, target)
