"""[grid] as one struct whatever services there are: what the chain names gets its settings, and a mistake its place."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from tracker.config.decode import in_words, nearest
from tracker.config.layers import KeyPath, Layers
from tracker.config.schema import TABLES, Duration, Grid
from tracker.core.errors import UsageError
from tracker.core.units import NS_PER_S

TIERS = (1, 2, 3, 4, 5, 6)
MIN_POLL, MAX_POLL = Duration(300 * NS_PER_S), Duration(86_400 * NS_PER_S)
_SHORT = ("token", "token_file")


def given(table: msgspec.Struct, options: Mapping[str, type]) -> dict[str, msgspec.Struct]:
    """The tables of parts that somebody wrote."""
    found = {name: getattr(table, name) for name in sorted(options)}
    return {name: section for name, section in found.items() if section is not None}


def settle_grid(layers: Layers, decoded: Any, options: Mapping[str, type]) -> Grid:
    """Raises UsageError: an unknown service, zone or tier, a token that nobody wants."""
    own = {name: getattr(decoded, name) for name in Grid.__struct_fields__ if name != "providers"}
    grid = Grid(**own)
    names = {TABLES, *options}
    _check_names((grid.provider,), layers, ("grid", "provider"), names)
    _check_chain(grid.chain, grid.tiers, layers, ("grid",), names)
    zones = {_code(layers, name): settings for name, settings in grid.zone.items()}
    for name, settings in grid.zone.items():
        _check_chain(settings.chain, settings.tiers, layers, ("grid", "zone", name), names)
    _check_poll(grid.poll, layers)
    providers = given(decoded, options)
    for name in _named(grid):
        providers.setdefault(name, options[name]())
    _hand_token_on(layers, grid, providers)
    return msgspec.structs.replace(grid, zone=zones, providers=providers)


def _named(grid: Grid) -> list[str]:
    """Every service that some chain asks."""
    chains: list[Sequence[str]] = [(grid.provider,), grid.chain, *(zone.chain for zone in grid.zone.values())]
    return [name for name in dict.fromkeys(name for chain in chains for name in chain) if name != TABLES]


def _check_chain(
    chain: Sequence[str], tiers: Sequence[int], layers: Layers, path: KeyPath, names: Collection[str]
) -> None:
    _check_names(chain, layers, (*path, "chain"), names)
    where = ".".join((*path, "tiers"))
    if set(tiers) - {*TIERS} or len(set(tiers)) < len(tiers):
        raise layers.error(
            (*path, "tiers"),
            f"{where} is {list(tiers)}, but tiers are numbers from 1 to 6, each once.",
            "1 measured, 2 estimated, 3 profile, 4 official yearly, 5 generic yearly, 6 the world's average.",
        )


def _check_names(chain: Sequence[str], layers: Layers, path: KeyPath, names: Collection[str]) -> None:
    where = ".".join(path)
    for name in chain:
        if name not in names:
            near = nearest(name, names, limit=1)
            remedy = f'Did you mean "{near[0]}"?' if near else f"There are: {', '.join(sorted(names))}."
            verb = "is" if path[-1] == "provider" else "names"
            raise layers.error(path, f'{where} {verb} "{name}", but there is no such provider.', remedy)
    if len(set(chain)) < len(chain):
        raise layers.error(path, f"{where} names a provider twice.", "Name each once, the best one first.")


def _code(layers: Layers, name: str) -> str:
    """The catalogue's code of a [grid.zone.<name>]."""
    from tracker.grid.zones import find_zone  # noqa: PLC0415 - reads the catalogue of zones

    try:
        return find_zone(name).code
    except UsageError as error:
        raise layers.error(("grid", "zone", name), error.sentence, error.remedy) from error


def _check_poll(poll: Duration, layers: Layers) -> None:
    if not MIN_POLL <= poll <= MAX_POLL:
        raise layers.error(
            ("grid", "poll"),
            f"grid.poll is {poll}, but must lie between {MIN_POLL} and {MAX_POLL}.",
            'The default is "30m"; services publish every 5 to 60 minutes.',
        )


def _hand_token_on(layers: Layers, grid: Grid, providers: dict[str, msgspec.Struct]) -> None:
    """``grid.token_file`` is short for the one setting that most people need."""
    for name in _SHORT:
        value = getattr(grid, name)
        if not value:
            continue
        section = providers.get(grid.provider)
        if section is None or name not in section.__struct_fields__:
            wanted = [each for each, other in providers.items() if name in other.__struct_fields__]
            remedy = f"Write it into [grid.{in_words(wanted)}]." if wanted else f"Leave grid.{name} out."
            raise layers.error(
                ("grid", name), f'grid.{name} is for grid.provider, but "{grid.provider}" wants none.', remedy
            )
        if not getattr(section, name):
            providers[grid.provider] = msgspec.structs.replace(section, **{name: value})
            layers.origins["grid", grid.provider, name] = f"grid.{name}"
