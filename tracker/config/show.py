"""The effective configuration as TOML that loads again, each value with its origin; secrets are masked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from tracker.config.layers import KeyPath
from tracker.config.schema import Config
from tracker.secrecy import MASK, is_secret, without_query, without_userinfo

DEFAULT = "default"
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_FACTS = ("path", "origins")
#: What holds the sections of parts by their name: [workloads.kubernetes], [grid.neso].
_IN_PLACE = ("resolvers", "providers")


def toml_lines(config: Config) -> Iterator[tuple[str, str]]:
    """Lines of TOML as (text, origin); the origin is empty for tables. A value that is not set is a comment."""
    yield "# Effective configuration" + (f" with {config.path}" if config.path else ": there is no file"), ""
    for table, values in _tables(config):
        yield "", ""
        if values is None:
            yield f"# [{_dotted(table)}]: automatic, everything that is present is used", ""
            continue
        yield f"[{_dotted(table)}]", ""
        for name, value in values.items():
            origin = config.origins.get(".".join((*table, name)), DEFAULT)
            text = f"{_key(name)} =" if value is None else f"{_key(name)} = {_value(value)}"
            # What is not set cannot be written in TOML, and a secret may not be.
            yield (f"# {text}" if value is None or is_secret(name) else text), origin


def as_json(config: Config) -> dict[str, Any]:
    """The same for programs: the file, the values as nested objects, and the origins that are no default."""
    values: dict[str, Any] = {}
    for table, entries in _tables(config):
        level = values
        for name in table[:-1]:
            level = level.setdefault(name, {})
        level[table[-1]] = entries
    return {
        "file": None if config.path is None else str(config.path),
        "settings": values,
        "origins": dict(config.origins),
    }


def _tables(config: Config) -> Iterator[tuple[KeyPath, dict[str, Any] | None]]:
    """Every table with its plain values; None: [sources] is absent, which has a meaning."""
    for section in config.__struct_fields__:
        if section in _FACTS:
            continue
        value = getattr(config, section)
        if value is None:
            yield (section,), None
        elif isinstance(value, dict):
            for name, below in value.items():
                yield from _table((section, name), below)
        else:
            yield from _table((section,), value)


def _table(path: KeyPath, section: msgspec.Struct) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    """A section, and below it those that it holds."""
    plain = _plain(section)
    below: list[tuple[KeyPath, msgspec.Struct]] = []
    for name in section.__struct_fields__:
        value = getattr(section, name)
        if isinstance(value, msgspec.Struct):
            below.append(((*path, name), value))
        elif isinstance(value, dict) and (name in _IN_PLACE or _are_sections(value)):
            above = path if name in _IN_PLACE else (*path, name)
            below.extend(((*above, key), each) for key, each in value.items())
        else:
            continue
        del plain[name]
    yield path, plain
    for place, each in below:
        yield from _table(place, each)


def _are_sections(value: dict[str, Any]) -> bool:
    return bool(value) and all(isinstance(each, msgspec.Struct) for each in value.values())


def _plain(section: msgspec.Struct) -> dict[str, Any]:
    """Values that TOML and JSON know; secrets masked whatever they came from."""
    return {
        field.encode_name: _shown(field.encode_name, getattr(section, field.name))
        for field in msgspec.structs.fields(section)
    }


def _shown(name: str, value: Any) -> Any:
    if value and is_secret(name):
        return MASK
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, tuple | list):
        return [_shown(name, item) for item in value]
    if isinstance(value, dict | msgspec.Struct):
        plain = _plain(value) if isinstance(value, msgspec.Struct) else value
        return {key: _shown(key, item) for key, item in plain.items()}
    return without_query(without_userinfo(str(value)))


def _dotted(path: KeyPath) -> str:
    return ".".join(_key(name) for name in path)


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _value(name)


def _value(value: Any) -> str:
    """JSON's texts, numbers and lists are TOML's, but for DEL, which TOML wants escaped."""
    if isinstance(value, dict):
        pairs = ", ".join(f"{_key(name)} = {_value(item)}" for name, item in value.items() if item is not None)
        return "{" + f" {pairs} " + "}" if pairs else "{}"
    if isinstance(value, list):
        return f"[{', '.join(_value(item) for item in value)}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
