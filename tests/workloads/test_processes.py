"""Whose a process on a GPU is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.workloads.world import Node
from tracker.core.model import DeviceUse, GpuHolding, Instance, Kind, Observation, ProcessUse, Workload
from tracker.workloads.gpus import Gpus
from tracker.workloads.names import Names, Users
from tracker.workloads.processes import MAX_HOPELESS, parse_nspid, parse_start

A, B = (f"/docker/{letter * 64}" for letter in "ab")
KEY_A, KEY_B = (f"container/{letter * 64}" for letter in "ab")
GPU = "/dev/nvidia0"


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def holders(seen: Observation) -> list[str]:
    return [holder.workload.key for holder in seen.gpu["GPU-0"].holders]


def joined(seen: Observation) -> tuple[int, int]:
    return seen.joined_processes, seen.unjoined_processes


def test_processes_join_their_containers(node: Node) -> None:
    node.process(10, A)
    node.process(11, B)
    node.process(12, "/")
    with node.observer() as observer:
        seen = node.tick(observer, 10, 11, 12)
    assert holders(seen) == [KEY_A, KEY_B, "system"]
    assert joined(seen) == (3, 0)


def test_a_process_on_several_gpus_is_one_process(node: Node) -> None:
    node.process(10, A)
    uses = {f"GPU-{n}": DeviceUse(f"GPU-{n}", (ProcessUse(10, n, n),)) for n in range(8)}
    with node.observer() as observer:
        seen = node.tick_with(observer, uses)
    assert joined(seen) == (1, 0)
    assert sorted(seen.gpu) == [f"GPU-{n}" for n in range(8)]


def test_an_exited_process_keeps_its_owner(node: Node) -> None:
    """The driver's list is seconds old: its last energy is not nobody's."""
    node.process(10, A)
    with node.observer() as observer:
        node.tick(observer, 10)
        node.exit(10)
        seen = node.tick(observer, 10)
    assert holders(seen) == [KEY_A]
    assert joined(seen) == (1, 0)


def test_a_process_that_was_never_seen_alive_is_unattributed(node: Node) -> None:
    with node.observer() as observer:
        seen = node.tick(observer, 10)
    assert holders(seen) == ["unattributed"]
    assert joined(seen) == (0, 1)


def test_a_reused_pid_is_another_process(node: Node) -> None:
    node.process(10, A, start=100)
    with node.observer() as observer:
        node.tick(observer, 10)
        node.exit(10)
        node.process(10, B, start=200)
        assert holders(node.tick(observer, 10)) == [KEY_B]


def test_a_process_that_is_moved_is_followed_within_a_minute(node: Node) -> None:
    node.process(10, A)
    with node.observer() as observer:
        node.tick(observer, 10)
        node.process(10, B)
        assert holders(node.tick(observer, 10)) == [KEY_A]
        assert holders(node.tick(observer, 10, seconds=61)) == [KEY_B]
        node.process(10, "/")  # exiting: the kernel shows the root
        assert holders(node.tick(observer, 10, seconds=61)) == [KEY_B]


def test_forgotten_when_long_off_the_gpu(node: Node) -> None:
    """An owner is not kept for ever: after a minute off the GPU a dead pid says nothing."""
    node.process(10, A)
    with node.observer() as observer:
        node.tick(observer, 10)
        node.exit(10)
        node.tick(observer, seconds=61)
        assert holders(node.tick(observer, 10)) == ["unattributed"]


def test_a_run_is_found_by_the_pid_of_the_node_and_no_other(node: Node) -> None:
    """The driver says 324, a pid of a container. The run that the node's process 324 declared has no part in it; the
    run of the process that is meant has."""
    node.process(324, "/system.slice/ssh.service", fds=("/dev/null",))
    node.process(645400, A, nspid=(324,), fds=("/dev/null", GPU))
    strange, own = (Workload(f"run/{name}", Kind.RUN, name) for name in ("strange", "own"))
    uses = {"GPU-0": DeviceUse("GPU-0", (ProcessUse(324, 90, 1 << 30),))}
    names = Names((), (), Users(node.procfs / "passwd"))
    gpus = Gpus(node.procfs, names, namespaced=False, hidden=False)

    def holders_of(claims: dict[int, Workload], mono_ns: int) -> list[str]:
        held = gpus.holdings(uses, mono_ns, lambda: None, claims)
        return [holder.workload.key for holder in held["GPU-0"].holders]

    assert holders_of({324: strange}, 1) == [KEY_A]
    assert holders_of({324: strange, 645400: own}, 2) == ["run/own"]


def test_a_pid_of_a_container_is_translated(node: Node) -> None:
    """The driver says 324, which is the process's number in its container; on the node it is 645400."""
    node.process(645400, A, nspid=(324,), fds=("/dev/null", GPU))
    node.process(645500, B, nspid=(324,), fds=("/dev/null",))
    with node.observer() as observer:
        seen = node.tick(observer, 324)
    assert holders(seen) == [KEY_A]
    assert joined(seen) == (1, 0)


