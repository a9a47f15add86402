"""What /metrics says of the grid: who knows the PUE, whether services answer, and what is expected."""

from __future__ import annotations

from dataclasses import replace

from tests.fakes import snapshots
from tests.metrics.test_families import series
from tracker.core.factors import FactorType


def test_nobody_said_what_the_pue_is() -> None:
    """An average of the industry must not look like a site's own figure."""
    name = "wattledger_pue_info"
    site = snapshots.eight_gpus()
    assert series(site, name, "site", "source", "assumed") == {("par1", "operator, 2026-Q3", "false"): 1.0}
    for source in ("", "assumed: industry average, set pue and pue_source"):
        assert set(series(replace(site, pue_source=source), name, "assumed")) == {("true",)}


def test_services_of_the_grid_and_their_age() -> None:
    snapshot = snapshots.in_trouble()
    assert series(snapshot, "wattledger_grid_provider_up", "provider") == {
        ("electricitymaps",): 1.0,
        ("energycharts",): 0.0,
    }
    name = "wattledger_grid_provider_last_success_timestamp_seconds"
    assert series(snapshot, name, "provider") == {("electricitymaps",): 1_790_000_000.0}


def test_a_forecast_has_few_series_and_says_when_to_start() -> None:
    """Bounded labels, whatever the service sends; hours that it does not know have none."""
    snapshot = snapshots.eight_gpus()
    labels = ("zone", "provider", "scheme")
    key = ("FR", "electricitymaps", "average")
    expected = series(snapshot, "wattledger_grid_forecast_grams_per_kwh", *labels, "horizon")
    assert expected == {(*key, f"{hours}h"): 44.0 for hours in (0, 1, 2, 3, 6, 12, 24)}
    starts = series(snapshot, "wattledger_grid_greenest_start_timestamp_seconds", *labels, "hours")
    ten_pm = 1_791_028_800 + 10 * 3600
    assert starts == {(*key, "1"): ten_pm, (*key, "4"): ten_pm - 2 * 3600, (*key, "8"): ten_pm - 6 * 3600}
    at_ten = replace(snapshot, tick_wall_s=ten_pm + 1.0)
    assert series(at_ten, "wattledger_grid_forecast_grams_per_kwh", "horizon") == {
        ("0h",): 20.0,
        ("1h",): 20.0,
        ("2h",): 44.0,
        ("3h",): 44.0,
        ("6h",): 44.0,
        ("12h",): 44.0,
    }
    over = replace(snapshot, tick_wall_s=ten_pm + 86_400.0)
    assert series(over, "wattledger_grid_forecast_grams_per_kwh", "horizon") == {}
    assert series(over, "wattledger_grid_greenest_start_timestamp_seconds", "hours") == {}


def test_two_forecasts_of_one_name_are_not_added() -> None:
    """Direct and life-cycle: their sum would be a grid that nobody has."""
    snapshot = snapshots.eight_gpus()
    (one,) = snapshot.forecast
    both = replace(snapshot, forecast=(one, replace(one, factor_type=FactorType.DIRECT)))
    name = "wattledger_grid_forecast_grams_per_kwh"
    assert series(both, name, "horizon") == series(snapshot, name, "horizon")
