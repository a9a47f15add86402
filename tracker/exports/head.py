"""Everything that a statement says beside its rows, as JSON: where it comes from, and what an auditor looks up.

Written once, read three times: at the head of the JSON export, in the metadata of Parquet, and in the digest of the
whole. Keys keep the order below. Numbers have the decimals of their column as text, so that no reader has to trust a
double: 0.100 stays 0.100. Times are UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from tracker.core.statement import Amounts, CoverageLine, FactorUse, Statement
from tracker.exports.columns import ADDITIVE, amount_cells, fixed

SCHEMA = "wattledger-statement/1"
_WH_PLACES, _PERMILLE_PLACES, _PPM_PLACES = 3, 3, 6
_encoder = msgspec.json.Encoder(decimal_format="number", order=None)


def utc(at_s: int) -> str:
    """As 2026-09-30T22:00:00Z."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def head_json(statement: Statement) -> bytes:
    """An object in one line."""
    return _encoder.encode(head(statement))


def head_members(statement: Statement) -> list[tuple[str, bytes]]:
    """The members of the object, for those who write a line for each."""
    return [(name, _encoder.encode(value)) for name, value in head(statement).items()]


def head(statement: Statement) -> dict[str, Any]:
    period = statement.period
    return {
        "schema": SCHEMA,
        "software": f"wattledger {statement.software}",
        "statement_id": statement.statement_id,
        "version": statement.version,
        "status": statement.status.value,
        "preparer": statement.preparer,
        "approver": statement.approver,
        "period": period.month,
        "period_start": utc(period.start_s),
        "period_end": utc(period.end_s),
        "timezone": period.timezone,
        "as_of": utc(statement.as_of_s),
        "entity": statement.entity,
        "currency": statement.currency,
        "group_by": statement.group_by,
        "filters": [{"name": name, "value": value} for name, value in statement.filters],
        "location_method": statement.location_method,
        "method": [{"title": title, "text": text} for title, text in statement.method],
        "factors": factors(statement),
        "coverage": coverage(statement),
        "sites": sites(statement),
        "reconciliation": reconciliation(statement),
        "checks": statement.checks,
        "inputs": statement.inputs,
        "unknown": [
            {"basis": basis, "energy_facility_kwh": _number(energy_wh, _WH_PLACES)}
            for basis, energy_wh in statement.unknown_wh
        ],
        "days": [{"date": each.date, **_amounts(each.amounts)} for each in statement.days],
        "months": [{"month": month, **_amounts(amounts)} for month, amounts in statement.months],
    }


def factors(statement: Statement) -> list[dict[str, Any]]:
    return [_factor(each) for each in statement.factors]


def coverage(statement: Statement) -> list[dict[str, Any]]:
    return [_coverage(each) for each in statement.coverage]


def sites(statement: Statement) -> list[dict[str, Any]]:
    return [
        {
            "site": each.site,
            "zone": each.zone,
            "zone_assumed": each.zone_assumed,
            "control": each.control,
            "pue": _number(each.pue_permille, _PERMILLE_PLACES),
            "pue_source": each.pue_source,
            "pue_assumed": each.pue_assumed,
            "hours": each.hours,
            "energy_it_kwh": _number(each.energy_it_wh, _WH_PLACES),
            "country": each.country,
        }
        for each in statement.sites
    ]


def reconciliation(statement: Statement) -> list[dict[str, Any]]:
    return [
        {
            "what": each.what,
            "ours_kwh": _number(each.ours_wh, _WH_PLACES),
            "theirs_kwh": _number(each.theirs_wh, _WH_PLACES),
            "explanation": each.explanation,
        }
        for each in statement.reconciliation
    ]


def _number(value: int | None, places: int) -> Decimal | None:
    return None if value is None else Decimal(fixed(value, places))


def _amounts(amounts: Amounts) -> dict[str, Decimal | None]:
    cells = zip(ADDITIVE, amount_cells(amounts), strict=True)
    return {name: None if cell is None else Decimal(cell) for name, cell in cells}


def _factor(each: FactorUse) -> dict[str, Any]:
    """``value_g_per_kwh`` is text: its decimals are the publisher's, and there may be many."""
    exact = each.value_g_per_kwh
    return {
        "basis": each.basis,
        "zone": each.zone,
        "factor_id": each.factor_id,
        "value": each.value,
        "unit": each.unit,
        "value_g_per_kwh": None if exact is None else f"{exact:f}",
        "factor_type": each.factor_type,
        "gases": each.gases,
        "gwp_set": each.gwp_set,
        "tier": each.tier,
        "edition": each.edition,
        "data_year": each.data_year,
        "publisher": each.publisher,
        "source": each.source,
        "url": each.url,
        "licence": each.licence,
        "attribution": each.attribution,
        "recorded_at": utc(each.recorded_at_s),
        "raw_sha256": each.raw_sha256,
        "energy_kwh": _number(each.energy_wh, _WH_PLACES),
        "flags": each.flags,
    }


def _coverage(each: CoverageLine) -> dict[str, Any]:
    return {
        "site": each.site,
        "hostname": each.hostname,
        "expected_hours": each.expected_h,
        "present_hours": each.present_h,
        "covered_ratio": _number(each.covered_ppm, _PPM_PLACES),
        "gaps": [{"reason": reason, "seconds": seconds} for reason, seconds in each.gaps_s],
        "missing": each.missing,
    }
