"""Europe: an estimate of what generation emits, made of ENTSO-E's Transparency Platform. A free token is needed.

``GET /api?documentType=A75&processType=A16&in_Domain=10Y1001A1001A82H&periodStart=202610030000&periodEnd=202610040000``
is the actual generation of a bidding zone by type of plant (``entsoe_document.py``), up to an hour late and often
incomplete. ENTSO-E publishes no intensity: here it is computed (``entsoe_mix.py``) with direct factors of the IPCC by
type of plant, of what the zone generates itself, without imports. That is tier 2, an estimate.

The guide to the interface: transparencyplatform.zendesk.com, "Web API" (400 requests a minute and token). A token is
asked for by e-mail from transparency@entsoe.eu.

The package entsoe-py is not used: its parser takes a document that breaks off for a whole one, silently keeps the first
of two values that contradict each other, and forgets how long an interval is.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, ClassVar

import msgspec

from tracker.core.factors import ESTIMATED, Basis, FactorRow, FactorType, Origin, Scheme
from tracker.grid.answers import in_order, iso, printed
from tracker.grid.catalogue import Zone
from tracker.grid.clients import ADDRESS, key, shown
from tracker.grid.interface import Answer, Ask, BadAnswer, Denied, LiveProvider, NoData, Question
from tracker.grid.keyless import DAY_S, HOUR_S, factor_id, outward, place

SERVICE = "ENTSO-E"
UNIT = "g/kWh"
#: Energy Identification Codes of bidding zones (entsoe.eu/data/energy-identification-codes-eic), by country where the
#: whole country is one, else by what the zone is at Electricity Maps. DE is Germany and Luxembourg, IE the island.
DOMAINS = {
    "AT": "10YAT-APG------L",
    "BE": "10YBE----------2",
    "BG": "10YCA-BULGARIA-R",
    "CH": "10YCH-SWISSGRIDZ",
    "CZ": "10YCZ-CEPS-----N",
    "DE": "10Y1001A1001A82H",
    "DK-DK2": "10YDK-2--------M",
    "EE": "10Y1001A1001A39I",
    "ES": "10YES-REE------0",
    "FI": "10YFI-1--------U",
    "FR": "10YFR-RTE------C",
    "GR": "10YGR-HTSO-----Y",
    "HR": "10YHR-HEP------M",
    "HU": "10YHU-MAVIR----U",
    "IE": "10Y1001A1001A59C",
    "LT": "10YLT-1001A0008Q",
    "LV": "10YLV-1001A00074",
    "NL": "10YNL----------L",
    "PL": "10YPL-AREA-----S",
    "PT": "10YPT-REN------W",
    "RO": "10YRO-TEL------P",
    "RS": "10YCS-SERBIATSOV",
    "SE-SE3": "10Y1001A1001A46L",
    "SI": "10YSI-ELES-----O",
    "SK": "10YSK-SEPS-----K",
}


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[grid.entsoe]``. A token is needed."""

    #: The token itself, from the environment. It wins over the file.
    token: str = ""
    token_file: str = ""
    base_url: Annotated[str, msgspec.Meta(pattern=ADDRESS)] = "https://web-api.tp.entsoe.eu"

    def __repr__(self) -> str:
        return shown(self, "token")


_ROW = FactorRow(
    factor_id="",
    zone="",
    zone_printed="",
    zone_system="eic",
    value_printed="",
    unit_printed=UNIT,
    gases="CO2e",
    factor_type=FactorType.DIRECT,
    basis=Basis.PRODUCTION,
    scheme=Scheme.AVERAGE,
    quality_tier=ESTIMATED,
    valid_from_s=0,
    valid_to_s=0,
    edition="ENTSO-E A75 x IPCC 2014",
    data_year="",
    publisher="ENTSO-E Transparency Platform; IPCC",
    source_ref="",
    licence="terms of the ENTSO-E Transparency Platform",
    gwp_set="AR5",
    confidence="M",
    note="It is computed here, of generation by type and IPCC medians by type.",
    publisher_url="https://transparency.entsoe.eu",
    attribution="ENTSO-E Transparency Platform (generation); IPCC AR5 WG III, Annex III (factors).",
)


