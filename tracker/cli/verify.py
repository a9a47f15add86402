"""``wattledger verify``: prove that the ledger adds up, or say where it does not."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from tracker.cli.options import config_of, config_options
from tracker.cli.show import show_findings
from tracker.core.errors import UsageError
from tracker.core.model import Finding, Level
from tracker.core.units import UJ_PER_KWH
from tracker.ledger.audit import Audit, audit
from tracker.ledger.files import LEDGER_FILE
from tracker.ledger.finding import AuditFinding


@click.command()
@config_options
@click.option("--json", "as_json", is_flag=True, help="Print the audit as JSON.")
def verify(config_path: Path | None, as_json: bool, **flags: object) -> None:
    """Check conservation, monotonicity, overlap and gaps of the node's ledger. Works beside a running daemon."""
    config = config_of(config_path, flags)
    path = config.node.state_dir / LEDGER_FILE
    if not path.exists():
        raise UsageError(f"There is no ledger at {path}.", "Name its folder with --state-dir, or start: wattledger run")
    result = audit(path)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(result), indent=2))
    else:
        _print(result, path)
    sys.exit(0 if result.ok else 1)


def _print(result: Audit, path: Path) -> None:
    click.echo(f"{path}: {result.entries} entries, {result.devices} devices, {result.workloads} workloads")
    if result.first_slot_s is not None and result.booked_until_ms is not None:
        click.echo(f"from {_utc(result.first_slot_s)} to {_utc(result.booked_until_ms / 1000)} UTC")
    click.echo(f"devices   {_kwh(result.energy_uj)}\nworkloads {_kwh(result.charged_energy_uj)}")
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
