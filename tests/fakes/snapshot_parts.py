"""The sensors, factors and clock of the literal snapshots."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from tracker.core.factors import FactorType, Scheme
from tracker.core.forecast import Expected, Forecast
from tracker.core.model import Component, Factor, Method, Sensor
from tracker.core.snapshot import EmbodiedState, ProviderState

TICK_WALL_S = 1_791_028_805.0  # 2026-10-03T12:00:05Z
HOUR_S = 3600
NOON_H = 497_508  # its hour
TICK_S = 5
SAVING_FROM_MW = 600_000
POINTS = 120  # ten minutes of history
FRANCE = Factor(
    factor_id="ember-2025/FRA/lifecycle",
    zone="FR",
    intensity_mg_per_kwh=44_000,
    factor_type="lifecycle",
    basis="location",
    tier=5,
    provider="tables",
    source="Ember, 2025 edition, year 2025",
    valid_from_s=1_735_689_600,
    recorded_at_s=1_790_000_000,
)
WORLD = replace(
    FRANCE, factor_id="ember-2025/WORLD/lifecycle", zone="WORLD", intensity_mg_per_kwh=458_000, tier=6, assumed=True
)
NO_VALUE = Factor(
    factor_id="none/AQ",
    zone="AQ",
    intensity_mg_per_kwh=None,
    factor_type="lifecycle",
    basis="location",
    tier=6,
    provider="tables",
    source="",
    valid_from_s=0,
    recorded_at_s=1_790_000_000,
    note="no table has a value for zone AQ",
)
MARKET = replace(
    FRANCE,
    factor_id="aib-2025/FR/residual",
    intensity_mg_per_kwh=41_000,
    factor_type="direct",
    basis="market",
    tier=4,
    source="AIB, European Residual Mixes 2025",
)
#: What making the hardware weighs in an hour: 8 H100 at 164 kg, a host of 2,500 kg, five years.
MAKING = (
    EmbodiedState("NVIDIA HGX H100 per GPU", 8, 29_954_337, "NVIDIA PCF summary; baseboard / 8"),
    EmbodiedState("host", 1, 57_077_625, "own figure: vendor's PCF"),
)
PROVIDERS = (ProviderState("electricitymaps", True, 1_790_000_000.0),)
SILENT = (*PROVIDERS, ProviderState("energycharts", False, None, "energycharts does not answer."))
#: Cleanest from 22:00 to midnight UTC; it begins at 12:00 and has a day and an hour.
FORECAST = Forecast(
    "FR",
    "electricitymaps",
    Scheme.AVERAGE,
    FactorType.LIFECYCLE,
    "CO2e",
    1_790_000_000,
    tuple(
        Expected(HOUR_S * hour, HOUR_S * (hour + 1), Decimal(20 if hour % 24 in {22, 23} else 44))
        for hour in range(NOON_H, NOON_H + 25)
    ),
)


def gpu(index: int) -> Sensor:
    """A whole H100 read through NVML's energy counter."""
    return Sensor(
        key=f"GPU-{index}a6f0c1e-7d2b-4c55-9f13-0b8e2d4c6a7{index}",
        source="nvml",
        component=Component.GPU,
        scopes=(f"node/gpu/{index}",),
        preference=10,
        method=Method.MEASURED,
        sensor="nvml-total-energy",
        max_power_mw=700_000,
        vendor="NVIDIA",
        model="H100 80GB HBM3",
        index=str(index),
    )


def package(index: int, component: Component = Component.CPU, method: Method = Method.MEASURED) -> Sensor:
    """A CPU package or its DRAM, from RAPL or estimated."""
    modelled = method is Method.MODELLED
    return Sensor(
        key=f"{component}-{index}",
        source="estimate" if modelled else "rapl",
        component=component,
        scopes=(f"node/{component}/{index}",),
        preference=90 if modelled else 20,
        method=method,
        sensor="load curve" if modelled else f"rapl {'package' if component is Component.CPU else 'dram'}-{index}",
        max_power_mw=350_000 if component is Component.CPU else 60_000,
        counter_range_uj=None if modelled else 262_143_328_850,
        vendor="Intel" if component is Component.CPU else "",
        model="Xeon Platinum 8480+" if component is Component.CPU else "",
        index=str(index),
    )


#: What eight_gpus() shows per sensor: (sensor, power now in mW, share of its component's energy in permille).
EIGHT_GPU_SENSORS = (
    *((gpu(i), p, s) for i, (p, s) in enumerate(
        [(672_400, 190), (668_900, 188), (671_050, 189), (665_300, 187), (301_700, 96), (288_400, 92), (76_200, 31)]
    )),
    (gpu(7), 70_900, 27),
    (package(0), 214_600, 520),
    (package(1), 187_300, 480),
    (package(0, Component.DRAM), 31_200, 510),
    (package(1, Component.DRAM), 29_800, 490),
)  # fmt: skip
