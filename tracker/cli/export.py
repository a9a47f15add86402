"""``wattledger export``: a month for finance, from the books of the fleet or of this node alone."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import click

from tracker.books.interface import BookStore
from tracker.cli import factors, layout
from tracker.cli.beside import compared, take_theirs, theirs_options
from tracker.cli.close import amount_lines, comparison, progress, thousandths
from tracker.cli.options import config_of, config_options
from tracker.cli.own_factors import tell_only_here
from tracker.cli.ship_node import Wanted, books_of, ship_node
from tracker.config import Config
from tracker.core.closing import checked_month
from tracker.core.errors import UsageError, WattledgerError
from tracker.core.percent import cut
from tracker.core.statement import Statement
from tracker.core.words import counted
from tracker.finance.exporting import Document, Exported, View, export, formats_of
from tracker.ledger.files import LEDGER_FILE

_STDOUT = Path("-")


@click.command("export")
@config_options
@click.option("--month", required=True, metavar="MONTH", help="Such as 2026-10.")
@click.option("--books", metavar="URL", help="A folder, s3://…, gs://… or az://… [books.url, else this node's own].")
@click.option(
    "--format",
    "formats",
    default="csv",
    show_default=True,
    metavar="A,B",
    help="csv, xlsx, json, parquet, html, focus, codecarbon.",
)
@click.option("-o", "folder", default=".", type=click.Path(path_type=Path), help="Folder to write to; - is stdout [.].")
@click.option("--group-by", metavar="A,B", help="Columns of the rows, such as team,project [books.group_by].")
@click.option("--where", multiple=True, metavar="NAME=VALUE", help="Only rows of these; * and ? fit anything.")
@click.option("--hourly", "method", flag_value="hourly", help="Location-based by the factors of each hour.")
@click.option("--annual", "method", flag_value="annual", help="Location-based by yearly factors.")
@click.option("--allocate-idle", is_flag=True, help="Add rows that hand idle energy on to those who work.")
@click.option("--as-of", metavar="T", help="Use no factor or site fact that was recorded later [now].")
@click.option("--version", "version", type=click.IntRange(1), metavar="N", help="This closed version [the latest].")
@theirs_options
@click.option("--json", "as_json", is_flag=True, help="Say as JSON what was written.")
def export_command(
    config_path: Path | None,
    month: str,
    books: str | None,
    formats: str,
    folder: Path,
    group_by: str | None,
    where: tuple[str, ...],
    method: str | None,
    allocate_idle: bool,
    as_of: str | None,
    version: int | None,
    as_json: bool,
    **flags: Any,
) -> None:
    """Write a month's statement into files: wattledger-2026-10-draft.csv while it is open, and once it is closed the
    sealed wattledger-2026-10-v1.csv, the same bytes for ever.

    On a node without books of a fleet its own hours are shipped to its state folder first. Exit code 1 if there is
    nothing of the month.
    """
    names = formats_of(formats)
    if folder == _STDOUT and (len(names) > 1 or as_json):
        raise UsageError("Only one file fits into stdout.", "Name one format, or a folder with -o.")
    theirs = take_theirs(flags)
    if theirs and where:
        raise UsageError("What others counted has no labels to choose by.", "Leave --where out.")
    view = View(
        group_by=tuple(part.strip() for part in group_by.split(",")) if group_by else (),
        filters=tuple(map(_filter, where)),
        method=method or "",
        as_of_s=None if as_of is None else factors.instant(as_of),
        hand_on_idle=allocate_idle,
        version=version,
    )
    config = config_of(config_path, flags, fleet=True)
    if not books and not config.books.url:
        config = config_of(config_path, flags)  # of this node alone
    now_s = factors.now_s()
    with progress("Composing") as tell:
        store = _books(config, books)
        beside = partial(compared, config, store, month, theirs, tell=tell) if theirs else None
        done = export(config, store, checked_month(month), names, view, now_s=now_s, beside=beside, tell=tell)
    if done.closed is None:
        tell_only_here(config, store, done.statement)
    _deliver(done, folder, store.url, now_s, as_json=as_json)


def _deliver(done: Exported, folder: Path, url: str, now_s: int, *, as_json: bool) -> None:
    if folder == _STDOUT:
        done.documents[0].write(sys.stdout.buffer)
        return
    written = write_all(done.documents, folder)
    if as_json:
        click.echo(factors.encode(_document(done, written, url)))
        return
    for line in _summary(done, now_s):
        layout.echo(line)
    for path in written:
        layout.echo(f"  {path.stat().st_size:>10}  {path}")


def _filter(text: str) -> tuple[str, str]:
    name, equals, pattern = text.partition("=")
    if not equals:
        raise UsageError(f"--where {text[:40]!r} has no value.", "Write it like --where team=nlp.")
    return name.strip(), pattern


def _books(config: Config, url: str | None) -> BookStore:
    """Those of the fleet; without any this node's own, brought up to date."""
    if not url and not config.books.url and (config.node.state_dir / LEDGER_FILE).exists():
        done, _ = ship_node(config, None, Wanted(), lambda _done, _all: None)
        for sentence in (*done.conflicts, *done.damaged, *done.notes):
            layout.echo(f"wattledger: {sentence}", err=True)
    own = config.node.state_dir / "books"
    if not url and not config.books.url and not own.is_dir():
        raise UsageError(
            f"There are no books, and no ledger in {config.node.state_dir}.",
            "Name the books with --books or books.url, or the node's folder with --state-dir.",
        )
    return books_of(config, url)


