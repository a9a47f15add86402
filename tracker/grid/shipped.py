"""The tables that ship with this package: factors, their publishers, and the footprints of devices.

Described in ``data/README.md``. Reading and parsing are apart; a row that lacks its provenance is a ValueError, so that
no number without a source can get in.

A factor that is corrected keeps its row: the corrected one stands below it, with the same ``factor_id`` and the day on
which it was collected. So a later release answers a question as of today like this one.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from tracker.core.embodied import Device
from tracker.core.factors import UNITS, Basis, FactorRow, FactorType, Origin, Scheme
from tracker.core.known import FactorRecord, next_record
from tracker.grid.catalogue import DATA, by_name

FACTORS = DATA / "factors"
#: The day on which the first tables were collected, as an instant; it stays. Whoever asks what was known before it is
#: told of none of them, nor of the averages of codecarbon, which do not say since when they are known.
COLLECTED_S = int(datetime(2026, 10, 31, tzinfo=UTC).timestamp())
_MUST_SAY = (
    "factor_id",
    "zone",
    "gases",
    "edition",
    "publisher",
    "source_ref",
    "licence",
    "gwp_set",
    "confidence",
    "recorded",
)
_TD = {"true": True, "false": False, "unspecified": None}


@dataclass(frozen=True, slots=True)
class Publisher:
    """Where a publisher's tables are, and the line that it asks to be printed with them."""

    name: str
    url: str
    licence_url: str
    attribution: str


def parse_publishers(text: str) -> dict[str, Publisher]:
    """Rows of publishers.csv, by name."""
    return {row["publisher"]: Publisher(*row.values()) for row in csv.DictReader(text.splitlines())}


def parse_factors(text: str, publishers: Mapping[str, Publisher]) -> Iterator[FactorRow]:
    """Rows of a factor table, those that were corrected since too. Raises ValueError for a row without its provenance,
    KeyError for an unknown zone, unit or publisher."""
    return (factor_of(row, publishers) for row in csv.DictReader(text.splitlines()))


def factor_of(row: Mapping[str, str], publishers: Mapping[str, Publisher]) -> FactorRow:
    """A row of a factor table by its columns. Raises as ``parse_factors``."""
    silent = [name for name in _MUST_SAY if not row[name]]
    if silent or (row["value_printed"] and not Decimal(row["value_printed"]).is_finite()):
        raise ValueError(f"the row {row['factor_id']!r} does not say its {', '.join(silent) or 'value'}")
    publisher = publishers[row["publisher"]]
    UNITS[row["unit_printed"]]  # KeyError here and not at the first use
    return FactorRow(
        factor_id=row["factor_id"],
        zone=by_name()[row["zone"].upper()].code,
        zone_printed=row["zone"],
        zone_system=row["zone_system"],
        value_printed=row["value_printed"],
        unit_printed=row["unit_printed"],
        gases=row["gases"],
        factor_type=FactorType(row["factor_type"]),
        basis=Basis(row["basis"]),
        scheme=Scheme(row["scheme"]),
        quality_tier=int(row["tier"]),
        valid_from_s=midnight_s(row["valid_from"]),
        valid_to_s=midnight_s(row["valid_to"]),
        edition=row["edition"],
        data_year=row["data_year"],
        publisher=publisher.name,
        source_ref=row["source_ref"],
        licence=row["licence"],
        gwp_set=row["gwp_set"],
        includes_td=_TD[row["includes_td"]],
        confidence=row["confidence"],
        note=row["note"],
        publisher_url=publisher.url,
        attribution=publisher.attribution,
        origin=_collected_on(row["recorded"]),
    )


@functools.cache
def _collected_on(day: str) -> Origin:
    return Origin(fetched_at_s=midnight_s(day))


def midnight_s(day: str) -> int:
    """The start of an ISO date in UTC."""
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())


def parse_devices(text: str) -> tuple[Device, ...]:
    """Rows of embodied.csv."""
    return tuple(
        Device(
            name=row["device"],
            kgco2e=Decimal(row["kgco2e"]) if row["kgco2e"] else None,
            unit=row["unit"],
            aliases=tuple(filter(None, row["aliases"].split(";"))),
            publisher=row["publisher"],
            source_ref=row["source_ref"],
            licence=row["licence"],
            confidence=row["confidence"],
            note=row["note"],
        )
        for row in csv.DictReader(text.splitlines())
    )


def read_factors(folder: Path = FACTORS, as_of_s: int | None = None) -> Iterator[FactorRow]:
    """The rows of every table in the folder, in its order: a daemon keeps those of its own zone. Of a corrected factor
    the row that was known last at ``as_of_s`` (None: of all). A table may be left out."""
    for rows in _tables(folder):
        known: dict[str, FactorRow] = {}
        for row in rows:
            if as_of_s is None or collected_s(row) <= as_of_s:
                known[row.factor_id] = row
        yield from known.values()


def read_history(factor_ids: Collection[str], folder: Path = FACTORS) -> dict[str, list[FactorRecord]]:
    """Of those of these factors that are in the tables every record, the first one first."""
    found: dict[str, list[FactorRecord]] = {}
    for number, row in enumerate((row for rows in _tables(folder) for row in rows), start=1):
        if row.factor_id in factor_ids:
            records = found.setdefault(row.factor_id, [])
            records.append(next_record(records[-1] if records else None, row, collected_s(row), number))
    return found


def collected_s(row: FactorRow) -> int:
    """Since when a row of the tables is known."""
    return COLLECTED_S if row.origin.fetched_at_s is None else row.origin.fetched_at_s


def _tables(folder: Path) -> Iterator[Iterable[FactorRow]]:
    """One table at a time."""
    publishers = parse_publishers((DATA / "publishers.csv").read_text("utf-8"))
    for path in sorted(folder.glob("*.csv")):
        yield parse_factors(path.read_text("utf-8"), publishers)


@functools.cache
def devices() -> tuple[Device, ...]:
    """The footprints that ship."""
    return parse_devices((DATA / "embodied.csv").read_text("utf-8"))
