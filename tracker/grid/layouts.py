"""How a table of intensities is laid out, and what its numbers are: an operator's own, and three that are published.

The published ones are downloaded by the operator; they do not ship, for their licences ask more than a citation. The
workbooks of the EIA's Hourly Grid Monitor are not among them: they are XLSX, which nothing here reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tracker.core.factors import Basis, FactorType

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Layout:
    """Column names in lower case; of several, the first that is there.

    ``value``: name -> its unit. ``end``: the column of an interval's end, else it is ``interval_s`` long.
    ``at_end``: the time of a row is its interval's end. ``utc``: times without an offset are UTC, as whoever
    publishes them says.
    """

    start: tuple[str, ...]
    value: Mapping[str, str]
    interval_s: int
    end: tuple[str, ...] = ()
    zone: tuple[str, ...] = ()
    estimated: tuple[str, ...] = ()
    method: tuple[str, ...] = ()
    at_end: bool = False
    utc: bool = False
    max_bytes: int = 64 * MIB


@dataclass(frozen=True, slots=True)
class Facts:
    """What is the same for all rows. ``tier`` is that of a row which does not say that it is estimated."""

    factor_type: FactorType
    gases: str
    basis: Basis
    publisher: str
    edition: str
    licence: str
    tier: int
    gwp_set: str = "unspecified"
    includes_td: bool | None = None
    confidence: str = "untagged"
    publisher_url: str = ""
    attribution: str = ""


def em_portal(factor_type: FactorType, interval_s: int) -> tuple[Layout, Facts]:
    """The CSV files of the Electricity Maps Data Portal, a zone and year each. Their header has changed its words and
    capitals over the years; life-cycle columns are (LCA) in older ones."""
    lifecycle = factor_type is FactorType.LIFECYCLE
    kinds = ("life cycle", "lca") if lifecycle else ("direct",)
    layout = Layout(
        start=("datetime (utc)",),
        value={f"carbon intensity gco₂eq/kwh ({kind})": "g/kWh" for kind in kinds},
        interval_s=interval_s,
        zone=("zone id",),
        estimated=("data estimated",),
        method=("data estimation method",),
        utc=True,
    )
    facts = Facts(
        factor_type=FactorType.LIFECYCLE if lifecycle else FactorType.DIRECT,
        gases="CO2e",
        basis=Basis.CONSUMPTION,
        publisher="Electricity Maps",
        edition="Data Portal",
        licence="ODbL 1.0",
        tier=1,
        publisher_url="https://portal.electricitymaps.com/datasets",
        attribution="Electricity Maps Data Portal (ODbL).",
    )
    return layout, facts


def open_grid_emissions(gases: str) -> tuple[Layout, Facts]:
    """Open Grid Emissions (doi:10.5281/zenodo.7062459), folder carbon_accounting, hourly, one balancing authority each,
    in US or metric units. Times are taken as starts of the hour. The columns without "_adjusted" count biomass in
    full."""
    layout = Layout(
        start=("datetime_utc",),
        value={
            f"consumed_{gases.casefold()}_rate_{mass}_per_mwh_for_electricity": f"{mass}/MWh" for mass in ("lb", "kg")
        },
        interval_s=3600,
        utc=True,
    )
    facts = Facts(
        factor_type=FactorType.DIRECT,
        gases=gases,
        basis=Basis.CONSUMPTION,
        publisher="Singularity Energy",
        edition="Open Grid Emissions",
        licence="not stated in the file: see doi:10.5281/zenodo.7062459",
        tier=1,
        publisher_url="https://doi.org/10.5281/zenodo.7062459",
        attribution="Open Grid Emissions, Singularity Energy.",
    )
    return layout, facts


def neso_history() -> tuple[Layout, Facts]:
    """NESO's historic generation mix since 2009 (df_fuel_ckan.csv), half-hourly. It has some 70 MB: hence its limit."""
    layout = Layout(
        start=("datetime",), value={"carbon_intensity": "g/kWh"}, interval_s=1800, utc=True, max_bytes=256 * MIB
    )
    facts = Facts(
        factor_type=FactorType.DIRECT,
        gases="CO2",
        basis=Basis.CONSUMPTION,
        publisher="NESO",
        edition="Historic GB generation mix",
        licence="NESO Open Data Licence",
        tier=1,
        publisher_url="https://www.neso.energy/data-portal/historic-generation-mix",
        attribution="Supported by National Energy SO Open Data.",
    )
    return layout, facts
