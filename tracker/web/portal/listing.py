"""``/api/v1/statements``: the months as JSON. Within ``v1`` names are only ever added.

- ``schema``: ``"wattledger/statements/v1"``.
- ``pending``: some figures are being put together; ask again in a few seconds.
- ``months``: the newest first. ``figures`` are of the latest closed version, else of the draft, as exact decimals
  (``energy_facility_kwh``, ``location_kgco2e``, ``market_kgco2e``, ``coverage_ratio``); ``null`` is "not known", and
  ``note`` says why. ``versions``: the closed ones, the newest first. ``href``: where the latest is.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from tracker.web.portal.interface import Edition, Figures, Format, Month, Overview

SCHEMA = "wattledger/statements/v1"
_MILLI, _MICRO = 3, 6
_encoder = msgspec.json.Encoder(decimal_format="number")


def render(overview: Overview, formats: Sequence[Format]) -> bytes:
    """As UTF-8."""
    tree = {
        "schema": SCHEMA,
        "entity": overview.entity,
        "timezone": overview.timezone,
        "formats": [form.name for form in formats],
        "pending": overview.pending,
        "months": [_month(month) for month in overview.months],
    }
    return _encoder.encode(tree) + b"\n"


def _month(month: Month) -> dict[str, Any]:
    return {
        "month": month.month,
        "status": month.status.value,
        "as_of": None if month.as_of_s is None else utc(month.as_of_s),
        "figures": None if month.figures is None else _figures(month.figures),
        "note": month.note,
        "href": f"/api/v1/statements/{month.month}",
        "versions": [_edition(month, edition) for edition in month.editions],
    }


def _edition(month: Month, edition: Edition) -> dict[str, Any]:
    return {
        "version": edition.number,
        "closed_at": utc(edition.closed_at_s),
        "preparer": edition.preparer,
        "approver": edition.approver,
        "formats": edition.formats,
        "href": f"/api/v1/statements/{month.month}?version={edition.number}",
    }


def _figures(figures: Figures) -> dict[str, Decimal | None]:
    return {
        "energy_facility_kwh": _decimal(figures.energy_facility_wh, _MILLI),
        "location_kgco2e": _decimal(figures.location_g, _MILLI),
        "market_kgco2e": _decimal(figures.market_g, _MILLI),
        "coverage_ratio": _decimal(figures.coverage_ppm, _MICRO),
    }


def _decimal(value: int | None, places: int) -> Decimal | None:
    return None if value is None else Decimal(value).scaleb(-places)


def utc(at_s: int) -> str:
    """As 2026-11-03T09:12:00Z."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
