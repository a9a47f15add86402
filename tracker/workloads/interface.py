"""Who used the node. Read this before any other file of this folder.

An ``Observer`` turns what the kernel accounts (cgroups, processes) into an ``Observation`` once per tick. A
``Resolver`` gives a
workload that the generic part found by its cgroup path better names and labels (Kubernetes, Slurm, container engines).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from tracker.core.model import DeviceUse, Finding, Kind, Moment, Observation, Workload


@dataclass(frozen=True, slots=True)
class Identity:
    """What a cgroup path says about the work in it. Fields that the path does not hold are empty."""

    kind: Kind
    key: str  # of the workload: "pod/<uid>", "slurm/211", "container/<64 hex>", "unit/x.service", "user/1000", "system"
    pod_uid: str = ""
    container_id: str = ""
    runtime: str = ""  # docker | containerd | crio | podman | …
    qos: str = ""  # guaranteed | burstable | besteffort
    slurm_job: str = ""
    slurm_step: str = ""
    slurm_node: str = ""
    user_id: str = ""
    unit: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)


class Resolver(ABC):
    """Names workloads of one system. Never blocks: it answers from what its own thread last learned."""

    name: ClassVar[str]

    @abstractmethod
    def resolve(self, identity: Identity, workload: Workload) -> Workload | None:
        """The workload with better names and labels (same key), or None when this resolver does not know it."""

    @abstractmethod
    def check(self) -> tuple[Finding, ...]:
        """What it can name here and what is missing. Never raises."""


class Observer(ABC):
    """Says who used CPU, memory and GPUs between the last call and this one."""

    @abstractmethod
    def observe(self, moment: Moment, uses: Mapping[str, DeviceUse]) -> Observation:
        """Weights since the previous call. The first call has no CPU weights. Never raises, never blocks for long.

        ``uses``: the last known processes on each GPU, by device key; ``sm_weight`` has been summed since the last
        call.
        """

    @abstractmethod
    def check(self) -> tuple[Finding, ...]:
        """What can be told apart here and what is missing. Never raises."""

    @abstractmethod
    def close(self) -> None:
        """Release open files. Never raises."""
