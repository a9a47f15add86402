"""The whole resolver: a real gRPC server, a real TLS server and a folder of logs, in every combination."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import msgspec
import pytest
import trustme

from tests.fakes.apiserver import ApiServer, metadata, running_apiserver, service_account
from tests.fakes.kubelet import Kubelet, answer, pod, running_kubelet
from tests.fakes.unprivileged import without_dac
from tests.workloads.world import SECOND_NS
from tests.workloads.world import Node as World
from tracker.clock import now
from tracker.core.model import Finding, Kind, Level, Moment, Workload
from tracker.workloads.interface import Allocation, Identity
from tracker.workloads.kubernetes.resolver import KubernetesResolver, Options

GPU = "GPU-8f2c1d90-3e5a-4b17-9c2e-5da9abb5176"
UID = "b1d0c5e4-5c5c-4a6f-9d0e-1f2a3b4c5d6e"
NEXT_UID = "c2d0c5e4-5c5c-4a6f-9d0e-1f2a3b4c5d6e"
PATIENCE_S = 10.0
ID = "a1b2c3d4e5f6" + "0" * 52


class Cluster:
    """A node with the three sources; ``ask`` lets all of them be asked once, at a later time."""

    def __init__(self, folder: Path, authority: trustme.CA, kubelet: Kubelet, server: ApiServer) -> None:
        self.kubelet, self.server = kubelet, server
        self.logs = folder / "pods"
        self.logs.mkdir()
        self.account = service_account(folder / "account", authority)
        self.at_s = 0.0

    def clock(self) -> Moment:
        """Real time goes on, so that deadlines work."""
        return Moment(now().mono_ns + round(self.at_s * SECOND_NS), 0, 0)

    def options(self, **others: object) -> Options:
        return Options(
            kubelet_dir=str(self.kubelet.folder),
            pod_logs_dir=str(self.logs),
            api_server=self.server.address,
            service_account_dir=str(self.account),
            node_name="node-1",
            **others,  # type: ignore[arg-type]  # names and types are those of Options
        )

    def resolver(self, **others: object) -> KubernetesResolver:
        return KubernetesResolver(self.options(**others), self.clock, {}, lambda: 0.0)

    def add_pod(self, name: str, uid: str, *, log: bool = False, api: bool = False, **fields: object) -> None:
        if log:
            (self.logs / f"ml_{name}_{uid}" / "main").mkdir(parents=True)
        if api:
            self.server.pods.setdefault("node-1", []).append(metadata("ml", name, uid, **fields))


@pytest.fixture
def cluster(tmp_path: Path, authority: trustme.CA) -> Iterator[Cluster]:
    with running_kubelet() as kubelet, running_apiserver(authority) as server:
        yield Cluster(tmp_path, authority, kubelet, server)


def named(resolver: KubernetesResolver, uid: str = UID) -> Workload | None:
    return resolver.resolve(Identity(Kind.POD, f"pod/{uid}", pod_uid=uid), Workload(f"pod/{uid}", Kind.POD, uid))


def held(resolver: KubernetesResolver) -> list[tuple[str, str]]:
    return [(allocation.device, allocation.workload.key) for allocation in resolver.allocations()]


def levels(findings: tuple[Finding, ...]) -> dict[str, Level]:
    return {finding.subject: finding.level for finding in findings}


@contextmanager
def started(resolver: KubernetesResolver) -> Iterator[KubernetesResolver]:
    resolver.start()
    try:
        yield resolver
    finally:
        resolver.close()


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


TRAIN = Workload(f"pod/{UID}", Kind.POD, "bert", namespace="ml", pod="train-0", job="bert", queue="q", phase="training")
LABELS = {"training.kubeflow.org/job-name": "bert", "kueue.x-k8s.io/queue-name": "q", "team": "nlp"}


def test_all_three_sources_together(cluster: Cluster) -> None:
    cluster.add_pod("train-0", UID, log=True, api=True, labels=LABELS, annotations={"note": "x"})
    cluster.kubelet.data = answer(pod("ml", "train-0", f"{GPU}1", f"{GPU}2::0", f"{GPU}2::1"), pod("web", "nginx"))
    resolver = cluster.resolver()
    assert levels(resolver.check()) == {"pod devices": Level.OK, "pod labels": Level.OK, "pod logs": Level.OK}
    assert named(resolver) == TRAIN
    assert resolver.allocations() == (Allocation(f"{GPU}1", TRAIN), Allocation(f"{GPU}2", TRAIN))
    assert resolver.attributes(f"pod/{UID}") == {
        **{f"label:{name}": text for name, text in LABELS.items()},
        "annotation:note": "x",
        "containers": "main",
    }


def test_two_pods_on_one_gpu_hold_it_both(cluster: Cluster) -> None:
    cluster.add_pod("a", UID, log=True)
    cluster.add_pod("b", NEXT_UID, log=True)
    cluster.kubelet.data = answer(pod("ml", "a", f"{GPU}1::0", f"{GPU}1::3"), pod("ml", "b", f"{GPU}1::1"))
    resolver = cluster.resolver()
    resolver.check()
    assert held(resolver) == [(f"{GPU}1", f"pod/{UID}"), (f"{GPU}1", f"pod/{NEXT_UID}")]


def test_names_from_the_log_folders_alone(cluster: Cluster) -> None:
    """No right at the API server: pods have names and their devices, no labels."""
    cluster.add_pod("train-0", UID, log=True)
    cluster.kubelet.data = answer(pod("ml", "train-0", f"{GPU}1"))
    cluster.server.status = 403
    resolver = cluster.resolver()
    findings = resolver.check()
    assert levels(findings) == {"pod devices": Level.OK, "pod labels": Level.WARN, "pod logs": Level.OK}
    assert "labels, jobs or queues" in findings[1].message
    assert "create clusterrole" in findings[1].remedy
    plain = Workload(f"pod/{UID}", Kind.POD, "train-0", namespace="ml", pod="train-0")
    assert named(resolver) == plain
    assert resolver.allocations() == (Allocation(f"{GPU}1", plain),)


def test_names_from_the_api_server_alone(cluster: Cluster) -> None:
    cluster.add_pod("train-0", UID, api=True, labels=LABELS)
    cluster.logs.rmdir()
    cluster.kubelet.stop()
    resolver = cluster.resolver()
    findings = resolver.check()
    assert levels(findings) == {"pod devices": Level.WARN, "pod labels": Level.OK, "pod logs": Level.OK}
    assert "idle are charged to nobody" in findings[0].message
    assert f"hostPath: {{path: {cluster.kubelet.folder}}}" in findings[0].remedy
    assert "up to 30 s late" in findings[2].message
    assert named(resolver) == TRAIN
    assert resolver.allocations() == ()


def test_devices_from_the_kubelet_alone_are_held_under_a_name(cluster: Cluster) -> None:
    """Neither source of uids: the GPU has a holder whose namespace and name are known, once."""
    cluster.kubelet.data = answer(pod("ml", "train-0", f"{GPU}1"))
    cluster.logs.rmdir()
    resolver = cluster.resolver(api=False)
    findings = resolver.check()
    assert levels(findings) == {"pod devices": Level.OK, "pod labels": Level.WARN, "pod logs": Level.WARN}
    assert "cannot be joined with their CPU time" in findings[2].message
    assert resolver.allocations() == (
        Allocation(f"{GPU}1", Workload("pod/ml/train-0", Kind.POD, "train-0", namespace="ml", pod="train-0")),
    )
    assert named(resolver) is None


def test_where_nothing_of_kubernetes_is_nothing_is_said(tmp_path: Path) -> None:
    options = Options(kubelet_dir=str(tmp_path / "k"), pod_logs_dir=str(tmp_path / "l"))
    resolver = KubernetesResolver(options, now, {})
    assert resolver.check() == ()
    assert resolver.allocations() == ()
    assert named(resolver) is None


def test_a_pod_without_node_name_is_told_the_line_that_gives_it(tmp_path: Path) -> None:
    options = Options(kubelet_dir=str(tmp_path / "k"), pod_logs_dir=str(tmp_path / "l"))
    resolver = KubernetesResolver(options, now, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"})
    assert "fieldPath: spec.nodeName" in resolver.check()[1].remedy


def test_a_device_id_of_unknown_form_is_told(cluster: Cluster) -> None:
    cluster.kubelet.data = answer(pod("ml", "train-0", f"{GPU}1-3\n"))
    findings = cluster.resolver().check()
    assert findings[-1].level is Level.WARN
    assert f'"{GPU}1-3\ufffd"' in findings[-1].message


def test_what_may_not_be_read_is_told_with_the_right_that_is_missing(cluster: Cluster) -> None:
    cluster.kubelet.socket.chmod(0)
    cluster.logs.chmod(0)
    resolver = cluster.resolver()
    with without_dac():
        findings = resolver.check()
        cluster.kubelet.folder.chmod(0)
        again = resolver.check()
    cluster.kubelet.folder.chmod(0o700)
    for found in (findings, again):
        assert found[0].level is Level.WARN
        assert "CAP_DAC_OVERRIDE" in found[0].remedy
    assert "may not be read" in findings[2].message
    assert "CAP_DAC_READ_SEARCH" in findings[2].remedy
    assert resolver.health()["kubelet"].errors == {"denied": 2}


def test_other_workloads_are_not_ours(cluster: Cluster) -> None:
    cluster.add_pod("train-0", UID, log=True)
    resolver = cluster.resolver()
    resolver.check()
    job = Workload("slurm/211", Kind.SLURM, "211")
    assert resolver.resolve(Identity(Kind.SLURM, "slurm/211", slurm_job="211", pod_uid=UID), job) is None
    assert resolver.attributes("slurm/211") == {}


def test_while_everything_is_down_everything_stays_as_it_was(cluster: Cluster) -> None:
    cluster.add_pod("train-0", UID, api=True, labels=LABELS)
    cluster.kubelet.data = answer(pod("ml", "train-0", f"{GPU}1"))
    resolver = cluster.resolver()
    resolver.check()
    before = (named(resolver), resolver.allocations(), resolver.attributes(f"pod/{UID}"))
    cluster.kubelet.stop()
    cluster.server.status = 503
    cluster.logs.rmdir()
    for hour in range(1, 5):
        cluster.at_s = hour * 3600
        findings = resolver.check()
        assert (named(resolver), resolver.allocations(), resolver.attributes(f"pod/{UID}")) == before
    assert levels(findings)["pod devices"] is Level.WARN
    assert "14400 s ago, is still used" in findings[1].message
    assert resolver.health()["api"].errors == {"failed": 4}


@pytest.mark.parametrize(
    "damage",
    [
        lambda cluster: setattr(cluster.kubelet, "data", b"\x0a\x05abc"),
        lambda cluster: setattr(cluster.kubelet, "data", b"\xff" * 1000),
        lambda cluster: setattr(cluster.kubelet, "data", bytes(9 << 20)),
        lambda cluster: setattr(cluster.kubelet, "status", grpc.StatusCode.INTERNAL),
        lambda cluster: setattr(cluster.server, "body", b"{"),
        lambda cluster: setattr(cluster.server, "body", b'{"items": [{"metadata": {"labels": []}}]}'),
        lambda cluster: setattr(cluster.server, "body", b" " * (9 << 20)),
        lambda cluster: setattr(cluster.server, "tokens", set()),
    ],
)
def test_a_bad_answer_of_one_source_changes_nothing_and_is_told(
    cluster: Cluster, damage: Callable[[Cluster], None]
) -> None:
    cluster.add_pod("train-0", UID, log=True, api=True, labels=LABELS)
    cluster.kubelet.data = answer(pod("ml", "train-0", f"{GPU}1"))
    resolver = cluster.resolver()
    resolver.check()
    before = (named(resolver), resolver.allocations())
    damage(cluster)
    findings = resolver.check()
    assert (named(resolver), resolver.allocations()) == before
    (bad,) = [finding for finding in findings if finding.level is not Level.OK]
    assert "is still used" in bad.message
    assert bad.message.isprintable()


def test_a_pod_of_the_same_name_gets_its_own_energy(cluster: Cluster) -> None:
    """train-0 is evicted and comes back at once with another uid: one GPU, one holder at any time."""
    cluster.add_pod("train-0", UID, log=True)
    cluster.kubelet.data = answer(pod("ml", "train-0", f"{GPU}1"))
    resolver = cluster.resolver()
    resolver.check()
    assert held(resolver) == [(f"{GPU}1", f"pod/{UID}")]
    (cluster.logs / f"ml_train-0_{UID}" / "main").rmdir()
    (cluster.logs / f"ml_train-0_{UID}").rmdir()
    cluster.add_pod("train-0", NEXT_UID, log=True)
    resolver.check()
    assert held(resolver) == [(f"{GPU}1", f"pod/{NEXT_UID}")]
    assert named(resolver) is not None
    assert named(resolver, NEXT_UID) is not None


def test_labels_that_would_break_a_table_are_harmless(cluster: Cluster) -> None:
    evil = {"job-name": '=cmd()|"x"\n,', "team": "y" * 10_000, "kueue.x-k8s.io/queue-name": "\u202eq\x1b[2J"}
    cluster.add_pod("train-0", UID, api=True, labels=evil)
    resolver = cluster.resolver()
    resolver.check()
    workload = named(resolver)
    assert workload is not None
    assert (workload.job, workload.queue) == ('=cmd()|"x"\ufffd,', "\ufffdq\ufffd[2J")
    assert len(resolver.attributes(workload.key)["label:team"]) == 128


def test_threads_follow_a_kubelet_that_is_restarted(cluster: Cluster) -> None:
    """The socket is a new file after every start; whoever holds on to the old one hears nothing any more."""
    cluster.add_pod("train-0", UID, log=True)
    cluster.kubelet.data = answer(pod("ml", "train-0", f"{GPU}1"))
    with started(cluster.resolver(kubelet_period_s=0.02)) as resolver:
        eventually(lambda: held(resolver) == [(f"{GPU}1", f"pod/{UID}")])
        cluster.kubelet.stop()
        eventually(lambda: resolver.health()["kubelet"].errors.get("absent", 0) > 0)
        assert held(resolver) == [(f"{GPU}1", f"pod/{UID}")]
        cluster.kubelet.data = answer(pod("ml", "train-0", f"{GPU}2"))
        cluster.kubelet.start()
        eventually(lambda: held(resolver) == [(f"{GPU}2", f"pod/{UID}")])
        assert resolver.health()["kubelet"].trouble is None


def test_the_empty_list_of_a_kubelet_that_just_started_takes_no_gpu_away(cluster: Cluster) -> None:
    """It answers before it has heard from the API server which pods it runs. Twice in a row it is believed."""
    cluster.add_pod("train-0", UID, log=True)
    full = answer(pod("ml", "train-0", f"{GPU}1"))
    resolver = cluster.resolver()
    seen = []
    for data in (full, answer(), full, answer(), answer()):
        cluster.kubelet.data = data
        resolver.check()
        seen.append(len(resolver.allocations()))
    assert seen == [1, 1, 1, 1, 0]


def test_a_kubelet_that_hangs_blocks_neither_answers_nor_the_end(cluster: Cluster) -> None:
    cluster.add_pod("train-0", UID, log=True, api=True, labels=LABELS)
    cluster.kubelet.release = threading.Event()
    with started(cluster.resolver()) as resolver:
        eventually(lambda: cluster.kubelet.calls == 1)
        eventually(lambda: named(resolver) == TRAIN)  # the others answer meanwhile
        assert resolver.allocations() == ()
        assert resolver.check()[0].message == "Not asked yet."
    cluster.kubelet.release.set()


def test_the_observer_charges_a_named_pod(cluster: Cluster, tmp_path: Path) -> None:
    """From the cgroup's path to the labels of the job, through the generic observer."""
    cluster.add_pod("train-0", UID, api=True, labels=LABELS)
    world = World(tmp_path / "node")
    path = world.make(f"/kubepods/burstable/pod{UID}/{ID}")
    resolver = cluster.resolver()
    resolver.check()
    with world.observer(resolvers=(resolver,)) as observer:
        world.burn(path, 1_000_000)
        shares = world.tick(observer).cpu
    assert [(share.workload, share.weight) for share in shares] == [(TRAIN, 1_000_000)]


@pytest.mark.parametrize("key", ["kubelet_period_s", "api_period_s"])
def test_a_pace_that_would_be_a_burden_is_refused(key: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=r">= "):
        msgspec.convert({key: 5}, Options)


def test_where_no_kubelet_is_nothing_is_loaded_for_it(tmp_path: Path) -> None:
    """Memory: neither grpcio nor protobuf, and of our own no HTTP/2 and no TLS."""
    script = (
        "import sys\n"
        "from tracker.clock import now\n"
        "from tracker.workloads.kubernetes.resolver import KubernetesResolver, Options\n"
        f"resolver = KubernetesResolver(Options(kubelet_dir={str(tmp_path)!r}, pod_logs_dir='/nowhere'), now, {{}})\n"
        "resolver.start(), resolver.check(), resolver.close()\n"
        "late = ('grpc', 'google.protobuf', 'ssl', 'http.client', 'tracker.workloads.kubernetes.unary')\n"
        "print([name for name in late if name in sys.modules])\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert (ran.stdout, ran.stderr) == ("[]\n", "")