class Entsoe(LiveProvider):
    """Direct averages of what a bidding zone generates (tier 2)."""

    name: ClassVar[str] = "entsoe"
    #: Some 150 kB a day; a document may be of a year.
    max_range_s: ClassVar[int] = 14 * DAY_S

    def __init__(self, options: Options, ask: Ask) -> None:
        self._options = options
        self._address = f"{options.base_url.rstrip('/')}/api"
        self._ask = ask

    def covers(self, zone: Zone) -> bool:
        return place(zone) in DOMAINS

    def read(self, zone: Zone, start_s: int, end_s: int, now_s: int) -> tuple[FactorRow, ...]:
        """Intervals that have begun and of whose generation at least 95 % is known."""
        from tracker.grid.entsoe_document import parse_document  # noqa: PLC0415 - it loads an XML parser
        from tracker.grid.entsoe_mix import direct_factors, intensities  # noqa: PLC0415 - as above
        from tracker.grid.redact import discreet  # noqa: PLC0415 - only where something is asked

        domain = DOMAINS.get(place(zone))
        if domain is None:
            raise NoData(f"{SERVICE} has no bidding zone that is known to be {zone.code}.", "Set a zone that is one.")
        answer, token = self._get(domain, *outward(start_s, end_s, HOUR_S))
        with discreet(SERVICE, answer.body, [token]):  # what it refuses it tells by a document, whose words are told on
            found = intensities(parse_document(answer.body, domain), direct_factors())
        rows = [
            self._row(zone, domain, interval.start_s, interval.end_s, interval.g_per_kwh, answer)
            for interval in found
            if start_s <= interval.start_s < end_s and interval.start_s <= now_s
        ]
        return in_order(SERVICE, rows)

    def _get(self, domain: str, start_s: int, end_s: int) -> tuple[Answer, str]:
        """And the token that was sent."""
        options = self._options
        token = key(SERVICE, options.token, options.token_file, f"grid.{self.name}.token")
        query = {
            "documentType": "A75",
            "processType": "A16",
            "in_Domain": domain,
            "periodStart": _minute(start_s),
            "periodEnd": _minute(end_s),
        }
        question = Question(self._address, query, secret_query={"securityToken": token})
        return _judged(self._ask(question), domain), token

    def _row(self, zone: Zone, domain: str, start_s: int, end_s: int, value: Decimal, answer: Answer) -> FactorRow:
        return replace(
            _ROW,
            factor_id=factor_id(self.name, zone.code, FactorType.DIRECT, start_s, end_s),
            zone=zone.code,
            zone_printed=domain,
            value_printed=printed(SERVICE, value, UNIT),
            valid_from_s=start_s,
            valid_to_s=end_s,
            data_year=iso(start_s)[:4],
            source_ref=f"{self._address}?documentType=A75&processType=A16&in_Domain={domain}, {iso(start_s)}",
            origin=Origin(
                provider=self.name,
                endpoint=answer.endpoint,
                model_version="IPCC 2014",
                is_estimated=True,
                estimation_method="generation by type x IPCC 2014",
                fetched_at_s=answer.fetched_at_s,
                raw_sha256=answer.sha256,
            ),
        )


def _minute(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y%m%d%H%M")


def _judged(answer: Answer, domain: str) -> Answer:
    """A 400 is judged by its document, which says that there is nothing or what is wrong. Raises ProviderError."""
    match answer.status:
        case 401 | 403:
            remedy = "Put a valid one into the file of grid.entsoe.token_file (transparency.entsoe.eu)."
            raise Denied(f"{SERVICE} does not accept the token ({answer.status}).", remedy)
        case 404 | 410:
            raise NoData(f"{SERVICE} has nothing for {domain} ({answer.status}).")
        case status if status == 400 or 200 <= status <= 299:  # noqa: PLR2004 - RFC 9110: bad request; success
            return answer
        case status:
            raise BadAnswer(f"{SERVICE} refused the question with status {status}.")