def write_all(documents: Sequence[Document], folder: Path) -> list[Path]:
    """All files or none, each whole. Raises WattledgerError."""
    parts: list[tuple[Path, Path]] = []
    try:
        folder.mkdir(exist_ok=True)
        for document in documents:
            path = folder / document.name
            part = folder / f".{document.name}.{os.getpid()}"
            parts.append((part, path))
            with part.open("wb") as out:
                document.write(out)
                out.flush()
                os.fsync(out.fileno())
        for part, path in parts:
            part.replace(path)
    except OSError as error:
        raise WattledgerError(
            f"{error.filename or folder} cannot be written: {error.strerror}.",
            "Name another folder with -o, or free space.",
        ) from error
    finally:
        for part, _ in parts:
            with suppress(OSError):
                part.unlink()
    return [path for _, path in parts]


def _summary(done: Exported, now_s: int) -> Iterator[str]:
    statement, total = done.statement, done.statement.total.amounts
    period = statement.period
    state = f"closed version {done.closed}" if done.closed else "draft"
    yield f"{period.month} ({period.timezone}), {state}, as of {factors.minute(statement.as_of_s)}"
    if period.end_s > now_s:
        yield "  The month is not over: this is what is known so far."
    if done.also_closed:
        yield f"  The month is closed (v{done.also_closed}); this is another view of it, made anew, and not sealed."
    for line in amount_lines(total):
        yield f"  {line}"
    yield f"  {_certainty(statement)}"
    yield from (f"  {line}" for line in _warnings(statement))
    yield from (f"  {comparison(line)}" for line in statement.reconciliation)
    rows, corrections = counted(len(statement.rows), "row"), counted(len(statement.corrections), "correction")
    yield f"  {rows}, {corrections} of earlier months"


def _certainty(statement: Statement) -> str:
    total, ratios = statement.total.amounts, statement.total.ratios
    covered = "not known" if ratios.coverage_ppm is None else cut(ratios.coverage_ppm)
    parts = [f"measured {thousandths(total.measured_wh)} kWh", f"modelled {thousandths(total.modelled_wh)} kWh"]
    if total.simulated_wh:
        parts.append(f"simulated {thousandths(total.simulated_wh)} kWh")
    return f"coverage  {covered}; {', '.join(parts)}"


def _warnings(statement: Statement) -> Iterator[str]:
    """What a reader must know before using the numbers."""
    total = statement.total.amounts
    if total.unweighed_wh:
        yield f"{thousandths(total.unweighed_wh)} kWh have no factor and are in no emissions."
    if total.unpriced_wh and total.cost_hundredths is not None:
        yield f"{thousandths(total.unpriced_wh)} kWh have no price and are in no cost."
    nowhere = sorted({use.site or "(no site)" for use in statement.sites if use.zone_assumed})
    if nowhere:
        yield f"Nobody set the grid zone of {', '.join(nowhere)}: the world's average is assumed."
    guessed = sorted({use.site or "(no site)" for use in statement.sites if use.pue_assumed})
    if guessed:
        yield f"Nobody stated the PUE of {', '.join(guessed)}: an average is assumed."
    absent = [line for line in statement.coverage if line.missing]
    if absent:
        hours = sum(line.expected_h - line.present_h for line in absent)
        what = f"{counted(hours, 'node-hour')} of {counted(len(absent), 'node')}"
        yield f"{what} missing: listed, and in no figure."


def _document(done: Exported, written: Sequence[Path], url: str) -> dict[str, Any]:
    statement, total = done.statement, done.statement.total
    return {
        "month": statement.period.month,
        "status": str(statement.status),
        "version": statement.version,
        "statement_id": statement.statement_id,
        "books": url,
        "files": [str(path) for path in written],
        "rows": len(statement.rows),
        "energy_it_wh": total.amounts.energy_it_wh,
        "energy_facility_wh": total.amounts.energy_facility_wh,
        "location_g": total.amounts.location_g,
        "market_g": total.amounts.market_g,
        "unweighed_wh": total.amounts.unweighed_wh,
        "coverage_ppm": total.ratios.coverage_ppm,
    }
