"""``wattledger job``: what a Slurm job used on this node, from the ledger."""

from __future__ import annotations

import csv
import fcntl
import io
import os
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import click
import msgspec

from tracker.cli.options import config_of, config_options
from tracker.core.errors import UsageError, WattledgerError
from tracker.core.model import Component, Method, Workload
from tracker.core.units import MS_PER_S, SLOT_S, UG_PER_G, UJ_PER_J, UJ_PER_KWH
from tracker.ledger.files import LEDGER_FILE
from tracker.ledger.readonly import ask
from tracker.ledger.rows import WORKLOAD_COLUMNS, column_list, workload_of

_WORKLOADS = f"""SELECT workload_id, {column_list(WORKLOAD_COLUMNS)} FROM workload
    WHERE kind = 'slurm' AND (key = ? OR job = ?) ORDER BY workload_id"""  # noqa: S608 - names of this program's fields
_TOTALS = """SELECT component, method, sum(energy_uj), sum(idle_uj), sum(held_ms) FROM workload_total
    WHERE workload_id IN (SELECT value FROM json_each(?1)) AND ?2 IS NULL GROUP BY component, method"""
_SINCE = """SELECT component, entry.method, sum(energy_uj), sum(idle_uj), sum(held_ms) FROM entry
    JOIN device USING (device_id)
    WHERE slot_start_s >= ?2 AND workload_id IN (SELECT value FROM json_each(?1)) GROUP BY component, entry.method"""
_EMISSION_TOTALS = """SELECT sum(emissions_ug) FROM emission_total
    WHERE basis = 'location' AND workload_id IN (SELECT value FROM json_each(?1)) AND ?2 IS NULL"""
_EMISSIONS_SINCE = """SELECT sum(emissions_ug) FROM emission
    WHERE basis = 'location' AND slot_start_s >= ?2 AND workload_id IN (SELECT value FROM json_each(?1))"""
_BOOKED = "SELECT booked_until_ms FROM head"

_MS_PER_HOUR = 3_600_000
POLL_S = 1.0
#: A job may be charged so long after its end: until the epilog's mark is seen (2 s) and that tick is over (5 s).
SETTLE_S = 8.0


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A component's share. ``idle_uj`` is contained in ``energy_uj``: held and not used."""

    component: Component
    energy_uj: int = 0
    measured_uj: int = 0
    idle_uj: int = 0
    held_ms: int = 0


class JobReport(msgspec.Struct, frozen=True, kw_only=True):
    """A job on this node. ``emissions_ug`` None: no grid factor was known, which is not 0 g."""

    job_id: str
    hostname: str
    since_s: int | None  # of the first slot that counts; None: everything that was ever booked
    booked_until_s: float | None
    energy_uj: int
    measured_uj: int
    emissions_ug: int | None
    parts: tuple[Part, ...]
    labels: Mapping[str, str]


@click.command()
@click.argument("job_id")
@config_options
@click.option("--json", "form", flag_value="json", help="Print it as JSON.")
@click.option("--csv", "form", flag_value="csv", help="Print it as CSV, with a header.")
@click.option("--brief", "form", flag_value="brief", help="Print one line, as for AdminComment.")
@click.option("--since", "since_s", type=click.IntRange(0), metavar="SECONDS", help="Leave out what is older (UTC).")
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(0, 3600),
    default=0.0,
    metavar="SECONDS",
    help="Wait until it is all booked.",
)
@click.option("--write", "folder", type=click.Path(path_type=Path), help="Also write DIR/<job>.json and DIR/jobs.csv.")
def job(
    job_id: str, config_path: Path | None, form: str | None, since_s: int | None, wait_s: float, folder: Path | None,
    **flags: object,
) -> None:  # fmt: skip
    """Print the energy and emissions of a Slurm job on this node. Works beside a running daemon.

    JOB_ID is the job's number, an array task (5_7), a component of a heterogeneous job (5+1) or an SLUID.
    """
    if not (job_id.isascii() and job_id.replace("_", "").replace("+", "").isalnum()):
        raise UsageError(f'"{job_id}" is no Slurm job.', "Give a number, an array task (5_7), or an SLUID.")
    config = config_of(config_path, flags)
    path = config.node.state_dir / LEDGER_FILE
    _wait(path, time.time(), wait_s)
    report = ask(path, lambda connection: read_report(connection, job_id, config.node.hostname, since_s))
    if report is None:
        raise WattledgerError(
            f"No energy of job {job_id} is booked in {path}.",
            "It ran on another node, or so briefly that nothing was read, or the daemon was not running.",
        )
    if folder is not None:
        write_report(report, folder)
    click.echo(_FORMS[form or "text"](report).rstrip("\n"))


def _wait(path: Path, now_s: float, wait_s: float) -> None:
    """Until everything that belongs to a job which ends now is booked, or the time is over."""
    end_s = time.monotonic() + wait_s
    while (left_s := end_s - time.monotonic()) > 0:
        booked_ms = ask(path, lambda connection: connection.execute(_BOOKED).fetchone()[0])
        if booked_ms is not None and booked_ms >= (now_s + SETTLE_S) * MS_PER_S:
            return
        time.sleep(min(POLL_S, left_s))


