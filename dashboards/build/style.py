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
#: One colour for one thing on every dashboard.
COLOURS = {
    "gpu": "green",
    "cpu": "blue",
    "dram": "purple",
    "other": "super-light-blue",
    "idle": "semi-dark-orange",
    "idle share": "semi-dark-orange",
    "unallocated": "light-orange",
    "system": "text",
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
