"""Restarts, takeovers and odd clocks: what a daemon finds when it begins, and that no time or joule is booked twice."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.node import GPU, NS, PACKAGE, Node, ScriptedFeed
from tracker.core.model import Component, DeviceUse, GapReason, Method, Sensor
from tracker.core.track import MAX_COUNTER_UJ
from tracker.ledger.audit import audit

ESTIMATE = Sensor("cpu", "estimate", Component.CPU, ("node/cpu",), 1, Method.MODELLED, "estimate", 700_000)
MODULE = Sensor(
    "GPU-gh", "nvml", Component.GPU, ("node/gpu/GPU-gh", "node/cpu/0"), 100, Method.MEASURED, "module", 1_000_000
)


def gap_ms(node: Node) -> dict[tuple[str, GapReason], int]:
    return {(g.device, g.reason): g.duration_ms for g in node.agent.snapshot.gaps}


def findings(node: Node) -> list[str]:
    return [finding.message for finding in audit(node.folder / "ledger.db").findings]


def booked(node: Node) -> dict[str, int]:
    with sqlite3.connect(node.folder / "ledger.db") as db:
        query = "select key, sum(energy_uj) from entry join device using (device_id) group by key"
        return dict(db.execute(query).fetchall())


@pytest.mark.parametrize("lag_ns", [0, 700_000_000])
def test_p1_restarts_book_no_time_twice(tmp_path: Path, lag_ns: int) -> None:
    """Readings lag behind the tick; five restarts later every slot still has exactly 300 s."""
    feed = ScriptedFeed("rapl", PACKAGE)
    feed.lag_ns = lag_ns
    node = Node(tmp_path, feed)
    node.first_tick()
    for down_s in (0, 3, 47, 8, 600):
        node.run(333)
        node.restart(down_s=down_s)
        node.first_tick()
    node.run(700)
    assert findings(node) == []


def test_p1_a_device_that_was_lost_before_a_restart_books_its_time_once(tmp_path: Path) -> None:
    """LOST for 400 s, restart, back: the gap is not recorded a second time as recovered, nor its time held twice."""
    feed = ScriptedFeed("nvml", GPU)
    node = Node(tmp_path, feed)
    node.first_tick()
    node.run(400)
    feed.failing["GPU-a"] = GapReason.LOST
    node.run(400)
    node.restart(down_s=2)
    node.first_tick()
    node.run(50)
    feed.failing.clear()
    node.run(700)
    assert findings(node) == []
    assert node.device_uj("GPU-a") == feed.true_uj["GPU-a"]


def test_p3_a_gpu_that_is_lost_while_the_daemon_starts_stays_a_gap_and_keeps_its_series(tmp_path: Path) -> None:
    """It was booked in this boot and is not in the inventory now: lost, not forgotten."""
    feed, other = ScriptedFeed("nvml", GPU), ScriptedFeed("rapl", PACKAGE)
    node = Node(tmp_path, feed, other)
    node.first_tick()
    node.run(300)
    booked_uj = node.device_uj("GPU-a")
    feed.sensors = ()
    node.restart()
    node.first_tick()
    node.run(3600)
    assert node.device_uj("GPU-a") == booked_uj
    assert gap_ms(node)["GPU-a", GapReason.LOST] >= 3_590_000
    feed.sensors = (GPU,)
    feed.announce()
    node.run(30)
    assert node.device_uj("GPU-a") > booked_uj
    assert findings(node) == []


def test_p4_an_estimate_that_stood_in_is_not_counted_again_by_the_counter_it_replaced(tmp_path: Path) -> None:
    """RAPL, then four minutes without the permission, then RAPL again: what the estimate booked is booked."""
    rapl, estimate = ScriptedFeed("rapl", PACKAGE), ScriptedFeed("estimate", ESTIMATE)
    node = Node(tmp_path, rapl, estimate)
    node.first_tick()
    node.run(305)
    rapl.sensors = ()
    node.restart(reboot=False)
    node.first_tick()
    node.run(240)
    node.restart()
    rapl.sensors = (PACKAGE,)
    rapl.announce()
    node.first_tick()
    node.run(305)
    true_uj = 850 * 100 * 1_000_000
    assert sum(booked(node).values()) <= true_uj + 100_000_000


@pytest.mark.parametrize("first", ["rapl", "estimate"])
def test_p4_a_takeover_while_running_neither_loses_nor_doubles(tmp_path: Path, first: str) -> None:
    """The package counter appears (or was there first) while the estimate is booked: the cover changes hands."""
    rapl, estimate = ScriptedFeed("rapl", PACKAGE), ScriptedFeed("estimate", ESTIMATE)
    late = rapl if first == "estimate" else estimate
    kept, late.sensors = late.sensors, ()
    node = Node(tmp_path, rapl, estimate)
    node.first_tick()
    node.run(300)
    late.sensors = kept
    late.announce()
    node.run(610)
    total_uj = sum(booked(node).values())
    assert abs(total_uj - 910 * 100_000_000) <= 600_000_000  # within the seconds at the seam, which are a gap
    assert total_uj <= 910 * 100_000_000 + 1
    assert node.agent.snapshot.conservation_error_uj == 0
    assert findings(node) == []


def test_p4_a_module_counter_that_was_away_does_not_bring_back_what_its_parts_have_booked(tmp_path: Path) -> None:
    """A Grace-Hopper module is booked, its driver goes, RAPL books the CPU, the module returns."""
    nvml, rapl = ScriptedFeed("nvml", MODULE), ScriptedFeed("rapl", PACKAGE)
    nvml.power_w["GPU-gh"] = 500
    node = Node(tmp_path, nvml, rapl)
    node.first_tick()
    node.run(300)
    nvml.sensors = ()
    node.restart()
    node.first_tick()
    node.run(300)
    before = sum(booked(node).values())
    node.restart()
    nvml.sensors = (MODULE,)
    nvml.announce()
    node.first_tick()
    node.run(100)
    assert sum(booked(node).values()) - before <= 101 * 500_000_000


def test_an_unknown_boot_takes_up_no_cursor(tmp_path: Path) -> None:
    """Without a boot id a reboot cannot be told: a gap, never silence until the old uptime is reached."""
    feed = ScriptedFeed("nvml", GPU)
    node = Node(tmp_path, feed, boot_id="")
    node.first_tick()
    node.run(600)
    node.ledger.close()
    node.moment = replace(node.moment, mono_ns=10 * NS, boot_ns=10 * NS)
    feed.counter_uj["GPU-a"] = 0
    feed.announce()
    node.start()
    before = node.agent.snapshot
    node.first_tick()
    node.run(120)
    assert before is not node.agent.snapshot
    assert node.device_uj("GPU-a") == 72_000_000_000


@pytest.mark.parametrize("step_s", [3600, -3600, 7200])
@pytest.mark.parametrize("reboot", [False, True])
def test_a_clock_step_while_the_daemon_is_down_is_a_clock_step(tmp_path: Path, step_s: int, *, reboot: bool) -> None:
    """Stored slots stay closed, skipped time is explained, verify is content."""
    feed = ScriptedFeed("rapl", PACKAGE)
    node = Node(tmp_path, feed)
    node.first_tick()
    node.run(450)
    node.jump_wall(step_s)
    node.restart(down_s=20, reboot=reboot)
    node.first_tick()
    node.run(1300)
    assert findings(node) == []
    assert node.agent.snapshot.conservation_error_uj == 0


def test_a_counter_that_was_found_wrong_stays_out_of_use_over_a_restart(tmp_path: Path) -> None:
    """It reads half: after three minutes power is booked, and after a restart from the first second."""
    feed = ScriptedFeed("nvml", GPU)
    node = Node(tmp_path, feed)

    def read(moment_feed: ScriptedFeed) -> None:
        batch = moment_feed._batches[-1]
        halved = tuple(replace(r, counter_uj=(r.counter_uj or 0) // 2, power_mw=100_000) for r in batch.readings)
        moment_feed._batches[-1] = replace(batch, readings=halved)

    original = feed.read

    def reading(moment: object) -> None:
        original(moment)  # type: ignore[arg-type] # the wrapped method's own type
        read(feed)

    feed.read = reading  # type: ignore[method-assign] # the scripted sensor lies
    node.first_tick()
    node.run(300)
    assert node.agent._memory.by_power == {"GPU-a"}
    booked_uj = node.device_uj("GPU-a")
    node.restart()
    node.first_tick()
    node.run(120)
    assert node.device_uj("GPU-a") - booked_uj >= 118 * 100_000_000


def test_a_reading_after_the_tick_in_the_next_slot_waits_for_the_next_tick(tmp_path: Path) -> None:
    """The tick is 0.5 ms before a slot edge, a reading 0.5 ms after it: nothing breaks, nothing is lost."""
    feed = ScriptedFeed("nvml", GPU)
    feed.lag_ns = -500_000
    node = Node(tmp_path, feed)
    node.moment = replace(node.moment, wall_ns=node.moment.wall_ns - 500_000)
    node.first_tick()
    node.run(900)
    assert node.device_uj("GPU-a") >= 895 * 100_000_000
    assert findings(node) == []


@pytest.mark.parametrize("counter_uj", [MAX_COUNTER_UJ + 1, (2**64 - 1) * 1000])
def test_p5_an_absurd_first_counter_is_no_baseline(tmp_path: Path, counter_uj: int) -> None:
    """One bad GPU must not take the node's ledger down."""
    feed, other = ScriptedFeed("nvml", GPU), ScriptedFeed("rapl", PACKAGE)
    node = Node(tmp_path, feed, other)
    good, feed.counter_uj["GPU-a"] = feed.counter_uj["GPU-a"], counter_uj
    node.first_tick()
    feed.counter_uj["GPU-a"] = good
    node.run(60)
    assert node.agent.snapshot.ledger.ok
    assert node.device_uj("package-0") == 6_000_000_000
    assert node.device_uj("GPU-a") >= 5_800_000_000


