"""HTML: see ``page.py``."""

from __future__ import annotations

from typing import BinaryIO

from tracker.core.statement import Statement
from tracker.exports.interface import Exporter


class HtmlExporter(Exporter):
    name = "html"
    extension = "html"
    media_type = "text/html; charset=utf-8"

    def render(self, statement: Statement, out: BinaryIO) -> None:
        from tracker.exports import page  # noqa: PLC0415 - the daemon lists formats and renders none

        out.write(page.render(statement).encode())
