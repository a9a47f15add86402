"""The kernel's own cgroups: v1 and v2 as this machine mounts them, and a pure v2 view in a private mount namespace."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workloads.real import CGROUPS, HOLD, Groups, close_to, container, groups, observe
from tests.workloads.world import cpu, dram
from tracker.core.model import DeviceUse, Level, ProcessUse
from tracker.sysfs import Roots
from tracker.workloads.counters import find_hierarchies
from tracker.workloads.observer import CgroupObserver

pytestmark = pytest.mark.needs("cgroups")


def hierarchies(version: int) -> list[Path]:
    return [Path(found.root) for found in find_hierarchies(CGROUPS) if found.version == version]


@pytest.fixture(params=[1, 2], ids=["v1", "v2"])
def places(request: pytest.FixtureRequest) -> list[Path]:
    found = hierarchies(request.param)
    if not found:
        pytest.skip(f"no cgroup v{request.param} hierarchy is mounted here")
    return found


@pytest.fixture
def node(places: list[Path]) -> Iterator[Groups]:
    with groups(places) as made:
        yield made


@pytest.fixture
def observer() -> Iterator[CgroupObserver]:
    """Of the whole machine."""
    made = CgroupObserver(Roots())
    yield made
    made.close()


@pytest.fixture
def inside(node: Groups, tmp_path: Path) -> Iterator[CgroupObserver]:
    """Of our own tree only: nothing else that runs here is in it."""
    made = CgroupObserver(node.view(tmp_path))
    yield made
    made.close()


def test_cpu_time_of_a_container(node: Groups, observer: CgroupObserver) -> None:
    path, key = container()
    node.make(path)
    observe(observer)
    used_us = node.run(path, 0.3)
    seen = observe(observer)
    assert close_to(cpu(seen)[key], used_us)
    assert sum(cpu(seen).values()) >= cpu(seen)[key]


def test_a_container_removed_between_ticks_keeps_its_time(node: Groups, observer: CgroupObserver) -> None:
    path, key = container()
    node.make(path)
    observe(observer)
    used_us = node.run(path, 0.2)
    node.remove(path)
    assert close_to(cpu(observe(observer))[key], used_us)
    assert key not in cpu(observe(observer))


def test_a_container_born_and_gone_between_ticks_is_somebodys(node: Groups, inside: CgroupObserver) -> None:
    """Below a folder made for pods its time is unattributed, not the system's."""
    node.make("kubepods.slice")
    observe(inside)
    path = f"kubepods.slice/{container()[0]}"
    used_us = node.run(node.make(path), 0.2)
    node.remove(path)
    assert close_to(cpu(observe(inside))["unattributed"], used_us)


def test_one_that_takes_the_place_of_another_is_noticed(node: Groups, inside: CgroupObserver) -> None:
    """The number of links of the parent is the same as before: only reading the old one tells."""
    (old, old_key), (new, new_key) = container(), container()
    old, new = f"kubepods.slice/{old}", f"kubepods.slice/{new}"
    node.make(old)
    node.run(old, 0.05)
    observe(inside)
    old_us = node.run(old, 0.1)
    node.remove(old)
    new_us = node.run(node.make(new), 0.2)
    seen = cpu(observe(inside))
    assert close_to(seen[new_key], new_us)
    assert close_to(seen[old_key], old_us)
    assert "unattributed" not in seen


def test_a_namesake_is_not_negative_and_loses_nothing(node: Groups, observer: CgroupObserver) -> None:
    path, key = container()
    node.make(path)
    node.run(path, 0.3)
    observe(observer)
    node.remove(path)
    used_us = node.run(node.make(path), 0.1)
    assert close_to(cpu(observe(observer))[key], used_us)


def test_a_container_inside_a_container(node: Groups, observer: CgroupObserver) -> None:
    (outer, outer_key), (inner, inner_key) = container(), container()
    both = node.make(f"{outer}/{inner}")
    observe(observer)
    inner_us, outer_us = node.run(both, 0.1), 0
    if CGROUPS / "unified" not in node._hierarchies:  # v2 with controllers has no processes between groups
        outer_us = node.run(outer, 0.1)
    seen = cpu(observe(observer))
    assert close_to(seen[inner_key], inner_us)
    assert close_to(seen.get(outer_key, 0), outer_us)


def test_memory_of_a_container(observer: CgroupObserver) -> None:
    places = [place for place in hierarchies(1) if (place / "memory.usage_in_bytes").exists()]
    if not places:
        pytest.skip("no v1 memory hierarchy is mounted here")
    with groups(places) as node:
        path, key = container()
        child = node.start(node.make(path), HOLD.format(size=64 << 20))
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        seen = observe(observer)
        child.communicate()
    assert 64 << 20 <= dram(seen)[key] <= 96 << 20
    assert dram(seen)["system"] > 0
    assert sum(dram(seen).values()) <= seen.dram_capacity_bytes


def test_a_process_is_joined_to_its_container_also_after_its_exit(node: Groups, observer: CgroupObserver) -> None:
    path, key = container()
    child = node.start(node.make(path), HOLD.format(size=1))
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    uses = {"GPU-0": DeviceUse("GPU-0", (ProcessUse(child.pid, 1, 1),))}
    alive = observe(observer, uses)
    child.communicate()
    dead = observe(observer, uses)
    for seen in (alive, dead):
        assert [holder.workload.key for holder in seen.gpu["GPU-0"].holders] == [key]
        assert (seen.joined_processes, seen.unjoined_processes) == (1, 0)


def test_check_on_this_machine(observer: CgroupObserver) -> None:
    observe(observer)
    found = {finding.subject: finding for finding in observer.check()}
    assert found["cgroups"].level in {Level.OK, Level.WARN}


@pytest.mark.needs("unshare")
def test_a_machine_with_v2_only() -> None:
    """In a private mount namespace the same folder shows the unified hierarchy alone."""
    script = Path(__file__).with_name("pure_v2.py")
    remount = "umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup"
    repository = Path(__file__).resolve().parent.parent.parent
    done = subprocess.run(
        [
            "unshare",
            "-m",
            "--propagation",
            "private",
            "sh",
            "-c",
            f'{remount} && exec "$0" "$1"',
            sys.executable,
            script,
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={"PYTHONPATH": str(repository), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["layout"] == [["cgroup", 2, True]]
    for name in ("lives", "ended"):
        assert close_to(report[name]["share_us"], report[name]["used_us"]), name
    assert report["sum_us"] >= report["lives"]["share_us"] + report["ended"]["share_us"]
    assert report["finding"] == "Layout v2; CPU time from /sys/fs/cgroup (cpu.stat)."
