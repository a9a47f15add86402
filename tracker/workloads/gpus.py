"""Who holds which GPU in a tick: the owners of its processes, and those that a scheduler gave it to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from tracker.core.model import DeviceUse, Finding, GpuHolding, Level, Workload
from tracker.workloads.holdings import Ownership, holding
from tracker.workloads.interface import Identity
from tracker.workloads.names import Names
from tracker.workloads.processes import Owners

_SHOWN = 5
_NO_CLAIMS: Mapping[int, Workload] = {}


class Gpus:
    """``namespaced``: the cgroup paths of processes are relative to a container's. ``hidden``: in a PID namespace of
    its own, where the driver may show no processes. ``fenced``: the work to which all GPUs belong that the driver shows
    here: whoever is on them is a part of it, whatever its cgroup looks like from inside, and GPUs are numbered anew."""

    def __init__(
        self, procfs: Path, names: Names, *, namespaced: bool, hidden: bool, fenced: Identity | None = None
    ) -> None:
        self._names, self._hidden, self._inside = names, hidden, fenced
        self._fenced = "" if fenced is None else fenced.key
        self._owners = Owners(procfs, namespaced=namespaced)
        self._seen = False  # a process on any GPU, ever: then the driver does show them
        self._unknown: tuple[str, ...] = ()
        self._unsized: tuple[str, ...] = ()
        self.joined = self.unjoined = 0

    @property
    def translated(self) -> int:
        """Processes that the driver named by their PID in a container, and that were found all the same."""
        return self._owners.translated

    def holdings(
        self,
        uses: Mapping[str, DeviceUse],
        mono_ns: int,
        reclassify: Callable[[], None],
        claims: Mapping[int, Workload] = _NO_CLAIMS,
    ) -> dict[str, GpuHolding]:
        """By device; absent: nobody could look. ``reclassify`` is called when a unit became a workload by
        being on a GPU. ``claims``: processes of declared runs, by pid."""
        pids = {process.pid for use in uses.values() for process in use.processes}
        self._seen = self._seen or bool(pids)
        owners: dict[int, Workload] = {}
        homes: dict[int, str] = {}
        for pid, identity in self._owners.owners(pids, mono_ns).items():
            if self._names.promote(identity):
                reclassify()
            owners[pid] = self._names.workload(self._inside or identity)
        for pid in pids:
            run = claims.get(self._owners.host_pid(pid))
            if run is not None:
                if pid in owners:
                    homes[pid] = owners[pid].key
                owners[pid] = run
        self.joined, self.unjoined = len(owners), len(pids) - len(owners)
        given = self._given(uses)
        self._unsized = tuple(use.device for use in uses.values() if any(i.sm_count <= 0 for i in use.instances))
        ownership = Ownership(owners, homes, given, blind=self._hidden and not self._seen)
        held = {device: holding(use, ownership) for device, use in uses.items()}
        # The driver may refuse to list who is on a GPU; its energy is there all the same.
        unlisted = [device for device in given if device not in uses and _is_gpu(device)]
        unseen = replace(ownership, blind=True)
        return held | {device: holding(DeviceUse(device), unseen) for device in unlisted}

    def _given(self, uses: Mapping[str, DeviceUse]) -> dict[str, list[Workload]]:
        """Who was given what, each once."""
        places = {*uses, *(instance.key for use in uses.values() for instance in use.instances)}
        by_index = {f"index:{use.index}": use.device for use in uses.values() if use.index >= 0}
        given: dict[str, dict[str, Workload]] = {}
        unknown: dict[str, None] = {}
        for allocation in self._names.allocations():
            devices = [by_index.get(allocation.device, allocation.device)]
            if self._fenced and allocation.device.startswith("index:"):
                devices = [*uses] if allocation.workload.key == self._fenced else []
            for device in devices:
                if device in places or _is_gpu(device):
                    workload = self._names.given(allocation.workload)
                    given.setdefault(device, {})[workload.key] = workload
                if device not in places:
                    unknown[allocation.device] = None
        self._unknown = tuple(unknown)
        return {device: list(workloads.values()) for device, workloads in given.items()}

    def findings(self) -> list[Finding]:
        """What does not fit together, for ``check``."""
        found = []
        if self._unknown:
            message = f"Allocated, but not among the GPUs that are seen here: {_few(self._unknown)}."
            remedy = "Give wattledger all GPUs of the node (NVIDIA_VISIBLE_DEVICES=all), or ignore this for others."
            found.append(Finding(Level.WARN, "allocations", message, remedy))
        if self._unsized:
            message = f"The sizes of the MIG instances are not known, so they count as equal: {_few(self._unsized)}."
            found.append(Finding(Level.WARN, "MIG", message, "Upgrade the NVIDIA driver to R510 or newer."))
        if self._hidden and not self._seen:
            message = "In a PID namespace of its own, and no GPU process was seen: an allocated GPU counts as used."
            remedy = "Set hostPID: true (of a sidecar: shareProcessNamespace: true) or idle.gpu_w, to flag idle energy."
            found.append(Finding(Level.WARN, "idle GPUs", message, remedy))
        return found


def _is_gpu(device: str) -> bool:
    return device.startswith("GPU-")


def _few(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
