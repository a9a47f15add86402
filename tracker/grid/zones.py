"""From what somebody wrote to a zone of the catalogue, and to the zones whose factor it may use.

A zone is never guessed (P11): what is not in the catalogue is an error that names the nearest right ones, and a cloud
region about which public tables disagree is an error that names both.
"""

from __future__ import annotations

import re

from tracker.core.factors import Step
from tracker.grid.catalogue import Zone, by_name
from tracker.grid.interface import UnknownZone
from tracker.grid.near import near_zones

#: Countries whose official factor is printed under the name of a subregion that is all of them.
OFFICIAL = {"PR": "PRMS"}
_CLOUD = re.compile(r"(AWS|GCP|AZURE)\s*[:/\s]\s*(\S+)")


def find_zone(text: str) -> Zone:
    """The zone that a code or alias means, in any case. Raises UnknownZone."""
    code = text.strip().upper()
    cloud = _CLOUD.fullmatch(code)
    zone = by_name().get(f"{cloud[1]}:{cloud[2]}" if cloud else code)
    if zone is None:
        raise _unknown(text)
    if zone.choices:
        either = " or ".join(zone.choices)
        raise UnknownZone(
            f"The public tables disagree about {zone.code} ({zone.name}): {' and '.join(zone.choices)}.",
            f"Set the zone of your site itself: {either}, or a finer one. Look: wattledger grid list {zone.country}",
        )
    return zone


def zone_path(zone: Zone) -> tuple[Step, ...]:
    """The zones whose factor may be used for it: its own, that of its official zone, its country's."""
    steps = [Step(zone.code, caution=zone.note)]
    names = by_name()
    official_zone = zone.official_zone or OFFICIAL.get(zone.code, "")
    if official_zone:
        official = names[official_zone]
        steps += [Step(official.code, caution=zone.note)]
        if official.kind in {"country", "world"}:
            return tuple(steps)
    if zone.country and zone.country != zone.code:
        reason = f"It is the average of the country ({names[zone.country].name}): {zone.code} has none of its own."
        steps.append(Step(zone.country, reason, zone.note))
    return tuple(steps)


def _unknown(text: str) -> UnknownZone:
    nearest = near_zones(text)
    hint = f"Did you mean {_either(nearest)}? " if nearest else ""
    remedy = (
        f"{hint}A zone is an ISO 3166 country code such as FR, a finer one such as CAMX, CN-BJ or aws:eu-west-1, "
        "or WORLD. Look: wattledger grid list TEXT"
    )
    return UnknownZone(f"The zone {text.strip()[:40]!r} is not known.", remedy)


def _either(found: tuple[Zone, ...]) -> str:
    """For a sentence: FR (France), FO (Faroe Islands) or GF (French Guiana)."""
    named = [f"{zone.code} ({zone.name})" for zone in found]
    return " or ".join(part for part in (", ".join(named[:-1]), named[-1]) if part)
