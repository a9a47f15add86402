"""Factors in a file, for machines that reach no service: written by one wattledger, read by another.

One JSON object, everything in it text, whole numbers, true, false or null::

    {"content": {"factors": [{"recorded_at_s": 1791043200, "row": {...}}, ...]},
     "format": "wattledger-factors", "sha256": "...", "version": 1}

- ``row`` has every field of ``FactorRow``, ``origin`` in it every field of ``Origin``, under those names.
- ``sha256`` is of ``content`` with sorted keys and no spaces. By hand: ``jq -cSj .content FILE | sha256sum``. It shows
  that a copy went wrong, not who wrote the file.
- A factor is in it once, with its best known value: what it superseded stays with whoever recorded it.
- ``recorded_at_s`` says since when the exporter knew the value. It is for people who compare two machines, and is not
  taken over: a machine that imports learns the value now, and what it answers as of an earlier time does not change.
  What a value's history needs (who published it, when it was fetched) is in ``row`` and stays.
- Forecasts are not in it: they are over before a file has been carried anywhere.

The same records give the same bytes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

import msgspec

from tracker.core.errors import WattledgerError
from tracker.core.factors import FactorRow, Origin
from tracker.core.known import FactorRecord, best_known
from tracker.grid.catalogue import by_name
from tracker.grid.store_rows import sound, text, why_unusable

FORMAT, VERSION = "wattledger-factors", 1
MAX_BYTES = 64 * 1024 * 1024  # some seven years of a zone's hours
_ROW = frozenset(field.name for field in fields(FactorRow))
_ORIGIN = frozenset(field.name for field in fields(Origin))
_AGAIN = "Copy the file again, or write it again with: wattledger grid export"


class BundleRefused(WattledgerError):
    """The file is not taken: nothing of it is used."""


def encode_bundle(records: Iterable[FactorRecord]) -> bytes:
    """The best known value of each factor. Raises BundleRefused if it grows above MAX_BYTES."""
    factors = [
        {"recorded_at_s": each.recorded_at_s, "row": msgspec.to_builtins(sound(each.row))}
        for each in best_known(records)
    ]
    content = {"factors": factors}
    document = {"format": FORMAT, "version": VERSION, "sha256": _checksum(content), "content": content}
    data = msgspec.json.format(_canonical(document), indent=1) + b"\n"
    if len(data) > MAX_BYTES:
        raise BundleRefused(
            f"{len(factors)} factors make a bundle of more than {MAX_BYTES >> 20} MiB.",
            "Export fewer zones, or a shorter time with --from and --to, into several files.",
        )
    return data


def write_bundle(records: Iterable[FactorRecord], path: Path) -> None:
    """Write the whole file or none. Raises BundleRefused."""
    data = encode_bundle(records)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with part.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise BundleRefused(
            f"The bundle {path} cannot be written: {error.strerror}.", "Name another file, or free space there."
        ) from error


def read_bundle(path: Path) -> tuple[FactorRecord, ...]:
    """The factors of a file, in its order; ``number`` is the place in it, ``recorded_at_s`` the exporter's. Put them
    into a store with ``append(rows, now_s, from_elsewhere=True)``. Raises BundleRefused."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BundleRefused(
            f"The bundle {path} cannot be read: {error.strerror}.", "Name a file that you may read."
        ) from error
    return parse_bundle(data, str(path))


def parse_bundle(data: bytes, name: str) -> tuple[FactorRecord, ...]:
    """See ``read_bundle``. ``name`` is said in errors."""
    if len(data) > MAX_BYTES:
        raise BundleRefused(f"{name} is larger than {MAX_BYTES >> 20} MiB.", "Export it in several files.")
    factors = _checked_factors(data, name)
    records = tuple(_record(item, number, name) for number, item in enumerate(factors, 1))
    seen: set[str] = set()
    for record in records:
        if record.row.factor_id in seen:
            raise BundleRefused(f"{name} names {record.row.factor_id} twice.", _AGAIN)
        seen.add(record.row.factor_id)
    return records


def _checked_factors(data: bytes, name: str) -> list[Any]:
    """What is listed in a file that is whole."""
    try:
        document = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BundleRefused(f"{name} is no whole JSON file ({error}).", _AGAIN) from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise BundleRefused(f"{name} is no bundle of grid factors.", "Write one with: wattledger grid export")
    if document.get("version") != VERSION:
        found = str(document.get("version"))[:20]
        raise BundleRefused(
            f"{name} is a bundle of version {text(found)}; this wattledger knows {VERSION}.", "Upgrade it."
        )
    content = document.get("content")
    if document.get("sha256") != _checksum(content):
        raise BundleRefused(f"{name} was damaged or edited: its content does not fit its checksum.", _AGAIN)
    factors = content.get("factors") if isinstance(content, dict) and content.keys() == {"factors"} else None
    if not isinstance(factors, list):
        raise BundleRefused(f"{name} lists no factors.", _AGAIN)
    return factors


def _record(item: Any, number: int, name: str) -> FactorRecord:
    where = f"Factor {number} of {name}"
    try:
        fields_fit = (
            item.keys() == {"recorded_at_s", "row"}
            and item["row"].keys() == _ROW
            and item["row"]["origin"].keys() == _ORIGIN
        )
        row = msgspec.convert(item["row"], FactorRow) if fields_fit else None
        recorded_at_s = msgspec.convert(item["recorded_at_s"], int)
    except (msgspec.ValidationError, AttributeError, TypeError, KeyError) as error:
        raise BundleRefused(f"{where} is not understood ({text(str(error))}).", _AGAIN) from error
    if row is None:
        raise BundleRefused(f"{where} lacks fields of its provenance, or has others.", _AGAIN)
    row = sound(row)
    problem = _problem(row)
    if problem:
        raise BundleRefused(f"{where} ({row.factor_id[:80]}) {problem}", "Nothing of the file was used. " + _AGAIN)
    return FactorRecord(row, recorded_at_s, number)


def _problem(row: FactorRow) -> str:
    """Why nobody could book with it; "" if somebody could."""
    zone = by_name().get(row.zone.upper())
    if zone is None or zone.code != row.zone:
        return f"is of the zone {row.zone[:40]!r}, which is in no catalogue."
    return why_unusable(row)


def _checksum(content: Any) -> str:
    return hashlib.sha256(_canonical(content)).hexdigest()


def _canonical(value: Any) -> bytes:
    return msgspec.json.encode(value, order="sorted")
