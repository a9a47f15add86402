"""What clients share: the words of an error, and for open services, which ask for no key, how a status is judged and
how a row is named."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from decimal import Decimal

import msgspec

from tracker.core.factors import FactorRow, FactorType
from tracker.core.forecast import Expected, Forecast
from tracker.grid.answers import iso
from tracker.grid.catalogue import Zone
from tracker.grid.interface import Answer, BadAnswer, Denied, NoData

HALF_HOUR_S, HOUR_S, DAY_S = 1800, 3600, 86_400
_SHOWN = 160


def judged(service: str, answer: Answer) -> Answer:
    """The answer, if its status says that it is one. Raises Denied (401, 403), NoData (404, 410) or BadAnswer, each
    with what the service said about it."""
    status, words = answer.status, said(answer.body)
    because = f': "{words}"' if words else ""
    if 200 <= status <= 299:  # noqa: PLR2004 - RFC 9110, 15.3: a success
        return answer
    if status in {401, 403}:
        raise Denied(
            f"{service} refuses to answer ({status}{because}), though it asks for no key.",
            "Look whether a proxy stands between, or whether the service blocks this address.",
        )
    if status in {404, 410}:
        raise NoData(f"{service} has nothing at {answer.endpoint.partition('?')[0]} ({status}{because}).")
    raise BadAnswer(f"{service} did not understand the question ({status}{because}).")


def said(body: bytes) -> str:
    """The words of an error: the message of a JSON object or plain text, on one line and cut; "" for a page or none."""
    text = body[: 64 * 1024].decode("utf-8", "replace")
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = _message(msgspec.json.decode(body)) or text
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return "" if line.startswith("<") else line[:_SHOWN].rstrip(".")


def _message(found: object) -> str:
    """What is under ``message``, ``detail`` or ``error``, which may be an object that has a ``message`` itself."""
    if not isinstance(found, dict):
        return ""
    for key in ("message", "detail", "error"):
        value = found.get(key)
        words = value if isinstance(value, str) else _message(value)
        if words:
            return words
    return ""


def place(zone: Zone) -> str:
    """The country whose grid a zone is on: its own code, or for a finer one what it is at Electricity Maps. That is a
    country only where the whole country is one zone there."""
    return zone.code if zone.kind == "country" else zone.em_zone


def factor_id(provider: str, where: str, factor_type: FactorType, start_s: int, end_s: int) -> str:
    """Names an interval for good, whatever its value: what is corrected keeps it. ``where``: the zone's code, and what
    else it is of. An interval that is no hour says how long it is (ISO 8601)."""
    length_s = end_s - start_s
    duration = "" if length_s == HOUR_S else f":PT{length_s // 60}M"
    return f"{provider}:{where}:{factor_type.value}:{iso(start_s)}{duration}"


def outward(start_s: int, end_s: int, step_s: int) -> tuple[int, int]:
    """The smallest range of whole steps that holds the given one."""
    return start_s // step_s * step_s, -(-end_s // step_s) * step_s


def minute(at_s: int) -> str:
    """2026-10-03T14:00Z: ISO 8601 without seconds."""
    return f"{iso(at_s)[:16]}Z"


def as_forecast(rows: Sequence[FactorRow], answer: Answer) -> Forecast | None:
    """What the rows of an answer expect, all of one kind, in g/kWh and in order; None: there are none. Those services
    do not say when they computed it: it counts from when it was read."""
    if not rows:
        return None
    first = rows[0]
    return Forecast(
        zone=first.zone,
        provider=first.origin.provider,
        scheme=first.scheme,
        factor_type=first.factor_type,
        gases=first.gases,
        generated_at_s=answer.fetched_at_s,
        points=tuple(Expected(row.valid_from_s, row.valid_to_s, Decimal(row.value_printed)) for row in rows),
        licence=first.licence,
        raw_sha256=answer.sha256,
    )
