"""What the dashboards about work share: selectors, names of workloads, energy of the period before."""

from __future__ import annotations

from dashboards.build.style import (
    CHOSEN,
    NODE,
    REMAINDERS,
    S_PER_H,
    UNUSED_STEPS,
    WORK,
    increase,
    rate,
    share,
    steps,
    work_increase,
)

ENERGY = "wattledger_workload_energy_joules_total"
IDLE = "wattledger_workload_idle_energy_joules_total"
EMISSIONS = "wattledger_workload_emissions_grams_total"
HELD = "wattledger_workload_held_seconds_total"
UNITS = "wattledger_workload_units_total"

#: What somebody owns: no idle, system, unallocated or unattributed energy.
OWNED = f'{WORK},kind!~"{REMAINDERS}"'
GPU = f'{OWNED},component="gpu"'
LOCATION = f'{OWNED},basis="location"'
#: The same, once anything is chosen: for what needs the series of single workloads.
RUN, RUN_GPU, RUN_LOCATION = (f"{selector},{CHOSEN}" for selector in (OWNED, GPU, LOCATION))
EDGES = "Exact to one scrape interval at each edge of the time range; the statement is the book."
FIVE_MINUTES = (
    "Exact to five minutes at each edge of the time range, from the recording rules (dashboards/rules/recording.yml), "
    "and to one scrape interval where a workload or a node is chosen; the statement is the book."
)

_KEY = "cluster,workload,kind"
_ON_NODE = "cluster,hostname,workload,kind,team,project"
#: Idle energy is the floor times time, so a busy GPU has some, too (0.1 to 0.2 of its power). At twice its floor it is
#: at 0.5: a model is loaded and nothing runs.
UNUSED = 0.5


def with_name(vector: str) -> str:
    """Adds ``name`` to a vector with cluster, workload and kind: ``pod/<uid>`` tells a reader nothing. Of several names
    in the time range the one it had longest: two would break the join."""
    seen = f'count_over_time(wattledger_workload_info{{{NODE},workload=~"$workload"}}[$__range])'
    longest = f"topk by ({_KEY}) (1, sum by ({_KEY},name) ({seen}))"
    return f"({vector}) * on ({_KEY}) group_left (name) group by ({_KEY},name) ({longest})"


def before(metric: str, selector: str, by: str = "") -> str:
    """What a counter grew by in the period before the time range, of the same length."""
    return work_increase(metric, selector, by, " offset $__range")


def change(metric: str, selector: str, by: str = "") -> str:
    """Against the period before: 0.1 is a tenth more. Absent where there was nothing before."""
    return f"{work_increase(metric, selector, by)} / ({before(metric, selector, by)} > 0) - 1"


def idle_share(selector: str, by: str = "") -> str:
    """Energy below the idle floor over all energy of the time range."""
    return share(increase(IDLE, selector, by), increase(ENERGY, selector, by))


def unused(by: str = "") -> str:
    """Energy of GPUs that were held and not used in the time range, in joules. ``by``: some of the labels of a
    workload; without it 0 where GPUs were held."""
    wasted = steps(UNUSED_STEPS, WORK, by)
    return f"{wasted} or 0 * {work_increase(HELD, GPU)}" if not by else wasted


def unused_hours() -> str:
    """Device-hours of GPUs that the chosen run held and did not use: the share of rate windows in which it did not use
    those of a node, times the exact increase."""
    floor_share = f"{rate(IDLE, RUN_GPU, _ON_NODE)} / ({rate(ENERGY, RUN_GPU, _ON_NODE)} > 0)"
    held = rate(HELD, RUN_GPU, _ON_NODE)
    windows = "[$__range:$__rate_interval]"
    part = f"sum_over_time(sum({held} and on ({_ON_NODE}) ({floor_share} > {UNUSED})){windows})"
    whole = f"sum_over_time(sum({held}){windows})"
    return f"{share(part, whole)} * {increase(HELD, RUN_GPU)} / {S_PER_H}"


def held_hours(selector: str, by: str = "") -> str:
    """Device-hours held, used or not."""
    return f"{increase(HELD, selector, by)} / {S_PER_H}"
