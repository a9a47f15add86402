"""Who published the averages that codecarbon brings, what they count, and which are official. Told by the source that
codecarbon names.
"""

from __future__ import annotations

from dataclasses import dataclass

from tracker.core.factors import GENERIC, OFFICIAL


@dataclass(frozen=True, slots=True)
class Publication:
    """What the rows of one publication have in common. ``marker`` stands in the source of each of its values."""

    marker: str
    publisher: str
    url: str
    licence: str
    attribution: str
    gases: str = "CO2e"
    gwp_set: str = "unspecified"
    confidence: str = "untagged"
    note: str = ""
    tier: int = GENERIC
    includes_td: bool | None = None


#: codecarbon's values by country.
COUNTRIES = Publication(
    marker="",
    publisher="Our World in Data (Ember)",
    url="https://ourworldindata.org",
    licence="CC BY 4.0",
    attribution="Our World in Data; Ember (CC BY 4.0).",
)
PUBLICATIONS = (
    Publication(
        marker="iea.org",
        publisher="IEA",
        url="https://www.iea.org",
        licence="single figure, cited",
        attribution="International Energy Agency.",
        gases="CO2",
        gwp_set="none",
    ),
    # eGRID states output rates of subregions and of states. What is generated within the borders of a state is no grid,
    # but nearer to a place there than the average of the country.
    Publication(
        marker="epa.gov",
        publisher="US EPA",
        url="https://www.epa.gov/egrid",
        licence="public domain",
        attribution="United States Environmental Protection Agency (EPA), "
        "Emissions & Generation Resource Integrated Database (eGRID).",
        gwp_set="AR5",
        note="It is EPA's output rate of the power stations in the state, as codecarbon hands it on. EPA advises the "
        "rate of the eGRID subregion: set that as the zone where it is known.",
        tier=OFFICIAL,
        includes_td=False,
    ),
    # github.com/GoogleCloudPlatform/region-carbon-info: "Grid carbon intensity (gCO2eq / kWh)", operational emissions,
    # location-based. Google computes it of hourly data of Electricity Maps; codecarbon does not say of which year.
    Publication(
        marker="cloud.google.com",
        publisher="Google Cloud",
        url="https://cloud.google.com/sustainability/region-carbon",
        licence="CC BY 4.0",
        attribution="Google Cloud, carbon data across regions (CC BY 4.0).",
        confidence="2",
        note="It is Google's figure of the grid around the region, before any clean energy that Google buys.",
    ),
)


def publication_of(source: str) -> Publication:
    return next((each for each in PUBLICATIONS if each.marker in source), COUNTRIES)
