"""The catalogue of zones: ISO 3166 countries, what lies below them (eGRID subregions, provinces and states, zones of
Electricity Maps, cloud regions) and the world.

``data/zones.csv`` and ``data/subzones.csv`` are described in ``data/README.md``.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

#: Codes in daily use that ISO 3166 reserves for, or the European Union uses for, another code's country.
ALIASES = {"UK": "GB", "EL": "GR"}
DATA = Path(__file__).parent / "data"
ZONES_CSV = DATA / "zones.csv"
SUBZONES_CSV = DATA / "subzones.csv"


@dataclass(frozen=True, slots=True)
class Zone:
    """``code`` is the canonical name used everywhere; ``country`` its alpha-2 code, ``iso3`` how tables name that.

    ``em_zone``: the same place at Electricity Maps, "" where it is not known. ``official_zone``: whose official
    factor is this zone's, where it has none of its own. ``choices``: public tables disagree, one of these has to be
    set instead.
    """

    code: str
    iso3: str
    name: str
    kind: str = "country"  # country | egrid | province | grid | state | em | cloud | world
    country: str = ""
    aliases: tuple[str, ...] = ()
    em_zone: str = ""
    official_zone: str = ""
    choices: tuple[str, ...] = ()
    note: str = ""


WORLD = Zone("WORLD", "WORLD", "the world", "world")


def parse_zones(text: str) -> tuple[Zone, ...]:
    """Rows of zones.csv below its header. Names hold no commas."""
    rows = (line.split(",", 2) for line in text.splitlines()[1:] if line)
    return tuple(Zone(iso2, iso3, name, country=iso2) for iso2, iso3, name in rows)


def parse_subzones(text: str, iso3: Mapping[str, str]) -> tuple[Zone, ...]:
    """Rows of subzones.csv. ``iso3``: by alpha-2 code."""
    return tuple(
        Zone(
            code=row["code"],
            iso3=iso3[row["country"]],
            name=row["name"],
            kind=row["kind"],
            country=row["country"],
            aliases=tuple(filter(None, row["aliases"].split(";"))),
            em_zone=row["em_zone"],
            official_zone=row["official_zone"],
            choices=tuple(filter(None, row["choices"].split(";"))),
            note=row["note"],
        )
        for row in csv.DictReader(text.splitlines())
    )


@functools.cache
def zones() -> tuple[Zone, ...]:
    """All zones, the world first, then countries."""
    countries = parse_zones(ZONES_CSV.read_text("utf-8"))
    iso3 = {zone.code: zone.iso3 for zone in countries}
    return (WORLD, *countries, *parse_subzones(SUBZONES_CSV.read_text("utf-8"), iso3))


@functools.cache
def by_name() -> Mapping[str, Zone]:
    """Every code and alias, in capitals. Each means one zone (a test sees to it)."""
    found = {name.upper(): zone for zone in zones() for name in (zone.code, *zone.aliases)}
    found |= {zone.iso3: zone for zone in zones() if zone.kind in {"country", "world"}}
    return found | {alias: found[code] for alias, code in ALIASES.items()}
