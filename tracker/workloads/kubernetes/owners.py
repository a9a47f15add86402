"""Whose job a pod is, from its labels and its owner's name alone: no request for the owner itself is ever made.

The job's name is the first label of ``JOB_LABELS`` that the pod has; outer things stand before the parts they are made
of (a JobSet is made of Jobs, a RayJob of a RayCluster). Sources are the operators' public documentation:

| label | set by | phase |
|---|---|---|
| ``training.kubeflow.org/job-name`` | Kubeflow training operators (PyTorchJob, MPIJob, …) | training |
| ``jobset.sigs.k8s.io/jobset-name`` | JobSet, and Kubeflow Trainer v2, which is built on it | |
| ``ray.io/originated-from-cr-name`` | KubeRay: the RayJob or RayService | inference for a RayService |
| ``ray.io/cluster`` | KubeRay: a cluster by itself | |
| ``workflows.argoproj.io/workflow`` | Argo Workflows | |
| ``leaderworkerset.sigs.k8s.io/name`` | LeaderWorkerSet | |
| ``serving.kserve.io/inferenceservice`` | KServe | inference |
| ``volcano.sh/job-name`` | Volcano | |
| ``sparkoperator.k8s.io/app-name`` | Spark operator | |
| ``batch.kubernetes.io/job-name``, ``job-name`` | Kubernetes' own Job; the second before 1.27 | |

A phase is given only where the tool does nothing else. Rules may say more; they are matched elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

JOB_LABELS = (
    "training.kubeflow.org/job-name",
    "jobset.sigs.k8s.io/jobset-name",
    "ray.io/originated-from-cr-name",
    "ray.io/cluster",
    "workflows.argoproj.io/workflow",
    "leaderworkerset.sigs.k8s.io/name",
    "serving.kserve.io/inferenceservice",
    "volcano.sh/job-name",
    "sparkoperator.k8s.io/app-name",
    "batch.kubernetes.io/job-name",
    "job-name",
)
#: As labels, then as annotations.
QUEUE_NAMES = (
    "kueue.x-k8s.io/queue-name",
    "volcano.sh/queue-name",
    "scheduling.volcano.sh/queue-name",
    "yunikorn.apache.org/queue",
)
#: YuniKorn's older labels. "queue" alone says nothing; beside an application id it is a queue.
_YUNIKORN_QUEUE, _YUNIKORN_ID = "queue", "applicationId"

_TRAINING, _INFERENCE, _INTERACTIVE = "training", "inference", "interactive"
#: (label, value that it must have or "" for any, phase). JupyterHub and Kubeflow start these pods for a person's
#: notebook and for nothing else.
PHASES = (
    ("training.kubeflow.org/job-name", "", _TRAINING),
    ("serving.kserve.io/inferenceservice", "", _INFERENCE),
    ("ray.io/originated-from-crd", "RayService", _INFERENCE),
    ("hub.jupyter.org/username", "", _INTERACTIVE),
    ("notebook-name", "", _INTERACTIVE),
)
_POD_TEMPLATE_HASH = "pod-template-hash"
#: Owners whose name says nothing about the work: a static pod belongs to its node.
_NAMELESS = frozenset({"", "Node"})


@dataclass(frozen=True, slots=True)
class Owner:
    """``name``: of the job or of what the pod belongs to, at last of the pod. Others are empty where not known."""

    name: str
    job: str = ""
    queue: str = ""
    phase: str = ""


def find_owner(
    pod: str, labels: Mapping[str, str], annotations: Mapping[str, str], owner_kind: str = "", owner_name: str = ""
) -> Owner:
    """What labels and the controlling owner say. Text is passed on as it is."""
    job = next((labels[label] for label in JOB_LABELS if labels.get(label)), "")
    if not job and owner_kind == "Job":
        job = owner_name
    name = job or _owner_name(labels, owner_kind, owner_name) or pod
    return Owner(name, job, _queue(labels, annotations), _phase(labels))


def _owner_name(labels: Mapping[str, str], kind: str, name: str) -> str:
    if kind in _NAMELESS:
        return ""
    if kind == "ReplicaSet":  # of a Deployment: <deployment>-<hash of the template>
        suffix = f"-{labels.get(_POD_TEMPLATE_HASH, '')}"
        return name.removesuffix(suffix) if len(suffix) > 1 else name
    return name


def _queue(labels: Mapping[str, str], annotations: Mapping[str, str]) -> str:
    for source in (labels, annotations):
        queue = next((source[name] for name in QUEUE_NAMES if source.get(name)), "")
        if queue:
            return queue
    return labels.get(_YUNIKORN_QUEUE, "") if labels.get(_YUNIKORN_ID) else ""


def _phase(labels: Mapping[str, str]) -> str:
    return next((phase for label, value, phase in PHASES if labels.get(label) and value in {"", labels[label]}), "")
