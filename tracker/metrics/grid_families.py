"""The metrics of what a joule weighs: factors in use, PUE, services, forecasts."""

from __future__ import annotations

from tracker.metrics import outlook, rows
from tracker.metrics.family import Family

PERMILLE = 1000
MG_PER_G = 1000

_FACTOR = ("zone", "basis", "factor_type", "tier", "provider")
_FORECAST = ("zone", "provider", "scheme")

GRID: tuple[Family, ...] = (
    Family(
        "grid_intensity_grams_per_kwh",
        "gauge",
        _FACTOR,
        "CO2 equivalent per kWh of the grid factor in use. Absent when there is none.",
        rows.grid_intensity,
        MG_PER_G,
        "grams_per_kwh",
    ),
    Family(
        "grid_intensity_timestamp_seconds",
        "gauge",
        _FACTOR,
        "Start of the time that the grid factor in use describes, in Unix time.",
        rows.grid_timestamp,
        unit="seconds",
    ),
    Family(
        "pue_ratio",
        "gauge",
        ("site",),
        "Power usage effectiveness in use: facility energy over IT energy.",
        rows.pue,
        PERMILLE,
        "ratio",
    ),
    Family(
        "pue_info",
        "info",
        ("site", "source", "assumed"),
        "Who says what the PUE is; assumed is true when nobody does.",
        rows.pue_info,
    ),
    Family(
        "grid_provider_up",
        "gauge",
        ("provider",),
        "1 while a service of grid data answers; 0 when its last answers were of no use.",
        rows.provider_up,
    ),
    Family(
        "grid_provider_last_success_timestamp_seconds",
        "gauge",
        ("provider",),
        "When a service of grid data last answered, in Unix time. Absent before the first success.",
        rows.provider_last_success,
        unit="seconds",
    ),
    Family(
        "grid_forecast_grams_per_kwh",
        "gauge",
        (*_FORECAST, "horizon"),
        "Expected CO2 equivalent per kWh so long from now. Advice, not inventory; never compare schemes.",
        outlook.expected,
        MG_PER_G,
        "grams_per_kwh",
    ),
    Family(
        "grid_greenest_start_timestamp_seconds",
        "gauge",
        (*_FORECAST, "hours"),
        "When a job of so many hours would weigh least if it ran within a day, in Unix time. Advice, not inventory.",
        outlook.greenest_start,
        unit="seconds",
    ),
)
