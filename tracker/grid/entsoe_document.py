"""Reads a document of ENTSO-E: actual generation by type of plant, in XML of IEC 62325-451-6.

The parts that are read::

    <GL_MarketDocument xmlns="urn:iec62325.351:tc57wg16:451-6:generationloaddocument:3:0"><type>A75</type>
      <TimeSeries>
        <inBiddingZone_Domain.mRID codingScheme="A01">10Y1001A1001A82H</inBiddingZone_Domain.mRID>
        <quantity_Measure_Unit.name>MAW</quantity_Measure_Unit.name><curveType>A01</curveType>
        <MktPSRType><psrType>B04</psrType></MktPSRType>
        <Period>
          <timeInterval><start>2026-10-03T10:00Z</start><end>2026-10-03T12:00Z</end></timeInterval>
          <resolution>PT15M</resolution>
          <Point><position>1</position><quantity>4711</quantity></Point> ...

A series with ``outBiddingZone_Domain.mRID`` is what plants took from the grid. Curve type A03: a position that is not
there has the value of the one before it; in A01 it is missing. What went wrong, or that there is nothing, is said by an
``Acknowledgement_MarketDocument``.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from tracker.grid.answers import instant_s, iso
from tracker.grid.interface import BadAnswer, NoData

SERVICE = "ENTSO-E"
RESOLUTIONS_S = {"PT15M": 900, "PT30M": 1800, "PT60M": 3600, "PT1H": 3600}
#: Europe at its peak is below 600 GW.
MAX_MW = 1_000_000
#: Points of a period; a year of quarters has 35,136.
MAX_POINTS = 40_000
_SHOWN = 160


@dataclass(frozen=True, slots=True)
class Generated:
    """Mean power in an interval."""

    length_s: int
    power_mw: Decimal


#: By type of plant ("B04") and start.
Generation = Mapping[str, Mapping[int, Generated]]


def parse_document(body: bytes, domain: str) -> Generation:
    """Raises NoData, or BadAnswer for what is no such document, is of another zone or contradicts itself."""
    root = _root(body)
    name = root.tag.rpartition("}")[2]
    if name == "Acknowledgement_MarketDocument":
        words = " ".join(root.findtext("{*}Reason/{*}text", "").split())[:_SHOWN]
        if "no matching data" in words.lower():
            raise NoData(f"{SERVICE} has nothing for {domain} and this time.")
        raise BadAnswer(f"{SERVICE} refused the question: {words or 'it does not say why'}")
    if name != "GL_MarketDocument" or root.findtext("{*}type") != "A75":
        raise BadAnswer(f"{SERVICE} answered with a document of another kind ({name[:40]}).")
    found: dict[str, dict[int, Generated]] = {}
    for series in root.findall("{*}TimeSeries"):
        if series.find("{*}outBiddingZone_Domain.mRID") is None:
            _check(series, domain)
            kind = series.findtext("{*}MktPSRType/{*}psrType", "")
            for start_s, generated in _points(series):
                if found.setdefault(kind, {}).setdefault(start_s, generated) != generated:
                    raise BadAnswer(f"{SERVICE} contradicts itself about {kind[:8]} from {iso(start_s)}.")
    return found


def _root(body: bytes) -> ET.Element:
    """Raises BadAnswer."""
    text = body.lstrip()
    if not text.startswith((b"<?xml", b"<GL_", b"<Ack")) or b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        looks = "HTML" if text[:1] == b"<" else "no XML"
        raise BadAnswer(f"{SERVICE} answered with something that is {looks}.", "Try again later.")
    try:
        return ET.fromstring(body)  # noqa: S314 - what declares entities is refused above
    except (ET.ParseError, ValueError, LookupError) as error:  # LookupError: an encoding that nobody knows
        raise BadAnswer(f"{SERVICE} answered with XML that is not whole ({error}).", "Try again later.") from error


def _check(series: ET.Element, domain: str) -> None:
    said = series.findtext("{*}inBiddingZone_Domain.mRID", "")
    if said != domain:
        raise BadAnswer(f"{SERVICE} answered for the zone {said[:20]!r} instead of {domain}.")
    unit = series.findtext("{*}quantity_Measure_Unit.name", "")
    if unit != "MAW":
        raise BadAnswer(f"{SERVICE} answered in {unit[:20]!r} instead of megawatts.")


def _points(series: ET.Element) -> Iterator[tuple[int, Generated]]:
    repeats = series.findtext("{*}curveType") == "A03"
    for period in series.findall("{*}Period"):
        start_s = instant_s(SERVICE, period.findtext("{*}timeInterval/{*}start", ""))
        end_s = instant_s(SERVICE, period.findtext("{*}timeInterval/{*}end", ""))
        length_s = RESOLUTIONS_S.get(period.findtext("{*}resolution", ""), 0)
        count = (end_s - start_s) // length_s if length_s else 0
        if not 0 < count <= MAX_POINTS or (end_s - start_s) % length_s or start_s % length_s:
            raise BadAnswer(f"{SERVICE} answered with a period from {iso(start_s)} whose length or steps are off.")
        powers = _powers(period, count)
        power_mw = None
        for position in range(1, count + 1):
            power_mw = powers.get(position, power_mw if repeats else None)
            if power_mw is not None:
                yield start_s + (position - 1) * length_s, Generated(length_s, power_mw)


def _powers(period: ET.Element, count: int) -> dict[int, Decimal]:
    """By position, from 1."""
    powers: dict[int, Decimal] = {}
    for point in period.findall("{*}Point"):
        place, quantity = point.findtext("{*}position", ""), point.findtext("{*}quantity", "")
        try:
            position, power_mw = int(place), Decimal(quantity)
        except (ValueError, InvalidOperation) as error:
            raise BadAnswer(f"{SERVICE} answered with {quantity[:20]!r} at {place[:20]!r}: no number.") from error
        if not 1 <= position <= count or not power_mw.is_finite() or abs(power_mw) > MAX_MW:
            raise BadAnswer(f"{SERVICE} answered with {quantity[:20]} MW at position {place[:20]}, which cannot be.")
        if powers.setdefault(position, power_mw) != power_mw:
            raise BadAnswer(f"{SERVICE} contradicts itself about position {position} of a period.")
    return powers
