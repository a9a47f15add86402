"""Decisions of style that all dashboards share: units, colours, selectors, and PromQL that is easily got wrong."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import DataSourceRef

DATASOURCE = DataSourceRef(type_val="prometheus", uid="$datasource")
TAG = "wattledger"

# Units of Grafana (valueFormats of @grafana/data). None converts between physical kinds: the query has to.
WATTS, KWH, JOULES, GRAMS = "watt", "kwatth", "joule", "massg"
SHARE, SECONDS, AGE, AMOUNT = "percentunit", "s", "dtdurations", "short"
INTENSITY = "suffix: g/kWh"
HOURS = "suffix: h"
CPU_PER_MINUTE = "suffix: CPU-s/min"
RATIO = "none"  # a plain number around 1
BYTES = "bytes"
DATE = "dateTimeAsIso"  # milliseconds
TEXT = "string"

J_PER_KWH = "3.6e6"
S_PER_H = "3600"

GOOD, DOUBTFUL, BAD, PLAIN = "green", "orange", "red", "blue"
#: Steps of colour for what should not be there at all: any amount is doubtful, none is nothing to worry about.
ANY_IS_DOUBTFUL = ((None, GOOD), (1e-9, DOUBTFUL))
#: One colour for one thing on every dashboard.
COLOURS = {
    "gpu": "green",
    "cpu": "blue",
    "dram": "purple",
    "other": "super-light-blue",
    "idle": "#808080",
    "unallocated": "#b0b0b0",
    "system": "#5a7a8c",
    "unattributed": "red",
    "location": "green",
    "market": "blue",
    "embodied": "purple",
}

#: What is charged to nobody: the kinds of the exposition that are remainders, not workloads.
REMAINDERS = "idle|unallocated|system|unattributed"

# Selectors. Every label is matched by a regular expression whose "All" is `.*`: it matches series without the label, so
# a Prometheus that adds no `cluster` or `site` works, and "All" stays short on a thousand nodes.
PLACE = 'cluster=~"$cluster",site=~"$site"'
NODE = f'{PLACE},hostname=~"$hostname"'
OWNER = 'team=~"$team",project=~"$project",phase=~"$phase"'
WORK = f'{NODE},{OWNER},workload=~"$workload"'

# A thousand nodes have 80,000 series of workloads, too many for any chart. No series has a label ``chosen``: it is
# empty, which All (`.*`) matches and a choice does not. So a selector with one of these finds nothing, at no cost:
#: until a team, project, phase, workload or node is chosen;
CHOSEN = 'chosen!~"${team}${project}${phase}${workload}${hostname}"'
#: as soon as one is;
NOT_CHOSEN = 'chosen=~"${team}${project}${phase}${workload}${hostname}"'
#: until a workload or a node is chosen, which recorded series of owners do not know; and
SINGLED_OUT = 'chosen!~"${workload}${hostname}"'
#: as soon as one is.
NOT_SINGLED_OUT = 'chosen=~"${workload}${hostname}"'

#: What a scrape adds to every series: enough to know which daemon said it.
TARGET = "cluster,job,instance"

# Recorded series (dashboards/rules/recording.yml): what a fleet or a month is asked by.
FLEET = f"{PLACE},{OWNER}"
POWER = "project:wattledger_workload_power_watts:rate5m"
KIND_POWER = "kind:wattledger_workload_power_watts:rate5m"
IDLE_POWER = "project:wattledger_workload_idle_power_watts:rate5m"
ENERGY_STEPS = "project:wattledger_workload_energy_joules:delta5m"
IDLE_STEPS = "project:wattledger_workload_idle_energy_joules:delta5m"
EMISSION_STEPS = "project:wattledger_workload_emissions_grams:delta5m"
WORKLOAD_STEPS = "workload:wattledger_workload_energy_joules:delta5m"
WORKLOAD_EMISSION_STEPS = "workload:wattledger_workload_emissions_grams:delta5m"
#: Energy of GPUs that were held and not used: they have the labels of single workloads, and there are few.
UNUSED_STEPS = "workload:wattledger_gpu_unused_energy_joules:delta5m"
STEP_S = "300"
ENERGY_MONTH = "project:wattledger_workload_energy_joules:month"
EMISSIONS_MONTH = "project:wattledger_workload_emissions_grams:month"
NO_RULES = "nothing recorded: are the recording rules loaded?"
RECORDED = "From the recording rules (dashboards/rules/recording.yml), which have to be loaded; up to five minutes old."


def steps(metric: str, selector: str, by: str = "") -> str:
    """Sum of recorded steps of five minutes within the time range of the panel: exact, nothing is extrapolated."""
    return _sum(f"sum_over_time({metric}{{{selector}}}[$__range])", by)


def today(metric: str, selector: str) -> str:
    """Sum of the recorded steps since midnight (UTC), whatever the time range: a panel's own ``timeFrom`` holds only as
    long as the range of the dashboard is a relative one. Of the last day, the steps with the day of now. A subquery
    sees a step up to five minutes after its end, so its day is that of five minutes before. 0 until there is one."""
    day = 'count_values("day", day_of_month(vector(time())))'
    dated = (
        f"{_sum(f'{metric}{{{selector}}}', '')} "
        '* on () group_left (day) count_values("day", day_of_month(vector(time() - 300)))'
    )
    recorded = f"sum(last_over_time({metric}{{{selector}}}[10m]))"
    return f"(sum(sum_over_time(({dated})[1d:5m]) and on (day) {day}) or 0 * {recorded})"


#: What its panels say of it.
TODAY = "since midnight (UTC) of the day in which the time range ends"
TODAY_RECORDED = (
    "From the recording rules (dashboards/rules/recording.yml), which have to be loaded; up to ten minutes old."
)


def month(metric: str, selector: str, by: str = "") -> str:
    """Sum of a recorded month to date, of the UTC month that the end of the time range is in.

    A rule of five minutes may be late, so its last ten are looked at: the label keeps the month before out of it.
    """
    return _sum(f"last_over_time({metric}{{{selector}}}[10m]) and on (month) {THIS_MONTH}", by)


#: One series, 1, whose label ``month`` is the UTC month of the evaluation: "202610". The last moment of October may be
#: rounded up to the first of November on the way.
THIS_MONTH = 'count_values("month", year(vector(time() - 1)) * 100 + month(vector(time() - 1)))'


def kwh(joules: str) -> str:
    """Energy as finance says it, from an expression in joules."""
    return f"{joules} / {J_PER_KWH}"


def rate(metric: str, selector: str, by: str = "") -> str:
    """Sum of the per-second rate of a counter: joules become watts."""
    return _sum(f"rate({metric}{{{selector}}}[$__rate_interval])", by)


def increase(metric: str, selector: str, by: str = "") -> str:
    """Sum of what a counter grew by within the time range of the panel."""
    return _sum(f"increase({metric}{{{selector}}}[$__range])", by)


#: Counter of workloads -> its recorded rate and steps.
_RATES = {
    "wattledger_workload_energy_joules_total": POWER,
    "wattledger_workload_idle_energy_joules_total": IDLE_POWER,
    "wattledger_workload_emissions_grams_total": "project:wattledger_workload_emissions_grams:rate5m",
}
_STEPS = {
    "wattledger_workload_energy_joules_total": ENERGY_STEPS,
    "wattledger_workload_idle_energy_joules_total": IDLE_STEPS,
    "wattledger_workload_emissions_grams_total": EMISSION_STEPS,
    "wattledger_workload_held_seconds_total": "project:wattledger_workload_held_seconds:delta5m",
}


def work_rate(metric: str, selector: str, by: str = "", offset: str = "") -> str:
    """``rate`` for a ``selector`` that begins with WORK: of the counters where a workload or a node is chosen, else of
    what is recorded. ``by``: no workload and no node. ``offset``: " offset 1h"."""
    one, every = _singled_out_or_not(selector)
    return _sum(
        f"rate({metric}{{{one}}}[$__rate_interval]{offset}) or {_RATES[metric]}{{{every}}}{offset}",
        by,
    )


def work_increase(metric: str, selector: str, by: str = "", offset: str = "") -> str:
    """``increase`` over the time range, in the same way."""
    one, every = _singled_out_or_not(selector)
    return _sum(
        f"increase({metric}{{{one}}}[$__range]{offset}) "
        f"or sum_over_time({_STEPS[metric]}{{{every}}}[$__range]{offset})",
        by,
    )


def _singled_out_or_not(selector: str) -> tuple[str, str]:
    return f"{selector},{SINGLED_OUT}", selector.replace(WORK, f"{FLEET},{NOT_SINGLED_OUT}")


def _sum(vector: str, by: str) -> str:
    return f"sum by ({by}) ({vector})" if by else f"sum({vector})"


def share(part: str, whole: str) -> str:
    """Part over whole, 0 where there is a whole and no part, nothing where there is no whole."""
    return f"(({part}) or 0 * ({whole})) / (({whole}) > 0)"


def named(vector: str, label: str, nobody: str) -> str:
    """Gives series that lack ``label`` a value that can be read: an empty legend says nothing."""
    return f'label_replace({vector}, "{label}", "{nobody}", "{label}", "")'


def workload_names(selector: str, which: str) -> str:
    """One series for each workload of ``which``, with the label ``name`` that a person gave it.

    A workload that got another name in the time range keeps one of them: a table needs one row for it.
    """
    key = "cluster,hostname,workload,kind"
    known = f"last_over_time(wattledger_workload_info{{{selector}}}[$__range])"
    return f"topk by ({key}) (1, max by ({key},name) ({known})) and on ({key}) {which}"


def by_host(vector: str, more: str = "") -> str:
    """Adds ``hostname`` to series that lack it, for the chosen nodes: the daemon's own metrics know only their target.

    ``more`` lists further selectors of nodes. The one series of a node that always has its name is
    ``wattledger_conservation_error_joules``; ``group`` makes its value 1.
    """
    host = f"group by ({TARGET},hostname) (wattledger_conservation_error_joules{{{NODE}{more}}})"
    return f"({vector}) * on ({TARGET}) group_left (hostname) {host}"


def cpu_per_minute() -> str:
    """CPU seconds a minute of the daemon of each chosen node."""
    cpu = by_host(f"rate(process_cpu_seconds_total{{{PLACE}}}[$__rate_interval])")
    return f"60 * max by (cluster,hostname) ({cpu})"
