"""Who published the averages that codecarbon brings, and what they count. Told by the source that codecarbon names."""

from __future__ import annotations

from dataclasses import dataclass


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