def test_a_pid_of_a_container_that_is_also_one_of_the_node(node: Node) -> None:
    """324 is some service here, which has no GPU open; the process in the container has."""
    node.process(324, "/system.slice/ssh.service", fds=("/dev/null",))
    node.process(645400, A, nspid=(324,), fds=(GPU,))
    with node.observer() as observer:
        assert holders(node.tick(observer, 324)) == [KEY_A]


def test_a_process_of_the_node_with_the_gpu_open_is_believed(node: Node) -> None:
    node.process(324, B, fds=(GPU,))
    node.process(645400, A, nspid=(324,), fds=(GPU,))
    with node.observer() as observer:
        assert holders(node.tick(observer, 324)) == [KEY_B]


def test_what_may_not_be_looked_into_is_believed_if_it_is_the_only_one(node: Node) -> None:
    """Without CAP_SYS_PTRACE the open files of others cannot be listed."""
    node.process(645400, A, nspid=(7, 324))
    with node.observer() as observer:
        assert holders(node.tick(observer, 324)) == [KEY_A]


def test_an_ambiguous_pid_is_nobodys(node: Node) -> None:
    """Two containers have a process 324, and both have a GPU open: no guess."""
    node.process(645400, A, nspid=(324,), fds=(GPU,))
    node.process(645500, B, nspid=(324,), fds=(GPU,))
    with node.observer() as observer:
        assert holders(node.tick(observer, 324)) == ["unattributed"]


def test_all_processes_are_searched_at_most_every_10_s(node: Node) -> None:
    """A search costs milliseconds on a full node, so it also becomes rarer while it finds nothing."""
    with node.observer() as observer:
        node.tick(observer, 324)
        node.process(645400, A, nspid=(324,), fds=(GPU,))
        assert holders(node.tick(observer, 324, seconds=9)) == ["unattributed"]
        assert holders(node.tick(observer, 324, seconds=9)) == ["unattributed"]
        assert holders(node.tick(observer, 324, seconds=9)) == [KEY_A], "20 s after the fruitless search"


def test_a_new_unknown_pid_is_searched_after_10_s(node: Node) -> None:
    with node.observer() as observer:
        for _ in range(8):
            node.tick(observer, 324, seconds=100)
        node.process(645400, A, nspid=(325,), fds=(GPU,))
        assert holders(node.tick(observer, 325, seconds=11)) == [KEY_A]


def test_many_unknown_pids_cost_no_memory(node: Node) -> None:
    with node.observer() as observer:
        for number in range(MAX_HOPELESS + 2):
            node.tick(observer, 1_000_000 + number, seconds=400)
        assert holders(node.tick(observer, 5)) == ["unattributed"]


def test_inside_a_cgroup_namespace_a_relative_path_is_no_owner(node: Node) -> None:
    uid = "b1d0c5e4-5c5c-4a6f-9d0e-1f2a3b4c5d6e"
    (node.procfs / "self" / "ns").mkdir(parents=True)
    (node.procfs / "self" / "ns" / "cgroup").symlink_to("cgroup:[4026532999]")
    node.process(10, "/")
    node.process(11, "/../..")
    node.process(12, f"/../../kubepods-besteffort-pod{uid.replace('-', '_')}.slice/cri-containerd-{'a' * 64}.scope")
    with node.observer() as observer:
        seen = node.tick(observer, 10, 11, 12)
    assert holders(seen) == ["unattributed", f"pod/{uid}"]
    assert joined(seen) == (1, 2)


def test_garbage_in_proc_stops_nothing(node: Node) -> None:
    node.process(10, A)
    node.process(11, B)
    (node.procfs / "10" / "stat").write_text("nonsense")
    (node.procfs / "11" / "cgroup").unlink()
    (node.procfs / "12").mkdir()
    (node.procfs / "12" / "stat").mkdir()
    with node.observer() as observer:
        seen = node.tick(observer, 10, 11, 12)
    assert holders(seen) == ["unattributed"]
    assert joined(seen) == (0, 3)


def test_a_device_that_nobody_uses_is_held_by_nobody(node: Node) -> None:
    uses = {"GPU-0": DeviceUse("GPU-0"), "GPU-1": DeviceUse("GPU-1", (), (Instance("MIG-a", 60),), 132)}
    with node.observer() as observer:
        seen = node.tick_with(observer, uses)
    assert seen.gpu == {"GPU-0": GpuHolding(), "GPU-1": GpuHolding((), 60, 132)}


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("1234 (python) S 1 " + "0 " * 17 + "987654 0 0", 987654),
        ("1234 (a) b) (c) S 1 " + "0 " * 17 + "987654 0 0", 987654),
        ("1234 (python) S 1 2", None),
        ("", None),
        ("1234 (python) S 1 " + "0 " * 17 + "x 0 0", None),
    ],
)
def test_start_time(text: str, start: int | None) -> None:
    assert parse_start(text) == start


def test_nspid() -> None:
    assert parse_nspid("Name:\tpython\nPid:\t645400\nNSpid:\t645400\t12\t324\nNSpgid:\t1\n") == [645400, 12, 324]
    assert parse_nspid("Name:\tpython\n") == []
    assert parse_nspid("NSpid:\tx\n") == []
