"""How long files and functions are, and what their comments and tests do: readers of source text, no rule in here."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path

#: Folders that a checkout without git is searched without.
_NOT_OURS = frozenset({".git", ".venv", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache", "build", "dist"})
_QUIET = frozenset(
    {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
)
_NOQA = re.compile(r"noqa: [A-Z]+\d+(?:, [A-Z]+\d+)* - \w")
_IGNORE = re.compile(r"type: ignore\[[\w-]+(?:, ?[\w-]+)*\] +# ?\w")


def tracked_files(root: Path) -> list[Path]:
    """What git tracks; without git, everything that is there."""
    command = ["git", "-C", str(root), "ls-files", "-z"]
    try:
        listed = subprocess.run(command, check=True, capture_output=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return [path for path in sorted(root.rglob("*")) if path.is_file() and not _NOT_OURS & {*path.parts}]
    paths = (root / name for name in listed.decode().split("\0") if name)
    return [path for path in paths if path.is_file()]


def code_lines(source: str) -> set[int]:
    """Numbers of the lines that hold code: no blank line, no comment, no docstring."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _QUIET:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Module(body=[first, *_]) | ast.ClassDef(body=[first, *_]) | ast.FunctionDef(body=[first, *_]):
                if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                    lines.difference_update(range(first.lineno, (first.end_lineno or first.lineno) + 1))
            case _:
                pass
    return lines


def function_lengths(source: str) -> Iterator[tuple[str, int]]:
    """Every function with its lines of code."""
    lines = code_lines(source)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, len(lines & {*range(node.lineno, (node.end_lineno or node.lineno) + 1)})


def bare_exemptions(source: str) -> Iterator[int]:
    """Lines whose ``noqa`` or ``type: ignore`` does not name a rule and give a reason."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        if re.match(r"#\s*(ruff:\s*)?noqa", token.string) and not _NOQA.search(token.string):
            yield token.start[0]
        if re.match(r"#\s*type:\s*ignore", token.string) and not _IGNORE.search(token.string):
            yield token.start[0]


def mocks(source: str, package: str) -> Iterator[int]:
    """Lines that mock: ``unittest.mock``, ``mocker``, and ``monkeypatch.setattr`` on the package's own code."""
    tree = ast.parse(source)
    own: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import(names):
                own |= {(a.asname or a.name.split(".")[0]) for a in names if a.name.split(".")[0] == package}
            case ast.ImportFrom(module=str(module), names=names) if module.split(".")[0] == package:
                own |= {a.asname or a.name for a in names}
            case _:
                pass
    for node in ast.walk(tree):
        match node:
            case ast.Import(names) if any(a.name.startswith(("unittest.mock", "mock")) for a in names):
                yield node.lineno
            case ast.ImportFrom(module="unittest.mock" | "mock") | ast.arg(arg="mocker"):
                yield node.lineno
            case ast.ImportFrom(module="unittest", names=names) if any(a.name == "mock" for a in names):
                yield node.lineno
            case ast.Call(func=ast.Attribute(value=ast.Name(), attr="setattr"), args=[target, *_]):
                if _root(target) in own or _root(target) == package:
                    yield node.lineno
            case _:
                pass


def _root(node: ast.expr) -> str:
    """The first name of ``a.b.c``, written as code or in a string."""
    match node:
        case ast.Attribute(value):
            return _root(value)
        case ast.Name(name):
            return name
        case ast.Constant(str(text)):
            return text.split(".")[0]
        case _:
            return ""
