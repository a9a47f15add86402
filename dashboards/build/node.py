"""Node: one machine down to its sensors, the owners of its energy, its gaps, and what measuring it costs."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Panel

from dashboards.build.page import Band, Page
from dashboards.build.panels import Column, Look, Query, bars, lines, number, rows
from dashboards.build.quality import strip
from dashboards.build.style import (
    AGE,
    AMOUNT,
    ANY_IS_DOUBTFUL,
    BAD,
    BYTES,
    CPU_PER_MINUTE,
    DOUBTFUL,
    EMISSION_STEPS,
    GOOD,
    GRAMS,
    JOULES,
    KIND_POWER,
    KWH,
    NODE,
    PLACE,
    RATIO,
    SECONDS,
    SHARE,
    WATTS,
    by_host,
    cpu_per_minute,
    increase,
    kwh,
    rate,
)
from dashboards.build.variables import nodes

_DEVICE_ENERGY = "wattledger_device_energy_joules_total"
_WORK_ENERGY = "wattledger_workload_energy_joules_total"
_EMISSIONS, _LOCATION = "wattledger_workload_emissions_grams_total", 'basis="location"'
_NOTHING = "nothing is measured here"
#: For more than one node of many: what a chart or a table shows at most.
_LINES, _ROWS = 32, 200
_MOST = f"The {_LINES} largest, if there are more: choose a node."
#: As CHOSEN in style.py, of nodes: workloads of a thousand of them are too many.
_NODE_CHOSEN, _NO_NODE_CHOSEN = 'chosen!~"$hostname"', 'chosen=~"$hostname"'


def page() -> Page:
    return Page(
        "node",
        "wattledger: node",
        "One node down to its sensors: devices, owners of their energy, gaps, and what measuring costs.",
        nodes(),
        [
            Band("This node", _now()),
            Band("Devices", [_gpus(), _others(), _devices()]),
            Band("Owners", [_by_kind(), _processes()]),
            Band("Sensors that overlap a booked device", [_nested(), _crosscheck()]),
            Band("Sources and gaps", [_sources(), _errors(), _gaps()]),
            Band("What wattledger itself costs", _agent()),
            strip(),
        ],
    )


def _now() -> list[Panel]:
    return [
        number(
            "Power now",
            "Power of all booked devices, from their energy counters.",
            rate(_DEVICE_ENERGY, NODE),
            Look(WATTS, _NOTHING),
            now=True,
        ),
        number(
            "Energy",
            "Energy of all booked devices in the time range.",
            kwh(increase(_DEVICE_ENERGY, NODE)),
            Look(KWH, _NOTHING),
            now=True,
        ),
        number(
            "Emissions",
            "Location-based CO2 equivalent of the time range, PUE included.",
            f"sum(increase({_EMISSIONS}{{{NODE},{_NODE_CHOSEN},{_LOCATION}}}[$__range]) "
            f"or sum_over_time({EMISSION_STEPS}{{{PLACE},{_NO_NODE_CHOSEN},{_LOCATION}}}[$__range]))",
            Look(GRAMS, "no factor: nothing is weighed"),
            now=True,
        ),
        number(
            "Conservation error",
            "Device energy minus charged energy: 0, always. Anything else is a defect worth a report.",
            f"max(abs(wattledger_conservation_error_joules{{{NODE}}}))",
            Look(JOULES, "no node here", steps=((None, GOOD), (1e-6, BAD))),
            now=True,
        ),
        number(
            "Sources that fail",
            "Sources that failed, hang or are stale at this moment. The table below says which and since when.",
            f"sum({by_host(f'1 - wattledger_source_up{{{PLACE}}}')})",
            Look(AMOUNT, "no source here", steps=((None, GOOD), (1, BAD))),
            now=True,
        ),
        number(
            "Last tick",
            "Time since the last completed tick of the node that is furthest behind. A tick is 5 s unless configured.",
            f"max(time() - {by_host(f'wattledger_tick_timestamp_seconds{{{PLACE}}}')})",
            Look(SECONDS, "no tick yet", decimals=0, steps=((None, GOOD), (60, DOUBTFUL), (300, BAD))),
            now=True,
        ),
    ]


def _gpus() -> Panel:
    return lines(
        "GPU power",
        "Mean power of each GPU over its last tick. A line with a hole is a GPU without a reading, not one at 0 W. "
        f"{_MOST}",
        Query(
            _most(_with_index(f'wattledger_device_power_watts{{{NODE},component="gpu"}}')), "{{hostname}} GPU {{index}}"
        ),
        Look(WATTS, "no GPU here", span=12, height=9),
    )


def _most(vector: str) -> str:
    return f"topk({_LINES}, {vector})"


def _others() -> Panel:
    return lines(
        "CPU, memory and other power",
        f"Mean power of everything that is no GPU over its last tick: measured or modelled, as the table says. {_MOST}",
        Query(
            _most(f'wattledger_device_power_watts{{{NODE},component!="gpu"}}'), "{{hostname}} {{component}} {{device}}"
        ),
        Look(WATTS, "neither CPU nor memory here", span=12, height=9),
    )


def _with_index(power: str) -> str:
    return f"{power} * on (cluster,hostname,component,device) group_left (index) {_info('index')}"


def _info(more: str) -> str:
    by = f"cluster,hostname,component,device,{more}"
    return f"group by ({by}) (wattledger_device_info{{{NODE}}})"


def _devices() -> Panel:
    key = "cluster,hostname,component,device"
    info = _info("index,vendor,model,sensor")

    def described(vector: str) -> str:
        return f"{info} * on ({key}) group_left () {vector}"

    measured = increase(_DEVICE_ENERGY, f'{NODE},method="measured"', key)
    energy = f"topk({_ROWS}, {increase(_DEVICE_ENERGY, NODE, key)})"
    power = f"sum by ({key}) (wattledger_device_power_watts{{{NODE}}}) and on ({key}) {energy}"
    return rows(
        "Devices",
        "What is booked here, by which sensor. Measured: the share of energy of the time range that the sensor read; "
        f"the rest was modelled while it gave none. A device with no power has no reading now. The {_ROWS} with most "
        "energy.",
        [
            Column("Power", described(f"({power})"), WATTS, 0),
            Column("Energy", described(f"({kwh(energy)})"), KWH, 2),
            Column(
                "Measured",
                described(f"((({measured}) or 0 * ({energy})) / (({energy}) > 0))"),
                SHARE,
                1,
                ((None, BAD), (0.9, DOUBTFUL), (0.99, GOOD)),
            ),
        ],
        Look("", "no device here", span=24, height=9),
        labels={
            "hostname": "Node",
            "component": "Component",
            "index": "Index",
            "vendor": "Vendor",
            "model": "Model",
            "sensor": "Sensor",
            "device": "Device",
        },
        sort="Power",
        widths={
            "Node": 110,
            "Component": 120,
            "Index": 80,
            "Vendor": 120,
            "Sensor": 180,
            "Device": 360,
            "Power": 90,
            "Energy": 110,
            "Measured": 110,
        },
    )


def _by_kind() -> Panel:
    return lines(
        "Power by kind of owner",
        "The same power, charged: pods, jobs, containers, units, users and runs, and what is charged to nobody. The "
        "stack adds up to the devices.",
        Query(
            f"sum by (kind) (rate({_WORK_ENERGY}{{{NODE},{_NODE_CHOSEN}}}[$__rate_interval]) "
            f"or {KIND_POWER}{{{PLACE},{_NO_NODE_CHOSEN}}})",
            "{{kind}}",
        ),
        Look(WATTS, _NOTHING, span=16, height=8),
        stacked=True,
    )


def _processes() -> Panel:
    return lines(
        "Processes on GPUs",
        "By whether the workload of the process could be found. Processes without one need the host's /proc: their "
        "energy is unattributed.",
        Query(
            f"sum by (joined) ({by_host(f'wattledger_gpu_processes{{{PLACE}}}')})",
            "workload found: {{joined}}",
        ),
        Look(AMOUNT, "no GPU here", span=8, height=8, decimals=0),
    )


def _nested() -> Panel:
    return lines(
        "Power seen by overlapping sensors",
        "Sensors that contain a booked device or are contained in one (psys, core, a BMC). Their energy is in the "
        "devices already, in whole or in part: never add it, which is why these lines are not stacked. "
        f"{_MOST}",
        Query(
            _most(rate("wattledger_sensor_energy_joules_total", NODE, "hostname,sensor,device")),
            "{{hostname}} {{sensor}} {{device}}",
        ),
        Look(WATTS, "no overlapping sensor here", span=16, height=10),
    )


def _crosscheck() -> Panel:
    ratio = by_host(f"wattledger_sensor_crosscheck_ratio{{{PLACE}}}")
    return bars(
        "Counter against integrated power",
        "Energy by the device's counter over energy by its integrated power: 1 when the two agree. Far from 1, one of "
        "the two sensors is wrong.",
        Query(
            f"{ratio} * on (cluster,hostname,device) group_left (component,index) {_info('index')}",
            "{{component}} {{index}}, {{hostname}}",
        ),
        Look(
            RATIO,
            "no device has both",
            span=8,
            height=10,
            decimals=3,
            highest=2,
            steps=((None, BAD), (0.9, DOUBTFUL), (0.97, GOOD), (1.03, DOUBTFUL), (1.1, BAD)),
        ),
    )


def _sources() -> Panel:
    key = "cluster,hostname,source"

    def each(vector: str) -> str:
        return f"max by ({key}) ({by_host(vector)})"

    return rows(
        "Sources",
        "Where readings and names come from. Up: answers in time. A source that never answered has no last success.",
        [
            Column("Up", each(f"wattledger_source_up{{{PLACE}}}"), AMOUNT, 0, ((None, BAD), (1, GOOD))),
            Column(
                "Last success",
                each(f"(time() - wattledger_source_last_success_timestamp_seconds{{{PLACE}}})"),
                AGE,
                0,
                ((None, GOOD), (60, DOUBTFUL), (300, BAD)),
            ),
            Column("Read takes", each(f"wattledger_source_read_seconds{{{PLACE}}}"), SECONDS),
        ],
        Look("", "no source here", span=10, height=8),
        labels={"hostname": "Node", "source": "Source"},
    )


def _gaps() -> Panel:
    gaps = by_host(f"increase(wattledger_gap_seconds_total{{{PLACE}}}[$__range])")
    return bars(
        "Time without a reading",
        "Gaps of the time range by device and reason: nothing was booked as measured in them, nothing was invented. "
        "The six largest. The first gap of its kind on a device shows from its second scrape on.",
        Query(
            f"topk(6, sum by (hostname,component,device,reason) ({gaps}) > 0)", "{{reason}}: {{hostname}} {{device}}"
        ),
        Look(AGE, "no gap in this time", span=24, height=8, steps=ANY_IS_DOUBTFUL),
    )


def _errors() -> Panel:
    errors = by_host(f"rate(wattledger_source_errors_total{{{PLACE}}}[$__rate_interval])")
    return lines(
        "Failed reads",
        "Reads that failed, by source and kind, per second. Absent hardware is no failure.",
        Query(_most(f"sum by (hostname,source,kind) ({errors})"), "{{hostname}} {{source}}: {{kind}}"),
        Look("cps", "no read ever failed", span=14, height=8),
    )


def _agent() -> list[Panel]:
    memory = by_host(f"process_resident_memory_bytes{{{PLACE}}}")
    return [
        lines(
            "CPU of the daemon",
            "CPU seconds that the daemon uses in a minute. Its budget is 0.05 on a node of 8 GPUs and 64 containers.",
            Query(_most(cpu_per_minute()), "{{hostname}}"),
            Look(CPU_PER_MINUTE, "no daemon here", span=8, height=7),
        ),
        lines(
            "Memory of the daemon",
            "Resident memory. Its budget is 36 MiB.",
            Query(_most(f"max by (hostname) ({memory})"), "{{hostname}}"),
            Look(BYTES, "no daemon here", span=8, height=7),
        ),
        number(
            "Ticks missed",
            "Ticks that came too late to be taken, in the time range. Energy is not lost by them: counters go on.",
            f"sum({by_host(f'increase(wattledger_ticks_missed_total{{{PLACE}}}[$__range])')})",
            Look(AMOUNT, "no daemon here", decimals=0, height=7, steps=((None, GOOD), (10, DOUBTFUL), (100, BAD))),
            now=True,
        ),
        number(
            "Ledger",
            "Time since the last commit, of the node that is furthest behind. Every 10 s is normal; one that stands "
            "still has a full disk or a broken one.",
            f"max(time() - {by_host(f'wattledger_ledger_commit_timestamp_seconds{{{PLACE}}}')})",
            Look(AGE, "no ledger here", span=4, decimals=0, height=7, steps=((None, GOOD), (60, DOUBTFUL), (300, BAD))),
            now=True,
        ),
    ]
