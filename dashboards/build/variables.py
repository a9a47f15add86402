"""What a reader can choose. All dashboards use the same names, so that links between them carry the choice."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import DatasourceVariable, QueryVariable
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import (
    VariableModel,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from dashboards.build.style import DATASOURCE, PLACE

Variable = Builder[VariableModel]
_WORK_METRIC = "wattledger_workload_energy_joules_total"
_NODE_METRIC = "wattledger_conservation_error_joules"  # one series a node


def datasource() -> Variable:
    chosen = VariableOption(selected=True, text="default", value="default")
    return DatasourceVariable("datasource").label("Data source").type("prometheus").current(chosen)


def chooser(name: str, label: str, description: str, query: str) -> QueryVariable:
    """A list of label values with several choices and All."""
    return (
        QueryVariable(name)
        .label(label)
        .description(description)
        .datasource(DATASOURCE)
        .query({"query": query, "refId": "Variable"})
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_CASE_INSENSITIVE_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(VariableOption(selected=True, text=["All"], value=["$__all"]))
    )


def places() -> tuple[Variable, ...]:
    """Data source, cluster and site: the scrape configuration adds the labels of the last two."""
    return (
        datasource(),
        chooser(
            "cluster",
            "Cluster",
            "External or target label `cluster`. Only All where the scrape configuration sets none.",
            "label_values(wattledger_build_info, cluster)",
        ),
        chooser(
            "site",
            "Site",
            "External or target label `site`. Only All where the scrape configuration sets none.",
            'label_values(wattledger_build_info{cluster=~"$cluster"}, site)',
        ),
    )


def hostname() -> Variable:
    return chooser("hostname", "Node", "Nodes that report.", f"label_values({_NODE_METRIC}{{{PLACE}}}, hostname)")


def nodes() -> tuple[Variable, ...]:
    """For dashboards about machines."""
    return (*places(), hostname())


def owners(*last: Variable) -> tuple[Variable, ...]:
    """For dashboards that are asked by recorded series, which know owners and no single workload or node."""
    of_team = f'{PLACE},team=~"$team"'
    of_project = f'{of_team},project=~"$project"'
    return (
        *places(),
        _owned("team", "Team", "Who owns the workloads, by the rules of the configuration.", PLACE),
        _owned("project", "Project", "Projects of the chosen teams.", of_team),
        _owned("phase", "Phase", "What the work was for: training, inference, evaluation.", of_project),
        *last,
    )


def work(*last: Variable) -> tuple[Variable, ...]:
    """For dashboards about what machines are used for: place, then owner, then workload, then node."""
    chosen = f'{PLACE},team=~"$team",project=~"$project",phase=~"$phase"'
    workload = _owned("workload", "Workload", "Pods, jobs, containers, units and runs of the chosen owners.", chosen)
    return (*owners(), workload, hostname(), *last)


def _owned(name: str, label: str, description: str, selector: str) -> QueryVariable:
    return chooser(name, label, description, f"label_values({_WORK_METRIC}{{{selector}}}, {name})")
