"""Which cgroups are found, when, and within which bounds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.workloads.world import GIB, Node, cpu, dram
from tracker.workloads.cgroups import Tree
from tracker.workloads.counters import find_hierarchies
from tracker.workloads.groups import walk
from tracker.workloads.observer import Options

ID = "a" * 64
UID = "b1d0c5e4-5c5c-4a6f-9d0e-1f2a3b4c5d6e"
UID_ = UID.replace("-", "_")


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/docker/" + ID, f"container/{ID}"),
        (f"/system.slice/docker-{ID}.scope", f"container/{ID}"),
        (f"/kubepods.slice/kubepods-pod{UID_}.slice/cri-containerd-{ID}.scope", f"pod/{UID}"),
        (f"/kubepods/burstable/pod{UID}/{ID}", f"pod/{UID}"),
        ("/slurm/uid_1000/job_1/step_0/task_0", "slurm/1"),
        ("/system.slice/slurmstepd.scope/job_1/step_0/user/task_0", "slurm/1"),
        ("/user.slice/user-1000.slice/session-1.scope", "user/1000"),
        ("/oar/alice_1", "oar/1"),
        (r"/machine.slice/machine-qemu\x2d3\x2dvm1.scope/libvirt/vcpu0", "container/vm1"),
    ],
)
def test_new_work_is_found_at_the_next_tick(tmp_path: Path, path: str, key: str) -> None:
    """On a node where nothing of the kind has ever run."""
    node = Node(tmp_path)
    with node.observer() as observer:
        node.burn(node.make(path), 10)
        assert cpu(node.tick(observer)) == {key: 10}


@pytest.mark.parametrize(
    ("outer", "inner", "until_then"),
    [
        ("/system.slice/containerd.service", f"kubepods-pod{UID_}.slice:cri-containerd:{ID}", "system"),
        (f"/docker/{'f' * 64}", f"kubelet/kubepods/pod{UID}/{ID}", f"container/{'f' * 64}"),
    ],
)
def test_the_first_workload_inside_a_service_or_container_is_found_within_a_minute(
    tmp_path: Path, outer: str, inner: str, until_then: str
) -> None:
    """Until then its time is its container's, or the system's. From then on others are found at once."""
    node = Node(tmp_path)
    node.make(outer)
    path = f"{outer}/{inner}"
    with node.observer() as observer:
        node.burn(node.make(path), 1000)
        assert cpu(node.tick(observer)) == {until_then: 1000}
        node.burn(path, 30)
        assert sum(cpu(node.tick(observer, seconds=61)).values()) == 30, "not the minute before"
        node.burn(path, 40)
        second = node.make(path.replace(UID[:8], "cccccccc"))
        node.burn(second, 5)
        assert cpu(node.tick(observer)) == {f"pod/{UID}": 40, f"pod/cccccccc{UID[8:]}": 5}


def test_a_users_container_is_found_at_once_also_after_a_pause(tmp_path: Path) -> None:
    """The slice that podman made for the first one stays behind empty."""
    node = Node(tmp_path)
    slice_ = node.make("/user.slice/user-1000.slice/user@1000.service/user.slice")
    with node.observer() as observer:
        node.tick(observer)
        node.burn(node.make(f"{slice_}/libpod-{ID}.scope"), 10)
        assert cpu(node.tick(observer)) == {f"container/{ID}": 10}


def test_a_late_discovery_cannot_take_what_others_used(tmp_path: Path) -> None:
    """Found late, its counter shows a minute of time; its parent used only this tick's."""
    node = Node(tmp_path)
    outer = node.make(f"/docker/{'f' * 64}")
    other = node.make(f"/docker/{'e' * 64}")
    with node.observer() as observer:
        inner = node.make(f"{outer}/kubepods/pod{UID}")
        node.burn(inner, 60_000_000)
        assert cpu(node.tick(observer)) == {f"container/{'f' * 64}": 60_000_000}
        node.burn(inner, 5_000_000)
        node.burn(other, 1_000_000)
        assert cpu(node.tick(observer, seconds=61)) == {f"pod/{UID}": 5_000_000, f"container/{'e' * 64}": 1_000_000}


def test_a_service_that_uses_a_gpu_becomes_a_workload(tmp_path: Path) -> None:
    """An inference server run by systemd is work, though nobody listed it. Its CPU time follows."""
    node = Node(tmp_path)
    service = node.make("/system.slice/ollama.service")
    node.process(77, service)
    with node.observer() as observer:
        node.burn(service, 10)
        seen = node.tick(observer, 77)
        assert cpu(seen) == {"system": 10}
        assert [holder.workload.key for holder in seen.gpu["GPU-0"].holders] == ["unit/ollama.service"]
        node.tick(observer, 77)
        node.burn(service, 30)
        node.hold(service, GIB)
        seen = node.tick(observer)
        assert cpu(seen) == {"unit/ollama.service": 30}
        assert dram(seen)["unit/ollama.service"] == GIB


