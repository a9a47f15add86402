"""CodeCarbon's ``emissions.csv``, so that what reads one reads a statement: one line for each row and correction.

The header is that of CodeCarbon 3.3 (``EmissionsData``). As there, energies are kWh with the PUE in them, emissions are
kg, powers are watts and durations seconds, and countries have alpha-3 codes; here powers are means over the month. What
a statement does not know (the cloud's name, processors, water) is empty. ``run_id`` is the row, ``experiment_id`` the
statement and its hash.
"""

from __future__ import annotations

from collections.abc import Iterator

from tracker.core.statement import Line, Statement
from tracker.exports.columns import fixed
from tracker.exports.csv_text import safe
from tracker.exports.head import utc
from tracker.exports.table import digest
from tracker.exports.where import Places, Where

# fmt: off
# (words in lines, not one a line)
HEADER = (
    "timestamp", "project_name", "run_id", "experiment_id", "duration", "emissions", "emissions_rate", "cpu_power",
    "gpu_power", "ram_power", "cpu_energy", "gpu_energy", "ram_energy", "energy_consumed", "water_consumed",
    "country_name", "country_iso_code", "region", "cloud_provider", "cloud_region", "os", "python_version",
    "codecarbon_version", "cpu_count", "cpu_model", "gpu_count", "gpu_model", "longitude", "latitude",
    "ram_total_size", "tracking_mode", "cpu_utilization_percent", "gpu_utilization_percent",
    "ram_utilization_percent", "ram_used_gb", "on_cloud", "pue", "wue",
)
# fmt: on
#: Our component -> the stem of its columns there.
_STEMS = {"cpu": "cpu", "gpu": "gpu", "dram": "ram"}
_ALPHA_2 = 2  # letters of a zone that is a country
_WH_S_TO_MW = 3_600_000  # Wh over seconds, in mW


def lines(statement: Statement) -> Iterator[list[str]]:
    duration_s = statement.period.end_s - statement.period.start_s
    same = {
        "timestamp": utc(statement.period.end_s).removesuffix("Z"),  # as there: without a zone, here UTC
        "experiment_id": safe(f"{statement.statement_id} sha256:{digest(statement)}"),
        "duration": str(duration_s),
        "tracking_mode": "machine",
        "codecarbon_version": safe(f"wattledger {statement.software}"),
    }
    places = Places(statement)
    for line in (*statement.rows, *(each.line for each in statement.corrections)):
        key = dict(zip(statement.group_by, line.key, strict=True))
        cells = same | _place(key, line, places.of(key)) | _numbers(line, key.get("component", ""), duration_s)
        yield [cells.get(name, "") for name in HEADER]


def _place(key: dict[str, str], line: Line, where: Where) -> dict[str, str]:
    """Of a row in more than one country none is named. The region is what is below the country, else the site."""
    (zone, country) = (each[0] if len(each) == 1 else "" for each in (where.zones, where.countries))
    is_region = len(zone) != _ALPHA_2
    return {
        "project_name": safe(key.get("project", "")),
        "run_id": line.row_id,
        "region": safe(zone if zone and is_region else key.get("site", "")),
        "gpu_model": safe(key.get("device_model", "")) if key.get("component") == "gpu" else "",
        "country_iso_code": safe(country),
        "on_cloud": "Y" if key.get("control") == "cloud" or (line.scope, line.category) == ("3", "1") else "N",
    }


def _numbers(line: Line, component: str, duration_s: int) -> dict[str, str]:
    """A row of one component has 0 of the others; of a component that CodeCarbon does not know, or of all in one, the
    parts are empty."""
    amounts = line.amounts
    facility_wh = amounts.energy_facility_wh
    cells = {"energy_consumed": fixed(facility_wh, 3)}
    if amounts.location_g is not None:
        cells["emissions"] = fixed(amounts.location_g, 3)
        cells["emissions_rate"] = fixed(_nearest(amounts.location_g * 1_000_000, duration_s), 9)
    if amounts.energy_it_wh > 0:
        cells["pue"] = fixed(_nearest(facility_wh * 1000, amounts.energy_it_wh), 3)
    if component in _STEMS:
        for name, stem in _STEMS.items():
            energy_wh = facility_wh if name == component else 0
            cells[f"{stem}_energy"] = fixed(energy_wh, 3)
            cells[f"{stem}_power"] = fixed(_nearest(energy_wh * _WH_S_TO_MW, duration_s), 3)
    return cells


def _nearest(value: int, divisor: int) -> int:
    return (2 * value + divisor) // (2 * divisor)
