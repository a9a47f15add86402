"""Small pieces of HTML. Everything that comes from outside goes through ``text`` or ``label``; what they return, and
what the other functions here take, is markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

_LABEL_CHARS = 64
_TITLE_CHARS = 300
_TEXT_CHARS = 4_000
#: Control characters, and marks that turn the direction of the text around them (Unicode UAX #9), become visible.
_VISIBLE = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)), "\ufffd")
_VISIBLE |= {ord("\n"): " ", ord("\t"): " ", ord("\r"): " ", 0x200E: "", 0x200F: "", 0x2028: " ", 0x2029: " "}
_VISIBLE_LINES = {**_VISIBLE, ord("\n"): "\n"}


def text(value: str) -> str:
    """A sentence or value from outside as text."""
    return escape(value[:_TEXT_CHARS].translate(_VISIBLE))


def label(value: str, limit: int = _LABEL_CHARS) -> str:
    """A name from outside: isolated from the direction of the text around it, cut when long (whole in its tooltip)."""
    if len(value) <= limit:
        return f"<bdi>{text(value)}</bdi>"
    return f'<bdi title="{text(value[:_TITLE_CHARS])}">{text(value[: limit - 1])}…</bdi>'


def code(value: str, key: str) -> str:
    """Lines to copy into a terminal or file. ``key`` is unique on the page, so that focus survives a refresh."""
    lines = escape(value[:_TEXT_CHARS].translate(_VISIBLE_LINES))
    return (
        f'<div class="code"><pre tabindex="0" id="code-{key}" role="group" aria-label="Lines to copy">'
        f"<code>{lines}</code></pre>"
        f'<button type="button" id="copy-{key}" data-copy="code-{key}" hidden>Copy</button></div>'
    )


def table(caption: str, columns: Sequence[tuple[str, str]], rows: Iterable[str], kind: str = "") -> str:
    """A table. ``columns``: (heading, class); ``rows``: whole ``<tr>``s."""
    heads = "".join(f'<th scope="col"{_class(css)}>{heading}</th>' for heading, css in columns)
    body = "".join(rows)
    return (
        f"<table{_class(kind)}><caption>{caption}</caption><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
    )


def row(head: str, cells: Iterable[tuple[str, str]], kind: str = "") -> str:
    """A row. ``head``: its heading; ``cells``: (content, class)."""
    rest = "".join(f"<td{_class(css)}>{content}</td>" for content, css in cells)
    return f'<tr{_class(kind)}><th scope="row">{head}</th>{rest}</tr>'


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """A list of names and values."""
    return "<dl>" + "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in pairs) + "</dl>"


def section(key: str, heading: str, *content: str) -> str:
    """A landmark of the page."""
    return f'<section aria-labelledby="{key}"><h2 id="{key}">{heading}</h2>{"".join(content)}</section>'


def note(content: str) -> str:
    """A quiet sentence."""
    return f'<p class="note">{content}</p>'


def _class(css: str) -> str:
    return f' class="{css}"' if css else ""
