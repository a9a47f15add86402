"""Who used the energy of today: shares of the whole, and a row for each of the largest workloads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tracker.core.model import Component, Kind, Workload
from tracker.core.snapshot import Snapshot
from tracker.core.units import MS_PER_S
from tracker.web.interface import TodayRow
from tracker.web.node import charts, figures, words
from tracker.web.node.markup import label, note, row, section, table, text

_TOP = 20
_OWNER_CHARS = 28  # of a namespace, team or project, beside each other under the name
_COLOUR = {Kind.SYSTEM: "system", Kind.UNATTRIBUTED: "lost"}
_HOUR_MS = 3600 * MS_PER_S


@dataclass(frozen=True, slots=True)
class Total:
    """A workload's day over all its components. ``emissions_ug`` None: no factor weighed it."""

    workload: Workload
    energy_uj: int
    idle_uj: int
    gpu_held_ms: int
    emissions_ug: int | None


@dataclass(frozen=True, slots=True)
class Day:
    """All of today: its workloads by energy, largest first."""

    totals: tuple[Total, ...]

    @property
    def energy_uj(self) -> int:
        return sum(total.energy_uj for total in self.totals)

    @property
    def emissions_ug(self) -> int | None:
        """Of everything; None as soon as a part of the energy has no factor (a part is not the whole)."""
        known = [total.emissions_ug for total in self.totals if total.emissions_ug is not None]
        return sum(known) if len(known) == len(self.totals) and known else None

    @property
    def idle_uj(self) -> int:
        """Below the idle floor, whether somebody held the device or not."""
        return sum(idle_of(total) for total in self.totals)

    def energy_of(self, kind: Kind) -> int:
        return sum(total.energy_uj for total in self.totals if total.workload.kind is kind)


def idle_of(total: Total) -> int:
    """All of what nobody held is idle."""
    return total.energy_uj if total.workload.kind in {Kind.IDLE, Kind.UNALLOCATED} else total.idle_uj


def add_up(rows: Sequence[TodayRow]) -> Day:
    """The rows of each workload (one for each component) as one; those without any energy are left out."""
    found: dict[Workload, Total] = {}
    for line in rows:
        before = found.get(line.workload) or Total(line.workload, 0, 0, 0, None)
        held_ms = line.held_ms if line.component is Component.GPU else 0
        found[line.workload] = Total(
            line.workload,
            before.energy_uj + line.energy_uj,
            before.idle_uj + line.idle_uj,
            before.gpu_held_ms + held_ms,
            before.emissions_ug if line.emissions_ug is None else line.emissions_ug,
        )
    return Day(tuple(sorted((t for t in found.values() if t.energy_uj), key=lambda t: -t.energy_uj)))


def render(snapshot: Snapshot, day: Day | None, since: str) -> str:
    """The section. ``day`` None: the book could not be read. ``since``: when the day began, in words."""
    if day is None:
        return section("today", "Today", note("The book of today could not be read yet; the next refresh tries again."))
    if not day.totals:
        return section("today", "Today", note("No workload has used energy yet today."))
    live = {state.workload: state.power_mw for state in snapshot.workloads if state.live}
    largest_uj = day.totals[0].energy_uj
    rows = [_row(total, live.get(total.workload), largest_uj) for total in day.totals[:_TOP]]
    rest = day.totals[_TOP:]
    if rest:
        rows.append(_sum_row(f"{len(rest)} more", Day(rest), "rest"))
    rows.append(_sum_row("All of today", day, "sum"))
    columns = [
        ("Workload", ""),
        ("Share", "wide share"),
        ("Energy", "num"),
        ("Idle part", "num wide"),
        ("GPU time", "num wide"),
        ("Emissions", "num"),
        ("Now", "num wide"),
    ]
    listing = table("Workloads by energy", columns, rows, "workloads")
    return section("today", "Today", note(f"Energy and emissions {text(since)}."), _shares(day), listing)


def _row(total: Total, power_mw: int | None, largest_uj: int) -> str:
    """``power_mw`` None: it has ended."""
    idle_uj = idle_of(total)
    nobody = total.workload.kind in {Kind.IDLE, Kind.UNALLOCATED}
    css = _COLOUR.get(total.workload.kind, "used")
    parts = [(idle_uj, "nobody")] if nobody else [(total.energy_uj - idle_uj, css), (idle_uj, "held")]
    bar = charts.bar(parts, largest_uj)
    cells = [
        (bar, "wide share"),
        (f"{figures.energy(total.energy_uj)}{'' if nobody else _idle_note(total)}", "num"),
        (figures.percent(idle_uj, total.energy_uj) if idle_uj else figures.NOTHING, "num wide"),
        (_hours(total.gpu_held_ms), "num wide"),
        (figures.mass_or_words(total.emissions_ug), "num"),
        (
            "ended" if power_mw is None else str(figures.power(power_mw)),
            "num wide soft" if power_mw is None else "num wide",
        ),
    ]
    return row(f"{_name(total.workload)}{bar}", cells, "nameless" if nobody else "")


def _idle_note(total: Total) -> str:
    """Under the energy where there is no column for it (a phone)."""
    if not total.idle_uj:
        return ""
    return f'<small class="narrow">{figures.percent(total.idle_uj, total.energy_uj)} idle</small>'


def _sum_row(name: str, day: Day, css: str) -> str:
    cells = [
        ("", "wide share"),
        (str(figures.energy(day.energy_uj)), "num"),
        (figures.percent(day.idle_uj, day.energy_uj), "num wide"),
        (_hours(sum(total.gpu_held_ms for total in day.totals)), "num wide"),
        (figures.mass_or_words(day.emissions_ug), "num"),
        ("", "num wide"),
    ]
    return row(name, cells, css)


def _hours(held_ms: int) -> str:
    if held_ms < _HOUR_MS:
        return figures.duration(held_ms) if held_ms else figures.NOTHING
    return f"{held_ms / _HOUR_MS:.1f}\u00a0h"


def _name(workload: Workload) -> str:
    name = label(workload.name or workload.key)
    owner = [label(part, _OWNER_CHARS) for part in (workload.namespace, workload.team, workload.project) if part]
    return f"{name}<small>{' · '.join([words.KIND[workload.kind], *owner])}</small>"


def _shares(day: Day) -> str:
    """Where today's energy went, as one bar and in words."""
    nobody = day.energy_of(Kind.IDLE) + day.energy_of(Kind.UNALLOCATED)
    held = day.idle_uj - nobody
    system, lost = day.energy_of(Kind.SYSTEM), day.energy_of(Kind.UNATTRIBUTED)
    parts = [
        ("used", "at work", day.energy_uj - nobody - held - system - lost),
        ("held", "held, but idle", held),
        ("nobody", "idle, held by nobody", nobody),
        ("system", "operating system", system),
        ("lost", "unattributed", lost),
    ]
    items = "".join(
        f'<li class="key {css}">{name} <b>{figures.percent(amount, day.energy_uj)}</b></li>'
        for css, name, amount in parts
        if amount > 0
    )
    bar = charts.bar([(amount, css) for css, _, amount in parts], day.energy_uj)
    return f'<figure class="shares">{bar}<figcaption><ul class="legend">{items}</ul></figcaption></figure>'
