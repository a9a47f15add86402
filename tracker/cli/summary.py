"""What ``wattledger exec`` says at the end: numbers, where they come from, and what is not known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tracker.core.plain import plain
from tracker.declare import Energy
from tracker.declare.energy import J_PER_KWH

NO_DAEMON = "No daemon answers: nothing was measured. Start one: wattledger run (--demo takes no declarations)"
GONE = "The daemon does not answer any more; what it had booked of this run is in its ledger, under this name."
STARTING = "The daemon has just started and had booked nothing yet; ask again with the next run."
NOTHING = "Nothing was charged: it used less than the daemon can tell apart, or ended before a tick had seen it."
LATE = "The last seconds are not booked yet; the node's page and /metrics will have them."
ASSUMED = "Nobody set this site's zone: the mean of the world is assumed. Set it with: [site.<name>] zone"
NO_FACTOR = "There is no grid factor, so emissions are unknown, which is not 0 g."
_MG_PER_G = 1000
_LEAST_G = 0.001
_PERMILLE = 1000
_PERCENT = 100
_J_PER_WH = 3600


@dataclass(frozen=True, slots=True)
class Summary:
    """``energy`` None: nothing is known. ``node``: the daemon's word on itself, None without one."""

    run: str
    command: tuple[str, ...]
    exit_code: int
    wall_s: float
    energy: Energy | None
    node: Mapping[str, Any] | None
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """For scripts: joules and grams, null where something is not known."""
        energy, node = self.energy, self.node or {}
        return {
            "run": self.run,
            "command": list(self.command),
            "exit_code": self.exit_code,
            "wall_s": round(self.wall_s, 3),
            "energy_j": None if energy is None else energy.joules,
            "energy_j_by_component": None if energy is None else dict(energy.joules_by_component),
            "idle_j": None if energy is None else energy.idle_joules,
            "measured_share": None if energy is None else energy.measured_share,
            "emissions_g": None if energy is None else energy.grams,
            "held_gpu_hours": None if energy is None else energy.held_gpu_hours,
            "units": {} if energy is None else dict(energy.units),
            "booked": energy is not None and energy.booked,
            "factor": node.get("factor"),
            "pue": None if not node else node["pue_permille"] / _PERMILLE,
            "hostname": node.get("hostname"),
            "site": node.get("site"),
            "notes": list(self.notes),
        }


def summarise(
    run: str,
    command: Sequence[str],
    exit_code: int,
    wall_s: float,
    energy: Energy | None,
    node: Mapping[str, Any] | None,
    *,
    gone: bool = False,
) -> Summary:
    """Put it together. ``node``: an answer of the daemon, possibly a refusal. ``gone``: it was there at the start."""
    answered = node if node is not None and node.get("ok") else None
    notes = (GONE,) if gone and energy is None else tuple(_notes(energy, node, answered))
    return Summary(run, tuple(command), exit_code, wall_s, energy, answered, notes)


def _notes(energy: Energy | None, node: Mapping[str, Any] | None, answered: Mapping[str, Any] | None) -> list[str]:
    if node is None:
        return [NO_DAEMON]
    if answered is None:
        return [STARTING]
    notes = []
    if energy is None or energy.joules == 0:
        notes.append(NOTHING)
    if energy is not None:
        notes += [] if energy.booked else [LATE]
        notes += [f"The ledger does not book now: {energy.note}"] if energy.note else []
        if energy.joules and energy.grams is None:
            notes.append(NO_FACTOR)
    factor = answered["factor"]
    if factor is not None and factor["assumed"]:
        notes.append(ASSUMED)
    if "simulated" in answered["components"].values():
        notes.append("The daemon simulates a node (--demo): these numbers are invented.")
    elif "gpu" not in answered["components"]:
        notes.append("No GPU is measured on this node; wattledger check says why.")
    return notes


def text_of(summary: Summary) -> str:
    """For people: a few aligned lines."""
    energy, node = summary.energy, summary.node
    where = f" on {node['hostname']}" if node else ""
    lines = [f"wattledger: {summary.run} ended with {summary.exit_code} after {_time(summary.wall_s)}{where}"]
    rows: list[tuple[str, str]] = []
    if energy is not None:
        share = energy.measured_share
        known = "" if share is None else f", {share * _PERCENT:.0f} % measured"
        rows.append(("energy", f"{_energy(energy.joules)}{known}"))
        rows += [(f"  {name}", _energy(joules)) for name, joules in energy.joules_by_component.items()]
        rows.append(("of it idle", _energy(energy.idle_joules)))
        rows += _emissions(energy, node)
        if energy.held_gpu_hours:
            rows.append(("GPUs held", f"{energy.held_gpu_hours:.4g} h"))
        rows += [(unit, _unit(energy, unit)) for unit in energy.units]
    width = max((len(name) for name, _ in rows), default=0)
    lines += [f"  {name:<{width}}  {value}" for name, value in rows]
    return "\n".join(map(plain, [*lines, *(f"  note: {note}" for note in summary.notes)]))


def _emissions(energy: Energy, node: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    if node is None or node["factor"] is None or energy.grams is None:
        return [("emissions", "unknown")] if energy.grams is None else [("emissions", f"{_grams(energy.grams)} g CO2e")]
    factor = node["factor"]
    pue = node["pue_permille"] / _PERMILLE
    said = (
        f" ({node['pue_source']})" if node["pue_source"] else " (assumed)" if node["pue_permille"] == _PERMILLE else ""
    )
    grams = f"{_grams(energy.grams)} g CO2e, location-based, with PUE {pue:g}{said}"
    intensity = factor["intensity_mg_per_kwh"]
    weight = "no value" if intensity is None else f"{intensity / _MG_PER_G:g} g/kWh"
    source = f"{weight} in {factor['zone']}, {factor['factor_type']}, tier {factor['tier']}: {factor['source']}"
    return [("emissions", grams), ("factor", source)]


def _grams(grams: float) -> str:
    """Four digits, and no exponent: a microgram is the ledger's least."""
    return f"{grams:.4g}" if grams >= _LEAST_G else f"{grams:.6f}".rstrip("0").rstrip(".")


def _unit(energy: Energy, unit: str) -> str:
    each = energy.per(unit)
    return f"{energy.units[unit]:,}" + (f", {each:.4g} J each" if each else "")


def _energy(joules: float) -> str:
    """In the unit that people read: J, Wh or kWh."""
    if joules < _J_PER_WH:
        return f"{joules:.4g} J"
    if joules < J_PER_KWH:
        return f"{joules / _J_PER_WH:.4g} Wh"
    return f"{joules / J_PER_KWH:.4g} kWh"


def _time(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest:.0f} s" if minutes else f"{rest:.1f} s"
