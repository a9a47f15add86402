"""The agent on a scripted node over a real ledger: the principles as scenarios."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.node import GPU, NS, PACKAGE, POD, FixedGrid, Node, ScriptedFeed
from tracker.core.model import GapReason, GpuHolding, Kind, Share, Workload
from tracker.core.snapshot import Snapshot
from tracker.ledger.audit import audit


@pytest.fixture
def feed() -> ScriptedFeed:
    return ScriptedFeed("sensors", GPU, PACKAGE)


@pytest.fixture
def node(tmp_path: Path, feed: ScriptedFeed) -> Node:
    node = Node(tmp_path, feed)
    node.first_tick()
    return node


def rows(node: Node, query: str) -> list[tuple[int, ...]]:
    with sqlite3.connect(next(node.folder.glob("ledger.db"))) as db:
        return db.execute(query).fetchall()


def charged(snapshot: Snapshot) -> int:
    return sum(t.energy_uj for state in snapshot.workloads for t in state.tallies)


def test_p1_every_joule_is_charged_and_every_slot_is_held_for_its_whole_length(node: Node, feed: ScriptedFeed) -> None:
    """An hour: devices = workloads to the microjoule; each full slot of each device is held 300 s."""
    node.run(3600)
    snapshot = node.agent.snapshot
    assert node.device_uj("GPU-a") == feed.true_uj["GPU-a"] == 360_000_000_000
    assert sum(d.energy_uj for d in snapshot.devices) == charged(snapshot)
    assert snapshot.conservation_error_uj == 0
    held = rows(node, "select sum(held_ms) from entry group by slot_start_s, device_id order by slot_start_s")
    assert held == [(300,)] * 2 + [(300_000,)] * 24  # they were first read 0.3 s before a slot edge


def test_emissions_are_energy_times_factor_times_pue(node: Node, feed: ScriptedFeed) -> None:
    """0.2 kWh x 50 g/kWh x PUE 1.2 = 12 g over an hour of 200 W, to the microgram that is still carried."""
    node.run(3600)
    total_ug = sum(s.emissions_ug.get("location", 0) for s in node.agent.snapshot.workloads)
    assert 12_000_000 - len(node.agent.snapshot.workloads) <= total_ug <= 12_000_000


def test_no_factor_is_no_grams_not_zero_grams(tmp_path: Path, feed: ScriptedFeed) -> None:
    """P11: without a value there is no number at all."""
    node = Node(tmp_path, feed)
    assert isinstance(node.grid, FixedGrid)
    node.grid.intensity_mg_per_kwh = None
    node.first_tick()
    node.run(60)
    assert all(state.emissions_ug == {} for state in node.agent.snapshot.workloads)


@pytest.mark.parametrize("down_s", [0, 3, 47, 700])
def test_p2_a_crash_loses_no_energy_and_no_counter_falls(node: Node, feed: ScriptedFeed, down_s: int) -> None:
    """Killed with five seconds unbooked, down for a while: after the restart the counter has everything."""
    node.run(125)
    before = node.counters()
    node.restart(down_s=down_s)
    node.first_tick()
    after = node.counters()
    assert {name: value for name, value in before.items() if after.get(name, 0) < value} == {}
    node.run(20)
    assert node.device_uj("GPU-a") == feed.true_uj["GPU-a"]
    gaps = {(g.device, g.reason) for g in node.agent.snapshot.gaps}
    assert ("GPU-a", GapReason.RECOVERED) in gaps
    assert node.agent.snapshot.conservation_error_uj == 0


def test_a_recovered_counter_that_may_have_wrapped_twice_is_a_gap(node: Node, feed: ScriptedFeed) -> None:
    """262 kJ at 400 W wrap in 655 s: after 700 s in the dark the package's delta is anybody's guess."""
    node.run(60)
    booked_uj = node.device_uj("package-0")
    node.restart(down_s=700)
    node.first_tick()
    assert node.device_uj("package-0") == booked_uj
    assert any(
        g.device == "package-0" and g.reason is GapReason.AMBIGUOUS_WRAP and g.duration_ms >= 699_000
        for g in node.agent.snapshot.gaps
    )


def test_after_a_reboot_the_time_in_between_is_a_downtime_gap(node: Node, feed: ScriptedFeed) -> None:
    """Another boot id: the cursor is void, nothing is invented, and the dark time is on record."""
    node.run(60)
    booked_uj = node.device_uj("GPU-a")
    node.restart(down_s=600, reboot=True)
    feed.counter_uj["GPU-a"] = 1_000
    node.first_tick()
    assert node.device_uj("GPU-a") == booked_uj
    gap_ms = {(g.device, g.reason): g.duration_ms for g in node.agent.snapshot.gaps}
    assert gap_ms["GPU-a", GapReason.DOWNTIME] == 599_700
    node.run(60)
    assert node.device_uj("GPU-a") == booked_uj + 6_000_000_000


def test_a_rapl_wrap_is_booked_once(node: Node, feed: ScriptedFeed) -> None:
    """The package counter passes its range: the energy goes on as if nothing had happened."""
    assert PACKAGE.counter_range_uj is not None
    feed.counter_uj["package-0"] = PACKAGE.counter_range_uj - 2_500_000_000
    node = Node(node.folder / "wrap", feed)
    node.first_tick()
    start_uj = feed.true_uj["package-0"]
    node.run(60)
    assert node.device_uj("package-0") == feed.true_uj["package-0"] - start_uj == 6_000_000_000


def test_a_gpu_that_falls_off_the_bus_is_a_gap_and_the_others_go_on(node: Node, feed: ScriptedFeed) -> None:
    """Ten minutes lost: a gap of that length with its reason; the counter bridges it when the GPU is back."""
    node.run(60)
    feed.failing["GPU-a"] = GapReason.LOST
    node.run(600)
    state = next(d for d in node.agent.snapshot.devices if d.sensor.key == "GPU-a")
    assert (state.power_mw, state.gap) == (None, GapReason.LOST)
    assert node.device_uj("package-0") == 66_000_000_000
    del feed.failing["GPU-a"]
    node.run(10)
    assert node.device_uj("GPU-a") == feed.true_uj["GPU-a"]
    gap_ms = {(g.device, g.reason): g.duration_ms for g in node.agent.snapshot.gaps}
    assert 590_000 <= gap_ms["GPU-a", GapReason.LOST] <= 600_300
    by_workload = {s.workload.key: sum(t.energy_uj for t in s.tallies) for s in node.agent.snapshot.workloads}
    assert by_workload["unattributed"] >= 58_000_000_000  # nobody saw who used it meanwhile


def test_a_gpu_reset_is_a_gap_and_counting_goes_on(node: Node, feed: ScriptedFeed) -> None:
    """nvidia-smi -r: the driver's counter begins anew; ours does not."""
    node.run(60)
    feed.counter_uj["GPU-a"] = 0
    node.run(60)
    energy_uj = node.device_uj("GPU-a")
    assert 11_800_000_000 <= energy_uj <= feed.true_uj["GPU-a"]
    assert any(g.reason is GapReason.RESET for g in node.agent.snapshot.gaps)


