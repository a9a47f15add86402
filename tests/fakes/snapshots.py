"""Literal snapshots, as the agent would publish them, for everything that renders one (/metrics, node page, API).

They are made of core dataclasses only and keep the books: in each of them the energy of the booked devices of a
component equals the energy of the workloads in it (P1). All happen on 2026-10-03 at 12:00:05 UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tests.fakes.snapshot_parts import (
    EIGHT_GPU_SENSORS,
    FORECAST,
    FRANCE,
    MAKING,
    MARKET,
    NO_VALUE,
    POINTS,
    PROVIDERS,
    SAVING_FROM_MW,
    SILENT,
    TICK_S,
    TICK_WALL_S,
    WORLD,
    gpu,
    package,
)
from tests.fakes.snapshot_tables import (
    EIGHT_GPU_WORKLOADS,
    NASTY_VALUES,
    UNIT_COST_UG,
    VM_WORKLOADS,
    Row,
)
from tracker.core.model import (
    UNATTRIBUTED,
    Component,
    Factor,
    Finding,
    GapReason,
    Kind,
    Level,
    Method,
    Sensor,
    Workload,
)
from tracker.core.snapshot import (
    DeviceState,
    GapState,
    LedgerHealth,
    PowerPoint,
    ShipState,
    Snapshot,
    SourceState,
    Tally,
    WorkloadState,
)


def _devices(parts: tuple[tuple[Sensor, int, int], ...], workloads: tuple[WorkloadState, ...]) -> list[DeviceState]:
    """Devices whose energies sum to the workloads' in each component; the last device of a component takes the rest."""
    rest = {c: sum(t.energy_uj for w in workloads for t in w.tallies if t.component is c) for c in Component}
    whole = dict(rest)
    last = {sensor.component: sensor.key for sensor, _, _ in parts}
    devices = []
    for sensor, power_mw, share in parts:
        component = sensor.component
        energy_uj = rest[component] if sensor.key == last[component] else whole[component] * share // 1000
        rest[component] -= energy_uj
        devices.append(DeviceState(sensor, booked=True, energy_uj=energy_uj, power_mw=power_mw))
    return devices