def test_a_user_cannot_exhaust_the_daemon_with_cgroups(tmp_path: Path) -> None:
    """Beyond 512 they are not told apart, and nobody else is affected."""
    node = Node(tmp_path)
    home = "/user.slice/user-1000.slice/user@1000.service"
    with node.observer() as observer:
        for number in range(600):
            node.burn(node.make(f"{home}/libpod-{number:064x}.scope"), 1)
        node.burn(node.make(f"/docker/{ID}"), 7)
        seen = cpu(node.tick(observer))
    assert seen[f"container/{ID}"] == 7
    assert len(seen) <= 512 + 2
    assert sum(seen.values()) == 607


def test_those_that_are_gone_make_room(tmp_path: Path) -> None:
    """The bound is on what lives, not on what ever lived."""
    node = Node(tmp_path)
    home = node.make("/user.slice/user-1000.slice/user@1000.service/user.slice")
    with node.observer() as observer:
        for start in range(0, 600, 100):
            paths = [node.make(f"{home}/libpod-{number:064x}.scope") for number in range(start, start + 100)]
            node.burn(paths[-1], 5)
            assert cpu(node.tick(observer)) == {f"container/{start + 99:064x}": 5}
            for path in paths:
                node.remove(path)
            node.tick(observer)


def test_a_node_with_more_cgroups_than_are_looked_at_says_so(tmp_path: Path) -> None:
    node = Node(tmp_path)
    for number in range(9):
        node.make(f"/docker/{number:064x}")
    hierarchies = find_hierarchies(node.cgroups)
    assert not Tree(hierarchies, lambda _: True, 0, max_groups=10 + 1).truncated
    tree = Tree(hierarchies, lambda _: True, 0, max_groups=4)
    assert tree.truncated
    assert len(list(walk(tree.root))) == 1 + 4


def test_a_deep_tree_ends_somewhere(tmp_path: Path) -> None:
    node = Node(tmp_path)
    path = node.make("/docker/" + ID + "/x" * 60)
    with node.observer() as observer:
        node.burn(path, 5)
        assert cpu(node.tick(observer)) == {f"container/{ID}": 5}


def test_few_open_files_change_nothing_but_the_cost(tmp_path: Path) -> None:
    node = Node(tmp_path)
    paths = [node.make(f"/docker/{number:064x}") for number in range(20)]
    before = open_files()
    with node.observer(Options(open_files=5)) as observer:
        assert open_files() - before <= 5 + 2  # and /proc/stat, /proc/meminfo
        for path in paths:
            node.burn(path, 3)
            node.hold(path, 5)
        seen = node.tick(observer)
        assert cpu(seen) == {f"container/{number:064x}": 3 for number in range(20)}
        assert dram(seen)[f"container/{19:064x}"] == 5
        for path in paths[:15]:
            node.remove(path)
        node.burn(paths[19], 3)
        assert cpu(node.tick(observer)) == {f"container/{19:064x}": 3}
    assert open_files() == before, "close() leaves nothing open"


def test_nothing_leaks_when_work_comes_and_goes(tmp_path: Path) -> None:
    """A thousand short containers must not leave open files behind (exporters run for months)."""
    node = Node(tmp_path)
    with node.observer() as observer:
        node.make(f"/docker/{ID}")
        node.tick(observer)
        before = open_files()
        for number in range(100):
            path = node.make(f"/docker/{number:064x}")
            node.tick(observer)
            node.remove(path)
        node.tick(observer)
        assert open_files() == before


def test_names_that_are_not_utf8_are_counted(tmp_path: Path) -> None:
    """A cgroup may be named with any byte but a newline, a slash and 0."""
    node = Node(tmp_path)
    with node.observer(Options(units=("*.service",))) as observer:
        path = os.fsdecode(b"/system.slice/\xff\xfe\x01.service")
        node.burn(node.make(path), 5)
        seen = cpu(node.tick(observer))
        node.process(9, "/")
        (node.procfs / "9" / "cgroup").write_bytes(b"0::" + os.fsencode(path) + b"\n")
        holders = node.tick(observer, 9).gpu["GPU-0"].holders
    (key,) = seen
    assert key.startswith("unit/\ufffd\ufffd\ufffd.service~")
    assert key.isprintable()
    assert [holder.workload.key for holder in holders] == [key], "the GPU's share goes to the same workload"
