"""A tick never fails: garbage, permissions, folders in the place of files, trees that vanish while they are read."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workloads.world import GIB, Node, cpu, dram, memory_folder
from tracker.core.model import Kind
from tracker.sysfs import Roots
from tracker.workloads.cgroups import Tree
from tracker.workloads.counters import find_hierarchies
from tracker.workloads.cputime import charge, measure
from tracker.workloads.observer import CgroupObserver

A, B = (f"/docker/{letter * 64}" for letter in "ab")
KEY_A, KEY_B = (f"container/{letter * 64}" for letter in "ab")
FILES = ["cpu.stat", "memory.current", "cpuacct.usage", "memory.usage_in_bytes"]


def test_a_machine_with_nothing(tmp_path: Path) -> None:
    node = Node(tmp_path / "unused")
    observer = CgroupObserver(Roots(tmp_path / "no-sys", tmp_path / "no-proc"))
    for _ in range(3):
        seen = node.tick(observer, 10)
        assert (seen.cpu, seen.dram, seen.dram_capacity_bytes) == ((), (), 0)
        assert seen.gpu["GPU-0"].holders[0].workload.key == "unattributed"
    observer.close()


def test_the_whole_tree_is_unmounted_and_comes_back(tmp_path: Path) -> None:
    node = Node(tmp_path)
    node.make(A)
    with node.observer() as observer:
        node.cgroups.rename(tmp_path / "away")
        node.tick(observer)
        (tmp_path / "away").rename(node.cgroups)
        node.tick(observer)
        node.tick(observer)
        node.burn(A, 9)
        assert cpu(node.tick(observer)) == {KEY_A: 9}


def test_a_folder_that_cannot_be_read_takes_nothing_else_down(tmp_path: Path) -> None:
    node = Node(tmp_path)
    node.make(A)
    node.make(B)
    file = node.cgroups / A.lstrip("/") / "cpu.stat"
    file.unlink()
    file.mkdir()  # as good as EACCES for root
    with node.observer() as observer:
        node.burn("/docker", 0)
        node.burn(B, 0)
        (node.cgroups / B.lstrip("/") / "cpu.stat").write_text("usage_usec 40\n")
        (node.cgroups / "docker" / "cpu.stat").write_text("usage_usec 100\n")
        (node.cgroups / "cpu.stat").write_text("usage_usec 100\n")
        node._changed.clear()
        assert cpu(node.tick(observer)) == {KEY_B: 40, "unattributed": 60}, "somebody's, but it cannot be told whose"


@pytest.mark.parametrize("layout", ["v1", "v2", "hybrid"])
def test_a_counter_that_recovers_has_a_new_baseline(tmp_path: Path, layout: str) -> None:
    """While it could not be read its time was nobody's; afterwards it is not charged twice."""
    node = Node(tmp_path, layout)
    node.make(A)
    node.burn(A, 10)
    with node.observer() as observer:
        for _, root in node.hierarchies():
            for name in ("cpu.stat", "cpuacct.usage"):
                if (root / A.lstrip("/") / name).exists():
                    (root / A.lstrip("/") / name).write_text("")
        assert cpu(node.tick(observer)) == {}
        node.burn(A, 500)
        assert cpu(node.tick(observer)) == {"unattributed": 500}
        node.burn(A, 7)
        assert cpu(node.tick(observer)) == {KEY_A: 7}


def test_a_container_that_ended_below_an_unreadable_parent_keeps_its_time(tmp_path: Path) -> None:
    """The next readable cgroup above bounds it."""
    node = Node(tmp_path)
    node.make(A)
    with node.observer() as observer:
        node.burn(A, 100)
        node.tick(observer)
        node.burn(A, 50)
        node.remove(A)
        node._changed.discard("/docker")
        (node.cgroups / "docker" / "cpu.stat").write_text("")
        assert cpu(node.tick(observer)) == {KEY_A: 50}


def test_a_subtree_that_vanishes_while_it_is_read(tmp_path: Path) -> None:
    """First the job is missing, then the folder above it, as the reading goes upwards."""
    node = Node(tmp_path)
    job = node.make("/slurm/uid_1000/job_7")
    tree = Tree(find_hierarchies(node.cgroups), lambda identity: identity.kind is Kind.SLURM, open_files=0)
    measure(tree)
    node.burn(job, 25)
    for path in list(node.cpu_us):
        node._write(path)
    node.remove("/slurm/uid_1000")
    measure(tree)
    assert {key: time_us for key, (_, time_us) in charge(tree, 5_000_000).items()} == {"slurm/7": 25}


def test_memory_and_cpu_fail_apart(tmp_path: Path) -> None:
    node = Node(tmp_path)
    node.make(A)
    node.hold(A, GIB)
    with node.observer() as observer:
        node.burn(A, 9)
        node.tick(observer)
        (node.cgroups / A.lstrip("/") / "cpu.stat").write_text("")
        assert dram(node.tick(observer))[KEY_A] == GIB


@settings(max_examples=40, deadline=None)
@given(
    layout=st.sampled_from(["v1", "v2", "hybrid"]),
    faults=st.lists(
        st.tuples(
            st.sampled_from(["", "/docker", A, B]),
            st.sampled_from(FILES),
            st.one_of(st.none(), st.binary(max_size=30), st.sampled_from([b"-5\n", b"usage_usec -9\n", b"1" * 4300])),
        ),
        min_size=1,
        max_size=6,
    ),
    proc=st.binary(max_size=40),
)
def test_no_content_stops_a_tick(layout: str, faults: list[tuple[str, str, bytes | None]], proc: bytes) -> None:
    with memory_folder() as folder:
        node = Node(Path(folder), layout)
        node.make(A)
        node.make(B)
        node.process(10, A)
        with node.observer() as observer:
            node.tick(observer, 10)
            for path, name, content in faults:
                for _, root in node.hierarchies():
                    file = root / path.lstrip("/") / name
                    if content is None:
                        file.unlink(missing_ok=True)
                    elif file.exists():
                        file.write_bytes(content)
            for name in ("stat", "meminfo", "10/stat", "10/cgroup"):
                (node.procfs / name).write_bytes(proc)
            for _ in range(2):
                seen = node.tick(observer, 10)
                assert all(share.weight > 0 for share in (*seen.cpu, *seen.dram))
            shutil.rmtree(node.sysfs)
            node.tick(observer, 10, seconds=61)
