"""Electricity Maps: the average intensity of what a zone consumes, imports traced to where they come from.

Source: app.electricitymaps.com/docs (API v4; v3 is the same in all that is used here). Values are revised for months,
so that what was read is read again.

Without a zone that it knows, the service answers for the place of the caller's address. ``disableCallerLookup`` forbids
that, and an answer for another zone than the one asked for is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import msgspec

from tracker.core.errors import UsageError
from tracker.core.factors import FactorRow
from tracker.core.forecast import Forecast
from tracker.core.rereads import begin_of_last_day
from tracker.grid.answers import in_order, iso
from tracker.grid.catalogue import Zone
from tracker.grid.clients import ADDRESS, key, shown
from tracker.grid.electricitymaps_answers import NAME, SERVICE, Asked, parse_forecast, parse_rows
from tracker.grid.interface import (
    Answer,
    Ask,
    BadAnswer,
    Denied,
    LiveProvider,
    NoData,
    NotInPlan,
    ProviderError,
    Question,
)
from tracker.grid.keyless import DAY_S, HOUR_S, outward, said
from tracker.grid.zones import find_zone

#: For ``check``, and as the remedy of NotInPlan.
FREE_PLAN = (
    "A free plan reads the last 24 hours only: poll at least every 12 hours, or hours are lost for good. "
    "Earlier ones get the next best factor."
)
#: Countries that are several grids there: the country's own code is an aggregate that no site is connected to, and
#: plans refuse it ("Request unauthorized for zoneKey=IT"). A site in one needs a zone of the catalogue that names its
#: grid. Countries of which only islands are apart (ES, FR, GB, NZ, PT) are not here: their code is the mainland.
SPLIT = frozenset(["AU", "BR", "CA", "CL", "DK", "FO", "IN", "IT", "JP", "MY", "NO", "PH", "RU", "SE", "US"])
_PLAN_WORDS = ("unauthorized for zonekey", "do not have access")


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of Electricity Maps. A token is needed."""

    #: The token itself, from the environment. It wins over the file.
    token: str = ""
    token_file: str = ""
    base_url: Annotated[str, msgspec.Meta(pattern=ADDRESS)] = "https://api.electricitymaps.com"
    api_version: Literal["v4", "v3"] = "v4"
    #: Scope 2 wants direct factors; the service itself would give life-cycle ones.
    factor_type: Literal["direct", "lifecycle"] = "direct"
    #: Zone of the catalogue -> zone of the service, where the catalogue does not know it: { "US-CA" = "US-CAL-CISO" }.
    zones: Mapping[str, str] = {}
    #: What was not measured stays a hole, instead of the service's estimate (tier 2).
    disable_estimations: bool = False
    granularity: Literal["hourly", "15_minutes", "5_minutes"] = "hourly"
    forecast_hours: Literal[6, 24, 48, 72] = 24

    def __repr__(self) -> str:
        return shown(self, "token")


class ElectricityMapsProvider(LiveProvider):
    """Reads ``history`` (the last 24 hours, in every plan) and ``past-range`` (earlier; at most 10 days of hours)."""

    name: ClassVar[str] = NAME
    max_range_s: ClassVar[int] = 10 * DAY_S

    def __init__(self, options: Options, ask: Ask) -> None:
        self._options = options
        self._named = dict(_named(zone, place) for zone, place in options.zones.items())
        self._ask = ask

    def covers(self, zone: Zone) -> bool:
        return bool(self._place(zone))

    def read(self, zone: Zone, start_s: int, end_s: int, now_s: int) -> tuple[FactorRow, ...]:
        """See LiveProvider. Where the plan has no past, that part of the range which ``history`` has is given;
        NotInPlan only for a range that ends before it."""
        asked = self._asked(zone)
        history_from_s = begin_of_last_day(now_s)
        if start_s >= history_from_s:
            answer = self._get(asked, "history", {})
        else:
            try:
                begin_s, until_s = outward(start_s, end_s, HOUR_S)
                answer = self._get(asked, "past-range", {"start": iso(begin_s), "end": iso(until_s)})
            except NotInPlan:
                if end_s <= history_from_s:
                    raise
                answer = self._get(asked, "history", {})
        rows = in_order(SERVICE, parse_rows(answer, asked))
        return tuple(row for row in rows if start_s <= row.valid_from_s < end_s and row.valid_from_s <= now_s)

    def forecast(self, zone: Zone, now_s: int) -> Forecast:
        """What an average kWh is expected to weigh."""
        asked = self._asked(zone)
        answer = self._get(asked, "forecast", {"horizonHours": str(self._options.forecast_hours)})
        return parse_forecast(answer, asked, now_s)

    def _asked(self, zone: Zone) -> Asked:
        options, place = self._options, self._place(zone)
        if not place:
            remedy = f'Set a zone that is one grid, or {zone.code} = "<zone>" in [grid.{NAME}.zones].'
            raise NoData(f"{SERVICE} has no zone that is known to be {zone.code}.", remedy)
        return Asked(zone, place, options.factor_type, options.granularity, options.api_version)

    def _place(self, zone: Zone) -> str:
        return self._named.get(zone.code) or place_of(zone)

    def _get(self, asked: Asked, what: str, more: dict[str, str]) -> Answer:
        options = self._options
        token = key(SERVICE, options.token, options.token_file, f"grid.{NAME}.token")
        query = {
            "zone": asked.place,
            "disableCallerLookup": "true",
            "emissionFactorType": options.factor_type,
            "temporalGranularity": options.granularity,
            **({"disableEstimations": "true"} if options.disable_estimations else {}),
            **more,
        }
        url = f"{options.base_url.rstrip('/')}/{options.api_version}/carbon-intensity/{what}"
        answer = self._ask(Question(url, query, headers={"auth-token": token}))
        if not 200 <= answer.status < 300:  # noqa: PLR2004 - RFC 9110: 2xx is success
            raise _refusal(answer, asked.place)
        return answer


def _named(text: str, place: str) -> tuple[str, str]:
    """A setting of ``zones``. Raises UsageError for a place in another country."""
    zone = find_zone(text)
    if not zone.country or place.partition("-")[0] != zone.country:
        raise UsageError(
            f"grid.{NAME}.zones has {zone.code} = {place[:40]!r}, which is no place in {zone.country or 'a country'}.",
            f"Zones of {SERVICE} begin with the country's code, like US-CAL-CISO.",
        )
    return zone.code, place


def place_of(zone: Zone) -> str:
    """The zone as the service calls it: what the catalogue says, else the ISO code of a country that is one grid.
    "": not known."""
    if zone.em_zone:
        return zone.em_zone
    return zone.code if zone.kind == "country" and zone.code not in SPLIT else ""


def _refusal(answer: Answer, place: str) -> ProviderError:
    """401 means two things: a token that it does not know ("Invalid auth-token"), and a plan without this zone or
    endpoint ("Request unauthorized for zoneKey=…", "You do not have access to …")."""
    words = said(answer.body)
    because = f": {words}" if words else ""
    match answer.status:
        case 401 if any(plan in words.lower() for plan in _PLAN_WORDS):
            return NotInPlan(f"The plan with {SERVICE} does not have this for {place}{because}.", FREE_PLAN)
        case 401 | 403:
            remedy = f"Put a valid one into the file of grid.{NAME}.token_file (app.electricitymaps.com)."
            return Denied(f"{SERVICE} does not accept the token{because}.", remedy)
        case 404:
            return NoData(f"{SERVICE} has no data for {place} and this time{because}.")
        case status:
            return BadAnswer(f"{SERVICE} refused the question with status {status}{because}.")
