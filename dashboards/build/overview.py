"""Overview: what a whole fleet draws, weighs and wastes, at a glance."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Panel

from dashboards.build.page import Band, Page, field, link
from dashboards.build.panels import Column, Look, Query, bars, lines, number, rows
from dashboards.build.quality import strip
from dashboards.build.style import (
    ANY_IS_DOUBTFUL,
    BAD,
    DATE,
    DOUBTFUL,
    EMISSION_STEPS,
    EMISSIONS_MONTH,
    ENERGY_MONTH,
    ENERGY_STEPS,
    FLEET,
    GOOD,
    GRAMS,
    IDLE_POWER,
    IDLE_STEPS,
    INTENSITY,
    KWH,
    NO_RULES,
    NODE,
    PLACE,
    POWER,
    RECORDED,
    REMAINDERS,
    SHARE,
    STEP_S,
    TODAY,
    TODAY_RECORDED,
    UNUSED_STEPS,
    WATTS,
    WORK,
    WORKLOAD_EMISSION_STEPS,
    WORKLOAD_STEPS,
    kwh,
    month,
    named,
    share,
    steps,
    today,
    workload_names,
)
from dashboards.build.variables import work
from dashboards.build.workloads import with_name

_LOCATION = 'basis="location"'
_CLAIMED = f'kind!~"{REMAINDERS}"'
_REST = f'kind=~"{REMAINDERS}"'
_MEASURES = ("Energy", "Emissions", "Not used")
_HORIZONS_H = (0, 1, 2, 3, 6, 12, 24)  # as the daemon exports them


def page() -> Page:
    return Page(
        "overview",
        "wattledger: overview",
        "What the fleet draws, weighs and wastes: now, today and this month.",
        work(),
        [
            Band("Now and so far", [_power(), *_today(), *_month(), _idle_share()]),
            Band("Who and what", [_by_team(), _by_component()]),
            Band("Waste", [_waste(), _waste_share(), _budget()]),
            Band("Grid", [_intensity(), _forecast(), _greenest()]),
            Band("Workloads (waste and these two follow the choice of workload and node, too)", [_top(), _wasters()]),
            strip(WORK),
        ],
    )


def _power() -> Panel:
    return number(
        "Power now",
        "Power of what is chosen, mean of five minutes. With all owners chosen it is the power of the devices: idle, "
        f"system and unattributed are in it. {RECORDED}",
        f"sum({POWER}{{{FLEET}}})",
        Look(WATTS, NO_RULES),
        now=True,
    )


def _today() -> list[Panel]:
    energy = number(
        "Energy today",
        f"Energy of what is chosen {TODAY}. {TODAY_RECORDED}",
        kwh(today(ENERGY_STEPS, FLEET)),
        Look(KWH, NO_RULES),
        now=True,
    )
    emissions = number(
        "Emissions today",
        f"Location-based CO2 equivalent {TODAY}; PUE included, by the factor known when it was booked. Absent without "
        f"a factor. {TODAY_RECORDED}",
        today(EMISSION_STEPS, f"{FLEET},{_LOCATION}"),
        Look(GRAMS, "no factor, or no rules"),
        now=True,
    )
    return [energy, emissions]


def _month() -> list[Panel]:
    energy = number(
        "Energy this month",
        f"Energy of what is chosen since the first of the month (UTC). The statement is the book. {RECORDED}",
        kwh(month(ENERGY_MONTH, FLEET)),
        Look(KWH, NO_RULES),
        now=True,
    )
    emissions = number(
        "Emissions this month",
        "Location-based CO2 equivalent since the first of the month (UTC), PUE included. The statement is the book. "
        f"{RECORDED}",
        month(EMISSIONS_MONTH, f"{FLEET},{_LOCATION}"),
        Look(GRAMS, "no factor, or no rules"),
        now=True,
    )
    return [energy, emissions]


def _idle_share() -> Panel:
    return number(
        "Idle share of energy",
        "Energy below the idle floor of its device over all energy, in the time range: held by somebody or by nobody. "
        f"{RECORDED}",
        share(steps(IDLE_STEPS, FLEET), steps(ENERGY_STEPS, FLEET)),
        Look(SHARE, NO_RULES, highest=1, decimals=1, steps=((None, GOOD), (0.3, DOUBTFUL), (0.6, BAD))),
        now=True,
    )


def _by_team() -> Panel:
    return lines(
        "Power by team",
        "Workloads by team, and what is charged to nobody by its kind. The stack is the power of what is chosen. "
        f"{RECORDED}",
        [
            Query(named(f"sum by (team) ({POWER}{{{FLEET},{_CLAIMED}}})", "team", "no team"), "{{team}}"),
            Query(f"sum by (kind) ({POWER}{{{FLEET},{_REST}}})", "{{kind}}"),
        ],
        Look(WATTS, NO_RULES, span=12, height=9),
        stacked=True,
    )


def _by_component() -> Panel:
    return lines(
        "Power by component",
        f"The same power by what draws it. A component that is missing has neither sensor nor model. {RECORDED}",
        Query(f"sum by (component) ({POWER}{{{FLEET}}})", "{{component}}"),
        Look(WATTS, NO_RULES, span=12, height=9),
        stacked=True,
    )


def _waste() -> Panel:
    unused = f"sum({UNUSED_STEPS}{{{WORK}}}) / {STEP_S}"
    return lines(
        "Power of what nobody uses",
        "Held, not used: GPUs that a workload holds and that draw less than twice their idle floor, charged to it. A "
        "GPU that works has the same floor and is not in it. Held by nobody: the idle floor of the rest. Both are part "
        f"of the power above. {RECORDED}",
        [
            Query(f"{unused} or 0 * sum({POWER}{{{FLEET},{_CLAIMED}}})", "held, not used"),
            Query(f"sum({IDLE_POWER}{{{FLEET},{_REST}}})", "held by nobody"),
        ],
        Look(WATTS, NO_RULES, span=12, height=8),
        stacked=True,
    )


def _waste_share() -> Panel:
    return number(
        "Held and not used",
        "Of the energy charged to workloads in the time range, that of GPUs while they were held and drew less than "
        f"twice their idle floor. As on the dashboard of a team. {RECORDED}",
        share(steps(UNUSED_STEPS, WORK), steps(WORKLOAD_STEPS, WORK)),
        Look(
            SHARE,
            "no workload, or no rules",
            span=4,
            height=8,
            highest=1,
            decimals=1,
            steps=((None, GOOD), (0.05, DOUBTFUL), (0.2, BAD)),
        ),
        now=True,
    )


def _wasters() -> Panel:
    unused = steps(UNUSED_STEPS, WORK, "cluster,workload,kind")
    return bars(
        "Most held and not used",
        "The ten workloads whose GPUs drew most in the time range while they were held and not used: less than twice "
        f"their idle floor. {RECORDED}",
        Query(kwh(with_name(f"topk(10, {unused} > 0)")), "{{name}}"),
        Look(KWH, "no workload wastes energy here", span=24, height=12, steps=ANY_IS_DOUBTFUL),
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
        Look(INTENSITY, "no factor in use", span=8, height=9),
    )


def _forecast() -> Panel:
    expected = "max by (zone,scheme,horizon) (wattledger_grid_forecast_grams_per_kwh{%s})"
    return bars(
        "Expected intensity by hours from now",
        "What a kWh is expected to weigh in so many hours (scheme average), or what one more kWh would cause (a "
        "margin): advice, never inventory, and the two are never compared.",
        [  # one query each: an instant query has no order, and "12h" sorts before "1h"
            Query(expected % f'{PLACE},horizon="{hours}h"', "+{{horizon}} {{zone}} {{scheme}}") for hours in _HORIZONS_H
        ],
        Look(INTENSITY, "no forecast for these zones", span=12, height=9, decimals=0),
    )


def _greenest() -> Panel:
    return number(
        "Greenest start",
        "When a job of so many hours would weigh least if it started within a day. Advice, not inventory.",
        Query(
            f"1000 * min by (zone,scheme,hours) (wattledger_grid_greenest_start_timestamp_seconds{{{PLACE}}})",
            "{{hours}} h in {{zone}}",
        ),
        Look(DATE, "no forecast for these zones", span=4, height=9),
        now=True,
        listed=True,
    )


def _budget() -> Panel:
    return bars(
        "Month to date against budget",
        "Used so far over the monthly budget, for teams that have one: edit dashboards/rules/budgets.example.yml. "
        f"Of the whole fleet: only the choice of team applies. {RECORDED}",
        Query(month("team:wattledger_budget_used:ratio", 'team=~"$team"', "team,budget"), "{{team}} ({{budget}})"),
        Look(
            SHARE,
            "no budget is set",
            span=8,
            height=8,
            decimals=0,
            highest=1.2,
            steps=((None, GOOD), (0.8, DOUBTFUL), (1, BAD)),
        ),
    )


def _top() -> Panel:
    by = "cluster,hostname,workload,kind,team,project"
    biggest = f"topk(15, {steps(WORKLOAD_STEPS, WORK, by)})"

    def theirs(metric: str) -> str:
        return f"{steps(metric, WORK, by)} and on ({by}) {biggest}"

    return rows(
        "Top workloads",
        "The fifteen workloads with most energy in the time range, with their location-based emissions, and the energy "
        "of their GPUs while they were held and not used; one row for each node of a workload. The statement is the "
        f"book. {RECORDED}",
        [
            Column("Energy", kwh(biggest), KWH, 2),
            Column("Emissions", theirs(WORKLOAD_EMISSION_STEPS), GRAMS, 1),
            Column("Not used", kwh(f"({theirs(UNUSED_STEPS)})"), KWH, 2),
        ],
        Look("", "no workload here, or no rules", span=24, height=10),
        names=workload_names(f'{NODE},workload=~"$workload"', biggest),
        labels={
            "name": "Name",
            "workload": "Workload",
            "team": "Team",
            "project": "Project",
            "cluster": "Cluster",
            "hostname": "Node",
        },
        links={
            "Workload": ("This workload", link("training", workload=field("Workload"))),
            "Team": ("This team", link("team", team=field("Team"))),
            "Node": ("This node", link("node", hostname=field("Node"))),
        },
        sort="Energy",
        widths={"Name": 200, "Workload": 420, "Cluster": 130, "Node": 140, **dict.fromkeys(_MEASURES, 140)},
    )
