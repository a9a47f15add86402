"""``wattledger verify``: prove that the ledger adds up, or say where it does not. With ``--books`` the same of the
fleet's books (``verify_books.py``)."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import click
import msgspec

from tracker.cli import layout
from tracker.cli.assumed import PUE_ASSUMED, SIMULATED, ZONE_ASSUMED, is_pue_assumed
from tracker.cli.beside import Theirs, take_theirs, theirs_options
from tracker.cli.options import config_of, config_options
from tracker.cli.show import show_findings
from tracker.config import Config
from tracker.core.errors import UsageError
from tracker.core.model import Finding, Level
from tracker.core.units import UJ_PER_KWH
from tracker.ledger.audit import Audit, audit
from tracker.ledger.files import LEDGER_FILE
from tracker.ledger.finding import AuditFinding

_CONFIGURED = "-"


@click.command()
@config_options
@click.option("--json", "as_json", is_flag=True, help="Print the audit as JSON.")
@click.option(
    "--books",
    metavar="[URL]",
    is_flag=False,
    flag_value=_CONFIGURED,
    help="Verify the books instead: a folder or bucket, or those of books.url.",
)
@click.option("--month", metavar="YYYY-MM", help="Of the books: this month alone.")
@theirs_options
def verify(config_path: Path | None, as_json: bool, books: str | None, month: str | None, **flags: Any) -> None:
    """Check conservation, monotonicity, overlap and gaps of the node's ledger. Works beside a running daemon.

    With --books check the books: every file against its hash, hours that are there twice or not at all, and each closed
    statement, which is made again from its sealed inputs.
    """
    theirs = take_theirs(flags)
    config = config_of(config_path, flags, fleet=books is not None)
    if books is not None:
        _verify_books(config, "" if books == _CONFIGURED else books, month, theirs, as_json=as_json)
    if theirs or month is not None:
        raise UsageError("These options are about books.", "Say which: --books URL")
    path = config.node.state_dir / LEDGER_FILE
    if not path.exists():
        raise UsageError(f"There is no ledger at {path}.", "Name its folder with --state-dir, or start: wattledger run")
    result = audit(path)
    pue_assumed = any(is_pue_assumed(config, permille) for permille in result.pues_permille)
    if as_json:
        document = {**msgspec.to_builtins(result), "pue_assumed": pue_assumed}
        click.echo(msgspec.json.format(msgspec.json.encode(document), indent=2))
    else:
        _print(result, path, pue_assumed=pue_assumed)
    sys.exit(0 if result.ok else 1)


def _verify_books(config: Config, url: str, month: str | None, theirs: Theirs, *, as_json: bool) -> NoReturn:
    from tracker.cli.verify_books import verify_books  # noqa: PLC0415 - a node's audit needs no finance

    ok = verify_books(config, url, month, theirs, as_json=as_json)
    sys.exit(0 if ok else 1)


def _print(result: Audit, path: Path, *, pue_assumed: bool) -> None:
    layout.echo(f"{path}: {result.entries} entries, {result.devices} devices, {result.workloads} workloads")
    if result.first_slot_s is not None and result.booked_until_ms is not None:
        layout.echo(f"slots from {_utc(result.first_slot_s)}, booked up to {_utc(result.booked_until_ms / 1000)} UTC")
    layout.echo(f"devices   {_kwh(result.energy_uj)}")
    layout.echo(f"workloads {_kwh(result.charged_energy_uj)}")
    if result.simulated_uj:
        layout.echo(f"simulated {_kwh(result.simulated_uj)}: {SIMULATED}")
    for note in (*([ZONE_ASSUMED] if result.assumed_zones else ()), *([PUE_ASSUMED] if pue_assumed else ())):
        layout.echo(f"note: {note}")
    rows = [Finding(f.level, _where(f), f.message, f.remedy) for f in result.findings]
    show_findings("Audit", rows or [Finding(Level.OK, "ledger", "Everything adds up.")])


def _where(finding: AuditFinding) -> str:
    """The slot and device that a broken promise is about."""
    slot = "" if finding.slot_start_s is None else _utc(finding.slot_start_s)
    return " ".join(part for part in (finding.check, slot, finding.device) if part)


def _utc(wall_s: float) -> str:
    return datetime.fromtimestamp(wall_s, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _kwh(energy_uj: int) -> str:
    return f"{energy_uj / UJ_PER_KWH:.6f} kWh ({energy_uj} µJ)"