def read_report(connection: sqlite3.Connection, job_id: str, hostname: str, since_s: int | None) -> JobReport | None:
    """Everything booked under any label set of the job; None: nothing. Slots are 300 s: the one that contains
    ``since_s`` counts."""
    rows = connection.execute(_WORKLOADS, (f"slurm/{job_id}", job_id)).fetchall()
    first_s = None if since_s is None else since_s // SLOT_S * SLOT_S
    question = (msgspec.json.encode([row[0] for row in rows]).decode(), first_s)
    energy, emissions = (_TOTALS, _EMISSION_TOTALS) if first_s is None else (_SINCE, _EMISSIONS_SINCE)
    sums: dict[Component, Part] = {}
    for component, method, energy_uj, idle_uj, held_ms in connection.execute(energy, question):
        old = sums.get(Component(component), Part(component=Component(component)))
        sums[old.component] = Part(
            component=old.component,
            energy_uj=old.energy_uj + energy_uj,
            measured_uj=old.measured_uj + (energy_uj if method == Method.MEASURED else 0),
            idle_uj=old.idle_uj + idle_uj,
            held_ms=old.held_ms + held_ms,
        )
    if not sums:
        return None
    parts = tuple(sums[component] for component in Component if component in sums)
    booked_ms = connection.execute(_BOOKED).fetchone()[0]
    return JobReport(
        job_id=job_id,
        hostname=hostname,
        since_s=first_s,
        booked_until_s=None if booked_ms is None else booked_ms / MS_PER_S,
        energy_uj=sum(part.energy_uj for part in parts),
        measured_uj=sum(part.measured_uj for part in parts),
        emissions_ug=connection.execute(emissions, question).fetchone()[0],
        parts=parts,
        labels=_best_labels([workload_of(row[1:]) for row in rows]),
    )


def _best_labels(workloads: Sequence[Workload]) -> dict[str, str]:
    """Of the label set that says most, and of those the last: a job's first energy may be booked under its number."""
    sets = [{name: str(getattr(workload, name)) for name in WORKLOAD_COLUMNS} for workload in workloads]
    told = [{name: value for name, value in labels.items() if value} for labels in sets]
    return max(reversed(told), key=lambda labels: (len(labels), labels.get("name") != labels.get("job")))


def write_report(report: JobReport, folder: Path) -> None:
    """``<job>.json`` by a rename, and a line in ``jobs.csv`` under its lock. Raises WattledgerError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / f"{report.job_id}.json"
        temporary = folder / f".{report.job_id}.{os.getpid()}"
        temporary.write_text(_json(report) + "\n", encoding="utf-8")
        temporary.replace(target)
        with (folder / "jobs.csv").open("a+", encoding="utf-8", newline="") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0, os.SEEK_END)
            file.write(_csv(report) if file.tell() == 0 else _csv(report).split("\n", 1)[1])
    except OSError as error:
        raise WattledgerError(
            f"The report cannot be written into {folder}: {error.strerror}.", "Name another folder with --write."
        ) from error


def _json(report: JobReport) -> str:
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode()


def _csv(report: JobReport) -> str:
    """Joules with six decimals are exact: the components add up to the total, digit by digit."""
    by_component = {part.component: part for part in report.parts}
    row: dict[str, object] = {"job_id": report.job_id, "hostname": report.hostname}
    row |= {name: _cell(report.labels.get(name, "")) for name in ("job", "name", "user", "project", "team", "queue")}
    row["energy_joules"] = _joules(report.energy_uj)
    for component in Component:
        part = by_component.get(component, Part(component=component))
        row[f"{component}_joules"] = _joules(part.energy_uj)
    gpu = by_component.get(Component.GPU, Part(component=Component.GPU))
    row["gpu_idle_joules"] = _joules(gpu.idle_uj)
    row["gpu_held_seconds"] = f"{gpu.held_ms // MS_PER_S}.{gpu.held_ms % MS_PER_S:03d}"
    row["measured_joules"] = _joules(report.measured_uj)
    row["emissions_grams"] = "" if report.emissions_ug is None else _joules(report.emissions_ug)  # micro, too
    row["booked_until"] = "" if report.booked_until_s is None else f"{report.booked_until_s:.3f}"
    text = io.StringIO()
    writer = csv.DictWriter(text, row.keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerow(row)
    return text.getvalue()


def _joules(energy_uj: int) -> str:
    return f"{energy_uj // UJ_PER_J}.{energy_uj % UJ_PER_J:06d}"


def _cell(text: str) -> str:
    """A spreadsheet takes text that begins so for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t")) else text


def _measured_percent(report: JobReport) -> int:
    """Rounded down: 100 means all of it."""
    return 100 * report.measured_uj // report.energy_uj if report.energy_uj else 0


def _brief(report: JobReport) -> str:
    parts = ", ".join(f"{part.component} {part.energy_uj / UJ_PER_KWH:.6f}" for part in report.parts)
    emissions = "no grid factor" if report.emissions_ug is None else f"{report.emissions_ug / UG_PER_G:.3f} gCO2e"
    return (
        f"{report.hostname}: {report.energy_uj / UJ_PER_KWH:.6f} kWh ({parts}), {emissions}, "
        f"{_measured_percent(report)} % measured"
    )


def _text(report: JobReport) -> str:
    labels = report.labels
    who = ", ".join(f"{name} {labels[name]}" for name in ("name", "user", "project", "queue") if labels.get(name))
    lines = [f"Job {labels.get('job', report.job_id)} on {report.hostname}" + (f": {who}" if who else "")]
    lines.append(f"  {'':<6} {'kWh':>12} {'idle kWh':>12} {'device hours':>13}")
    lines += [
        f"  {part.component:<6} {part.energy_uj / UJ_PER_KWH:>12.6f} {part.idle_uj / UJ_PER_KWH:>12.6f}"
        f" {part.held_ms / _MS_PER_HOUR:>13.3f}"
        for part in report.parts
    ]
    lines.append(f"  {_brief(report)}")
    return "\n".join(lines)


_FORMS: dict[str, Callable[[JobReport], str]] = {"json": _json, "csv": _csv, "brief": _brief, "text": _text}
