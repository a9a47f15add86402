"""From what the sources say of a pod to the labels of its workload. All text here was chosen by strangers."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from tracker.core.model import Kind, Workload
from tracker.workloads.kubernetes.metadata import ApiPod
from tracker.workloads.kubernetes.owners import find_owner
from tracker.workloads.kubernetes.podlogs import LogPod
from tracker.workloads.labels import clean_key, clean_label, clean_workload


@dataclass(frozen=True, slots=True)
class Named:
    """A pod that is known: its labels and what rules may match."""

    workload: Workload
    attributes: Mapping[str, str] = field(default_factory=dict)


def name_pod(uid: str, api: ApiPod | None, logs: LogPod | None) -> Named:
    """At least one of ``api`` and ``logs`` is given; where they differ the API server is right."""
    pod = api or logs
    assert pod is not None
    labels, annotations = (api.labels, api.annotations) if api else ({}, {})
    kind, name = (api.owner_kind, api.owner_name) if api else ("", "")
    owner = find_owner(pod.name, labels, annotations, kind, name)
    key = f"pod/{uid}"
    workload = Workload(
        key,
        Kind.POD,
        owner.name,
        namespace=pod.namespace,
        pod=pod.name,
        job=owner.job,
        queue=owner.queue,
        phase=owner.phase,
    )
    attributes = {sys.intern(f"label:{name}"): text for name, text in labels.items()}
    attributes |= {sys.intern(f"annotation:{name}"): text for name, text in annotations.items()}
    if logs is not None and logs.containers:
        attributes["containers"] = clean_label(",".join(logs.containers))
    return Named(clean_workload(workload, key, Kind.POD), attributes)


def placeholder(namespace: str, pod: str) -> Workload:
    """A pod of which only the name is known."""
    key = clean_key(f"pod/{namespace}/{pod}")
    return clean_workload(Workload(key, Kind.POD, pod, namespace=namespace, pod=pod), key, Kind.POD)


def is_placeholder(workload: Workload) -> bool:
    """Whether this is a pod whose uid is not known: no cgroup will ever have its key."""
    return workload.kind is Kind.POD and workload.key.count("/") > 1
