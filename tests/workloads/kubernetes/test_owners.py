"""Whose job a pod is, from labels alone."""

from __future__ import annotations

import pytest

from tracker.workloads.kubernetes.owners import JOB_LABELS, Owner, find_owner

KUEUE = "kueue.x-k8s.io/queue-name"


@pytest.mark.parametrize(
    ("labels", "owner"),
    [
        (
            {"training.kubeflow.org/job-name": "bert", "training.kubeflow.org/replica-type": "worker"},
            Owner("bert", "bert", "", "training"),
        ),
        (
            {"jobset.sigs.k8s.io/jobset-name": "llama", "batch.kubernetes.io/job-name": "llama-w-0"},
            Owner("llama", "llama"),
        ),
        ({"batch.kubernetes.io/job-name": "sweep", "job-name": "sweep"}, Owner("sweep", "sweep")),
        ({"job-name": "old"}, Owner("old", "old")),
        ({"ray.io/cluster": "ray-x2f"}, Owner("ray-x2f", "ray-x2f")),
        (
            {
                "ray.io/cluster": "chat-raycluster-x2f",
                "ray.io/originated-from-cr-name": "chat",
                "ray.io/originated-from-crd": "RayService",
            },
            Owner("chat", "chat", "", "inference"),
        ),
        (
            {"ray.io/originated-from-cr-name": "tune", "ray.io/originated-from-crd": "RayJob", "job-name": "tune-x"},
            Owner("tune", "tune"),
        ),
        ({"workflows.argoproj.io/workflow": "etl-7", "app": "etl"}, Owner("etl-7", "etl-7")),
        ({"leaderworkerset.sigs.k8s.io/name": "vllm"}, Owner("vllm", "vllm")),
        ({"serving.kserve.io/inferenceservice": "bge"}, Owner("bge", "bge", "", "inference")),
        ({"volcano.sh/job-name": "mpi", "volcano.sh/queue-name": "night"}, Owner("mpi", "mpi", "night")),
        ({"sparkoperator.k8s.io/app-name": "etl"}, Owner("etl", "etl")),
        ({KUEUE: "team-a", "job-name": "j"}, Owner("j", "j", "team-a")),
        ({"queue": "root.ml", "applicationId": "app-1"}, Owner("p", "", "root.ml")),
        ({"queue": "celery"}, Owner("p")),  # somebody's own label, no batch queue
        ({"hub.jupyter.org/username": "ada"}, Owner("p", "", "", "interactive")),
        ({"notebook-name": "nb"}, Owner("p", "", "", "interactive")),
        ({"job-name": ""}, Owner("p")),
        ({}, Owner("p")),
    ],
)
def test_jobs_queues_and_phases_from_labels(labels: dict[str, str], owner: Owner) -> None:
    assert find_owner("p", labels, {}) == owner


@pytest.mark.parametrize(
    ("annotations", "queue"),
    [
        ({KUEUE: "old-style"}, "old-style"),
        ({"scheduling.volcano.sh/queue-name": "night"}, "night"),
        ({"yunikorn.apache.org/queue": "root.ml"}, "root.ml"),
    ],
)
def test_queues_from_annotations(annotations: dict[str, str], queue: str) -> None:
    assert find_owner("p", {}, annotations).queue == queue
    assert find_owner("p", {KUEUE: "label"}, annotations).queue == "label"


@pytest.mark.parametrize(
    ("kind", "name", "labels", "owner"),
    [
        ("ReplicaSet", "web-5d9c7b", {"pod-template-hash": "5d9c7b"}, Owner("web")),
        ("ReplicaSet", "web-5d9c7b", {}, Owner("web-5d9c7b")),
        ("StatefulSet", "db", {}, Owner("db")),
        ("DaemonSet", "node-agent", {}, Owner("node-agent")),
        ("Job", "sweep-28391", {}, Owner("sweep-28391", "sweep-28391")),
        ("Notebook", "nb", {"notebook-name": "nb"}, Owner("nb", "", "", "interactive")),
        ("Node", "node-1", {}, Owner("p")),
        ("", "", {}, Owner("p")),
    ],
)
def test_names_from_the_controlling_owner(kind: str, name: str, labels: dict[str, str], owner: Owner) -> None:
    assert find_owner("p", labels, {}, kind, name) == owner


def test_the_order_of_labels_is_the_documented_one() -> None:
    """Outer things first: a label that moves down would rename running jobs."""
    labels = {label: str(place) for place, label in enumerate(JOB_LABELS)}
    for place, label in enumerate(JOB_LABELS):
        assert find_owner("p", labels, {}).job == str(place)
        del labels[label]
