"""Reads everything that sets something, in order: built-in defaults, the file, the environment, flags."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from tracker.config.checks import check
from tracker.config.decode import decode, field_kinds
from tracker.config.grid import given, settle_grid
from tracker.config.layers import KeyPath, Layers, read_file, variable_of
from tracker.config.overrides import take_environment, take_flags
from tracker.config.schema import Config, Grid, Workloads
from tracker.core.errors import UsageError
from tracker.core.rules import RuleError, parse_rules

SYSTEM_PATH = Path("/etc/wattledger/config.toml")
SYSTEM_STATE = Path("/var/lib/wattledger")

#: The setting behind each flag of the command line, by dotted path.
FLAGS: Mapping[str, str] = {
    "node.state_dir": "--state-dir",
    "node.sysfs": "--path.sysfs",
    "node.procfs": "--path.procfs",
    "workloads.own_only": "--own-only",
    "web.listen": "--listen",
    "web.web_config_file": "--web.config.file",
    "log.level": "--log.level",
    "log.format": "--log.format",
}

#: Keys of Config that are no settings.
_FACTS = frozenset({"path", "origins"})


def load(
    path: Path | None = None,
    *,
    environ: Mapping[str, str],
    flags: Mapping[str, object] | None = None,
    source_options: Mapping[str, type] | None = None,
    resolver_options: Mapping[str, type] | None = None,
    live_options: Mapping[str, type] | None = None,
    system_path: Path = SYSTEM_PATH,
    fleet: bool = False,
) -> Config:
    """The effective configuration. Raises UsageError: one sentence with the place and the remedy.

    ``path``: the file of ``--config``, which must exist; None: ``system_path`` if there is one.
    ``flags``: by dotted path (``FLAGS``); None was not given; a mapping replaces a whole table.
    ``source_options``, ``resolver_options``, ``live_options``: the Options of each power source, of each resolver of
    workloads and of each service that knows grid factors, by name. None: those that there are.
    ``fleet``: for a command about all sites; where this node stands need not be said.
    """
    if source_options is None or resolver_options is None:
        from tracker import registry  # noqa: PLC0415 - imports every source; tests and tools give their own

        source_options = registry.SOURCE_OPTIONS if source_options is None else source_options
        resolver_options = registry.RESOLVER_OPTIONS if resolver_options is None else resolver_options
    layers = _defaults(environ)
    used = _read(layers, path, system_path)
    live_options = _live_options(layers, environ) if live_options is None else live_options
    root = _root(source_options, resolver_options, live_options)
    take_environment(layers, environ, root)
    take_flags(layers, flags or {}, FLAGS, root)
    decoded = decode(layers, root, layers.tree)
    sections = {name: getattr(decoded, name) for name in field_kinds(root)}
    if sections["sources"] is not None:
        sections["sources"] = given(sections["sources"], source_options)
    sections["workloads"] = _workloads(layers, sections["workloads"], resolver_options)
    sections["grid"] = settle_grid(layers, sections["grid"], live_options)
    _settle_site(layers, sections)
    _settle_commit(layers, sections)
    config = Config(**sections, path=used, origins=_dotted(layers.origins))
    check(config, layers, fleet=fleet)
    return config


def _live_options(layers: Layers, environ: Mapping[str, str]) -> Mapping[str, type]:
    """Of all services, if anybody speaks of [grid]; else they are not even loaded."""
    prefix = variable_of(("grid", ""))
    if "grid" not in layers.tree and not any(name.startswith(prefix) for name in environ):
        return {}
    from tracker.services import LIVE_OPTIONS  # noqa: PLC0415 - costs a megabyte

    return LIVE_OPTIONS


def default_state_dir(environ: Mapping[str, str], *, root: bool, system: Path = SYSTEM_STATE) -> Path:
    """Where the ledger lives: the system's folder if this process may write there, else the user's."""
    if root or os.access(system, os.W_OK):
        return system
    home = environ.get("XDG_STATE_HOME", "")
    if home.startswith("/"):  # the XDG base directory specification: relative paths are to be ignored
        return Path(home, "wattledger")
    return Path(environ.get("HOME") or "~", ".local/state/wattledger").expanduser()


def _root(sources: Mapping[str, type], resolvers: Mapping[str, type], live: Mapping[str, type]) -> Any:
    """The type of the whole file: the sections of Config, with [sources] made of what the sources bring, [workloads]
    with a table for each resolver, and [grid] with one for each service."""
    made_sources = msgspec.defstruct("Sources", _optional(sources), frozen=True, kw_only=True)
    workloads = _with_tables(Workloads(), "resolvers", resolvers, rules=Any)
    grid = _with_tables(Grid(), "providers", live)
    made = {
        "sources": (made_sources | None, None),
        "workloads": (workloads, workloads()),
        "grid": (grid, grid()),
    }
    fields = [field for field in msgspec.structs.fields(Config) if field.name not in _FACTS]
    return msgspec.defstruct(
        "Root",
        [(f.name, *made.get(f.name, (f.type, getattr(Config(), f.name)))) for f in fields],
        frozen=True,
        kw_only=True,
    )


def _with_tables(section: msgspec.Struct, field: str, options: Mapping[str, type], **others: Any) -> Any:
    """The type of a section with a table for each of ``options`` in the place of ``field``."""
    own = [
        (f.name, others.get(f.name, f.type), getattr(section, f.name))
        for f in msgspec.structs.fields(section)
        if f.name != field
    ]
    name = type(section).__name__
    return msgspec.defstruct(name, [*own, *_optional(options)], frozen=True, kw_only=True)


def _optional(options: Mapping[str, type]) -> list[tuple[str, Any, None]]:
    return [(name, kind | None, None) for name, kind in sorted(options.items())]


def _defaults(environ: Mapping[str, str]) -> Layers:
    """What depends on the machine. In a pod, the downward API gives NODE_NAME; the host name there is the pod's."""
    layers = Layers()
    node_name = environ.get("NODE_NAME", "")
    layers.put(
        ("node", "hostname"),
        node_name or socket.gethostname(),
        "environment NODE_NAME" if node_name else "this machine",
    )
    layers.put(("node", "state_dir"), str(default_state_dir(environ, root=os.geteuid() == 0)), "this machine")
    return layers


