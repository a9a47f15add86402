"""Settings from outside the file: ``WATTLEDGER_SECTION__KEY`` variables and flags.

Only variables with a double underscore are settings: Kubernetes itself sets ``WATTLEDGER_PORT`` and the like in every
pod of a namespace that has a service of this name.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_origin

from tracker.config.decode import field_kinds, is_struct, kind_at
from tracker.config.layers import ENV_PREFIX, KeyPath, Layers, variable_of
from tracker.config.schema import Duration
from tracker.core.errors import UsageError


def take_environment(layers: Layers, environ: Mapping[str, str], root: Any) -> None:
    """Take the settings of the environment. Raises UsageError for a variable that looks like one and is none."""
    likely = _without_double(root)
    for variable, text in sorted(environ.items()):
        if not variable.startswith(ENV_PREFIX):
            continue
        if variable in likely:
            raise UsageError(f"The environment variable {variable} sets nothing.", f"Write {likely[variable]}.")
        names = variable.removeprefix(ENV_PREFIX).split("__")
        if len(names) > 1 and all(names):
            path = _spelled(layers, tuple(name.lower() for name in names))
            layers.put(path, typed(text, kind_at(root, path)), f"environment {variable}")


def take_flags(layers: Layers, flags: Mapping[str, object], names: Mapping[str, str], root: Any) -> None:
    """Take flags by dotted path; None was not given. ``names``: how each flag is called, for messages."""
    for dotted, value in flags.items():
        if value is not None:
            path = tuple(dotted.split("."))
            given = typed(value, kind_at(root, path)) if isinstance(value, str) else value
            layers.put(path, str(given) if isinstance(given, Path) else given, f"flag {names.get(dotted, dotted)}")


def typed(text: str, kind: Any) -> object:
    """Text from outside as the value that TOML would hold: as it is where a text is wanted, else read as TOML."""
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
    if not quoted and (kind in {str, Path, Duration} or get_origin(kind) is Literal):
        return text
    try:
        parsed = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return parsed["value"] if len(parsed) == 1 else text


def _spelled(layers: Layers, path: KeyPath) -> KeyPath:
    """A variable's name has no case and no dashes: where the file has such a name ([site.Par-1]), that one is meant."""
    table: object = layers.tree
    spelled: list[str] = []
    for name in path:
        known = table if isinstance(table, dict) else {}
        name = next((key for key in known if key.casefold().replace("-", "_") == name), name)  # noqa: PLW2901 - respelled
        spelled.append(name)
        table = known.get(name)
    return tuple(spelled)


def _without_double(root: Any) -> dict[str, str]:
    """``WATTLEDGER_NODE_HOSTNAME`` -> ``WATTLEDGER_NODE__HOSTNAME``: an easy slip that would set nothing."""
    right = [
        variable_of((section, key))
        for section, kind in field_kinds(root).items()
        if is_struct(kind)
        for key in field_kinds(kind)
    ]
    return {variable.replace("__", "_"): variable for variable in right}
