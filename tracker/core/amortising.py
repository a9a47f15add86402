"""What the making of a node's devices weighs while they are held: exact integers, by held time (``embodied.py``).

A GPU goes by the figure of its model. The host (boards, memory, fans, casing) has one figure, which its CPU packages
share evenly, so that whoever holds a package carries its part. A model that is not in the table has no figure and no
emissions: a name that only looks alike may be another product (an H100 on a PCIe card is no eighth of a baseboard).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from tracker.core.embodied import DEFAULT_LIFETIME_H, MS_PER_H, OWN_FIGURE, Device, find_device, with_overrides
from tracker.core.model import Component, EmissionEntry, Entry, Factor, Finding, Level, Sensor, Workload
from tracker.core.snapshot import EmbodiedState
from tracker.core.units import UG_PER_G

EMBODIED = "embodied"
UG_PER_KG = 1000 * UG_PER_G
NO_OVERHEAD = 1000  # PUE is of electricity
#: Figures of a whole machine or of many GPUs are never one GPU's.
_NO_GPU = frozenset({"baseboard", "server"})
_SAY_GPU = 'State it: [accounting.embodied] devices = {{ "{}" = <kg CO2e> }}.'
_SAY_HOST = "State it: [accounting.embodied] host_kgco2e = <kg CO2e of the server without its GPUs>."


@dataclass(frozen=True, slots=True)
class EmbodiedRates:
    """The figures to go by; by default there are none. ``host``: the machine without its GPUs."""

    table: tuple[Device, ...] = ()
    host: Device | None = None
    lifetime_h: int = DEFAULT_LIFETIME_H


@dataclass(frozen=True, slots=True)
class Rate:
    """What a device weighs in the time that it is held: ``ug`` micrograms in ``ms`` milliseconds. ``factor`` records
    the figure; it has no intensity."""

    factor: Factor
    name: str
    ug: int
    ms: int
    parts: int = 1  # devices that share the figure


#: What does not fill a microgram yet, by workload and factor, in 1/``ms`` µg of the rate.
Remainders = MutableMapping[tuple[Workload, str], int]


def embodied_rates(
    table: Iterable[Device],
    own: Mapping[str, Decimal],
    host_kgco2e: Decimal | None,
    lifetime_h: int = DEFAULT_LIFETIME_H,
    source: str = "the configuration",
) -> EmbodiedRates:
    """The published table with a user's figures (``own`` by device name, and the host's) in it. ``source``: where those
    are from. Without ``host_kgco2e`` the host has none: the only published one is an assumption about another server.
    Raises ValueError for a lifetime that is not positive."""
    if lifetime_h <= 0:
        raise ValueError("the lifetime must be positive")
    host = None if host_kgco2e is None else Device("host", host_kgco2e, "server", (), OWN_FIGURE, source, OWN_FIGURE)
    return EmbodiedRates(with_overrides(table, own, source), host, lifetime_h)


def rates_for(sensors: Iterable[Sensor], rates: EmbodiedRates, now_s: int) -> dict[str, Rate]:
    """The rate of each device that has one, by its key."""
    sensors = tuple(sensors)
    packages = sum(1 for sensor in sensors if sensor.component is Component.CPU)
    found: dict[str, Rate] = {}
    for sensor in sensors:
        figure = _figure(sensor, rates)
        if figure is not None and figure.kgco2e is not None:
            parts = packages if sensor.component is Component.CPU else 1
            found[sensor.key] = _rate(figure, figure.kgco2e, parts, rates.lifetime_h, now_s)
    return found


def _figure(sensor: Sensor, rates: EmbodiedRates) -> Device | None:
    if sensor.component is Component.CPU:
        return rates.host
    if sensor.component is not Component.GPU:
        return None
    return find_device((device for device in rates.table if device.unit not in _NO_GPU), sensor.model)


def _rate(figure: Device, kgco2e: Decimal, parts: int, lifetime_h: int, now_s: int) -> Rate:
    ug_per_ms = Fraction(kgco2e) * UG_PER_KG / (lifetime_h * MS_PER_H * parts)
    share = f", shared evenly by {parts} CPU packages" if parts > 1 else ""
    note = f"{kgco2e} kg CO2e for one {figure.unit} from cradle to gate{share}, over {lifetime_h} h of held time."
    told = figure.publisher in figure.source_ref
    factor = Factor(
        factor_id=f"{EMBODIED}:{figure.name}:{kgco2e}kg:{lifetime_h}h:{parts}",
        zone="",
        intensity_mg_per_kwh=None,
        factor_type="cradle-to-gate",
        basis=EMBODIED,
        tier=0,
        provider=EMBODIED,
        source=figure.source_ref if told else f"{figure.publisher}: {figure.source_ref}",
        valid_from_s=0,
        recorded_at_s=now_s,
        note=f"{note} {figure.note}".strip(),
    )
    return Rate(factor, figure.name, ug_per_ms.numerator, ug_per_ms.denominator, parts)


def amortise(
    entries: Iterable[Entry], rates: Mapping[str, Rate], remainders: Remainders
) -> tuple[tuple[EmissionEntry, ...], dict[str, Factor]]:
    """Emission rows for the held time of what is about to be booked, one for each slot, workload and rate, and the
    factors in them by id. ``remainders`` are brought up to date. No held time and no rate give no row."""
    held_ms: dict[tuple[int, Workload, str], int] = {}
    used: dict[str, Rate] = {}
    for entry in entries:
        rate = rates.get(entry.device)
        if rate is not None and entry.held_ms:
            key = (entry.slot_start_s, entry.workload, rate.factor.factor_id)
            held_ms[key] = held_ms.get(key, 0) + entry.held_ms
            used[rate.factor.factor_id] = rate
    rows = []
    for (slot_start_s, workload, factor_id), ms in held_ms.items():
        rate, owner = used[factor_id], (workload, factor_id)
        weight_ug, remainders[owner] = divmod(ms * rate.ug + remainders.get(owner, 0), rate.ms)
        rows.append(EmissionEntry(slot_start_s, workload, EMBODIED, factor_id, NO_OVERHEAD, weight_ug))
    return tuple(rows), {factor_id: rate.factor for factor_id, rate in used.items()}


def per_hour(rates: Mapping[str, Rate]) -> tuple[EmbodiedState, ...]:
    """For people: what the devices weigh in an hour, those of one figure together."""
    counts: dict[Rate, int] = {}
    for rate in rates.values():
        counts[rate] = counts.get(rate, 0) + 1
    return tuple(
        EmbodiedState(rate.name, count // rate.parts, count * rate.ug * MS_PER_H // rate.ms, rate.factor.source)
        for rate, count in counts.items()
    )


def check_embodied(sensors: Iterable[Sensor], rates: EmbodiedRates) -> tuple[Finding, ...]:
    """For ``wattledger check``: which devices have no figure, so that their making is not in ``basis="embodied"``."""
    findings = []
    sensors = tuple(sensors)
    for model in sorted({sensor.model for sensor in sensors if sensor.component is Component.GPU}):
        sensor = next(s for s in sensors if s.component is Component.GPU and s.model == model)
        figure = _figure(sensor, rates)
        if figure is None or figure.kgco2e is None:
            why = "It is not in the table of published figures." if figure is None else "Nobody published one."
            message = f"The making of {model or 'a GPU without a model name'} has no figure. {why}"
            findings.append(Finding(Level.WARN, EMBODIED, message, _SAY_GPU.format(model or sensor.key)))
    if rates.host is None:
        findings.append(Finding(Level.WARN, EMBODIED, "The making of the host has no figure.", _SAY_HOST))
    elif not any(sensor.component is Component.CPU for sensor in sensors):
        message = "The host's making goes by the held time of CPU packages, and none is measured."
        findings.append(Finding(Level.WARN, EMBODIED, message, "Give wattledger access to RAPL (see the other lines)."))
    return tuple(findings)
