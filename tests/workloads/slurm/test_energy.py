"""Energy on a real Slurm node: two jobs, idle and system add up to the node, and the epilog writes each job's own."""

from __future__ import annotations

import csv
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.machine import Machine
from tests.fakes.node import FixedGrid
from tests.fakes.nvml.fake_nvml import FakeNvml
from tests.fakes.nvml.parts import FakeGpu, FakeProcess
from tests.fakes.slurm import Cluster, can_run, until
from tests.workloads.slurm.rig import Work, gpu_information, resolver_for, scripts
from tracker import clock
from tracker.agent import Agent, Settings
from tracker.background import Runner
from tracker.bookkeeper import Bookkeeper
from tracker.core.model import Component
from tracker.core.snapshot import WorkloadState
from tracker.ledger.audit import audit
from tracker.ledger.files import LEDGER_FILE
from tracker.ledger.store import SqliteLedger
from tracker.sources import nvml, rapl
from tracker.sources.interface import SourceContext
from tracker.sysfs import Roots
from tracker.workloads.observer import CgroupObserver

pytestmark = [pytest.mark.needs("root", "slurm", "gcc"), pytest.mark.timeout(200)]
TICK_S = 0.5


class LiveNode:
    """The daemon's parts without its web server: real sources on fake hardware, the node's real cgroups and jobs."""

    def __init__(self, cluster: Cluster, folder: Path, fake: FakeNvml, machine: Machine) -> None:
        context = SourceContext(machine.roots, clock.now)
        options = nvml.Options(period_s=0.2, process_period_s=0.4, dev=str(folder))
        sources = [nvml.NvmlSource(options, context), rapl.RaplSource(rapl.Options(), context)]
        sources[1].period_s = 0.2  # a tick must see a reading of its own
        self._runners = [Runner(source, clock.now, lambda _name, _error: None, wanted=True) for source in sources]
        self.resolver = resolver_for(cluster)
        self._observer = CgroupObserver(Roots(), resolvers=[self.resolver])
        self.ledger_path = cluster.root / "ledger" / LEDGER_FILE
        self._ledger = SqliteLedger(self.ledger_path)
        opening = self._ledger.open()
        books = Bookkeeper(self._ledger, FixedGrid(), opening, zone="FR", pue=lambda _: 1000, max_series=500)
        # The faked packages draw the same all the time: with a learned floor all of it would be idle.
        floors_mw = {Component.CPU: 0}
        settings = Settings("node-1", "0", "boot-1", tick_ns=round(TICK_S * 1e9), floors_mw=floors_mw)
        self.agent = Agent(settings, self._runners, self._observer, books, opening, clock.now())
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop)

    def _loop(self) -> None:
        while not self._stop.wait(TICK_S):
            self.agent.tick(clock.now(), commit=True)

    def start(self) -> None:
        self._observer.start()
        for runner in self._runners:
            runner.start()
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        for runner in self._runners:
            runner.stop(5)
        self._observer.close()
        self.resolver.close()
        self._ledger.close()

    def device_uj(self, component: Component) -> int:
        devices = self.agent.snapshot.devices
        return sum(d.energy_uj for d in devices if d.booked and d.sensor.component is component)

    def workloads(self) -> dict[str, WorkloadState]:
        """As they are labelled now; what was booked before anybody knew their names is under another label set."""
        return {state.workload.key: state for state in self.agent.snapshot.workloads if state.live}

    def energy_uj(self, key: str, component: Component) -> int:
        return sum(
            tally.energy_uj
            for state in self.agent.snapshot.workloads
            if state.workload.key == key
            for tally in state.tallies
            if tally.component is component
        )


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    if not can_run():
        pytest.skip("Debian's Slurm needs the v1 cgroup controllers, which are not mounted here")
    with Cluster.start(scripts) as made:
        yield made


@pytest.fixture
def fake(tmp_path: Path) -> FakeNvml:
    made = FakeNvml(tmp_path / "nvml", [FakeGpu(power=((0.0, 300.0),)), FakeGpu(power=((0.0, 70.0),))], virtual=False)
    made.load()
    return made


@pytest.fixture
def live(cluster: Cluster, fake: FakeNvml, tmp_path: Path) -> Iterator[LiveNode]:
    machine = Machine.xeon(tmp_path / "machine")
    gpu_information(cluster.root, {index: gpu.uuid for index, gpu in enumerate(fake.gpus)})
    with machine.run():
        node = LiveNode(cluster, tmp_path, fake, machine)
        node.start()
        try:
            yield node
        finally:
            node.stop()
            machine.close()


