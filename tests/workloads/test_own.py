"""The daemon as a sidecar: whose share is booked, with the node's cgroups in sight and without."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.workloads.scheduler import Scheduler, pod, uid
from tests.workloads.world import GIB, Node, cpu, dram
from tracker.core.charging import keep
from tracker.core.model import Component, DeviceUse, Finding, Kind, Level, Moment, Own
from tracker.core.split import split
from tracker.workloads.interface import Identity
from tracker.workloads.observer import CgroupObserver
from tracker.workloads.own import OwnWork

MINE = Identity(Kind.POD, pod("a"), pod_uid=uid("a"))
A, B = (f"/kubepods/burstable/pod{uid(letter)}" for letter in "ab")


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def sidecar(node: Node, gpu_parts: int = 1, *resolvers: Scheduler, fenced: bool = False) -> CgroupObserver:
    return CgroupObserver(node.roots, None, resolvers, own=OwnWork(MINE, node.roots, gpu_parts, fenced=fenced))


def inside_a_container(node: Node) -> None:
    """The container's own cgroup namespace: its cgroup looks like a root, and is none."""
    (node.cgroups / "cgroup.type").write_text("domain\n")
    node.hold("", 3 * GIB)
    (node.cgroups / "memory.current").write_text(str(3 * GIB))


def stat(node: Node, busy_ticks: int) -> None:
    """CPU time of the whole node, in ticks of 10 ms."""
    (node.procfs / "stat").write_text(f"cpu  {busy_ticks} 0 0 0 0 0 0 0 0 0\n")


def test_the_whole_node_is_observed_and_only_the_own_pod_is_marked(node: Node) -> None:
    for path in (A, B):
        node.make(path)
    with_a = sidecar(node, 4)
    node.tick(with_a)
    node.burn(A, 300)
    node.burn(B, 700)
    seen = node.tick(with_a)
    assert cpu(seen) == {pod("a"): 300, pod("b"): 700}
    assert seen.own == Own(frozenset({pod("a")}), 4)
    charges = split(Component.CPU, "package-0", 1_000_000, 0, 5_000, seen)
    assert [(c.workload.key, c.energy_uj) for c in keep(Component.CPU, charges, seen.own)] == [(pod("a"), 299_999)]
    with_a.close()


def test_without_the_nodes_cgroups_the_own_container_stands_for_the_pod(node: Node) -> None:
    """Too little, never too much; ``check`` says so."""
    inside_a_container(node)
    stat(node, 0)
    observer = sidecar(node)
    node.tick(observer)
    node.burn("", 1_000_000)
    stat(node, 400)
    seen = node.tick(observer)
    assert cpu(seen) == {pod("a"): 1_000_000, "system": 3_000_000}
    assert dram(seen) == {pod("a"): 3 * GIB, "system": 13 * GIB}
    observer.close()


def test_the_own_gpu_is_the_pods_although_no_process_can_be_joined(node: Node) -> None:
    observer = sidecar(node, 1, Scheduler({"GPU-0": ["a"]}))
    node.tick(observer)
    seen = node.tick(observer, 4711)
    charges = split(Component.GPU, "GPU-0", 700, 70, 5_000, seen)
    assert seen.own is not None
    assert [(c.workload.key, c.energy_uj, c.idle_uj) for c in keep(Component.GPU, charges, seen.own)] == [
        (pod("a"), 700, 70)
    ]
    observer.close()


def test_another_pods_gpu_is_not_booked(node: Node) -> None:
    observer = sidecar(node, 1, Scheduler({"GPU-0": ["b"]}))
    seen = node.tick_with(observer, {"GPU-0": DeviceUse("GPU-0"), "GPU-1": DeviceUse("GPU-1")})
    for device in ("GPU-0", "GPU-1"):
        assert seen.own is not None
        assert keep(Component.GPU, split(Component.GPU, device, 700, 70, 5_000, seen), seen.own) == ()
    observer.close()


def test_inside_a_container_gpus_are_numbered_anew(node: Node) -> None:
    """/dev/nvidia3 is GPU 0 of the driver here; GPU 0 of the kubelet is another pod's."""
    observer = sidecar(node, 1, Scheduler({"index:3": ["a"], "index:0": ["b"]}), fenced=True)
    seen = node.tick_with(observer, {"GPU-0": DeviceUse("GPU-0", index=0)})
    assert [holder.workload.key for holder in seen.gpu["GPU-0"].holders] == [pod("a")]
    assert not any(finding.subject == "allocations" for finding in observer.check())
    observer.close()


def test_two_pods_on_one_gpu_by_the_kubelets_word(node: Node) -> None:
    observer = sidecar(node, 1, Scheduler({"GPU-0": ["a", "b"]}))
    seen = node.tick_with(observer, {"GPU-0": DeviceUse("GPU-0")})
    assert seen.own is not None
    (charge,) = keep(Component.GPU, split(Component.GPU, "GPU-0", 700, 700, 5_000, seen), seen.own)
    assert (charge.energy_uj, charge.idle_uj, charge.held_ms) == (349, 349, 2_499)
    observer.close()


def findings(node: Node, gpu_parts: int = 1) -> dict[str, Finding]:
    observer = sidecar(node, gpu_parts)
    found = {finding.subject: finding for finding in observer.check()}
    observer.close()
    return found


def test_check_says_what_the_pod_lacks(node: Node) -> None:
    inside_a_container(node)
    folder = node.procfs / "self" / "ns"
    folder.mkdir(parents=True)
    (folder / "pid").symlink_to("pid:[4026532002]")
    node.process(1, "/")
    (node.procfs / "1" / "comm").write_text("python3\n")
    found = findings(node)
    assert found["sidecar"].message == f"Books {pod('a')} and nothing else."
    assert (found["sidecar cgroup"].level, "hostPath: {path: /sys}" in found["sidecar cgroup"].remedy) == (
        Level.WARN,
        True,
    )
    assert "shareProcessNamespace: true" in found["sidecar processes"].remedy
    assert "gpu_replicas" in found["sidecar GPUs"].remedy
    assert "cgroup namespace" not in found, "hostPID is not for a sidecar"


def test_check_is_content_with_a_complete_pod(node: Node) -> None:
    folder = node.procfs / "self" / "ns"
    folder.mkdir(parents=True)
    (folder / "pid").symlink_to("pid:[4026532002]")
    node.process(1, "/")
    (node.procfs / "1" / "comm").write_text("pause\n")
    found = findings(node, 2)
    assert sorted(found) == ["idle GPUs", "sidecar", "sidecar GPUs"]
    assert "shared by 2 pods" in found["sidecar GPUs"].message


def test_asked_twice_in_one_instant(node: Node) -> None:
    observer = sidecar(node)
    first = node.tick(observer)
    again = observer.observe(Moment(node.mono_ns, node.mono_ns, node.mono_ns), {})
    assert first.own == again.own
    observer.close()
