"""Team: what my work used, weighed and wasted, and whether that is more than before."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Panel

from dashboards.build.page import Band, Page, field, link
from dashboards.build.panels import Column, Look, Query, Steps, bars, lines, number, rows
from dashboards.build.quality import strip
from dashboards.build.style import (
    BAD,
    DOUBTFUL,
    GOOD,
    GRAMS,
    HOURS,
    KWH,
    SHARE,
    WATTS,
    WORK,
    increase,
    kwh,
    named,
    rate,
)
from dashboards.build.variables import work
from dashboards.build.workloads import (
    EDGES,
    EMISSIONS,
    ENERGY,
    GPU,
    HELD,
    LOCATION,
    OWNED,
    before,
    change,
    held_hours,
    idle_share,
    unused,
    unused_total,
    with_name,
)

_NO_WORK = "no workload of this choice"
_NO_GPU = "no GPU held here"
_NO_FACTOR = "no factor: nothing is weighed"
_NOTHING_BEFORE = "nothing in the period before"
_PERIOD = "The period before has the length of the time range and ends where it begins."
_IDLE: Steps = ((None, GOOD), (0.3, DOUBTFUL), (0.5, BAD))
_MORE: Steps = ((None, GOOD), (0.1, DOUBTFUL), (0.5, BAD))
_ROWS = 50


def page() -> Page:
    return Page(
        "team",
        "wattledger: team",
        "What my work used, weighed and wasted, by project and workload, and how that compares with the period before.",
        work(),
        [
            Band("My work", [_power(), _energy(), _emissions(), _gpu_hours(), _waste(), _busy()]),
            Band("Through time", [_by_project(), _by_component()]),
            Band("Against the period before", [_more(), _more_grams(), _more_hours(), _then_and_now(), _projects()]),
            Band("Waste", [_idle_power(), _wasters()]),
            Band("Workloads", [_workloads()]),
            strip(WORK),
        ],
        since="now-24h",
    )


def _power() -> Panel:
    return number(
        "Power now",
        "Power of the chosen workloads, from the energy counters: GPUs, CPUs and memory at the node.",
        rate(ENERGY, OWNED),
        Look(WATTS, _NO_WORK),
    )


def _energy() -> Panel:
    return number(
        "Energy",
        f"Energy charged to the chosen workloads in the time range, at the node, without PUE. {EDGES}",
        kwh(increase(ENERGY, OWNED)),
        Look(KWH, _NO_WORK),
        now=True,
    )


def _emissions() -> Panel:
    return number(
        "Emissions",
        "Location-based CO2 equivalent in the time range, PUE included, by the factor known when it was booked. "
        f"{EDGES}",
        increase(EMISSIONS, LOCATION),
        Look(GRAMS, _NO_FACTOR),
        now=True,
    )


def _gpu_hours() -> Panel:
    return number(
        "GPU hours held",
        "Device-hours that the workloads held GPUs in the time range, used or not. A MIG slice or a share of a GPU "
        "counts by its share.",
        held_hours(GPU),
        Look(HOURS, _NO_GPU, decimals=1),
        now=True,
    )


def _waste() -> Panel:
    return number(
        "Held and not used",
        "Energy of GPUs that workloads held while they drew less than twice their idle floor, in the time range: paid "
        "for and not used. It is in the energy beside.",
        kwh(unused_total(GPU, "")),
        Look(KWH, _NO_GPU),
        now=True,
    )


def _busy() -> Panel:
    return number(
        "Efficiency",
        "Of the energy of held GPUs in the time range, the part above their idle floor, which they would have drawn "
        "anyway. It says how much was spent on work, not whether the work was good. 100 % until a floor is known.",
        f"1 - {idle_share(GPU)}",
        Look(SHARE, _NO_GPU, highest=1, decimals=1, steps=((None, BAD), (0.6, DOUBTFUL), (0.85, GOOD))),
        now=True,
    )


def _by_project() -> Panel:
    return lines(
        "Power by project",
        "Power of the chosen workloads by project. The stack is the power of the selection.",
        Query(named(rate(ENERGY, OWNED, "project"), "project", "no project"), "{{project}}"),
        Look(WATTS, _NO_WORK, span=14, height=9),
        stacked=True,
    )


def _by_component() -> Panel:
    return lines(
        "Power by component",
        "The same power by what draws it. A component that is missing has no sensor and no model on these nodes.",
        Query(rate(ENERGY, OWNED, "component"), "{{component}}"),
        Look(WATTS, _NO_WORK, span=10, height=9),
        stacked=True,
    )


def _changed(title: str, description: str, expression: str) -> Panel:
    return number(
        title,
        f"{description} against the period before: +10 % is a tenth more. {_PERIOD}",
        expression,
        Look(SHARE, _NOTHING_BEFORE, height=8, lowest=None, decimals=1, steps=_MORE),
        now=True,
    )


def _more() -> Panel:
    return _changed("Energy, change", "Energy of the chosen workloads", change(ENERGY, OWNED))


def _more_grams() -> Panel:
    return _changed("Emissions, change", "Location-based emissions", change(EMISSIONS, LOCATION))


def _more_hours() -> Panel:
    return _changed("GPU hours, change", "GPU hours held", change(HELD, GPU))


def _then_and_now() -> Panel:
    then = f"sum(rate({ENERGY}{{{OWNED}}}[$__rate_interval] offset $__range))"
    return lines(
        "Power, now and in the period before",
        f"The two periods laid over each other. {_PERIOD}",
        [Query(rate(ENERGY, OWNED), "this period"), Query(then, "the period before")],
        Look(WATTS, _NO_WORK, span=12, height=8),
    )


def _projects() -> Panel:
    by = "team,project"
    energy = increase(ENERGY, OWNED, by)
    columns = [
        Column("Energy", kwh(energy), KWH, 2),
        Column("Before", kwh(before(ENERGY, OWNED, by)), KWH, 2),
        Column("Change", change(ENERGY, OWNED, by), SHARE, 0, _MORE),
        Column("Emissions", increase(EMISSIONS, LOCATION, by), GRAMS, 1),
        Column("GPU hours", held_hours(GPU, by), HOURS, 1),
        Column("GPU idle share", idle_share(GPU, by), SHARE, 0, _IDLE),
    ]
    return rows(
        "Projects, and the period before",
        f"By team and project, in the time range. {_PERIOD} {EDGES}",
        columns,
        Look("", _NO_WORK, span=24, height=8),
        labels={"team": "Team", "project": "Project"},
        links={"Project": ("This project", link("team", project=field("Project")))},
        sort="Energy",
    )


def _idle_power() -> Panel:
    return lines(
        "GPUs held and not used, by project",
        "Power of GPUs that workloads hold while they draw less than twice their idle floor. A level that stays for "
        "hours is a notebook, an endpoint or a job that waits.",
        Query(named(unused(GPU, "project"), "project", "no project"), "{{project}}"),
        Look(WATTS, "nothing is held and not used", span=12, height=8),
        stacked=True,
    )


def _wasters() -> Panel:
    wasted = f"topk(10, {unused_total(GPU, 'cluster,workload,kind')} > 0)"
    return bars(
        "Most energy held and not used",
        "The ten workloads whose GPUs drew most in windows in which they were held and not used, in the time range.",
        Query(kwh(with_name(wasted)), "{{name}}"),
        Look(KWH, "no workload wastes energy here", span=12, height=8, steps=((None, DOUBTFUL),)),
    )


def _workloads() -> Panel:
    by = "cluster,workload,kind,team,project,phase"
    biggest = f"topk({_ROWS}, {increase(ENERGY, OWNED, by)})"

    def of_these(vector: str) -> str:
        return with_name(f"{vector} and on ({by}) {biggest}")

    columns = [
        Column("Energy", kwh(with_name(biggest)), KWH, 2),
        Column("Emissions", of_these(increase(EMISSIONS, LOCATION, by)), GRAMS, 1),
        Column("GPU hours", of_these(held_hours(GPU, by)), HOURS, 1),
        Column("GPU idle share", of_these(f"({idle_share(GPU, by)})"), SHARE, 0, _IDLE),
    ]
    return rows(
        "Workloads",
        f"The {_ROWS} that used most energy in the time range, summed over their nodes. A workload opens as a "
        f"training run; its phase tells what else it is. {EDGES}",
        columns,
        Look("", _NO_WORK, span=24, height=12),
        labels={
            "name": "Name",
            "workload": "Workload",
            "kind": "Kind",
            "team": "Team",
            "project": "Project",
            "phase": "Phase",
            "cluster": "Cluster",
        },
        widths={"Name": 200, "Workload": 240, "Kind": 100, "Cluster": 100},
        links={
            "Workload": ("As a training run", link("training", workload=field("Workload"))),
            "Phase": ("Inference servers of this project", link("inference", project=field("Project"))),
        },
        sort="Energy",
    )