@pytest.mark.parametrize("how", ["step", "stored"])
def test_a_year_in_the_dark_fills_neither_memory_nor_ledger(tmp_path: Path, how: str) -> None:
    """One row says it, and verify understands it."""
    feed = ScriptedFeed("rapl", PACKAGE)
    node = Node(tmp_path, feed)
    node.first_tick()
    node.run(450)
    if how == "step":
        node.jump_wall(365 * 86_400)
    else:
        node.restart(down_s=0)
        node.moment = replace(node.moment, wall_ns=node.moment.wall_ns + 365 * 86_400 * NS)
        node.ledger.close()
        node.boot_id = "another"
        feed.announce()
        node.start()
        node.first_tick()
    node.run(900)
    with sqlite3.connect(tmp_path / "ledger.db") as db:
        (count,) = db.execute("select count(*) from gap").fetchone()
    assert count < 10
    assert findings(node) == []


def test_who_is_on_a_gpu_is_not_believed_for_ever(tmp_path: Path) -> None:
    """The driver stops answering who is there: after half a minute nobody is known, rather than a dead job charged."""
    feed = ScriptedFeed("nvml", GPU)
    node = Node(tmp_path, feed)
    node.first_tick()
    node.agent._uses["GPU-a"] = (DeviceUse("GPU-a"), node.moment.boot_ns)
    node.run(60)
    counts = node.observer.uses_counts
    assert counts[1] == 1
    assert counts[-1] == 0
