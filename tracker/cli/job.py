"""``wattledger job``: what a Slurm job used on this node, from the ledger."""

from __future__ import annotations

import csv
import fcntl
import io
import os
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import click
import msgspec

from tracker.cli.assumed import PUE_ASSUMED, SIMULATED, ZONE_ASSUMED, is_pue_assumed
from tracker.cli.job_report import BOOKED, JobReport, Part, Weight, read_report
from tracker.cli.options import config_of, config_options
from tracker.core.accounting import PERMILLE
from tracker.core.errors import UsageError, WattledgerError
from tracker.core.model import Component
from tracker.core.plain import plain
from tracker.core.units import MS_PER_S, UG_PER_G, UJ_PER_J, UJ_PER_KWH
from tracker.ledger.files import LEDGER_FILE
from tracker.ledger.readonly import ask

_MS_PER_HOUR = 3_600_000
_MG_PER_G = 1000
#: Factors that a person is shown; JSON has all.
_SHOWN = 3
POLL_S = 1.0
#: A job may be charged so long after its end: until the epilog's mark is seen (2 s) and that tick is over (5 s).
SETTLE_S = 8.0


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
    assumed = partial(is_pue_assumed, config)
    report = ask(path, lambda connection: read_report(connection, job_id, config.node.hostname, since_s, assumed))
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
        booked_ms = ask(path, lambda connection: connection.execute(BOOKED).fetchone()[0])
        if booked_ms is not None and booked_ms >= (now_s + SETTLE_S) * MS_PER_S:
            return
        time.sleep(min(POLL_S, left_s))


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
    row |= _weighed(report)
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


def _weighed(report: JobReport) -> dict[str, str]:
    """Columns of what the emissions rest on; of several factors or PUEs each once, those that weigh most first."""
    weights = report.weights
    zone = any(each.zone_assumed for each in weights)
    pue = any(each.pue_assumed for each in weights)
    return {
        "simulated_joules": _joules(report.simulated_uj),
        "basis": _once(each.basis for each in weights),
        "factor": _once(_cell(_factor(each)) for each in weights),
        "pue": _once(_pue(each) for each in weights),
        "assumed": " ".join(["zone"] * zone + ["pue"] * pue),
    }


def _once(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(texts))


def _factor(weight: Weight) -> str:
    return f"{_g_per_kwh(weight)} g/kWh in {weight.zone}, {weight.factor_type}, tier {weight.tier}: {weight.source}"


def _g_per_kwh(weight: Weight) -> str:
    """Of an hourly source the least and the most that it said."""
    values = (weight.least_mg_per_kwh, weight.most_mg_per_kwh)
    return "-".join(dict.fromkeys(f"{value / _MG_PER_G:g}" for value in values))


def _pue(weight: Weight) -> str:
    return f"{weight.pue_permille / PERMILLE:g}"


def _percent(part_uj: int, report: JobReport) -> int:
    """Rounded down: 100 means all of it."""
    return 100 * part_uj // report.energy_uj if report.energy_uj else 0


def _brief(report: JobReport) -> str:
    parts = ", ".join(f"{part.component} {part.energy_uj / UJ_PER_KWH:.6f}" for part in report.parts)
    said = [f"{report.hostname}: {report.energy_uj / UJ_PER_KWH:.6f} kWh ({parts})"]
    if report.emissions_ug is None:
        said.append("no grid factor")
    else:
        zones = _once(f"{_g_per_kwh(w)} g/kWh {w.zone}{' assumed' * w.zone_assumed}" for w in report.weights[:_SHOWN])
        pues = _once(f"{_pue(w)}{' assumed' * w.pue_assumed}" for w in report.weights[:_SHOWN])
        more = ", and others" * (len(report.weights) > _SHOWN)
        said.append(f"{report.emissions_ug / UG_PER_G:.3f} gCO2e location-based ({zones}, PUE {pues}{more})")
    said.append(f"{_percent(report.measured_uj, report)} % measured")
    if report.simulated_uj:
        said.append(f"{_percent(report.simulated_uj, report)} % simulated")
    return plain(", ".join(said))


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
    lines += [f"  factor  {text}" for text in dict.fromkeys(_factor(each) for each in report.weights[:_SHOWN])]
    lines += [f"  note: {note}" for note in _notes(report)]
    return "\n".join(map(plain, lines))


def _notes(report: JobReport) -> Iterator[str]:
    if report.simulated_uj:
        yield SIMULATED
    if any(each.zone_assumed for each in report.weights):
        yield ZONE_ASSUMED
    if any(each.pue_assumed for each in report.weights):
        yield PUE_ASSUMED
    if len(report.weights) > _SHOWN:
        yield f"{len(report.weights) - _SHOWN} more sources weighed the rest: --json has them all."


_FORMS: dict[str, Callable[[JobReport], str]] = {"json": _json, "csv": _csv, "brief": _brief, "text": _text}
