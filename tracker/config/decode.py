"""From the tree of plain values to typed structs. Unknown keys name the nearest known one; a wrong type says what was
given and what is wanted; both say where."""

from __future__ import annotations

import json
import types
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import msgspec

from tracker.config.layers import KeyPath, Layers
from tracker.config.schema import Duration
from tracker.secrecy import MASK, is_secret, without_query, without_userinfo

LONGEST = 80  # characters of a wrong value that are repeated in the message


def decode(layers: Layers, kind: Any, value: object, path: KeyPath = ()) -> Any:
    """``value`` as ``kind``: a struct, a dict of structs, or a plain type. Raises UsageError."""
    kind = _present(kind)
    if is_struct(kind):
        return _struct(layers, kind, _table(layers, value, path), path)
    if get_origin(kind) is dict and is_struct(get_args(kind)[1]):
        table = _table(layers, value, path)
        return {name: decode(layers, get_args(kind)[1], below, (*path, name)) for name, below in table.items()}
    if get_origin(kind) is tuple and is_struct(get_args(kind)[0]) and isinstance(value, list):
        each = get_args(kind)[0]
        return tuple(decode(layers, each, below, (*path, str(i))) for i, below in enumerate(value))
    try:
        return _plain(kind, value)
    except (msgspec.ValidationError, ValueError) as error:
        raise _wrong(layers, kind, value, path, str(error)) from error


def kind_at(kind: Any, path: KeyPath) -> Any:
    """The type of the setting at ``path``, None when there is no such setting."""
    for name in path:
        kind = _present(kind)
        if is_struct(kind):
            kind = field_kinds(kind).get(name)
        elif get_origin(kind) is dict:
            kind = get_args(kind)[1]
        else:
            return None
    return _present(kind)


def is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def field_kinds(kind: type[msgspec.Struct]) -> Mapping[str, Any]:
    """The keys of a table and their types."""
    return {field.encode_name: field.type for field in msgspec.structs.fields(kind)}


def nearest(word: str, known: Iterable[str], limit: int = 3) -> tuple[str, ...]:
    """Known words that look like ``word``, nearest first."""
    import difflib  # noqa: PLC0415 - only needed for a mistake

    by_fold = {name.casefold(): name for name in known}
    return tuple(by_fold[fold] for fold in difflib.get_close_matches(word.casefold(), by_fold, n=limit))


def in_words(names: Iterable[str]) -> str:
    """``a``, ``a or b``, ``a, b or c``."""
    *most, last = names
    return f"{', '.join(most)} or {last}" if most else last


def _known(layers: Layers, known: Mapping[str, Any], path: KeyPath) -> None:
    name = path[-1]
    if name in known:
        return
    above = ".".join(path[:-1])
    near = nearest(name, known, limit=1)
    if near:
        remedy = f"Did you mean {'.'.join((*path[:-1], *near))}?"
    elif known:
        remedy = f"There are: {', '.join(sorted(known))}."
    else:
        remedy = f"{above} has no settings."
    raise layers.error(path, f"There is no setting {'.'.join(path)}.", remedy)


def _struct(layers: Layers, kind: Any, table: Mapping[str, object], path: KeyPath) -> Any:
    known = field_kinds(kind)
    for name in table:
        _known(layers, known, (*path, name))
    fields = msgspec.structs.fields(kind)
    missing = [field.encode_name for field in fields if field.required and field.encode_name not in table]
    if missing:
        raise layers.error(path, f"{'.'.join(path)} does not say {in_words(missing)}.", f"Add {missing[0]} = ….")
    return kind(
        **{
            field.name: decode(layers, field.type, table[field.encode_name], (*path, field.encode_name))
            for field in fields
            if field.encode_name in table
        }
    )


def _table(layers: Layers, value: object, path: KeyPath) -> dict[str, object]:
    if isinstance(value, dict):
        return value
    name = ".".join(path)
    raise layers.error(path, f"{name} is {_given(path, value)}, but must be a table.", f"Write [{name}].")


def _wrong(layers: Layers, kind: Any, value: object, path: KeyPath, message: str) -> Exception:
    name = ".".join(path)
    wanted = _wanted(kind)
    if not wanted and "regex" in message:  # of base_url, the one setting that has such a form
        return layers.error(
            path,
            f"{name} is {_given(path, value)}, which is no plain http or https address.",
            'Write it like "https://host/path"; a key or password belongs into its own setting.',
        )
    if not wanted:
        return layers.error(path, f"{name} is {_given(path, value)}, which does not fit: {message}.")
    sentence = f"{name} is {_given(path, value)}, but must be {wanted}."
    close = nearest(value, get_args(kind)) if isinstance(value, str) and get_origin(kind) is Literal else ()
    return layers.error(path, sentence, f'Did you mean "{close[0]}"?' if close else "")


def _given(path: KeyPath, value: object) -> str:
    if is_secret(path[-1] if path else ""):
        return MASK
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            value = without_query(without_userinfo(value))
            return json.dumps(value if len(value) <= LONGEST else f"{value[:LONGEST]}…", ensure_ascii=False)
        case dict():
            return "a table"
        case list():
            return "a list"
        case _:
            return str(value)


def _wanted(kind: Any) -> str:
    """A type in words; "" when there are none for it."""
    simple = {
        str: "a text",
        int: "a whole number",
        float: "a number",
        bool: "true or false",
        Path: "a path in quotes",
        Duration: 'a duration such as "5s", "10m" or "1h"',
        date: "a day such as 2026-07-01",
    }
    if kind in simple:
        return simple[kind]
    if get_origin(kind) is Literal:
        return in_words(f'"{choice}"' for choice in get_args(kind))
    if get_origin(kind) in {tuple, list}:
        return "a list of " + {str: "texts", int: "whole numbers"}.get(get_args(kind)[0], "values")
    return ""


def _present(kind: Any) -> Any:
    """``X`` of ``X | None``: TOML has no null, so what is written is an X."""
    if get_origin(kind) in {Union, types.UnionType}:
        rest = [member for member in get_args(kind) if member is not types.NoneType]
        if len(rest) == 1:
            return rest[0]
    return kind


def _plain(kind: Any, value: object) -> object:
    """Raises ValueError or msgspec.ValidationError."""
    if kind not in {Duration, Path}:
        return msgspec.convert(value, kind)
    if not isinstance(value, str) or not value:
        raise ValueError(value)
    return Duration.parse(value) if kind is Duration else Path(value)
