"""XLSX: see ``workbook.py``."""

from __future__ import annotations

from typing import BinaryIO

from tracker.core.statement import Statement
from tracker.exports.interface import Exporter


class XlsxExporter(Exporter):
    name = "xlsx"
    extension = "xlsx"
    media_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

    def render(self, statement: Statement, out: BinaryIO) -> None:
        from tracker.exports import workbook  # noqa: PLC0415 - the daemon lists formats and renders none

        workbook.write(statement, out)
