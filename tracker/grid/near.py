"""Zones that are like what somebody wrote: for the sentence of an error and for ``wattledger grid list TEXT``."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping

from tracker.grid.catalogue import ALIASES, Zone, zones

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


def near_zones(text: str, limit: int = 3) -> tuple[Zone, ...]:
    """Zones whose name or code is like ``text``, the likeliest first; only one when the name is right."""
    wanted = plain(text)
    if not wanted:
        return ()
    exact = [zone for zone in zones() if plain(zone.name) == wanted or zone.code == OTHER_NAMES.get(wanted)]
    exact = exact or [zone for zone in zones() if zone.code.casefold().endswith(f":{wanted}")]
    ways = (_by_first_part(text), _by_name(wanted), _by_code(wanted), _by_like_code(wanted))
    return tuple(exact or dict.fromkeys(zone for way in ways for zone in way))[:limit]


def zones_with(text: str) -> tuple[Zone, ...]:
    """Zones in which ``text`` is a part of the code, a name, an alias or the country: what ``grid list`` shows."""
    wanted = plain(text)
    countries = {zone.code: plain(zone.name) for zone in zones() if zone.kind == "country"}
    named = {OTHER_NAMES.get(wanted), ALIASES.get(wanted.upper())}
    return tuple(
        zone
        for zone in zones()
        if zone.country in named
        or wanted == zone.country.casefold()
        or wanted in countries.get(zone.country, "")
        or any(wanted in plain(part) for part in (zone.code, zone.iso3, zone.name, zone.em_zone, *zone.aliases))
    )


def plain(text: str) -> str:
    """Lower case without accents and dots, so that "turkiye" finds Türkiye and "U.S." is "us"."""
    split = unicodedata.normalize("NFKD", text.strip()[:80].casefold().replace(".", ""))
    return "".join(letter for letter in split if not unicodedata.combining(letter))


def _countries() -> tuple[Zone, ...]:
    return tuple(zone for zone in zones() if zone.kind in {"country", "world"})


def _by_first_part(text: str) -> Iterator[Zone]:
    """The country of a finer zone of another system ("US-FLA-FPL", "DE_LU")."""
    first, _, rest = text.strip().upper().replace("_", "-").partition("-")
    if rest:
        first = ALIASES.get(first, first)
        yield from (zone for zone in _countries() if first in (zone.code, zone.iso3))


def _by_name(wanted: str) -> Iterator[Zone]:
    """By likeness, then by a part of four letters or more."""
    yield from _like(wanted, {plain(zone.name): zone for zone in reversed(zones())})
    if len(wanted) > len("XXX"):
        yield from (zone for zone in zones() if wanted in plain(zone.name))


def _by_code(wanted: str) -> Iterator[Zone]:
    """By letters in another order ("RF"), then three letters with the last one wrong ("FRE") or of the name ("GER")."""
    letters = sorted(wanted.upper())
    yield from (zone for zone in _countries() if letters in (sorted(zone.code), sorted(zone.iso3)))
    if len(letters) == len("XXX"):
        yield from (zone for zone in _countries() if zone.iso3.startswith(wanted[:2].upper()))
        yield from (zone for zone in _countries() if plain(zone.name).startswith(wanted))


def _by_like_code(wanted: str) -> Iterator[Zone]:
    """Codes and aliases of finer zones with a letter or two wrong ("CAMZ", "aws:eu-wst-1", "Bejing")."""
    finer = [zone for zone in reversed(zones()) if zone.kind not in {"country", "world"}]
    names = {plain(name): zone for zone in finer for name in (zone.code, *zone.aliases)}
    if len(wanted) > len("XXX"):
        yield from _like(wanted, names)


def _like(wanted: str, names: Mapping[str, Zone]) -> Iterator[Zone]:
    import difflib  # noqa: PLC0415 - only on the way to an error message

    yield from (names[name] for name in difflib.get_close_matches(wanted, names, n=3, cutoff=0.75))
