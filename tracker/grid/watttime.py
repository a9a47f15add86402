"""WattTime: what a region's average and marginal kilowatt-hour emit, every five minutes.

Source: docs.watttime.org (API v3). Two of its signals are used, and never taken for one another:

- ``co2_aoer``, the average operating emissions rate, becomes factor rows. The service has it for the past only.
- ``co2_moer``, the marginal operating emissions rate, is what one kWh more would cause: a forecast with the scheme
  of an operating margin, for planning. It is never a row: margins do not belong into an inventory.

``signal-index`` is not asked: it ranks hours from 0 to 100 and says nothing of grams. An answer in such percentiles is
refused.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Annotated, ClassVar

import msgspec

from tracker.core.factors import FactorRow
from tracker.core.forecast import Forecast
from tracker.grid.answers import decode, in_order, iso
from tracker.grid.catalogue import Zone
from tracker.grid.clients import ADDRESS, key, shown
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
from tracker.grid.keyless import DAY_S, said
from tracker.grid.watttime_answers import AVERAGE, MARGINAL, NAME, SERVICE, Asked, parse_forecast, parse_rows
from tracker.grid.zones import find_zone

#: A token lives for 30 minutes; none is used that could end on the way.
TOKEN_S = 25 * 60
_UNAUTHORISED = 401


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of WattTime. An account is needed, and the regions by name: no place is ever looked up."""

    username: str = ""
    #: The password itself, from the environment. It wins over the file.
    password: str = ""
    password_file: str = ""
    base_url: Annotated[str, msgspec.Meta(pattern=ADDRESS)] = "https://api.watttime.org"
    #: Zone of the catalogue -> region of the average signal: { "US-CAL-CISO" = "CAISO" }.
    regions: Mapping[str, str] = {}
    #: Zone of the catalogue -> region of the marginal signal, which are others: { "US-CAL-CISO" = "CAISO_NORTH" }.
    moer_regions: Mapping[str, str] = {}
    forecast_hours: Annotated[int, msgspec.Meta(ge=1, le=72)] = 24

    def __repr__(self) -> str:
        return shown(self, "password")


class _Login(msgspec.Struct):
    token: str


class WattTimeProvider(LiveProvider):
    """Logs in by itself and keeps the token for 25 minutes; never in a file."""

    name: ClassVar[str] = NAME
    #: The service gives at most 32 days at once.
    max_range_s: ClassVar[int] = 31 * DAY_S

    def __init__(self, options: Options, ask: Ask) -> None:
        """Raises UnknownZone for a zone that is in no catalogue."""
        self._options = options
        self._ask = ask
        self._averages = {find_zone(zone).code: region for zone, region in options.regions.items()}
        self._margins = {find_zone(zone).code: region for zone, region in options.moer_regions.items()}
        self._token = ""
        self._token_at_s = 0

    def covers(self, zone: Zone) -> bool:
        """Whether the configuration names a region for it."""
        return zone.code in self._averages or zone.code in self._margins

    def read(self, zone: Zone, start_s: int, end_s: int, now_s: int) -> tuple[FactorRow, ...]:
        """See LiveProvider. Nothing for a zone that has a region of the marginal signal only."""
        region = self._averages.get(zone.code)
        if region is None and zone.code in self._margins:
            return ()
        if region is None:
            remedy = f'Set {zone.code} = "<region>" in [grid.{NAME}.regions] (docs.watttime.org).'
            raise NoData(f"Nobody said which region of {SERVICE} the zone {zone.code} is.", remedy)
        asked = Asked(zone, region, AVERAGE)
        # ``end`` is inclusive. The marker tells which points come from the fallback model; unasked, it is left out.
        when = {"start": _offset(start_s), "end": _offset(end_s - 1), "include_imputed_marker": "true"}
        rows = in_order(SERVICE, parse_rows(self._get("v3/historical", asked, when, now_s), asked))
        return tuple(row for row in rows if start_s <= row.valid_from_s < end_s and row.valid_from_s <= now_s)

    def forecast(self, zone: Zone, now_s: int) -> Forecast | None:
        """Of the margin; None where nobody named a region of the marginal signal."""
        region = self._margins.get(zone.code)
        if region is None:
            return None
        asked = Asked(zone, region, MARGINAL)
        horizon = {"horizon_hours": str(self._options.forecast_hours)}
        return parse_forecast(self._get("v3/forecast", asked, horizon, now_s), asked, now_s)

    def _get(self, path: str, asked: Asked, more: Mapping[str, str], now_s: int) -> Answer:
        """With a token; a token that is not accepted any more is replaced once."""
        fresh = not 0 <= now_s - self._token_at_s < TOKEN_S or not self._token
        if fresh:
            self._log_in(now_s)
        answer = self._ask(self._question(path, asked, more))
        if answer.status == _UNAUTHORISED and not fresh:
            self._log_in(now_s)
            answer = self._ask(self._question(path, asked, more))
        if answer.status == _UNAUTHORISED:
            self._token = ""
        if not 200 <= answer.status < 300:  # noqa: PLR2004 - RFC 9110: 2xx is success
            raise _refusal(answer, asked)
        return answer

    def _question(self, path: str, asked: Asked, more: Mapping[str, str]) -> Question:
        query = {"region": asked.region, "signal_type": asked.signal, **more}
        return Question(self._url(path), query, headers={"Authorization": f"Bearer {self._token}"})

    def _url(self, path: str) -> str:
        return f"{self._options.base_url.rstrip('/')}/{path}"

    def _log_in(self, now_s: int) -> None:
        options = self._options
        if not options.username:
            raise Denied(f"{SERVICE} needs an account, and there is no user name.", f"Set grid.{NAME}.username.")
        password = key(SERVICE, options.password, options.password_file, f"grid.{NAME}.password")
        basic = base64.b64encode(f"{options.username}:{password}".encode()).decode()
        answer = self._ask(Question(self._url("login"), headers={"Authorization": f"Basic {basic}"}))
        if answer.status in {_UNAUTHORISED, 403}:
            remedy = f"Put the password of {options.username} into the file of grid.{NAME}.password_file."
            raise Denied(f"{SERVICE} does not accept the user name and password.", remedy)
        if not 200 <= answer.status < 300:  # noqa: PLR2004 - RFC 9110: 2xx is success
            raise BadAnswer(f"{SERVICE} refused the login with status {answer.status}{_because(answer)}.")
        token = decode(SERVICE, answer, _Login).token
        if not token or not (token.isascii() and token.isprintable()):
            raise BadAnswer(f"{SERVICE} answered the login without a token.", "Try again later.")
        self._token, self._token_at_s = token, now_s


def _offset(at_s: int) -> str:
    """A time as the service's pages write it, 2023-07-15T00:00:00+00:00."""
    return iso(at_s).replace("Z", "+00:00")


def _because(answer: Answer) -> str:
    words = said(answer.body)
    return f": {words}" if words else ""


def _refusal(answer: Answer, asked: Asked) -> ProviderError:
    because = _because(answer)
    match answer.status:
        case 401:
            return Denied(f"{SERVICE} does not accept a new token{because}.", "Log in at watttime.org and look.")
        case 403:
            remedy = "A free account has CAISO_NORTH only, without averages."
            return NotInPlan(
                f"The plan with {SERVICE} does not have {asked.signal} of {asked.region}{because}.", remedy
            )
        case 404:
            return NoData(f"{SERVICE} has no {asked.signal} of {asked.region} for this time{because}.")
        case status:
            return BadAnswer(f"{SERVICE} refused the question with status {status}{because}.")
