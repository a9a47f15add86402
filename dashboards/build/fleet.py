"""Fleet health: who does not report, what is modelled and why, stale factors, version skew, cost of the agents."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Panel

from dashboards.build.page import Band, Page, field, link
from dashboards.build.panels import Column, Look, Query, Steps, bars, lines, number, rows
from dashboards.build.quality import strip
from dashboards.build.style import (
    AGE,
    AMOUNT,
    ANY_IS_DOUBTFUL,
    BAD,
    BYTES,
    CPU_PER_MINUTE,
    DOUBTFUL,
    GOOD,
    INTENSITY,
    JOULES,
    NODE,
    PLACE,
    RATIO,
    TARGET,
    WATTS,
    by_host,
    cpu_per_minute,
    rate,
)
from dashboards.build.variables import nodes

_NONE_IS_GOOD: Steps = ((None, GOOD), (1, BAD))
_SILENT_S = 120
_NEVER_S = 1_000_000_000
_HOST = "wattledger_conservation_error_joules"
_NODE_LINK = {"Node": ("This node", link("node", hostname=field("Node")))}


def page() -> Page:
    return Page(
        "fleet-health",
        "wattledger: fleet health",
        "Who does not report, what is modelled and why, stale factors, version skew and what the agents cost.",
        nodes(),
        [
            Band("At a glance", _glance()),
            Band("Nodes", [_silent(), _versions(), _gaps()]),
            Band("What is modelled, and why", [_modelled_share(), _failing(), _modelled()]),
            Band("Grid factors", [_factors(), _services(), _pue()]),
            Band("Ledgers and shipping", [_commit(), _shipping()]),
            Band("What the agents cost", [_cpu(), _memory()]),
            strip(),
        ],
    )


def _silence() -> str:
    """Seconds since the last tick of every node seen within a day, whether it still answers or not: the least of its
    targets, because the address of a node may change.

    The name of a node that is gone is found where its last tick is: in the day behind.
    """
    tick = f"time() - max by ({TARGET}) (last_over_time(wattledger_tick_timestamp_seconds{{{PLACE}}}[1d]))"
    host = f"group by ({TARGET},hostname) (last_over_time({_HOST}{{{NODE}}}[1d]))"
    return f"min by (cluster,hostname) (({tick}) * on ({TARGET}) group_left (hostname) {host})"


def _glance() -> list[Panel]:
    failing = by_host(f"wattledger_source_up{{{PLACE}}} == 0")
    return [
        number(
            "Nodes that report",
            f"Nodes whose last tick is less than {_SILENT_S} s ago.",
            f"count({_silence()} <= {_SILENT_S})",
            Look(AMOUNT, "no node here", decimals=0),
            now=True,
        ),
        number(
            "Silent nodes",
            f"Nodes that ticked within the last day and not within the last {_SILENT_S} s: down, hung or not scraped. "
            "A node that is silent for longer than a day is forgotten here.",
            f"count({_silence()} > {_SILENT_S}) or 0 * count({_silence()})",
            Look(AMOUNT, "no node here", decimals=0, steps=_NONE_IS_GOOD),
            now=True,
        ),
        number(
            "Nodes with a failing source",
            "Nodes on which at least one source failed, hangs or is stale.",
            f"count(count by (cluster,hostname) ({failing})) or 0 * count({_HOST}{{{NODE}}})",
            Look(AMOUNT, "no node here", decimals=0, steps=_NONE_IS_GOOD),
            now=True,
        ),
        number(
            "Largest conservation error",
            "Device energy minus charged energy: 0, always. Anything else is a defect worth a report.",
            f"max(abs({_HOST}{{{NODE}}}))",
            Look(JOULES, "no node here", steps=((None, GOOD), (1e-6, BAD))),
            now=True,
        ),
        number(
            "Versions that run",
            "More than one is version skew: fine during an update, and only then.",
            f"count(group by (version) (wattledger_build_info{{{PLACE}}}))",
            Look(AMOUNT, "no node here", decimals=0, steps=((None, GOOD), (2, DOUBTFUL))),
            now=True,
        ),
        number(
            "Nodes without a factor",
            "Nodes that report and weigh nothing, because there is no grid factor for their zone.",
            f"count({_HOST}{{{NODE}}} unless on ({TARGET}) wattledger_grid_intensity_grams_per_kwh) "
            f"or 0 * count({_HOST}{{{NODE}}})",
            Look(AMOUNT, "no node here", decimals=0, steps=_NONE_IS_GOOD),
            now=True,
        ),
    ]


def _silent() -> Panel:
    return rows(
        "Which nodes are silent",
        "Nodes that ticked within the last day and do not now, longest first. Their counters are in their ledgers: "
        "what they measured while nobody scraped them is not lost.",
        [Column("Silent for", f"{_silence()} > {_SILENT_S}", AGE, 1)],
        Look("", "every node reports", span=8, height=8),
        labels={"cluster": "Cluster", "hostname": "Node"},
        links=_NODE_LINK,
        sort="Silent for",
    )


def _versions() -> Panel:
    return bars(
        "Nodes by version",
        "How many daemons run each version.",
        Query(f"sort_desc(count by (version) (wattledger_build_info{{{PLACE}}}))", "{{version}}"),
        Look(AMOUNT, "no node here", span=6, height=8, decimals=0),
    )


def _gaps() -> Panel:
    gaps = by_host(f"increase(wattledger_gap_seconds_total{{{PLACE}}}[$__range])")
    return bars(
        "Most time without a reading",
        "Device time without a reading in the time range, by node and reason: the six largest.",
        Query(f"topk(6, sum by (cluster,hostname,reason) ({gaps}) > 0)", "{{hostname}}: {{reason}}"),
        Look(AGE, "no gap in this time", span=10, height=8, steps=ANY_IS_DOUBTFUL),
    )


def _modelled_share() -> Panel:
    return lines(
        "Power by method",
        "Measured: a sensor read it. Modelled: there is no sensor, or it gave no reading. Simulated: a demo node.",
        Query("sum by (method) (hostname:wattledger_device_power_watts:rate5m{" + NODE + "})", "{{method}}"),
        Look(WATTS, "nothing recorded: are the recording rules loaded?", span=8, height=9),
        stacked=True,
    )


def _modelled() -> Panel:
    key = "cluster,hostname,component,device"
    power = rate("wattledger_device_energy_joules_total", f'{NODE},method!="measured"', f"{key},method")
    info = f"group by ({key},sensor,model) (wattledger_device_info{{{NODE}}})"
    return rows(
        "Devices that are not measured",
        "The fifty largest. Sensor is what stands in: the name of a model means that this kind of node has no sensor; "
        "a real sensor means that it gave no reading and the gap was filled, for the reason in the table beside.",
        [Column("Power", f"topk(50, ({power} > 0) * on ({key}) group_left (sensor,model) {info})", WATTS, 0)],
        Look("", "everything is measured", span=24, height=9),
        labels={
            "cluster": "Cluster",
            "hostname": "Node",
            "component": "Component",
            "sensor": "Sensor",
            "model": "Model",
            "method": "Method",
            "device": "Device",
        },
        links=_NODE_LINK,
        sort="Power",
        widths={"Cluster": 100, "Node": 110, "Component": 130, "Method": 100, "Power": 90},
    )


def _failing() -> Panel:
    key = "cluster,hostname,source,kind"
    errors = by_host(f"increase(wattledger_source_errors_total{{{PLACE}}}[$__range])")
    return rows(
        "Sources that failed",
        "Failed reads of the time range by source and kind of failure, the fifty worst. `wattledger check` on the node "
        "prints the line that would fix it.",
        [Column("Failed reads", f"topk(50, sum by ({key}) ({errors}) > 0)", AMOUNT, 0)],
        Look("", "no source failed", span=16, height=9),
        labels={"cluster": "Cluster", "hostname": "Node", "source": "Source", "kind": "Kind"},
        links=_NODE_LINK,
        sort="Failed reads",
    )


def _factors() -> Panel:
    by = "zone,basis,factor_type,tier,provider"
    stamp = f"wattledger_grid_intensity_timestamp_seconds{{{PLACE}}}"
    value = f"wattledger_grid_intensity_grams_per_kwh{{{PLACE}}}"
    return rows(
        "Factors in use",
        "Age: time since the start of what the factor describes. Tiers 1 to 3 are of one hour, and stale after a few; "
        "tiers 4 to 6 are of a year. Nodes with one zone and two factors are out of step.",
        [
            Column("Intensity", f"max by ({by}) ({value})", INTENSITY, 0),
            Column("Age", f"max by ({by}) (time() - {stamp})", AGE, 0),
            Column("Nodes", f"count by ({by}) ({value})", AMOUNT, 0),
        ],
        Look("", "no factor in use", span=14, height=8),
        labels={"zone": "Zone", "basis": "Basis", "factor_type": "Type", "tier": "Tier", "provider": "Provider"},
        sort="Age",
        widths={"Zone": 90, "Tier": 80, "Provider": 150, "Nodes": 90},
    )


def _services() -> Panel:
    success = f"wattledger_grid_provider_last_success_timestamp_seconds{{{PLACE}}}"
    return rows(
        "Services of grid data",
        "Daemons that ask each service, how many get an answer, and the oldest last answer.",
        [
            Column("Ask", f"count by (provider) (wattledger_grid_provider_up{{{PLACE}}})", AMOUNT, 0),
            Column("Answered", f"sum by (provider) (wattledger_grid_provider_up{{{PLACE}}})", AMOUNT, 0),
            Column("Last answer", f"max by (provider) (time() - {success})", AGE, 0),
        ],
        Look("", "no service is asked: yearly tables", span=10, height=8),
        labels={"provider": "Service"},
    )


def _pue() -> Panel:
    by = "site,source,assumed"
    info = f"group by ({TARGET},{by}) (wattledger_pue_info{{{PLACE}}})"
    pue = f"wattledger_pue_ratio{{{PLACE}}}"
    return rows(
        "PUE in use",
        "Facility energy over IT energy, by site and who says so. Assumed: nobody does.",
        [
            Column("PUE", f"max by ({by}) ({info} * on ({TARGET},site) group_left () {pue})", RATIO, 3),
            Column("Nodes", f"count by ({by}) (wattledger_pue_info{{{PLACE}}})", AMOUNT, 0),
        ],
        Look("", "no site reports", span=24, height=6),
        labels={"site": "Site", "source": "Source", "assumed": "Assumed"},
        widths={"Assumed": 100, "PUE": 80, "Nodes": 80},
    )


def _commit() -> Panel:
    commit = by_host(f"time() - wattledger_ledger_commit_timestamp_seconds{{{PLACE}}}")
    return bars(
        "Longest since a ledger commit",
        "The six nodes whose ledgers were committed longest ago. Every 10 s is normal: a full or broken disk stops it.",
        Query(f"topk(6, max by (cluster,hostname) ({commit}))", "{{hostname}}"),
        Look(AGE, "no ledger here", span=12, height=8, decimals=0, steps=((None, GOOD), (60, DOUBTFUL), (300, BAD))),
    )


def _shipping() -> Panel:
    shipped = by_host(f"time() - wattledger_ship_last_success_timestamp_seconds{{{PLACE}}}")
    up = by_host(f"wattledger_ship_up{{{PLACE}}}")
    key = "cluster,hostname"
    tried = f"min by ({key}) ({up})"
    longest = f"topk(20, min by ({key}) ({shipped}) or {_NEVER_S} + 0 * {tried})"
    return rows(
        "Shipping to the books",
        "How long ago each node that ships did so last, twenty longest first; never: it has not succeeded since its "
        "daemon was started. Up: the last try went well. What was not shipped waits in the node's ledger.",
        [
            Column("Shipped", longest, AGE, 0, ((None, GOOD), (7200, DOUBTFUL), (_NEVER_S, BAD)), {_NEVER_S: "never"}),
            Column("Up", f"{tried} and on ({key}) {longest}", AMOUNT, 0, ((None, BAD), (1, GOOD))),
        ],
        Look("", "no node ships: books are not configured", span=12, height=8),
        labels={"cluster": "Cluster", "hostname": "Node"},
        links=_NODE_LINK,
        sort="Shipped",
    )


def _cpu() -> Panel:
    return bars(
        "Daemons that use most CPU",
        "CPU seconds a minute. The budget is 0.05 on a node of 8 GPUs and 64 containers.",
        Query(f"topk(6, {cpu_per_minute()})", "{{hostname}}"),
        Look(
            CPU_PER_MINUTE,
            "no daemon here",
            span=12,
            height=8,
            decimals=3,
            steps=((None, GOOD), (0.1, DOUBTFUL), (1, BAD)),
        ),
    )


def _memory() -> Panel:
    memory = by_host(f"process_resident_memory_bytes{{{PLACE}}}")
    mib = 1024 * 1024
    return bars(
        "Daemons that use most memory",
        "Resident memory. The budget is 36 MiB; more workloads and label sets need more.",
        Query(f"topk(6, max by (cluster,hostname) ({memory}))", "{{hostname}}"),
        Look(BYTES, "no daemon here", span=12, height=8, steps=((None, GOOD), (64 * mib, DOUBTFUL), (128 * mib, BAD))),
    )