def test_p5_a_sentinel_is_never_booked(node: Node, feed: ScriptedFeed) -> None:
    """One read of 2^64-1 mJ: quarantined, and the next good read has lost nothing."""
    node.run(60)
    good = feed.counter_uj["GPU-a"]
    feed.counter_uj["GPU-a"] = (2**64 - 1) * 1000
    feed.read(node.moment)
    feed.counter_uj["GPU-a"] = good
    node.run(60)
    assert node.device_uj("GPU-a") == feed.true_uj["GPU-a"] == 12_000_000_000


def test_a_source_that_hangs_is_a_gap_and_recovers(node: Node, feed: ScriptedFeed) -> None:
    """The thread does not return for a minute: gap "hang"; ticks, bookings and snapshots go on."""
    node.run(60)
    feed.hangs = True
    ticks = node.agent.snapshot.tick_wall_s
    node.run(60)
    assert node.agent.snapshot.tick_wall_s == ticks + 60
    assert any(g.reason is GapReason.HANG for g in node.agent.snapshot.gaps)
    feed.hangs = False
    node.run(10)
    assert node.device_uj("GPU-a") == feed.true_uj["GPU-a"]


@pytest.mark.parametrize("step_s", [3600, -3600, 86_400, -7, 2])
def test_a_clock_step_makes_no_negative_and_no_double_slot(node: Node, feed: ScriptedFeed, step_s: int) -> None:
    """NTP jumps by an hour: the energy is right, slots only go forward, skipped time is a clock_step gap."""
    node.run(450)
    node.jump_wall(step_s)
    node.run(900)
    assert node.device_uj("GPU-a") == feed.true_uj["GPU-a"]
    assert node.agent.snapshot.conservation_error_uj == 0
    energies = rows(node, "select sum(energy_uj) from entry where device_id = 1 group by slot_start_s")
    assert all(0 <= energy <= 700_000_000 * (300 + abs(min(step_s, 0))) for (energy,) in energies)
    if step_s > 300:
        gap_ms = {(g.device, g.reason): g.duration_ms for g in node.agent.snapshot.gaps}
        assert gap_ms["GPU-a", GapReason.CLOCK_STEP] == step_s * 1000


