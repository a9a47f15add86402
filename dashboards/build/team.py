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
    S_PER_H,
    SHARE,
    STEP_S,
    UNUSED_STEPS,
    WATTS,
    WORK,
    WORKLOAD_EMISSION_STEPS,
    WORKLOAD_STEPS,
    kwh,
    named,
    share,
    steps,
    work_increase,
    work_rate,
)
from dashboards.build.variables import work
from dashboards.build.workloads import (
    EMISSIONS,
    ENERGY,
    FIVE_MINUTES,
    GPU,
    HELD,
    IDLE,
    LOCATION,
    OWNED,
    RUN_GPU,
    before,
    change,
    held_hours,
    unused,
    with_name,
)

_NO_WORK = "no workload of this choice, or no rules"
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
        work_rate(ENERGY, OWNED),
        Look(WATTS, _NO_WORK),
    )


def _held_hours(by: str = "") -> str:
    return f"{work_increase(HELD, GPU, by)} / {S_PER_H}"


def _floor_share(by: str = "") -> str:
    return share(work_increase(IDLE, GPU, by), work_increase(ENERGY, GPU, by))


def _energy() -> Panel:
    return number(
        "Energy",
        f"Energy charged to the chosen workloads in the time range, at the node, without PUE. {FIVE_MINUTES}",
        kwh(work_increase(ENERGY, OWNED)),
        Look(KWH, _NO_WORK),
        now=True,
    )


def _emissions() -> Panel:
    return number(
        "Emissions",
        "Location-based CO2 equivalent in the time range, PUE included, by the factor known when it was booked. "
        f"{FIVE_MINUTES}",
        work_increase(EMISSIONS, LOCATION),
        Look(GRAMS, _NO_FACTOR),
        now=True,
    )


def _gpu_hours() -> Panel:
    return number(
        "GPU hours held",
        "Device-hours that the workloads held GPUs in the time range, used or not. A MIG slice or a share of a GPU "
        "counts by its share.",
        _held_hours(),
        Look(HOURS, _NO_GPU, decimals=1),
        now=True,
    )


def _waste() -> Panel:
    return number(
        "Held and not used",
        "Energy of GPUs that workloads held while they drew less than twice their idle floor, in the time range, by "
        "spans of five minutes: paid for and not used. It is in the energy beside.",
        kwh(f"({unused()})"),
        Look(KWH, _NO_GPU),
        now=True,
    )


def _busy() -> Panel:
    return number(
        "Efficiency",
        "Of the energy of held GPUs in the time range, the part above their idle floor, which they would have drawn "
        "anyway. It says how much was spent on work, not whether the work was good. 100 % until a floor is known.",
        f"1 - {_floor_share()}",
        Look(SHARE, _NO_GPU, highest=1, decimals=1, steps=((None, BAD), (0.6, DOUBTFUL), (0.85, GOOD))),
        now=True,
    )


def _by_project() -> Panel:
    return lines(
        "Power by project",
        "Power of the chosen workloads by project. The stack is the power of the selection.",
        Query(named(work_rate(ENERGY, OWNED, "project"), "project", "no project"), "{{project}}"),
        Look(WATTS, _NO_WORK, span=14, height=9),
        stacked=True,
    )


def _by_component() -> Panel:
    return lines(
        "Power by component",
        "The same power by what draws it. A component that is missing has no sensor and no model on these nodes.",
        Query(work_rate(ENERGY, OWNED, "component"), "{{component}}"),
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
    return lines(
        "Power, now and in the period before",
        f"The two periods laid over each other. {_PERIOD}",
        [
            Query(work_rate(ENERGY, OWNED), "this period"),
            Query(work_rate(ENERGY, OWNED, offset=" offset $__range"), "the period before"),
        ],
        Look(WATTS, _NO_WORK, span=12, height=8),
        dashed="the period before",
    )


def _projects() -> Panel:
    by = "team,project"
    energy = work_increase(ENERGY, OWNED, by)
    columns = [
        Column("Energy", kwh(energy), KWH, 2),
        Column("Before", kwh(before(ENERGY, OWNED, by)), KWH, 2),
        Column("Change", change(ENERGY, OWNED, by), SHARE, 0, _MORE),
        Column("Emissions", work_increase(EMISSIONS, LOCATION, by), GRAMS, 1),
        Column("GPU hours", _held_hours(by), HOURS, 1),
        Column("GPU idle share", _floor_share(by), SHARE, 0, _IDLE),
    ]
    return rows(
        "Projects, and the period before",
        f"By team and project, in the time range. {_PERIOD} {FIVE_MINUTES}",
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
        Query(named(f"sum by (project) ({UNUSED_STEPS}{{{WORK}}}) / {STEP_S}", "project", "no project"), "{{project}}"),
        Look(WATTS, "nothing is held and not used", span=12, height=12),
        stacked=True,
    )


def _wasters() -> Panel:
    wasted = f"topk(10, {unused('cluster,workload,kind')} > 0)"
    return bars(
        "Most energy held and not used",
        "The ten workloads whose GPUs drew most in windows in which they were held and not used, in the time range.",
        Query(kwh(with_name(wasted)), "{{name}}"),
        Look(KWH, "no workload wastes energy here", span=12, height=12, steps=((None, DOUBTFUL),)),
    )


def _workloads() -> Panel:
    by = "cluster,workload,kind,team,project,phase"
    biggest = f"topk({_ROWS}, {steps(WORKLOAD_STEPS, WORK, by)})"

    def of_these(vector: str) -> str:
        return with_name(f"{vector} and on ({by}) {biggest}")

    columns = [
        Column("Energy", kwh(with_name(biggest)), KWH, 2),
        Column("Emissions", of_these(steps(WORKLOAD_EMISSION_STEPS, WORK, by)), GRAMS, 1),
        Column("Not used", kwh(of_these(unused(by))), KWH, 2),
        Column("GPU hours", of_these(held_hours(RUN_GPU, by)), HOURS, 1),
    ]
    return rows(
        "Workloads",
        f"The {_ROWS} that used most energy in the time range, summed over their nodes; not used: by GPUs while they "
        "were held and drew less than twice their idle floor. GPU hours need a choice. A workload opens as a training "
        f"run; its phase tells what else it is. {FIVE_MINUTES}",
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
        widths={"Name": 180, "Workload": 390, "Kind": 100, "Cluster": 110},
        links={
            "Workload": ("As a training run", link("training", workload=field("Workload"))),
            "Phase": ("Inference servers of this project", link("inference", project=field("Project"))),
        },
        sort="Energy",
    )
