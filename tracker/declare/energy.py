"""What the daemon says a run used. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

J_PER_KWH = 3_600_000
_UJ_PER_J = 1_000_000
_MICROJOULE_DIGITS = 6  # sums of whole microjoules show no digits beyond them
_UG_PER_G = 1_000_000
_MS_PER_H = 3_600_000
_ORDER = "gpu cpu dram other"  # as people read it


@dataclass(frozen=True)
class Energy:
    """Committed totals of a run, and of the runs declared inside it, on this node. Joules are IT energy, without PUE.

    ``joules_by_component``: gpu, cpu, dram, other; what is not in it was not charged. ``idle_joules`` is contained in
    ``joules``. ``grams`` None: there is no grid factor, which is not 0 g. ``as_of``: Unix time of the commit.
    ``booked``: the run has ended and everything it used is in here.
    """

    joules_by_component: Mapping[str, float] = field(default_factory=dict)
    measured_joules: float = 0.0
    idle_joules: float = 0.0
    held_gpu_hours: float = 0.0
    grams: float | None = None
    units: Mapping[str, int] = field(default_factory=dict)
    as_of: float | None = None
    booked: bool = False
    note: str = ""

    @property
    def joules(self) -> float:
        return round(sum(self.joules_by_component.values()), _MICROJOULE_DIGITS)

    @property
    def kwh(self) -> float:
        return self.joules / J_PER_KWH

    @property
    def measured_share(self) -> float | None:
        """How much of it a sensor measured; the rest is modelled. None: there is no energy."""
        return self.measured_joules / self.joules if self.joules > 0 else None

    def per(self, unit: str) -> float | None:
        """Joules per token, step or whatever the run reported; None: it reported none."""
        amount = self.units.get(unit, 0)
        return self.joules / amount if amount else None


@dataclass(frozen=True)
class Measurement:
    """Energy between two instants, in joules, as far as it is known: from the commit before the first to the commit
    before the second (``covered_seconds``, up to ``resolution_seconds`` apart from ``time`` at each end).

    ``too_short``: no commit came between them. Then the energies are None: they are not known, which is not 0.
    """

    time: float
    total_energy: float | None
    gpu_energy: float | None
    cpu_energy: float | None
    dram_energy: float | None
    covered_seconds: float | None
    resolution_seconds: float | None
    too_short: bool


def energy_of(answer: Mapping[str, Any] | None) -> Energy | None:
    """From the daemon's answer; None when there is none, or nothing was charged or reported yet."""
    if not answer or not answer.get("ok"):
        return None
    parts = sorted(answer["parts"], key=lambda part: _ORDER.find(part["component"]))
    joules: dict[str, float] = {}
    measured_uj = idle_uj = held_ms = 0
    for part in parts:
        component = part["component"]
        joules[component] = joules.get(component, 0.0) + part["energy_uj"] / _UJ_PER_J
        measured_uj += part["energy_uj"] if part["method"] == "measured" else 0
        idle_uj += part["idle_uj"]
        held_ms += part["held_ms"] if component == "gpu" else 0
    if not joules and not answer["units"]:
        return None
    emissions_ug = answer["emissions_ug"].get("location")
    return Energy(
        joules,
        measured_uj / _UJ_PER_J,
        idle_uj / _UJ_PER_J,
        held_ms / _MS_PER_H,
        None if emissions_ug is None else emissions_ug / _UG_PER_G,
        dict(answer["units"]),
        answer["committed_wall_s"],
        booked=answer["booked"],
        note="" if answer["ledger_ok"] else answer["message"],
    )


def measurement_between(
    begin: Energy | None, end: Energy | None, time_s: float, resolution_s: float | None, began_as_of: float | None
) -> Measurement:
    """What was booked between two answers. ``began_as_of``: the commit that the first answer was about, also where
    nothing had been charged yet."""
    as_of = end.as_of if end is not None else None
    if end is None or as_of is None or began_as_of is None or as_of <= began_as_of:
        return Measurement(time_s, None, None, None, None, None, resolution_s, too_short=end is not None)
    before = begin.joules_by_component if begin is not None else {}
    parts = {name: joules - before.get(name, 0.0) for name, joules in end.joules_by_component.items()}
    return Measurement(
        time_s,
        sum(parts.values()),
        parts.get("gpu"),
        parts.get("cpu"),
        parts.get("dram"),
        as_of - began_as_of,
        resolution_s,
        too_short=False,
    )