def test_suspend_is_bridged_by_a_counter_that_survived(node: Node, feed: ScriptedFeed) -> None:
    """Ten minutes asleep: what the GPU counter says is believed, and the slots stay whole."""
    node.run(60)
    node.suspend(600)
    node.run(60)
    assert node.device_uj("GPU-a") == feed.true_uj["GPU-a"]
    assert node.agent.snapshot.conservation_error_uj == 0


def test_workloads_that_end_keep_their_series_for_15_minutes_and_continue_if_they_return(
    node: Node, feed: ScriptedFeed
) -> None:
    """The last increment stays scrapable; a pod that comes back goes on from its committed total."""
    node.run(60)
    seen = node.observer.seen
    before = node.counters()["energy pod/1 gpu measured"]
    node.observer.seen = type(seen)()
    node.run(14 * 60)
    assert node.counters()["energy pod/1 gpu measured"] >= before
    node.run(3 * 60)
    assert "energy pod/1 gpu measured" not in node.counters()
    node.observer.seen = seen
    node.run(20)
    assert node.counters()["energy pod/1 gpu measured"] > before


def test_beyond_the_series_limit_the_smallest_share_one_series(tmp_path: Path, feed: ScriptedFeed) -> None:
    """Bounded cardinality: the sum still holds, and nothing falls over a restart."""
    node = Node(tmp_path, feed)
    node.max_series = 1
    node.restart()
    node.first_tick()
    node.run(60)
    keys = {s.workload.key for s in node.agent.snapshot.workloads}
    assert "pod/1" in keys
    assert "user/1000" not in keys
    assert "other" in keys
    assert sum(d.energy_uj for d in node.agent.snapshot.devices) == charged(node.agent.snapshot)
    before = node.counters()
    node.restart()
    node.first_tick()
    assert node.counters()["energy other cpu measured"] >= before["energy other cpu measured"]


def test_p6_the_snapshot_is_immutable_and_stays_the_same_between_ticks(node: Node) -> None:
    """Readers cannot change anything and all see one object."""
    node.run(60)
    snapshot = node.agent.snapshot
    with pytest.raises(AttributeError):
        snapshot.ready = False  # type: ignore[misc] # the point of the test
    assert node.agent.snapshot is snapshot


def test_idle_floor_is_charged_to_the_holder_and_flagged(node: Node, feed: ScriptedFeed) -> None:
    """Learned while free (60 W); then a pod holds the GPU at 400 W: it pays 400 W, of which 60 W are flagged idle."""
    seen = node.observer.seen
    node.observer.seen = replace(seen, gpu={"GPU-a": GpuHolding()})
    feed.power_w["GPU-a"] = 60
    node.run(120)
    assert node.counters()["energy idle gpu measured"] == 60_000_000 * 120
    node.observer.seen = seen
    feed.power_w["GPU-a"] = 400
    node.run(100)
    counters = node.counters()
    assert counters["energy pod/1 gpu measured"] == 400_000_000 * 100
    assert counters["idle pod/1 gpu measured"] == 60_000_000 * 100


