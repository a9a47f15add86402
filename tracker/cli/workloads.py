"""The section of ``wattledger check`` about workloads: who lives here now, and which rule gave each its team."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import click

from tracker.core.model import DeviceUse, Moment
from tracker.core.plain import plain
from tracker.workloads.names import Named
from tracker.workloads.observer import CgroupObserver

#: How long a look takes: who used CPU time is known after two of them.
LOOK_S = 1.0
SHOWN = 50
_NAME_CHARACTERS = 48


@dataclass(frozen=True, slots=True)
class Row:
    """A live workload. ``rule``: number of the rule that fits it; None: none does. ``place``: where that is written."""

    kind: str
    workload: str
    name: str
    team: str
    project: str
    cost_centre: str
    phase: str
    rule: int | None
    place: str


@dataclass(frozen=True, slots=True)
class Section:
    """``rows``: at most ``SHOWN``, those without a team first. ``live`` counts all."""

    live: int
    without_team: int
    rows: tuple[Row, ...]


def look(observer: CgroupObserver, uses: Mapping[str, DeviceUse], now: Callable[[], Moment]) -> Section:
    """Observe the node for a second."""
    observer.observe(now(), uses)
    time.sleep(LOOK_S)
    observer.observe(now(), uses)
    return section(observer.named())


def section(named: Sequence[Named]) -> Section:
    """The rows of these workloads."""
    ordered = sorted(named, key=lambda each: (bool(each.workload.team), each.workload.kind, _name(each)))
    without_team = sum(1 for each in named if not each.workload.team)
    return Section(len(named), without_team, tuple(_row(each) for each in ordered[:SHOWN]))


def _row(named: Named) -> Row:
    work, rule = named.workload, named.rule
    number, place = (None, "") if rule is None else (rule.number, rule.place)
    return Row(work.kind, work.key, _name(named), work.team, work.project, work.cost_centre, work.phase, number, place)


def _name(named: Named) -> str:
    work = named.workload
    return f"{work.namespace}/{work.name}" if work.namespace else work.name


def show(found: Section) -> None:
    """Print it, one line each."""
    click.secho(f"Workloads: {found.live} live, {found.without_team} without a team", bold=True)
    lines = [(row.kind, _cut(plain(row.name)), plain(_labels(row)), plain(_rule(row))) for row in found.rows]
    widths = [max((len(line[column]) for line in lines), default=0) for column in range(3)]
    for row, line in zip(found.rows, lines, strict=True):
        kind, name, labels = (text.ljust(width) for text, width in zip(line, widths, strict=False))
        labels = labels if row.team else click.style(labels, fg="yellow")
        click.echo(f"  {kind}  {name}  {labels}  {click.style(line[3], dim=True)}".rstrip())
    if found.live > len(found.rows):
        click.echo(f"  … and {found.live - len(found.rows)} more")
    if found.without_team:
        remedy = 'Add a rule: [[workloads.rules]] match = { … } set = { team = "…" }'
        click.echo(f"  {click.style('fix:', dim=True)} {remedy}")


def _labels(row: Row) -> str:
    named = [text for text in (row.project, row.cost_centre, row.phase) if text]
    return " / ".join([row.team or "no team", *named])


def _rule(row: Row) -> str:
    if row.rule is None:
        return "no rule"
    return f"rule {row.rule} ({row.place})" if row.place else f"rule {row.rule}"


def _cut(text: str) -> str:
    return text if len(text) <= _NAME_CHARACTERS else f"{text[: _NAME_CHARACTERS - 1]}…"
