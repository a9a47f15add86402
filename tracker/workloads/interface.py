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


@dataclass(frozen=True, slots=True)
class Allocation:
    """A scheduler gave a device, or a part of it, to a workload: it holds it, busy or not.

    ``device``: a GPU UUID, a MIG UUID, or ``index:N`` for the N-th GPU of the driver's order. A device that several
    workloads share (time-slicing, MPS) has one allocation for each.
    """

    device: str
    workload: Workload


class Resolver(ABC):
    """Names workloads of one system. Never blocks: it answers from what its own thread last learned."""

    name: ClassVar[str]

    def start(self) -> None:  # noqa: B027 - a hook: a resolver without a thread has nothing to start
        """Begin to learn, in a thread of its own with deadlines of its own. Never raises."""

    def close(self) -> None:  # noqa: B027 - a hook
        """End the thread and let go of sockets. Never raises."""

    def attributes(self, key: str) -> Mapping[str, str]:  # noqa: ARG002 - nothing more is known by default
        """What rules may match beside the labels of a workload, by ``Workload.key``.

        Names: ``label:<name>``, ``annotation:<name>``, ``image``, ``account``, ``partition``, ``qos``, ``command``.
        """
        return {}

    def allocations(self) -> tuple[Allocation, ...]:
        """Which devices are given to whom now. Workloads in it are labelled as ``resolve`` would label them."""
        return ()

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
