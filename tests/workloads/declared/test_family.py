"""Which processes belong to a run, and how much CPU time they used: on real processes with a known burn."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.daemon import until
from tests.workloads.declared.procs import Proc
from tests.workloads.declared.puppet import Puppet
from tracker.workloads.declared import family as module
from tracker.workloads.declared.family import Delta, Family
from tracker.workloads.declared.stat import parse_stat

PROC = Path("/proc")
#: The kernel counts in ticks of 10 ms, rounded for each process.
SLACK_US = 45_000


def now() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


@pytest.fixture
def puppet() -> Iterator[Puppet]:
    with Puppet() as puppet:
        yield puppet


@pytest.fixture
def family(puppet: Puppet) -> Family:
    """Follows the puppet."""
    family = Family(PROC, namespaced=False)
    assert family.add(puppet.pid, now()) is not None
    family.scan(now(), force=True)
    family.measure(now())
    return family


def used(family: Family) -> dict[int, int]:
    """CPU time in µs by process since the last look, as a tick takes it."""
    family.scan(now(), force=True)
    return {delta.pid: delta.cpu_us for delta in family.measure(now())}


def roughly(seconds: float) -> object:
    return pytest.approx(seconds * 1e6, abs=SLACK_US)


def test_its_own_time(puppet: Puppet, family: Family) -> None:
    puppet("burn", 0.2)
    assert used(family) == {puppet.pid: roughly(0.2)}
    assert used(family) == {puppet.pid: roughly(0)}


def test_what_it_used_before_it_was_declared_is_not_the_runs(puppet: Puppet) -> None:
    puppet("burn", 0.3)
    worker = int(puppet("keep", 0.2))
    family = Family(PROC, namespaced=False)
    family.add(puppet.pid, now())
    assert used(family) == {puppet.pid: roughly(0), worker: roughly(0)}


def test_a_child_born_and_gone_between_two_looks(puppet: Puppet, family: Family) -> None:
    """A shell script of short commands: each is waited for, so nothing of it is lost."""
    puppet("child", 0.1)
    puppet("child", 0.1)
    assert used(family) == {puppet.pid: roughly(0.2)}


def test_a_child_that_was_seen_is_not_counted_again_when_it_is_reaped(puppet: Puppet, family: Family) -> None:
    child = int(puppet("keep", 0.25))
    assert used(family) == {puppet.pid: roughly(0), child: roughly(0.25)}
    puppet("reap", child)
    assert sum(used(family).values()) == roughly(0)
    puppet("child", 0.15)
    assert used(family) == {puppet.pid: roughly(0.15)}


def test_where_nobody_waits_for_children_later_time_is_not_held_back_for_long(puppet: Puppet, family: Family) -> None:
    """SIGCHLD ignored: the time of a child never turns up in its parent, and must not be waited for."""
    puppet("ignore")
    child = int(puppet("keep", 0.25))
    used(family)
    os.kill(child, signal.SIGKILL)
    until(lambda: not (PROC / str(child)).exists(), "the child is gone")
    assert sum(used(family).values()) == roughly(0)
    used(family)
    puppet("burn", 0.1)
    assert used(family) == {puppet.pid: roughly(0.1)}


def test_an_orphan_that_nobody_saw_with_its_parent_is_not_the_runs(puppet: Puppet, family: Family) -> None:
    """A daemon that forks twice within one look: nothing ties it to the run any more, so it is its cgroup's."""
    orphan = int(puppet("orphan", 0.1))
    assert orphan not in used(family)


def test_a_known_child_whose_parent_exits_is_still_followed() -> None:
    """Seen while its parent lived: adoption by init changes nothing."""
    with Puppet() as outer:
        family = Family(PROC, namespaced=False)
        family.add(os.getpid(), now())
        family.scan(now(), force=True)
        child = int(outer("keep", 0.05))
        assert used(family)[child] == roughly(0.05)
        outer.end()
        until(lambda: outer.pid not in used(family), "the parent is gone")
        found = used(family)
        assert child in found
        assert family.root_of(child) == os.getpid()


def test_a_run_in_a_run_has_its_own_processes_and_gives_them_back(puppet: Puppet, family: Family) -> None:
    child = int(puppet("keep", 0.1))
    used(family)
    family.add(child, now())
    family.scan(now(), force=True)
    assert family.root_of(child) == child
    assert {delta.pid: delta.root for delta in family.measure(now())} == {puppet.pid: puppet.pid, child: child}
    family.remove(child)
    assert family.root_of(child) == puppet.pid
    assert set(used(family)) == {puppet.pid, child}
    puppet("reap", child)


def test_a_run_around_runs_that_is_declared_last(puppet: Puppet) -> None:
    """The parent declares after its child did: each keeps what it declared."""
    child = int(puppet("keep", 0.01))
    family = Family(PROC, namespaced=False)
    family.add(child, now())
    family.add(puppet.pid, now())
    family.scan(now(), force=True)
    assert {delta.pid: delta.root for delta in family.measure(now())} == {puppet.pid: puppet.pid, child: child}
    assert family.root_above(child) == puppet.pid
    puppet("reap", child)


