"""``wattledger config show|check``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from msgspec import structs

from tracker.cli.options import config_of, measuring_options
from tracker.config import Config
from tracker.config.show import as_json, toml_lines
from tracker.core.errors import UsageError
from tracker.grid.interface import UnknownZone

#: Values are padded to this width, so that the origins stand in one column.
_COLUMN = 44


@click.group()
def config() -> None:
    """Show or check the configuration."""


@config.command()
@measuring_options
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


@config.command(short_help="Check the configuration, without starting anything.")
@measuring_options
def check(config_path: Path | None, **flags: Any) -> None:
    """Check the configuration: exit 0 if the daemon would start with it, 2 with the mistake and its place if not."""
    settings = config_of(config_path, flags)
    _check_zones(settings)
    _check_grid(settings)
    if settings.web.web_config_file:
        from tracker.web.tls import make_context  # noqa: PLC0415 - only with a file
        from tracker.web.webconfig import read_web_config  # noqa: PLC0415 - imports yaml

        path = Path(settings.web.web_config_file)
        web = read_web_config(path)
        if web.tls_server_config is not None:
            make_context(web.tls_server_config, path.parent)
    click.echo(f"ok: {settings.path or 'there is no file, the defaults apply'}")


def _check_grid(settings: Config) -> None:
    """That the services know the zones of all sites, and that the instruments file can be used. Nobody is asked."""
    from tracker import grid_wiring  # noqa: PLC0415 - imports every part

    grid_wiring.read_rates(settings)
    for name, site in settings.site.items():
        if site.zone is not None:
            there = structs.replace(settings, node=structs.replace(settings.node, site=name))
            grid_wiring.live_providers(there, grid_wiring.nobody)


def _check_zones(settings: Config) -> None:
    """The daemon asks its provider about its own zone only; a file that many nodes share is checked for all sites."""
    from tracker.grid.zones import find_zone  # noqa: PLC0415 - reads the catalogue of zones

    for name, site in settings.site.items():
        try:
            if site.zone is not None:
                find_zone(site.zone)
        except UnknownZone as error:
            origin = settings.origins.get(f"site.{name}.zone", "")
            raise UsageError(f"{origin}: {error.sentence}", error.remedy) from error
