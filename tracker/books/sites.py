"""What nodes say of the place they stand in: sites/<site>/<sha16>.json, created once, never changed.

A node writes a file when what it says has changed; the newest one of a site counts. ``<sha16>`` is eight digits that
name the node and eight that name the content, so that a node finds its own files in a listing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import msgspec

from tracker.books.interface import BooksDamaged, BookStore
from tracker.books.names import quoted
from tracker.core.accounting import Pue

FOLDER = "sites/"
VERSION = 1
#: Hosts that a sentence names.
_NAMED = 5


class SiteFacts(msgspec.Struct, frozen=True, kw_only=True):
    """As the node's configuration says. ``recorded_at_s``: UTC seconds, since when it is known here. A field that a
    later version adds is passed over."""

    format: Literal["wattledger-site"] = "wattledger-site"
    version: int = VERSION
    site: str = ""
    zone: str = ""  # of the catalogue; "": nobody set it
    timezone: str = "UTC"
    control: str = "owned"  # owned | colo | leased | cloud
    operational_control: bool = True
    colo_overhead: str = "scope2"  # scope2 | scope3-8 | scope3-1
    pue: tuple[Pue, ...] = ()  # for core.accounting.pue_at: the last one that holds wins
    hostname: str = ""
    ledger: str = ""
    recorded_at_s: int = 0


@dataclass(frozen=True, slots=True)
class Sites:
    """By name of the site. ``contradictions`` and ``damaged``: sentences."""

    facts: dict[str, SiteFacts]
    contradictions: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()


def record_site(store: BookStore, facts: SiteFacts) -> str | None:
    """Write what a node says, unless it said so last. The name of the new file. Raises BooksUnavailable."""
    folder = _folder(facts.site)
    node = hashlib.sha256(f"{facts.hostname}\n{facts.ledger}".encode("utf-8", "surrogatepass")).hexdigest()[:8]
    own = [name for name, _ in store.names(folder) if name.startswith(folder + node)]
    said, _ = _parsed((name, store.read(name) or b"") for name in own)  # not by way of a cache: a node may have none
    newest = max(said, key=lambda each: each.recorded_at_s, default=None)
    if newest is not None:
        if _content(newest) == _content(facts):
            return None
        # a clock that was set back does not put it before what it replaces
        facts = msgspec.structs.replace(facts, recorded_at_s=max(facts.recorded_at_s, newest.recorded_at_s + 1))
    content = msgspec.json.format(msgspec.json.encode(facts, order="sorted"), indent=1) + b"\n"
    name = f"{folder}{node}{hashlib.sha256(content).hexdigest()[:8]}.json"
    return name if store.create(name, content) else None


def read_sites(store: BookStore, as_of_s: int | None = None) -> Sites:
    """What was known of each site at an instant (None: up to now). Where nodes of one site say different things, the
    newest counts and the contradiction is told. Raises BooksUnavailable."""
    names = [name for name, _ in store.names(FOLDER) if name.endswith(".json")]
    paths = store.local(names)
    said, damaged = _parsed((name, path.read_bytes()) for name, path in zip(names, paths, strict=True))
    by_site: dict[str, dict[tuple[str, str], SiteFacts]] = {}
    for facts in sorted(said, key=lambda each: (each.recorded_at_s, each.hostname, each.ledger)):
        if as_of_s is None or facts.recorded_at_s <= as_of_s:
            by_site.setdefault(facts.site, {})[facts.hostname, facts.ledger] = facts
    found, contradictions = {}, []
    for site in sorted(by_site):
        last_words = sorted(by_site[site].values(), key=lambda each: (each.recorded_at_s, each.hostname, each.ledger))
        found[site] = newest = last_words[-1]
        contradictions += _contradictions(newest, last_words)
    return Sites(found, tuple(contradictions), tuple(damaged))


def _contradictions(newest: SiteFacts, last_words: Iterable[SiteFacts]) -> list[str]:
    others: dict[str, list[str]] = {}
    for each in last_words:
        differing = [
            name
            for name in ("zone", "timezone", "control", "operational_control", "colo_overhead", "pue")
            if getattr(each, name) != getattr(newest, name)
        ]
        if differing:
            others.setdefault(", ".join(differing), []).append(each.hostname)
    return [
        f"Nodes describe the site {newest.site or 'without a name'} differently: {_some(hosts)} against "
        f"{newest.hostname}, in {what}. The newest counts; give all nodes of a site the same [site] section."
        for what, hosts in sorted(others.items())
    ]


def _some(hosts: Iterable[str]) -> str:
    first, more = sorted(hosts)[:_NAMED], sorted(hosts)[_NAMED:]
    return ", ".join(first) + (f" and {len(more)} others" if more else "")


def _parsed(files: Iterable[tuple[str, bytes]]) -> tuple[list[SiteFacts], list[str]]:
    """Facts, and sentences about files that are none."""
    said: list[SiteFacts] = []
    damaged: list[str] = []
    for name, content in files:
        try:
            said.append(parse_site(content, name))
        except BooksDamaged as error:
            damaged.append(str(error))
    return said, damaged


def parse_site(content: bytes, name: str) -> SiteFacts:
    """``name`` is said in errors. Raises BooksDamaged."""
    try:
        facts = msgspec.json.decode(content, type=SiteFacts)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BooksDamaged(f"{name} cannot be read: {error}.", "Move it aside: nodes write it again.") from error
    if facts.version > VERSION:
        raise BooksDamaged(f"{name} is of version {facts.version}; this wattledger knows {VERSION}.", "Upgrade it.")
    return facts


def _content(facts: SiteFacts) -> SiteFacts:
    return msgspec.structs.replace(facts, recorded_at_s=0)


def _folder(site: str) -> str:
    return f"{FOLDER}{quoted(site)}/"
