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

#: What a scrape adds to every series: enough to know which daemon said it.
TARGET = "cluster,job,instance"


# Recorded series (dashboards/rules/recording.yml): what a fleet or a month is asked by. A thousand nodes have 80,000
# series of workloads; a chart of their raw rates needs more samples than a Prometheus allows.
FLEET = f"{PLACE},{OWNER}"
POWER = "project:wattledger_workload_power_watts:rate5m"
IDLE_POWER = "project:wattledger_workload_idle_power_watts:rate5m"
ENERGY_STEPS = "project:wattledger_workload_energy_joules:delta5m"
IDLE_STEPS = "project:wattledger_workload_idle_energy_joules:delta5m"
EMISSION_STEPS = "project:wattledger_workload_emissions_grams:delta5m"
ENERGY_MONTH = "project:wattledger_workload_energy_joules:month"
EMISSIONS_MONTH = "project:wattledger_workload_emissions_grams:month"
NO_RULES = "nothing recorded: are the recording rules loaded?"
RECORDED = "From the recording rules (dashboards/rules/recording.yml), which have to be loaded; up to five minutes old."


def steps(metric: str, selector: str, by: str = "") -> str:
    """Sum of recorded steps of five minutes within the time range of the panel: exact, nothing is extrapolated."""
    return _sum(f"sum_over_time({metric}{{{selector}}}[$__range])", by)


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
