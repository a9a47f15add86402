"""``wattledger grid export|import``: carry factors to machines that reach no service."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from tracker.cli import factors, layout
from tracker.cli.grid_node import node_config, node_options
from tracker.core.errors import UsageError, WattledgerError
from tracker.grid.bundle import encode_bundle, read_bundle, write_bundle
from tracker.grid.own_table import read_table, split_by_tables
from tracker.grid.store import FactorReader, FactorStore
from tracker.grid.zones import find_zone
from tracker.grid_wiring import store_path

_EVER_S = 2**40
_STDOUT = Path("-")
_SOME = 5


@click.command("export", short_help="Write factors into a file for another machine.")
@click.argument("zone_texts", metavar="[ZONE]...", nargs=-1)
@click.option("--from", "begin", metavar="T", help="What holds from this date or time on [all].")
@click.option("--to", "end", metavar="T", help="Up to this date or time, not included [all].")
@click.option(
    "-o", "target", metavar="FILE", required=True, type=click.Path(path_type=Path), help="The file; - is stdout."
)
@click.option("--json", "as_json", is_flag=True, help="Say as JSON what was written.")
@node_options
def export_bundle(
    zone_texts: tuple[str, ...],
    begin: str | None,
    end: str | None,
    target: Path,
    as_json: bool,
    config_path: Path | None,
    node__state_dir: str | None,
) -> None:
    """Write the best known factors of each ZONE [all that the node's store has] into a file with its checksum.

    What ships with wattledger is everywhere and not in it.
    """
    if as_json and target == _STDOUT:
        raise UsageError("With -o - the bundle itself is printed.", "Leave --json out.")
    start_s, end_s = 0 if begin is None else factors.instant(begin), _EVER_S if end is None else factors.instant(end)
    if start_s >= end_s:
        raise UsageError(f"--to {end} is not after --from {begin}.", "The end is not included: a day ends at the next.")
    codes = [find_zone(text).code for text in zone_texts]
    store = FactorReader(store_path(node_config(config_path, node__state_dir)))
    records = store.records(codes or store.zones(), start_s, end_s)
    if not records:
        where, when = " or ".join(codes) or "any zone", "" if begin is None and end is None else " in that time"
        raise WattledgerError(
            f"The store {store.path} has no factors of {where}{when}.",
            "Fill it: wattledger grid fetch. What it covers: wattledger grid list",
        )
    if target == _STDOUT:
        sys.stdout.buffer.write(encode_bundle(records))
        return
    write_bundle(records, target)
    zones = sorted({record.row.zone for record in records})
    _say({"file": str(target), "factors": len(records), "zones": zones}, as_json=as_json)


@click.command("import", short_help="Add the factors of such a file, or of a table of yearly ones.")
@click.argument("source", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@node_options
def import_bundle(source: Path, as_json: bool, config_path: Path | None, node__state_dir: str | None) -> None:
    """Add the factors of FILE, which `grid export` wrote, to the node's store.

    All of it or nothing, after its checksum and every value were checked. They count as known from now on; importing it
    again changes nothing.

    A FILE that ends in .csv is a table of yearly factors with the columns of those that ship (the README says which):
    a newer edition, a country without a factor, a residual mix. Each has a factor_id of its own; a correction keeps it
    and has a later day in `recorded`, and one without a value takes the earlier one back. Values of hours, as CSV or
    JSON, are read by [grid.file] and `grid fetch --provider file`.

    Monthly statements are weighed by what is in the books. A node ships its factors with its hours; from any other
    machine they get there by: wattledger ship --factors
    """
    config = node_config(config_path, node__state_dir)
    is_table = source.suffix.casefold() == ".csv"
    now_s = factors.now_s()
    rows = list(read_table(source, now_s)) if is_table else [record.row for record in read_bundle(source)]
    usable, passed_over = split_by_tables(rows)
    with FactorStore(store_path(config)) as store:
        added = store.append(usable, now_s, from_elsewhere=True)
    zones = sorted({row.zone for row in rows})
    older = sorted({*passed_over, *added.older})
    counts = {"new": added.new, "changed": added.changed, "same": added.same, "older": older}
    if older:
        _warn(older, is_table=is_table)
    _say({"file": str(source), "factors": len(rows), "zones": zones, **counts}, as_json=as_json)


def _warn(older: Sequence[str], *, is_table: bool) -> None:
    """What has another value than is known here and is not taken all the same."""
    some = ", ".join(older[:_SOME]) + (", …" if len(older) > _SOME else "")
    remedy = " To take them all the same, write a later day into `recorded`." if is_table else ""
    said = f"not taken, for what is known here was recorded then or later: {some}.{remedy}"
    layout.echo(f"wattledger: {len(older)} {said}", err=True)


def _say(what: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(factors.encode(what))
        return
    counts = f": {what['new']} new, {what['changed']} revised, {what['same']} as known" if "new" in what else ""
    counts += f", {len(what['older'])} older than what is known" if what.get("older") else ""
    layout.echo(f"{what['file']}  {what['factors']} factors of {', '.join(what['zones']) or 'no zone'}{counts}")
