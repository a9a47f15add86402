"""FOCUS: see ``focus.py``."""

from __future__ import annotations

from typing import BinaryIO

from tracker.core.statement import Statement
from tracker.exports.interface import Exporter


class FocusExporter(Exporter):
    name = "focus"
    extension = "focus.csv"
    media_type = "text/csv; charset=utf-8"

    def render(self, statement: Statement, out: BinaryIO) -> None:
        from tracker.exports import csv_text, focus  # noqa: PLC0415 - the daemon lists formats and renders none

        csv_text.write_csv(out, focus.HEADER, focus.lines(statement), bom=self.options.csv_bom)
