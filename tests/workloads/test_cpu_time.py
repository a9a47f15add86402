"""CPU time by workload, on trees whose counters behave like the kernel's."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.workloads.world import Node, cpu
from tracker.workloads.observer import Options

A, B, C = (f"/docker/{letter * 64}" for letter in "abc")
KEY_A, KEY_B, KEY_C = (f"container/{letter * 64}" for letter in "abc")
UID = "b1d0c5e4-5c5c-4a6f-9d0e-1f2a3b4c5d6e"
POD = f"/kubepods/burstable/pod{UID}"
HOME = "/user.slice/user-1000.slice"


@pytest.fixture(params=["v2", "v1", "hybrid"])
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Node:
    return Node(tmp_path, request.param)


def test_time_goes_to_workloads_and_the_rest_to_the_system(node: Node) -> None:
    """Containers get what they used; services are the operating system until somebody says otherwise."""
    for path in (A, B, "/system.slice/ssh.service"):
        node.make(path)
    node.burn(A, 77_000_000)
    with node.observer() as observer:
        node.burn(A, 3_000_000)
        node.burn(B, 1_000_000)
        node.burn("/system.slice/ssh.service", 500_000)
        seen = node.tick(observer)
    assert cpu(seen) == {KEY_A: 3_000_000, KEY_B: 1_000_000, "system": 500_000}
    assert seen.cpu_capacity_us == 4 * 5_000_000


def test_the_first_tick_has_no_weights_and_old_time_is_nobodys(node: Node) -> None:
    """What was used before the daemon started is in no tick."""
    node.make(A)
    node.burn(A, 9_000_000)
    with node.observer() as observer:
        assert cpu(node.tick(observer)) == {}


def test_a_pod_is_one_workload_whatever_runs_in_it(node: Node) -> None:
    node.make(f"{POD}/{'1' * 64}")
    node.make(f"{POD}/{'2' * 64}")
    with node.observer() as observer:
        node.burn(f"{POD}/{'1' * 64}", 100)
        node.burn(f"{POD}/{'2' * 64}", 200)
        assert cpu(node.tick(observer)) == {f"pod/{UID}": 300}


def test_a_container_of_a_user_is_not_the_users_own_time(node: Node) -> None:
    inner = f"{HOME}/user@1000.service/user.slice/libpod-{'a' * 64}.scope/container"
    node.make(inner)
    node.make(f"{HOME}/session-1.scope")
    with node.observer() as observer:
        node.burn(inner, 1000)
        node.burn(f"{HOME}/session-1.scope", 10)
        assert cpu(node.tick(observer)) == {"user/1000": 10, KEY_A: 1000}


def test_a_pod_inside_a_container_is_taken_from_the_container(node: Node) -> None:
    inner = node.make(f"{A}/kubelet/kubepods/burstable/pod{UID}")
    with node.observer() as observer:
        node.burn(A, 5)
        node.burn(inner, 70)
        assert cpu(node.tick(observer)) == {KEY_A: 5, f"pod/{UID}": 70}


def test_a_container_born_in_the_tick_is_charged_from_its_birth(node: Node) -> None:
    node.make(A)
    with node.observer() as observer:
        node.make(B)
        node.burn(B, 123)
        assert cpu(node.tick(observer)) == {KEY_B: 123}


def test_a_container_that_ended_in_the_tick_keeps_its_last_seconds(node: Node) -> None:
    """Work shorter than a tick, and the last part of all other work, must not become the system's."""
    node.make(A)
    node.make(B)
    with node.observer() as observer:
        node.burn(A, 400)
        node.burn(B, 100)
        node.tick(observer)
        node.burn(A, 300)
        node.burn(B, 50)
        node.remove(A)
        assert cpu(node.tick(observer)) == {KEY_A: 300, KEY_B: 50}


def test_several_that_ended_share_by_what_they_used_before(node: Node) -> None:
    for path in (A, B, C):
        node.make(path)
    with node.observer() as observer:
        node.burn(A, 300)
        node.burn(B, 100)
        node.tick(observer)
        node.burn(A, 200)
        node.burn(B, 200)
        for path in (A, B):
            node.remove(path)
        assert cpu(node.tick(observer)) == {KEY_A: 300, KEY_B: 100}


def test_those_whose_rate_is_unknown_share_equally(node: Node) -> None:
    node.make(A)
    node.make(B)
    with node.observer() as observer:
        node.burn(A, 200)
        node.remove(A)
        node.remove(B)
        assert cpu(node.tick(observer)) == {KEY_A: 100, KEY_B: 100}


def test_a_whole_subtree_that_ended_keeps_its_share(node: Node) -> None:
    """Slurm removes the user's folder with the last job in it."""
    job = node.make("/slurm/uid_1000/job_7/step_0")
    with node.observer() as observer:
        node.burn(job, 10)
        node.tick(observer)
        node.burn(job, 25)
        node.remove("/slurm/uid_1000")
        assert cpu(node.tick(observer)) == {"slurm/7": 25}


def test_work_born_and_gone_between_two_ticks_is_unattributed(node: Node) -> None:
    """Nobody saw whose it was, but it was not the system's: it was below a folder made for containers."""
    node.make(A)
    with node.observer() as observer:
        node.make(B)
        node.burn(B, 400)
        node.remove(B)
        assert cpu(node.tick(observer)) == {"unattributed": 400}


