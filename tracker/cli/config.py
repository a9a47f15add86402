"""``wattledger config show|check``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from tracker.cli.options import config_of, config_options
from tracker.config.show import as_json, toml_lines

#: Values are padded to this width, so that the origins stand in one column.
_COLUMN = 44


@click.group()
def config() -> None:
    """Show or check the configuration."""


@config.command()
@config_options
@click.option("--json", "as_machine", is_flag=True, help="Print JSON.")
def show(config_path: Path | None, as_machine: bool, **flags: Any) -> None:
    """Print the effective configuration and where each value is from. Secrets are masked."""
    settings = config_of(config_path, flags)
    if as_machine:
        click.echo(json.dumps(as_json(settings), indent=2))
        return
    for text, origin in toml_lines(settings):
        comment = f"{'':{max(1, _COLUMN - len(text))}}# {origin}" if origin else ""
        click.echo(text + click.style(comment, dim=True))


@config.command()
@config_options
def check(config_path: Path | None, **flags: Any) -> None:
    """Check the configuration: exit 0 if it is right, 2 with the mistake and its place if not."""
    settings = config_of(config_path, flags)
    click.echo(f"ok: {settings.path or 'there is no file, the defaults apply'}")
