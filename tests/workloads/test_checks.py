"""What ``wattledger check`` says about telling workloads apart."""

from __future__ import annotations

from pathlib import Path

from tests.workloads.world import Node
from tracker.core.model import Level
from tracker.sysfs import Roots
from tracker.workloads.checks import findings, in_cgroup_namespace, join_rate
from tracker.workloads.observer import CgroupObserver


def lines(node: Node, joined: int = 0, unjoined: int = 0, *, truncated: bool = False) -> list[tuple[Level, str]]:
    found = [*findings(node.roots, truncated=truncated), *join_rate(joined, unjoined, 0)]
    return [(finding.level, f"{finding.subject}: {finding.message} {finding.remedy}") for finding in found]


def has(found: list[tuple[Level, str]], level: Level, *words: str) -> bool:
    return any(at is level and all(word in line for word in words) for at, line in found)


def test_each_layout_is_named(tmp_path: Path) -> None:
    for layout, name in (("v1", "Layout v1;"), ("v2", "Layout v2;"), ("hybrid", "Layout hybrid v1 and v2;")):
        assert has(lines(Node(tmp_path / layout, layout)), Level.OK, "cgroups", name)


def test_without_cgroups_nothing_can_be_told_apart(tmp_path: Path) -> None:
    node = Node(tmp_path)
    node.cgroups.rename(tmp_path / "unmounted")
    assert has(lines(node), Level.FAIL, "cgroups", "charged to system", "Mount the host's /sys")


def test_a_containers_own_cgroups_are_not_the_nodes(tmp_path: Path) -> None:
    node = Node(tmp_path)
    (node.cgroups / "cgroup.type").write_text("domain\n")
    assert has(lines(node), Level.WARN, "cgroups", "those of a container", "hostPID: true", "/sys/fs/cgroup")


def test_namespaces(tmp_path: Path) -> None:
    """4026531835 and 4026531836 are the kernel's numbers of the first cgroup and PID namespace."""
    node = Node(tmp_path)
    node.process(1, "/init.scope")
    assert [level for level, _ in lines(node)] == [Level.OK, Level.OK]
    folder = node.procfs / "self" / "ns"
    folder.mkdir(parents=True)
    for name, first, other in (("cgroup", 4026531835, 4026532001), ("pid", 4026531836, 4026532002)):
        (folder / name).symlink_to(f"{name}:[{first}]")
        assert not in_cgroup_namespace(node.procfs)
        assert [level for level, _ in lines(node)] == [Level.OK, Level.OK]
        (folder / name).unlink()
        (folder / name).symlink_to(f"{name}:[{other}]")
        subject = {"cgroup": "cgroup namespace", "pid": "PID namespace"}[name]
        assert has(lines(node), Level.WARN, subject, "hostPID: true")
        (folder / name).unlink()


def test_the_hosts_proc_mounted_in_a_container_is_as_good(tmp_path: Path) -> None:
    """There our own NSpid has two numbers: the mount sees from outside of our namespace."""
    node = Node(tmp_path)
    node.process(1, "/init.scope")
    (node.procfs / "self" / "ns").mkdir(parents=True)
    (node.procfs / "self" / "ns" / "pid").symlink_to("pid:[4026532002]")
    (node.procfs / "self" / "status").write_text("NSpid:\t4711\t1\n")
    assert not has(lines(node), Level.WARN, "PID namespace")


def test_hidden_processes(tmp_path: Path) -> None:
    node = Node(tmp_path)
    assert has(lines(node), Level.WARN, "processes", "hidepid", "CAP_SYS_PTRACE")


def test_the_join_rate(tmp_path: Path) -> None:
    node = Node(tmp_path)
    node.process(1, "/init.scope")
    assert not has(lines(node), Level.OK, "GPU processes")
    assert has(lines(node, 8, 0), Level.OK, "8 of 8 GPU processes")
    assert has(lines(node, 6, 2), Level.WARN, "6 of 8 GPU processes", "unattributed", "--pid=host")
    with node.observer() as observer:
        node.tick(observer, 1, 99)
        assert any("1 of 2 GPU processes" in finding.message for finding in observer.check())


def test_more_cgroups_than_are_looked_at(tmp_path: Path) -> None:
    assert has(lines(Node(tmp_path), truncated=True), Level.WARN, "more cgroups")


def test_check_never_raises(tmp_path: Path) -> None:
    observer = CgroupObserver(Roots(tmp_path / "nowhere", tmp_path / "nothing"))
    assert {finding.level for finding in observer.check()} == {Level.FAIL, Level.WARN}
    observer.close()