def test_an_allocated_gpu_that_idles_is_charged_to_its_holder_and_flagged(node: Node, feed: ScriptedFeed) -> None:
    """No free minute ever teaches the floor of a GPU that is always allocated: its idle time does."""
    seen = node.observer.seen
    idle = type(seen.gpu["GPU-a"])((type(seen.gpu["GPU-a"].holders[0])(POD),))
    node.observer.seen = type(seen)(gpu={"GPU-a": idle})
    feed.power_w["GPU-a"] = 60
    node.run(100)
    counters = node.counters()
    assert counters["energy pod/1 gpu measured"] == 60_000_000 * 100
    assert counters["idle pod/1 gpu measured"] >= 60_000_000 * 90, "all but the first ticks"
    assert counters["held pod/1 gpu measured"] == 100_300


def test_a_label_change_counts_from_then_on_and_never_moves_what_is_booked(node: Node) -> None:
    """New labels are a new series; the old one keeps what it had."""
    node.run(60)
    old = next(s for s in node.agent.snapshot.workloads if s.workload == POD)
    renamed = Workload(POD.key, POD.kind, name="train", team="vision")
    seen = node.observer.seen
    holder = seen.gpu["GPU-a"].holders[0]
    node.observer.seen = type(seen)(gpu={"GPU-a": type(seen.gpu["GPU-a"])((type(holder)(renamed, 1),))})
    node.run(60)
    states = {s.workload: sum(t.energy_uj for t in s.tallies) for s in node.agent.snapshot.workloads}
    assert states[POD] >= sum(t.energy_uj for t in old.tallies)
    assert states[renamed] == 100_000_000 * 60


def test_the_wall_clock_is_not_the_ruler(node: Node, feed: ScriptedFeed) -> None:
    """A wall clock that is stepped every tick changes no energy."""
    for step in (30, -45, 600, -1, 3):
        node.run(30)
        node.jump_wall(step)
    node.run(NS // NS * 30)
    assert node.device_uj("GPU-a") == feed.true_uj["GPU-a"]


def test_a_full_disk_stops_booking_but_not_measuring_and_catches_up(node: Node, feed: ScriptedFeed) -> None:
    """SQLite says "disk is full" for half an hour: counters go on, health says so, and then everything is booked."""
    node.run(60)
    connection = node.ledger._opened()
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    seen = node.observer.seen
    node.observer.seen = type(seen)(cpu=tuple(_many(400)), cpu_capacity_us=80_000_000, gpu=seen.gpu)
    before = node.counters()
    node.run(1800)
    snapshot = node.agent.snapshot
    assert not snapshot.ledger.ok
    assert "disk" in snapshot.ledger.message.lower() or "full" in snapshot.ledger.message.lower()
    assert node.device_uj("GPU-a") == feed.true_uj["GPU-a"]
    assert {name: v for name, v in before.items() if node.counters().get(name, 0) < v} == {}
    connection.execute("PRAGMA max_page_count = 1073741823")
    node.run(20)
    assert node.agent.snapshot.ledger.ok
    assert node.device_uj("GPU-a") == feed.true_uj["GPU-a"]
    assert audit(node.folder / "ledger.db").ok
    booked = rows(node, "select sum(energy_uj) from entry where device_id = 1")
    assert booked == [(feed.true_uj["GPU-a"],)]


def _many(count: int) -> list[Share]:
    return [Share(Workload(f"container/{i:064x}", Kind.CONTAINER, "x" * 200), 1000 + i) for i in range(count)]


@pytest.mark.parametrize("scene", ["crash", "reboot", "lost", "reset", "step", "back", "suspend", "rapl"])
def test_verify_finds_nothing_after_any_of_it(node: Node, feed: ScriptedFeed, scene: str) -> None:
    """The audit explains every slot of every scenario: no failure, no false alarm."""
    node.run(400)
    match scene:
        case "crash":
            node.restart(down_s=700)
            node.first_tick()
        case "reboot":
            node.restart(down_s=1000, reboot=True)
            node.first_tick()
        case "lost":
            feed.failing["GPU-a"] = GapReason.LOST
            node.run(900)
            feed.failing.clear()
        case "reset":
            feed.counter_uj["GPU-a"] = 0
        case "step":
            node.jump_wall(3600)
        case "back":
            node.jump_wall(-3600)
        case "suspend":
            node.suspend(1200)
        case _:
            feed.failing["package-0"] = GapReason.PERMISSION
    node.run(1200)
    findings = audit(node.folder / "ledger.db").findings
    assert findings == ()
