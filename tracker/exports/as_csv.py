"""CSV: see ``csv_rows.py``."""

from __future__ import annotations

from typing import BinaryIO

from tracker.core.statement import Statement
from tracker.exports.interface import Exporter


class CsvExporter(Exporter):
    name = "csv"
    extension = "csv"
    media_type = "text/csv; charset=utf-8"

    def render(self, statement: Statement, out: BinaryIO) -> None:
        from tracker.exports import csv_rows, csv_text  # noqa: PLC0415 - the daemon lists formats and renders none

        header, lines = csv_rows.header(statement), csv_rows.lines(statement)
        csv_text.write_csv(out, header, lines, bom=self.options.csv_bom)
