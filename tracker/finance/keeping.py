"""A month that was closed keeps the settings that it was closed with, on whatever machine it is stated anew."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from tracker.books.interface import BookStore
from tracker.books.versions import Version, claim_of
from tracker.config import Config
from tracker.config.schema import Site
from tracker.core.errors import UsageError
from tracker.core.restating import Reason
from tracker.finance.sealing import with_options

_Section = TypeVar("_Section", bound=msgspec.Struct)
_SECTIONS = ("accounting", "books", "grid")
#: What is of the machine, whatever a month was closed with.
_OF_MACHINE = frozenset(
    {"url", "cache", "ship", "memory_mib", "csv_bom", "token", "token_file", "providers", "poll", "ca_file"}
)
#: By another one of these every row would change.
_TERMS = (("books", "timezone"), ("books", "currency"), ("accounting", "location_factor"))
_SHOWN = 60


@contextmanager
def as_closed(
    config: Config, store: BookStore, closed: Version, reason: Reason | None
) -> Iterator[tuple[Config, tuple[str, ...]]]:
    """The settings of here, and where nothing is stated those that the month was closed with; and what is stated here
    that differs from those, in words. They hold inside the block: contracts that were sealed are put into a folder.

    Raises UsageError for another time zone, currency or method than the month was closed with, unless the ``reason`` is
    a change of method; BooksDamaged, BooksUnavailable.
    """
    with tempfile.TemporaryDirectory(prefix="wattledger-") as contracts:
        then = with_options(config, claim_of(store, closed), Path(contracts))
        if reason is not Reason.METHOD_CHANGE:
            _refuse_other_terms(config, then, closed.month)
        now = _filled_config(config, then)
        yield now, _differences(now, then)


def _refuse_other_terms(config: Config, then: Config, month: str) -> None:
    for section, name in _TERMS:
        now_is, was, default = (getattr(getattr(of, section), name) for of in (config, then, Config()))
        if now_is != was and (now_is != default or _is_stated(config, f"{section}.{name}")):
            raise UsageError(
                f'{month} was closed with {section}.{name} = "{was}", and here it is "{now_is}".',
                "Use the configuration of these books; or, to state the month anew by this one: "
                f"wattledger restate {month} --reason method_change",
            )


def _is_stated(config: Config, path: str) -> bool:
    """Also where the value is the default."""
    return any(origin == path or origin.startswith(f"{path}.") for origin in config.origins)


def _filled_config(config: Config, then: Config) -> Config:
    blank = Config()
    sections = {
        name: _filled(config, name, getattr(config, name), getattr(then, name), getattr(blank, name))
        for name in _SECTIONS
    }
    sites = {
        name: _filled(config, f"site.{name}", site, then.site.get(name, Site()), Site())
        for name, site in config.site.items()
    }
    return msgspec.structs.replace(config, **sections, site={**then.site, **sites})


def _filled(config: Config, path: str, now: _Section, then: _Section, blank: _Section) -> _Section:
    """Setting by setting, down to those of a table in a table."""
    values: dict[str, Any] = {}
    for name in now.__struct_fields__:
        mine, theirs, default = (getattr(of, name) for of in (now, then, blank))
        here = f"{path}.{name}"
        if isinstance(mine, msgspec.Struct) and type(mine) is type(theirs) is type(default):
            values[name] = _filled(config, here, mine, theirs, default)
        elif mine != default or name in _OF_MACHINE or _is_stated(config, here):
            values[name] = mine
    return msgspec.structs.replace(then, **values)


def _differences(now: Config, then: Config) -> tuple[str, ...]:
    """Such as ``books.currency: "USD", was "EUR"``."""
    before, after = dict(_settings(then)), dict(_settings(now))
    names = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
    return tuple(f"{name}: {_short(after.get(name))}, was {_short(before.get(name))}" for name in names)


def _settings(config: Config) -> Iterator[tuple[str, Any]]:
    """Those that a statement depends on, by dotted path; of the contracts their text."""
    said = msgspec.to_builtins({name: getattr(config, name) for name in (*_SECTIONS, "site")})
    file = said["accounting"]["instruments_file"]
    said["accounting"]["instruments_file"] = Path(file).read_text("utf-8", "replace") if Path(file).is_file() else file
    yield from _leaves("", said)


def _leaves(path: str, said: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(said, dict):
        yield path, said
        return
    for name, value in said.items():
        if name not in _OF_MACHINE:
            yield from _leaves(f"{path}.{name}" if path else str(name), value)


def _short(value: Any) -> str:
    if value is None:
        return "not set"
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
