"""United States: the Hourly Electric Grid Monitor of the Energy Information Administration (EIA), form EIA-930. No key.

Hourly CO2 is in one workbook for each balancing authority and in no programming interface::

    https://www.eia.gov/electricity/gridmonitor/knownissues/xls/CISO.xlsx

``eia_sheet.py`` says what is read of it: the average of what is consumed, imports counted at the intensity of where
they come from. It is CO2 alone and direct, about a day late, and restated without notice.

A workbook has everything since 2018 (some 20 MB), changes once a day, and takes many seconds to read: a process reads
it once for all its ranges, and ``[grid] poll = "6h"`` is often enough. ``folder`` reads workbooks that somebody else
fetches, named as the EIA names them.

Needs openpyxl: ``pip install 'wattledger[eia]'``.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Annotated, ClassVar

import msgspec

from tracker.core.errors import UsageError
from tracker.core.factors import MEASURED, Basis, FactorRow, FactorType, Origin, Scheme
from tracker.grid.answers import in_order, iso, printed
from tracker.grid.catalogue import Zone
from tracker.grid.clients import ADDRESS
from tracker.grid.interface import Ask, BadAnswer, LiveProvider, NoData, Question, Unreachable
from tracker.grid.keyless import DAY_S, HOUR_S, factor_id, judged

SERVICE = "EIA-930"
UNIT = "lb/kWh"
MAX_BYTES = 128 << 20
#: Balancing authorities by the zone of the catalogue, or of what a cloud region's grid is at Electricity Maps.
AUTHORITIES = {
    "US-CAL-CISO": "CISO",
    "US-CAR-DUK": "DUK",
    "US-CAR-SC": "SC",
    "US-CAR-SCEG": "SCEG",
    "US-CENT-SWPP": "SWPP",
    "US-MIDA-PJM": "PJM",
    "US-MIDW-MISO": "MISO",
    "US-NW-BPAT": "BPAT",
    "US-NW-PACW": "PACW",
    "US-TEX-ERCO": "ERCO",
}


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[grid.eia]``."""

    base_url: Annotated[str, msgspec.Meta(pattern=ADDRESS)] = "https://www.eia.gov"
    #: Where workbooks lie that were fetched already ("/srv/eia", with CISO.xlsx in it). Then nobody is asked.
    folder: str = ""


@dataclass(frozen=True, slots=True)
class _Workbook:
    """What one has, by the start of the hour, and where it came from."""

    hours: Sequence[tuple[int, Decimal | None]]
    endpoint: str
    sha256: str
    fetched_at_s: int


_ROW = FactorRow(
    factor_id="",
    zone="",
    zone_printed="",
    zone_system="eia-ba",
    value_printed="",
    unit_printed=UNIT,
    gases="CO2",
    factor_type=FactorType.DIRECT,
    basis=Basis.CONSUMPTION,
    scheme=Scheme.AVERAGE,
    quality_tier=MEASURED,
    valid_from_s=0,
    valid_to_s=0,
    edition="EIA-930 Hourly Electric Grid Monitor",
    data_year="",
    publisher="US EIA",
    source_ref="",
    licence="public domain",
    gwp_set="none",
    confidence="V",
    note="CO2 only.",
    publisher_url="https://www.eia.gov/electricity/gridmonitor/about",
    attribution="U.S. Energy Information Administration, Hourly Electric Grid Monitor.",
)


