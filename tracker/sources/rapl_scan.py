"""Finds the RAPL zones of a machine: walks ``/sys/class/powercap``, reads what never changes, opens no counter.

``enabled`` is not looked at: it says whether the zone *limits* power; its counter runs either way, also where the
firmware locked the limits (Documentation/ABI/testing/sysfs-class-powercap).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tracker.sources.rapl_zones import (
    COUNTER_BYTES,
    Plan,
    ZoneId,
    bound_mw,
    parse_counter,
    parse_range,
    parse_zone_id,
    plan_zone,
)
from tracker.sysfs import HeldFile, read_text

#: Constraints of a zone: long term, short term, peak (intel_rapl_common.c).
_CONSTRAINTS = 3


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone that can be read. ``counter_file`` is its ``energy_uj``."""

    plan: Plan
    counter_file: str
    range_uj: int | None
    max_power_mw: int


@dataclass(frozen=True, slots=True)
class Scan:
    """What is there. ``masked``: zones are listed, but the folder they live in is hidden (a container).
    ``unknown``: zones with an undocumented name, as "id (name)"."""

    zones: tuple[Zone, ...]
    masked: bool = False
    unknown: tuple[str, ...] = ()


def scan(sysfs: Path, tdp_mw: int | None) -> Scan:
    """All zones in the order of their ids, so that the same machine always gives the same keys. Raises OSError only
    where a folder that is there cannot be listed."""
    folders = _list_class(sysfs / "class" / "powercap")
    if not folders:
        folders = dict(_walk(sysfs / "devices" / "virtual" / "powercap"))
    names = {zone_id: _name(folder) for zone_id, folder in folders.items()}
    zones: dict[str, Zone] = {}
    unknown = []
    for zone_id in sorted(folders, key=lambda z: (z.control, z.path)):
        name = names[zone_id]
        if name is None:
            continue
        parent = zone_id.parent
        plan = plan_zone(zone_id.control, name, None if parent is None else names.get(parent))
        if plan is None:
            unknown.append(f"{folders[zone_id].name} ({name})")
            continue
        zone = _zone(_distinct(plan, zones), folders[zone_id], tdp_mw)
        zones[zone.plan.key] = zone
    masked = bool(folders) and all(name is None for name in names.values())
    return Scan(tuple(zones.values()), masked, tuple(unknown))


def read_once(zone: Zone) -> int:
    """One read of its counter in µJ, with nothing kept open. Raises OSError, ValueError."""
    file = HeldFile(zone.counter_file)
    try:
        return parse_counter(file.read(COUNTER_BYTES), zone.range_uj)
    finally:
        file.close()


def _list_class(folder: Path) -> dict[ZoneId, Path]:
    """The flat list of links that the class keeps: every zone, nested ones too."""
    try:
        entries = list(folder.iterdir())
    except FileNotFoundError:
        return {}
    return {zone_id: entry for entry in entries if (zone_id := parse_zone_id(entry.name)) is not None}


def _walk(folder: Path) -> Iterator[tuple[ZoneId, Path]]:
    """The zones' own folders, nested as the zones are: where the class links are absent."""
    try:
        entries = list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        zone_id = parse_zone_id(entry.name)
        if zone_id is not None:
            yield zone_id, entry
        if entry.name.startswith("intel-rapl"):
            yield from _walk(entry)


def _name(folder: Path) -> str | None:
    """None: the zone went away meanwhile, or the link leads nowhere."""
    try:
        return read_text(folder / "name", 256)
    except OSError:
        return None


def _distinct(plan: Plan, taken: dict[str, Zone]) -> Plan:
    """A second zone of the same name and control type covers the same thing: shown under its own key, booked only if
    the first were not there."""
    key, number = plan.key, 2
    while key in taken:
        key, number = f"{plan.key}-{number}", number + 1
    return plan if key == plan.key else replace(plan, key=key, preference=plan.preference - 1)


def _zone(plan: Plan, folder: Path, tdp_mw: int | None) -> Zone:
    limits = (_number(folder / f"constraint_{i}_max_power_uw") for i in range(_CONSTRAINTS))
    declared_uw = tuple(uw for uw in limits if uw is not None)
    range_uj = _number(folder / "max_energy_range_uj")
    return Zone(plan, str(folder / "energy_uj"), range_uj, bound_mw(plan.domain, declared_uw, tdp_mw))


def _number(file: Path) -> int | None:
    try:
        return parse_range(read_text(file, COUNTER_BYTES))
    except OSError:
        return None
