"""Aligned text: as wide as the terminal, uncut in a pipe. Whatever is in it, a terminal shows it and obeys nothing."""

from __future__ import annotations

import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import click

from tracker.core.plain import plain

_NARROWEST = 12


def width() -> int | None:
    """Columns of the terminal; None in a pipe, where nothing is wrapped or cut."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def echo(text: str = "", *, err: bool = False, **style: Any) -> None:
    """A line for people, of words that may be anybody's. ``style``: as ``click.style`` takes it."""
    click.echo(click.style(plain(text), **style) if style else plain(text), err=err)


def cells(text: str) -> int:
    """Columns that a text takes on a terminal: Chinese characters take two, combining accents none."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide - sum(1 for letter in text if unicodedata.combining(letter))


def pad(text: str, to: int, *, right: bool = False) -> str:
    space = " " * (to - cells(text))
    return space + text if right else text + space


def cut(text: str, to: int) -> str:
    """The beginning of a text, with an ellipsis where something was left out."""
    if cells(text) <= to:
        return text
    while cells(text) > to - 1:
        text = text[:-1]
    return text + "…"


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Collection[int] = (),
    flexible: Collection[int] = (),
    within: int | None = None,
) -> Iterator[str]:
    """Lines of a table. ``flexible`` columns are cut, the widest first, until a line fits ``within``."""
    rows = [[plain(text) for text in row] for row in rows]
    widths = [max(map(cells, column)) for column in zip(header, *rows, strict=True)]
    while within is not None and sum(widths) + 2 * (len(widths) - 1) > within:
        widest = max(flexible, key=lambda column: widths[column], default=None)
        if widest is None or widths[widest] <= _NARROWEST:
            break
        widths[widest] -= 1
    for row in (header, *rows):
        line = [pad(cut(text, widths[n]), widths[n], right=n in right) for n, text in enumerate(row)]
        yield "  ".join(line).rstrip()


def entry(label: str, text: str, *, label_width: int, within: int | None, indent: int = 2) -> Iterator[str]:
    """A label and its text, wrapped beside it."""
    text = plain(text)
    room = None if within is None else max(30, within - indent - label_width - 2)
    lines = [text] if room is None else textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False)
    for n, line in enumerate(lines or [""]):
        yield f"{'':{indent}}{pad(label if n == 0 else '', label_width)}  {line}".rstrip()
