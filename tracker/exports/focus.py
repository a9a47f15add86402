"""FOCUS 1.2 (FinOps Open Cost and Usage Specification): one line for each row and for each correction.

FOCUS has no column for carbon; the specification's own way for what it does not know are columns that begin with
``x_``, after the others. Nobody is invoiced for these lines, so ``BilledCost`` is 0; the cost by the configured tariff,
if there is one, stands in ``EffectiveCost``, ``ListCost`` and ``ContractedCost``. Empty is null.

Those three may not be null. A line of which no cost is known is therefore in no currency (XXX, which ISO 4217 has for
"none"), so that no sum of a currency has it for nothing, and ``x_CostKnown`` is "none". Where only a part of a line's
energy has a price it is "part", and ``x_UnpricedKwh`` is the rest.

``MANDATORY`` and ``CONDITIONAL`` are column ids of the specification (https://focus.finops.org, version 1.2);
conditional ones are those whose condition holds here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from tracker.core.statement import Amounts, FactorUse, Line, Statement
from tracker.exports import table
from tracker.exports.columns import fixed
from tracker.exports.csv_text import safe
from tracker.exports.head import utc
from tracker.exports.summary import unknown_text
from tracker.exports.where import Places

# fmt: off
# (words in lines, not one a line)
MANDATORY = (
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd",
    "BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargePeriodEnd",
    "ChargePeriodStart", "ContractedCost", "EffectiveCost", "InvoiceIssuerName", "ListCost", "PricingQuantity",
    "PricingUnit", "ProviderName", "PublisherName", "ServiceCategory", "ServiceName",
)
CONDITIONAL = (
    "ConsumedQuantity", "ConsumedUnit", "RegionId", "RegionName", "ResourceId", "ResourceName", "ResourceType",
    "SubAccountId", "SubAccountName", "Tags",
)
#: x_ column -> the additive column of our own rows that it repeats. The scope is a column of its own: what a cloud
#: emits is in scope 3.
_AMOUNTS = {
    "x_EnergyItKwh": "energy_it_wh", "x_EnergyFacilityKwh": "energy_facility_wh", "x_MeasuredKwh": "measured_wh",
    "x_IdleKwh": "idle_wh", "x_UnweighedKwh": "unweighed_wh", "x_UnpricedKwh": "unpriced_wh",
    "x_DeviceHours": "device_mh",
    "x_LocationKgCO2e": "location_g", "x_MarketKgCO2e": "market_g",
    "x_Scope3Cat3KgCO2e": "upstream_g", "x_EmbodiedAmortisedKgCO2e": "embodied_g",
}
CUSTOM = (
    *_AMOUNTS, "x_CostKnown", "x_UnknownEnergy", "x_Pue", "x_PueSource", "x_Scope", "x_Scope3Category", "x_GridZone",
    "x_FactorAvgKgPerKwh", "x_FactorSource", "x_FactorVintage", "x_FactorType", "x_GwpSet", "x_CoverageRatio",
    "x_EstimatedRatio", "x_RestatesPeriod", "x_CorrectionReason", "x_MethodVersion", "x_StatementId",
    "x_StatementVersion", "x_StatementSha256", "x_RowId", "x_RowHash",
)
# fmt: on
HEADER = (*sorted((*MANDATORY, *CONDITIONAL)), *CUSTOM)
_NO_CURRENCY = "XXX"
#: Idle energy handed on: no use of its own, so without a quantity that somebody might sum.
_ALLOCATION = {
    "ChargeCategory": "Adjustment",
    "ChargeDescription": "Share of idle energy, handed on; these lines net to zero",
    **dict.fromkeys(("ConsumedQuantity", "ConsumedUnit", "PricingQuantity", "PricingUnit"), ""),
}
#: What of a row's key may stand for a resource, the finest first.
_RESOURCES = {"workload": "Workload", "job": "Job", "run": "Run", "name": "Workload", "hostname": "Node"}


def lines(statement: Statement) -> Iterator[list[str]]:
    """Cells for ``HEADER``, safe for spreadsheets; empty is null."""
    same = _same(statement)
    places, factors = Places(statement), _Factors(statement)
    sources = _pue_sources(statement)
    for row in table.rows(statement, (table.ROW, table.CORRECTION)):
        key = dict(zip(statement.group_by, row.line.key, strict=True))
        zones = places.of(key).zones
        cells = same | _key(key, zones) | _amounts(row.line, same["BillingCurrency"])
        cells |= {"x_RowId": row.line.row_id, "x_RowHash": row.sha256}
        if row.line.kind == "allocation":
            cells |= _ALLOCATION
        if row.restates:  # by the factors and the PUE of that month, which are not in this statement
            cells |= _correction(statement.period.timezone, row.restates, row.reason)
        else:
            cells |= factors.of(zones) | {"x_PueSource": sources.get(key.get("site", ""), "")}
        yield [cells.get(name, "") for name in HEADER]


def _same(statement: Statement) -> dict[str, str]:
    start, end = utc(statement.period.start_s), utc(statement.period.end_s)
    entity = safe(statement.entity) or "unnamed"  # ids must not be null
    return {
        "BilledCost": "0.00",
        "BillingAccountId": entity,
        "BillingAccountName": safe(statement.entity),
        "BillingCurrency": safe(statement.currency) or _NO_CURRENCY,
        "BillingPeriodStart": start,
        "BillingPeriodEnd": end,
        "ChargePeriodStart": start,
        "ChargePeriodEnd": end,
        "ChargeCategory": "Usage",
        "ChargeDescription": "Electricity of AI compute with the building's overhead",
        "InvoiceIssuerName": entity,
        "ProviderName": "wattledger",
        "PublisherName": "wattledger",
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": "AI compute electricity",
        "ConsumedUnit": "kWh",
        "PricingUnit": "kWh",
        "x_UnknownEnergy": safe(unknown_text(statement)),
        "x_MethodVersion": safe(f"wattledger {statement.software}, {statement.location_method} location factors"),
        "x_StatementId": safe(statement.statement_id),
        "x_StatementVersion": str(statement.version),
        "x_StatementSha256": table.digest(statement),
    }


def _key(key: dict[str, str], zones: Sequence[str]) -> dict[str, str]:
    """``Tags`` has the row's whole key; the places that FOCUS has for parts of it are filled from it."""
    team, centre, site = key.get("team", ""), key.get("cost_centre", ""), key.get("site", "")
    tags = {name: value for name, value in key.items() if value}
    cells = {
        "SubAccountId": safe(centre or team),
        "SubAccountName": safe(team or centre),
        "RegionId": safe(site),
        "RegionName": safe(site),
        "Tags": json.dumps(tags, ensure_ascii=False, separators=(",", ":")),
        "x_GridZone": safe("; ".join(zones)),
    }
    found = next(((name, kind) for name, kind in _RESOURCES.items() if key.get(name)), None)
    if found:
        name, kind = found
        cells |= {"ResourceId": safe(key[name]), "ResourceName": safe(key[name]), "ResourceType": kind}
    return cells


