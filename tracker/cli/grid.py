"""``wattledger grid``: what weighs a kilowatt-hour, from where, and since when it is known."""

from __future__ import annotations

import click

from tracker.cli.grid_bundle import export_bundle, import_bundle
from tracker.cli.grid_fetch import fetch_range
from tracker.cli.grid_forecast import show_forecast
from tracker.cli.grid_list import list_zones
from tracker.cli.grid_show import show


@click.group()
def grid() -> None:
    """Say which grid factors are known, from where and how old; read new ones."""


for _command in (list_zones, show, fetch_range, show_forecast, export_bundle, import_bundle):
    grid.add_command(_command)
