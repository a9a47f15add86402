"""The strip that says how good the numbers above it are. Every dashboard has it."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Panel

from dashboards.build.page import Band
from dashboards.build.panels import Look, Query, Steps, number
from dashboards.build.style import (
    AGE,
    BAD,
    DOUBTFUL,
    GOOD,
    NODE,
    PLACE,
    RECORDED,
    SHARE,
    TEXT,
    WORK,
    by_host,
    increase,
    share,
    work_increase,
)

_ENERGY = "wattledger_workload_energy_joules_total"
_DEVICE_ENERGY = "wattledger_device_energy_joules_total"
_NO_FACTOR = "no factor: nothing is weighed"
_NO_ENERGY = "no energy here"
_MORE_IS_BETTER: Steps = ((None, BAD), (0.9, DOUBTFUL), (0.99, GOOD))
_LESS_IS_BETTER: Steps = ((None, GOOD), (0.05, DOUBTFUL), (0.2, BAD))
_LOCATION = f'{PLACE},basis="location"'
_YEAR_S = 366 * 86400


def strip(selector: str = NODE) -> Band:
    """Measured share, coverage and unattributed share of the time range; tier and age of the factor. ``selector``:
    ``WORK`` where owners can be chosen. Coverage, the unattributed share and factors have no owner."""
    return Band(
        "How good these numbers are",
        [_measured(selector), _coverage(), _unattributed(), *factor()],
    )


def factor() -> list[Panel]:
    """The half of the strip about factors, for a dashboard that says the rest by the month."""
    return [_factor(), _age()]


def measured(selector: str) -> str:
    """Share of energy that a sensor read; the rest was modelled or, on a demo node, simulated."""
    read = f'{selector},method="measured"'
    if selector == WORK:
        return share(work_increase(_ENERGY, read), work_increase(_ENERGY, selector))
    return share(increase(_DEVICE_ENERGY, read), increase(_DEVICE_ENERGY, selector))


def coverage() -> str:
    """Share of device time with a reading, of the nodes that report."""
    covered, gaps = (
        by_host(f"sum_over_time(instance:wattledger_{what}_seconds:delta5m{{{PLACE}}}[$__range])")
        for what in ("covered", "gap")
    )
    return f"sum({covered}) / (sum({covered}) + sum({gaps}) > 0)"


def unattributed() -> str:
    """Share of energy whose user could not be observed. What devices used is what is charged, to whomever."""
    return share(increase(_ENERGY, f'{NODE},kind="unattributed"'), increase(_DEVICE_ENERGY, NODE))


def factors() -> str:
    """One series for each grid factor in use."""
    return f"group by (zone,tier,factor_type,provider) (wattledger_grid_intensity_grams_per_kwh{{{_LOCATION}}})"


def factor_age() -> str:
    """Seconds since the start of the time that the oldest factor in use describes."""
    return f"time() - min(wattledger_grid_intensity_timestamp_seconds{{{_LOCATION}}})"


def _measured(selector: str) -> Panel:
    return number(
        "Measured",
        "Energy that a sensor measured, over all energy of the selection in the time range. The rest is modelled (or "
        "simulated, on a demo node) and is marked so on every series by the label `method`.",
        measured(selector),
        Look(SHARE, _NO_ENERGY, span=4, highest=1, decimals=1, steps=_MORE_IS_BETTER),
        now=True,
    )


def _coverage() -> Panel:
    return number(
        "Coverage",
        "Device time with a reading, over all device time of the time range, for the nodes that report. What a node "
        "missed while it was off counts once it is back. Time without a reading is never 0 W: the fleet dashboard "
        f"lists the gaps and who does not report at all. {RECORDED}",
        coverage(),
        Look(SHARE, "no device, or no rules", span=4, highest=1, decimals=2, steps=_MORE_IS_BETTER),
        now=True,
    )


def _unattributed() -> Panel:
    return number(
        "Unattributed",
        "Energy whose user could not be observed, over all energy of the chosen nodes in the time range. It is charged "
        "to no team. `wattledger check` says what is missing.",
        unattributed(),
        Look(SHARE, _NO_ENERGY, span=4, highest=1, decimals=1, steps=_LESS_IS_BETTER),
        now=True,
    )


def _factor() -> Panel:
    return number(
        "Grid factor: zone, tier and source",
        "The location-based factor that weighs each joule now. Tier 1 is measured by the grid, 2 estimated for "
        "the hour, 3 a yearly value in the shape of hours, 4 an official yearly value, 5 a generic one, 6 the world's"
        ", which closes no month.",
        # A panel of names has no words of its own for nothing: the second query is that name.
        [Query(factors(), "{{zone}}: tier {{tier}}, {{provider}}"), Query(f"absent({factors()})", _NO_FACTOR)],
        Look(TEXT, _NO_FACTOR, span=8),
        names=True,
    )


def _age() -> Panel:
    return number(
        "Age of the factor",
        "Time since the start of what the oldest factor in use describes. A yearly factor is one to three years old by "
        "nature (tiers 4 and 5); an hourly one that is older than a few hours is stale.",
        factor_age(),
        Look(AGE, "no factor", span=4, steps=((None, GOOD), (3 * _YEAR_S, DOUBTFUL), (5 * _YEAR_S, BAD))),
        now=True,
    )
