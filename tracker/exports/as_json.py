"""JSON: see ``json_text.py``."""

from __future__ import annotations

from typing import BinaryIO

from tracker.core.statement import Statement
from tracker.exports.interface import Exporter


class JsonExporter(Exporter):
    name = "json"
    extension = "json"
    media_type = "application/json"

    def render(self, statement: Statement, out: BinaryIO) -> None:
        from tracker.exports import json_text  # noqa: PLC0415 - the daemon lists formats and renders none

        out.writelines(json_text.parts(statement))
