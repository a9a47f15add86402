"""Documents of generation by type of plant, as ENTSO-E writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

GERMANY = "10Y1001A1001A82H"
LENGTHS = {"PT15M": 900, "PT30M": 1800, "PT60M": 3600}


def at(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%MZ")


def series(
    kind: str,
    start_s: int,
    powers: Mapping[int, object] | Sequence[object],
    *,
    resolution: str = "PT15M",
    count: int = 0,
    curve: str = "A01",
    zone: str = GERMANY,
    unit: str = "MAW",
    direction: str = "in",
) -> str:
    """``powers``: in order, or by position. ``count``: of positions, where not all are there."""
    found = powers if isinstance(powers, Mapping) else dict(enumerate(powers, 1))
    end_s = start_s + (count or max(found)) * LENGTHS.get(resolution, 900)
    points = "".join(
        f"<Point><position>{position}</position><quantity>{power}</quantity></Point>"
        for position, power in found.items()
    )
    return (
        f"<TimeSeries><mRID>1</mRID><businessType>A01</businessType><objectAggregation>A08</objectAggregation>"
        f'<{direction}BiddingZone_Domain.mRID codingScheme="A01">{zone}</{direction}BiddingZone_Domain.mRID>'
        f"<quantity_Measure_Unit.name>{unit}</quantity_Measure_Unit.name><curveType>{curve}</curveType>"
        f"<MktPSRType><psrType>{kind}</psrType></MktPSRType><Period><timeInterval><start>{at(start_s)}</start>"
        f"<end>{at(end_s)}</end></timeInterval><resolution>{resolution}</resolution>{points}</Period></TimeSeries>"
    )


def document(*parts: str, kind: str = "A75") -> bytes:
    space = "urn:iec62325.351:tc57wg16:451-6:generationloaddocument:3:0"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<GL_MarketDocument xmlns="{space}"><mRID>m</mRID>'
        f"<type>{kind}</type><process.processType>A16</process.processType>{''.join(parts)}</GL_MarketDocument>"
    ).encode()


def acknowledgement(words: str) -> bytes:
    """What ENTSO-E answers with instead of values."""
    space = "urn:iec62325.351:tc57wg16:451-1:acknowledgementdocument:7:0"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Acknowledgement_MarketDocument xmlns="{space}"><mRID>m</mRID>'
        f"<Reason><code>999</code><text>{words}</text></Reason></Acknowledgement_MarketDocument>"
    ).encode()