def _workload(row: Row, factor: Factor | None, method: Method) -> WorkloadState:
    tallies = tuple(
        Tally(component, method if component is not Component.GPU else Method.MEASURED, energy_uj, idle_uj, held_ms)
        for component, (energy_uj, idle_uj, held_ms) in row.use.items()
    )
    energy_uj = sum(tally.energy_uj for tally in tallies)
    emissions: dict[str, int] = {}
    if factor is not None and factor.intensity_mg_per_kwh is not None:
        emissions = {"location": energy_uj * factor.intensity_mg_per_kwh // UNIT_COST_UG}
        if factor is FRANCE:  # with the contracts and figures of `eight_gpus`
            held_ms = sum(t.held_ms for t in tallies if t.component is Component.GPU)
            emissions["market"] = energy_uj * 41_000 // UNIT_COST_UG
            emissions["embodied"] = held_ms * 164 * 10**9 // (43_800 * 3_600_000)
    return WorkloadState(row.workload, row.live, tallies, emissions, row.power_mw, row.units)


def _history(powers_mw: Mapping[str, int]) -> tuple[PowerPoint, ...]:
    """A believable past: a sawtooth of ±6 %, another phase for each device, and short falls of the busiest."""
    points = []
    for step in range(POINTS):
        wobble = {key: (step * 7 + number * 13) % 24 - 12 for number, key in enumerate(powers_mw)}
        busy = 40 if step % 45 in {30, 31, 32} else 100  # a training job saves its state
        power = {
            key: (mw + mw * wobble[key] // 200) * (busy if mw > SAVING_FROM_MW else 100) // 100
            for key, mw in powers_mw.items()
        }
        points.append(PowerPoint(TICK_WALL_S - TICK_S * (POINTS - 1 - step), power))
    return tuple(points)


def eight_gpus() -> Snapshot:
    """A healthy node: 8 GPUs, 2 packages, 2 DRAM domains, 20 workloads, an unbooked psys sensor."""
    workloads = tuple(_workload(row, FRANCE, Method.MEASURED) for row in EIGHT_GPU_WORKLOADS)
    devices = _devices(EIGHT_GPU_SENSORS, workloads)
    psys = replace(package(0), key="psys-0", sensor="rapl psys", scopes=("node",), preference=50, model="", vendor="")
    return Snapshot(
        hostname="gpu-017",
        version="0.1.0",
        ready=True,
        tick_wall_s=TICK_WALL_S,
        ticks_missed=0,
        devices=(*devices, DeviceState(psys, booked=False, energy_uj=612_000_000_000, power_mw=702_000)),
        workloads=workloads,
        sources=(
            SourceState("nvml", up=True, errors={}, last_success_wall_s=TICK_WALL_S - 0.4, read_s=0.0021),
            SourceState("rapl", up=True, errors={}, last_success_wall_s=TICK_WALL_S - 0.7, read_s=0.0003),
        ),
        gaps=(GapState(gpu(6).key, Component.GPU, GapReason.START, 1_200),),
        factor=FRANCE,
        site="par1",
        pue_permille=1_210,
        pue_source="operator, 2026-Q3",
        conservation_error_uj=0,
        ledger=LedgerHealth(ok=True, commit_wall_s=TICK_WALL_S - 4.0, size_bytes=3_481_600),
        history=_history({d.sensor.key: d.power_mw for d in devices if d.power_mw is not None}),
        joined_processes=11,
        unjoined_processes=1,
        crosscheck_permille={gpu(i).key: 1_000 + (-1) ** i * i for i in range(8)},
        market=MARKET,
        embodied=MAKING,
        providers=PROVIDERS,
        forecast=(FORECAST,),
        shipping=ShipState(up=True, last_ok_wall_s=TICK_WALL_S - 1_200.0),
    )


def virtual_machine() -> Snapshot:
    """A CPU-only VM where nothing can be read: CPU and DRAM are modelled; nobody set the zone or the PUE."""
    workloads = tuple(_workload(row, WORLD, Method.MODELLED) for row in VM_WORKLOADS)
    parts = (
        (package(0, method=Method.MODELLED), 61_300, 1000),
        (package(0, Component.DRAM, Method.MODELLED), 6_000, 1000),
    )
    devices = _devices(parts, workloads)
    return replace(
        eight_gpus(),
        hostname="vm-3",
        devices=tuple(devices),
        workloads=workloads,
        sources=(
            SourceState("estimate", up=True, errors={}, last_success_wall_s=TICK_WALL_S - 0.2, read_s=0.0001),
            SourceState(
                "rapl",
                up=False,
                errors={"absent": 1},
                last_success_wall_s=None,
                read_s=0.0,
                findings=(Finding(Level.WARN, "rapl", "This virtual machine has no powercap zones."),),
            ),
        ),
        gaps=(),
        factor=WORLD,
        site="",
        pue_permille=1_000,
        pue_source="",
        history=_history({d.sensor.key: d.power_mw for d in devices if d.power_mw is not None}),
        joined_processes=0,
        unjoined_processes=0,
        crosscheck_permille=None,
        market=None,
        embodied=(),
        providers=(),
        forecast=(),
        shipping=None,
    )


def in_trouble() -> Snapshot:
    """Nearly everything that can be wrong at once: a hung driver, a lost GPU, no permission, full disk, no factor."""
    node = eight_gpus()
    remedy = "sudo setcap cap_dac_read_search+ep /usr/bin/wattledger\nsudo systemctl restart wattledger"
    lost, denied = gpu(3).key, "dram-1"
    gap_of = {lost: GapReason.LOST, denied: GapReason.PERMISSION}
    devices = tuple(
        replace(d, power_mw=None, gap=gap_of[d.sensor.key]) if d.sensor.key in gap_of else d for d in node.devices
    )
    denial = Finding(Level.FAIL, "dram-1", "energy_uj may be read by root only.", remedy)
    cut = node.history[:70] + tuple(
        replace(p, power_mw={k: v for k, v in p.power_mw.items() if k not in gap_of}) for p in node.history[76:]
    )
    return replace(
        node,
        ticks_missed=17,
        devices=devices,
        workloads=tuple(replace(w, emissions_ug={}) for w in node.workloads),
        sources=(
            SourceState("nvml", up=False, errors={"hang": 3}, last_success_wall_s=TICK_WALL_S - 912.0, read_s=4.2),
            SourceState("rapl", True, {"permission": 180}, TICK_WALL_S - 0.7, 0.0003, (denial,)),
        ),
        gaps=(
            GapState(lost, Component.GPU, GapReason.LOST, 912_000),
            GapState(denied, Component.DRAM, GapReason.PERMISSION, 7_205_000),
            GapState(gpu(0).key, Component.GPU, GapReason.HANG, 61_500),
        ),
        factor=NO_VALUE,
        market=None,
        providers=SILENT,
        forecast=(),
        shipping=None,
        conservation_error_uj=3,
        ledger=LedgerHealth(
            ok=False,
            commit_wall_s=TICK_WALL_S - 1_830.0,
            size_bytes=3_481_600,
            message="The disk of /var/lib/wattledger is full: booking has stopped, measuring goes on. Free some space.",
        ),
        history=cut,
        crosscheck_permille={gpu(i).key: 1_000 + (38 if i == 2 else 1) for i in range(8)},
    )


def nasty_labels() -> Snapshot:
    """Label values that break out of quotes, lines, tags and layouts, in every text field a user can fill."""
    node = eight_gpus()
    named = []
    for number, (state, value) in enumerate(zip(node.workloads, NASTY_VALUES, strict=False)):
        workload = Workload(
            key=f"pod/{number}-{value}", kind=Kind.POD, name=value, namespace=value, pod=value, container=value,
            user=value, job=value, queue=value, cost_centre=value, run=value, team=value, project=value, phase=value,
        )  # fmt: skip
        named.append(replace(state, workload=workload))
    first = node.devices[0]
    nasty = replace(first.sensor, model=NASTY_VALUES[2], vendor=NASTY_VALUES[0], sensor=NASTY_VALUES[3])
    finding = Finding(Level.WARN, NASTY_VALUES[2], NASTY_VALUES[3], NASTY_VALUES[2] + "\n" + NASTY_VALUES[0])
    return replace(
        node,
        hostname=NASTY_VALUES[2],
        site=NASTY_VALUES[3],
        pue_source=NASTY_VALUES[4],
        devices=(replace(first, sensor=nasty), *node.devices[1:]),
        workloads=(*named, *node.workloads[len(named) :]),
        sources=(replace(node.sources[0], findings=(finding,)), *node.sources[1:]),
        factor=replace(FRANCE, source=NASTY_VALUES[2], provider=NASTY_VALUES[4], zone=NASTY_VALUES[5]),
    )


def starting() -> Snapshot:
    """The first second: no tick is committed, nothing has been seen."""
    return replace(
        eight_gpus(),
        ready=False,
        devices=(),
        workloads=(),
        sources=(SourceState("nvml", up=False, errors={}, last_success_wall_s=None, read_s=0.0),),
        gaps=(),
        factor=None,
        ledger=LedgerHealth(ok=True, commit_wall_s=None, size_bytes=4_096),
        history=(),
        joined_processes=0,
        unjoined_processes=0,
        crosscheck_permille=None,
        market=None,
        embodied=(),
        providers=(),
        forecast=(),
        shipping=None,
    )


def crowded(count: int = 500) -> Snapshot:
    """A node with ``count`` small containers besides the usual; their energy is taken from ``unattributed``."""
    node = eight_gpus()
    tally = Tally(Component.CPU, Method.MEASURED, 1_000_000, 100_000, 60_000)
    crowd = tuple(
        WorkloadState(
            Workload(f"container/{number:064x}", Kind.CONTAINER, f"worker-{number}", team=f"team-{number % 7}"),
            True,
            (tally,),
            {"location": 12_000},
            20,
        )
        for number in range(count)
    )
    spent_uj = count * tally.energy_uj
    kept = []
    for state in node.workloads:
        if state.workload == UNATTRIBUTED:
            tallies = tuple(
                replace(t, energy_uj=t.energy_uj - spent_uj) if t.component is Component.CPU else t
                for t in state.tallies
            )
            kept.append(replace(state, tallies=tallies, power_mw=state.power_mw - count * 20))
        else:
            kept.append(state)
    return replace(node, workloads=(*kept, *crowd))