def test_two_jobs_idle_and_system_add_up_to_the_node(cluster: Cluster, fake: FakeNvml, live: LiveNode) -> None:
    """One job trains on its GPU, the other holds its GPU and does nothing on it: the second pays for that all the same.
    Then both end, and their energy is where their users find it."""
    until(lambda: live.device_uj(Component.CPU) > 0, "the node is measured")
    one = Work(cluster, "--gres=gpu:1", "--account=nlp", "--job-name=train me").wait()
    two = Work(cluster, "--gres=gpu:1", "--account=vision", "--job-name==cmd()", user="nobody").wait()
    fake.set_processes(0, [FakeProcess(one.pid, sm_percent=80)])
    until(lambda: _names(live, one, two) == ["train me", "=cmd()"], "both jobs are seen and named")
    until(lambda: live.energy_uj(two.key, Component.GPU) > 0, "the idle holder is charged")
    one.burn(600_000)
    two.burn(200_000)
    until(lambda: live.energy_uj(one.key, Component.GPU) > 300_000_000, "the training job used a second of 300 W")
    until(lambda: live.energy_uj(two.key, Component.CPU) > 10_000_000, "the other's work was charged")
    _check_sums(live)
    trained, idle = live.workloads()[one.key], live.workloads()[two.key]
    assert (trained.workload.name, trained.workload.user, trained.workload.project) == ("train me", "games", "nlp")
    assert (idle.workload.name, idle.workload.user, idle.workload.project) == ("=cmd()", "nobody", "vision")
    # 300 W and 70 W: neither GPU is charged to the other's job
    assert live.energy_uj(one.key, Component.GPU) > 2 * live.energy_uj(two.key, Component.GPU)
    # how much depends on what else runs on this machine; test_cluster.py compares CPU times
    assert min(live.energy_uj(job.key, Component.CPU) for job in (one, two)) > 0
    fake.set_processes(0, [])
    for job in (one, two):
        job.end()
    reports = [_report(cluster, job) for job in (one, two)]
    for job, report in zip((one, two), reports, strict=True):
        assert report["energy_uj"] == sum(part["energy_uj"] for part in report["parts"])
        assert report["energy_uj"] == sum(live.energy_uj(job.key, component) for component in Component)
        assert report["measured_uj"] == report["energy_uj"]
        assert report["emissions_ug"] > 0
        assert report["hostname"] == "node-1"
    assert reports[0]["labels"]["name"] == "train me"
    _check_csv(cluster.root / "reports" / "jobs.csv", reports)
    _check_sums(live)
    assert audit(live.ledger_path).ok


def _names(live: LiveNode, *jobs: Work) -> list[str]:
    seen = live.workloads()
    return [seen[job.key].workload.name for job in jobs if job.key in seen]


def _check_sums(live: LiveNode) -> None:
    """P1, per component, of one committed picture."""
    snapshot = live.agent.snapshot
    for component in (Component.GPU, Component.CPU, Component.DRAM):
        devices = [d for d in snapshot.devices if d.booked and d.sensor.component is component]
        tallies = [tally for state in snapshot.workloads for tally in state.tallies if tally.component is component]
        assert sum(device.energy_uj for device in devices) == sum(tally.energy_uj for tally in tallies) > 0
    assert snapshot.conservation_error_uj == 0


def _report(cluster: Cluster, job: Work) -> dict[str, Any]:
    file = cluster.root / "reports" / f"{job.id}.json"
    until(file.exists, f"the epilog wrote job {job.id}\n{cluster.logs()}", 60)
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def _check_csv(path: Path, reports: list[dict[str, Any]]) -> None:
    """The components of every row add up, and a formula is none."""
    until(lambda: path.read_text().count("\n") == 3, "both rows are there")
    rows = {row["job_id"]: row for row in csv.DictReader(path.read_text().splitlines())}
    assert len(rows) == 2
    for report in reports:
        row = rows[str(report["job_id"])]
        microjoules = {name: int(value.replace(".", "")) for name, value in row.items() if name.endswith("_joules")}
        assert microjoules["energy_joules"] == report["energy_uj"]
        assert microjoules["energy_joules"] == sum(microjoules[f"{c}_joules"] for c in Component)
    assert {row["name"] for row in rows.values()} == {"train me", "'=cmd()"}
