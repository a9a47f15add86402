"""The catalogue of zones: ISO 3166 countries and the world. A zone is never guessed (P11): what is not in it is an
error that names the nearest right ones.

``data/zones.csv`` is described in ``data/README.md``.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tracker.grid.interface import UnknownZone

#: Codes in daily use that ISO 3166 reserves for, or the European Union uses for, another code's country.
ALIASES = {"UK": "GB", "EL": "GR"}
#: Names people write that are not the catalogue's; they lead to a suggestion, never to a zone.
OTHER_NAMES = {
    "america": "US",
    "britain": "GB",
    "burma": "MM",
    "czech republic": "CZ",
    "deutschland": "DE",
    "england": "GB",
    "espana": "ES",
    "great britain": "GB",
    "holland": "NL",
    "ivory coast": "CI",
    "korea": "KR",
    "turkey": "TR",
    "us": "US",
    "viet nam": "VN",
}
ZONES_CSV = Path(__file__).parent / "data" / "zones.csv"


@dataclass(frozen=True, slots=True)
class Zone:
    """``code`` is the canonical name used everywhere (alpha-2 or WORLD); ``iso3`` is how factor tables name it."""

    code: str
    iso3: str
    name: str


WORLD = Zone("WORLD", "WORLD", "the world")


def parse_zones(text: str) -> tuple[Zone, ...]:
    """Rows of zones.csv below its header. Names hold no commas."""
    return tuple(Zone(*line.split(",", 2)) for line in text.splitlines()[1:] if line)


@functools.cache
def zones() -> tuple[Zone, ...]:
    """All zones, the world first."""
    return (WORLD, *parse_zones(ZONES_CSV.read_text("utf-8")))


def find_zone(text: str) -> Zone:
    """The zone that a code means: alpha-2, alpha-3, WORLD or an alias, in any case. Raises UnknownZone."""
    code = text.strip().upper()
    code = ALIASES.get(code, code)
    for zone in zones():
        if code and code in (zone.code, zone.iso3):
            return zone
    nearest = near_zones(text)
    hint = f"Did you mean {_either(nearest)}? " if nearest else ""
    remedy = f"{hint}A zone is an ISO 3166 country code such as FR or FRA, or WORLD."
    raise UnknownZone(f"The zone {text.strip()[:40]!r} is not known.", remedy)


def near_zones(text: str, limit: int = 3) -> tuple[Zone, ...]:
    """Zones whose name or code is like ``text``, the likeliest first; only one when the name is right."""
    wanted = _plain(text)
    if not wanted:
        return ()
    exact = [zone for zone in zones() if _plain(zone.name) == wanted or zone.code == OTHER_NAMES.get(wanted)]
    return tuple(exact or dict.fromkeys([*_by_first_part(text), *_by_name(wanted), *_by_code(wanted)]))[:limit]


def _by_first_part(text: str) -> Iterator[Zone]:
    """The country of a finer zone of another system ("US-CAL-CISO", "DE_LU")."""
    first, _, rest = text.strip().upper().replace("_", "-").partition("-")
    if rest:
        first = ALIASES.get(first, first)
        yield from (zone for zone in zones() if first in (zone.code, zone.iso3))


def _by_name(wanted: str) -> Iterator[Zone]:
    """By likeness, then by a part of four letters or more."""
    import difflib  # noqa: PLC0415 - only on the way to an error message

    names = {_plain(zone.name): zone for zone in zones()}
    yield from (names[name] for name in difflib.get_close_matches(wanted, names, n=3, cutoff=0.75))
    if len(wanted) > len("XXX"):
        yield from (zone for name, zone in names.items() if wanted in name)


def _by_code(wanted: str) -> Iterator[Zone]:
    """By letters in another order ("RF"), then three letters with the last one wrong ("FRE") or of the name ("GER")."""
    letters = sorted(wanted.upper())
    yield from (zone for zone in zones() if letters in (sorted(zone.code), sorted(zone.iso3)))
    if len(letters) == len("XXX"):
        yield from (zone for zone in zones() if zone.iso3.startswith(wanted[:2].upper()))
        yield from (zone for zone in zones() if _plain(zone.name).startswith(wanted))


def _either(found: tuple[Zone, ...]) -> str:
    """For a sentence: FR (France), FO (Faroe Islands) or GF (French Guiana)."""
    named = [f"{zone.code} ({zone.name})" for zone in found]
    return " or ".join(part for part in (", ".join(named[:-1]), named[-1]) if part)


def _plain(text: str) -> str:
    """Lower case without accents and dots, so that "turkiye" finds Türkiye and "U.S." is "us"."""
    split = unicodedata.normalize("NFKD", text.strip()[:80].casefold().replace(".", ""))
    return "".join(letter for letter in split if not unicodedata.combining(letter))