def _amounts(line: Line, currency: str) -> dict[str, str]:
    amounts, ratios = line.amounts, line.ratios
    is_known = amounts.cost_hundredths is not None
    cost = fixed(amounts.cost_hundredths or 0, 2)
    quantity = fixed(amounts.energy_facility_wh, 3)
    cells = dict.fromkeys(("ContractedCost", "EffectiveCost", "ListCost"), cost)
    cells |= dict.fromkeys(("ConsumedQuantity", "PricingQuantity"), quantity)
    cells |= {name: _known(getattr(amounts, of), 3) for name, of in _AMOUNTS.items()}
    return cells | {
        "BillingCurrency": currency if is_known else _NO_CURRENCY,
        "x_CostKnown": ("part" if amounts.unpriced_wh else "all") if is_known else "none",
        "x_Pue": _pue(amounts),
        "x_Scope": line.scope,
        "x_Scope3Category": line.category,
        "x_FactorAvgKgPerKwh": _known(ratios.intensity_mg_per_kwh, 6),
        "x_CoverageRatio": _known(ratios.coverage_ppm, 6),
        "x_EstimatedRatio": _known(ratios.estimated_factor_ppm, 6),
    }


def _known(value: int | None, places: int) -> str:
    return "" if value is None else fixed(value, places)


def _pue(amounts: Amounts) -> str:
    it_wh = amounts.energy_it_wh
    return fixed((2000 * amounts.energy_facility_wh + it_wh) // (2 * it_wh), 3) if it_wh > 0 else ""


def _correction(timezone: str, restates: str, reason: str) -> dict[str, str]:
    """The charge is of the month that it restates; it is billed in the open one."""
    year, month = map(int, restates.split("-"))
    zone = ZoneInfo(timezone)
    start = datetime(year, month, 1, tzinfo=zone)
    end = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=zone)
    return {
        "ChargeClass": "Correction",
        "ChargeDescription": safe(f"Correction of {restates}: {reason}"),
        "ChargePeriodStart": utc(int(start.timestamp())),
        "ChargePeriodEnd": utc(int(end.timestamp())),
        "x_RestatesPeriod": restates,
        "x_CorrectionReason": safe(reason),
    }


def _pue_sources(statement: Statement) -> dict[str, str]:
    """By site; in a month in which it changed, all that held."""
    found: dict[str, set[str]] = {}
    for each in statement.sites:
        found.setdefault(each.site, set()).add(each.pue_source)
    return {site: safe("; ".join(sorted(names - {""}))) for site, names in found.items()}


class _Factors:
    """Those that made the location-based figure of a statement, by zone. Each set of zones is put together once."""

    def __init__(self, statement: Statement) -> None:
        basis = f"location_{statement.location_method}"
        self._used = [each for each in statement.factors if each.basis == basis]
        self._by_zones: dict[tuple[str, ...], dict[str, str]] = {}

    def of(self, zones: tuple[str, ...]) -> dict[str, str]:
        if zones not in self._by_zones:
            self._by_zones[zones] = _named([each for each in self._used if each.zone in zones])
        return self._by_zones[zones]


def _named(used: Sequence[FactorUse]) -> dict[str, str]:
    def all_of(values: Iterable[str]) -> str:
        return safe("; ".join(sorted({*values} - {""})))

    return {
        "x_FactorSource": all_of(each.source for each in used),
        "x_FactorVintage": all_of(each.data_year for each in used),
        "x_FactorType": all_of(each.factor_type for each in used),
        "x_GwpSet": all_of(each.gwp_set for each in used),
    }
