"""Flags that several commands share, and the configuration they lead to."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from tracker.config import Config, load

#: flag -> dotted path in the configuration, with __ for the dot: click wants identifiers
_NODE_FLAGS = (
    click.option("--state-dir", "node__state_dir", metavar="DIR", help="Where the ledger lives."),
    click.option("--path.sysfs", "node__sysfs", metavar="DIR", help="The host's /sys, in a container."),
    click.option("--path.procfs", "node__procfs", metavar="DIR", help="The host's /proc, in a container."),
)
_OWN_ONLY = click.option(
    "--own-only", "workloads__own_only", is_flag=True, default=None, help="As a sidecar: the own pod's share alone."
)


def config_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--config`` and the flags about the node."""
    for option in reversed(_NODE_FLAGS):
        command = option(command)
    path = click.option("--config", "config_path", metavar="FILE", type=click.Path(path_type=Path), help="TOML file.")
    return path(command)


def measuring_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The same, and what the daemon may be told besides."""
    return config_options(_OWN_ONLY(command))


def config_of(config_path: Path | None, flags: dict[str, Any], *, fleet: bool = False) -> Config:
    """The effective configuration. ``fleet``: of a command about all sites. Raises UsageError."""
    given = {name.replace("__", "."): value for name, value in flags.items()}
    return load(config_path, environ=os.environ, flags=given, fleet=fleet)
