"""``wattledger config show|check``, and the options that every command with a configuration shares."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from tracker.config import SYSTEM_PATH, Config, load
from tracker.config.show import as_json, toml_lines
from tracker.core.errors import WattledgerError

Command = TypeVar("Command", bound=Callable[..., Any])

#: Values are padded to this width, so that the origins stand in one column.
_COLUMN = 44

_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--config",
        "config_path",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help=f"Configuration file [default: {SYSTEM_PATH}, if there is one].",
    ),
    click.option("--state-dir", metavar="DIR", help="Where the ledger lives."),
    click.option("--path.sysfs", "sysfs", metavar="DIR", help="Where the host's /sys is mounted."),
    click.option("--path.procfs", "procfs", metavar="DIR", help="Where the host's /proc is mounted."),
)


def config_options(command: Command) -> Command:
    """Add ``--config`` and the flags that overlay it: ``config_path``, ``state_dir``, ``sysfs``, ``procfs``."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def effective(
    config_path: Path | None, state_dir: str | None, sysfs: str | None, procfs: str | None, **more: object
) -> Config:
    """The configuration behind ``config_options``. ``more``: other flags by dotted path. Raises UsageError."""
    flags = {"node.state_dir": state_dir, "node.sysfs": sysfs, "node.procfs": procfs, **more}
    return load(config_path, environ=os.environ, flags=flags)


@contextmanager
def plainly() -> Iterator[None]:
    """Turn an error into its sentence on standard error and its exit code, without a traceback."""
    try:
        yield
    except WattledgerError as error:
        click.echo(f"wattledger: {error}", err=True)
        sys.exit(error.exit_code)


@click.group()
def config() -> None:
    """Show or check the configuration."""


@config.command()
@config_options
@click.option("--json", "as_machine", is_flag=True, help="Print JSON.")
def show(*, as_machine: bool, **given: Any) -> None:
    """Print the effective configuration and where each value is from. Secrets are masked."""
    with plainly():
        settings = effective(**given)
    if as_machine:
        click.echo(json.dumps(as_json(settings), indent=2))
        return
    for text, origin in toml_lines(settings):
        comment = f"{'':{max(1, _COLUMN - len(text))}}# {origin}" if origin else ""
        click.echo(text + click.style(comment, dim=True))


@config.command()
@config_options
def check(**given: Any) -> None:
    """Check the configuration: exit 0 if it is right, 2 with the mistake and its place if not."""
    with plainly():
        settings = effective(**given)
    click.echo(f"ok: {settings.path or 'there is no file, the defaults apply'}")
