"""The command `wattledger`."""

from __future__ import annotations

import click


@click.group()
def main() -> None:
    """Track the energy and carbon footprint of AI compute."""
