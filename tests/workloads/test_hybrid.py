"""Layouts: where the two generations of cgroups are side by side, every cgroup is counted once."""

from __future__ import annotations

from pathlib import Path

from tests.workloads.world import GIB, Node, cpu, dram
from tracker.workloads.counters import find_hierarchies
from tracker.workloads.observer import CgroupObserver

A, B = (f"/docker/{letter * 64}" for letter in "ab")
KEY_A, KEY_B = (f"container/{letter * 64}" for letter in "ab")


def test_a_cgroup_of_v2_only_is_counted_there(tmp_path: Path) -> None:
    node = Node(tmp_path, "hybrid")
    node.make(A, only="v2")
    node.make(B, only="cpuacct")
    with node.observer() as observer:
        node.burn(A, 70)
        node.burn(B, 5)
        assert cpu(node.tick(observer)) == {KEY_A: 70, KEY_B: 5}


def test_a_cgroup_without_memory_controller_has_cpu_time_only(tmp_path: Path) -> None:
    node = Node(tmp_path, "v1")
    node.make(A, only="cpuacct")
    node.make(B)
    with node.observer() as observer:
        node.burn(A, 70)
        node.hold(B, GIB)
        seen = node.tick(observer)
    assert cpu(seen) == {KEY_A: 70}
    assert dram(seen) == {KEY_B: GIB, "system": 15 * GIB}


def test_a_cgroup_with_memory_only_has_no_cpu_time(tmp_path: Path) -> None:
    """Slurm with ConstrainRAMSpace and no CPU accounting: its CPU time cannot be told from the system's."""
    node = Node(tmp_path, "v1")
    node.make(A, only="memory")
    with node.observer() as observer:
        node.hold(A, GIB)
        node.burn("", 50)
        seen = node.tick(observer)
    assert cpu(seen) == {"system": 50}
    assert dram(seen) == {KEY_A: GIB, "system": 15 * GIB}


def test_an_engine_that_makes_the_folders_of_v1_one_by_one_loses_nothing(tmp_path: Path) -> None:
    node = Node(tmp_path, "v1")
    node.make("/docker")
    with node.observer() as observer:
        node.make(A, only="memory")
        node.tick(observer)
        node.make(A)
        node.burn(A, 80)
        assert cpu(node.tick(observer)) == {KEY_A: 80}
        node.burn(A, 20)
        assert cpu(node.tick(observer)) == {KEY_A: 20}
        node.burn(A, 3)
        (node.cgroups / "cpuacct" / A.lstrip("/")).rename(tmp_path / "gone")
        assert cpu(node.tick(observer)) == {KEY_A: 3}, "memory's folder lives on, but the CPU time is complete"


def test_v2_without_memory_controller(tmp_path: Path) -> None:
    node = Node(tmp_path, "v2")
    node.make(A)
    (node.cgroups / A.lstrip("/") / "memory.current").unlink()
    with node.observer() as observer:
        assert dram(node.tick(observer)) == {"system": 16 * GIB}


def test_no_cgroups_at_all(tmp_path: Path) -> None:
    """Then everything is the system's, from /proc/stat: 100 ticks of the clock are a second."""
    node = Node(tmp_path, "v1")
    node.cgroups.rename(tmp_path / "unmounted")
    with node.observer() as observer:
        (node.procfs / "stat").write_text("cpu  100 10 50 9999 777 20 20 33 0 0\ncpu0 1 1 1 1\n")
        seen = node.tick(observer)
    assert cpu(seen) == {"system": 2_000_000}
    assert dram(seen) == {"system": 16 * GIB}


def test_cgroups_that_are_mounted_later_are_found(tmp_path: Path) -> None:
    node = Node(tmp_path, "v2")
    node.make(A)
    node.cgroups.rename(tmp_path / "elsewhere")
    with node.observer() as observer:
        (tmp_path / "elsewhere").rename(node.cgroups)
        node.tick(observer, seconds=61)
        node.burn(A, 10)
        assert cpu(node.tick(observer)) == {KEY_A: 10}


def test_inside_a_cgroup_namespace_the_root_is_not_the_node(tmp_path: Path) -> None:
    """The root of a container's own view counts the container. The node's total is then in /proc/stat."""
    node = Node(tmp_path, "v2")
    (node.cgroups / "cgroup.type").write_text("domain\n")
    node.make(A)
    with node.observer() as observer:
        node.burn(A, 400_000)
        (node.procfs / "stat").write_text("cpu  100 0 0 0 0 0 0 0 0 0\n")
        assert cpu(node.tick(observer)) == {KEY_A: 400_000, "system": 600_000}


def test_the_root_counter_may_be_missing(tmp_path: Path) -> None:
    """Before Linux 5.8 the v2 root has no cpu.stat."""
    node = Node(tmp_path, "v2")
    node.make(A)
    with node.observer() as observer:
        (node.cgroups / "cpu.stat").rename(tmp_path / "gone")
        observer.close()
        node.tick(observer)
        (node.cgroups / A.lstrip("/") / "cpu.stat").write_text("usage_usec 300000\n")
        (node.procfs / "stat").write_text("cpu  100 0 0 0 0 0 0 0 0 0\n")
        assert cpu(node.tick(observer)) == {KEY_A: 300_000, "system": 700_000}


def test_which_hierarchies_are_found(tmp_path: Path) -> None:
    names = {
        layout: [
            (Path(found.root).name, found.cpu_file, found.memory_file, found.whole_node)
            for found in find_hierarchies(Node(tmp_path / layout, layout).cgroups)
        ]
        for layout in ("v1", "v2", "hybrid")
    }
    v1 = [("cpuacct", "cpuacct.usage", "", True), ("memory", "", "memory.usage_in_bytes", True)]
    assert names == {
        "v1": v1,
        "v2": [("cgroup", "cpu.stat", "memory.current", True)],
        "hybrid": [*v1, ("unified", "cpu.stat", "memory.current", True)],
    }
    assert find_hierarchies(tmp_path / "nowhere") == ()


def test_co_mounted_controllers_are_found_once(tmp_path: Path) -> None:
    """Distributions mount cpu,cpuacct together and link cpu and cpuacct to it."""
    (tmp_path / "cpu,cpuacct").mkdir()
    (tmp_path / "cpu,cpuacct" / "cpuacct.usage").write_text("0\n")
    (tmp_path / "cpuacct").symlink_to("cpu,cpuacct")
    assert [found.root for found in find_hierarchies(tmp_path)] == [str(tmp_path / "cpu,cpuacct")]


def test_close_twice_and_observe_again(tmp_path: Path) -> None:
    node = Node(tmp_path, "v2")
    node.make(A)
    observer = CgroupObserver(node.roots)
    node.tick(observer)
    observer.close()
    observer.close()
    node.burn(A, 9)
    assert cpu(node.tick(observer)) == {}, "a new baseline"
    node.burn(A, 9)
    assert cpu(node.tick(observer)) == {KEY_A: 9}
    observer.close()
