"""Where settings come from: a TOML file, environment variables, flags. All become one tree of plain values, and every
key of it remembers its origin."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tracker.config.lines import key_lines
from tracker.core.errors import UsageError
from tracker.secrecy import is_secret

ENV_PREFIX = "WATTLEDGER_"

#: The names of a setting from the top: ("site", "par1", "zone").
KeyPath = tuple[str, ...]
Tree = dict[str, Any]


@dataclass(slots=True)
class Layers:
    """The settings so far. Later layers win."""

    tree: Tree = field(default_factory=dict)
    origins: dict[KeyPath, str] = field(default_factory=dict)

    def put(self, path: KeyPath, value: object, origin: str) -> None:
        """Set one value, making tables on the way. A table that is put replaces what was there as a whole."""
        table = self.tree
        for depth, name in enumerate(path[:-1], start=1):
            below = table.setdefault(name, {})
            if not isinstance(below, dict):  # a value where a table should be: the later layer wins
                below = table[name] = {}
                self.origins.pop(path[:depth], None)
            table = below
        table[path[-1]] = value
        for old in [known for known in self.origins if known[: len(path)] == path]:
            del self.origins[old]
        self.origins[path] = origin

    def merge(self, tree: Tree, lines: Mapping[KeyPath, int], name: str) -> None:
        """Put every value of a file. A key inside an inline table is where that table is."""
        for path, value in _leaves(tree):
            line = next((lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in lines), 1)
            self.put(path, value, f"{name}:{line}")
        for path, line in lines.items():
            self.origins.setdefault(path, f"{name}:{line}")

    def origin_of(self, path: KeyPath) -> str:
        """Where a key was written, or else the table around it, or else something in it; "" for a default."""
        around = (self.origins[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self.origins)
        inside = (origin for known, origin in self.origins.items() if known[: len(path)] == path)
        return next(around, "") or next(inside, "")

    def error(self, path: KeyPath, sentence: str, remedy: str = "") -> UsageError:
        """An error that begins with the place of the mistake."""
        origin = self.origin_of(path)
        return UsageError(f"{origin}: {sentence}" if origin else sentence, remedy)


def read_file(layers: Layers, path: Path) -> None:
    """Take the settings of a TOML file. Raises UsageError (FileNotFoundError when there is none)."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UsageError(
            f"The configuration file {path} cannot be read: {error.strerror}.", "Mend that, or name another: --config."
        ) from error
    take_text(layers, _decoded(data, path), str(path))


def take_text(layers: Layers, text: str, name: str) -> None:
    """Take the settings of TOML text. Raises UsageError with the line of a syntax error or of an inline secret."""
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(str(error), text, name) from error
    layers.merge(tree, key_lines(text), name)
    _refuse_secrets(layers, tree, ())


def _leaves(tree: Tree, above: KeyPath = ()) -> Iterator[tuple[KeyPath, object]]:
    """Every value and every empty table ("nvml = {}" says something)."""
    for name, value in tree.items():
        path = (*above, name)
        if isinstance(value, dict) and value:
            yield from _leaves(value, path)
        else:
            yield path, value


def _decoded(data: bytes, path: Path) -> str:
    try:
        return data.decode("utf-8-sig")  # an editor's byte order mark does no harm
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UsageError(f"{path}:{line}: The file is not UTF-8 text.", "Save it as UTF-8.") from error


def _syntax_error(message: str, text: str, name: str) -> UsageError:
    """The parser ends its messages with "(at line 2, column 5)" or "(at end of document)"."""
    found = re.fullmatch(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", message, re.DOTALL)
    what, line, column = found.groups() if found else (message, None, None)
    place = f"{name}:{line}" if line else f"{name}:{text.rstrip().count(chr(10)) + 1}"
    where = f" at column {column}" if column else ""
    twice = what.startswith("Cannot ")  # "overwrite a value", "declare ('node',) twice"
    remedy = "A key or a table may be given only once." if twice else 'Texts need quotes: key = "value".'
    return UsageError(f"{place}: This is no valid TOML{where}: {what}.", remedy)


def _refuse_secrets(layers: Layers, value: object, path: KeyPath) -> None:
    """Configuration files are copied, mailed and committed: a secret in one is soon no secret."""
    if isinstance(value, dict):
        for name, below in value.items():
            if is_secret(name) and not isinstance(below, dict):
                raise _inline_secret(layers, (*path, name))
            _refuse_secrets(layers, below, (*path, name))
    elif isinstance(value, list):
        for below in value:
            _refuse_secrets(layers, below, path)


def _inline_secret(layers: Layers, path: KeyPath) -> UsageError:
    return layers.error(
        path,
        f"{'.'.join(path)} is a secret and may not stand in a configuration file.",
        f'Put it into a file of its own and name that, {path[-1]}_file = "/run/secrets/…", or set the environment '
        f"variable {variable_of(path)}.",
    )


def variable_of(path: KeyPath) -> str:
    """The environment variable that sets a value."""
    return ENV_PREFIX + "__".join(name.upper().replace("-", "_") for name in path)
