"""``wattledger restate``: what is known better of a closed month goes into corrections or a new version."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from tracker.cli import factors, layout
from tracker.cli.close import progress, setting_lines, thousandths, user
from tracker.cli.options import config_of, config_options
from tracker.cli.ship_node import books_of
from tracker.core.closing import checked_month, checked_person
from tracker.core.errors import UsageError
from tracker.core.restating import JUDGED, Moved, Outcome, Reason
from tracker.core.statement import Amounts, Correction
from tracker.core.words import counted
from tracker.finance.restating import Shadow, carry_out, shadow, withdraw

_COLUMNS = ("energy_it_wh", "energy_facility_wh", "location_g", "market_g")
_HEADER = ("row", "reason", "IT kWh", "facility kWh", "location kgCO2e", "market kgCO2e", "moved besides")
#: How the other columns are called, in their order.
_BESIDES = {
    "measured_wh": "measured",
    "simulated_wh": "simulated",
    "idle_wh": "idle",
    "device_mh": "device hours",
    "location_annual_g": "location (annual)",
    "location_hourly_g": "location (hourly)",
    "upstream_g": "upstream",
    "embodied_g": "hardware",
    "unweighed_wh": "unweighed",
    "cost_hundredths": "cost",
    "unpriced_wh": "unpriced",
}


@click.command()
@click.argument("month")
@config_options
@click.option("--books", metavar="URL", help="A folder, s3://…, gs://… or az://… [books.url].")
@click.option("--reason", type=click.Choice([each.value for each in Reason]), help="What it is [read off the rows].")
@click.option("--note", default="", metavar="TEXT", help="Why, in words: it is kept with the corrections.")
@click.option("--as", "who", metavar="NAME", help="Who you are, as it is recorded [the user that runs this].")
@click.option("--as-of", metavar="T", help="Use nothing that was recorded later [now].")
@click.option("--withdraw", "withdrawing", is_flag=True, help="Take back another version that nobody reviewed yet.")
@click.option("--dry-run", is_flag=True, help="Show what changed and write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print what changed as JSON.")
def restate(
    month: str,
    config_path: Path | None,
    books: str | None,
    reason: str | None,
    note: str,
    who: str | None,
    as_of: str | None,
    withdrawing: bool,
    dry_run: bool,
    as_json: bool,
    **flags: object,
) -> None:
    """Compose a closed month again with what is known now, and restate what changed.

    Below books.materiality the difference is posted as corrections in the open month; above it, or after a change of
    method, the month gets a new version, to be reviewed and closed. The closed version stays as it is. Running it again
    posts nothing twice. Settings that this configuration does not state are those that the month was closed with, also
    with --reason method_change; those that it states otherwise are named.
    """
    config = config_of(config_path, flags, fleet=True)
    person = checked_person(user() if who is None else who)
    store = books_of(config, books)
    now_s = factors.now_s()
    if withdrawing:
        if reason or as_of or dry_run or as_json:
            raise UsageError("--withdraw only takes a version back.", "Leave the other options out.")
        name = withdraw(store, checked_month(month), person, now_s=now_s, note=" ".join(note.split()))
        layout.echo(f"Withdrawn by {person}: nothing of {month} is open. {name}")
        return
    as_of_s = min(factors.instant(as_of), now_s)
    with progress("Composing"):
        found = shadow(config, store, checked_month(month), as_of_s=as_of_s, reason=Reason(reason) if reason else None)
    written = "" if dry_run else carry_out(store, found, person, now_s=now_s, note=" ".join(note.split()))
    if as_json:
        document = {"month": month, "version": found.closed.number, "into": found.into, "written": written}
        click.echo(
            msgspec.json.format(
                msgspec.json.encode({**document, "settings": found.settings, "decision": found.decision}), indent=2
            )
        )
    else:
        _show(found, written)


def _show(found: Shadow, written: str) -> None:
    decision, month = found.decision, found.closed.month
    if decision.outcome is Outcome.NOTHING:
        layout.echo(
            f"{month} v{found.closed.number}: nothing new is known; what was reported and posted is what it is."
        )
        return
    rows = [_row(each) for each in decision.corrections]
    for line in layout.table(_HEADER, rows, right=range(2, 6), flexible=(0, 6), within=layout.width()):
        layout.echo(line)
    layout.echo()
    for text in setting_lines(found.settings or None):
        layout.echo(f"  {text}")
    for moved in decision.moved:
        layout.echo(f"  {_moved(moved)}")
    if decision.outcome is Outcome.POST:
        what = f"{counted(len(decision.corrections), 'correction')} of {month} in {found.into}"
        layout.echo(f"{'Posted' if written else 'To post'}: {what}. {written}".rstrip())
    else:
        layout.echo(f"{decision.because} {month} {'has' if written else 'needs'} a v{found.next}. {written}".rstrip())
        layout.echo(f"Review and close it: wattledger close {month} --review --as PREPARER")
        if written:
            layout.echo(f"Or take it back before: wattledger restate {month} --withdraw")


def _row(correction: Correction) -> tuple[str, ...]:
    name = " / ".join(part or "-" for part in correction.line.key)
    values = (getattr(correction.line.amounts, column) for column in _COLUMNS)
    shown = ("not known" if value is None else thousandths(value) for value in values)
    return (name, correction.reason, *shown, ", ".join(_besides(correction.line.amounts)))


def _besides(amounts: Amounts) -> Iterator[str]:
    for column, label in _BESIDES.items():
        value = getattr(amounts, column)
        if value and not (column.startswith("location_") and value == amounts.location_g):  # that one is shown
            yield label


def _moved(moved: Moved) -> str:
    unit = "kWh" if moved.column.endswith("_wh") else "kgCO2e"
    share = "nothing was reported" if moved.ppm is None else f"{moved.ppm / 10_000:.2f} %"
    return f"{JUDGED[moved.column]}: {thousandths(moved.moved)} {unit} moved ({share})"
