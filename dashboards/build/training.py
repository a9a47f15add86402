"""Training run: one run from its first joule: what it drew, weighs so far, costs per step, and where it stood idle."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Panel

from dashboards.build.page import Band, Page, field, link
from dashboards.build.panels import Column, Look, Query, Steps, lines, number, rows
from dashboards.build.quality import strip
from dashboards.build.style import (
    AMOUNT,
    BAD,
    CHOSEN,
    DOUBTFUL,
    GOOD,
    GRAMS,
    HOURS,
    KWH,
    NODE,
    SHARE,
    WATTS,
    WORK,
    increase,
    kwh,
    rate,
    share,
)
from dashboards.build.training_units import band as per_unit
from dashboards.build.variables import work
from dashboards.build.workloads import (
    EDGES,
    EMISSIONS,
    ENERGY,
    HELD,
    IDLE,
    RUN,
    RUN_GPU,
    RUN_LOCATION,
    held_hours,
    idle_share,
    unused_hours,
)

_NO_RUN = "no run is chosen, or none here"
_NO_GPU = "no run is chosen, or no GPU"
_NO_FACTOR = "no run is chosen, or no factor"
_SO_FAR = (
    "From the first joule of the run to the end of the time range, whatever its beginning: counters begin with the "
    "workload and never fall. A run that ended must have ended inside the time range."
)
_ONE_RUN = (
    "Everything that is chosen is taken as one run: choose one workload, or the pods of one. With All of everything "
    "the page stays empty."
)
_PER_HOST = "cluster,hostname"
_IDLE: Steps = ((None, GOOD), (0.3, DOUBTFUL), (0.5, BAD))


def page() -> Page:
    return Page(
        "training",
        "wattledger: training run",
        "One run (choose a workload): power and energy by component, emissions so far, cost of a step, what a day more "
        "costs, idle gaps.",
        work(),
        [
            Band("So far", [_energy(), _emissions(), _hours(), _power(), _day(), _day_grams()]),
            Band("Through the run", [_by_component(), _growth(), _by_node(), _gpus()]),
            per_unit(_ONE_RUN),
            Band("Idle gaps", [_gap_hours(), _idle(), _idle_by_node(), _held()]),
            Band("Nodes", [_nodes(), _bases()]),
            strip(WORK),
        ],
        since="now-24h",
    )


def so_far(metric: str, selector: str, by: str = "") -> str:
    """What counters have reached: the whole of a workload, not the time range. Exact, because a workload's counters
    start at 0 with it, survive restarts of the daemon and never fall."""
    reached = f"last_over_time({metric}{{{selector}}}[$__range])"
    return f"sum by ({by}) ({reached})" if by else f"sum({reached})"


def _energy() -> Panel:
    return number(
        "Energy so far",
        f"Energy charged to the run, at the node, without PUE. {_SO_FAR} {_ONE_RUN}",
        kwh(so_far(ENERGY, RUN)),
        Look(KWH, _NO_RUN),
        now=True,
    )


def _emissions() -> Panel:
    return number(
        "Emissions so far",
        f"Location-based CO2 equivalent, PUE included, by the factors of the hours in which it ran. {_SO_FAR}",
        so_far(EMISSIONS, RUN_LOCATION),
        Look(GRAMS, _NO_FACTOR),
        now=True,
    )


def _hours() -> Panel:
    return number(
        "GPU hours so far",
        f"Device-hours that the run held GPUs, used or not. {_SO_FAR}",
        f"{so_far(HELD, RUN_GPU)} / 3600",
        Look(HOURS, _NO_GPU, decimals=1),
        now=True,
    )


def _power() -> Panel:
    return number("Power now", "Power of the run over the last rate window.", rate(ENERGY, RUN), Look(WATTS, _NO_RUN))


def _day() -> Panel:
    return number(
        "A day more at this rate",
        "Energy of the next 24 hours if the run goes on as in the last rate window. A projection, not a booking.",
        kwh(f"86400 * {rate(ENERGY, RUN)}"),
        Look(KWH, _NO_RUN),
    )


def _day_grams() -> Panel:
    return number(
        "A day more, emissions",
        "Location-based emissions of the next 24 hours at the present power and the present grid factor. The grid of "
        "the next day will differ: see the forecast on the overview.",
        f"86400 * {rate(EMISSIONS, RUN_LOCATION)}",
        Look(GRAMS, _NO_FACTOR),
    )


def _by_component() -> Panel:
    return lines(
        "Power by component",
        "Power of the run by what draws it. A component that is missing has no sensor and no model on these nodes.",
        Query(rate(ENERGY, RUN, "component"), "{{component}}"),
        Look(WATTS, _NO_RUN, span=12, height=8),
        stacked=True,
    )


def _growth() -> Panel:
    return lines(
        "Energy so far, by component",
        "What the counters of the run had reached at each moment. The part of a node ends when the workload has left "
        "it for 15 minutes.",
        Query(kwh(f"sum by (component) ({ENERGY}{{{RUN}}})"), "{{component}}"),
        Look(KWH, _NO_RUN, span=12, height=8),
        stacked=True,
    )


def _by_node() -> Panel:
    return lines(
        "Power by node",
        "Power of the run on each of its nodes. In a synchronous run they move together; one that does not is a "
        "straggler.",
        Query(rate(ENERGY, RUN, _PER_HOST), "{{hostname}}"),
        Look(WATTS, _NO_RUN, span=12, height=8),
    )


def _gpus() -> Panel:
    of_run, device = f"{rate(ENERGY, RUN_GPU, _PER_HOST)} > 0", "cluster,hostname,component,device"
    index = f"group by ({device},index) (wattledger_device_info{{{NODE}}})"
    return lines(
        "GPUs of its nodes",
        "Power of each GPU of the nodes on which the run uses one. Whole devices: other tenants of a shared GPU and "
        "GPUs that the run does not hold are in it.",
        Query(
            f'wattledger_device_power_watts{{{NODE},{CHOSEN},component="gpu"}} '
            f"* on ({device}) group_left (index) {index} and on ({_PER_HOST}) ({of_run})",
            "{{hostname}} GPU {{index}}",
        ),
        Look(WATTS, _NO_GPU, span=12, height=8),
    )


def _gap_hours() -> Panel:
    return number(
        "GPU hours in idle gaps",
        "GPU hours held in the time range on nodes where the run's GPUs drew less than twice their idle floor: waiting "
        "for data, a checkpoint, a straggler, or for nobody.",
        unused_hours(),
        Look(HOURS, _NO_GPU, decimals=1, height=8, steps=((None, GOOD), (1, DOUBTFUL))),
        now=True,
    )


def _idle() -> Panel:
    return number(
        "Idle share of GPU energy",
        "Of the GPU energy of the run in the time range, the part below the idle floor: what the GPUs would have drawn "
        "anyway. A busy GPU has it, too (10 to 20 %); waiting makes it grow. 0 until a floor is known.",
        idle_share(RUN_GPU),
        Look(SHARE, _NO_GPU, height=8, highest=1, decimals=1, steps=_IDLE),
        now=True,
    )


def _idle_by_node() -> Panel:
    return lines(
        "Idle share of GPU energy, by node",
        "A gap is where a line rises above 50 %: the GPUs are held and draw less than twice their idle floor.",
        Query(share(rate(IDLE, RUN_GPU, _PER_HOST), rate(ENERGY, RUN_GPU, _PER_HOST)), "{{hostname}}"),
        Look(SHARE, _NO_GPU, span=8, height=8, highest=1),
    )


def _held() -> Panel:
    return lines(
        "GPUs held, by node",
        "Device-seconds held per second: how many GPUs the run has. A MIG slice or a share counts by its share.",
        Query(rate(HELD, RUN_GPU, _PER_HOST), "{{hostname}}"),
        Look(AMOUNT, _NO_GPU, span=8, height=8),
        stacked=True,
    )


def _nodes() -> Panel:
    energy = increase(ENERGY, RUN, _PER_HOST)
    return rows(
        "Nodes of the run",
        f"Nodes on which the run used energy in the time range. {EDGES}",
        [
            Column("Energy", kwh(energy), KWH, 2),
            Column("Power now", rate(ENERGY, RUN, _PER_HOST), WATTS, 0),
            Column("GPU hours", held_hours(RUN_GPU, _PER_HOST), HOURS, 1),
            Column("GPU idle share", idle_share(RUN_GPU, _PER_HOST), SHARE, 0, _IDLE),
            Column(
                "Measured",
                share(increase(ENERGY, f'{RUN},method="measured"', _PER_HOST), energy),
                SHARE,
                0,
                ((None, BAD), (0.9, DOUBTFUL), (0.99, GOOD)),
            ),
        ],
        Look("", _NO_RUN, span=16, height=8),
        labels={"hostname": "Node", "cluster": "Cluster"},
        links={"Node": ("This node", link("node", hostname=field("Node")))},
        sort="Energy",
    )


def _bases() -> Panel:
    return number(
        "Emissions so far, by basis",
        "Location: the grid as it is. Market: by contracts and certificates. Embodied: making the hardware, by held "
        f"time. Three answers to three questions: never add them. {_SO_FAR}",
        Query(so_far(EMISSIONS, RUN, "basis"), "{{basis}}"),
        Look(GRAMS, _NO_FACTOR, span=8, height=8),
        now=True,
    )
