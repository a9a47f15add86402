"""What others counted of a month: the options of ``verify --books``, ``export`` and ``close``, and the comparison."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from tracker.books.interface import BookStore
from tracker.config import Config
from tracker.config.pue import zone_of
from tracker.core.errors import UsageError
from tracker.core.statement import Reconciled

Tell = Callable[[int, int, str], object]
_FILE = click.Path(path_type=Path)
_OPTIONS = (
    click.option("--prometheus", metavar="URL", help="Compare the month with these counters."),
    click.option("--match", metavar="{…}", help="""Counters of these labels alone: '{cluster="x"}'."""),
    click.option("--prometheus-token", metavar="FILE", type=_FILE, help="A bearer token for it."),
    click.option("--prometheus-auth", metavar="FILE", type=_FILE, help="user:password for it."),
    click.option("--prometheus-ca", metavar="FILE", type=_FILE, help="Certificates to trust."),
    click.option("--meter", metavar="FILE", type=_FILE, help="Compare the month with a meter's CSV."),
)


@dataclass(frozen=True, slots=True)
class Theirs:
    """Whom to compare with. Nobody, if neither ``prometheus`` nor ``meter`` is given."""

    prometheus: str | None = None
    match: str | None = None
    prometheus_token: Path | None = None
    prometheus_auth: Path | None = None
    prometheus_ca: Path | None = None
    meter: Path | None = None

    def __bool__(self) -> bool:
        return bool(self.prometheus or self.meter)


def theirs_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def take_theirs(flags: dict[str, Any]) -> Theirs:
    """Takes the flags of this file out of the others. Raises UsageError for one that means nothing alone."""
    theirs = Theirs(**{name: flags.pop(name) for name in Theirs.__slots__})
    alone = (theirs.match, theirs.prometheus_token, theirs.prometheus_auth, theirs.prometheus_ca)
    if theirs.prometheus is None and any(alone):
        raise UsageError("These options are about a Prometheus.", "Say which: --prometheus URL")
    return theirs


def compared(
    config: Config, store: BookStore, month: str, theirs: Theirs, *, as_of_s: int, tell: Tell
) -> tuple[Reconciled, ...]:
    """A line for each of theirs. Raises UsageError for a file that is
    no meter's, and as ``reconciled`` does."""
    if not theirs:
        return ()
    from tracker.books.http import Credentials  # noqa: PLC0415 - a node's audit needs none of these
    from tracker.books.meter import read_meter  # noqa: PLC0415 - as above
    from tracker.books.prometheus_api import PrometheusApi, matchers_of  # noqa: PLC0415 - as above
    from tracker.finance.reconcile import reconciled  # noqa: PLC0415 - as above

    readings = read_meter(theirs.meter, zone_of(config.books.timezone)) if theirs.meter else ()
    if not theirs.prometheus:
        return reconciled(config, store, month, as_of_s=as_of_s, readings=readings)
    credentials = Credentials(theirs.prometheus_token, theirs.prometheus_auth, theirs.prometheus_ca)
    api = PrometheusApi(theirs.prometheus, credentials, remedy="Try again, or leave --prometheus out.")
    try:
        return reconciled(
            config,
            store,
            month,
            as_of_s=as_of_s,
            api=api,
            matchers=matchers_of(theirs.match) if theirs.match else "",
            readings=readings,
            tell=lambda done, of: tell(done, of, "Prometheus"),
        )
    finally:
        api.close()
