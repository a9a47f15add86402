"""Names the pods of this node and says which GPUs the kubelet gave them.

Three sources, each in a thread of its own, each enough for something by itself:

| source | brings | needs |
|---|---|---|
| the kubelet's PodResources socket | which GPU is given to which pod, busy or not | a mount, uid 0 |
| the API server | names, labels, annotations, owners | the right to list pods, NODE_NAME |
| the folders of the pods' logs | names | a mount |

The kubelet knows no uid and a cgroup no name: devices are joined with cgroups through one of the other two. Where
neither is there, devices are held by ``pod/<namespace>/<name>`` and CPU time by ``pod/<uid>``; both are in the book,
each once, and nobody can say that they are one pod (``naming.is_placeholder`` tells the former).
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, ClassVar

import msgspec

from tracker.core.model import Finding, Kind, Workload
from tracker.workloads.interface import Allocation, Identity, Resolver
from tracker.workloads.kubernetes import checks
from tracker.workloads.kubernetes.api import ApiServer, find_place
from tracker.workloads.kubernetes.directory import Directory
from tracker.workloads.kubernetes.kubelet import Kubelet
from tracker.workloads.kubernetes.podlogs import LogPod, read_pods
from tracker.workloads.kubernetes.podresources import PodDevices
from tracker.workloads.kubernetes.poller import Health, Poller
from tracker.workloads.kubernetes.trouble import Trouble
from tracker.workloads.learner import Clock

LOGS_PERIOD_S = 10.0
#: Longest pauses while a source fails. The kubelet and the folders are on this node; the API server serves many.
LOCAL_PAUSE_S, REMOTE_PAUSE_S = 60.0, 600.0
#: Nodes of a cluster start together; their first requests are spread over so long.
FIRST_ASK_WITHIN_S = 3.0
#: What the end may take while a source does not answer.
CLOSE_S = 2.0


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of the Kubernetes resolver. In a pod with the mounts of the documentation none is needed."""

    #: Folder of the kubelet's PodResources socket, as mounted here.
    kubelet_dir: str = "/var/lib/kubelet/pod-resources"
    #: Seconds between two questions to the kubelet, which limits how often it answers.
    kubelet_period_s: Annotated[float, msgspec.Meta(ge=10)] = 10.0
    #: Folder that the kubelet writes the logs of pods to, as mounted here.
    pod_logs_dir: str = "/var/log/pods"
    #: Whether the API server is asked at all.
    api: bool = True
    #: Seconds between two questions to the API server.
    api_period_s: Annotated[float, msgspec.Meta(ge=30)] = 30.0
    #: "host:port" of the API server; empty: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT, as every pod has them.
    api_server: str = ""
    #: Folder with ``token`` and ``ca.crt``.
    service_account_dir: str = "/var/run/secrets/kubernetes.io/serviceaccount"
    #: Name of this node; empty: NODE_NAME.
    node_name: str = ""


