"""Who books what: the scope and category of each part of a footprint, by who controls the hardware.

After the GHG Protocol's Scope 2 Guidance and Scope 3 Standard: electricity of what one controls operationally is
Scope 2, of leased equipment without that control category 8, of a service that one buys category 1 (its provider's
emissions of all scopes). Billing inside a group does not move a scope.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never


class Control(StrEnum):
    OWNED = "owned"  # own GPUs in an own building
    COLO = "colo"  # own GPUs in somebody else's building
    LEASED = "leased"  # an operating lease
    CLOUD = "cloud"  # instances or tokens that are bought


class Part(StrEnum):
    IT_ELECTRICITY = "it_electricity"
    OVERHEAD = "overhead"  # cooling and losses of the building: facility energy less IT energy
    ENERGY_SUPPLY = "energy_supply"  # upstream and grid losses
    HARDWARE = "hardware"


@dataclass(frozen=True, slots=True)
class Booked:
    """``category`` of Scope 3, None in Scope 2."""

    scope: int
    category: int | None = None


SCOPE_2 = Booked(2)
PURCHASED_SERVICES, CAPITAL_GOODS, ENERGY_RELATED, LEASED_ASSETS = (Booked(3, number) for number in (1, 2, 3, 8))
#: What a colocation contract may say about the building's own use; the choice is disclosed.
COLO_OVERHEADS = (SCOPE_2, LEASED_ASSETS, PURCHASED_SERVICES)


def booked_as(
    control: Control, part: Part, *, operational_control: bool = True, colo_overhead: Booked = SCOPE_2
) -> Booked:
    """Where a part of the footprint stands. ``operational_control`` matters for leased hardware, ``colo_overhead`` for
    colocation; raises ValueError if that is none of ``COLO_OVERHEADS``."""
    if colo_overhead not in COLO_OVERHEADS:
        raise ValueError("the overhead of a colocation is Scope 2 or Scope 3 category 8 or 1, by contract")
    match control:
        case Control.OWNED:
            return _own(part, SCOPE_2)
        case Control.COLO:
            return _own(part, colo_overhead)
        case Control.LEASED:
            return _leased(part) if operational_control else LEASED_ASSETS
        case Control.CLOUD:
            return PURCHASED_SERVICES
        case _:
            assert_never(control)


def _own(part: Part, overhead: Booked) -> Booked:
    match part:
        case Part.IT_ELECTRICITY:
            return SCOPE_2
        case Part.OVERHEAD:
            return overhead
        case Part.ENERGY_SUPPLY:
            return ENERGY_RELATED
        case Part.HARDWARE:
            return CAPITAL_GOODS
        case _:
            assert_never(part)


def _leased(part: Part) -> Booked:
    """Under operational control: electricity is one's own, the hardware stays the lessor's."""
    return LEASED_ASSETS if part is Part.HARDWARE else _own(part, SCOPE_2)