def _read(layers: Layers, path: Path | None, system_path: Path) -> Path | None:
    """Take the file and say which one it was."""
    try:
        read_file(layers, path or system_path)
    except FileNotFoundError as error:
        if path is None:
            return None
        raise UsageError(
            f"The configuration file {path} does not exist.", "Check --config; without it the defaults apply."
        ) from error
    return path or system_path


def _workloads(layers: Layers, decoded: Any, resolver_options: Mapping[str, type]) -> Workloads:
    """[workloads] as one struct whatever resolvers there are. Raises UsageError for a rule that cannot be."""
    try:
        parse_rules(decoded.rules)
    except RuleError as error:
        raise layers.error(("workloads", "rules", *error.path), error.sentence, error.remedy) from error
    own = {name: getattr(decoded, name) for name in Workloads.__struct_fields__ if name != "resolvers"}
    return Workloads(**{**own, "rules": tuple(decoded.rules)}, resolvers=given(decoded, resolver_options))


def _settle_site(layers: Layers, sections: dict[str, Any]) -> None:
    """The only site there is needs no choosing."""
    node, sites = sections["node"], sections["site"]
    if not node.site and len(sites) == 1:
        (only,) = sites
        sections["node"] = msgspec.structs.replace(node, site=only)
        layers.origins["node", "site"] = "the only site"


def _settle_commit(layers: Layers, sections: dict[str, Any]) -> None:
    """Who slows the tick down need not know that commits cannot be faster."""
    sampling = sections["sampling"]
    if sampling.commit < sampling.tick and ("sampling", "commit") not in layers.origins:
        sections["sampling"] = msgspec.structs.replace(sampling, commit=sampling.tick)
        layers.origins["sampling", "commit"] = "as sampling.tick"


def _dotted(origins: Mapping[KeyPath, str]) -> dict[str, str]:
    return {".".join(path): origin for path, origin in origins.items()}
