"""What the grid commands share: whose configuration and store they mean, and how labels stand beside texts."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from msgspec.structs import replace

from tracker import __version__
from tracker.cli import layout
from tracker.cli.factors import now_s
from tracker.cli.options import config_of
from tracker.config import Config
from tracker.config.decode import nearest
from tracker.core.errors import UsageError
from tracker.grid.catalogue import Zone
from tracker.grid.interface import Ask, LiveProvider
from tracker.grid.zones import find_zone
from tracker.grid_wiring import providers_of
from tracker.services import LIVE

_LABEL = 10

Command = Callable[..., Any]


def node_options(command: Command) -> Command:
    """``--config`` and ``--state-dir``, which say whose store is meant."""
    for option in (
        click.option("--state-dir", "node__state_dir", metavar="DIR", help="Where the node's factors are."),
        click.option("--config", "config_path", metavar="FILE", type=click.Path(path_type=Path), help="TOML file."),
    ):
        command = option(command)
    return command


def node_config(config_path: Path | None, state_dir: str | None) -> Config:
    """The effective configuration. Raises UsageError."""
    return config_of(config_path, {"node__state_dir": state_dir})


@contextmanager
def asking(config: Config) -> Iterator[Ask]:
    """What asks services. Loads the HTTP library. Raises UsageError for certificates that are not there."""
    from tracker.grid.http import HttpAsk  # noqa: PLC0415 - loads urllib3

    ask = HttpAsk(__version__, now_s=now_s, ca_file=config.grid.ca_file)
    try:
        yield ask
    finally:
        ask.close()


def say(label: str, text: str) -> None:
    for line in layout.entry(label, text, label_width=_LABEL, within=layout.width()):
        layout.echo(line)


def inner_width() -> int | None:
    """Columns beside an indent of two."""
    within = layout.width()
    return None if within is None else within - 2


def wrapped(text: str) -> Iterator[str]:
    """A sentence in lines beside an indent of two."""
    room = inner_width()
    yield from [text] if room is None else textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False)


def services(config: Config, zone: Zone, ask: Ask, only: str | None = None) -> tuple[tuple[Zone, LiveProvider], ...]:
    """The services that know ``zone``, each with the place to ask it about, in the order of the chain. ``only``: this
    one alone, whether or not the chain names it. Raises UsageError: there is none."""
    if only is not None:
        if only not in LIVE:
            near = nearest(only, LIVE, limit=1) or sorted(LIVE)
            raise UsageError(f"There is no service {only[:40]!r}.", f"Did you mean {' or '.join(near)}?")
        origins = {key: place for key, place in config.origins.items() if not key.startswith("grid.zone.")}
        grid = replace(config.grid, chain=(only,), zone={})
        config = replace(config, grid=grid, origins={**origins, "grid.chain": "--provider"})
    found = providers_of(config, zone, ask)
    if not found:
        raise UsageError(
            f"No live service is configured for {zone.code} ({zone.name}).",
            f'Write [grid] provider = "…" with one of {", ".join(sorted(LIVE))}; or name it with --provider.',
        )
    return tuple((find_zone(code), provider) for code, those in found.items() for provider in those)
