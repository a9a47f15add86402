"""Who holds a GPU, when schedulers say who was given one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.workloads.scheduler import Scheduler, pod, uid
from tests.workloads.world import Node
from tracker.core.model import UNATTRIBUTED, DeviceUse, GpuHolding, Holder, Instance, Level, Observation, ProcessUse
from tracker.core.split import split_gpu

GPUS = {f"GPU-{n}": DeviceUse(f"GPU-{n}", index=n) for n in range(4)}


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def holders(seen: Observation, device: str = "GPU-0") -> list[str]:
    return [holder.workload.key for holder in seen.gpu[device].holders]


def hide_processes(node: Node) -> None:
    """Put the daemon into a PID namespace of its own."""
    folder = node.procfs / "self" / "ns"
    folder.mkdir(parents=True)
    (folder / "pid").symlink_to("pid:[4026532002]")


def test_an_idle_gpu_is_held_by_whom_the_scheduler_gave_it(node: Node) -> None:
    with node.observer(resolvers=(Scheduler({"GPU-1": ["a"]}),)) as observer:
        seen = node.tick_with(observer, GPUS)
    assert holders(seen, "GPU-1") == [pod("a")]
    assert [holders(seen, device) for device in GPUS] == [[], [pod("a")], [], []], "the others are held by nobody"


def test_a_gpu_may_be_named_by_its_number(node: Node) -> None:
    with node.observer(resolvers=(Scheduler({"index:2": ["a"]}),)) as observer:
        seen = node.tick_with(observer, GPUS)
    assert holders(seen, "GPU-2") == [pod("a")]


def test_a_mig_instance_is_held_by_whom_the_scheduler_gave_it(node: Node) -> None:
    use = DeviceUse("GPU-0", (), (Instance("MIG-a", 60), Instance("MIG-b", 32)), 132, 0)
    with node.observer(resolvers=(Scheduler({"MIG-b": ["a"]}),)) as observer:
        seen = node.tick_with(observer, {"GPU-0": use})
    (holder,) = seen.gpu["GPU-0"].holders
    assert (holder.workload.key, holder.sm_count) == (pod("a"), 32)


def test_two_resolvers_may_give_devices_and_nobody_holds_one_twice(node: Node) -> None:
    schedulers = (Scheduler({"GPU-0": ["a", "b"], "index:0": ["a"]}), Scheduler({"GPU-0": ["b"]}))
    with node.observer(resolvers=schedulers) as observer:
        seen = node.tick_with(observer, GPUS)
    assert holders(seen) == [pod("a"), pod("b")]


def test_the_pod_of_an_allocation_and_of_its_processes_is_one_label_set(node: Node) -> None:
    """Else half of its energy would be found under another name."""
    path = node.make(f"/kubepods/pod{uid('a')}")
    node.process(5, f"{path}/{'c' * 64}")
    node.hold(path, 9)
    with node.observer(resolvers=(Scheduler({"GPU-0": ["a"], "GPU-1": ["a"]}),)) as observer:
        seen = node.tick_with(observer, {**GPUS, "GPU-0": DeviceUse("GPU-0", (ProcessUse(5, 1, 1),))})
    (busy,), (idle,) = seen.gpu["GPU-0"].holders, seen.gpu["GPU-1"].holders
    assert busy.workload is idle.workload
    assert busy.workload in [share.workload for share in seen.dram]
    assert (busy.workload.name, busy.workload.team) == ("a", "team-a")


def test_a_pod_that_has_no_cgroup_yet_is_named_and_goes_on_under_that_name(node: Node) -> None:
    with node.observer(resolvers=(Scheduler({"GPU-0": ["a"]}),)) as observer:
        before = node.tick_with(observer, GPUS).gpu["GPU-0"].holders[0].workload
        path = node.make(f"/kubepods/pod{uid('a')}")
        node.burn(path, 5)
        after = node.tick_with(observer, GPUS)
    assert before.name == "a"
    assert [share.workload for share in after.cpu if share.workload.key == pod("a")] == [before]


def test_a_gpu_that_was_taken_back_is_idle_again(node: Node) -> None:
    scheduler = Scheduler({"GPU-0": ["a"]})
    with node.observer(resolvers=(scheduler,)) as observer:
        node.tick_with(observer, GPUS)
        scheduler.devices = {}
        assert holders(node.tick_with(observer, GPUS)) == []


def test_a_gpu_whose_processes_the_driver_does_not_list_is_held_all_the_same(node: Node) -> None:
    with node.observer(resolvers=(Scheduler({"GPU-7": ["a"]}),)) as observer:
        seen = node.tick_with(observer, {})
    assert holders(seen, "GPU-7") == [pod("a")]
    assert seen.gpu["GPU-7"].holders[0].memory_weight == 1, "and nobody knows that it idles"


def test_a_gpu_that_was_looked_at_is_told_from_one_that_was_not(node: Node) -> None:
    """Nobody on it, or nobody could look: the one is idle, the other is not known."""
    with node.observer() as observer:
        seen = node.tick_with(observer, {"GPU-0": DeviceUse("GPU-0")})
    assert seen.gpu == {"GPU-0": GpuHolding()}


def test_devices_that_are_not_here_are_ignored_and_said(node: Node) -> None:
    resolver = Scheduler({"index:9": ["a"], "MIG-x": ["a"], "GPU-0": ["b"], "amd-1": ["a"]})
    with node.observer(resolvers=(resolver,)) as observer:
        seen = node.tick_with(observer, GPUS)
        finding = next(f for f in observer.check() if f.subject == "allocations")
    assert [holders(seen, device) for device in seen.gpu] == [[pod("b")], [], [], []]
    assert finding.level is Level.WARN
    assert "index:9, MIG-x, amd-1" in finding.message


def test_a_scheduler_that_fails_takes_nobody_elses_gpu(node: Node) -> None:
    broken = Scheduler({"GPU-1": ["z"]})
    broken.fails = True
    with node.observer(resolvers=(broken, Scheduler({"GPU-0": ["a"]}))) as observer:
        seen = node.tick_with(observer, GPUS)
        assert holders(seen) == [pod("a")]
        assert any("no answer" in finding.message for finding in observer.check())


def test_processes_of_a_hidden_namespace_belong_to_whom_the_gpu_was_given(node: Node) -> None:
    """Without hostPID no process can be joined: the join rate says so, and the energy has its owner all the same."""
    with node.observer(resolvers=(Scheduler({"GPU-0": ["a"]}),)) as observer:
        seen = node.tick(observer, 4711)
    assert holders(seen) == [pod("a")]
    assert (seen.joined_processes, seen.unjoined_processes) == (0, 1)


def test_a_process_nobody_can_place_stays_unattributed(node: Node) -> None:
    with node.observer(resolvers=(Scheduler({"GPU-1": ["a"]}),)) as observer:
        seen = node.tick(observer, 4711)
    assert seen.gpu["GPU-0"].holders[0].workload == UNATTRIBUTED


def test_where_processes_are_hidden_an_allocated_gpu_counts_as_used(node: Node) -> None:
    """Its load must not be learned as its idle floor."""
    hide_processes(node)
    with node.observer(resolvers=(Scheduler({"GPU-0": ["a"]}),)) as observer:
        assert node.tick_with(observer, GPUS).gpu["GPU-0"].holders[0].memory_weight == 1
        assert any(f.subject == "idle GPUs" for f in observer.check())
        node.tick(observer, 4711)
        seen = node.tick_with(observer, GPUS)
        assert seen.gpu["GPU-0"].holders[0].memory_weight == 0, "the driver does show processes here"
        assert not any(f.subject == "idle GPUs" for f in observer.check())


def test_instances_of_unknown_size_count_as_equal_and_that_is_said(node: Node) -> None:
    use = DeviceUse("GPU-0", (), (Instance("MIG-a", 0), Instance("MIG-b", 0), Instance("MIG-c", 0)), 0, 0)
    with node.observer(resolvers=(Scheduler({"MIG-a": ["a"], "MIG-b": ["b"]}),)) as observer:
        seen = node.tick_with(observer, {"GPU-0": use})
        assert any("MIG" in f.subject and "count as equal: GPU-0" in f.message for f in observer.check())
    charges = {c.workload.key: c.energy_uj for c in split_gpu(300, 300, 300, seen.gpu["GPU-0"])}
    assert charges == {pod("a"): 100, pod("b"): 100, "idle": 100}


def test_a_process_that_the_driver_names_by_its_pid_in_the_container_is_counted_as_such(node: Node) -> None:
    node.process(700, f"/docker/{'a' * 64}", nspid=(7,), fds=("/dev/nvidia0",))
    with node.observer() as observer:
        seen = node.tick(observer, 7)
        assert (seen.joined_processes, seen.unjoined_processes) == (1, 0)
        assert any("1 of 1 GPU processes have a known owner, 1 of them found by" in f.message for f in observer.check())


def test_two_pods_share_a_gpu_that_only_one_uses(node: Node) -> None:
    """Time-slicing: floor and held time in equal parts, the work to who did it."""
    node.process(5, f"/kubepods/pod{uid('a')}/{'c' * 64}")
    with node.observer(resolvers=(Scheduler({"GPU-0": ["a", "b"]}),)) as observer:
        seen = node.tick(observer, 5)
    assert [h.sm_weight for h in seen.gpu["GPU-0"].holders] == [100, 0]
    charges = split_gpu(1_000, 100, 10, seen.gpu["GPU-0"])
    assert [(c.workload.key, c.energy_uj, c.idle_uj, c.held_ms) for c in charges] == [
        (pod("a"), 950, 50, 5),
        (pod("b"), 50, 50, 5),
    ]
    assert isinstance(seen.gpu["GPU-0"].holders[1], Holder)
