"""What the dashboards about work share: selectors, names of workloads, energy of the period before."""

from __future__ import annotations

from dashboards.build.style import NODE, REMAINDERS, WORK, increase, rate, share

ENERGY = "wattledger_workload_energy_joules_total"
IDLE = "wattledger_workload_idle_energy_joules_total"
EMISSIONS = "wattledger_workload_emissions_grams_total"
HELD = "wattledger_workload_held_seconds_total"
UNITS = "wattledger_workload_units_total"

#: What somebody owns: no idle, system, unallocated or unattributed energy.
OWNED = f'{WORK},kind!~"{REMAINDERS}"'
GPU = f'{OWNED},component="gpu"'
LOCATION = f'{OWNED},basis="location"'
EDGES = "Exact to one scrape interval at each edge of the time range; the statement is the book."

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
    grown = f"increase({metric}{{{selector}}}[$__range] offset $__range)"
    return f"sum by ({by}) ({grown})" if by else f"sum({grown})"


def change(metric: str, selector: str, by: str = "") -> str:
    """Against the period before: 0.1 is a tenth more. Absent where there was nothing before."""
    return f"{increase(metric, selector, by)} / ({before(metric, selector, by)} > 0) - 1"


def idle_share(selector: str, by: str = "") -> str:
    """Energy below the idle floor over all energy of the time range."""
    return share(increase(IDLE, selector, by), increase(ENERGY, selector, by))


def unused(selector: str, by: str, metric: str = ENERGY) -> str:
    """Rate of a counter (watts; with ``HELD``, GPUs) of GPUs that a workload held and did not use in the rate window.

    ``selector`` is that of GPUs; ``by`` some of cluster, hostname, workload, kind, team and project, or "".
    """
    still = f"{rate(IDLE, selector, _ON_NODE)} / ({rate(ENERGY, selector, _ON_NODE)} > 0) > {UNUSED}"
    vector = f"{rate(metric, selector, _ON_NODE)} and on ({_ON_NODE}) ({still})"
    return f"sum by ({by}) ({vector})" if by else f"sum({vector})"


def unused_total(selector: str, by: str, metric: str = ENERGY) -> str:
    """The same over the time range, in the counter's own unit: the share of rate windows, times the exact increase."""
    windows = "[$__range:$__rate_interval]"
    part = f"sum_over_time({unused(selector, by, metric)}{windows})"
    whole = f"sum_over_time({rate(metric, selector, by)}{windows})"
    return f"{share(part, whole)} * {increase(metric, selector, by)}"


def held_hours(selector: str, by: str = "") -> str:
    """Device-hours held, used or not."""
    return f"{increase(HELD, selector, by)} / 3600"
