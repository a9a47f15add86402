"""What the numbers mean: sums that hold, absence that is no zero, labels that are safe."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families as parse_text

from tests.fakes import snapshots
from tests.fakes.snapshot_parts import NO_VALUE, gpu
from tracker.core.model import SYSTEM, Component, Factor, Kind, Method, Sensor, Workload
from tracker.core.snapshot import DeviceState, Snapshot, Tally, WorkloadState
from tracker.metrics.exposition import Renderer
from tracker.metrics.families import FAMILIES

Series = dict[tuple[str, ...], float]


def series(snapshot: Snapshot, name: str, *labels: str) -> Series:
    """The samples of one metric by the values of some labels, summed over the others."""
    sums: Series = defaultdict(float)
    for family in parse_text(Renderer().render(snapshot)[0].decode()):
        for sample in family.samples:
            if sample.name == name:
                sums[tuple(sample.labels[label] for label in labels)] += sample.value
    return dict(sums)


def names(snapshot: Snapshot) -> set[str]:
    families = parse_text(Renderer().render(snapshot)[0].decode())
    return {sample.name for family in families for sample in family.samples}


def test_every_metric_of_the_design_is_there() -> None:
    snapshot = replace(snapshots.eight_gpus(), sources=snapshots.in_trouble().sources, gaps=snapshots.in_trouble().gaps)
    assert names(snapshot) == {family.sample_name for family in FAMILIES}
    assert {
        "wattledger_device_energy_joules_total",
        "wattledger_workload_energy_joules_total",
        "wattledger_workload_emissions_grams_total",
        "wattledger_conservation_error_joules",
    } <= names(snapshot)


def test_microjoules_become_joules_and_milliseconds_seconds() -> None:
    work = Workload("slurm/211", Kind.SLURM, "fold", team="bio", project="p", phase="training")
    state = WorkloadState(
        work, True, (Tally(Component.GPU, Method.MEASURED, 1_234_567_891, 234_567, 7_500),), {"location": 2_500_000}, 0
    )
    snapshot = replace(snapshots.eight_gpus(), workloads=(state,))
    labels = ("hostname", "workload", "kind", "team", "project", "phase")
    key = ("gpu-017", "slurm/211", "slurm", "bio", "p", "training")
    charged = (*labels, "component", "method")
    assert series(snapshot, "wattledger_workload_energy_joules_total", *charged) == {
        (*key, "gpu", "measured"): 1234.567891
    }
    assert series(snapshot, "wattledger_workload_idle_energy_joules_total", *charged) == {
        (*key, "gpu", "measured"): 0.234567
    }
    assert series(snapshot, "wattledger_workload_held_seconds_total", *labels, "component") == {(*key, "gpu"): 7.5}
    assert series(snapshot, "wattledger_workload_emissions_grams_total", *labels, "basis") == {(*key, "location"): 2.5}


def test_node_facts_in_base_units() -> None:
    snapshot = snapshots.eight_gpus()
    assert series(snapshot, "wattledger_pue_ratio", "site") == {("par1",): 1.21}
    assert series(snapshot, "wattledger_grid_intensity_grams_per_kwh", "zone", "basis", "tier", "provider") == {
        ("FR", "location", "5", "tables"): 44.0,
        ("FR", "market", "4", "tables"): 41.0,
    }
    assert series(snapshot, "wattledger_grid_intensity_timestamp_seconds", "basis") == {
        ("location",): 1_735_689_600.0,
        ("market",): 1_735_689_600.0,
    }
    assert series(snapshot, "wattledger_gpu_processes", "joined") == {("true",): 11.0, ("false",): 1.0}
    assert series(snapshot, "wattledger_conservation_error_joules") == {(): 0.0}
    crosscheck = series(snapshot, "wattledger_sensor_crosscheck_ratio", "device")
    assert crosscheck[(gpu(1).key,)] == 0.999


def test_a_sensor_that_is_not_booked_has_another_name() -> None:
    """P4: summing device energy over a node must not count psys on top of the packages it contains."""
    snapshot = snapshots.eight_gpus()
    assert ("psys-0",) not in series(snapshot, "wattledger_device_energy_joules_total", "device")
    assert ("psys-0",) not in series(snapshot, "wattledger_device_power_watts", "device")
    assert series(snapshot, "wattledger_sensor_energy_joules_total", "hostname", "sensor", "device") == {
        ("gpu-017", "rapl psys", "psys-0"): 612_000.0
    }


def test_before_ready_no_counter_of_energy_time_or_grams_is_shown() -> None:
    """P2: a daemon that restarts must not be seen low and then jump to its stored totals."""
    snapshot = replace(snapshots.eight_gpus(), ready=False, tick_wall_s=0.0)
    assert names(snapshot) == {
        "wattledger_source_up",
        "wattledger_source_last_success_timestamp_seconds",
        "wattledger_source_read_seconds",
        "wattledger_ticks_missed_total",
        "wattledger_ledger_commit_timestamp_seconds",
        "wattledger_ledger_size_bytes",
        "wattledger_build_info",
    }


def test_an_unknown_factor_is_no_series_and_never_zero_grams() -> None:
    """P11: 0 g would make a node look perfectly clean."""
    nothing_known: tuple[Factor | None, ...] = (None, NO_VALUE)
    for factor in nothing_known:
        bare = replace(
            snapshots.eight_gpus(),
            factor=factor,
            market=None,
            forecast=(),
            workloads=tuple(replace(w, emissions_ug={}) for w in snapshots.eight_gpus().workloads),
        )
        assert not [name for name in names(bare) if "intensity" in name or "grams" in name]


def test_a_device_without_a_reading_has_no_power_and_keeps_its_energy() -> None:
    """P3: 0 W would read as a GPU that is off."""
    snapshot = snapshots.in_trouble()
    lost = (gpu(3).key,)
    assert lost not in series(snapshot, "wattledger_device_power_watts", "device")
    assert series(snapshot, "wattledger_device_energy_joules_total", "device")[lost] > 0
    assert series(snapshot, "wattledger_gap_seconds_total", "component", "device", "reason") == {
        ("gpu", *lost, "lost"): 912.0,
        ("dram", "dram-1", "permission"): 7205.0,
        ("gpu", gpu(0).key, "hang"): 61.5,
    }


def test_a_source_that_never_answered_has_no_time_of_success() -> None:
    snapshot = snapshots.virtual_machine()
    assert series(snapshot, "wattledger_source_up", "source") == {("estimate",): 1.0, ("rapl",): 0.0}
    assert series(snapshot, "wattledger_source_errors_total", "source", "kind") == {("rapl", "absent"): 1.0}
    assert set(series(snapshot, "wattledger_source_last_success_timestamp_seconds", "source")) == {("estimate",)}
    assert set(series(snapshot, "wattledger_source_read_seconds", "source")) == {("estimate",)}


def test_label_sets_that_differ_only_in_names_are_one_series_summed_as_integers() -> None:
    """Two rows of the ledger (another cost centre) are one counter; 0.1 + 0.2 µJ-wise it must not drift."""
    one = Workload("pod/1", Kind.POD, "a", cost_centre="CC-1", run="first")
    two = replace(one, cost_centre="CC-2", run="second")
    tally = Tally(Component.GPU, Method.MEASURED, 100_000, 0, 1)
    other = replace(tally, energy_uj=200_000)
    states = (WorkloadState(one, False, (tally,), {}, 0), WorkloadState(two, True, (other,), {}, 0))
    snapshot = replace(snapshots.eight_gpus(), workloads=states)
    assert series(snapshot, "wattledger_workload_energy_joules_total", "workload") == {("pod/1",): 0.3}
    assert series(snapshot, "wattledger_workload_info", "workload", "cost_centre", "run") == {
        ("pod/1", "CC-2", "second"): 1.0
    }, "a join needs one info series per workload; the live one speaks"


def test_workloads_beyond_the_cap_share_the_series_other_and_the_sum_holds() -> None:
    snapshot = snapshots.eight_gpus()
    kept, rest = snapshot.workloads[:5], snapshot.workloads[5:]
    merged: dict[tuple[Component, Method], Tally] = {}
    for tally in (tally for state in rest for tally in state.tallies):
        sum_so_far = merged.get((tally.component, tally.method))
        energy_uj = tally.energy_uj + (sum_so_far.energy_uj if sum_so_far else 0)
        merged[tally.component, tally.method] = replace(tally, energy_uj=energy_uj)
    other = WorkloadState(Workload("other", Kind.SYSTEM, "other"), True, tuple(merged.values()), {}, 0)
    capped = replace(snapshot, workloads=(*kept, other))
    name = "wattledger_workload_energy_joules_total"
    assert ("other", "system") in series(capped, name, "workload", "kind")
    assert len(series(capped, name, "workload")) == 6
    assert microjoules(series(capped, name, "component")) == microjoules(series(snapshot, name, "component"))


def test_10_kb_labels_are_cut_and_stay_apart() -> None:
    """Two pods whose 10 kB names begin alike must not become one counter that drops when one of them ends."""
    long = "x" * 10_000
    tally = Tally(Component.CPU, Method.MEASURED, 1_000_000, 0, 0)
    states = tuple(
        WorkloadState(Workload(long + end, Kind.POD, long + end), True, (tally,), {}, 0) for end in ("a", "b")
    )
    shown = series(replace(snapshots.eight_gpus(), workloads=states), "wattledger_workload_info", "workload", "name")
    assert len(shown) == 2
    assert all(len(value) == 256 and value.startswith("xxx") for labels in shown for value in labels)


def test_invalid_utf_8_and_control_characters_leave_a_valid_exposition() -> None:
    broken = b"caf\xe9\x00\x1b[31m".decode("utf-8", "surrogateescape")
    state = WorkloadState(replace(SYSTEM, key=broken, name=broken), True, (), {}, 0)
    snapshot = replace(snapshots.eight_gpus(), workloads=(state,))
    shown = series(snapshot, "wattledger_workload_info", "workload")
    assert shown == {("caf\N{REPLACEMENT CHARACTER}  [31m",): 1.0}


UNIT = st.integers(min_value=0, max_value=2**45)
TEXT = st.text(max_size=20)
WORKLOADS = st.builds(
    Workload, key=TEXT, kind=st.sampled_from(Kind), name=TEXT, cost_centre=TEXT, team=TEXT, project=TEXT, phase=TEXT
)
TALLIES = st.builds(Tally, st.sampled_from(Component), st.sampled_from(Method), UNIT, st.just(0), UNIT)
STATES = st.lists(
    st.builds(
        WorkloadState, WORKLOADS, st.booleans(), st.lists(TALLIES, max_size=4).map(tuple), st.just({}), st.just(0)
    ),
    max_size=8,
)


@given(states=STATES, shares=st.lists(st.integers(1, 9), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_workloads_sum_to_devices_in_microjoules_after_the_exposition(
    states: list[WorkloadState], shares: list[int]
) -> None:
    """P1 through the float edge: parsing the page back gives equal integer sums per component and method."""
    snapshot = replace(
        snapshots.eight_gpus(), hostname="n", workloads=tuple(states), devices=tuple(devices(states, shares))
    )
    by_workload = microjoules(
        series(snapshot, "wattledger_workload_energy_joules_total", "component", "method", "workload", "kind"), keep=2
    )
    by_device = microjoules(
        series(snapshot, "wattledger_device_energy_joules_total", "component", "method", "device"), keep=2
    )
    assert by_workload == by_device


def devices(states: list[WorkloadState], shares: list[int]) -> list[DeviceState]:
    """Devices that carry exactly what the workloads were charged, cut by ``shares``."""
    totals: dict[tuple[Component, Method], int] = defaultdict(int)
    for tally in (tally for state in states for tally in state.tallies):
        totals[tally.component, tally.method] += tally.energy_uj
    made = []
    for (component, method), total_uj in totals.items():
        rest_uj = total_uj
        for number, share in enumerate(shares):
            last = number == len(shares) - 1
            energy_uj = rest_uj if last else total_uj * share // sum(shares)
            rest_uj -= energy_uj
            key = f"{component}-{method}-{number}"
            sensor = Sensor(key, "x", component, (key,), 0, method, "x", 1)
            made.append(DeviceState(sensor, True, energy_uj, None))
    return made


def microjoules(joules: Mapping[tuple[str, ...], float], keep: int = 1) -> dict[tuple[str, ...], int]:
    """Sums in whole µJ by the first ``keep`` labels, each series rounded by itself."""
    sums: dict[tuple[str, ...], int] = defaultdict(int)
    for labels, value in joules.items():
        sums[labels[:keep]] += round(value * 1_000_000)
    return dict(sums)
