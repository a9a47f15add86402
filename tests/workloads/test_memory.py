"""Memory by workload."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.workloads.world import GIB, Node, dram

A, B = (f"/docker/{letter * 64}" for letter in "ab")
KEY_A, KEY_B = (f"container/{letter * 64}" for letter in "ab")
UID = "b1d0c5e4-5c5c-4a6f-9d0e-1f2a3b4c5d6e"


@pytest.mark.parametrize("layout", ["v1", "v2", "hybrid"])
def test_bytes_go_to_workloads_and_the_rest_to_the_system(tmp_path: Path, layout: str) -> None:
    """From the first tick on: memory is a state, not a difference."""
    node = Node(tmp_path, layout)
    node.hold(node.make(A), 10 * GIB)
    node.hold(node.make(B), 2 * GIB)
    node.hold(node.make("/system.slice/ssh.service"), GIB)
    with node.observer() as observer:
        seen = node.tick(observer)
    assert dram(seen) == {KEY_A: 10 * GIB, KEY_B: 2 * GIB, "system": 4 * GIB}
    assert seen.dram_capacity_bytes == 64 * GIB


def test_memory_of_a_workload_inside_another_is_counted_once(tmp_path: Path) -> None:
    node = Node(tmp_path)
    node.hold(node.make(A), GIB)
    node.hold(node.make(f"{A}/kubelet/kubepods/burstable/pod{UID}"), 3 * GIB)
    home = node.make("/user.slice/user-1000.slice")
    node.hold(home, GIB)
    node.hold(node.make(f"{home}/user@1000.service/user.slice/libpod-{'b' * 64}.scope"), 2 * GIB)
    with node.observer() as observer:
        seen = dram(node.tick(observer))
    assert seen == {KEY_A: GIB, f"pod/{UID}": 3 * GIB, "user/1000": GIB, KEY_B: 2 * GIB, "system": 9 * GIB}


def test_more_in_workloads_than_the_node_uses_is_no_debt_of_the_system(tmp_path: Path) -> None:
    """The numbers are read one after the other while memory is freed."""
    node = Node(tmp_path)
    node.hold(node.make(A), 20 * GIB)
    with node.observer() as observer:
        assert dram(node.tick(observer)) == {KEY_A: 20 * GIB}


def test_an_unreadable_size_is_left_out(tmp_path: Path) -> None:
    node = Node(tmp_path)
    node.hold(node.make(A), GIB)
    node.hold(node.make(B), GIB)
    with node.observer() as observer:
        (node.cgroups / A.lstrip("/") / "memory.current").write_text("max\n")
        assert dram(node.tick(observer)) == {KEY_B: GIB, "system": 15 * GIB}


@pytest.mark.parametrize("text", ["", "garbage", "MemTotal: x kB\nMemFree: 1 kB\n", "MemTotal:\n", "MemTotal: 1 kB\n"])
def test_an_unreadable_total_is_unknown_not_zero_use(tmp_path: Path, text: str) -> None:
    node = Node(tmp_path)
    node.hold(node.make(A), GIB)
    (node.procfs / "meminfo").write_text(text)
    with node.observer() as observer:
        seen = node.tick(observer)
    assert dram(seen) == {KEY_A: GIB}
    assert seen.dram_capacity_bytes == 0
