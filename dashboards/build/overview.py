"""Overview: what a whole fleet draws, weighs and wastes, at a glance."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Panel

from dashboards.build.page import Band, Page, field, link
from dashboards.build.panels import Column, Look, Query, bars, lines, number, rows
from dashboards.build.quality import strip
from dashboards.build.style import (
    BAD,
    DATE,
    DOUBTFUL,
    GOOD,
    GRAMS,
    INTENSITY,
    KWH,
    NODE,
    PLACE,
    REMAINDERS,
    SHARE,
    WATTS,
    WORK,
    increase,
    kwh,
    named,
    rate,
    share,
)
from dashboards.build.variables import work

ENERGY = "wattledger_workload_energy_joules_total"
IDLE = "wattledger_workload_idle_energy_joules_total"
GRAMS_OUT = "wattledger_workload_emissions_grams_total"

_LOCATION = f'{WORK},basis="location"'
_CLAIMED = f'{WORK},kind!~"{REMAINDERS}"'
_REST = f'{WORK},kind=~"{REMAINDERS}"'
_HORIZONS_H = (0, 1, 2, 3, 6, 12, 24)  # as the daemon exports them
_NO_FACTOR = "no factor: nothing is weighed"
_ABOUT = (
    "`increase` interpolates to the edges of the time range: exact to one scrape interval. The statement is the book."
)


def page() -> Page:
    return Page(
        "overview",
        "wattledger: overview",
        "What the fleet draws, weighs and wastes: now, today and this month.",
        work(),
        [
            Band("Now and so far", [_power(), *_today(), *_month()]),
            Band("Who and what", [_by_team(), _by_component()]),
            Band("Waste", [_waste(), _waste_share(), _wasters()]),
            Band("Grid and budget", [_intensity(), _forecast(), _greenest(), _budget()]),
            Band("Top workloads", [_top()]),
            strip(WORK),
        ],
    )


def _power() -> Panel:
    return number(
        "Power now",
        "Power of everything that is chosen, from the energy counters. With all owners chosen it is the power of the "
        "devices: idle, system and unattributed are in it.",
        rate(ENERGY, WORK),
        Look(WATTS, "nothing is measured here"),
    )


def _today() -> list[Panel]:
    energy = number(
        "Energy today",
        f"Energy of the selection since midnight. {_ABOUT}",
        kwh(increase(ENERGY, WORK)),
        Look(KWH, "no energy here", since="now/d"),
        now=True,
    )
    emissions = number(
        "Emissions today",
        f"Location-based CO2 equivalent since midnight, PUE included, by the factor known when it was booked. {_ABOUT}",
        increase(GRAMS_OUT, _LOCATION),
        Look(GRAMS, _NO_FACTOR, since="now/d"),
        now=True,
    )
    return [energy, emissions]


def _month() -> list[Panel]:
    energy = number(
        "Energy this month",
        f"Energy of the selection since the first of the month. {_ABOUT}",
        kwh(increase(ENERGY, WORK)),
        Look(KWH, "no energy here", since="now/M"),
        now=True,
    )
    emissions = number(
        "Emissions this month",
        f"Location-based CO2 equivalent since the first of the month, PUE included. {_ABOUT}",
        increase(GRAMS_OUT, _LOCATION),
        Look(GRAMS, _NO_FACTOR, since="now/M"),
        now=True,
    )
    idle = number(
        "Idle share of energy",
        "Energy below the idle floor of its device, over all energy of the time range: held by somebody or by nobody.",
        share(increase(IDLE, WORK), increase(ENERGY, WORK)),
        Look(SHARE, "no energy here", highest=1, decimals=1, steps=((None, GOOD), (0.3, DOUBTFUL), (0.6, BAD))),
        now=True,
    )
    return [energy, emissions, idle]


def _by_team() -> Panel:
    return lines(
        "Power by team",
        "Workloads by team; what is charged to nobody by its kind. The stack adds up to the power of the selection.",
        [
            Query(named(rate(ENERGY, _CLAIMED, "team"), "team", "no team"), "{{team}}"),
            Query(rate(ENERGY, _REST, "kind"), "{{kind}}"),
        ],
        Look(WATTS, "nothing is measured here", span=12, height=9),
        stacked=True,
    )


def _by_component() -> Panel:
    return lines(
        "Power by component",
        "The same power by what draws it. A component that is missing has no sensor and no model on these nodes.",
        Query(rate(ENERGY, WORK, "component"), "{{component}}"),
        Look(WATTS, "nothing is measured here", span=12, height=9),
        stacked=True,
    )


def _waste() -> Panel:
    return lines(
        "Power below the idle floor",
        "Allocated: devices that a workload holds and does not use, charged to it. Nobody: devices that nobody holds. "
        "Both are in the power above.",
        [
            Query(rate(IDLE, f'{WORK},kind!~"idle|unallocated"'), "allocated, idle"),
            Query(rate(IDLE, f'{WORK},kind=~"idle|unallocated"'), "held by nobody"),
        ],
        Look(WATTS, "no idle energy here", span=10, height=8),
        stacked=True,
    )


def _waste_share() -> Panel:
    claimed = increase(IDLE, _CLAIMED), increase(ENERGY, _CLAIMED)
    return number(
        "Allocated and idle",
        "Of the energy charged to workloads in the time range, the part below the idle floor: devices held, not used.",
        share(*claimed),
        Look(
            SHARE,
            "no workload here",
            span=4,
            height=8,
            highest=1,
            decimals=1,
            steps=((None, GOOD), (0.15, DOUBTFUL), (0.4, BAD)),
        ),
        now=True,
    )


def _wasters() -> Panel:
    return bars(
        "Most allocated and idle energy",
        "The ten workloads with most energy below the idle floor of devices that they hold, in the time range.",
        Query(f"topk(10, {kwh(increase(IDLE, _CLAIMED, 'workload'))} > 0)", "{{workload}}"),
        Look(KWH, "no workload wastes energy here", span=10, height=8, steps=((None, DOUBTFUL),)),
    )


def _intensity() -> Panel:
    return lines(
        "Grid intensity",
        "What a kWh weighs, by zone and basis: the factor in use. Location: the grid as it is. Market: by contracts. "
        "Absent where there is no factor.",
        Query(
            f"max by (zone,basis,provider) (wattledger_grid_intensity_grams_per_kwh{{{PLACE}}})",
            "{{zone}} {{basis}} ({{provider}})",
        ),
        Look(INTENSITY, "no factor in use", span=9, height=8),
    )


def _forecast() -> Panel:
    expected = "max by (zone,scheme,horizon) (wattledger_grid_forecast_grams_per_kwh{%s})"
    return bars(
        "Expected intensity by hours from now",
        "What a kWh is expected to weigh in so many hours (scheme average), or what one more kWh would cause (a "
        "margin): advice, never inventory, and the two are never compared.",
        [  # one query each: an instant query has no order, and "12h" sorts before "1h"
            Query(expected % f'{PLACE},horizon="{hours}h"', "{{zone}} {{scheme}} +{{horizon}}") for hours in _HORIZONS_H
        ],
        Look(INTENSITY, "no forecast for these zones", span=6, height=8, decimals=0),
    )


def _greenest() -> Panel:
    return number(
        "Greenest start",
        "When a job of so many hours would weigh least if it started within a day. Advice, not inventory.",
        Query(
            f"1000 * min by (zone,scheme,hours) (wattledger_grid_greenest_start_timestamp_seconds{{{PLACE}}})",
            "{{hours}} h in {{zone}}",
        ),
        Look(DATE, "no forecast for these zones", span=4, height=8),
        now=True,
    )


def _budget() -> Panel:
    budget = 'max by (team) (wattledger_budget_kwh{team=~"$team"})'
    spent = kwh(increase(ENERGY, f'{NODE},team=~"$team"', "team"))
    return bars(
        "Month to date against the energy budget",
        "Energy since the first of the month over the monthly budget of the team, for teams that have one. Needs the "
        "budget rules (dashboards/rules/budgets.example.yml, edited) in Prometheus.",
        Query(f"{spent} / on (team) group_left () ({budget} > 0)", "{{team}}"),
        Look(
            SHARE,
            "no budget is set",
            span=5,
            height=8,
            decimals=0,
            highest=1.2,
            since="now/M",
            steps=((None, GOOD), (0.8, DOUBTFUL), (1, BAD)),
        ),
    )


def _top() -> Panel:
    by = "cluster,hostname,workload,kind,team,project,phase"
    energy = increase(ENERGY, _CLAIMED, by)
    biggest = f"topk(15, {energy})"
    return rows(
        "Top workloads of the time range",
        "The fifteen workloads that used most energy, with their location-based emissions and idle energy. One row for "
        f"each node of a workload. {_ABOUT}",
        [
            Column("Energy", kwh(biggest), KWH, 2),
            Column("Emissions", f"{increase(GRAMS_OUT, _LOCATION, by)} and on ({by}) {biggest}", GRAMS),
            Column("Idle energy", f"{kwh(increase(IDLE, _CLAIMED, by))} and on ({by}) {biggest}", KWH, 2),
        ],
        Look("", "no workload here", span=24, height=10),
        labels={
            "workload": "Workload",
            "kind": "Kind",
            "team": "Team",
            "project": "Project",
            "phase": "Phase",
            "cluster": "Cluster",
            "hostname": "Node",
        },
        links={
            "Workload": ("This workload", link("training", workload=field("Workload"))),
            "Node": ("This node", link("node", hostname=field("Node"))),
        },
        sort="Energy",
    )