class Eia(LiveProvider):
    """Hours of a balancing authority (tier 1). Raises UsageError where openpyxl is not installed."""

    name: ClassVar[str] = "eia"
    #: All of it comes at once.
    max_range_s: ClassVar[int] = 366 * DAY_S

    def __init__(self, options: Options, ask: Ask) -> None:
        if importlib.util.find_spec("openpyxl") is None:
            raise UsageError(
                "The provider eia reads workbooks, and openpyxl is not installed.", "pip install 'wattledger[eia]'"
            )
        self._folder = options.folder
        self._address = f"{options.base_url.rstrip('/')}/electricity/gridmonitor/knownissues/xls"
        self._ask = ask
        self._kept: tuple[str, int, _Workbook] | None = None

    def covers(self, zone: Zone) -> bool:
        return zone.em_zone in AUTHORITIES

    def read(self, zone: Zone, start_s: int, end_s: int, now_s: int) -> tuple[FactorRow, ...]:
        """Hours that are in the workbook, also those without a value."""
        authority = AUTHORITIES.get(zone.em_zone)
        if authority is None:
            raise NoData(f"{SERVICE} has no balancing authority that is known to be {zone.code}.")
        workbook = self._workbook(authority, now_s)
        rows = [
            _row(zone, authority, hour_s, value, workbook)
            for hour_s, value in workbook.hours
            if start_s <= hour_s < end_s and hour_s <= now_s
        ]
        return in_order(SERVICE, rows)

    def _workbook(self, authority: str, now_s: int) -> _Workbook:
        """Read once for all ranges of one poll."""
        kept = self._kept
        if kept is None or kept[:2] != (authority, now_s):
            file = f"{authority}.xlsx"
            found = self._from_folder(file, now_s) if self._folder else self._asked(file)
            hours = hours_of(found[0], authority)
            kept = self._kept = (authority, now_s, _Workbook(hours, *found[1:]))
        return kept[2]

    def _asked(self, file: str) -> tuple[bytes, str, str, int]:
        answer = judged(SERVICE, self._ask(Question(f"{self._address}/{file}", max_bytes=MAX_BYTES)))
        return answer.body, answer.endpoint, answer.sha256, answer.fetched_at_s

    def _from_folder(self, file: str, now_s: int) -> tuple[bytes, str, str, int]:
        import hashlib  # noqa: PLC0415 - it loads OpenSSL, which the daemon does without

        path = Path(self._folder) / file
        try:
            if not path.is_file():  # a pipe has no end
                raise NoData(f"{path} is not there.", "Check folder in [grid.eia].")
            if path.stat().st_size > MAX_BYTES:
                raise BadAnswer(f"{path} is larger than {MAX_BYTES >> 20} MiB.", "Check folder in [grid.eia].")
            body = path.read_bytes()
        except OSError as error:
            raise Unreachable(f"{path} cannot be read: {error.strerror}.", "Check folder in [grid.eia].") from error
        return body, str(path), hashlib.sha256(body).hexdigest(), now_s


def hours_of(body: bytes, authority: str) -> list[tuple[int, Decimal | None]]:
    """Start of the hour and lb/kWh, None where there is no value. Raises BadAnswer for a workbook that is none,
    or of another authority. A value of 0 is no value: each of these grids burns something or imports from one that
    does."""
    from tracker.grid.eia_sheet import read_sheet  # noqa: PLC0415 - it loads openpyxl

    hours = []
    for ba, end_s, value in read_sheet(body):
        if ba != authority:
            raise BadAnswer(f"{SERVICE} answered for {ba[:20]!r} instead of {authority}.")
        if end_s % HOUR_S:
            raise BadAnswer(f"{SERVICE} answered with the time {iso(end_s)}, which is no full hour.")
        hours.append((end_s - HOUR_S, Decimal(printed(SERVICE, value, UNIT)) if value else None))
    return hours


def _row(zone: Zone, authority: str, start_s: int, value: Decimal | None, workbook: _Workbook) -> FactorRow:
    end_s = start_s + HOUR_S
    return replace(
        _ROW,
        factor_id=factor_id(Eia.name, zone.code, FactorType.DIRECT, start_s, end_s),
        zone=zone.code,
        zone_printed=authority,
        value_printed="" if value is None else str(value),
        valid_from_s=start_s,
        valid_to_s=end_s,
        data_year=iso(start_s)[:4],
        source_ref=f"{authority}.xlsx, Published Hourly Data, UTC time {iso(end_s)}",
        origin=Origin(
            provider=Eia.name,
            endpoint=workbook.endpoint,
            is_estimated=False,
            fetched_at_s=workbook.fetched_at_s,
            raw_sha256=workbook.sha256,
        ),
    )
