"""``wattledger trace``: what a row of a statement is made of, down to the device and the hour."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec

from tracker.books.store import open_store
from tracker.cli.factors import instant
from tracker.cli.options import config_of, config_options
from tracker.core.closing import checked_month
from tracker.core.errors import UsageError
from tracker.finance.trace import RowTrace
from tracker.finance.trace import trace as trace_row


@click.command()
@config_options
@click.argument("month", metavar="MONTH")
@click.option(
    "--row", metavar="ID", required=True, help="The row's id (column row_id of the exports), or its beginning."
)
@click.option("--books", metavar="URL", help="A folder, s3://…, gs://… or az://… [books.url].")
@click.option("--version", type=click.IntRange(min=1), metavar="N", help="This closed version, not the latest one.")
@click.option("--draft", is_flag=True, help="As it would be stated now, though it is closed.")
@click.option("--group-by", metavar="A,B", help="Of a draft: the columns that its rows were asked for with.")
@click.option("--hourly", "method", flag_value="hourly", help="Of a draft that was made with --hourly.")
@click.option("--annual", "method", flag_value="annual", help="Of a draft that was made with --annual.")
@click.option("--as-of", metavar="T", help="Of a draft: with what was known then.")
@click.option("--all", "each_hour", is_flag=True, help="List every hour, not hours that are alike together.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def trace(
    config_path: Path | None,
    month: str,
    row: str,
    books: str | None,
    version: int | None,
    draft: bool,
    group_by: str | None,
    method: str | None,
    as_of: str | None,
    each_hour: bool,
    as_json: bool,
    **flags: object,
) -> None:
    """Follow a row of MONTH back: its hours, the entries that they are made of, the factor and the PUE that weighed
    them, and the rounding, in exact integers with which everything can be calculated again.

    A closed month is traced with what was sealed of it. Why the nodes' own counters differ is said at the end.
    """
    config = config_of(config_path, flags, fleet=True)
    if draft and version:
        raise UsageError("A version is no draft.", "Give --version or --draft.")
    store = open_store(books or config.books.url or str(config.node.state_dir / "books"), config.books.cache)
    with _waiting(wanted=not as_json):
        found = trace_row(
            config,
            store,
            checked_month(month),
            row,
            as_of_s=instant(as_of),
            group_by=tuple(part.strip() for part in group_by.split(",")) if group_by else (),
            method=method or "",
            version=0 if draft or as_of else version,
            each_hour=each_hour,
        )
    if as_json:
        click.echo(_json(found))
        return
    from tracker.cli.trace_show import show  # noqa: PLC0415 - as JSON it is not needed

    show(found, each_hour=each_hour)


def _json(found: RowTrace) -> bytes:
    """Numbers of any length are exact; as text where JSON readers would lose digits (beyond 2^53)."""
    plain = msgspec.to_builtins(found, enc_hook=str)
    return msgspec.json.format(msgspec.json.encode(_exact(plain)), indent=2)


_SAFE = 2**53


def _exact(value: object) -> object:
    match value:
        case dict():
            return {name: _exact(each) for name, each in value.items()}
        case list() | tuple():
            return [_exact(each) for each in value]
        case bool():
            return value
        case int() if abs(value) > _SAFE:
            return str(value)
        case _:
            return value


@contextmanager
def _waiting(*, wanted: bool) -> Iterator[None]:
    """Something moves on a terminal while a month is read."""
    if not wanted or not sys.stdout.isatty():
        yield
        return
    from rich.console import Console  # noqa: PLC0415 - only where there is a terminal to draw on

    with Console().status("Reading the month"):
        yield
