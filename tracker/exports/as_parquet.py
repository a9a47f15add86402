"""Parquet: see ``parquet_file.py``."""

from __future__ import annotations

from typing import BinaryIO

from tracker.core.statement import Statement
from tracker.exports.interface import Exporter


class ParquetExporter(Exporter):
    name = "parquet"
    extension = "parquet"
    media_type = "application/vnd.apache.parquet"

    def render(self, statement: Statement, out: BinaryIO) -> None:
        from tracker.exports import parquet_file  # noqa: PLC0415 - the daemon lists formats and renders none

        parquet_file.write(statement, out)
