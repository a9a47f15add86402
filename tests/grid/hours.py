"""Hours of a live service, as the tests of the factor store add them."""

from __future__ import annotations

from dataclasses import replace

from tracker.core.factors import Basis, FactorRow, FactorType, Origin, Scheme

NOON_S = 1_789_992_000  # 2026-09-21T12:00:00Z
HOUR_S = 3600


def hour(number: int, value: str = "56.12", provider: str = "electricitymaps", **other: object) -> FactorRow:
    """The number-th hour from noon on."""
    start_s = NOON_S + number * HOUR_S
    row = FactorRow(
        factor_id=f"{provider}:FR:direct:{start_s}",
        zone="FR",
        zone_printed="FR",
        zone_system="em",
        value_printed=value,
        unit_printed="g/kWh",
        gases="CO2e",
        factor_type=FactorType.DIRECT,
        basis=Basis.CONSUMPTION,
        scheme=Scheme.AVERAGE,
        quality_tier=1,
        valid_from_s=start_s,
        valid_to_s=start_s + HOUR_S,
        edition="API v4",
        data_year="2026",
        publisher="Electricity Maps",
        source_ref="history of FR",
        licence="contract",
        gwp_set="AR5",
        includes_td=False,
        confidence="V",
        note="a note",
        publisher_url="https://publisher.test",
        attribution="Say who.",
        origin=Origin(
            provider=provider,
            endpoint="https://api.test/history?zone=FR",
            api_version="v4",
            model_version="m1",
            is_estimated=False,
            estimation_method="none",
            imputed=True,
            created_at_s=start_s + 1,
            updated_at_s=start_s + 2,
            fetched_at_s=start_s + 3,
            raw_sha256="ab" * 32,
        ),
    )
    return replace(row, **other)  # type: ignore[arg-type] # fields of FactorRow
