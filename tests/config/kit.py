"""What the tests of the configuration share: small source options, and a loader that touches nothing of the machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
import pytest

from tracker.config import Config, load
from tracker.core.errors import UsageError


class Nvml(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A source with one option of each type."""

    period_s: float = 1.0
    processes: bool = True
    retries: int | None = None
    skip: tuple[str, ...] = ()
    depth: Annotated[int, msgspec.Meta(ge=1)] = 1
    socket: Path = Path("/run/x")
    token: str = ""
    token_file: str = ""


class Rapl(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A source without options."""


class Cluster(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A resolver of workloads."""

    socket: Path = Path("/run/cluster.sock")
    labels: tuple[str, ...] = ()


SOURCES = {"nvml": Nvml, "rapl": Rapl}


class Service(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A service that knows grid factors and wants a token."""

    base_url: str = "https://api.example"
    token: str = ""
    token_file: str = ""
    regions: dict[str, str] = {}


class Open(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One that anybody may ask."""

    base_url: str = "https://open.example"


RESOLVERS = {"cluster": Cluster}
LIVE = {"electricitymaps": Service, "neso": Open}


def loaded(
    folder: Path,
    text: str | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
) -> Config:
    """Load TOML text as --config; None: there is no file at all."""
    path = folder / "config.toml"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    return load(
        path if text is not None else None,
        environ=environ or {},
        flags=flags,
        source_options=SOURCES,
        resolver_options=RESOLVERS,
        live_options=LIVE,
        system_path=folder / "none.toml",
    )


def refusal(
    folder: Path,
    text: str,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, object] | None = None,
) -> str:
    """What the user reads when the configuration is refused, with the folder left out."""
    with pytest.raises(UsageError) as caught:
        loaded(folder, text, environ, flags)
    assert caught.value.exit_code == 2
    return str(caught.value).replace(f"{folder}/", "")
