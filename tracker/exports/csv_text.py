"""CSV that says the same to every program: RFC 4180, UTF-8, and no text that a spreadsheet takes for a formula.

A text that begins like a formula gets a leading apostrophe (CWE-1236; OWASP ASVS 5.0, 1.2.10). Numbers never do: a
correction below zero stays a number.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import BinaryIO

#: Full-width signs too: spreadsheets in East Asian locales take them for the narrow ones.
_DANGEROUS = frozenset("=+-@\t\r\n\0\uff1d\uff0b\uff0d\uff20")
_BOM = b"\xef\xbb\xbf"


def safe(text: str) -> str:
    return f"'{text}" if text[:1] in _DANGEROUS else text


def write_csv(out: BinaryIO, header: Sequence[str], lines: Iterable[Sequence[str | None]], *, bom: bool) -> None:
    """Lines of cells that are already safe; None is empty, as is the empty text. Lines end with CR LF."""
    if bom:
        out.write(_BOM)
    text = io.TextIOWrapper(out, encoding="utf-8", newline="", write_through=False)
    try:
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow(header)
        writer.writerows(lines)
    finally:
        text.detach()  # it would close ``out``
