"""One [[instrument]] of an instruments file (``instruments.py``): its keys, and what makes it worth believing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, NoReturn

import msgspec

from tracker.core.errors import UsageError
from tracker.core.instruments import Kind

_VINTAGE = re.compile(r"(\d{4})(?:-(0[1-9]|1[0-2]))?", re.ASCII)
_CRITERIA = ("tracking_system", "vintage", "retired_for", "retirement_id")
_YEARS = range(2000, 2101)
_LONGEST = 300  # characters of a text


class Written(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An [[instrument]] as it is written."""

    key: str
    kind: Kind
    market: str
    g_per_kwh: Decimal
    valid_from: date
    valid_to: date
    source: str
    volume_kwh: Decimal | None = None
    volume_mwh: Decimal | None = None
    hourly_csv: str = ""
    tracking_system: str = ""
    vintage: str | int = ""  # the year or month of generation: 2026 or 2026-03
    retired_for: str = ""
    retirement_id: str = ""
    unverified: bool = False


def read_section(table: Mapping[str, Any], where: str) -> Written:
    """The keys of a section, checked one by one. Raises UsageError; for an unknown key, it names the nearest."""
    known = [field.name for field in msgspec.structs.fields(Written)]
    unknown = next((name for name in table if name not in known), None)
    if unknown is not None:
        import difflib  # noqa: PLC0415 - only on the way to an error message

        near = difflib.get_close_matches(unknown, known, n=1)
        refuse(
            where,
            f"there is no {unknown[:40]!r}",
            f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known)}.",
        )
    try:
        written = msgspec.convert(table, Written)
    except msgspec.ValidationError as error:
        refuse(where, str(error).replace("`$.", "`"), "Look at the example in the documentation.")
    for name in ("key", "market", "source", *_CRITERIA):
        text = str(getattr(written, name))
        if not text.isprintable() or len(text) > _LONGEST:
            refuse(where, f"{name} is no short line of text", f"Write at most {_LONGEST} characters.")
        if not text.strip() and name not in _CRITERIA:
            refuse(where, f"{name} is empty", "Every instrument says its key, its market and its source.")
    for name, day in (("valid_from", written.valid_from), ("valid_to", written.valid_to)):
        if day.year not in _YEARS:
            refuse(where, f"{name} is {day}", f"Write a day of {_YEARS[0]} to {_YEARS[-1]}.")
    return written


def quality(written: Written, where: str) -> tuple[str, ...]:
    """What the criteria miss, in sentences; a certificate has to meet them or to say that it does not."""
    vintage = _VINTAGE.fullmatch(str(written.vintage))
    if written.vintage and not vintage:
        refuse(
            where, f"the vintage is {str(written.vintage)[:40]!r}", 'Write the year or month of generation: "2026-03".'
        )
    missing = [name for name in _CRITERIA if not getattr(written, name)]
    cautions = []
    if written.unverified:
        cautions.append("Not verified, as the operator says.")
    elif written.kind is Kind.CERTIFICATE and missing:
        refuse(
            where,
            f"the certificate does not say its {', '.join(missing)}",
            "Only one that is retired for you covers anything. If you cannot say it, set unverified = true: "
            "it is then flagged.",
        )
    if written.kind is not Kind.SUPPLIER and missing:
        cautions.append(f"It does not say its {', '.join(missing)}.")
    if vintage and not _close(written, int(vintage[1]), int(vintage[2] or 0)):
        cautions.append(f"Its vintage {written.vintage} is more than a year from the period that it covers.")
    return tuple(cautions)


def _close(written: Written, year: int, month: int) -> bool:
    """Whether generation and use lie within a year of each other. The Guidance asks for "as close as possible" and
    names no number."""
    first = year * 12 + (month or 1)
    last = year * 12 + (month or 12)
    start = written.valid_from.year * 12 + written.valid_from.month
    end = written.valid_to.year * 12 + written.valid_to.month
    return last >= start - 12 and first <= end + 12


def refuse(where: str, what: str, remedy: str) -> NoReturn:
    raise UsageError(f"{where}: {what}.", remedy)
