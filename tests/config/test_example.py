"""The file with every setting is a configuration, and has every setting."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

import msgspec
import pytest

from tests.config.kit import loaded
from tracker import registry
from tracker.config import load
from tracker.config.pue import statements
from tracker.config.schema import Config
from tracker.core.accounting import pue_at
from tracker.services import LIVE_OPTIONS

REPO = Path(__file__).parents[2]
EXAMPLE = REPO / "deploy" / "config.example.toml"
TEXT = EXAMPLE.read_text("utf-8")
#: Which table of the file says a table of the configuration.
_SECTION = re.compile(r"^(?:# )?\[+([\w.-]+)\]+", re.MULTILINE)
_KEY = re.compile(r"^(?:# )?([a-z_0-9]+) = ", re.MULTILINE)
#: Found by the program, not set by anybody; and tables that hold others.
_FACTS = {"path", "origins"}


def tables(kind: type, name: str = "") -> Iterator[tuple[str, str]]:
    """Every key that can be written, with its table."""
    for field in msgspec.structs.fields(kind):
        if not name and field.name in _FACTS:
            continue
        (*_, inner) = structs(field.type) or (None,)
        if inner is None:
            yield name, field.encode_name
            continue
        where = f"{name}.{field.encode_name}".strip(".")
        yield from tables(inner, f"{where}.*" if "dict" in str(field.type) else where)


def structs(kind: Any) -> list[Any]:
    """Structs in a type: ``dict[str, Site]`` has one."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return [] if kind is msgspec.Struct else [kind]
    if get_origin(kind) in (dict, tuple, Union, UnionType):
        return [found for each in get_args(kind) for found in structs(each)]
    return []


def written() -> dict[str, set[str]]:
    """Keys of the file by table, those that are commented out too; a name that users choose is ``*``."""
    found: dict[str, set[str]] = {}
    parts = _SECTION.split(TEXT)
    for table, text in zip(parts[1::2], parts[2::2], strict=True):
        place = re.sub(r"^site\.par1|^grid\.zone\.GB", lambda m: m[0].rpartition(".")[0] + ".*", table)
        found.setdefault(place, set()).update(_KEY.findall(text))
    return found


def all_keys() -> Iterator[tuple[str, str]]:
    held = {("workloads", "resolvers"), ("grid", "providers"), ("", "sources")}
    yield from (each for each in tables(Config) if each not in held and each != ("workloads", "rules"))
    for section, options in (
        ("sources", registry.SOURCE_OPTIONS),
        ("workloads", registry.RESOLVER_OPTIONS),
        ("grid", LIVE_OPTIONS),
    ):
        for name, kind in options.items():
            yield from tables(kind, f"{section}.{name}")


@pytest.mark.parametrize("place", sorted({place for place, _ in all_keys()}))
def test_it_has_every_setting_and_no_other(place: str) -> None:
    assert written()[place] == {key for table, key in all_keys() if table == place}


def test_it_has_no_table_that_is_none() -> None:
    known = {place for place, _ in all_keys()} | {"workloads.rules", "sources.rapl"}
    assert set(written()) <= known


def test_it_is_taken_as_it_stands() -> None:
    config = load(EXAMPLE, environ={}, flags={})
    assert config.here.zone == "FR"
    assert pue_at(statements(config.here), 1_775_000_000).permille == 1270
    assert pue_at(statements(config.here), 1_795_000_000).permille == 1210
    assert config.grid.live_chain("FR") == ("rte", "electricitymaps", "file", "profile")
    assert config.grid.live_chain("GB") == ("neso",)
    assert config.books.retired == {"gpu-003": date(2026, 9, 1)}
    (tariff,) = config.books.tariffs
    assert (tariff.price, tariff.windows[0].begin, tariff.windows[0].price) == (0.182, "22:00", 0.121)


def test_what_it_calls_a_default_is_one(tmp_path: Path) -> None:
    """Thresholds that finance relies on, as they are where nobody sets them."""
    example, plain = load(EXAMPLE, environ={}, flags={}).books, loaded(tmp_path).books
    for name in ("coverage_threshold", "tier5_threshold", "materiality", "same_person", "csv_bom", "memory_mib"):
        assert getattr(example, name) == getattr(plain, name), name


def test_the_readme_names_it() -> None:
    assert "(deploy/config.example.toml)" in (REPO / "README.md").read_text("utf-8")
