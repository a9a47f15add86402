"""``wattledger close``: review a month, close it, and say what is closed."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import msgspec

from tracker.books.interface import BookStore
from tracker.books.versions import Version, months, versions
from tracker.cli import factors, layout
from tracker.cli.beside import compared, take_theirs, theirs_options
from tracker.cli.options import config_of, config_options
from tracker.cli.own_factors import tell_only_here
from tracker.cli.ship_node import books_of
from tracker.cli.show import show_findings
from tracker.config import Config
from tracker.core.closing import Manifest, checked_month, checked_person, parse_waivers
from tracker.core.conditions import CONDITIONS
from tracker.core.errors import UsageError
from tracker.core.model import Finding, Level
from tracker.core.statement import Amounts, Check, Reconciled
from tracker.core.words import counted
from tracker.finance import closing, sealing
from tracker.finance.closing import Prospect
from tracker.registry import EXPORTS


@click.command()
@click.argument("month", required=False)
@config_options
@click.option("--books", metavar="URL", help="A folder, s3://…, gs://… or az://… [books.url].")
@click.option("--review", is_flag=True, help="Prepare: check the month and keep what somebody else is to close.")
@click.option("--as", "who", metavar="NAME", help="Who you are, as it is recorded [the user that runs this].")
@click.option("--waive", "waive", multiple=True, metavar="NAME=REASON", help="Go on although a condition is not met.")
@click.option("--as-of", metavar="T", help="With --review: use nothing that was recorded later [now].")
@theirs_options
@click.option("--status", is_flag=True, help="Say which months are reviewed and closed, and by whom.")
@click.option("--json", "as_json", is_flag=True, help="With --status: print the versions as JSON.")
def close(
    month: str | None,
    config_path: Path | None,
    books: str | None,
    review: bool,
    who: str | None,
    waive: tuple[str, ...],
    as_of: str | None,
    status: bool,
    as_json: bool,
    **flags: Any,
) -> None:
    """Close a month for ever: draft, reviewed, closed.

    A preparer reviews it (--review), somebody else closes it. What is sealed is what was reviewed, byte for byte; what
    comes later is restated, never changed. A closing that was broken off is finished by the same command. Exit code 1
    if a condition is not met.
    """
    theirs = take_theirs(flags)
    config = config_of(config_path, flags, fleet=True)
    store = books_of(config, books)
    if status:
        show_status(store, months(store) if month is None else (checked_month(month),), as_json=as_json)
        return
    if as_json:
        raise UsageError("--json belongs to --status.", "Sealed statements are JSON files in the books.")
    if month is None:
        raise UsageError("Which month?", "wattledger close 2026-10, or --status for all of them.")
    if as_of is not None and not review:
        raise UsageError("--as-of belongs to --review.", "What is closed is what was reviewed.")
    if theirs and not review:
        raise UsageError("A month is compared when it is reviewed.", "What is closed is what was reviewed.")
    person = checked_person(user() if who is None else who)
    waivers = parse_waivers(waive, person, CONDITIONS)
    now_s = factors.now_s()
    if review:
        as_of_s = min(factors.instant(as_of), now_s)
        found = versions(store, checked_month(month))
        with progress("Checking the books") as tell, closing.in_its_terms(config, store, found) as (kept, _):
            beside = compared(kept, store, month, theirs, as_of_s=as_of_s, tell=tell)
            prospect = closing.to_review(
                config, store, month, waivers, now_s=now_s, as_of_s=as_of_s, beside=beside, tell=tell
            )
        _review(config, store, prospect, person, now_s)
    else:
        _close(config, store, checked_month(month), person, waive, now_s)


def _review(config: Config, store: BookStore, prospect: Prospect, person: str, now_s: int) -> None:
    tell_only_here(config, store, prospect.statement)
    show_prospect(prospect)
    kept = closing.review(store, prospect, person, now_s=now_s)
    layout.echo()
    layout.echo(f"Reviewed by {person}: {kept.month} v{kept.version}, statement {kept.statement_sha256[:16]}.")
    layout.echo(f"Somebody else closes it: wattledger close {kept.month} --as APPROVER")


def _close(config: Config, store: BookStore, month: str, person: str, waive: Sequence[str], now_s: int) -> None:
    before = closing.closed_by(versions(store, month), person)
    if before is not None:
        layout.echo(f"{month} v{before.version} is closed already, by {person}; nothing was changed.")
        show_sealed(before)
        return
    claim = closing.unfinished(store, month, person)
    if claim is None:
        waivers = parse_waivers(waive, person, CONDITIONS)
        with progress("Checking the books") as tell:
            prospect = closing.to_close(config, store, month, person, waivers, now_s=now_s, tell=tell)
        show_prospect(prospect)
        claim = closing.close(store, prospect, person, now_s=now_s)
    else:
        layout.echo(f"Finishing what {person} began to close at {factors.minute(claim.closed_at_s)}.")
    with progress("Sealing", len(claim.formats)) as tell:
        done = iter(range(1, len(claim.formats) + 1))
        manifest = sealing.finish(config, store, claim, lambda name: tell(next(done), len(claim.formats), name))
    layout.echo()
    layout.echo(
        f"Closed: {month} v{manifest.version}, prepared by {manifest.preparer}, approved by {manifest.approver}."
    )
    show_sealed(manifest)


def show_prospect(prospect: Prospect) -> None:
    """What would be sealed, and what stands in the way."""
    statement, total = prospect.statement, prospect.statement.total.amounts
    period = statement.period
    layout.echo(f"{period.month} v{prospect.version} ({period.timezone}), as of {factors.minute(statement.as_of_s)}")
    for line in setting_lines(prospect.settings):
        layout.echo(f"  {line}")
    for line in amount_lines(total):
        layout.echo(f"  {line}")
    what = ((statement.rows, "row"), (statement.factors, "factor"), (statement.inputs, "file"))
    corrections = counted(len(statement.corrections), "correction")
    layout.echo(f"  {', '.join(counted(len(of), noun) for of, noun in what)}, {corrections} of earlier months")
    for each in statement.reconciliation:
        layout.echo(f"  {comparison(each)}")
    layout.echo(f"  to be sealed as {', '.join(EXPORTS)}")
    layout.echo()
    show_findings("Conditions", [_finding(check) for check in prospect.checks])


def setting_lines(settings: Sequence[str] | None) -> list[str]:
    """How the settings of another version differ from those that the month was closed with. None: of the first."""
    if settings is None:
        return []
    return [f"setting   {each}" for each in settings] or ["setting   as the month was closed with"]


def amount_lines(total: Amounts) -> list[str]:
    def kg(grams: int | None) -> str:
        return "not known" if grams is None else f"{thousandths(grams)} kgCO2e"

    return [
        f"energy    {thousandths(total.energy_it_wh)} kWh IT, {thousandths(total.energy_facility_wh)} kWh facility",
        f"location  {kg(total.location_g)}",
        f"market    {kg(total.market_g)}",
    ]


def comparison(line: Reconciled) -> str:
    """Ours beside theirs."""
    ours, theirs = ("not known" if wh is None else f"{thousandths(wh)} kWh" for wh in (line.ours_wh, line.theirs_wh))
    return f"{line.what}: ours {ours}, theirs {theirs}. {line.explanation}"


def thousandths(value: int) -> str:
    """12.345, and -0.5 as -0.500."""
    return f"{'-' if value < 0 else ''}{abs(value) // 1000}.{abs(value) % 1000:03}"


def _finding(check: Check) -> Finding:
    if check.passed:
        return Finding(Level.WARN if check.remedy else Level.OK, check.name, check.message, check.remedy)
    if check.waived:
        return Finding(Level.WARN, check.name, f"{check.message} Waived: {check.waived}.")
    remedy = f'{check.remedy}\n--waive {check.name}="reason"'
    return Finding(Level.FAIL, check.name, check.message, remedy)


def show_sealed(manifest: Manifest) -> None:
    for output in (manifest.inputs, *manifest.outputs):
        layout.echo(f"  {output.sha256[:16]}  {output.size_bytes:>10}  {output.name}")


def show_status(store: BookStore, wanted: Sequence[str], *, as_json: bool) -> None:
    """A line for each version."""
    found = [version for month in wanted for version in versions(store, month)]
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2))
        return
    if not found:
        layout.echo("No month was reviewed or closed yet: every export is a draft.")
    for version in found:
        layout.echo(f"{version.month}  v{version.number}  {_state(version)}")


def _state(version: Version) -> str:
    if version.manifest:
        end = f", superseded by v{version.superseded_by}" if version.superseded_by else ""
        who = f"prepared by {version.manifest.preparer}, approved by {version.manifest.approver}"
        return f"closed    {factors.minute(version.manifest.closed_at_s)}, {who}{end}"
    if version.closing:
        claim = version.closing
        return f"closing   {claim.approver} began at {factors.minute(claim.closed_at_s)} and has not finished"
    if version.withdrawn:
        withdrawn = version.withdrawn
        why = f": {withdrawn.note}" if withdrawn.note else ""
        return f"withdrawn {factors.minute(withdrawn.withdrawn_at_s)}, by {withdrawn.by}{why}"
    if version.review:
        return f"reviewed  {factors.minute(version.review.reviewed_at_s)}, prepared by {version.review.preparer}"
    if version.restated:
        restated = version.restated
        return f"draft     opened by {restated.by} at {factors.minute(restated.restated_at_s)}: {restated.reason}"
    return "draft"


def user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:  # a container's user without a name
        raise UsageError("This user has no name.", "Say who you are: --as NAME") from error


@contextmanager
def progress(title: str, whole: int | None = None) -> Iterator[Callable[[int, int, str], object]]:
    """A bar on a terminal, which goes away when all is done."""
    if not sys.stdout.isatty():
        yield lambda _done, _all, _what: None
        return
    from rich.progress import Progress  # noqa: PLC0415 - only where there is a terminal to draw on

    with Progress(transient=True) as bar:
        task = bar.add_task(title, total=whole)
        yield lambda done, of, _what: bar.update(task, completed=done, total=max(of, 1))
