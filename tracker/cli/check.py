"""``wattledger check``: what can be measured here, and the exact line that would fix the rest."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import click
import msgspec

from tracker import clock, wiring
from tracker.background import Runner
from tracker.cli import workloads
from tracker.cli.options import config_of, measuring_options
from tracker.cli.show import show_findings
from tracker.codecarbon_facts import CodecarbonFacts
from tracker.config import Config
from tracker.core import cover
from tracker.core.amortising import check_embodied
from tracker.core.errors import WattledgerError
from tracker.core.model import DeviceUse, Finding, Level, Method, Sensor
from tracker.core.units import NS_PER_S
from tracker.sources.interface import Source

#: A driver that takes longer to say what it has is reported as hanging.
DEADLINE_S = 15.0

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Report:
    """What ``check`` found; printed as it is by ``--json``."""

    measured: bool
    booked: tuple[Sensor, ...]
    shown_only: tuple[Sensor, ...]  # sensors that contain, or are contained in, a booked one
    findings: tuple[Finding, ...]
    workloads: workloads.Section


@click.command()
@measuring_options
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def check(config_path: Path | None, as_json: bool, **flags: object) -> None:
    """Say what can be measured on this node. Exit code 1: nothing is measured (it may still be modelled)."""
    config = config_of(config_path, flags)
    facts = wiring.facts_for(config, keep=False)  # who only asks changes nothing
    findings: list[Finding] = []
    sensors: list[Sensor] = []
    uses: dict[str, DeviceUse] = {}
    for source in wiring.sources_for(config, facts, demo=False):
        found, inventory, used = _ask(source)
        findings.extend(found)
        sensors.extend(inventory)
        uses.update(used)
    section, about_workloads = _workloads(config, uses)
    findings.extend(about_workloads)
    findings.extend(_grid(config, facts))
    booked = cover.choose(sensors)
    findings.extend(check_embodied([s for s in sensors if s.key in booked], wiring.embodied_for(config)))
    report = Report(
        measured=any(s.key in booked and s.method is Method.MEASURED for s in sensors),
        booked=tuple(s for s in sensors if s.key in booked),
        shown_only=tuple(s for s in sensors if s.key not in booked),
        findings=tuple(findings),
        workloads=section,
    )
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(report), indent=2))
    else:
        _print(report)
    sys.exit(0 if report.measured else 1)


def _ask(source: Source) -> tuple[Sequence[Finding], Sequence[Sensor], Mapping[str, DeviceUse]]:
    """Its own findings, and what it reads when it is opened; both under a deadline, for drivers may hang."""
    hanging = Finding(
        Level.FAIL, source.name, "The driver does not answer.", "Look for driver errors with: dmesg | tail -50"
    )
    findings = _within(DEADLINE_S, source.check)
    if findings is None:
        return (hanging,), (), {}
    runner = Runner(source, clock.now, lambda _source, _error: None, wanted=False)
    runner.start()
    give_up_s = time.monotonic() + DEADLINE_S
    while not runner.reported() and time.monotonic() < give_up_s:
        time.sleep(0.02)
    batches = runner.drain()
    if not runner.stop(1):
        return (*findings, hanging), (), {}
    inventory = next((batch.sensors for batch in batches if batch.sensors is not None), ())
    uses = {use.device: use for batch in batches for use in batch.uses or ()}
    return findings, inventory, uses


def _workloads(config: Config, uses: Mapping[str, DeviceUse]) -> tuple[workloads.Section, Sequence[Finding]]:
    """Who lives here, and what those who name workloads find. They are not started: each asks once, first."""
    observer = wiring.cgroup_observer(config, wiring.declared_for(config))
    try:
        asked = _within(DEADLINE_S, observer.ask_resolvers)
        if asked is None:
            asked = (Finding(Level.FAIL, "workloads", "Those who name workloads do not answer in time."),)
        section = workloads.look(observer, uses, clock.now)
        return section, (*observer.findings(), *asked)
    finally:
        observer.close()


def _within(deadline_s: float, call: Callable[[], _T]) -> _T | None:
    """The answer of a call that may hang; None: it did not come in time."""
    answers: list[_T] = []
    thread = threading.Thread(target=lambda: answers.append(call()), daemon=True)
    thread.start()
    thread.join(deadline_s)
    return answers[0] if answers else None


def _grid(config: Config, facts: CodecarbonFacts) -> tuple[Finding, ...]:
    now_s = clock.now().wall_ns // NS_PER_S
    about_site = wiring.check_site(config, now_s)
    try:
        provider, zone = wiring.grid_for(config, facts, now_s)
    except WattledgerError as error:
        return (Finding(Level.FAIL, "grid", error.sentence, error.remedy), *about_site)
    about_store = wiring.learn_from_store(config, provider, zone, now_s)
    return (*provider.check(), *about_store, *about_site)


def _print(report: Report) -> None:
    rows = [Finding(Level.OK if s.method is Method.MEASURED else Level.WARN, s.key, _what(s)) for s in report.booked]
    nothing = Finding(Level.FAIL, "node", "Nothing can be measured or modelled here.")
    show_findings("Booked: no two of these contain one another", rows or [nothing])
    if report.shown_only:
        rows = [Finding(Level.OK, s.key, _what(s)) for s in report.shown_only]
        show_findings("Seen, not booked: contained in, or containing, a booked sensor", rows)
    workloads.show(report.workloads)
    show_findings("Findings", report.findings)
    if not report.measured:
        click.echo("Nothing is measured on this node.")


def _what(sensor: Sensor) -> str:
    model = f", {sensor.vendor} {sensor.model}".rstrip() if sensor.model else ""
    return f"{sensor.component}, {sensor.method} by {sensor.sensor}{model}"
