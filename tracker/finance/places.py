"""What the sites and grid zones of the lake mean: from what nodes said of them, and from the configuration of whoever
makes the statement, which comes first: finance may mend what a node did not say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import tzinfo

import msgspec

from tracker.books.sites import SiteFacts
from tracker.config import Config
from tracker.config.pue import INDUSTRY, statements, zone_of
from tracker.config.schema import Site
from tracker.core.accounting import Pue
from tracker.core.boundary import LEASED_ASSETS, PURCHASED_SERVICES, SCOPE_2, Booked, Control, Part, booked_as
from tracker.core.errors import UsageError
from tracker.core.weights import Place
from tracker.grid.catalogue import WORLD
from tracker.grid.zones import find_zone

_COLO = {"scope2": SCOPE_2, "scope3-8": LEASED_ASSETS, "scope3-1": PURCHASED_SERVICES}


@dataclass(frozen=True, slots=True)
class SiteBook:
    """A site in one time zone, with what is said of its PUE (``accounting.pue_at``). ``zone`` "": nobody said."""

    site: str
    zone: str
    zone_is_ours: bool  # the configuration says so, whatever nodes wrote
    pues: tuple[Pue, ...]
    clock: tzinfo
    control: Control
    operational_control: bool
    colo_overhead: Booked

    @property
    def booked(self) -> Booked:
        """The scope of its IT electricity."""
        return booked_as(self.control, Part.IT_ELECTRICITY, operational_control=self.operational_control)

    @property
    def overhead_booked(self) -> Booked:
        """The scope of what the building adds."""
        return booked_as(
            self.control,
            Part.OVERHEAD,
            operational_control=self.operational_control,
            colo_overhead=self.colo_overhead,
        )


def site_book(name: str, config: Config, said: Mapping[str, SiteFacts]) -> SiteBook:
    """What nodes said, and over it the keys that [site.<name>] states here, one by one. Raises UsageError for a time
    zone or zone that is not known here."""
    facts, own = said.get(name, SiteFacts()), config.site.get(name, Site())
    own = msgspec.structs.replace(own, timezone=own.timezone or facts.timezone)  # in which its days begin
    operational = facts.operational_control if own.operational_control is None else own.operational_control
    clock = _clock(own.clock, name)
    return SiteBook(
        site=name,
        zone=find_zone(own.zone).code if own.zone else facts.zone,
        zone_is_ours=bool(own.zone),
        pues=(*(facts.pue or (INDUSTRY,)), *(each for each in statements(own) if each != INDUSTRY)),
        clock=clock,
        control=Control(own.control or facts.control),
        operational_control=operational,
        colo_overhead=_COLO[own.colo_overhead or facts.colo_overhead],
    )


def places_of(written: Iterable[tuple[str, str]], books: Mapping[str, SiteBook]) -> dict[tuple[str, str], Place]:
    """Of each pair (site, grid zone) as rows of the lake have it. The configuration's zone comes before the row's, the
    row's before what nodes say of their site now. Without any it is the world's, assumed (P11)."""
    found = {}
    for site, zone_written in sorted(set(written)):
        book = books[site]
        zone = book.zone if book.zone_is_ours else zone_written or book.zone
        scope, overhead = book.booked, book.overhead_booked
        apart = overhead != scope
        found[site, zone_written] = Place(
            site=site,
            zone_written=zone_written,
            zone=find_zone(zone).code if zone else WORLD.code,
            zone_assumed=not zone,
            control=book.control.value,
            scope=str(scope.scope),
            category=_number(scope.category),
            overhead_scope=str(overhead.scope) if apart else "",
            overhead_category=_number(overhead.category) if apart else "",
        )
    return found


def _number(category: int | None) -> str:
    return "" if category is None else str(category)


def _clock(name: str, site: str) -> tzinfo:
    try:
        return zone_of(name)
    except (ValueError, OSError, LookupError) as error:  # ZoneInfoNotFoundError is a KeyError
        raise UsageError(
            f"The time zone {name!r} of the site {site} is not known here.",
            "Install tzdata, or mend the site's timezone.",
        ) from error
