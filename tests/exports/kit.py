"""Rendering for the tests of this folder."""

from __future__ import annotations

import csv
import io
from typing import Any

from tracker.core.statement import Statement
from tracker.exports.interface import DEFAULT_OPTIONS, Options
from tracker.registry import EXPORTS


def rendered(name: str, statement: Statement, options: Options = DEFAULT_OPTIONS) -> bytes:
    out = io.BytesIO()
    EXPORTS[name](options).render(statement, out)
    assert not out.closed
    return out.getvalue()


def table_of(content: bytes) -> list[dict[str, str]]:
    """The lines of a CSV file as its readers see them."""
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def workbook_of(content: bytes) -> Any:
    """As openpyxl reads it, formulas as formulas; typed Any, for it ships no types."""
    import openpyxl  # type: ignore[import-untyped] # it ships no types

    return openpyxl.load_workbook(io.BytesIO(content))
