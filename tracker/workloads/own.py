"""The daemon as a sidecar: which work is its own, and what a container sees of it.

A sidecar books the share of its own pod and nothing else (``core/charging.keep``). It needs from the pod's template:

- ``POD_UID`` (and ``POD_NAME``, ``POD_NAMESPACE``) from the Downward API: which pod is its own;
- the host's ``/sys/fs/cgroup``, read-only: the pod's cgroup with all its containers. Without it a container sees its
  own cgroup only, and the CPU time and memory of the containers that do the work are not counted;
- ``shareProcessNamespace: true``: else the pod's processes on a GPU, and the runs they declare, cannot be seen;
- the pod's GPUs (``kubernetes/downward.py``), and ``gpu_replicas`` where several pods share each (time-slicing, MPS):
  nothing inside a pod tells that.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tracker.core.model import Finding, Level, Own
from tracker.sysfs import Roots, read_text
from tracker.workloads.checks import in_pid_namespace
from tracker.workloads.counters import Hierarchy, find_hierarchies
from tracker.workloads.declared.carving import RunTick
from tracker.workloads.interface import Identity

#: A run that has ended uses no CPU, but the driver may name its processes on a GPU for a while (a minute or less).
RUN_TICKS = 24


class OwnWork:
    """``identity``: of the own pod, container or job. ``gpu_parts``: how many share each of its GPUs, unseen.
    ``fenced``: the driver shows no GPUs here but its own."""

    def __init__(self, identity: Identity, roots: Roots, gpu_parts: int, *, fenced: bool = False) -> None:
        self.identity, self.fenced = identity, fenced
        self._roots, self._gpu_parts = roots, gpu_parts
        self._runs: dict[str, int] = {}  # runs inside it -> for how many ticks more they are known as such

    def booked(self, tick: RunTick) -> Own:
        """What is booked: the own work, and the runs that are declared inside it."""
        mine = self.identity.key
        self._runs = {run: ticks - 1 for run, ticks in self._runs.items() if ticks > 1}
        for take in (*tick.cpu, *tick.dram):
            if take.home.key == mine:
                self._runs[take.workload.key] = RUN_TICKS
        return Own(frozenset({mine, *self._runs}), self._gpu_parts)

    def findings(self) -> list[Finding]:
        """What is missing for the whole share, and the exact line that brings it."""
        found = [Finding(Level.OK, "sidecar", f"Books {self.identity.key} and nothing else.")]
        hierarchies = find_hierarchies(self._roots.sysfs / "fs" / "cgroup")
        if not any(hierarchy.cpu_file and hierarchy.whole_node for hierarchy in hierarchies):
            message = "Of the pod only this container can be seen: CPU time and memory of the others are not counted."
            remedy = (
                "volumes: [{name: sys, hostPath: {path: /sys}}], volumeMounts: [{name: sys, mountPath: /host/sys, "
                "readOnly: true}], and --path.sysfs /host/sys"
            )
            found.append(Finding(Level.WARN, "sidecar cgroup", message, remedy))
        if in_pid_namespace(self._roots.procfs) and not _shares_processes(self._roots.procfs):
            message = "Processes of the pod's other containers cannot be seen, nor the runs that they declare."
            found.append(Finding(Level.WARN, "sidecar processes", message, "Set shareProcessNamespace: true."))
        if self._gpu_parts == 1:
            message = "The pod's GPUs count as its alone. Where pods share them (time-slicing, MPS) nothing here tells."
            remedy = "Then set workloads.gpu_replicas to the number of replicas."
            found.append(Finding(Level.OK, "sidecar GPUs", message, remedy))
        else:
            message = f"Each GPU is shared by {self._gpu_parts} pods: one part in {self._gpu_parts} of it is booked."
            found.append(Finding(Level.OK, "sidecar GPUs", message))
        return found


def container_memory(hierarchies: Sequence[Hierarchy]) -> int:
    """Bytes of memory of the container whose cgroups these are; 0 where they do not count it."""
    for hierarchy in hierarchies:
        if hierarchy.memory_file:
            try:
                return int(read_text(Path(hierarchy.root, hierarchy.memory_file)))
            except (OSError, ValueError):
                continue
    return 0


def _shares_processes(procfs: Path) -> bool:
    """In a pod with one PID namespace, its process 1 is the one that keeps it (kubernetes.io, "Share Process
    Namespace between Containers in a Pod")."""
    try:
        return read_text(procfs / "1" / "comm") == "pause"
    except OSError:
        return False