def test_a_container_of_a_pod_that_was_never_seen_is_the_pods(node: Node) -> None:
    node.make(POD)
    with node.observer() as observer:
        node.make(f"{POD}/{'9' * 64}")
        node.burn(f"{POD}/{'9' * 64}", 55)
        node.remove(f"{POD}/{'9' * 64}")
        assert cpu(node.tick(observer)) == {f"pod/{UID}": 55}


def test_a_service_that_was_never_seen_is_the_systems(node: Node) -> None:
    node.make("/system.slice/ssh.service")
    with node.observer() as observer:
        node.burn(node.make("/system.slice/once.service"), 70)
        node.remove("/system.slice/once.service")
        assert cpu(node.tick(observer)) == {"system": 70}


def test_services_beside_a_container_that_ended_keep_their_usual_time(node: Node) -> None:
    """docker-….scope lives in system.slice: its last seconds are what exceeds the services' usual time."""
    scope = node.make(f"/system.slice/docker-{'a' * 64}.scope")
    ssh = node.make("/system.slice/ssh.service")
    with node.observer() as observer:
        node.burn(scope, 1000)
        node.burn(ssh, 40)
        assert cpu(node.tick(observer)) == {KEY_A: 1000, "system": 40}
        node.burn(scope, 600)
        node.burn(ssh, 40)
        node.remove(scope)
        assert cpu(node.tick(observer)) == {KEY_A: 600, "system": 40}
        node.burn(ssh, 40)
        assert cpu(node.tick(observer)) == {"system": 40}


def test_a_namesake_starts_anew(node: Node) -> None:
    """A cgroup removed and made again under the same name: its counter starts at 0, and nothing is negative. The old
    one's last time is its own too."""
    node.make(A)
    node.burn(A, 1_000_000)
    with node.observer() as observer:
        node.burn(A, 30)
        node.tick(observer)
        node.burn(A, 5)
        node.remove(A)
        node.make(A)
        node.burn(A, 7)
        assert cpu(node.tick(observer)) == {KEY_A: 12}


def test_a_counter_that_falls_is_a_new_one(node: Node) -> None:
    """Never a negative share, and never more than the parent used."""
    node.make(A)
    node.burn(A, 1_000_000)
    with node.observer() as observer:
        node.cpu_us[A] = 500_000
        node.burn(A, 20)
        assert cpu(node.tick(observer)) == {KEY_A: 20}


def test_a_parent_that_lags_behind_its_children_is_not_the_system_in_debt(node: Node) -> None:
    """Counters are read one after the other: the sum of the parts may exceed the whole. The parts stand."""
    node.make(A)
    with node.observer() as observer:
        node.burn(A, 1000)
        node.cpu_us[""] -= 100
        node.cpu_us["/docker"] -= 100
        node.burn(A, 0)
        assert cpu(node.tick(observer)) == {KEY_A: 1000}
        node.burn(A, 0)
        node.cpu_us[""] += 100
        node.cpu_us["/docker"] += 100
        node.burn(A, 0)
        assert cpu(node.tick(observer)) == {"system": 100}, "not unattributed: it was carried"


def test_a_root_counter_that_falls_says_nothing_about_the_system(node: Node) -> None:
    node.make(A)
    node.burn("", 1000)
    with node.observer() as observer:
        node.burn(A, 30)
        node.cpu_us[""] = 500
        assert cpu(node.tick(observer)) == {KEY_A: 30}
        node.burn("", 5)
        assert cpu(node.tick(observer)) == {"system": 5}


def test_units_that_are_listed_are_workloads(node: Node) -> None:
    for name in ("web.service", "ml-1.service", "ml-2.service"):
        node.make(f"/system.slice/{name}")
    with node.observer(Options(units=("web.service", "ml-*"))) as observer:
        for name in ("web.service", "ml-1.service", "ml-2.service"):
            node.burn(f"/system.slice/{name}", 9)
        seen = cpu(node.tick(observer))
    assert seen == {"unit/web.service": 9, "unit/ml-1.service": 9, "unit/ml-2.service": 9}


def test_one_job_of_two_slurmds_on_a_host_is_one_workload(node: Node) -> None:
    paths = [node.make(f"/system.slice/{name}_slurmstepd.scope/job_5") for name in ("n1", "n2")]
    with node.observer() as observer:
        for path in paths:
            node.burn(path, 10)
        assert cpu(node.tick(observer)) == {"slurm/5": 20}


def test_asking_twice_in_one_instant_loses_nothing(node: Node) -> None:
    node.make(A)
    with node.observer() as observer:
        node.burn(A, 10)
        assert cpu(node.tick(observer, seconds=0)) == {}
        assert cpu(node.tick(observer)) == {KEY_A: 10}


def test_one_unreadable_counter_takes_nothing_else_down(node: Node) -> None:
    """The others go on; that one's time is somebody's, but cannot be told apart."""
    node.make(A)
    node.make(B)
    with node.observer() as observer:
        for _, root in node.hierarchies():
            for name in ("cpuacct.usage", "cpu.stat"):
                file = root / A.lstrip("/") / name
                if file.exists():
                    file.write_text("garbage")
        node.burn(B, 30)
        assert cpu(node.tick(observer)) == {KEY_B: 30}
