"""On which line each key of a TOML text stands. tomllib does not tell, and an error message should."""

from __future__ import annotations

import re

#: What may hold a bracket or a line break that means nothing (strings, comments), and those that mean something.
_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|#[^\n]*|[\[\]{}]|\n', re.DOTALL
)
_NAME = r"\"(?:\\.|[^\"\\\n])*\"|'[^'\n]*'|[A-Za-z0-9_-]+"
_DOTTED = re.compile(rf"\s*((?:{_NAME})(?:\s*\.\s*(?:{_NAME}))*)\s*")


def key_lines(text: str) -> dict[tuple[str, ...], int]:
    """Line numbers (from 1) by the path of the key or table. The text has been parsed before and is valid TOML.

    The tables of an array ([[rules]]) are numbered: ("rules", "0", "match"). Keys of inline tables are not listed: they
    stand where their table does.
    """
    lines: dict[tuple[str, ...], int] = {}
    arrays: dict[tuple[str, ...], int] = {}  # how many tables each has so far
    table: tuple[str, ...] = ()
    for number, statement in _statements(text):
        header = statement.startswith("[")
        found = _DOTTED.match(statement.lstrip("["))
        if not found:
            continue
        names = tuple(_unquoted(name) for name in re.findall(_NAME, found[1]))
        if header:
            table = _numbered(names, arrays, begins=statement.startswith("[["))
        path = table if header else (*table, *names)
        for depth in range(1, len(path) + 1):
            lines.setdefault(path[:depth], number)
    return lines


def _numbered(names: tuple[str, ...], arrays: dict[tuple[str, ...], int], *, begins: bool) -> tuple[str, ...]:
    """The path of a header. ``begins``: it adds a table to an array; else it is inside the last ones."""
    path: tuple[str, ...] = ()
    for depth, name in enumerate(names, start=1):
        path = (*path, name)
        if begins and depth == len(names):
            arrays[path] = arrays.get(path, 0) + 1
        if path in arrays:
            path = (*path, str(arrays[path] - 1))
    return path


def _statements(text: str) -> list[tuple[int, str]]:
    """Each header and assignment with the line it begins on; values over several lines are one statement."""
    statements = []
    depth, start = 0, 0
    for token in _TOKEN.finditer(text + "\n"):
        match token[0]:
            case "[" | "{":
                depth += 1
            case "]" | "}":
                depth -= 1
            case "\n" if depth == 0:
                statement = text[start : token.start()].strip()
                if statement and not statement.startswith("#"):
                    statements.append((text.count("\n", 0, start) + 1, statement))
                start = token.end()
            case _:
                pass
    return statements


def _unquoted(name: str) -> str:
    """Escapes in quoted keys are rare enough to be left alone: such a key has the line of its table."""
    return name[1:-1] if name[0] in "\"'" else name
