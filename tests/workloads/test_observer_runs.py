"""Declared runs in the observer: taken out of the pod they are in, named by rules, and on the pod's GPUs."""

from __future__ import annotations

import socket
from contextlib import closing
from pathlib import Path

import pytest

from tests.workloads.declared.procs import Proc
from tests.workloads.scheduler import Scheduler, pod, uid
from tests.workloads.world import GIB, SECOND_NS, Node, cpu, dram
from tracker.core.model import DeviceUse, Moment, Observation, Own, ProcessUse
from tracker.core.rules import parse_rules
from tracker.sysfs import Roots
from tracker.workloads.declared.declaration import Peer
from tracker.workloads.declared.desk import Pace
from tracker.workloads.declared.protocol import Declare
from tracker.workloads.declared.runs import Runs
from tracker.workloads.declaring import DeclaredResolver, Options
from tracker.workloads.interface import Identity
from tracker.workloads.observer import CgroupObserver
from tracker.workloads.own import OwnWork
from tracker.workloads.paths import identify

A = f"/kubepods/pod{uid('a')}"
RULE: dict[str, object] = {"match": {"kind": "run", "command": "torchrun*"}, "set": {"cost_centre": "CC-{run}"}}
PAGES = 1 << 18  # of 4 KiB: 1 GiB


def nothing_booked(key: str) -> tuple[()]:
    return ()


class Stage:
    """A pod in which process 7 is a run and process 8 is not."""

    def __init__(self, folder: Path, own: OwnWork | None = None) -> None:
        self.node = Node(folder)
        self.proc = Proc(self.node.procfs)
        self.node.make(A)
        self.cpu_s = 0
        self.processes()
        roots = Roots(self.node.sysfs, self.node.procfs)
        self.declared = DeclaredResolver(Options(), roots, self.now, folder, "boot", Pace(5, 10), nothing_booked)
        self.runs: Runs = self.declared.runs
        self.scheduler = Scheduler({"GPU-0": ["a"]})
        resolvers = (self.scheduler, self.declared)
        rules = parse_rules([RULE])
        self.observer = CgroupObserver(self.node.roots, None, resolvers, rules, own, self.runs)
        self.node.tick(self.observer)

    def now(self) -> Moment:
        return Moment(self.node.mono_ns, self.node.mono_ns, self.node.mono_ns)

    def processes(self) -> None:
        self.proc.put(7, start=5, own=100 * self.cpu_s, pages=PAGES, cgroup=A)
        self.proc.put(8, start=5, cgroup=A)

    def declare(self) -> str:
        token = "0" * 32
        message = Declare("42", token, project="bert", phase="training", command="torchrun train.py")
        self.runs.declare(Peer(7, 1000, 5), message, self.node.mono_ns)
        return token

    def tick(self) -> Observation:
        """Five seconds: the pod uses 4 s of CPU time and 3 GiB, of which the run 3 s and 1 GiB; both are on the GPU."""
        self.cpu_s += 3
        self.processes()
        self.node.burn(A, 4_000_000)
        use = DeviceUse("GPU-0", (ProcessUse(7, 90, GIB), ProcessUse(8, 10, GIB)), index=0)
        return self.node.tick_with(self.observer, {"GPU-0": use})


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    stage = Stage(tmp_path)
    stage.node.hold(A, 3 * GIB)
    return stage


def test_a_run_is_taken_out_of_its_pod_and_nothing_is_lost(stage: Stage) -> None:
    before = stage.tick()
    assert cpu(before) == {pod("a"): 4_000_000}
    stage.declare()
    seen = stage.tick()
    assert cpu(seen) == {pod("a"): 1_000_000, "run/42": 3_000_000}
    assert {key: dram(seen)[key] for key in (pod("a"), "run/42")} == {pod("a"): 2 * GIB, "run/42": GIB}
    assert sum(dram(seen).values()) == sum(dram(before).values())
    stage.observer.close()


def test_on_the_gpu_the_run_holds_what_its_processes_hold(stage: Stage) -> None:
    stage.declare()
    seen = stage.tick()
    assert [(h.workload.key, h.sm_weight) for h in seen.gpu["GPU-0"].holders] == [("run/42", 90), (pod("a"), 10)]
    assert (seen.joined_processes, seen.unjoined_processes) == (2, 0)
    stage.observer.close()


def test_a_run_inherits_its_pod_and_gets_the_sites_rules(stage: Stage) -> None:
    stage.declare()
    seen = stage.tick()
    (run,) = [share.workload for share in seen.cpu if share.workload.key == "run/42"]
    assert (run.project, run.phase, run.pod, run.team) == ("bert", "training", "a", "team-a")
    assert run.cost_centre == "CC-42", "by its command"
    rules = {named.workload.key: named.rule for named in stage.observer.named()}
    assert rules["run/42"] is not None
    assert rules[pod("a")] is None
    assert any(share.workload is run for share in stage.tick().cpu), "the same object while no label changes"
    stage.observer.close()


def test_after_its_end_everything_is_the_pods_again(stage: Stage) -> None:
    token = stage.declare()
    stage.tick()
    stage.runs.end(1000, token, stage.node.mono_ns)
    stage.node.mono_ns += SECOND_NS
    stage.tick()
    assert set(cpu(stage.tick())) == {pod("a")}
    stage.observer.close()


def test_a_sidecar_books_the_runs_of_its_pod(tmp_path: Path) -> None:
    identity: Identity = identify(A)
    stage = Stage(tmp_path, OwnWork(identity, Roots(tmp_path / "sys", tmp_path / "proc"), 1))
    stage.declare()
    assert stage.tick().own == Own(frozenset({pod("a"), "run/42"}))
    stage.observer.close()


def test_runs_can_be_declared_while_the_observer_lives(stage: Stage, tmp_path: Path) -> None:
    path = tmp_path / "s"
    declared = DeclaredResolver(
        Options(socket=str(path)), stage.node.roots, stage.now, tmp_path, "boot", Pace(5, 10), nothing_booked
    )
    assert "would take" in declared.check()[0].message
    observer = CgroupObserver(stage.node.roots, None, (declared,), runs=declared.runs)
    observer.start()
    assert path.is_socket()
    assert str(path) in declared.check()[0].message
    asking = DeclaredResolver(
        Options(socket=str(path)), stage.node.roots, stage.now, tmp_path, "boot", Pace(5, 10), nothing_booked
    )
    assert asking.check()[0].message == f"A daemon takes declarations of runs at {path}."
    observer.close()
    with closing(socket.socket(socket.AF_UNIX)) as dead:
        dead.bind(str(path))
    assert "would take" in asking.check()[0].message, "a socket is no daemon"
    path.unlink()
    assert not path.exists()


def test_runs_may_be_forbidden(stage: Stage, tmp_path: Path) -> None:
    options = Options(listen=False, socket=str(tmp_path / "s"))
    declared = DeclaredResolver(options, stage.node.roots, stage.now, tmp_path, "boot", Pace(5, 10), nothing_booked)
    declared.start()
    assert not (tmp_path / "s").exists()
    assert "listen = false" in declared.check()[0].message
    declared.close()