def test_the_end_of_a_process_is_told_once(puppet: Puppet, family: Family) -> None:
    puppet.end()
    (last,) = family.measure(now())
    assert (last.pid, last.alive, last.cpu_us) == (puppet.pid, False, 0)
    assert family.measure(now()) == []


def test_memory_and_time_of_a_look(puppet: Puppet, family: Family) -> None:
    before = now()
    family.measure(before)
    (delta,) = family.measure(before + 2_000_000_000)
    assert delta.duration_ns == 2_000_000_000
    assert 1 << 20 < delta.byte_ns // delta.duration_ns < 1 << 28


def test_a_process_that_is_not_there(tmp_path: Path) -> None:
    family = Family(tmp_path, namespaced=False)
    assert family.add(4_000_000, now()) is None
    family.scan(now(), force=True)
    family.remove(4_000_000)
    assert family.measure(now()) == []


# -- a scripted /proc for what real processes do not do on command -----------------------------------------------------


@pytest.fixture
def proc(tmp_path: Path) -> Proc:
    return Proc(tmp_path)


def sums(deltas: list[Delta]) -> dict[int, int]:
    """Clock ticks by process."""
    return {delta.pid: delta.cpu_us // 10_000 for delta in deltas if delta.alive}


def test_a_whole_branch_that_vanishes_at_once_is_counted_once(proc: Proc) -> None:
    """Grandchild reaped by child, child by parent, all between two looks: 50 and 30 were counted, 7 and 3 were not."""
    family = Family(proc.folder, namespaced=False)
    proc.put(10, 1, own=5)
    family.add(10, 0)
    proc.put(11, 10, own=50)
    proc.put(12, 11, own=30)
    family.scan(1, force=True)
    assert sums(family.measure(1)) == {10: 0, 11: 50, 12: 30}
    proc.drop(11)
    proc.drop(12)
    proc.put(10, 1, own=5, reaped=57 + 33)
    assert sums(family.measure(2)) == {10: 10}
    assert sums(family.measure(3)) == {10: 0}


def test_a_child_reaped_just_after_its_parent_was_read(proc: Proc) -> None:
    """The parent's time jumps one look later than the child vanishes."""
    family = Family(proc.folder, namespaced=False)
    proc.put(10, 1)
    family.add(10, 0)
    proc.put(11, 10, own=50)
    family.scan(1, force=True)
    family.measure(1)
    proc.drop(11)
    assert sums(family.measure(2)) == {10: 0}
    proc.put(10, 1, reaped=54)
    assert sums(family.measure(3)) == {10: 4}
    proc.put(10, 1, reaped=74)
    assert sums(family.measure(4)) == {10: 20}


def test_the_same_number_for_another_process_is_another_process(proc: Proc) -> None:
    family = Family(proc.folder, namespaced=False)
    proc.put(10, 1, start=100, own=5)
    family.add(10, 0)
    family.measure(1)
    proc.put(10, 1, start=900, own=70)
    (last,) = family.measure(2)
    assert (last.alive, last.cpu_us) == (False, 0)


def test_what_a_process_would_be_without_the_run(proc: Proc) -> None:
    """Its cgroup says it; one that is just exiting shows the root, and that is no news."""
    family = Family(proc.folder, namespaced=False)
    proc.put(10, 1, cgroup="/user.slice/user-1000.slice/session-1.scope")
    family.add(10, 0)
    assert family.measure(1)[0].identity.key == "user/1000"
    proc.put(10, 1, cgroup="/")
    assert family.measure(2 * module.REIDENTIFY_NS)[0].identity.key == "user/1000"
    proc.put(10, 1, cgroup="/user.slice/user-1001.slice/session-1.scope")
    family.measure(4 * module.REIDENTIFY_NS)
    assert family.measure(4 * module.REIDENTIFY_NS + 1)[0].identity.key == "user/1001"
    inside = Family(proc.folder, namespaced=True)
    proc.put(11, 1, cgroup="/")
    inside.add(11, 0)
    assert inside.measure(1)[0].identity.key == "unattributed"


def test_more_processes_than_are_followed(proc: Proc) -> None:
    """A fork bomb in a run costs bounded memory, and says so."""
    family = Family(proc.folder, namespaced=False)
    proc.put(10, 1)
    family.add(10, 0)
    for pid in range(11, 11 + module.MAX_MEMBERS + 5):
        family._parents[pid] = 10
        family._members.setdefault(pid, family._members[10])
        if len(family._members) == module.MAX_MEMBERS:
            break
    proc.put(20_000, 10)
    family.scan(1, force=True)
    assert family.overflow == 1
    proc.put(20_001, 1)
    assert family.add(20_001, 1) is None


@pytest.mark.parametrize(
    "text", [b"", b"1", b"1 (a) S", b"1 (a) S x " + b"0 " * 40, b"\xff" * 100, b"1 (" + b") (" * 30]
)
def test_no_stat_line(text: bytes) -> None:
    assert parse_stat(text) is None


def test_the_name_of_a_process_may_look_like_anything() -> None:
    text = b"7 (evil) R 1 2) S 6 " + b"0 " * 9 + b"3 4 5 6 20 0 1 0 77 0 2 0"
    stat = parse_stat(text)
    assert stat is not None
    assert (stat.parent, stat.start, stat.own_us, stat.reaped_us) == (6, 77, 70_000, 110_000)