class KubernetesResolver(Resolver):
    """See the file. Methods other than ``start``, ``check`` and ``close`` answer from memory and never wait."""

    name: ClassVar[str] = "kubernetes"

    def __init__(
        self,
        options: Options,
        clock: Clock,
        environ: Mapping[str, str] | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """``environ``: of the process, where it is not ``os.environ``. ``jitter``: 0 to 1."""
        self._options, self._clock, self._jitter = options, clock, jitter
        self._environ = os.environ if environ is None else environ
        self._lock = threading.Lock()  # around everything that is learned
        self._directory = Directory()
        self._kubelet = Kubelet(Path(options.kubelet_dir), clock)
        self._api: ApiServer | None = None
        self._pods: tuple[PodDevices, ...] = ()  # the kubelet's last answer
        self._doubted = False  # the answer after it was empty
        self._logs: Mapping[str, LogPod] = {}
        self._allocations: tuple[Allocation, ...] = ()
        kubelet_s, api_s = options.kubelet_period_s, options.api_period_s
        self._pollers = (
            Poller("kubelet", self._ask_kubelet, clock, jitter, kubelet_s, LOCAL_PAUSE_S),
            Poller("api", self._ask_api, clock, jitter, api_s, REMOTE_PAUSE_S),
            Poller("logs", self._ask_logs, clock, jitter, LOGS_PERIOD_S, LOCAL_PAUSE_S),
        )

    def start(self) -> None:
        """See ``Resolver``."""
        for poller in self._pollers:
            poller.start(FIRST_ASK_WITHIN_S * self._jitter() if poller.name == "api" else 0.0)

    def close(self) -> None:
        """See ``Resolver``."""
        for poller in self._pollers:
            poller.request_stop()
        for poller in self._pollers:
            poller.stop(CLOSE_S / len(self._pollers))

    def resolve(self, identity: Identity, workload: Workload) -> Workload | None:
        """See ``Resolver``."""
        if identity.kind is not Kind.POD:
            return None
        named = self._directory.find(identity.pod_uid)
        return named.workload if named is not None and named.workload.key == workload.key else None

    def attributes(self, key: str) -> Mapping[str, str]:
        """See ``Resolver``; also ``containers``, the names of a pod's containers joined by commas. Empty for a pod that
        is gone."""
        named = self._directory.find(key.removeprefix("pod/"))
        return {} if named is None else named.attributes

    def allocations(self) -> tuple[Allocation, ...]:
        """See ``Resolver``. The last known ones while the kubelet is away: without it no pod comes or goes."""
        return self._allocations

    def health(self) -> Mapping[str, Health]:
        """How "kubelet", "api" and "logs" do."""
        return {poller.name: poller.health for poller in self._pollers}

    def check(self) -> tuple[Finding, ...]:
        """See ``Resolver``. Asks every source once when it was not started: that may take some seconds."""
        for poller in self._pollers:
            if not poller.started:
                poller.attempt()
        pods = self._pods
        devices = sum(len(pod.devices) for pod in pods)
        strange = next((strange for pod in pods for strange in pod.strange), "")
        silent_s = {poller.name: poller.silent_s() for poller in self._pollers}
        return checks.findings(self.health(), silent_s, len(self._directory), devices, strange)

    def _ask_kubelet(self) -> None:
        asked_ns = self._clock().mono_ns
        pods = self._kubelet.pods()
        if not pods and self._pods and not self._doubted:
            self._doubted = True  # a kubelet that just started lists nothing until it has heard of its pods
            return
        self._doubted = False
        with self._lock:
            self._pods = pods
            self._directory.learn_running(((pod.namespace, pod.name) for pod in pods), asked_ns)
            self._allocate(fresh=True)

    def _ask_api(self) -> None:
        if not self._options.api:
            raise Trouble("absent", "The API server is not asked (api = false).")
        if self._api is None:
            account = Path(self._options.service_account_dir)
            place = find_place(self._environ, account, self._options.api_server, self._options.node_name)
            self._api = ApiServer(place, self._clock)
        asked_ns = self._clock().mono_ns
        pods = self._api.pods()
        with self._lock:
            self._directory.learn_api(pods, asked_ns)
            self._allocate(fresh=False)

    def _ask_logs(self) -> None:
        asked_ns = self._clock().mono_ns
        self._logs = read_pods(Path(self._options.pod_logs_dir), self._logs)
        with self._lock:
            self._directory.learn_logs(self._logs, asked_ns)
            self._allocate(fresh=False)

    def _allocate(self, *, fresh: bool) -> None:
        """Say anew who holds what, after anything was learned."""
        holders = [pod for pod in self._pods if pod.devices]
        bound = self._directory.bind([(pod.namespace, pod.name) for pod in holders], fresh=fresh)
        allocations = tuple(
            Allocation(device, bound[pod.namespace, pod.name])
            for pod in holders
            if (pod.namespace, pod.name) in bound
            for device in pod.devices
        )
        if allocations != self._allocations:
            self._allocations = allocations
