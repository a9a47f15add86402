"""What making the hardware cost, in two ledgers that are never added.

Acquisition: everything in the year of purchase; the GHG Protocol's Scope 3 Standard does not let capital goods be
depreciated (category 2). Amortised: by held time over the life of the device, for teams and for SCI (ISO/IEC
21031:2024):

    M = TE x (TiR / EL) x (RR / ToR)

Time is the time that a device was held, busy or not: idle time carries its part too, else a node does not foot.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

MS_PER_H = 3_600_000
#: Five years. Makers and operators count four to six; state yours.
DEFAULT_LIFETIME_H = 43_800
OWN_FIGURE = "own figure"


@dataclass(frozen=True, slots=True)
class Device:
    """Kilograms of CO2e from cradle to gate of one ``unit`` (GPU, baseboard, server). ``kgco2e`` None: nobody published
    a figure, and ``note`` says what to do."""

    name: str
    kgco2e: Decimal | None
    unit: str = "device"
    aliases: tuple[str, ...] = ()
    publisher: str = ""
    source_ref: str = ""
    licence: str = ""
    confidence: str = "untagged"
    note: str = ""


def acquisition_g(kgco2e: Decimal, count: int) -> Fraction:
    """All of it, in the year of purchase (Scope 3 category 2)."""
    return Fraction(kgco2e) * 1000 * count


def amortised_g(
    kgco2e: Decimal, held_ms: int, lifetime_h: int = DEFAULT_LIFETIME_H, share: Fraction = Fraction(1)
) -> Fraction:
    """The part of held time, ``held_ms`` summed over the devices; ``share``: the reserved part of one (RR / ToR).
    Raises ValueError for a time below 0, a lifetime of 0 or a share outside 0 to 1."""
    if held_ms < 0 or lifetime_h <= 0 or not 0 <= share <= 1:
        raise ValueError("held time and share must not be negative, the lifetime must be positive, a share at most 1")
    return Fraction(kgco2e) * 1000 * Fraction(held_ms, lifetime_h * MS_PER_H) * share


def with_overrides(devices: Iterable[Device], overrides: Mapping[str, Decimal], source: str) -> tuple[Device, ...]:
    """The table with a user's own figures in the place of, or beside, the published ones. ``source``: where they are
    from, for the audit trail."""
    known = list(devices)
    for name, kgco2e in overrides.items():
        found = find_device(known, name)
        if found is None:
            known.append(Device(name, kgco2e, publisher=OWN_FIGURE, source_ref=source, licence=OWN_FIGURE))
            continue
        own = replace(
            found, kgco2e=kgco2e, publisher=OWN_FIGURE, source_ref=source, licence=OWN_FIGURE, confidence="own", note=""
        )
        known[known.index(found)] = own
    return tuple(known)


def find_device(devices: Iterable[Device], text: str) -> Device | None:
    """By name or alias, in any case; None: not in the table."""
    wanted = text.strip().casefold()
    for device in devices:
        if wanted and wanted in (device.name.casefold(), *(alias.casefold() for alias in device.aliases)):
            return device
    return None
